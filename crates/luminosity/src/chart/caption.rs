//! Sentences under a chart: the number of values, and the values that are not shown.

use super::layout::{Chart, letter};
use super::sample::Sample;

/// The most places that are named individually.
const NAMED: usize = 6;

/// The counts of one sample of a panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Count {
    /// The name of the sample within its panel.
    pub place: String,
    pub n: usize,
    /// The number of values outside the axes.
    pub off: usize,
    /// The number of runs of a learning curve that diverged.
    pub diverged: usize,
}

impl Count {
    /// Counts `sample`; `off` tells whether a value is outside the axes.
    pub fn of(place: impl Into<String>, sample: &Sample, off: impl Fn(f64) -> bool) -> Self {
        Self {
            place: place.into(),
            n: sample.n(),
            off: sample.sorted.iter().filter(|v| off(**v)).count(),
            diverged: 0,
        }
    }
}

/// The reason for values outside an axis that starts above them.
pub const BELOW: &str = "Triangles: values below the axis";
/// The reason for the ends of learning curves.
const DIVERGED: &str = "Diverged runs, each drawn to its end";

impl Chart {
    /// The chart with a caption: the sentence `marks`; the sentence "One `mark` per `unit`, n = … per `each`."; and
    /// the places and numbers of values that are `off` the axes and of diverged runs.
    pub fn captioned(self, marks: &str, (mark, unit, each): (&str, &str, &str), off: &str) -> Self {
        let counts = self.panels.iter().enumerate().flat_map(|(i, panel)| {
            let letter = match letter(i, self.panels.len()) {
                none if none.is_empty() => none,
                letter => letter + ", ",
            };
            let counts = panel.counts.iter();
            counts.map(move |count| (format!("{letter}{}", count.place), count))
        });
        let counts: Vec<(String, &Count)> = counts.collect();
        let n = sizes(counts.iter().map(|(_, count)| count.n));
        let per = match counts.len() {
            0 | 1 => String::new(),
            _ => format!(" per {each}"),
        };
        let sentences = [
            marks.to_owned(),
            format!("One {mark} per {unit}, {n}{per}."),
            omitted(off, &counts, |count| count.off),
            omitted(DIVERGED, &counts, |count| count.diverged),
        ];
        let sentences = sentences.into_iter().filter(|s| !s.is_empty());
        Self {
            caption: sentences.collect::<Vec<_>>().join(" "),
            ..self
        }
    }
}

/// The sizes of samples: `n = 5`, or `n = 4 to 5` if they differ.
pub fn sizes(n: impl Iterator<Item = usize> + Clone) -> String {
    match (n.clone().min().unwrap_or(0), n.max().unwrap_or(0)) {
        (least, most) if least == most => format!("n = {most}"),
        (least, most) => format!("n = {least} to {most}"),
    }
}

/// The places and numbers of values that are omitted because of `why`; empty if there are none.
fn omitted(why: &str, counts: &[(String, &Count)], number: impl Fn(&Count) -> usize) -> String {
    let counts = counts.iter().map(|(place, count)| (place, number(count)));
    let counts: Vec<_> = counts.filter(|(_, number)| *number > 0).collect();
    match counts.len() {
        0 => String::new(),
        1..=NAMED => {
            let places = counts.iter().map(|(place, n)| format!("{place}: {n}"));
            format!("{why} ({}).", places.collect::<Vec<_>>().join("; "))
        }
        many => {
            let total: usize = counts.iter().map(|(_, number)| number).sum();
            format!("{why} ({total} in {many} places).")
        }
    }
}
