//! Accuracy against accuracy, and accuracy against epochs.

use super::{colour, floor, present};
use crate::figure::{
    CurvePanel, CurveSeries, Figure, FigureError, LearningCurves, Scatter, ScatterPanel,
    learning_curves, scatter as draw,
};
use crate::report::effect::Effect;
use crate::report::sample::Samples;
use crate::report::text::{self, p_equals};

/// A panel for each pair (y, x), with a point for each common unit.
pub fn scatter(samples: &Samples, pairs: &[(&str, &str)]) -> Result<Figure, FigureError> {
    let panels = pairs.iter().map(|&(y, x)| {
        let level = |epsilon: &f64| {
            let pairs = samples.pairs(y, x, *epsilon).into_iter();
            pairs.map(|(a, b)| (b.percent, a.percent)).collect()
        };
        ScatterPanel {
            heading: String::new(),
            x_label: format!("{x} test accuracy (%)"),
            y_label: format!("{y} test accuracy (%)"),
            note: note(samples, y, x).unwrap_or_default(),
            points: samples.epsilons.iter().map(level).collect(),
        }
    });
    let some = |panel: &ScatterPanel| panel.points.iter().any(|level| !level.is_empty());
    let panels: Vec<ScatterPanel> = panels.filter(some).collect();
    let values = panels.iter().flat_map(|p| p.points.iter().flatten());
    draw(&Scatter {
        title: String::new(),
        levels: samples.epsilons.iter().map(|e| text::epsilon(*e)).collect(),
        sample: samples.unit.to_owned(),
        floor: floor(values.flat_map(|(x, y)| [*x, *y])),
        panels,
    })
}

/// The paired difference at the largest ε and its test.
fn note(samples: &Samples, y: &str, x: &str) -> Option<String> {
    let epsilon = *samples.epsilons.last()?;
    let effect = Effect::new(samples, y, x, epsilon)?;
    let points = text::signed(effect.paired.difference, 1);
    let p = p_equals(Some(effect.paired.test.p));
    Some(format!("{}: {points} points, {p}", text::epsilon(epsilon)))
}

/// Learning curves, with a panel for each ε.
pub fn curves(samples: &Samples, names: &[&str]) -> Result<Figure, FigureError> {
    let panels = samples.epsilons.iter().map(|epsilon| {
        let series = present(samples, names).map(|name| CurveSeries {
            label: name.to_owned(),
            colour: colour(samples, name),
            runs: samples
                .of(name, *epsilon)
                .iter()
                .map(|unit| unit.curve.clone())
                .collect(),
        });
        CurvePanel {
            heading: text::epsilon(*epsilon),
            series: series
                .filter(|s| s.runs.iter().any(|run| !run.is_empty()))
                .collect(),
        }
    });
    let panels: Vec<CurvePanel> = panels.filter(|panel| !panel.series.is_empty()).collect();
    let runs = panels.iter().flat_map(|p| &p.series).flat_map(|s| &s.runs);
    let floor = floor(runs.filter_map(|run| run.last().copied()));
    learning_curves(&LearningCurves {
        title: String::new(),
        sample: samples.unit.to_owned(),
        floor,
        panels,
    })
}
