//! Mean, standard deviation, median and quartiles.

/// Arithmetic mean, Σx / n.
///
/// `None` for an empty sample, or if the mean is not a number: with a NaN among the values or infinities of
/// both signs. A sum beyond the range of `f64` gives an infinity.
pub fn mean(values: &[f64]) -> Option<f64> {
    number(values.iter().sum::<f64>() / values.len() as f64)
}

/// Sample standard deviation, √(Σ(x − x̄)² / (n − 1)), by the two-pass formula
/// (`numpy.std(values, ddof=1)`).
///
/// `None` for fewer than two values, or with a NaN or an infinity among them.
pub fn sample_sd(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let centre = mean(values)?;
    let squares: f64 = values.iter().map(|v| (v - centre).powi(2)).sum();
    number((squares / (values.len() - 1) as f64).sqrt())
}

/// Median: the middle value, or the middle of the two middle values.
///
/// `None` for an empty sample, with a NaN among the values, or if the two middle values are −∞ and ∞.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile_of_sorted(&sorted(values)?, 0.5)
}

/// Lower quartile, median and upper quartile, by linear interpolation between order statistics: the default
/// of `numpy.quantile`, and definition 7 of Hyndman & Fan, "Sample quantiles in statistical packages", The
/// American Statistician 50 (1996).
///
/// `None` for an empty sample, with a NaN among the values, or if a quartile falls between −∞ and ∞.
pub fn quartiles(values: &[f64]) -> Option<[f64; 3]> {
    let sorted = sorted(values)?;
    let quantile = |q| quantile_of_sorted(&sorted, q);
    Some([quantile(0.25)?, quantile(0.5)?, quantile(0.75)?])
}

/// The values in ascending order, or `None` with a NaN among them.
fn sorted(values: &[f64]) -> Option<Vec<f64>> {
    if values.iter().any(|v| v.is_nan()) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    Some(sorted)
}

/// Quantile `q`, 0 to 1, of values in ascending order: the value at position `q (n − 1)`, counted from 0,
/// linear in between.
///
/// `None` without values, and between −∞ and ∞.
pub(super) fn quantile_of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    let position = q * sorted.len().checked_sub(1)? as f64;
    let below = *sorted.get(position.floor() as usize)?;
    let above = *sorted.get(position.ceil() as usize)?;
    let part = position.fract();
    if below == above {
        return Some(below);
    }
    // A weighted sum, not below + part · (above − below), because the difference of two finite values may be
    // infinite.
    number(below * (1.0 - part) + above * part)
}

fn number(value: f64) -> Option<f64> {
    (!value.is_nan()).then_some(value)
}
