//! Order statistics of values of which some may be missing.

use super::FigureError;

/// Finite values in order; a number beyond [`Sample::HUGE`] counts as missing, like NaN.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    pub sorted: Vec<f64>,
    /// Number of missing values.
    pub missing: usize,
}

impl Sample {
    /// No axis reaches this far.
    const HUGE: f64 = 1e100;

    pub fn new(values: impl IntoIterator<Item = f64>) -> Self {
        let (mut sorted, missing): (Vec<f64>, Vec<f64>) =
            values.into_iter().partition(|v| v.abs() <= Self::HUGE);
        sorted.sort_by(f64::total_cmp);
        Self {
            sorted,
            missing: missing.len(),
        }
    }

    /// The values that pass `test`.
    pub fn filter(&self, test: impl Fn(f64) -> bool) -> Self {
        Self::new(self.sorted.iter().copied().filter(|&v| test(v)))
    }

    /// Number of values.
    pub fn n(&self) -> usize {
        self.sorted.len()
    }

    /// Quartiles, with linear interpolation between values; `None` without a value.
    pub fn quartiles(&self) -> Option<[f64; 3]> {
        let last = self.n().checked_sub(1)?;
        Some([0.25, 0.5, 0.75].map(|p| {
            let at = p * last as f64;
            let (low, share) = (at.floor() as usize, at.fract());
            let high = (low + 1).min(last);
            self.sorted[low] + share * (self.sorted[high] - self.sorted[low])
        }))
    }

    /// Median; `None` without a value.
    pub fn median(&self) -> Option<f64> {
        self.quartiles().map(|q| q[1])
    }

    /// The furthest values within 1.5 interquartile ranges of the box; `None` without a value.
    pub fn whiskers(&self) -> Option<[f64; 2]> {
        let [low, _, high] = self.quartiles()?;
        let reach = 1.5 * (high - low);
        let inside = |v: &&f64| (low - reach..=high + reach).contains(*v);
        // Interpolated quartiles may lie beyond every such value.
        let from = self.sorted.iter().find(inside)?.min(low);
        let to = self.sorted.iter().rfind(inside)?.max(high);
        Some([from, to])
    }
}

/// Checks that at least one of the samples in `panels` has a value.
pub(super) fn check<'a>(
    mut samples: impl Iterator<Item = &'a Sample>,
    panels: usize,
) -> Result<(), FigureError> {
    match samples.any(|s| s.n() > 0) {
        true => Ok(()),
        false if panels == 0 => Err(FigureError::NoSeries),
        false => Err(FigureError::NoFiniteValue),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_and_whiskers() {
        let s = Sample::new([4.0, f64::NAN, 1.0, 3.0, 2.0, 5.0, 30.0, f64::INFINITY]);
        assert_eq!((s.n(), s.missing), (6, 2));
        assert_eq!(s.quartiles(), Some([2.25, 3.5, 4.75]));
        assert_eq!(s.whiskers(), Some([1.0, 5.0]));
        let one = Sample::new([7.0]);
        assert_eq!(one.quartiles(), Some([7.0; 3]));
        assert_eq!(one.whiskers(), Some([7.0; 2]));
        assert_eq!(Sample::new([]).whiskers(), None);
    }

    #[test]
    fn a_whisker_never_ends_inside_the_box() {
        let s = Sample::new([0.0, 0.0, 0.0, 10.0, 100.0]);
        let [low, _, high] = s.quartiles().expect("values");
        let [from, to] = s.whiskers().expect("values");
        assert!(from <= low && to >= high);
    }
}
