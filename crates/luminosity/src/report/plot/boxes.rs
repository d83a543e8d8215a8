//! Box plots of accuracies. Runs at or below chance are left out of the boxes, not of the tests.

use super::{Drawn, above_chance, colour, floor, present};
use crate::Condition;
use crate::figure::{BoxPanel, BoxPlots, BoxSeries, Colour, box_plots};
use crate::report::sample::{Samples, Setting};
use crate::report::statistics::{REFERENCES, Row};
use crate::report::table::Table;
use crate::report::text::{self, exact, stars};
use crate::report::verdict::best as best_settings;
use crate::stats::{mann_whitney_u, median};

const COLUMNS: [&str; 5] = ["condition", "epsilon", "lambda", "setting", "accuracy"];

/// Accuracies by ε, against the median of E-only LayerNorm.
pub fn by_epsilon(samples: &Samples, rows: &[Row], conditions: &[Condition]) -> Drawn {
    let [reference, ..] = REFERENCES;
    let mut table = Table::new(&COLUMNS);
    let mut series = Vec::new();
    for condition in present(samples, conditions) {
        let cells = samples.epsilons.iter().map(|epsilon| {
            let settings = samples.of(condition, *epsilon);
            list(&mut table, condition, *epsilon, samples.lambda, settings);
            drawn(settings)
        });
        let values: Vec<Vec<f64>> = cells.collect();
        let marks = samples
            .epsilons
            .iter()
            .zip(&values)
            .map(|(epsilon, values)| {
                let own = |row: &&Row| row.condition == condition && row.epsilon == *epsilon;
                let versus = rows.iter().find(own).and_then(|row| row.against[0]);
                match values.is_empty() {
                    true => String::new(),
                    false => stars(versus.and_then(|v| v.p)).to_owned(),
                }
            });
        let marks = marks.collect();
        series.push(BoxSeries {
            label: condition.to_string(),
            colour: colour(condition),
            values,
            marks,
        });
    }
    let references = samples.epsilons.iter().map(|epsilon| {
        let settings = samples.of(reference, *epsilon);
        list(&mut table, reference, *epsilon, samples.lambda, settings);
        let percents: Vec<f64> = settings.iter().map(|s| s.percent).collect();
        median(&percents).unwrap_or(f64::NAN)
    });
    let panel = BoxPanel {
        heading: String::new(),
        groups: samples.epsilons.iter().map(|e| text::epsilon(*e)).collect(),
        references: references.collect(),
        series,
    };
    Ok((draw(panel, "", &format!("median of {reference}"))?, table))
}

/// Accuracies by λ, a series for each ε.
pub fn by_lambda(samples: &Samples, condition: Condition) -> Drawn {
    let lambdas = samples.lambdas(condition);
    let mut table = Table::new(&COLUMNS);
    let mut series = Vec::new();
    let count = samples.epsilons.len();
    // With one λ there is nothing to compare.
    let epsilons = samples.epsilons.iter().enumerate();
    for (index, epsilon) in epsilons.filter(|_| lambdas.len() > 1) {
        let cells = lambdas.iter().map(|lambda| {
            let settings = samples.at(condition, *epsilon, *lambda);
            list(&mut table, condition, *epsilon, *lambda, settings);
            drawn(settings)
        });
        series.push(BoxSeries {
            label: text::epsilon(*epsilon),
            colour: Colour::Level { index, count },
            values: cells.collect(),
            marks: Vec::new(),
        });
    }
    let panel = BoxPanel {
        groups: lambdas.iter().map(f64::to_string).collect(),
        series,
        ..BoxPanel::default()
    };
    Ok((draw(panel, "weight λ of the local loss", "")?, table))
}

/// The best settings of each ε, pooled; the first condition is tested against the others.
pub fn best(samples: &Samples, conditions: &[Condition]) -> Drawn {
    let mut table = Table::new(&["condition", "rank", "accuracy"]);
    let first: Vec<f64> = conditions
        .first()
        .map_or_else(Vec::new, |c| best_settings(samples, *c));
    let mut series = Vec::new();
    for condition in present(samples, conditions) {
        let mut values = best_settings(samples, condition);
        values.sort_by(|a, b| b.total_cmp(a));
        let ranked = values.iter().enumerate();
        table.rows.extend(
            ranked.map(|(i, v)| vec![condition.to_string(), (i + 1).to_string(), exact(Some(*v))]),
        );
        let test = match conditions.first() == Some(&condition) {
            true => None,
            false => mann_whitney_u(&values, &first),
        };
        values.retain(|v| above_chance(*v));
        series.push(BoxSeries {
            label: condition.to_string(),
            colour: colour(condition),
            values: vec![values],
            marks: vec![stars(test.map(|t| t.p)).to_owned()],
        });
    }
    let panel = BoxPanel {
        groups: vec!["best settings of each ε, pooled".to_owned()],
        series,
        ..BoxPanel::default()
    };
    Ok((draw(panel, "", "")?, table))
}

fn draw(
    panel: BoxPanel,
    x_label: &str,
    reference: &str,
) -> Result<crate::figure::Figure, crate::figure::FigureError> {
    let values = panel.series.iter().flat_map(|s| s.values.iter().flatten());
    let floor = floor(values.copied());
    box_plots(&BoxPlots {
        title: String::new(),
        x_label: x_label.to_owned(),
        y_label: "test accuracy (%)".to_owned(),
        sample: "setting".to_owned(),
        floor,
        points: true,
        reference: reference.to_owned(),
        panels: vec![panel],
    })
}

fn drawn(settings: &[Setting]) -> Vec<f64> {
    let percents = settings.iter().map(|s| s.percent);
    percents.filter(|p| above_chance(*p)).collect()
}

fn list(table: &mut Table, condition: Condition, epsilon: f64, lambda: f64, settings: &[Setting]) {
    table.rows.extend(settings.iter().map(|s| {
        vec![
            condition.to_string(),
            epsilon.to_string(),
            lambda.to_string(),
            s.setting.to_string(),
            exact(Some(s.percent)),
        ]
    }));
}
