//! Histograms of alignments.

use super::{Drawn, Side, colour};
use crate::Condition;
use crate::condition;
use crate::figure::{Histogram, HistogramSet, Histograms, Unit, histograms as draw};
use crate::report::sample::{Samples, Setting};
use crate::report::table::Table;
use crate::report::text::exact;

/// Bins of a histogram.
const BINS: usize = 20;
/// The ends of a histogram are multiples of one part in this many.
const PARTS: f64 = 20.0;

/// A histogram of each of `panels` at the largest ε. The table has every ε.
pub fn histograms(samples: &Samples, panels: &[(Condition, Side)]) -> Drawn {
    let mut table = Table::new(&["condition", "epsilon", "setting", "of", "cosine"]);
    let mut drawn = Vec::new();
    for &(condition, side) in panels {
        for &epsilon in &samples.epsilons {
            let settings = samples.of(condition, epsilon).iter();
            table.rows.extend(settings.map(|s| {
                vec![
                    condition.to_string(),
                    epsilon.to_string(),
                    s.setting.to_string(),
                    side.name().to_owned(),
                    exact(side.of(s)),
                ]
            }));
        }
        let largest = samples.epsilons.last();
        let settings = largest.map_or(&[][..], |e| samples.of(condition, *e));
        let values: Vec<f64> = settings
            .iter()
            .filter_map(|s| Some(side.of(s)?.clamp(-1.0, 1.0)))
            .collect();
        if let Some(range) = range(&values) {
            drawn.push(Histogram {
                heading: condition.to_string(),
                x_label: side.label(condition).to_owned(),
                range,
                bins: BINS,
                sets: vec![HistogramSet {
                    label: format!("{}s", side.name()),
                    colour: colour(condition),
                    values,
                }],
            });
        }
    }
    let figure = draw(&Histograms {
        title: String::new(),
        sample: "setting".to_owned(),
        unit: Unit::Count,
        panels: drawn,
    })?;
    Ok((figure, table))
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Output => "output",
            Self::Gradient => "gradient",
        }
    }

    fn of(self, setting: &Setting) -> Option<f64> {
        match self {
            Self::Output => setting.output,
            Self::Gradient => setting.gradient,
        }
    }

    fn label(self, condition: Condition) -> &'static str {
        match self == Self::Gradient && condition == condition::INORM_LATERAL {
            true => "cosine to centered errors",
            false => "cosine to LayerNorm",
        }
    }
}

/// A round range around all values; none without a value.
fn range(values: &[f64]) -> Option<(f64, f64)> {
    let low = values.iter().copied().reduce(f64::min)?;
    let high = values.iter().copied().reduce(f64::max)?;
    let (mut first, mut last) = ((low * PARTS).floor(), (high * PARTS).ceil());
    // The products are rounded, which may have moved an end past its value.
    if first / PARTS > low {
        first -= 1.0;
    }
    if last / PARTS < high {
        last += 1.0;
    }
    // A range has a width, also where all values are the same, and 1 is the end of all cosines.
    last = last.max(first + 1.0);
    if last > PARTS {
        first -= 1.0;
    }
    Some((first / PARTS, (last / PARTS).min(1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_round_and_has_a_width() {
        let about = |values: &[f64]| {
            let (low, high) = range(values).unwrap();
            ((100.0 * low).round(), (100.0 * high).round())
        };
        assert_eq!(about(&[0.12, 0.31]), (10.0, 35.0));
        assert_eq!(about(&[0.995, 1.0]), (95.0, 100.0));
        assert_eq!(about(&[1.0, 1.0]), (95.0, 100.0));
        assert_eq!(about(&[-1.0]), (-100.0, -95.0));
        assert_eq!(range(&[]), None);
        // 17 · 0.05 is above 0.85, and 0.85 · 20 may be rounded.
        let below = 0.85f64.next_down();
        for values in [
            [0.85, 0.91],
            [below, 0.85],
            [0.8, below.next_up().next_up()],
        ] {
            let (low, high) = range(&values).unwrap();
            assert!(low <= values[0] && values[1] <= high, "{values:?}");
        }
    }
}
