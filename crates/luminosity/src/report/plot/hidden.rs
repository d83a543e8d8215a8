//! Properties of hidden layers at the largest ε.

use super::{colour, present};
use crate::figure::{
    BoxPanel, BoxPlots, BoxSeries, Figure, FigureError, MomentLayer, MomentPlots, MomentSeries,
    box_plots, moment_plots,
};
use crate::report::sample::{Samples, Unit};

/// Moments of the pre-activations by layer.
pub fn moments(samples: &Samples, names: &[&str]) -> Result<Figure, FigureError> {
    let layers = (0..depth(samples, names, |unit| unit.moments.len())).map(|layer| {
        let series = present(samples, names).map(|name| {
            let units = samples.at_largest(name).iter();
            let moments = units.filter_map(|unit| unit.moments.get(layer));
            let (mean, variance) = moments.map(|m| (m.mean, m.variance)).unzip();
            MomentSeries {
                label: name.to_owned(),
                colour: colour(samples, name),
                mean,
                variance,
            }
        });
        MomentLayer {
            heading: heading(layer),
            series: series.collect(),
        }
    });
    moment_plots(&MomentPlots {
        title: String::new(),
        sample: samples.unit.to_owned(),
        layers: layers.collect(),
    })
}

/// λ_max by layer and condition.
pub fn lambda_max(samples: &Samples) -> Result<Figure, FigureError> {
    let names: Vec<String> = samples.conditions.iter().map(ToString::to_string).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let depth = depth(samples, &names, |unit| unit.lambda_max.len());
    let series = names.iter().map(|name| {
        let layer = |layer| -> Vec<f64> {
            let units = samples.at_largest(name).iter();
            let values = units.filter_map(|unit| unit.lambda_max.get(layer).copied().flatten());
            // A layer without errors has no logarithm of λ_max.
            values.filter(|v| *v > 0.0).map(f64::log10).collect()
        };
        BoxSeries {
            label: (*name).to_owned(),
            colour: colour(samples, name),
            values: (0..depth).map(layer).collect(),
            marks: Vec::new(),
        }
    });
    let series = series.filter(|s| s.values.iter().any(|v| !v.is_empty()));
    box_plots(&BoxPlots {
        y_label: "log₁₀ λ_max".to_owned(),
        sample: samples.unit.to_owned(),
        points: true,
        panels: vec![BoxPanel {
            groups: (0..depth).map(heading).collect(),
            series: series.collect(),
            ..BoxPanel::default()
        }],
        ..BoxPlots::default()
    })
}

fn heading(layer: usize) -> String {
    format!("hidden layer {}", layer + 1)
}

fn depth(samples: &Samples, names: &[&str], layers: impl Fn(&Unit) -> usize) -> usize {
    let units = names.iter().flat_map(|name| samples.at_largest(name));
    units.map(layers).max().unwrap_or(0)
}
