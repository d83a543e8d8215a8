//! Descriptive statistics of the samples of every condition and luminosity.

use super::effect::interval;
use super::sample::{Cell as Place, Samples, percents};
use super::table::{Cell, Table, fixed, number, words};
use super::text;
use crate::stats::{mean, quartiles, sample_sd};

/// The table of the samples at the main λ, for programs and for readers.
pub fn table(samples: &Samples) -> Table {
    let mut table = Table::new(&[
        ("condition", "condition"),
        ("epsilon", "ε"),
        ("n", "n"),
        ("missing", "missing"),
        ("diverged", "diverged"),
        ("median", "median (%)"),
        ("median_low_95", "95 % from"),
        ("median_high_95", "to"),
        ("lower_quartile", "quartiles"),
        ("upper_quartile", ""),
        ("mean", "mean (%)"),
        ("sd", "± sd"),
    ]);
    let main = samples.cells.iter().filter(|c| c.lambda == samples.lambda);
    table.rows = main.map(row).collect();
    table
}

fn row(place: &Place) -> Vec<Cell> {
    let percents = percents(&place.units);
    let quartiles = quartiles(&percents);
    let (low, high) = interval(&percents).unzip();
    vec![
        words(&place.condition),
        number(place.epsilon),
        number(place.units.len()),
        number(place.expected - place.finished),
        number(place.units.iter().map(|unit| unit.diverged).sum::<usize>()),
        fixed(quartiles.map(|q| q.median), 2),
        fixed(low, 2),
        fixed(high, 2),
        fixed(quartiles.map(|q| q.lower), 2),
        fixed(quartiles.map(|q| q.upper), 2),
        fixed(mean(&percents), 2),
        fixed(sample_sd(&percents), 2),
    ]
}

/// The mean accuracies ± standard deviations for a terminal, one line for each condition.
pub fn lines(samples: &Samples) -> Vec<String> {
    let names = samples.conditions.iter().map(ToString::to_string);
    let names: Vec<String> = names.collect();
    let widest = names.iter().map(|name| name.chars().count()).max();
    let width = widest.unwrap_or(0).max("mean ± sd (%)".len());
    let line = |name: &str, cells: Vec<String>| {
        let cells = cells.iter().map(|cell| format!("{cell:>16}"));
        format!("{name:<width$}{}", cells.collect::<String>())
    };
    let heads = samples.epsilons.iter().map(|e| text::epsilon(*e));
    let head = line("mean ± sd (%)", heads.collect());
    let row = |name: &String| {
        let cells = samples.epsilons.iter().map(|epsilon| {
            let percents = percents(samples.of(name, *epsilon));
            match sample_sd(&percents) {
                Some(sd) => format!("{} ± {sd:.2}", text::fixed(mean(&percents), 2)),
                None => text::fixed(mean(&percents), 2),
            }
        });
        line(name, cells.collect())
    };
    std::iter::once(head).chain(names.iter().map(row)).collect()
}
