//! Box plots, with a box of each series in each group. Units at or below chance are left out of the boxes of
//! accuracies, but not of the tests.

use super::{depth, heading, present};
use crate::chart::{
    Across, At, BELOW, Boxed, Chart, Count, Grid, Legend, Look, Mark, Panel, RULE, Sample, Scale,
    Swatch, UNBOUNDED, caption, describe, floored,
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
    /// The values of each series, and a mark such as "***" above their box.
    boxes: Vec<(Vec<f64>, &'static str)>,
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
            (percents(samples.of(name, epsilon)), stars(p))
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
    let epsilons = &samples.epsilons;
    let levels = epsilons.iter().enumerate();
    let series = levels.map(|(i, e)| (text::epsilon(*e), Look::level(i, epsilons.len())));
    let lambdas = samples.lambdas(name);
    // With a single λ there is nothing to compare.
    let groups = lambdas.iter().filter(|_| lambdas.len() > 1).map(|lambda| {
        let values = |epsilon: &f64| percents(samples.at(name, *epsilon, *lambda));
        Group {
            name: lambda.to_string(),
            boxes: epsilons.iter().map(|e| (values(e), "")).collect(),
            reference: None,
        }
    });
    let label = "weight λ of the local loss";
    accuracies(samples, label, groups.collect(), series.collect())
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
        (values, stars(test.map(|t| t.p)))
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
    let values = |name: &str, layer| -> Vec<f64> {
        let units = samples.at_largest(name).iter();
        let values = units.filter_map(|unit| unit.lambda_max.get(layer).copied().flatten());
        // A layer without errors has no logarithm of λ_max.
        values.filter(|v| *v > 0.0).map(f64::log10).collect()
    };
    let layers = 0..depth(samples, &names, |unit| unit.lambda_max.len());
    let mut series = present(samples, &names);
    series.retain(|(name, _)| layers.clone().any(|layer| !values(name, layer).is_empty()));
    let groups = layers.map(|layer| Group {
        name: heading(layer),
        boxes: series
            .iter()
            .map(|(name, _)| (values(name, layer), ""))
            .collect(),
        reference: None,
    });
    let groups = groups.collect();
    chart(samples, ["", "log₁₀ λ_max"], groups, series, UNBOUNDED)
}

/// Boxes of accuracies without the units at or below chance, and the number of these units.
fn accuracies(samples: &Samples, x_label: &str, mut groups: Vec<Group>, series: Series) -> Partial {
    let mut left_out = 0;
    for (values, mark) in groups.iter_mut().flat_map(|group| &mut group.boxes) {
        let all = values.len();
        values.retain(|percent| *percent > samples.chance);
        left_out += all - values.len();
        // A mark is drawn above a box.
        if values.is_empty() {
            *mark = "";
        }
    }
    let values = || {
        groups
            .iter()
            .flat_map(|g| &g.boxes)
            .flat_map(|(values, _)| values)
            .copied()
    };
    let bounds = floored(UNBOUNDED, values(), values());
    let labels = [x_label, "test accuracy (%)"];
    (chart(samples, labels, groups, series, bounds), left_out)
}

/// Boxes side by side in each group, their marks above, and the line at its reference.
fn chart(
    samples: &Samples,
    [x_label, y_label]: [&str; 2],
    groups: Vec<Group>,
    series: Series,
    bounds: (f64, f64),
) -> Chart {
    let boxes = || groups.iter().flat_map(|group| &group.boxes);
    let references = || groups.iter().filter_map(|group| group.reference);
    let marked = boxes().any(|(_, mark)| !mark.is_empty());
    let values = boxes()
        .flat_map(|(values, _)| values)
        .copied()
        .chain(references());
    let y = Scale::spanning(values, bounds, if marked { 0.12 } else { 0.0 }, 6.0);
    let most = boxes().map(|(values, _)| values.len()).max();
    let (swatch, described) = describe(most.unwrap_or(0));
    let sample = |values: &[f64]| Sample::new(values.iter().copied());
    let room = FILLED / series.len() as f64;
    let mut panel = Panel {
        x_label: x_label.to_owned(),
        ..Panel::new(
            Across::names(groups.iter().map(|group| group.name.as_str())),
            y,
            y_label,
        )
    };
    for (group, middle) in groups.iter().zip(1..) {
        let left = f64::from(middle) - FILLED / 2.0;
        for (s, ((_, look), (values, mark))) in series.iter().zip(&group.boxes).enumerate() {
            let x = left + room * (s as f64 + 0.5);
            panel.marks.push(Mark::Box(Boxed {
                x,
                room,
                look: *look,
                sample: sample(values),
            }));
            panel
                .marks
                .push(Mark::Text(x, (*mark).to_owned(), At::Top(room)));
        }
        if let Some(y) = group.reference {
            panel
                .marks
                .push(Mark::Line(vec![(left, y), (left + FILLED, y)], RULE, 1.0));
        }
    }
    for (s, (label, _)) in series.iter().enumerate() {
        panel.counts.extend(groups.iter().filter_map(|group| {
            let (values, _) = group.boxes.get(s)?;
            let place = format!("{label}, {}", group.name);
            Some(Count::of(place, &sample(values), |v| v < y.min))
        }));
    }
    let mut legend = Legend::of(swatch, series);
    if references().next().is_some() {
        legend.extend(Legend::of(
            Swatch::Line,
            [(format!("median of {REFERENCE}"), RULE)],
        ));
    }
    let panels = vec![panel];
    Chart {
        title: String::new(),
        grid: Grid::new(1, HEIGHT),
        legend,
        caption: caption(&described, ("value", samples.unit, "box"), &panels, BELOW),
        panels,
    }
}
