//! The figures of the report, described by data.

mod accuracy;
mod alignment;
mod boxes;
mod hidden;
mod specs;

use super::sample::Samples;
use super::statistics::Row;
use super::table::Table;
use crate::figure::{Figure, FigureError};
use crate::{Condition, Error};

pub use specs::SPECS;

/// What is measured of an alignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The output of a layer.
    Output,
    /// The gradient of its excitatory weights.
    Gradient,
}

/// What a figure shows.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Each pair (y, x), setting by setting.
    Scatter(&'static [(Condition, Condition)]),
    /// The 10 best settings of each ε, pooled.
    Best(&'static [Condition]),
    /// Moments of the pre-activations at the largest ε.
    Moments(&'static [Condition]),
    /// Alignments at the largest ε, a panel each.
    Alignment(&'static [(Condition, Side)]),
    /// Accuracies by ε, against the median of E-only LayerNorm.
    Boxes(&'static [Condition]),
    /// Accuracies of a condition by λ.
    Lambda(Condition),
    /// λ_max by layer at the largest ε.
    LambdaMax,
    /// Learning curves by ε.
    Curves(&'static [Condition]),
}

/// A figure that the report has if there are data for it.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// The name of its files.
    pub name: &'static str,
    /// Which of the paper's it repeats.
    pub title: &'static str,
    /// What it shows.
    pub caption: &'static str,
    /// How.
    pub kind: Kind,
}

/// A figure that was drawn.
#[derive(Debug, Clone)]
pub struct Plot {
    /// What it is.
    pub spec: Spec,
    /// The drawing.
    pub figure: Figure,
    /// The numbers behind it.
    pub table: Table,
    /// How many settings at or below 10 % it leaves out.
    pub left_out: usize,
}

/// The drawing and the numbers behind it.
type Drawn = Result<(Figure, Table), FigureError>;

/// Draws what there are data for; the rest is named with the reason.
///
/// # Errors
///
/// If an image cannot be encoded.
pub fn draw(samples: &Samples, rows: &[Row]) -> Result<(Vec<Plot>, Vec<String>), Error> {
    let (mut plots, mut missing) = (Vec::new(), Vec::new());
    for spec in SPECS {
        match spec.draw(samples, rows) {
            Ok((figure, table)) => plots.push(Plot {
                spec,
                figure,
                left_out: spec.left_out(&table),
                table,
            }),
            Err(e @ FigureError::Png(_)) => return Err(e.into()),
            Err(FigureError::NoSeries | FigureError::NoFiniteValue) => {
                missing.push(format!("{} ({}): no data yet", spec.name, spec.title));
            }
            Err(e) => missing.push(format!("{} ({}): {e}", spec.name, spec.title)),
        }
    }
    Ok((plots, missing))
}

impl Spec {
    /// How many of the accuracies in its table its boxes leave out.
    fn left_out(&self, table: &Table) -> usize {
        if !matches!(self.kind, Kind::Best(_) | Kind::Boxes(_) | Kind::Lambda(_)) {
            return 0;
        }
        let accuracies = table.rows.iter().filter_map(|row| row.last()?.parse().ok());
        accuracies.filter(|a: &f64| !above_chance(*a)).count()
    }

    fn draw(&self, samples: &Samples, rows: &[Row]) -> Drawn {
        match self.kind {
            Kind::Scatter(pairs) => accuracy::scatter(samples, pairs),
            Kind::Curves(conditions) => accuracy::curves(samples, conditions),
            Kind::Best(conditions) => boxes::best(samples, conditions),
            Kind::Boxes(conditions) => boxes::by_epsilon(samples, rows, conditions),
            Kind::Lambda(condition) => boxes::by_lambda(samples, condition),
            Kind::LambdaMax => hidden::lambda_max(samples),
            Kind::Moments(conditions) => hidden::moments(samples, conditions),
            Kind::Alignment(panels) => alignment::histograms(samples, panels),
        }
    }
}

/// Where the axis of these accuracies starts, so that a few very low ones do not flatten the rest:
/// none if it may start at the lowest.
fn floor(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.filter(|v| v.is_finite()).collect();
    let quartiles = crate::stats::quartiles(&values)?;
    let low = quartiles.lower - 2.0 * (quartiles.upper - quartiles.lower).max(1.0);
    let low = 2.0 * (low / 2.0).floor();
    values.iter().any(|v| *v < low).then_some(low)
}

/// Whether an accuracy in percent is drawn in a box.
fn above_chance(percent: f64) -> bool {
    percent > 100.0 * super::sample::CHANCE
}

/// The conditions, of these, that have a setting anywhere.
fn present<'a>(
    samples: &'a Samples,
    conditions: &'a [Condition],
) -> impl Iterator<Item = Condition> + 'a {
    let has = |c: &Condition| {
        samples
            .epsilons
            .iter()
            .any(|e| !samples.of(*c, *e).is_empty())
    };
    conditions.iter().copied().filter(has)
}

/// The colour of a condition.
fn colour(condition: Condition) -> crate::figure::Colour {
    crate::figure::Colour::Condition(super::sample::index(condition).unwrap_or(usize::MAX))
}
