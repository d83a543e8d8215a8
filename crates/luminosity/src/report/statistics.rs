//! Descriptive statistics of the samples of every condition and luminosity.

use super::effect::interval;
use super::sample::{Cell, Samples, diverged, percents};
use super::table::{Column, Table, fixed, number, words};
use super::text;
use crate::stats::{mean, quartiles, sample_sd};

/// The accuracies of a cell, in percent, with their quartiles and the interval of their median.
struct Row<'a> {
    cell: &'a Cell,
    percents: Vec<f64>,
    quartiles: [Option<f64>; 3],
    interval: [Option<f64>; 2],
}

/// The table of the samples at the main λ, for programs and for readers.
pub fn table(samples: &Samples) -> Table {
    let main = samples.cells.iter().filter(|c| c.lambda == samples.lambda);
    let rows = main.map(|cell| {
        let percents = percents(&cell.units);
        Row {
            cell,
            quartiles: quartiles(&percents).map_or([None; 3], |q| q.map(Some)),
            interval: interval(&percents).map_or([None; 2], |(low, high)| [Some(low), Some(high)]),
            percents,
        }
    });
    let columns: [Column<Row>; 12] = [
        ("condition", "condition", |r| words(r.cell.condition.name())),
        ("epsilon", "ε", |r| number(r.cell.epsilon)),
        ("n", "n", |r| number(r.percents.len())),
        ("missing", "missing", |r| number(r.cell.missing())),
        ("diverged", "diverged", |r| number(diverged(&r.cell.units))),
        ("median", "median (%)", |r| fixed(r.quartiles[1], 2)),
        ("median_low_95", "95 % from", |r| fixed(r.interval[0], 2)),
        ("median_high_95", "to", |r| fixed(r.interval[1], 2)),
        ("lower_quartile", "quartiles from", |r| {
            fixed(r.quartiles[0], 2)
        }),
        ("upper_quartile", "to", |r| fixed(r.quartiles[2], 2)),
        ("mean", "mean (%)", |r| fixed(mean(&r.percents), 2)),
        ("sd", "± sd", |r| fixed(sample_sd(&r.percents), 2)),
    ];
    Table::new(&columns, rows)
}

/// The mean accuracies ± standard deviations for a terminal, one line for each condition; with a single ε
/// also the range of the accuracies, their number and the number of diverged runs.
pub fn lines(samples: &Samples) -> Vec<String> {
    let names: Vec<&str> = samples.conditions.iter().map(|c| c.name()).collect();
    let widest = names.iter().map(|name| name.chars().count()).max();
    let width = widest.unwrap_or(0).max("mean ± sd (%)".len());
    let single = samples.epsilons.len() == 1;
    // A range is wider than a mean; four means beside the longest name fit into 80 columns.
    let wide = if single { 16 } else { 14 };
    let line = |name: &str, cells: Vec<String>| {
        let cells = cells.iter().map(|cell| format!("{cell:>wide$}"));
        format!("{name:<width$}{}", cells.collect::<String>())
    };
    let mut heads: Vec<String> = samples.epsilons.iter().map(|e| text::epsilon(*e)).collect();
    if single {
        heads.extend(["range".to_owned(), format!("{}s", samples.unit)]);
    }
    let row = |name: &&str| {
        let (mut cells, mut note) = (Vec::new(), String::new());
        for epsilon in &samples.epsilons {
            let units = samples.of(name, *epsilon);
            let percents = percents(units);
            let deviation = sample_sd(&percents).map(|sd| format!(" ± {sd:.2}"));
            cells.push(text::fixed(mean(&percents), 2) + &deviation.unwrap_or_default());
            if single && !percents.is_empty() {
                let lowest = percents.iter().copied().fold(f64::INFINITY, f64::min);
                let highest = percents.iter().copied().fold(0.0, f64::max);
                cells.push(format!("{lowest:.2} to {highest:.2}"));
                cells.push(percents.len().to_string());
                if diverged(units) > 0 {
                    note = format!("  ({} diverged)", diverged(units));
                }
            }
        }
        line(name, cells) + &note
    };
    let head = line("mean ± sd (%)", heads);
    std::iter::once(head).chain(names.iter().map(row)).collect()
}
