//! Sentences under a figure: how many values there are, and which are not shown.

use super::sample::Sample;

/// Most places named one by one.
const NAMED: usize = 6;

/// One sample of a figure, counted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Count {
    /// Where it is drawn.
    pub place: String,
    /// Number of values.
    pub n: usize,
    /// Number of missing values, which `n` leaves out.
    pub missing: usize,
    /// Number of values that the axes do not reach.
    pub off: usize,
}

impl Count {
    /// Counts `sample`, and those of its values that are `off` the axes.
    pub fn of(place: String, sample: &Sample, off: impl Fn(f64) -> bool) -> Self {
        Self {
            place,
            n: sample.n(),
            missing: sample.missing,
            off: sample.sorted.iter().filter(|v| off(**v)).count(),
        }
    }
}

/// Why values are off the axis, or missing.
pub(super) type Reasons = [&'static str; 2];

/// A value that is not finite is missing.
pub(super) const MISSING: &str = "Missing or not finite";

/// The axis starts above some values.
pub(super) const BELOW: Reasons = ["Triangles: values below the axis", MISSING];

/// What the `marks` are, and the `counts` of them: one `mark` per `what`, a sample in `each`
/// place, and why some are not there.
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

/// How many marks there are: one `mark` per `what`, `counts` of them in each `place`.
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

/// Where and how many values are left out because of `why`; nothing if none are.
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

/// Names of a place, from the outermost in, without those left empty.
pub(super) fn place(names: &[&str]) -> String {
    join(names, ", ")
}

fn join(texts: &[&str], by: &str) -> String {
    let texts: Vec<&str> = texts.iter().copied().filter(|t| !t.is_empty()).collect();
    texts.join(by)
}
