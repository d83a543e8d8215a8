//! Histograms of alignments at the largest ε.

use super::look;
use crate::chart::{BELOW, Chart, Count, Grid, Look, Mark, Panel, Sample, Scale, key_fits};
use crate::report::sample::{Samples, Unit};

/// The measured part of an alignment.
#[derive(Debug, Clone, Copy)]
pub struct Side {
    name: &'static str,
    /// The label of the x axis.
    label: &'static str,
    of: fn(&Unit) -> Option<f64>,
}

/// The output of a layer.
pub const OUTPUT: Side = Side {
    name: "outputs",
    label: "cosine to LayerNorm",
    of: |unit| unit.output,
};
/// The gradient of its excitatory weights.
pub const GRADIENT: Side = Side {
    name: "gradients",
    label: "cosine to LayerNorm",
    of: |unit| unit.gradient,
};
/// The gradient, of lateral inhibition.
pub const LATERAL_GRADIENT: Side = Side {
    label: "cosine to centered errors",
    ..GRADIENT
};

/// Height of a plot area.
const HEIGHT: f64 = 130.0;
/// The number of bins of a histogram from 0 to 1.
const BINS: usize = 40;

/// A histogram for each of `panels` with alignments, all on the axis from 0 to 1, or from −1 if any alignment
/// is below 0.
pub fn histograms(samples: &Samples, panels: &[(&str, Side)]) -> Chart {
    let sets = panels.iter().map(|&(name, side)| {
        let units = samples.at_largest(name).iter();
        let cosines = units.filter_map(|unit| (side.of)(unit));
        // A cosine of 1 may be rounded to a larger number.
        let cosines = cosines.map(|cosine| cosine.clamp(-1.0, 1.0));
        (name, side, Sample::new(cosines))
    });
    let sets: Vec<_> = sets.filter(|(.., sample)| sample.n() > 0).collect();
    let negative = |sample: &Sample| sample.sorted.iter().any(|cosine| *cosine < 0.0);
    let (low, bins) = match sets.iter().any(|(.., sample)| negative(sample)) {
        true => (-1.0, 2 * BINS),
        false => (0.0, BINS),
    };
    let grid = Grid::new(sets.len(), HEIGHT);
    let key = |side: Side, sample: &Sample, median: bool| {
        let size = format!("{} (n = {}", side.name, sample.n());
        match sample.quartiles().filter(|_| median) {
            Some([_, median, _]) => format!("{size}, median {median:.2})"),
            None => format!("{size})"),
        }
    };
    let fits = |(_, side, sample): &_| key_fits(&key(*side, sample, true), grid.width);
    let median = sets.iter().all(fits);
    let panels = sets.iter().map(|&(name, side, ref sample)| {
        let look = look(samples, name);
        let mut heights = vec![0.0; bins];
        for cosine in &sample.sorted {
            let bin = (cosine - low) / ((1.0 - low) / bins as f64);
            heights[(bin as usize).min(bins - 1)] += 1.0;
        }
        let values = heights.iter().copied().chain([0.0, 2.0]);
        let mut y = Scale::spanning(values, (0.0, f64::INFINITY), 0.0, 4.0);
        // Counts are integers.
        y.step = y.step.max(1.0);
        let edge = |bin: usize| low + (1.0 - low) * bin as f64 / bins as f64;
        let tops = heights.iter().enumerate();
        let tops = tops.map(|(bin, height)| [(edge(bin), *height), (edge(bin + 1), *height)]);
        Panel {
            heading: name.to_owned(),
            key: (Some(look), key(side, sample, median)),
            x_label: side.label.to_owned(),
            marks: bars(&tops.collect::<Vec<_>>(), look),
            counts: vec![Count::of(side.name, sample, |_| false)],
            ..Panel::new(Scale::between((low, 1.0), 5.0), y, "count")
        }
    });
    let size = ("value", samples.unit, "set");
    Chart::new(grid, panels, Vec::new()).captioned("", size, BELOW)
}

/// Contiguous bars as one filled outline each, from the ends of their tops.
fn bars(tops: &[[(f64, f64); 2]], look: Look) -> Vec<Mark> {
    let runs = tops.split(|[(_, height), _]| *height == 0.0);
    let marks = runs.filter_map(|run| {
        let (first, last) = (run.first()?[0].0, run.last()?[1].0);
        let outline = [&[(first, 0.0)], &run.concat()[..], &[(last, 0.0)]].concat();
        let fill = Mark::Area(outline.clone(), look.hue, 0.35);
        Some([fill, Mark::Line(outline, look, 1.2)])
    });
    marks.flatten().collect()
}
