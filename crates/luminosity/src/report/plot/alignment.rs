//! Histograms of alignments.

use super::{Side, colour};
use crate::figure::{
    Figure, FigureError, Histogram, HistogramSet, Histograms, Unit as Height, histograms as draw,
};
use crate::report::sample::{Samples, Unit};

/// The number of bins of a histogram from 0 to 1.
const BINS: usize = 40;

/// A histogram for each of `panels` at the largest ε, all on the axis from 0 to 1, or from −1 if any
/// alignment is below 0.
pub fn histograms(samples: &Samples, panels: &[(&str, Side)]) -> Result<Figure, FigureError> {
    let values = panels.iter().map(|&(name, side)| -> Vec<f64> {
        let cosines = samples
            .at_largest(name)
            .iter()
            .filter_map(|unit| side.of(unit));
        // A cosine of 1 may be rounded to a larger number.
        cosines.map(|cosine| cosine.clamp(-1.0, 1.0)).collect()
    });
    let values: Vec<Vec<f64>> = values.collect();
    let (low, bins) = match values.iter().flatten().any(|cosine| *cosine < 0.0) {
        true => (-1.0, 2 * BINS),
        false => (0.0, BINS),
    };
    let drawn = panels
        .iter()
        .zip(values)
        .filter(|(_, values)| !values.is_empty());
    let panels = drawn.map(|(&(name, side), values)| Histogram {
        heading: name.to_owned(),
        x_label: side.label(name).to_owned(),
        range: (low, 1.0),
        bins,
        sets: vec![HistogramSet {
            label: side.name().to_owned(),
            colour: colour(samples, name),
            values,
        }],
    });
    draw(&Histograms {
        title: String::new(),
        sample: samples.unit.to_owned(),
        unit: Height::Count,
        panels: panels.collect(),
    })
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Output => "outputs",
            Self::Gradient => "gradients",
        }
    }

    fn of(self, unit: &Unit) -> Option<f64> {
        match self {
            Self::Output => unit.output,
            Self::Gradient => unit.gradient,
        }
    }

    fn label(self, condition: &str) -> &'static str {
        match (self, condition) {
            (Self::Gradient, "inorm+lateral") => "cosine to centered errors",
            _ => "cosine to LayerNorm",
        }
    }
}
