//! Means over seeds, and the gain of one condition over another.

use serde::Serialize;

use crate::Condition;
use crate::record::{Outcome, RunRecord};
use crate::report::p_equals;
use crate::stats::{mean, sample_sd, wilcoxon_signed_rank};

/// The test accuracies of one condition, in percent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConditionSummary {
    /// The condition.
    pub condition: Condition,
    /// One accuracy for each seed, in the order of the seeds. A diverged run has the accuracy of chance.
    pub accuracies: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// Their sample standard deviation (divisor n − 1); none with one seed.
    pub sd: Option<f64>,
    /// The number of diverged runs.
    pub diverged: usize,
}

/// The gain of one condition over another, from their mean accuracies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gain {
    /// The condition that is claimed to be better.
    pub of: Condition,
    /// The condition with which it is compared.
    pub over: Condition,
    /// Percentage points of accuracy.
    pub points: f64,
    /// The points as percent of the other condition's accuracy.
    pub relative: f64,
    /// The points as percent of the other condition's error.
    pub share_of_error: f64,
    /// The number of seeds with a higher accuracy.
    pub seeds_higher: usize,
    /// The number of seeds.
    pub seeds: usize,
    /// The two-sided p of Wilcoxon's signed-rank test over the seeds, as in reports.
    pub p: Option<f64>,
}

impl ConditionSummary {
    /// The summary of the runs of one condition.
    pub fn new(condition: Condition, runs: &[&RunRecord]) -> Self {
        let accuracies: Vec<f64> = runs.iter().map(|run| 100.0 * run.test_accuracy).collect();
        let diverged = runs.iter().filter(|run| run.outcome == Outcome::Diverged);
        Self {
            condition,
            mean: mean(&accuracies).unwrap_or(f64::NAN),
            sd: sample_sd(&accuracies),
            diverged: diverged.count(),
            accuracies,
        }
    }
}

impl Gain {
    /// The gain of `of` over `over`; both must have the same seeds.
    pub fn new(of: &ConditionSummary, over: &ConditionSummary) -> Self {
        let points = of.mean - over.mean;
        let pairs = of.accuracies.iter().zip(&over.accuracies);
        Self {
            of: of.condition,
            over: over.condition,
            points,
            relative: 100.0 * points / over.mean,
            share_of_error: 100.0 * points / (100.0 - over.mean),
            seeds_higher: pairs.clone().filter(|(a, b)| a > b).count(),
            seeds: pairs.count(),
            p: wilcoxon_signed_rank(&of.accuracies, &over.accuracies).map(|test| test.p),
        }
    }

    /// The gain in a sentence, and on the next line the gain in other units.
    pub fn sentence(&self) -> String {
        let direction = if self.points < 0.0 { "below" } else { "above" };
        format!(
            "{} is {:.1} points {direction} {}, higher in {} of {} seeds ({})\n  \
             {:+.1} % accuracy, {:.0} % of the remaining error removed",
            self.of,
            self.points.abs(),
            self.over,
            self.seeds_higher,
            self.seeds,
            p_equals(self.p),
            self.relative,
            self.share_of_error,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition;

    fn summary(condition: Condition, accuracies: &[f64]) -> ConditionSummary {
        ConditionSummary {
            condition,
            accuracies: accuracies.to_vec(),
            mean: mean(accuracies).unwrap(),
            sd: sample_sd(accuracies),
            diverged: 0,
        }
    }

    #[test]
    fn a_gain_is_told_in_points_in_accuracy_and_in_error() {
        let full = summary(condition::INORM_FULL, &[82.0, 78.0, 80.0]);
        let forward = summary(condition::INORM, &[75.0, 79.0, 71.0]);
        assert_eq!(forward.sd, Some(4.0));
        let gain = Gain::new(&full, &forward);
        assert_eq!(gain.points, 5.0);
        assert!((gain.relative - 100.0 * 5.0 / 75.0).abs() < 1e-12);
        assert_eq!(gain.share_of_error, 20.0);
        assert_eq!((gain.seeds_higher, gain.seeds), (2, 3));
        // The ranks of +7, −1 and +9 are 2, 1 and 3: two of the eight choices of signs are at least as
        // extreme.
        assert_eq!(gain.p, Some(0.5));
        assert!(gain.sentence().contains("5.0 points above inorm"));
        let loss = Gain::new(&forward, &full);
        assert!(loss.sentence().contains("5.0 points below inorm+full"));
    }
}
