//! Moments of the hidden pre-activations at the largest ε, by layer and condition.

use ei_norm::metric::Moments;

use super::{depth, heading, present};
use crate::chart::{Chart, Count, Grid, Mark, Panel, RULE, Sample, Scale, UNBOUNDED, describe};
use crate::report::sample::Samples;

/// Height of a plot area.
const HEIGHT: f64 = 150.0;
/// The ratio of the largest to the smallest variance above which the axis is logarithmic.
const DECADE: f64 = 10.0;

/// The label of a moment, its value after perfect normalization, and the moment.
type Side = (&'static str, f64, fn(&Moments) -> f64);

const SIDES: [Side; 2] = [
    ("mean of pre-activations", 0.0, |m| m.mean),
    ("variance of pre-activations", 1.0, |m| m.variance),
];

/// Means and variances side by side in a row for each layer.
pub fn moments(samples: &Samples, names: &[&str]) -> Chart {
    let mut panels = Vec::new();
    for layer in 0..depth(samples, names, |unit| unit.moments.len()) {
        for (label, target, side) in SIDES {
            let all = present(samples, names).into_iter().map(|(name, look)| {
                let moments = samples.at_largest(&name).iter();
                let moments = moments.filter_map(|unit| unit.moments.get(layer));
                (name, look, Sample::new(moments.map(side)))
            });
            let all: Vec<_> = all.collect();
            let y = scale(all.iter().flat_map(|(.., s)| &s.sorted).copied(), target);
            let shows = |v: f64| v > 0.0 || !y.log;
            let ends = [0.5, all.len() as f64 + 0.5];
            let mut marks = vec![Mark::Line(ends.map(|x| (x, target)).to_vec(), RULE, 1.0)];
            let mut counts = Vec::new();
            for ((name, look, sample), x) in all.iter().zip(1..) {
                counts.push(Count::of(name, sample, |v| !shows(v)));
                let shown = Sample::new(sample.sorted.iter().copied().filter(|v| shows(*v)));
                marks.push(Mark::Box(f64::from(x), 1.0, shown, *look));
            }
            let names = all.into_iter().map(|(name, ..)| (name, String::new()));
            panels.push(Panel {
                heading: heading(layer),
                marks,
                counts,
                ..Panel::of_names(names.collect(), y, label)
            });
        }
    }
    let marks = format!("{} Dashed: mean 0, variance 1.", describe(&panels).1);
    let size = ("value", samples.unit, "condition and panel");
    let off = "Not positive, so not on the logarithmic axis";
    let chart = Chart::new(Grid::new(2, HEIGHT), panels, Vec::new());
    chart.captioned(&marks, size, off)
}

/// The scale of `values` and their `target`; logarithmic if positive values span a decade.
fn scale(values: impl Iterator<Item = f64>, target: f64) -> Scale {
    let values: Vec<f64> = values.chain([target]).collect();
    let positive = || values.iter().copied().filter(|v| *v > 0.0);
    let least = positive().fold(f64::INFINITY, f64::min);
    let most = positive().fold(0.0, f64::max);
    match target > 0.0 && most / least >= DECADE {
        true => Scale::decades(positive()),
        false => Scale::spanning(values.into_iter(), UNBOUNDED, 0.0, 5.0),
    }
}
