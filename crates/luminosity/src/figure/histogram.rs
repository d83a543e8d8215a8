//! Histograms of one or a few sets of values in shared bins.

use super::canvas::Point;
use super::caption::{Count, MISSING, caption, place};
use super::chart::{Across, Chart, Grid, Key, Panel, key_fits, letter};
use super::colour::Colour;
use super::legend::Swatch;
use super::mark::Mark;
use super::sample::{Sample, check};
use super::scale::{PERCENT, Scale, UNBOUNDED};
use super::{Figure, FigureError, Look};

/// The unit of the height of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unit {
    /// The number of values.
    #[default]
    Count,
    /// The share of the values of a set, in percent.
    Share,
}

/// Histograms in several panels.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Histograms {
    /// Heading of the figure; may be empty.
    pub title: String,
    /// The noun for one value, such as "setting".
    pub sample: String,
    /// The unit of the height of a bar.
    pub unit: Unit,
    /// The panels in order.
    pub panels: Vec<Histogram>,
}

/// Sets of values in shared bins.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Heading of the panel; may be empty.
    pub heading: String,
    /// Label of the x axis.
    pub x_label: String,
    /// The range of the x axis. Values outside are left out and counted in the caption.
    pub range: (f64, f64),
    /// Number of bins over the range, at most 500.
    pub bins: usize,
    /// The sets, in the order of drawing; a second set of the same colour is drawn open.
    pub sets: Vec<HistogramSet>,
}

/// One set of values.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramSet {
    /// The name in the key of the panel.
    pub label: String,
    /// Colour.
    pub colour: Colour,
    /// The values. Non-finite values are left out and counted in the caption.
    pub values: Vec<f64>,
}

/// Height of a plot area.
const HEIGHT: f64 = 130.0;
/// With more bins, bars are thinner than their outline.
const MOST_BINS: usize = 500;

/// A set and its counts.
struct Bars<'a> {
    set: &'a HistogramSet,
    look: Look,
    sample: Sample,
    /// The height of each bar.
    heights: Vec<f64>,
}

/// Draws the panels of `h`.
///
/// # Errors
///
/// See [`FigureError`]; no input makes this panic.
pub fn histograms(h: &Histograms) -> Result<Figure, FigureError> {
    chart(h)?.draw()
}

pub(super) fn chart(h: &Histograms) -> Result<Chart, FigureError> {
    let panels = h.panels.iter().map(|panel| panel.bars(h.unit));
    let panels: Vec<Vec<Bars>> = panels.collect::<Result<_, _>>()?;
    check(panels.iter().flatten().map(|b| &b.sample), panels.len())?;
    let grid = Grid::new(panels.len(), 3, HEIGHT);
    let fits = |b: &Bars| key_fits(&b.text(true), grid.width);
    let long = panels.iter().flatten().all(fits);
    let mut counts = Vec::new();
    for (i, (panel, bars)) in h.panels.iter().zip(&panels).enumerate() {
        let outside = |v| !(panel.range.0..=panel.range.1).contains(&v);
        counts.extend(bars.iter().map(|b| {
            let place = place(&[&letter(i, panels.len()), &b.set.label]);
            Count::of(place, &b.sample, outside)
        }));
    }
    let draw = |(panel, bars): (&Histogram, &Vec<Bars>)| Panel {
        heading: panel.heading.clone(),
        keys: bars.iter().map(|b| b.key(long)).collect(),
        x: Across::Numbers(Scale::between(panel.range, 5.0)),
        x_label: panel.x_label.clone(),
        y: scale(bars, h.unit),
        y_label: match h.unit {
            Unit::Count => "count".to_owned(),
            Unit::Share => "share (%)".to_owned(),
        },
        marks: bars.iter().flat_map(|b| b.marks(panel.range)).collect(),
    };
    let outside = ["Outside the range", MISSING];
    Ok(Chart {
        title: h.title.clone(),
        grid,
        panels: h.panels.iter().zip(&panels).map(draw).collect(),
        legend: Vec::new(),
        caption: caption("", ("value", &h.sample, "set"), &counts, outside),
    })
}

/// The scale of the heights of `bars`, from 0.
fn scale(bars: &[Bars], unit: Unit) -> Scale {
    let heights = bars.iter().flat_map(|b| &b.heights).copied();
    let most = match unit {
        Unit::Count => UNBOUNDED.1,
        Unit::Share => PERCENT.1,
    };
    let scale = Scale::spanning(heights.chain([0.0, 2.0]), (0.0, most), 0.0, 4.0);
    // Counts are integers.
    Scale {
        step: scale.step.max(1.0),
        ..scale
    }
}

impl Histogram {
    /// Checks the bins and counts the values of each set.
    fn bars(&self, unit: Unit) -> Result<Vec<Bars<'_>>, FigureError> {
        let ((from, to), bins) = (self.range, self.bins);
        let width = (to - from) / bins as f64;
        if !(1..=MOST_BINS).contains(&bins) || !width.is_normal() || width < 0.0 {
            return Err(FigureError::Bins { bins, from, to });
        }
        let mut all: Vec<Bars> = Vec::new();
        for set in &self.sets {
            let mut look = set.colour.look();
            look.style ^= usize::from(all.iter().any(|b| b.look == look));
            let sample = Sample::new(set.values.iter().copied());
            let bar = match unit {
                Unit::Count => 1.0,
                Unit::Share => 100.0 / sample.n().max(1) as f64,
            };
            let mut heights = vec![0.0; bins];
            for v in sample.sorted.iter().filter(|v| (from..=to).contains(*v)) {
                heights[(((v - from) / width) as usize).min(bins - 1)] += bar;
            }
            all.push(Bars {
                set,
                look,
                sample,
                heights,
            });
        }
        Ok(all)
    }
}

impl Bars<'_> {
    /// The entry of the key, in the look of the bars.
    fn key(&self, long: bool) -> Key {
        let swatch = match self.look.open() {
            true => Swatch::Line,
            false => Swatch::Box,
        };
        (Some((swatch, self.look)), self.text(long))
    }

    /// The name and size, with the median if `long` is set.
    fn text(&self, long: bool) -> String {
        let (label, n) = (&self.set.label, self.sample.n());
        match self.sample.quartiles() {
            Some([_, median, _]) if long => format!("{label} (n = {n}, median {median:.2})"),
            _ => format!("{label} (n = {n})"),
        }
    }

    /// Contiguous bars as one outline each, filled unless the look is open.
    fn marks(&self, (from, to): (f64, f64)) -> Vec<Mark> {
        let edge = |i: usize| from + (to - from) * i as f64 / self.heights.len() as f64;
        let bars: Vec<_> = self.heights.iter().enumerate().collect();
        let mut marks = Vec::new();
        for run in bars.split(|(_, h)| **h == 0.0).filter(|r| !r.is_empty()) {
            let mut outline: Vec<Point> = vec![(edge(run[0].0), 0.0)];
            let tops = run.iter().map(|&(i, &h)| [(edge(i), h), (edge(i + 1), h)]);
            outline.extend(tops.flatten());
            outline.push((edge(run[run.len() - 1].0 + 1), 0.0));
            marks.push(match self.look.open() {
                // Separates the dashes from a line of the same colour below them.
                true => Mark::Line(outline.clone(), Look::new("#ffffff", 0), 1.4),
                false => Mark::Area(outline.clone(), self.look.hue, 0.35),
            });
            marks.push(Mark::Line(outline, self.look, 1.2));
        }
        marks
    }
}
