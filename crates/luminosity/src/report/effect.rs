//! Comparisons of two conditions: the paired difference, its interval and its test.

use serde::Serialize;

use super::sample::{Samples, percents};
use super::table::{Cell, Table, difference, fixed, number, p, words};
use super::text::{self, p_equals, signed};
use super::verdict::Ruling;
use crate::stats::{
    Wilcoxon, bootstrap_median_interval, cliffs_delta, holm, mann_whitney_u, median,
    wilcoxon_signed_rank,
};

/// The main effect of the experiment: normalized activity and errors, over normalized activity alone.
pub const MAIN: (&str, &str) = ("inorm+full", "inorm");
/// The effects of normalized activity and errors over the controls.
pub const CONTROLS: [(&str, &str); 2] = [("inorm+full", "ln+"), ("inorm+full", "none")];
/// The conditions with which every condition is compared.
pub const REFERENCES: [&str; 3] = ["inorm", "inorm+full", "e-only-ln+"];
/// The smallest number of pairs for a 95 % interval of a median and for a p of the test below 0.05: the
/// smallest p of five pairs is 2 / 2⁵.
pub const FEWEST: usize = 6;
/// A difference is significant below this p.
pub const ALPHA: f64 = 0.05;
/// The number of bootstrap samples for an interval.
pub const RESAMPLES: usize = 10_000;
/// The seed of the bootstrap samples.
const SEED: u64 = 0;

/// Paired differences, in points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Paired {
    /// The number of pairs.
    pub n: usize,
    /// The number of pairs in which the first condition is higher.
    pub higher: usize,
    /// The median difference.
    pub difference: f64,
    /// Its 95 % bootstrap interval.
    pub interval: Option<(f64, f64)>,
    /// Wilcoxon's W and its two-sided p.
    pub test: Wilcoxon,
}

/// One condition compared with another at one luminosity, over their common units.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Effect {
    /// The condition.
    pub of: String,
    /// The condition with which it is compared.
    pub over: String,
    /// The range of luminosity.
    pub epsilon: f64,
    /// Median accuracies in percent.
    pub medians: (f64, f64),
    /// The differences within a unit.
    pub paired: Paired,
    /// Holm's adjusted p, over all effects with the same second condition.
    pub holm: Option<f64>,
    /// Cliff's delta, unpaired.
    pub cliffs_delta: Option<f64>,
    /// Mann–Whitney's U, unpaired, as in the paper.
    pub u: Option<f64>,
    /// The two-sided p of U.
    pub p_unpaired: Option<f64>,
}

impl Paired {
    /// Describes differences; none if there are no differences.
    pub fn new(differences: impl Iterator<Item = f64>) -> Option<Self> {
        // Rounded to six decimals, so that differences of the same number of correct answers tie.
        let rounded = differences.map(|points| (1e6 * points).round() / 1e6);
        let differences: Vec<f64> = rounded.collect();
        Some(Self {
            n: differences.len(),
            higher: differences.iter().filter(|d| **d > 0.0).count(),
            difference: median(&differences)?,
            interval: interval(&differences),
            test: wilcoxon_signed_rank(&differences, &vec![0.0; differences.len()])?,
        })
    }

    /// The sign of the difference, if both its interval and its test exclude 0.
    pub fn sign(&self) -> Option<f64> {
        let (low, high) = self.interval?;
        let sure = low * high > 0.0 && self.test.p < ALPHA;
        Some(if sure { low.signum() } else { 0.0 })
    }

    /// The difference, its interval and its p.
    pub fn numbers(&self) -> String {
        let interval = match self.interval {
            Some((low, high)) => format!(" [{}, {}]", signed(low, 2), signed(high, 2)),
            None => String::new(),
        };
        let (points, p) = (signed(self.difference, 2), p_equals(Some(self.test.p)));
        format!("{points} points{interval} ({p}, n = {})", self.n)
    }
}

impl Effect {
    /// Compares `of` with `over`; none if there are no pairs.
    pub fn new(samples: &Samples, of: &str, over: &str, epsilon: f64) -> Option<Self> {
        let pairs = samples.pairs(of, over, epsilon);
        let (own, other): (Vec<f64>, Vec<f64>) =
            pairs.iter().map(|(a, b)| (a.percent, b.percent)).unzip();
        let differences = own.iter().zip(&other).map(|(a, b)| a - b);
        let [first, second] = [of, over].map(|c| percents(samples.of(c, epsilon)));
        let unpaired = mann_whitney_u(&first, &second);
        Some(Self {
            of: of.to_owned(),
            over: over.to_owned(),
            epsilon,
            medians: (median(&own)?, median(&other)?),
            paired: Paired::new(differences)?,
            holm: None,
            cliffs_delta: cliffs_delta(&first, &second),
            u: unpaired.map(|t| t.u),
            p_unpaired: unpaired.map(|t| t.p),
        })
    }

    /// The difference as percent of the other condition's accuracy, and of its error.
    fn shares(&self) -> (f64, f64) {
        let (points, other) = (100.0 * self.paired.difference, self.medians.1);
        (points / other, points / (100.0 - other))
    }

    /// The 95 % interval of the difference in words; none for fewer than [`FEWEST`] pairs.
    fn interval(&self) -> Option<String> {
        let (low, high) = self.paired.interval?;
        Some(format!(
            "95 % interval {} to {}",
            signed(low, 1),
            signed(high, 1)
        ))
    }

