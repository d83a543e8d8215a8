//! Box plots of accuracies. Units at or below chance are left out of the boxes, but not of the tests.

use super::{Drawn, colour, floor, present};
use crate::figure::{BoxPanel, BoxPlots, BoxSeries, Colour, box_plots};
use crate::report::effect::Effect;
use crate::report::sample::{Samples, percents};
use crate::report::text::{self, stars};
use crate::stats::{mann_whitney_u, median};

/// The condition whose median is the reference line; marks are for tests against it.
pub const REFERENCE: &str = "e-only-ln+";

/// The number of the best units of each ε that are pooled.
pub const BEST: usize = 10;

/// Accuracies by ε, against the median of E-only LayerNorm.
pub fn by_epsilon(samples: &Samples, effects: &[Effect], names: &[&str]) -> Drawn {
    let series = present(samples, names).map(|name| {
        let marks = samples.epsilons.iter().map(|epsilon| {
            let key = (name, REFERENCE, *epsilon);
            let own = |e: &&Effect| (e.of.as_str(), e.over.as_str(), e.epsilon) == key;
            stars(effects.iter().find(own).map(|e| e.paired.test.p)).to_owned()
        });
        BoxSeries {
            label: name.to_owned(),
            colour: colour(samples, name),
            values: samples
                .epsilons
                .iter()
                .map(|e| percents(samples.of(name, *e)))
                .collect(),
            marks: marks.collect(),
        }
    });
    let references = samples.epsilons.iter().map(|epsilon| {
        let percents = percents(samples.of(REFERENCE, *epsilon));
        median(&percents).unwrap_or(f64::NAN)
    });
    let panel = BoxPanel {
        heading: String::new(),
        groups: samples.epsilons.iter().map(|e| text::epsilon(*e)).collect(),
        references: references.collect(),
        series: series.collect(),
    };
    draw(samples, panel, "", &format!("median of {REFERENCE}"))
}

/// Accuracies by λ, with a series for each ε.
pub fn by_lambda(samples: &Samples, name: &str) -> Drawn {
    let lambdas = samples.lambdas(name);
    let count = samples.epsilons.len();
    // With a single λ there is nothing to compare.
    let epsilons = samples.epsilons.iter().enumerate();
    let series = epsilons
        .filter(|_| lambdas.len() > 1)
        .map(|(index, epsilon)| BoxSeries {
            label: text::epsilon(*epsilon),
            colour: Colour::Level { index, count },
            values: lambdas
                .iter()
                .map(|l| percents(samples.at(name, *epsilon, *l)))
                .collect(),
            marks: Vec::new(),
        });
    let panel = BoxPanel {
        groups: lambdas.iter().map(f64::to_string).collect(),
        series: series.collect(),
        ..BoxPanel::default()
    };
    draw(samples, panel, "weight λ of the local loss", "")
}

/// The best units of each ε, pooled; the first condition is tested against the others.
pub fn best(samples: &Samples, names: &[&str]) -> Drawn {
    let pooled = |name: &str| -> Vec<f64> {
        let per_epsilon = samples.epsilons.iter().flat_map(|epsilon| {
            let mut own = percents(samples.of(name, *epsilon));
            own.sort_by(|a, b| b.total_cmp(a));
            own.into_iter().take(BEST)
        });
        per_epsilon.collect()
    };
    let first = names.first().map_or_else(Vec::new, |name| pooled(name));
    let series = present(samples, names).map(|name| {
        let values = pooled(name);
        let test = match names.first() == Some(&name) {
            true => None,
            false => mann_whitney_u(&values, &first),
        };
        BoxSeries {
            label: name.to_owned(),
            colour: colour(samples, name),
            values: vec![values],
            marks: vec![stars(test.map(|t| t.p)).to_owned()],
        }
    });
    let panel = BoxPanel {
        groups: vec![format!("best {}s of each ε, pooled", samples.unit)],
        series: series.collect(),
        ..BoxPanel::default()
    };
    draw(samples, panel, "", "")
}

fn draw(samples: &Samples, mut panel: BoxPanel, x_label: &str, reference: &str) -> Drawn {
    let mut left_out = 0;
    for series in &mut panel.series {
        for (group, values) in series.values.iter_mut().enumerate() {
            let all = values.len();
            values.retain(|percent| *percent > samples.chance);
            left_out += all - values.len();
            // A mark is drawn above a box.
            if let (true, Some(mark)) = (values.is_empty(), series.marks.get_mut(group)) {
                mark.clear();
            }
        }
    }
    let values = panel.series.iter().flat_map(|s| s.values.iter().flatten());
    let figure = box_plots(&BoxPlots {
        title: String::new(),
        x_label: x_label.to_owned(),
        y_label: "test accuracy (%)".to_owned(),
        sample: samples.unit.to_owned(),
        floor: floor(values.copied()),
        points: true,
        reference: reference.to_owned(),
        panels: vec![panel],
    })?;
    Ok((figure, left_out))
}
