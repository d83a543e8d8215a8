//! Box plots, with a box of each series in each group. Units at or below chance are left out of the boxes of
//! accuracies, but not of the tests.

use super::{depth, heading, levels, present};
use crate::chart::{
    At, BELOW, Chart, Count, Entry, Grid, Look, Mark, Panel, RULE, Sample, Scale, Swatch,
    UNBOUNDED, describe, floored,
};
use crate::report::effect::Effect;
use crate::report::sample::{Samples, percents};
use crate::report::text::{self, stars};
use crate::stats::{mann_whitney_u, median};

/// The condition whose median is the reference line; marks are for tests against it.
pub const REFERENCE: &str = "e-only-ln+";

/// The number of the best units of each ε that are pooled.
pub const BEST: usize = 10;

/// Height of the plot area.
const HEIGHT: f64 = 185.0;
/// The share of the width of a group that its boxes fill.
const FILLED: f64 = 0.86;

/// The labels and looks of the boxes of a group.
type Series = Vec<(String, Look)>;

/// A place on the x axis.
struct Group {
    name: String,
    /// The sample of each series, and a mark such as "***" above its box.
    boxes: Vec<(Sample, &'static str)>,
    /// The height of a line behind the boxes.
    reference: Option<f64>,
}

/// A chart, and the number of units that it leaves out.
pub type Partial = (Chart, usize);

/// Accuracies by ε, against the median of E-only LayerNorm.
pub fn by_epsilon(samples: &Samples, effects: &[Effect], names: &[&str]) -> Partial {
    let series = present(samples, names);
    let groups = samples.epsilons.iter().map(|&epsilon| {
        let boxes = series.iter().map(|(name, _)| {
            let key = (name.as_str(), REFERENCE, epsilon);
            let own = effects.iter().find(|e| (e.of, e.over, e.epsilon) == key);
            let p = own.map(|e| e.paired.test.p);
            (Sample::new(percents(samples.of(name, epsilon))), stars(p))
        });
        Group {
            name: text::epsilon(epsilon),
            boxes: boxes.collect(),
            reference: median(&percents(samples.of(REFERENCE, epsilon))),
        }
    });
    accuracies(samples, "", groups.collect(), series)
}

/// Accuracies by λ, with a series for each ε.
pub fn by_lambda(samples: &Samples, name: &str) -> Partial {
    let lambdas = samples.lambdas(name);
    // With a single λ there is nothing to compare.
    let groups = lambdas.iter().filter(|_| lambdas.len() > 1).map(|lambda| {
        let sample = |epsilon: &f64| Sample::new(percents(samples.at(name, *epsilon, *lambda)));
        Group {
            name: lambda.to_string(),
            boxes: samples.epsilons.iter().map(|e| (sample(e), "")).collect(),
            reference: None,
        }
    });
    let label = "weight λ of the local loss";
    accuracies(samples, label, groups.collect(), levels(samples))
}

/// The best units of each ε, pooled; the first condition is tested against the others.
pub fn best(samples: &Samples, names: &[&str]) -> Partial {
    let pooled = |name: &str| -> Vec<f64> {
        let per_epsilon = samples.epsilons.iter().flat_map(|epsilon| {
            let mut own = percents(samples.of(name, *epsilon));
            own.sort_by(|a, b| b.total_cmp(a));
            own.into_iter().take(BEST)
        });
        per_epsilon.collect()
    };
    let first = names.first().copied().unwrap_or_default();
    let series = present(samples, names);
    let boxes = series.iter().map(|(name, _)| {
        let values = pooled(name);
        let test = match name == first {
            true => None,
            false => mann_whitney_u(&values, &pooled(first)),
        };
        (Sample::new(values), stars(test.map(|t| t.p)))
    });
    let group = Group {
        name: format!("best {}s of each ε, pooled", samples.unit),
        boxes: boxes.collect(),
        reference: None,
    };
    accuracies(samples, "", vec![group], series)
}

/// The decimal logarithm of λ_max by layer and condition, at the largest ε.
pub fn lambda_max(samples: &Samples) -> Chart {
    let names: Vec<&str> = samples.conditions.iter().map(|c| c.name()).collect();
    let sample = |name: &str, layer| {
        let units = samples.at_largest(name).iter();
        let values = units.filter_map(|unit| unit.lambda_max.get(layer).copied().flatten());
        // A layer without errors has no logarithm of λ_max.
        Sample::new(values.filter(|v| *v > 0.0).map(f64::log10))
    };
    let layers = 0..depth(samples, &names, |unit| unit.lambda_max.len());
    let mut series = present(samples, &names);
    series.retain(|(name, _)| layers.clone().any(|layer| sample(name, layer).n() > 0));
    let groups = layers.map(|layer| {
        let boxes = series.iter().map(|(name, _)| (sample(name, layer), ""));
        Group {
            name: heading(layer),
            boxes: boxes.collect(),
            reference: None,
        }
    });
    let groups = groups.collect();
    chart(samples, ["", "log₁₀ λ_max"], groups, series, UNBOUNDED)
}

/// Boxes of accuracies without the units at or below chance, and the number of these units.
fn accuracies(samples: &Samples, x_label: &str, mut groups: Vec<Group>, series: Series) -> Partial {
    let mut left_out = 0;
    for (sample, mark) in groups.iter_mut().flat_map(|group| &mut group.boxes) {
        let all = sample.n();
        sample.sorted.retain(|percent| *percent > samples.chance);
        left_out += all - sample.n();
        // A mark is drawn above a box.
        if sample.n() == 0 {
            *mark = "";
        }
    }
    let bounds = floored(UNBOUNDED, values(&groups), values(&groups));
    let labels = [x_label, "test accuracy (%)"];
    (chart(samples, labels, groups, series, bounds), left_out)
}

/// The values of all boxes.
fn values(groups: &[Group]) -> impl Iterator<Item = f64> {
    let boxes = groups.iter().flat_map(|group| &group.boxes);
    boxes.flat_map(|(sample, _)| sample.sorted.iter().copied())
}

/// Boxes side by side in each group, their marks above, and the line at its reference.
fn chart(
    samples: &Samples,
    [x_label, y_label]: [&str; 2],
    groups: Vec<Group>,
    series: Series,
    bounds: (f64, f64),
) -> Chart {
    let references = || groups.iter().filter_map(|group| group.reference);
    let mut boxes = groups.iter().flat_map(|group| &group.boxes);
    let marked = boxes.any(|(_, mark)| !mark.is_empty());
    let heights = values(&groups).chain(references());
    let y = Scale::spanning(heights, bounds, if marked { 0.12 } else { 0.0 }, 6.0);
    let room = FILLED / series.len() as f64;
    let names = groups.iter().map(|g| (g.name.clone(), String::new()));
    let mut panel = Panel {
        x_label: x_label.to_owned(),
        ..Panel::of_names(names.collect(), y, y_label)
    };
    for (group, middle) in groups.iter().zip(1..) {
        let left = f64::from(middle) - FILLED / 2.0;
        for (s, ((_, look), (sample, mark))) in series.iter().zip(&group.boxes).enumerate() {
            let x = left + room * (s as f64 + 0.5);
            let mark = Mark::Text(x, (*mark).to_owned(), At::Top(room));
            let marks = [Mark::Box(x, room, sample.clone(), *look), mark];
            panel.marks.extend(marks);
        }
        let line = |y| Mark::Line(vec![(left, y), (left + FILLED, y)], RULE, 1.0);
        panel.marks.extend(group.reference.map(line));
    }
    for (s, (label, _)) in series.iter().enumerate() {
        panel.counts.extend(groups.iter().map(|group| {
            let place = format!("{label}, {}", group.name);
            Count::of(place, &group.boxes[s].0, |v| v < y.min)
        }));
    }
    let panels = vec![panel];
    let (swatch, described) = describe(&panels);
    let mut legend = Entry::all(swatch, series);
    if references().next().is_some() {
        let line = (format!("median of {REFERENCE}"), RULE);
        legend.extend(Entry::all(Swatch::Line, [line]));
    }
    let chart = Chart::new(Grid::new(1, HEIGHT), panels, legend);
    chart.captioned(&described, ("value", samples.unit, "box"), BELOW)
}
