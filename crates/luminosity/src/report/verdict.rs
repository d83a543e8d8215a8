//! The results compared with the claims.

use std::collections::BTreeMap;

use super::claim::{ALIKE_POINTS, CLAIMS, Claim, FEWEST_TO_DESCRIBE, Pair, Rule, Where};
use super::effect::{ALPHA, Effect, Paired};
use super::sample::{Samples, Unit};
use super::table::{Column, Table, words};
use super::text::{self, fixed};
use crate::stats::quartiles;

/// The result of the comparison with a claim; ordered from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ruling {
    Agrees,
    /// The results neither confirm nor contradict the claim.
    Undecided,
    TooFewRuns,
    Differs,
    NotRun,
}

/// A claim and the results here.
#[derive(Debug, Clone)]
pub struct Verdict {
    pub claim: Claim,
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

    pub fn words(self) -> &'static str {
        match self {
            Self::Agrees => "agrees",
            Self::Undecided => "undecided",
            Self::TooFewRuns => "too few runs",
            Self::Differs => "differs",
            Self::NotRun => "not run",
        }
    }

    /// The ruling on the claim that a difference is above 0: its interval and its test have to exclude 0.
    pub fn above(paired: &Paired) -> Self {
        match paired.interval {
            None => Self::TooFewRuns,
            Some((low, _)) if low > 0.0 && paired.test.p < ALPHA => Self::Agrees,
            Some((_, high)) if high < 0.0 && paired.test.p < ALPHA => Self::Differs,
            Some(_) => Self::Undecided,
        }
    }

    /// The ruling on the claim that a difference is negligible.
    fn alike(paired: &Paired) -> Self {
        let within = |(low, high)| -ALIKE_POINTS <= low && high <= ALIKE_POINTS;
        if paired.interval.is_some_and(within) {
            return Self::Agrees;
        }
        match Self::above(paired) {
            Self::Agrees => Self::Differs,
            other => other,
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
    let epsilons = |place: Where| place.among(&samples.epsilons).iter().copied();
    let each = |pairs: &[Pair], place: Where, ruling: fn(&Paired) -> Ruling| -> Vec<Part> {
        let places = pairs
            .iter()
            .flat_map(|pair| epsilons(place).map(move |e| (*pair, e)));
        let part = |((a, b), epsilon)| {
            let place = format!("{a} against {b} at {}", text::epsilon(epsilon));
            match Effect::new(samples, a, b, epsilon).map(|effect| effect.paired) {
                Some(paired) => (ruling(&paired), format!("{place}: {}", paired.numbers())),
                None => (Ruling::NotRun, format!("{place}: not run")),
            }
        };
        places.map(part).collect()
    };
    match rule {
        Rule::Above(pairs, place) => each(pairs, place, Ruling::above),
        Rule::Alike(pairs, place) => each(pairs, place, Ruling::alike),
        Rule::Widens(pair) => widens(samples, pair).into_iter().collect(),
        Rule::Aligned(condition, ranges) => epsilons(Where::Largest)
            .flat_map(|epsilon| aligned(samples.of(condition, epsilon), ranges))
            .collect(),
    }
}

fn widens(samples: &Samples, (a, b): Pair) -> Option<Part> {
    let (first, last) = (*samples.epsilons.first()?, *samples.epsilons.last()?);
    if first == last {
        return None;
    }
    let differences = |epsilon| -> BTreeMap<u64, f64> {
        let pairs = samples.pairs(a, b, epsilon).into_iter();
        pairs.map(|(a, b)| (a.id, a.percent - b.percent)).collect()
    };
    let [early, late] = [first, last].map(differences);
    let growth = late
        .iter()
        .filter_map(|(id, late)| Some(late - early.get(id)?));
    let growth = Paired::new(growth)?;
    let at = |differences: &BTreeMap<u64, f64>, epsilon| {
        let points = Paired::new(differences.values().copied())?.points(2);
        Some(format!("{points} at {}", text::epsilon(epsilon)))
    };
    let (early, late) = (at(&early, first)?, at(&late, last)?);
    let numbers = format!("{early}, {late}, in pairs {}", growth.numbers());
    Some((Ruling::above(&growth), numbers))
}

fn aligned(units: &[Unit], ranges: [(f64, f64); 2]) -> Vec<Part> {
    let part = |name, values: Vec<f64>, (low, high)| {
        let Some(found) = quartiles(&values) else {
            return (Ruling::NotRun, format!("{name}: not run"));
        };
        // Rounded to two digits, like the published ranges.
        let [lower, _, upper] = found.map(|q| (100.0 * q).round() / 100.0);
        let ruling = match () {
            () if values.len() < FEWEST_TO_DESCRIBE => Ruling::TooFewRuns,
            () if low <= lower && upper <= high => Ruling::Agrees,
            () if upper < low || high < lower => Ruling::Differs,
            () => Ruling::Undecided,
        };
        let [lower, middle, upper] = found.map(|q| fixed(Some(q), 3));
        let n = values.len();
        let numbers = format!("{name} {middle}, quartiles {lower} and {upper} (n = {n})");
        (ruling, numbers)
    };
    let outputs = units.iter().filter_map(|unit| unit.output).collect();
    let gradients = units.iter().filter_map(|unit| unit.gradient).collect();
    vec![
        part("outputs", outputs, ranges[0]),
        part("gradients", gradients, ranges[1]),
    ]
}

/// The verdicts as a table.
pub fn table(verdicts: &[Verdict]) -> Table {
    let columns: [Column<Verdict>; 6] = [
        ("claim", "claim", |v| words(v.claim.text)),
        ("published", "published", |v| words(v.claim.published)),
        ("ours", "ours", |v| words(&v.ours.join("; "))),
        ("verdict", "verdict", |v| words(v.ruling.words())),
        ("decided by", "decided by", |v| words(&v.claim.rule.words())),
        ("where", "where", |v| words(v.claim.figure)),
    ];
    Table::new(&columns, verdicts.iter())
}
