//! What hidden layers do at the largest ε.

use super::{Drawn, colour, present};
use crate::Condition;
use crate::figure::{
    BoxPanel, BoxPlots, BoxSeries, MomentLayer, MomentPlots, MomentSeries, box_plots, moment_plots,
};
use crate::report::sample::{Samples, Setting};
use crate::report::table::Table;
use crate::report::text::exact;

/// Moments of the pre-activations by layer. The table has every ε.
pub fn moments(samples: &Samples, conditions: &[Condition]) -> Drawn {
    let columns = ["mean", "variance"];
    let table = by_layer(samples, conditions, &columns, |s| {
        let layers = s.moments.iter();
        layers
            .map(|m| vec![Some(m.mean), Some(m.variance)])
            .collect()
    });
    let depth = depth(samples, conditions, |s| s.moments.len());
    let layers = (0..depth).map(|layer| MomentLayer {
        heading: heading(layer),
        series: present(samples, conditions)
            .map(|condition| {
                let settings = largest(samples, condition).iter();
                let (mean, variance) = settings
                    .filter_map(|s| s.moments.get(layer))
                    .map(|m| (m.mean, m.variance))
                    .unzip();
                MomentSeries {
                    label: condition.to_string(),
                    colour: colour(condition),
                    mean,
                    variance,
                }
            })
            .collect(),
    });
    let figure = moment_plots(&MomentPlots {
        title: String::new(),
        sample: "setting".to_owned(),
        layers: layers.collect(),
    })?;
    Ok((figure, table))
}

/// λ_max by layer and condition. The table has every ε.
pub fn lambda_max(samples: &Samples) -> Drawn {
    let conditions = &Condition::all();
    let table = by_layer(samples, conditions, &["lambda_max"], |s| {
        s.lambda_max.iter().map(|l| vec![*l]).collect()
    });
    let depth = depth(samples, conditions, |s| s.lambda_max.len());
    let series = present(samples, conditions).map(|condition| {
        let layer = |layer| -> Vec<f64> {
            let settings = largest(samples, condition).iter();
            let values = settings.filter_map(|s| s.lambda_max.get(layer).copied().flatten());
            // A layer that no error reaches has no logarithm.
            values.filter(|v| *v > 0.0).map(f64::log10).collect()
        };
        BoxSeries {
            label: condition.to_string(),
            colour: colour(condition),
            values: (0..depth).map(layer).collect(),
            marks: Vec::new(),
        }
    });
    let series = series.filter(|s| s.values.iter().any(|v| !v.is_empty()));
    let figure = box_plots(&BoxPlots {
        y_label: "log₁₀ λ_max".to_owned(),
        sample: "setting".to_owned(),
        points: true,
        panels: vec![BoxPanel {
            groups: (0..depth).map(heading).collect(),
            series: series.collect(),
            ..BoxPanel::default()
        }],
        ..BoxPlots::default()
    })?;
    Ok((figure, table))
}

fn heading(layer: usize) -> String {
    format!("hidden layer {}", layer + 1)
}

fn largest(samples: &Samples, condition: Condition) -> &[Setting] {
    let epsilon = samples.epsilons.last();
    epsilon.map_or(&[], |e| samples.of(condition, *e))
}

fn depth(samples: &Samples, conditions: &[Condition], layers: impl Fn(&Setting) -> usize) -> usize {
    let settings = conditions.iter().flat_map(|c| largest(samples, *c));
    settings.map(layers).max().unwrap_or(0)
}

/// One row for each layer of each setting.
fn by_layer(
    samples: &Samples,
    conditions: &[Condition],
    columns: &[&str],
    values: impl Fn(&Setting) -> Vec<Vec<Option<f64>>>,
) -> Table {
    let mut table = Table::new(&["condition", "epsilon", "setting", "layer"]);
    table.columns.extend(columns.iter().map(|&c| c.to_owned()));
    for condition in present(samples, conditions) {
        for &epsilon in &samples.epsilons {
            for setting in samples.of(condition, epsilon) {
                for (layer, values) in values(setting).into_iter().enumerate() {
                    let mut row = vec![
                        condition.to_string(),
                        epsilon.to_string(),
                        setting.setting.to_string(),
                        (layer + 1).to_string(),
                    ];
                    row.extend(values.into_iter().map(exact));
                    table.rows.push(row);
                }
            }
        }
    }
    table
}
