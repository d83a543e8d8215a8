//! Sentences under a figure: the number of values, and the values that are not shown.

use super::sample::Sample;

/// The most places that are named individually.
const NAMED: usize = 6;

/// The counts of one sample of a figure.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Count {
    /// Where the sample is drawn.
    pub place: String,
    /// The number of values.
    pub n: usize,
    /// The number of missing values, not included in `n`.
    pub missing: usize,
    /// The number of values outside the axes.
    pub off: usize,
}

impl Count {
    /// Counts `sample`; `off` tells whether a value is outside the axes.
    pub fn of(place: String, sample: &Sample, off: impl Fn(f64) -> bool) -> Self {
        Self {
            place,
            n: sample.n(),
            missing: sample.missing,
            off: sample.sorted.iter().filter(|v| off(**v)).count(),
        }
    }
}

/// The reasons for values outside the axis and for missing values.
pub(super) type Reasons = [&'static str; 2];

/// A value that is not finite is missing.
pub(super) const MISSING: &str = "Missing or not finite";

/// The axis starts above some values.
pub(super) const BELOW: Reasons = ["Triangles: values below the axis", MISSING];

/// Describes the `marks` and their `counts`: one `mark` for each `what`, a sample in `each` place, and the
/// reasons for omitted values.
pub(super) fn caption(
    marks: &str,
    size: (&str, &str, &str),
    counts: &[Count],
    [off, missing]: Reasons,
) -> String {
    let list = |why, number: fn(&Count) -> usize| {
        omitted(why, counts.iter().map(|c| (c.place.as_str(), number(c))))
    };
    let sentences = [
        marks.to_owned(),
        sizes(size, counts.iter().map(|c| c.n)),
        list(off, |c| c.off),
        list(missing, |c| c.missing),
    ];
    join(&sentences.each_ref().map(String::as_str), " ")
}

/// The number of marks: one `mark` for each `what`, `counts` of them in each `place`.
fn sizes((mark, what, place): (&str, &str, &str), counts: impl Iterator<Item = usize>) -> String {
    let counts: Vec<usize> = counts.collect();
    let least = counts.iter().copied().min().unwrap_or(0);
    let n = match counts.iter().copied().max().unwrap_or(0) {
        most if most == least => format!("n = {most}"),
        most => format!("n = {least} to {most}"),
    };
    let each = match counts.len() {
        0 | 1 => String::new(),
        _ => format!(" per {place}"),
    };
    match what {
        "" => format!("{n}{each}."),
        what => format!("One {mark} per {what}, {n}{each}."),
    }
}

/// The places and numbers of values that are omitted because of `why`; empty if there are none.
fn omitted<'a>(why: &str, places: impl Iterator<Item = (&'a str, usize)>) -> String {
    let places: Vec<_> = places.filter(|p| p.1 > 0).collect();
    match places.len() {
        0 => String::new(),
        1..=NAMED => {
            let names = places.iter().map(|(name, k)| match *name {
                "" => k.to_string(),
                name => format!("{name}: {k}"),
            });
            format!("{why} ({}).", names.collect::<Vec<_>>().join("; "))
        }
        many => {
            let total: usize = places.iter().map(|p| p.1).sum();
            format!("{why} ({total} in {many} places).")
        }
    }
}

/// The names of a place, from the outermost inwards, without empty names.
pub(super) fn place(names: &[&str]) -> String {
    join(names, ", ")
}

fn join(texts: &[&str], by: &str) -> String {
    let texts: Vec<&str> = texts.iter().copied().filter(|t| !t.is_empty()).collect();
    texts.join(by)
}
