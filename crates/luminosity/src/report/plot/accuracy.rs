//! Accuracy against accuracy, and accuracy against epochs.

use super::{Drawn, colour, floor, present};
use crate::Condition;
use crate::condition;
use crate::figure::{
    CurvePanel, CurveSeries, LearningCurves, Scatter, ScatterPanel, learning_curves,
    scatter as draw,
};
use crate::report::sample::Samples;
use crate::report::statistics::Versus;
use crate::report::table::Table;
use crate::report::text::{self, exact, p_equals};

/// Each pair (y, x) in a panel, where both have a setting.
pub fn scatter(samples: &Samples, pairs: &[(Condition, Condition)]) -> Drawn {
    let mut table = Table::new(&[
        "condition",
        "against",
        "epsilon",
        "setting",
        "accuracy",
        "accuracy_against",
    ]);
    let mut panels = Vec::new();
    for &(y, x) in pairs {
        let mut points = Vec::new();
        for &epsilon in &samples.epsilons {
            let pairs = samples.pairs(y, x, epsilon);
            for (a, b) in &pairs {
                let numbers = [epsilon.to_string(), a.setting.to_string()];
                let names = [y.to_string(), x.to_string()];
                let values = [a.percent, b.percent].map(|v| exact(Some(v)));
                let row = names.into_iter().chain(numbers).chain(values);
                table.rows.push(row.collect());
            }
            points.push(pairs.iter().map(|(a, b)| (b.percent, a.percent)).collect());
        }
        if points.iter().any(|level: &Vec<_>| !level.is_empty()) {
            panels.push(ScatterPanel {
                heading: String::new(),
                x_label: format!("{x} test accuracy (%)"),
                y_label: format!("{y} test accuracy (%)"),
                note: note(samples, y, x),
                points,
            });
        }
    }
    let values = panels.iter().flat_map(|p| p.points.iter().flatten());
    let floor = floor(values.flat_map(|(x, y)| [*x, *y]));
    let figure = draw(&Scatter {
        title: String::new(),
        levels: samples.epsilons.iter().map(|e| text::epsilon(*e)).collect(),
        sample: "setting".to_owned(),
        floor,
        panels,
    })?;
    Ok((figure, table))
}

/// The test of the paper where it has one: the best settings of two conditions with LayerNorm.
/// Otherwise that of the largest ε.
fn note(samples: &Samples, y: Condition, x: Condition) -> String {
    if (y, x) == (condition::LN_PLUS, condition::E_ONLY_LN_PLUS) {
        let [a, b] = [y, x].map(|c| crate::report::verdict::best(samples, c));
        let test = crate::stats::mann_whitney_u(&a, &b);
        return format!(
            "10 best per ε: Mann–Whitney {}",
            p_equals(test.map(|t| t.p))
        );
    }
    let Some(&epsilon) = samples.epsilons.last() else {
        return String::new();
    };
    let p = Versus::new(samples, y, x, epsilon).p;
    format!("{}: Mann–Whitney {}", text::epsilon(epsilon), p_equals(p))
}

/// Learning curves, a panel for each ε.
pub fn curves(samples: &Samples, conditions: &[Condition]) -> Drawn {
    let mut table = Table::new(&["condition", "epsilon", "setting", "epoch", "accuracy"]);
    let mut panels = Vec::new();
    for &epsilon in &samples.epsilons {
        let mut series = Vec::new();
        for condition in present(samples, conditions) {
            let settings = samples.of(condition, epsilon);
            for setting in settings {
                let epochs = setting.curve.iter().enumerate();
                table.rows.extend(epochs.map(|(i, accuracy)| {
                    vec![
                        condition.to_string(),
                        epsilon.to_string(),
                        setting.setting.to_string(),
                        (i + 1).to_string(),
                        exact(Some(*accuracy)),
                    ]
                }));
            }
            let runs: Vec<_> = settings.iter().map(|s| s.curve.clone()).collect();
            if runs.iter().any(|run| !run.is_empty()) {
                series.push(CurveSeries {
                    label: condition.to_string(),
                    colour: colour(condition),
                    runs,
                });
            }
        }
        if !series.is_empty() {
            panels.push(CurvePanel {
                heading: text::epsilon(epsilon),
                series,
            });
        }
    }
    let runs = panels.iter().flat_map(|p| &p.series).flat_map(|s| &s.runs);
    let floor = floor(runs.filter_map(|run| run.last().copied()));
    let figure = learning_curves(&LearningCurves {
        title: String::new(),
        sample: "setting".to_owned(),
        floor,
        panels,
    })?;
    Ok((figure, table))
}
