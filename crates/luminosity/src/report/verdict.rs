//! The results compared with the claims.

use super::claim::{ALIKE_POINTS, CLAIMS, Claim, FEWEST_TO_DESCRIBE, Rule, Where};
use super::effect::{Effect, Paired};
use super::sample::{Samples, Unit};
use super::table::{Table, words};
use super::text::{self, fixed, signed};
use crate::stats::quartiles;

/// The result of the comparison with a claim; ordered from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ruling {
    /// The results agree with the claim.
    Agrees,
    /// The results neither confirm nor contradict the claim.
    Undecided,
    /// There are not enough results.
    TooFewRuns,
    /// The results contradict the claim.
    Differs,
    /// There are no results.
    NotRun,
}

/// A claim and the results here.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The claim.
    pub claim: Claim,
    /// The ruling.
    pub ruling: Ruling,
    /// The results, part by part.
    pub ours: Vec<String>,
}

/// One part of a claim: its ruling and its numbers.
type Part = (Ruling, String);

impl Ruling {
    /// All rulings, in the order in which they are counted.
    pub const ALL: [Self; 5] = [
        Self::Agrees,
        Self::Differs,
        Self::Undecided,
        Self::TooFewRuns,
        Self::NotRun,
    ];

    /// The ruling in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Agrees => "agrees",
            Self::Undecided => "undecided",
            Self::TooFewRuns => "too few runs",
            Self::Differs => "differs",
            Self::NotRun => "not run",
        }
    }

    /// The ruling on the claim that a difference is above 0.
    pub fn above(paired: &Paired) -> Self {
        match paired.sign() {
            None => Self::TooFewRuns,
            Some(sign) if sign > 0.0 => Self::Agrees,
            Some(sign) if sign < 0.0 => Self::Differs,
            Some(_) => Self::Undecided,
        }
    }

    /// The ruling on the claim that a difference is negligible.
    fn alike(paired: &Paired) -> Self {
        let within = |(low, high)| -ALIKE_POINTS <= low && high <= ALIKE_POINTS;
        match (paired.interval.map(within), paired.sign()) {
            (Some(true), _) => Self::Agrees,
            (_, None) => Self::TooFewRuns,
            (_, Some(0.0)) => Self::Undecided,
            _ => Self::Differs,
        }
    }

    /// The ruling on a claim of several parts: the worst of the parts that were run, at least too few runs if
    /// a part was not run, and not run if no part was run.
    fn of(parts: &[Part]) -> Self {
        let run = parts.iter().filter(|part| part.0 != Self::NotRun);
        let Some(worst) = run.clone().map(|part| part.0).max() else {
            return Self::NotRun;
        };
        match run.count() < parts.len() {
            true => worst.max(Self::TooFewRuns),
            false => worst,
        }
    }
}

/// The verdicts on all claims.
pub fn verdicts(samples: &Samples) -> Vec<Verdict> {
    let verdict = |claim: &Claim| {
        let parts = decide(samples, claim.rule);
        Verdict {
            claim: *claim,
            ruling: Ruling::of(&parts),
            ours: parts.into_iter().map(|part| part.1).collect(),
        }
    };
    CLAIMS.iter().map(verdict).collect()
}

fn decide(samples: &Samples, rule: Rule) -> Vec<Part> {
    let effect = |a: &str, b: &str, epsilon: f64, ruling: fn(&Paired) -> Ruling| {
        let place = format!("{a} against {b} at {}", text::epsilon(epsilon));
        match Effect::new(samples, a, b, epsilon) {
            Some(effect) => (
                ruling(&effect.paired),
                format!("{place}: {}", effect.paired.numbers()),
            ),
            None => (Ruling::NotRun, format!("{place}: not run")),
        }
    };
    let at = |place: Where| place.among(&samples.epsilons).iter();
    match rule {
        Rule::Above(pairs, place) => {
            let places = pairs
                .iter()
                .flat_map(|pair| at(place).map(move |e| (pair, e)));
            places
                .map(|((a, b), e)| effect(a, b, *e, Ruling::above))
                .collect()
        }
        Rule::Alike(a, b, place) => at(place).map(|e| effect(a, b, *e, Ruling::alike)).collect(),
        Rule::Widens(a, b) => widens(samples, a, b).into_iter().collect(),
        Rule::Aligned(condition, ranges) => match at(Where::Largest).next() {
            Some(epsilon) => aligned(samples.of(condition, *epsilon), ranges),
            None => Vec::new(),
        },
    }
}

fn widens(samples: &Samples, a: &str, b: &str) -> Option<Part> {
    let (first, last) = (*samples.epsilons.first()?, *samples.epsilons.last()?);
    if first == last {
        return None;
    }
    let early = samples.pairs(a, b, first);
    let growth = samples.pairs(a, b, last).into_iter().filter_map(|(a, b)| {
        let (before, other) = early.iter().find(|(unit, _)| unit.id == a.id)?;
        Some(a.percent - b.percent - (before.percent - other.percent))
    });
    let growth = Paired::new(growth)?;
    let at = |epsilon| {
        let effect = Effect::new(samples, a, b, epsilon)?;
        let points = signed(effect.paired.difference, 2);
        Some(format!("{points} points at {}", text::epsilon(epsilon)))
    };
    let numbers = format!(
        "{}, {}, in pairs {}",
        at(first)?,
        at(last)?,
        growth.numbers()
    );
    Some((Ruling::above(&growth), numbers))
}

fn aligned(units: &[Unit], ranges: [(f64, f64); 2]) -> Vec<Part> {
    let outputs: Vec<f64> = units.iter().filter_map(|s| s.output).collect();
    let gradients: Vec<f64> = units.iter().filter_map(|s| s.gradient).collect();
    let part = |((name, values), (low, high)): ((&str, Vec<f64>), (f64, f64))| {
        let Some(found) = quartiles(&values) else {
            return (Ruling::NotRun, format!("{name}: not run"));
        };
        // Rounded to two digits, like the published ranges.
        let [lower, upper] = [found.lower, found.upper].map(|q| (100.0 * q).round() / 100.0);
        let ruling = match () {
            () if values.len() < FEWEST_TO_DESCRIBE => Ruling::TooFewRuns,
            () if low <= lower && upper <= high => Ruling::Agrees,
            () if upper < low || high < lower => Ruling::Differs,
            () => Ruling::Undecided,
        };
        let [lower, middle, upper] =
            [found.lower, found.median, found.upper].map(|q| fixed(Some(q), 3));
        let numbers = format!(
            "{name} {middle}, quartiles {lower} and {upper} (n = {})",
            values.len()
        );
        (ruling, numbers)
    };
    let named = [("outputs", outputs), ("gradients", gradients)];
    named.into_iter().zip(ranges).map(part).collect()
}

/// The verdicts as a table.
pub fn table(verdicts: &[Verdict]) -> Table {
    let columns = [
        "claim",
        "published",
        "ours",
        "verdict",
        "decided by",
        "where",
    ];
    let mut table = Table::new(&columns.map(|c| (c, c)));
    let row = |v: &Verdict| {
        let (ours, rule) = (v.ours.join("; "), v.claim.rule.words());
        let claim = &v.claim;
        [
            claim.text,
            claim.published,
            &ours,
            v.ruling.words(),
            &rule,
            claim.figure,
        ]
        .map(words)
        .to_vec()
    };
    table.rows = verdicts.iter().map(row).collect();
    table
}
