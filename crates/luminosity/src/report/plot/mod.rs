//! The figures of the report, described by data.

mod accuracy;
mod alignment;
mod boxes;
mod hidden;
mod specs;

use super::effect::Effect;
use super::sample::Samples;
use crate::Error;
use crate::figure::{Colour, Figure, FigureError};

pub use boxes::{BEST, REFERENCE};
pub use specs::{MAIN, SPECS};

/// The measured part of an alignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The output of a layer.
    Output,
    /// The gradient of its excitatory weights.
    Gradient,
}

/// Names of conditions.
pub type Names = &'static [&'static str];

/// The content of a figure.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Scatter plots of each pair (y, x), with a point for each unit.
    Scatter(&'static [(&'static str, &'static str)]),
    /// The 10 best units of each ε, pooled.
    Best(Names),
    /// Moments of the pre-activations at the largest ε.
    Moments(Names),
    /// Alignments at the largest ε, with a panel for each.
    Alignment(&'static [(&'static str, Side)]),
    /// Accuracies by ε, against the median of E-only LayerNorm.
    Boxes(Names),
    /// Accuracies of a condition by λ.
    Lambda(&'static str),
    /// λ_max by layer at the largest ε.
    LambdaMax,
    /// Learning curves by ε.
    Curves(Names),
}

/// A figure of the report, drawn if there are data for it.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// The name of its files.
    pub name: &'static str,
    /// The title, with the paper's figure that it repeats.
    pub title: &'static str,
    /// A description of its content.
    pub caption: &'static str,
    /// The kind of the figure.
    pub kind: Kind,
}

/// A figure that was drawn.
#[derive(Debug, Clone)]
pub struct Plot {
    /// Its specification.
    pub spec: Spec,
    /// The drawing.
    pub figure: Figure,
    /// The number of units at or below chance that are left out of its boxes.
    pub left_out: usize,
}

/// A drawing, and the number of units that it leaves out.
type Drawn = Result<(Figure, usize), FigureError>;

/// Draws the figures with data; the others are named with the reason.
///
/// # Errors
///
/// If an image cannot be encoded.
pub fn draw(samples: &Samples, effects: &[Effect]) -> Result<(Vec<Plot>, Vec<String>), Error> {
    let (mut plots, mut missing) = (Vec::new(), Vec::new());
    for spec in SPECS {
        match spec.draw(samples, effects) {
            Ok((figure, left_out)) => plots.push(Plot {
                spec,
                figure,
                left_out,
            }),
            Err(e @ FigureError::Png(_)) => return Err(e.into()),
            Err(FigureError::NoSeries | FigureError::NoFiniteValue) => {
                missing.push(format!(
                    "{} ({}): no data in these runs",
                    spec.name, spec.title
                ));
            }
            Err(e) => missing.push(format!("{} ({}): {e}", spec.name, spec.title)),
        }
    }
    Ok((plots, missing))
}

impl Spec {
    fn draw(&self, samples: &Samples, effects: &[Effect]) -> Drawn {
        let whole = |figure| Ok((figure, 0));
        match self.kind {
            Kind::Best(names) => boxes::best(samples, names),
            // A figure of one condition compares nothing; only the main figure is drawn for any.
            Kind::Boxes(names) if self.name != MAIN && present(samples, names).count() < 2 => {
                Err(FigureError::NoSeries)
            }
            Kind::Boxes(names) => boxes::by_epsilon(samples, effects, names),
            Kind::Lambda(name) => boxes::by_lambda(samples, name),
            Kind::Scatter(pairs) => accuracy::scatter(samples, pairs).and_then(whole),
            Kind::Curves(names) => accuracy::curves(samples, names).and_then(whole),
            Kind::LambdaMax => hidden::lambda_max(samples).and_then(whole),
            Kind::Moments(names) => hidden::moments(samples, names).and_then(whole),
            Kind::Alignment(panels) => alignment::histograms(samples, panels).and_then(whole),
        }
    }
}

/// The lowest start of the axis of these accuracies, so that a few very low accuracies do not compress the
/// others; none if the axis may start at the lowest accuracy.
fn floor(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.filter(|v| v.is_finite()).collect();
    let quartiles = crate::stats::quartiles(&values)?;
    let low = quartiles.lower - 2.0 * (quartiles.upper - quartiles.lower).max(1.0);
    let low = 2.0 * (low / 2.0).floor();
    values.iter().any(|v| *v < low).then_some(low)
}

/// The conditions in `names` that have a unit anywhere.
fn present<'a>(samples: &'a Samples, names: &'a [&'a str]) -> impl Iterator<Item = &'a str> + 'a {
    let somewhere = |name: &&str| {
        samples
            .epsilons
            .iter()
            .any(|e| !samples.of(name, *e).is_empty())
    };
    names.iter().copied().filter(somewhere)
}

/// The colour of a condition.
fn colour(samples: &Samples, name: &str) -> Colour {
    let condition = samples.conditions.iter().find(|c| c.to_string() == name);
    Colour::Condition(condition.map_or(usize::MAX, |c| c.index()))
}
