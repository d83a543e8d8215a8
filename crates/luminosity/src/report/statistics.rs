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

/// The columns of a terminal.
pub const TERMINAL: usize = 80;

/// A row for a terminal: its name, its cells, and a note after them.
type Line = (String, Vec<String>, String);

/// The mean accuracies ± standard deviations for a terminal, one line for each condition; with a single ε
/// also the range of the accuracies, their number and the number of diverged runs.
pub fn lines(samples: &Samples) -> Vec<String> {
    let single = samples.epsilons.len() == 1;
    let mut heads: Vec<String> = samples.epsilons.iter().map(|e| text::epsilon(*e)).collect();
    if single {
        heads.extend(["range".to_owned(), format!("{}s", samples.unit)]);
    }
    let row = |name: &'static str| {
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
        cells.resize(heads.len(), String::new());
        (name.to_owned(), cells, note)
    };
    let rows: Vec<Line> = samples.conditions.iter().map(|c| row(c.name())).collect();
    let head = ("mean ± sd (%)".to_owned(), heads, String::new());
    fitted(&[vec![head], rows].concat(), if single { 16 } else { 14 })
}

/// The rows with columns of at least `least` characters where all fit, otherwise as narrow as their cells. Columns
/// for which a terminal is too narrow follow below the others; a name for which it is too narrow has its own line.
fn fitted(rows: &[Line], least: usize) -> Vec<String> {
    let length = |text: &str| text.chars().count();
    let widest =
        |texts: &mut dyn Iterator<Item = &String>| texts.map(|t| length(t)).max().unwrap_or(0);
    let columns = rows.first().map_or(0, |row| row.1.len());
    let cells = (0..columns).map(|i| 2 + widest(&mut rows.iter().map(|row| &row.1[i])));
    let mut widths: Vec<usize> = cells.collect();
    let note = widest(&mut rows.iter().map(|row| &row.2));
    let most = TERMINAL.saturating_sub(note + widths.iter().copied().max().unwrap_or(0));
    let name = widest(&mut rows.iter().map(|row| &row.0)).min(most);
    let room = TERMINAL.saturating_sub(note + name);
    let loose: Vec<usize> = widths.iter().map(|width| least.max(*width)).collect();
    if loose.iter().sum::<usize>() <= room {
        widths = loose;
    }
    let (mut lines, mut start) = (Vec::new(), 0);
    while start < columns {
        let fits = |end: &usize| widths[start..*end].iter().sum::<usize>() <= room;
        let end = (start + 1..=columns).rev().find(fits).unwrap_or(start + 1);
        if start > 0 {
            lines.push(String::new());
        }
        for (words, cells, note) in rows {
            let mut line = format!("{words:<name$}");
            if length(words) > name {
                lines.push(std::mem::replace(&mut line, " ".repeat(name)));
            }
            let cells = cells.iter().zip(&widths).take(end).skip(start);
            line.extend(cells.map(|(cell, width)| format!("{cell:>width$}")));
            lines.push(line + if end == columns { note } else { "" });
        }
        start = end;
    }
    lines
}
