//! The sample of every condition and luminosity, described and tested.

use super::coverage::Coverage;
use super::sample::{Samples, Setting};
use super::table::Table;
use super::text::{self, exact, fixed, p_value, signed};
use crate::Condition;
use crate::condition;
use crate::stats::{
    Quartiles, bootstrap_median_interval, cliffs_delta, holm, mann_whitney_u,
    paired_median_difference, quartiles, wilcoxon_signed_rank,
};

/// What every condition is tested against.
pub const REFERENCES: [Condition; 3] = [
    condition::E_ONLY_LN_PLUS,
    condition::INORM,
    condition::INORM_FULL,
];
/// Bootstrap samples of an interval, and the seed they are drawn from.
pub const RESAMPLES: usize = 10_000;
const SEED: u64 = 0;

/// One condition at one luminosity.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The condition.
    pub condition: Condition,
    /// The range of luminosity.
    pub epsilon: f64,
    /// Settings.
    pub n: usize,
    /// Runs that were asked for and are not there.
    pub missing: usize,
    /// Runs that diverged.
    pub diverged: usize,
    /// Of the accuracy in percent.
    pub quartiles: Option<Quartiles>,
    /// 95 % bootstrap interval of the median.
    pub interval: Option<(f64, f64)>,
    /// Against each of [`REFERENCES`]; none against itself.
    pub against: [Option<Versus>; REFERENCES.len()],
}

/// One condition tested against another at the same luminosity.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Versus {
    /// Mann–Whitney U of the condition.
    pub u: Option<f64>,
    /// Its two-sided p.
    pub p: Option<f64>,
    /// That p after Holm, over all conditions and luminosities.
    pub holm: Option<f64>,
    /// Settings that both have.
    pub pairs: usize,
    /// Wilcoxon's W on the pairs.
    pub w: Option<f64>,
    /// Its two-sided p.
    pub paired_p: Option<f64>,
    /// Cliff's delta.
    pub delta: Option<f64>,
    /// Median paired difference in points.
    pub difference: Option<f64>,
}

impl Versus {
    /// Tests `a` against `b`.
    pub fn new(samples: &Samples, a: Condition, b: Condition, epsilon: f64) -> Self {
        let [own, other] = [a, b].map(|c| correct(samples.of(c, epsilon).iter()));
        let pairs = samples.pairs(a, b, epsilon);
        let first = correct(pairs.iter().map(|pair| pair.0));
        let second = correct(pairs.iter().map(|pair| pair.1));
        let unpaired = mann_whitney_u(&own, &other);
        let paired = wilcoxon_signed_rank(&first, &second);
        Self {
            u: unpaired.map(|t| t.u),
            p: unpaired.map(|t| t.p),
            holm: None,
            pairs: pairs.len(),
            w: paired.map(|t| t.w),
            paired_p: paired.map(|t| t.p),
            delta: cliffs_delta(&own, &other),
            difference: paired_median_difference(&first, &second).map(|d| samples.points(d)),
        }
    }
}

/// All rows, by condition, then by luminosity.
pub fn rows(samples: &Samples, coverage: &Coverage) -> Vec<Row> {
    let conditions = samples.conditions.iter();
    let places = conditions.flat_map(|c| samples.epsilons.iter().map(move |e| (*c, *e)));
    let mut rows: Vec<Row> = places
        .map(|(condition, epsilon)| Row::new(samples, coverage, condition, epsilon))
        .collect();
    for reference in 0..REFERENCES.len() {
        correct_family(&mut rows, reference);
    }
    rows
}

impl Row {
    fn new(samples: &Samples, coverage: &Coverage, condition: Condition, epsilon: f64) -> Self {
        let settings = samples.of(condition, epsilon);
        let percent: Vec<f64> = settings.iter().map(|s| s.percent).collect();
        Self {
            condition,
            epsilon,
            n: settings.len(),
            missing: coverage.missing(condition, epsilon, samples.lambda),
            diverged: settings.iter().map(|s| s.diverged).sum(),
            quartiles: quartiles(&percent),
            interval: interval(&percent),
            against: REFERENCES.map(|reference| {
                (reference != condition)
                    .then(|| Versus::new(samples, condition, reference, epsilon))
            }),
        }
    }

