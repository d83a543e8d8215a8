//! Comparisons of two conditions: the paired difference, its interval and its test.

use serde::Serialize;

use super::sample::{Samples, percents};
use super::statistics::TERMINAL;
use super::table::{Column, Table, difference, fixed, number, p, words};
use super::text::{self, p_equals, signed};
use super::verdict::Ruling;
use crate::stats::{
    MannWhitney, Wilcoxon, bootstrap_median_interval, holm, mann_whitney_u, median,
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

/// The condition `of` compared with another at one luminosity ε, over their common units.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Effect {
    pub of: &'static str,
    /// The condition with which it is compared.
    pub over: &'static str,
    pub epsilon: f64,
    /// Median accuracies in percent.
    pub medians: (f64, f64),
    /// The differences within a unit.
    pub paired: Paired,
    /// Holm's adjusted p, over all effects with the same second condition.
    pub holm: Option<f64>,
    /// The unpaired test, as in the paper.
    #[serde(flatten)]
    pub unpaired: MannWhitney,
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

    /// The difference with its unit.
    pub fn points(&self, digits: usize) -> String {
        format!("{} points", signed(self.difference, digits))
    }

    /// The difference, its interval and its p.
    pub fn numbers(&self) -> String {
        let interval = match self.interval {
            Some((low, high)) => format!(" [{}, {}]", signed(low, 2), signed(high, 2)),
            None => String::new(),
        };
        let (points, p) = (self.points(2), p_equals(self.test.p));
        format!("{points}{interval} ({p}, n = {})", self.n)
    }
}

impl Effect {
    /// Compares `of` with `over`; none if there are no pairs.
    pub fn new(
        samples: &Samples,
        of: &'static str,
        over: &'static str,
        epsilon: f64,
    ) -> Option<Self> {
        let pairs = samples.pairs(of, over, epsilon);
        let (own, other): (Vec<f64>, Vec<f64>) =
            pairs.iter().map(|(a, b)| (a.percent, b.percent)).unzip();
        let [first, second] = [of, over].map(|c| percents(samples.of(c, epsilon)));
        Some(Self {
            of,
            over,
            epsilon,
            medians: (median(&own)?, median(&other)?),
            paired: Paired::new(own.iter().zip(&other).map(|(a, b)| a - b))?,
            holm: None,
            unpaired: mann_whitney_u(&first, &second)?,
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
        let (low, high) = (signed(low, 1), signed(high, 1));
        Some(format!("95 % interval {low} to {high}"))
    }

    /// The significance of the difference, and its relative size.
    fn significance(&self, unit: &str) -> [String; 2] {
        let (accuracy, error) = self.shares();
        let (accuracy, error) = (signed(accuracy, 1), signed(error, 0));
        let p = p_equals(self.paired.test.p);
        let n = text::count(self.paired.n, unit);
        [
            format!("{p}, higher in {} of {n};", self.paired.higher),
            format!("{accuracy} % of accuracy, {error} % of the error"),
        ]
    }

    /// The uncertainty and the relative size of the difference.
    pub fn detail(&self, unit: &str) -> String {
        let significance = self.significance(unit).join(" ");
        let parts = self.interval().into_iter().chain([significance]);
        parts.collect::<Vec<_>>().join(", ")
    }

    /// The effect for a terminal, in two lines; a part that does not fit beside another has its own line.
    pub fn lines(&self, unit: &str) -> String {
        let (epsilon, points) = (text::epsilon(self.epsilon), self.paired.points(1));
        let difference = format!("{epsilon}: {} over {} {points}", self.of, self.over);
        let interval = self.interval().map(|words| format!("({words})"));
        let beside = |first: String, second: String| {
            let both = format!("{first} {second}");
            match both.chars().count() > TERMINAL {
                true => format!("{first}\n  {second}"),
                false => both,
            }
        };
        let first = match interval {
            Some(interval) => beside(difference, interval),
            None => difference,
        };
        let [test, shares] = self.significance(unit);
        first + "\n" + &beside(format!("  {test}"), shares)
    }
}

/// A sentence that summarizes the main effects.
pub fn answer(effects: &[&Effect]) -> String {
    let claim = "normalizing errors as well as activity";
    let (of, over) = MAIN;
    let at = |e: &Effect| format!("{} at {}", e.paired.points(1), text::epsilon(e.epsilon));
    let (everywhere, numbers) = match effects {
        [] => return format!("There is nothing yet in which {of} and {over} can be compared."),
        [only] => ("", at(only)),
        [first, .., last] => (" at every ε", format!("{}, {}", at(first), at(last))),
    };
    let all = |ruling| effects.iter().all(|e| Ruling::above(&e.paired) == ruling);
    let verdict = match () {
        () if all(Ruling::Agrees) => format!("Here {claim} helps{everywhere}"),
        () if all(Ruling::Differs) => format!("Here {claim} does harm{everywhere}"),
        () if all(Ruling::TooFewRuns) => {
            format!("There are too few runs to say whether {claim} helps")
        }
        () => format!("Here it is undecided whether {claim} helps{everywhere}"),
    };
    format!("{verdict}: {numbers}.")
}

/// The effects of every condition over every reference, at every luminosity.
pub fn effects(samples: &Samples) -> Vec<Effect> {
    let family = |over: &'static str| {
        let names = samples.conditions.iter().map(|c| c.name());
        let others = names.filter(move |name| *name != over);
        let places = others.flat_map(|of| samples.epsilons.iter().map(move |e| (of, *e)));
        let effects = places.filter_map(|(of, epsilon)| Effect::new(samples, of, over, epsilon));
        let mut effects: Vec<Effect> = effects.collect();
        let p: Vec<f64> = effects.iter().map(|e| e.paired.test.p).collect();
        for (effect, corrected) in effects.iter_mut().zip(holm(&p)) {
            effect.holm = Some(corrected);
        }
        effects
    };
    REFERENCES.into_iter().flat_map(family).collect()
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
    let columns: [Column<Effect>; 18] = [
        ("condition", "condition", |e| words(e.of)),
        ("against", "", |e| words(e.over)),
        ("epsilon", "ε", |e| number(e.epsilon)),
        ("pairs", "pairs", |e| number(e.paired.n)),
        ("higher", "higher in", |e| number(e.paired.higher)),
        ("difference", "difference (points)", |e| {
            difference(e.paired.difference, 2)
        }),
        ("difference_low_95", "95 % from", |e| {
            difference(e.paired.interval.map(|i| i.0), 2)
        }),
        ("difference_high_95", "to", |e| {
            difference(e.paired.interval.map(|i| i.1), 2)
        }),
        ("w", "W", |e| fixed(e.paired.test.w, 1)),
        ("p", "p", |e| p(e.paired.test.p)),
        ("p_holm", "p (Holm)", |e| p(e.holm)),
        ("relative_percent", "of accuracy (%)", |e| {
            difference(e.shares().0, 1)
        }),
        ("percent_of_remaining_error", "of the error (%)", |e| {
            difference(e.shares().1, 0)
        }),
        ("median", "", |e| fixed(e.medians.0, 2)),
        ("median_against", "", |e| fixed(e.medians.1, 2)),
        ("cliffs_delta", "Cliff's δ", |e| {
            difference(e.unpaired.cliffs_delta, 2)
        }),
        ("u", "", |e| fixed(e.unpaired.u, 1)),
        ("p_unpaired", "p (unpaired)", |e| p(e.unpaired.p)),
    ];
    Table::new(&columns, effects)
}
