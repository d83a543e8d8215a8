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

/// The mean accuracies ± standard deviations for a terminal, one line for each condition; with a single ε
/// also the range of the accuracies, their number and the number of diverged runs.
pub fn lines(samples: &Samples) -> Vec<String> {
    let names: Vec<&str> = samples.conditions.iter().map(|c| c.name()).collect();
    let widest = names.iter().map(|name| name.chars().count()).max();
    let width = widest.unwrap_or(0).max("mean ± sd (%)".len());
    let line = |name: &str, cells: Vec<String>| {
        let cells = cells.iter().map(|cell| format!("{cell:>16}"));
        format!("{name:<width$}{}", cells.collect::<String>())
    };
    let single = samples.epsilons.len() == 1;
    let mut heads: Vec<String> = samples.epsilons.iter().map(|e| text::epsilon(*e)).collect();
    if single {
        heads.extend(["range".to_owned(), format!("{}s", samples.unit)]);
    }
    let row = |name: &&str| {
        let (mut cells, mut note) = (Vec::new(), String::new());
        for epsilon in &samples.epsilons {
            let units = samples.of(name, *epsilon);
            let percents = percents(units);
            cells.push(match sample_sd(&percents) {
                Some(sd) => format!("{} ± {sd:.2}", text::fixed(mean(&percents), 2)),
                None => text::fixed(mean(&percents), 2),
            });
            if single && !percents.is_empty() {
                let lowest = percents.iter().copied().fold(f64::INFINITY, f64::min);
                let highest = percents.iter().copied().fold(0.0, f64::max);
                let diverged: usize = units.iter().map(|unit| unit.diverged).sum();
                cells.push(format!("{lowest:.2} to {highest:.2}"));
                cells.push(percents.len().to_string());
                if diverged > 0 {
                    note = format!("  ({diverged} diverged)");
                }
            }
        }
        line(name, cells) + &note
    };
    let head = line("mean ± sd (%)", heads);
    std::iter::once(head).chain(names.iter().map(row)).collect()
}
