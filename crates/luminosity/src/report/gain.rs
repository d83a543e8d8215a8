//! What normalizing errors adds to normalizing activity.

use super::sample::Samples;
use super::statistics::interval;
use super::table::Table;
use super::text::{self, exact, fixed, p_equals, signed};
use crate::Condition;
use crate::condition;
use crate::stats::{median, paired_median_difference, wilcoxon_signed_rank};

/// Activity alone.
pub const FORWARD: Condition = condition::INORM;
/// Activity and errors.
pub const FORWARD_AND_ERROR: [Condition; 3] = [
    condition::INORM_FULL,
    condition::INORM_CENTER,
    condition::INORM_LATERAL,
];

/// Forward + error normalization against forward only, over the settings that both have.
#[derive(Debug, Clone, PartialEq)]
pub struct Gain {
    /// Which normalization of errors.
    pub of: Condition,
    /// The range of luminosity.
    pub epsilon: f64,
    /// Settings that both have.
    pub pairs: usize,
    /// In how many of them the accuracy is higher.
    pub higher: usize,
    /// Median accuracy of forward + error in percent.
    pub median: f64,
    /// Median accuracy of forward only in percent.
    pub forward: f64,
    /// The difference of those medians in points.
    pub points: f64,
    /// Those points as percent of the accuracy of forward only.
    pub relative: f64,
    /// Those points as percent of the error of forward only.
    pub share_of_error: f64,
    /// The median of the differences within a setting, in points.
    pub difference: Option<f64>,
    /// 95 % bootstrap interval of that.
    pub interval: Option<(f64, f64)>,
    /// Wilcoxon's two-sided p.
    pub p: Option<f64>,
}

impl Gain {
    /// The gain at one luminosity; none without a setting that both have.
    pub fn new(samples: &Samples, of: Condition, epsilon: f64) -> Option<Self> {
        let pairs = samples.pairs(of, FORWARD, epsilon);
        let both = |f: fn(&super::sample::Setting) -> f64| -> (Vec<f64>, Vec<f64>) {
            pairs.iter().map(|(a, b)| (f(a), f(b))).unzip()
        };
        let (own, other) = both(|s| s.percent);
        let (median, forward) = (median(&own)?, median(&other)?);
        let (own, other) = both(|s| s.correct);
        let differences: Vec<f64> = own.iter().zip(&other).map(|(a, b)| a - b).collect();
        let ends = interval(&differences);
        let points = median - forward;
        Some(Self {
            of,
            epsilon,
            pairs: pairs.len(),
            higher: differences.iter().filter(|d| **d > 0.0).count(),
            median,
            forward,
            points,
            relative: 100.0 * points / forward,
            share_of_error: 100.0 * points / (100.0 - forward),
            difference: paired_median_difference(&own, &other).map(|d| samples.points(d)),
            interval: ends.map(|(low, high)| (samples.points(low), samples.points(high))),
            p: wilcoxon_signed_rank(&own, &other).map(|t| t.p),
        })
    }

    /// The gain in one sentence.
    pub fn sentence(&self) -> String {
        let direction = if self.points < 0.0 { "below" } else { "above" };
        format!(
            "At {}, {} (forward + error) is {} points {direction} {FORWARD} (forward only): {} against \
             {} %, {} % accuracy, {} % of the remaining error removed; higher in {} of {} ({}).",
            text::epsilon(self.epsilon),
            self.of,
            fixed(Some(self.points.abs()), 1),
            fixed(Some(self.median), 1),
            fixed(Some(self.forward), 1),
            signed(Some(self.relative), 1),
            fixed(Some(self.share_of_error), 0),
            self.higher,
            text::count(self.pairs, "setting"),
            p_equals(self.p),
        )
    }
}

/// Every gain that there are settings for, by condition, then by luminosity.
pub fn gains(samples: &Samples) -> Vec<Gain> {
    let of = FORWARD_AND_ERROR.iter();
    let places = of.flat_map(|of| samples.epsilons.iter().map(|epsilon| (*of, *epsilon)));
    places
        .filter_map(|(of, epsilon)| Gain::new(samples, of, epsilon))
        .collect()
}

/// Every number of every gain.
pub fn table(gains: &[Gain]) -> Table {
    let mut table = Table::new(&[
        "condition",
        "against",
        "epsilon",
        "pairs",
        "higher",
        "median",
        "median_against",
        "points",
        "relative_percent",
        "percent_of_remaining_error",
        "paired_difference",
        "paired_difference_low_95",
        "paired_difference_high_95",
        "p_paired",
    ]);
    let row = |g: &Gain| {
        let mut row = vec![
            g.of.to_string(),
            FORWARD.to_string(),
            g.epsilon.to_string(),
            g.pairs.to_string(),
            g.higher.to_string(),
        ];
        let numbers = [g.median, g.forward, g.points, g.relative, g.share_of_error];
        row.extend(numbers.map(|n| exact(Some(n))));
        let (low, high) = g.interval.unzip();
        row.extend([g.difference, low, high, g.p].map(exact));
        row
    };
    table.rows = gains.iter().map(row).collect();
    table
}

/// The gains for readers.
pub fn for_readers(gains: &[Gain]) -> Table {
    let mut table = Table::new(&[
        "forward + error",
        "ε",
        "pairs",
        "higher in",
        "median (%)",
        "forward only (%)",
        "points",
        "relative (%)",
        "of the error (%)",
        "paired difference",
        "95 % of it",
        "p (paired)",
    ]);
    let row = |g: &Gain| {
        let (low, high) = g.interval.unzip();
        vec![
            g.of.to_string(),
            g.epsilon.to_string(),
            g.pairs.to_string(),
            g.higher.to_string(),
            fixed(Some(g.median), 2),
            fixed(Some(g.forward), 2),
            signed(Some(g.points), 2),
            signed(Some(g.relative), 1),
            signed(Some(g.share_of_error), 0),
            signed(g.difference, 2),
            format!("{} to {}", signed(low, 2), signed(high, 2)),
            text::p_value(g.p),
        ]
    };
    table.rows = gains.iter().map(row).collect();
    table
}
