//! What a figure needs to know of one condition's runs.

use super::Series;
use crate::figure::FigureError;
use crate::figure::scale::{PERCENT, percentages};

/// Mean and sample standard deviation of one or more values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moments {
    pub mean: f64,
    /// `None` for a single value.
    pub sd: Option<f64>,
}

impl Moments {
    /// Moments of `values`, or `None` when there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let sd = (values.len() > 1).then(|| {
            let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
            (squares / (n - 1.0)).sqrt()
        });
        (!values.is_empty()).then_some(Self { mean, sd })
    }

    /// Mean minus and plus the standard deviation as far as they are percentages, `None`
    /// without a deviation.
    pub fn band(self) -> Option<[f64; 2]> {
        let clamp = |v: f64| v.clamp(PERCENT.0, PERCENT.1);
        self.sd
            .map(|sd| [clamp(self.mean - sd), clamp(self.mean + sd)])
    }

    /// The values a scale must hold to show these moments.
    pub fn extent(self) -> [f64; 2] {
        self.band().unwrap_or([self.mean; 2])
    }
}

/// The runs of one condition, cut where they stop being finite.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Summary {
    /// Number of runs, diverged ones included.
    pub runs: usize,
    /// For each run its accuracy after the last epoch, `None` where it diverged.
    pub finals: Vec<Option<f64>>,
    /// Moments over the runs still going after epoch 1, 2, ..., until none is left.
    pub curve: Vec<Moments>,
}

impl Summary {
    /// Summarizes the runs of `series`, of which those shorter than `epochs` diverged.
    pub fn new(series: &Series, epochs: usize) -> Result<Self, FigureError> {
        if series.curves.is_empty() {
            return Err(FigureError::NoCurve {
                label: series.label.to_owned(),
            });
        }
        percentages(series.label, series.curves.iter().flatten().copied())?;
        let alive: Vec<&[f64]> = series.curves.iter().map(|c| finite_prefix(c)).collect();
        let at = |epoch: usize| -> Vec<f64> {
            alive.iter().filter_map(|r| r.get(epoch).copied()).collect()
        };
        Ok(Self {
            runs: alive.len(),
            finals: alive
                .iter()
                .map(|r| epochs.checked_sub(1).and_then(|last| r.get(last).copied()))
                .collect(),
            curve: (0..epochs).map_while(|e| Moments::of(&at(e))).collect(),
        })
    }

    /// Final accuracies of the runs that reached the last epoch.
    pub fn finished(&self) -> Vec<f64> {
        self.finals.iter().flatten().copied().collect()
    }

    /// Number of runs that did not reach the last epoch.
    pub fn diverged(&self) -> usize {
        self.finals.iter().filter(|f| f.is_none()).count()
    }
}

/// The values of `curve` before the first one that is not finite.
fn finite_prefix(curve: &[f64]) -> &[f64] {
    let end = curve.iter().position(|v| !v.is_finite());
    &curve[..end.unwrap_or(curve.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(curves: Vec<Vec<f64>>) -> Series<'static> {
        Series {
            label: "a",
            description: "",
            colour: None,
            curves,
        }
    }

    #[test]
    fn sample_standard_deviation() {
        let moments = Moments::of(&[1.0, 2.0, 3.0]);
        assert_eq!(
            moments,
            Some(Moments {
                mean: 2.0,
                sd: Some(1.0)
            })
        );
        assert_eq!(Moments::of(&[4.0]).and_then(|m| m.sd), None);
        assert_eq!(Moments::of(&[]), None);
    }

    #[test]
    fn a_run_that_stops_being_finite_leaves_the_curve_for_good() {
        let s = series(vec![
            vec![10.0, 20.0, 30.0],
            vec![30.0, f64::NAN, 90.0],
            vec![20.0],
        ]);
        let s = Summary::new(&s, 3).expect("valid");
        let means: Vec<f64> = s.curve.iter().map(|m| m.mean).collect();
        assert_eq!(means, [20.0, 20.0, 30.0]);
        assert_eq!(s.finals, [Some(30.0), None, None]);
        assert_eq!((s.runs, s.diverged()), (3, 2));
    }

    #[test]
    fn a_fraction_above_one_hundred_percent_is_refused() {
        let error = Summary::new(&series(vec![vec![101.0]]), 1);
        assert!(matches!(error, Err(FigureError::NotAPercentage { value, .. }) if value == 101.0));
    }
}
