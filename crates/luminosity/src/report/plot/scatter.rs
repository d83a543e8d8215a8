//! Scatter plots of accuracies: a point for each common unit of two conditions, coloured by ε.

use crate::chart::{
    Across, BELOW, Chart, Count, GUIDE, Grid, Legend, Look, Mark, PERCENT, Panel, Sample, Scale,
    Swatch, caption, floored,
};
use crate::report::claim::Pair;
use crate::report::effect::Effect;
use crate::report::sample::Samples;
use crate::report::text::{self, p_equals};

/// The widest plot area.
const WIDEST: f64 = 250.0;

/// A panel for each pair (y, x) with common units, with equal axes and the diagonal.
pub fn scatter(samples: &Samples, pairs: &[Pair]) -> Chart {
    let epsilons = &samples.epsilons;
    let look = |level| Look::level(level, epsilons.len());
    let panels = pairs.iter().map(|&(y, x)| {
        let level = |epsilon: &f64| -> Vec<(f64, f64)> {
            let pairs = samples.pairs(y, x, *epsilon).into_iter();
            pairs.map(|(y, x)| (x.percent, y.percent)).collect()
        };
        (y, x, epsilons.iter().map(level).collect())
    });
    let some = |(_, _, levels): &(_, _, Vec<Vec<_>>)| levels.iter().any(|l| !l.is_empty());
    let panels: Vec<_> = panels.filter(some).collect();
    let all = || panels.iter().flat_map(|(_, _, levels)| values(levels));
    let bounds = floored(PERCENT, all(), all());
    let grid = Grid::squares(panels.len(), WIDEST);
    let panels = panels.iter().map(|&(y, x, ref levels)| {
        let scale = Scale::spanning(values(levels), bounds, 0.0, grid.width / 32.0);
        let counts = epsilons.iter().zip(levels).map(|(epsilon, points)| {
            let lower = Sample::new(points.iter().map(|(x, y)| x.min(*y)));
            Count::of(text::epsilon(*epsilon), &lower, |v| v < scale.min)
        });
        let diagonal = [scale.min, scale.max].map(|v| (v, v)).to_vec();
        let mut marks = vec![Mark::Line(diagonal, GUIDE, 1.0)];
        // Levels alternate, so that no level covers all others.
        for i in 0..levels.iter().map(Vec::len).max().unwrap_or(0) {
            let level = |(level, points): (_, &Vec<_>)| Some((*points.get(i)?, look(level)));
            let points = levels.iter().enumerate().filter_map(level);
            marks.extend(points.map(|(point, look)| Mark::Point(point, look)));
        }
        let axis = |name| format!("{name} test accuracy (%)");
        Panel {
            keys: note(samples, y, x).into_iter().map(|n| (None, n)).collect(),
            x_label: axis(x),
            marks,
            counts: counts.collect(),
            ..Panel::new(Across::Numbers(scale), scale, axis(y))
        }
    });
    let panels: Vec<Panel> = panels.collect();
    let each = match panels.len() {
        1 => "colour",
        _ => "colour and panel",
    };
    let levels = epsilons.iter().enumerate();
    let levels = levels.map(|(level, epsilon)| (text::epsilon(*epsilon), look(level)));
    Chart {
        title: String::new(),
        grid,
        legend: Legend::of(Swatch::Point, levels),
        caption: caption(
            "Dashed: equal accuracy.",
            ("point", samples.unit, each),
            &panels,
            BELOW,
        ),
        panels,
    }
}

/// The accuracies of both conditions.
fn values(levels: &[Vec<(f64, f64)>]) -> impl Iterator<Item = f64> {
    levels.iter().flatten().flat_map(|&(x, y)| [x, y])
}

/// The paired difference at the largest ε and its test.
fn note(samples: &Samples, y: &'static str, x: &'static str) -> Option<String> {
    let epsilon = *samples.epsilons.last()?;
    let effect = Effect::new(samples, y, x, epsilon)?;
    let (points, p) = (
        effect.paired.points(1),
        p_equals(Some(effect.paired.test.p)),
    );
    Some(format!("{}: {points}, {p}", text::epsilon(epsilon)))
}
