//! Scatter plots of accuracies: a point for each common unit of two conditions, coloured by ε.

use super::levels;
use crate::chart::{
    BELOW, Chart, Count, Entry, GUIDE, Grid, Mark, PERCENT, Panel, Sample, Scale, Swatch, floored,
};
use crate::report::claim::Pair;
use crate::report::effect::Effect;
use crate::report::sample::Samples;
use crate::report::text::{self, p_equals};

/// The widest plot area.
const WIDEST: f64 = 250.0;

/// A panel for each pair (y, x) with common units, with equal axes and the diagonal.
pub fn scatter(samples: &Samples, pairs: &[Pair]) -> Chart {
    let looks = levels(samples);
    let sets = pairs.iter().map(|&(y, x)| {
        let level = |epsilon: &f64| -> Vec<(f64, f64)> {
            let pairs = samples.pairs(y, x, *epsilon).into_iter();
            pairs.map(|(y, x)| (x.percent, y.percent)).collect()
        };
        (y, x, samples.epsilons.iter().map(level).collect())
    });
    let some = |(_, _, levels): &(_, _, Vec<Vec<_>>)| levels.iter().any(|l| !l.is_empty());
    let sets: Vec<_> = sets.filter(some).collect();
    let all = || sets.iter().flat_map(|(_, _, levels)| values(levels));
    let bounds = floored(PERCENT, all(), all());
    let grid = Grid::squares(sets.len(), WIDEST);
    let radius = (grid.width / 80.0).clamp(2.4, 3.0);
    let panels = sets.iter().map(|&(y, x, ref levels)| {
        let scale = Scale::spanning(values(levels), bounds, 0.0, grid.width / 32.0);
        let counts = looks.iter().zip(levels).map(|((epsilon, _), points)| {
            let lower = Sample::new(points.iter().map(|(x, y)| x.min(*y)));
            Count::of(epsilon, &lower, |v| v < scale.min)
        });
        let diagonal = [scale.min, scale.max].map(|v| (v, v)).to_vec();
        let mut marks = vec![Mark::Line(diagonal, GUIDE, 1.0)];
        // Levels alternate, so that no level covers all others.
        for i in 0..levels.iter().map(Vec::len).max().unwrap_or(0) {
            let points = looks.iter().zip(levels);
            marks.extend(points.filter_map(|((_, look), points)| {
                Some(Mark::Point(*points.get(i)?, radius, *look))
            }));
        }
        let axis = |name| format!("{name} test accuracy (%)");
        Panel {
            key: (None, note(samples, y, x).unwrap_or_default()),
            x_label: axis(x),
            marks,
            counts: counts.collect(),
            ..Panel::new(scale, scale, axis(y))
        }
    });
    let each = match sets.len() {
        1 => "colour",
        _ => "colour and panel",
    };
    let legend = Entry::all(Swatch::Point, looks.iter().cloned());
    let size = ("point", samples.unit, each);
    Chart::new(grid, panels, legend).captioned("Dashed: equal accuracy.", size, BELOW)
}

/// The accuracies of both conditions.
fn values(levels: &[Vec<(f64, f64)>]) -> impl Iterator<Item = f64> {
    levels.iter().flatten().flat_map(|&(x, y)| [x, y])
}

/// The paired difference at the largest ε and its test.
fn note(samples: &Samples, y: &'static str, x: &'static str) -> Option<String> {
    let epsilon = *samples.epsilons.last()?;
    let effect = Effect::new(samples, y, x, epsilon)?;
    let (points, p) = (effect.paired.points(1), p_equals(effect.paired.test.p));
    Some(format!("{}: {points}, {p}", text::epsilon(epsilon)))
}