    /// The significance and the relative size of the difference.
    fn significance(&self, unit: &str) -> String {
        let (accuracy, error) = self.shares();
        format!(
            "{}, higher in {} of {}; {} % of accuracy, {} % of the error",
            p_equals(Some(self.paired.test.p)),
            self.paired.higher,
            text::count(self.paired.n, unit),
            signed(accuracy, 1),
            signed(error, 0),
        )
    }

    /// The uncertainty and the relative size of the difference.
    pub fn detail(&self, unit: &str) -> String {
        let parts = self.interval().into_iter().chain([self.significance(unit)]);
        parts.collect::<Vec<_>>().join(", ")
    }

    /// The effect for a terminal, in two lines.
    pub fn lines(&self, unit: &str) -> String {
        let points = signed(self.paired.difference, 1);
        let interval = self.interval();
        format!(
            "{}: {} over {} {points} points{}\n  {}",
            text::epsilon(self.epsilon),
            self.of,
            self.over,
            interval.map_or_else(String::new, |words| format!(" ({words})")),
            self.significance(unit),
        )
    }
}

/// A sentence that summarizes the main effects.
pub fn answer(effects: &[&Effect]) -> String {
    let claim = "normalizing errors as well as activity";
    let (of, over) = MAIN;
    let Some((first, last)) = effects.first().zip(effects.last()) else {
        return format!("There is nothing yet in which {of} and {over} can be compared.");
    };
    let rulings = effects.iter().map(|e| Ruling::above(&e.paired));
    let rulings: Vec<Ruling> = rulings.collect();
    let all = |ruling| rulings.iter().all(|r| *r == ruling);
    let everywhere = if effects.len() > 1 {
        " at every ε"
    } else {
        ""
    };
    let verdict = match () {
        () if all(Ruling::Agrees) => format!("Here {claim} helps{everywhere}"),
        () if all(Ruling::Differs) => format!("Here {claim} does harm{everywhere}"),
        () if all(Ruling::TooFewRuns) => {
            format!("There are too few runs to say whether {claim} helps")
        }
        () => format!("Here it is undecided whether {claim} helps{everywhere}"),
    };
    let at = |e: &Effect| {
        let points = signed(e.paired.difference, 1);
        format!("{points} points at {}", text::epsilon(e.epsilon))
    };
    let numbers = match effects.len() {
        1 => at(first),
        _ => format!("{}, {}", at(first), at(last)),
    };
    format!("{verdict}: {numbers}.")
}

/// The effects of every condition over every reference, at every luminosity.
pub fn effects(samples: &Samples) -> Vec<Effect> {
    let over = |reference: &&str| {
        let others = samples.conditions.iter().map(|c| c.name());
        let others = others.filter(|name| name != reference);
        let places = others.flat_map(|name| samples.epsilons.iter().map(move |e| (name, *e)));
        let mut family: Vec<Effect> = places
            .filter_map(|(name, epsilon)| Effect::new(samples, name, reference, epsilon))
            .collect();
        let p: Vec<f64> = family.iter().map(|effect| effect.paired.test.p).collect();
        for (effect, corrected) in family.iter_mut().zip(holm(&p)) {
            effect.holm = (!corrected.is_nan()).then_some(corrected);
        }
        family
    };
    REFERENCES.iter().flat_map(over).collect()
}

/// The 95 % bootstrap interval of the median; none for fewer than [`FEWEST`] values.
pub fn interval(values: &[f64]) -> Option<(f64, f64)> {
    match values.len() < FEWEST {
        true => None,
        false => bootstrap_median_interval(values, 0.95, RESAMPLES, SEED),
    }
}

/// The table of the effects, for programs and for readers.
pub fn table<'a>(effects: impl Iterator<Item = &'a Effect>) -> Table {
    let mut table = Table::new(&[
        ("condition", "condition"),
        ("against", ""),
        ("epsilon", "ε"),
        ("pairs", "pairs"),
        ("higher", "higher in"),
        ("difference", "difference (points)"),
        ("difference_low_95", "95 % from"),
        ("difference_high_95", "to"),
        ("w", "W"),
        ("p", "p"),
        ("p_holm", "p (Holm)"),
        ("relative_percent", "of accuracy (%)"),
        ("percent_of_remaining_error", "of the error (%)"),
        ("median", ""),
        ("median_against", ""),
        ("cliffs_delta", "Cliff's δ"),
        ("u", ""),
        ("p_unpaired", "p (unpaired)"),
    ]);
    let row = |e: &Effect| -> Vec<Cell> {
        let (low, high) = e.paired.interval.unzip();
        let (accuracy, error) = e.shares();
        vec![
            words(&e.of),
            words(&e.over),
            number(e.epsilon),
            number(e.paired.n),
            number(e.paired.higher),
            difference(Some(e.paired.difference), 2),
            difference(low, 2),
            difference(high, 2),
            fixed(Some(e.paired.test.w), 1),
            p(Some(e.paired.test.p)),
            p(e.holm),
            difference(Some(accuracy), 1),
            difference(Some(error), 0),
            fixed(Some(e.medians.0), 2),
            fixed(Some(e.medians.1), 2),
            difference(e.cliffs_delta, 2),
            fixed(e.u, 1),
            p(e.p_unpaired),
        ]
    };
    table.rows = effects.map(row).collect();
    table
}