    fn median(&self) -> Option<f64> {
        self.quartiles.map(|q| q.median)
    }
}

/// 95 % bootstrap interval of the median.
pub fn interval(values: &[f64]) -> Option<(f64, f64)> {
    bootstrap_median_interval(values, 0.95, RESAMPLES, SEED)
}

fn correct<'a>(settings: impl Iterator<Item = &'a Setting>) -> Vec<f64> {
    settings.map(|s| s.correct).collect()
}

/// Holm over all tests against one reference.
fn correct_family(rows: &mut [Row], reference: usize) {
    let mut tests: Vec<&mut Versus> = rows
        .iter_mut()
        .filter_map(|row| row.against.get_mut(reference)?.as_mut())
        .collect();
    let p: Vec<f64> = tests.iter().map(|t| t.p.unwrap_or(f64::NAN)).collect();
    for (test, corrected) in tests.iter_mut().zip(holm(&p)) {
        test.holm = (!corrected.is_nan()).then_some(corrected);
    }
}

/// Every number of every row.
pub fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        "condition",
        "epsilon",
        "n",
        "missing",
        "diverged",
        "median",
        "lower_quartile",
        "upper_quartile",
        "median_low_95",
        "median_high_95",
    ]);
    for short in ["e_only_ln", "inorm", "inorm_full"] {
        let columns = [
            "u",
            "p",
            "p_holm",
            "pairs",
            "w",
            "p_paired",
            "cliffs_delta",
            "difference",
        ];
        let names = columns.map(|column| format!("{short}_{column}"));
        table.columns.extend(names);
    }
    table.rows = rows.iter().map(csv_row).collect();
    table
}

fn csv_row(row: &Row) -> Vec<String> {
    let mut cells = vec![
        row.condition.to_string(),
        row.epsilon.to_string(),
        row.n.to_string(),
        row.missing.to_string(),
        row.diverged.to_string(),
        exact(row.median()),
        exact(row.quartiles.map(|q| q.lower)),
        exact(row.quartiles.map(|q| q.upper)),
        exact(row.interval.map(|i| i.0)),
        exact(row.interval.map(|i| i.1)),
    ];
    for versus in &row.against {
        let pairs = versus.map_or_else(String::new, |v| v.pairs.to_string());
        let v = versus.unwrap_or_default();
        let numbers = [v.u, v.p, v.holm, v.w, v.paired_p, v.delta, v.difference].map(exact);
        let [u, p, holm, w, paired_p, delta, difference] = numbers;
        cells.extend([u, p, holm, pairs, w, paired_p, delta, difference]);
    }
    cells
}

/// What the samples are, for readers.
pub fn samples_for_readers(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        "condition",
        "ε",
        "n",
        "missing",
        "diverged",
        "median (%)",
        "quartiles",
        "95 % of the median",
    ]);
    let range = |ends: Option<(f64, f64)>| match ends {
        Some((low, high)) => format!("{} to {}", fixed(Some(low), 2), fixed(Some(high), 2)),
        None => text::NONE.to_owned(),
    };
    table.rows = rows
        .iter()
        .map(|row| {
            vec![
                row.condition.to_string(),
                row.epsilon.to_string(),
                row.n.to_string(),
                row.missing.to_string(),
                row.diverged.to_string(),
                fixed(row.median(), 2),
                range(row.quartiles.map(|q| (q.lower, q.upper))),
                range(row.interval),
            ]
        })
        .collect();
    table
}

/// The tests against one of [`REFERENCES`], for readers.
pub fn tests_for_readers(rows: &[Row], reference: usize) -> Table {
    let mut table = Table::new(&[
        "condition",
        "ε",
        "difference (points)",
        "Cliff's δ",
        "U",
        "p",
        "p (Holm)",
        "pairs",
        "W",
        "p (paired)",
    ]);
    for row in rows {
        let Some(Some(v)) = row.against.get(reference) else {
            continue;
        };
        table.rows.push(vec![
            row.condition.to_string(),
            row.epsilon.to_string(),
            signed(v.difference, 2),
            signed(v.delta, 2),
            fixed(v.u, 1),
            p_value(v.p),
            p_value(v.holm),
            v.pairs.to_string(),
            fixed(v.w, 1),
            p_value(v.paired_p),
        ]);
    }
    table
}
