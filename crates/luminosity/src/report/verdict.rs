//! Our numbers beside the claims.

use super::claim::{ALIKE_POINTS, ALPHA, CLAIMS, Claim, FEWEST, Rule, Where};
use super::sample::Samples;
use super::statistics::Versus;
use super::table::Table;
use super::text::{self, fixed, p_equals, signed};
use crate::Condition;
use crate::stats::{mann_whitney_u, median, paired_median_difference, wilcoxon_signed_rank};

/// How many of the best settings of each ε are pooled.
pub const BEST: usize = 10;

/// What our numbers say to a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ruling {
    /// They say the same.
    Agrees,
    /// There are not enough of them, or they are too scattered.
    TooFewRuns,
    /// They say otherwise.
    Differs,
}

/// A claim and our numbers.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The claim.
    pub claim: Claim,
    /// What our numbers say.
    pub ruling: Ruling,
    /// Our numbers.
    pub ours: String,
}

/// One part of a claim: what it says and its numbers.
type Part = (Ruling, String);

impl Ruling {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Agrees => "agrees",
            Self::TooFewRuns => "too few runs",
            Self::Differs => "differs",
        }
    }

    /// A part with too few settings decides nothing.
    fn with(self, n: usize) -> Self {
        if n < FEWEST { Self::TooFewRuns } else { self }
    }
}

/// The verdict on every claim.
pub fn verdicts(samples: &Samples) -> Vec<Verdict> {
    let verdict = |claim: &Claim| {
        let parts = decide(samples, claim.rule);
        let worst = parts.iter().map(|part| part.0).max();
        let ours: Vec<String> = parts.into_iter().map(|part| part.1).collect();
        Verdict {
            claim: *claim,
            ruling: worst.unwrap_or(Ruling::TooFewRuns),
            ours: match ours.is_empty() {
                true => "not run".to_owned(),
                false => ours.join("; "),
            },
        }
    };
    CLAIMS.iter().map(verdict).collect()
}

fn decide(samples: &Samples, rule: Rule) -> Vec<Part> {
    let at = |place: Where| place.among(&samples.epsilons).iter().copied();
    let accuracies = |condition, epsilon| percents(samples, condition, epsilon);
    match rule {
        Rule::Above(pairs, place) => {
            let places = pairs.iter().flat_map(|pair| at(place).map(|e| (*pair, e)));
            let part = |((a, b), e)| above(samples, a, b, e, at(place).count());
            places.map(part).collect()
        }
        Rule::Alike(a, b, place) => {
            let tests = at(place).count();
            at(place)
                .map(|e| {
                    let (a, b) = (accuracies(a, e), accuracies(b, e));
                    alike(&text::epsilon(e), &a, &b, tests, a.len().min(b.len()))
                })
                .collect()
        }
        Rule::BestAlike(a, b) => {
            let settings = |epsilon: &f64| {
                let [a, b] = [a, b].map(|c| samples.of(c, *epsilon).len());
                a.min(b)
            };
            let fewest = samples.epsilons.iter().map(settings).min();
            let (a, b) = (best(samples, a), best(samples, b));
            vec![alike("pooled", &a, &b, 1, fewest.unwrap_or(0))]
        }
        Rule::Widens(a, b) => widens(samples, a, b).into_iter().collect(),
        Rule::Aligned(condition, ranges) => at(Where::Largest)
            .flat_map(|e| aligned(samples, condition, ranges, e))
            .collect(),
    }
}

fn above(samples: &Samples, a: Condition, b: Condition, epsilon: f64, tests: usize) -> Part {
    let v = Versus::new(samples, a, b, epsilon);
    let ruling = direction(v.difference, v.paired_p, tests).with(v.pairs);
    let place = format!("{a} against {b} at {}", text::epsilon(epsilon));
    let numbers = match v.pairs {
        0 => format!("{place}: no settings that both have"),
        n => format!(
            "{place}: {} points ({}, n = {n})",
            signed(v.difference, 2),
            p_equals(v.paired_p),
        ),
    };
    (ruling, numbers)
}

/// Whether a difference is above 0, in one of several tests.
fn direction(difference: Option<f64>, p: Option<f64>, tests: usize) -> Ruling {
    match (difference, p) {
        (Some(d), Some(p)) if p < ALPHA && d > 0.0 => Ruling::Agrees,
        (Some(d), Some(p)) if p < ALPHA / tests as f64 && d < 0.0 => Ruling::Differs,
        _ => Ruling::TooFewRuns,
    }
}

/// Whether two samples are alike, in one of several tests; `n` is the number of settings of the
/// smaller.
fn alike(place: &str, a: &[f64], b: &[f64], tests: usize, n: usize) -> Part {
    let apart = median(a).zip(median(b)).map(|(a, b)| a - b);
    let p = mann_whitney_u(a, b).map(|t| t.p);
    let ruling = match (apart, p) {
        (_, Some(p)) if p < ALPHA / tests as f64 => Ruling::Differs,
        (Some(apart), Some(_)) if apart.abs() <= ALIKE_POINTS => Ruling::Agrees,
        _ => Ruling::TooFewRuns,
    };
    let numbers = match a.len().min(b.len()) {
        0 => format!("{place}: not run"),
        values => format!(
            "{place}: {} against {} % ({}, n = {values})",
            fixed(median(a), 1),
            fixed(median(b), 1),
            p_equals(p),
        ),
    };
    (ruling.with(n), numbers)
}

fn widens(samples: &Samples, a: Condition, b: Condition) -> Option<Part> {
    let (first, last) = (samples.epsilons.first()?, samples.epsilons.last()?);
    if first == last {
        return None;
    }
    let differences = |epsilon: f64| -> Vec<(usize, f64)> {
        let pairs = samples.pairs(a, b, epsilon).into_iter();
        pairs
            .map(|(a, b)| (a.setting, a.correct - b.correct))
            .collect()
    };
    let before = differences(*first);
    let both = differences(*last)
        .into_iter()
        .filter_map(|(setting, late)| {
            let early = before.iter().find(|(other, _)| *other == setting)?;
            Some((late, early.1))
        });
    let (late, early): (Vec<f64>, Vec<f64>) = both.unzip();
    let p = wilcoxon_signed_rank(&late, &early).map(|t| t.p);
    let points = |answers: Option<f64>| signed(answers.map(|d| samples.points(d)), 2);
    let numbers = format!(
        "{} points at {}, {} at {} ({}, n = {})",
        points(median(&early)),
        text::epsilon(*first),
        points(median(&late)),
        text::epsilon(*last),
        p_equals(p),
        late.len()
    );
    let growth = paired_median_difference(&late, &early);
    Some((direction(growth, p, 1).with(late.len()), numbers))
}

fn aligned(
    samples: &Samples,
    condition: Condition,
    ranges: [(f64, f64); 2],
    epsilon: f64,
) -> Vec<Part> {
    let settings = samples.of(condition, epsilon);
    let outputs: Vec<f64> = settings.iter().filter_map(|s| s.output).collect();
    let gradients: Vec<f64> = settings.iter().filter_map(|s| s.gradient).collect();
    let part = |((name, values), (low, high)): ((&str, Vec<f64>), (f64, f64))| {
        // As the published ranges are: to two digits.
        let middle = median(&values);
        let rounded = middle.map(|m| (100.0 * m).round() / 100.0);
        let ruling = match rounded {
            Some(m) if (low..=high).contains(&m) => Ruling::Agrees,
            Some(_) => Ruling::Differs,
            None => Ruling::TooFewRuns,
        };
        let numbers = format!("{name} {} (n = {})", fixed(middle, 3), values.len());
        (ruling.with(values.len()), numbers)
    };
    let named = [("outputs", outputs), ("gradients", gradients)];
    named.into_iter().zip(ranges).map(part).collect()
}

fn percents(samples: &Samples, condition: Condition, epsilon: f64) -> Vec<f64> {
    let settings = samples.of(condition, epsilon).iter();
    settings.map(|s| s.percent).collect()
}

/// The accuracies of the best settings of each ε, pooled.
pub fn best(samples: &Samples, condition: Condition) -> Vec<f64> {
    let per_epsilon = samples.epsilons.iter().flat_map(|epsilon| {
        let mut own = percents(samples, condition, *epsilon);
        own.sort_by(|a, b| b.total_cmp(a));
        own.into_iter().take(BEST)
    });
    per_epsilon.collect()
}

/// The verdicts as a table; the same for readers and for programs.
pub fn table(verdicts: &[Verdict]) -> Table {
    let mut table = Table::new(&[
        "claim",
        "published",
        "ours",
        "verdict",
        "decided by",
        "where",
    ]);
    let row = |v: &Verdict| {
        vec![
            v.claim.text.to_owned(),
            v.claim.published.to_owned(),
            v.ours.clone(),
            v.ruling.words().to_owned(),
            v.claim.rule.words(),
            v.claim.figure.to_owned(),
        ]
    };
    table.rows = verdicts.iter().map(row).collect();
    table
}
