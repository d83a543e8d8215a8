//! Histograms of one or a few sets of values in shared bins.

use super::canvas::{Canvas, Point};
use super::caption::{Count, MISSING, caption, place};
use super::colour::Colour;
use super::legend::Swatch;
use super::panel::{Across, Axes, Key, Panel};
use super::scale::{PERCENT, Scale, UNBOUNDED};
use super::sheet::{Grid, Sheet, letter};
use super::stats::{self, Sample};
use super::{Figure, FigureError, Look};

/// What the height of a bar is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unit {
    /// Number of values.
    #[default]
    Count,
    /// Share of the values of a set, in percent.
    Share,
}

/// Histograms in several panels.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Histograms {
    /// Heading of the figure; may be empty.
    pub title: String,
    /// What gives a value, in the singular, such as "setting".
    pub sample: String,
    /// What the height of a bar is.
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
    /// Range of the x axis. Values outside are left out and counted in the caption.
    pub range: (f64, f64),
    /// Number of bins over the range, at most 500.
    pub bins: usize,
    /// The sets in order; a second set of the same colour is drawn open.
    pub sets: Vec<HistogramSet>,
}

/// One set of values.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramSet {
    /// Name in the key of the panel.
    pub label: String,
    /// Colour.
    pub colour: Colour,
    /// The values. Those not finite are left out and counted in the caption.
    pub values: Vec<f64>,
}

/// Height of a plot area.
const HEIGHT: f64 = 130.0;
/// More bins than this are thinner than their outline.
const MOST_BINS: usize = 500;

/// A set, counted.
struct Bars<'a> {
    set: &'a HistogramSet,
    look: Look,
    sample: Sample,
    /// Height of each bar.
    heights: Vec<f64>,
    /// Number of values outside the range.
    outside: usize,
}

/// Draws the panels of `h`.
///
/// # Errors
///
/// See [`FigureError`]; there is no input on which this panics.
pub fn histograms(h: &Histograms) -> Result<Figure, FigureError> {
    let panels = h.panels.iter().map(|panel| panel.bars(h.unit));
    let panels: Vec<Vec<Bars>> = panels.collect::<Result<_, _>>()?;
    stats::check(panels.iter().flatten().map(|b| &b.sample), panels.len())?;
    let grid = Grid::new(panels.len(), 3, HEIGHT);
    let fits = |b: &Bars| Key::fits(&b.text(true), grid.width);
    let long = panels.iter().flatten().all(fits);
    let sheets = h.panels.iter().zip(&panels).map(|(panel, bars)| Panel {
        heading: &panel.heading,
        keys: bars.iter().map(|b| b.key(b.text(long))).collect(),
        x: Across::Numbers(Scale::between(panel.range, 5.0)),
        x_label: &panel.x_label,
        y: scale(bars, h.unit),
        y_label: match h.unit {
            Unit::Count => "count",
            Unit::Share => "share (%)",
        },
    });
    Sheet {
        title: &h.title,
        grid,
        panels: sheets.collect(),
        legend: Vec::new(),
        caption: caption(
            "",
            ("value", &h.sample, "set"),
            &h.counts(&panels),
            ["Outside the range", MISSING],
        ),
    }
    .draw(|canvas, i, axes| {
        for bars in &panels[i] {
            bars.draw(canvas, axes, &h.panels[i]);
        }
    })
}

/// Scale of the heights of `bars`, from 0.
fn scale(bars: &[Bars], unit: Unit) -> Scale {
    let heights = bars.iter().flat_map(|b| &b.heights).copied();
    let most = match unit {
        Unit::Count => UNBOUNDED.1,
        Unit::Share => PERCENT.1,
    };
    let scale = Scale::spanning(heights.chain([0.0, 2.0]), (0.0, most), 0.0, 4.0);
    // Counts are whole.
    Scale {
        step: scale.step.max(1.0),
        ..scale
    }
}

impl Histogram {
    /// Checks the bins and counts the values of each set.
    fn bars(&self, unit: Unit) -> Result<Vec<Bars<'_>>, FigureError> {
        let (from, to) = self.range;
        let bins = self.bins;
        let width = (to - from) / bins as f64;
        if !(1..=MOST_BINS).contains(&bins) || !width.is_normal() || width < 0.0 {
            return Err(FigureError::Bins { bins, from, to });
        }
        let mut looks: Vec<Look> = Vec::new();
        let mut bars = Vec::new();
        for set in &self.sets {
            let mut look = set.colour.look();
            look.second ^= looks.contains(&look);
            looks.push(look);
            let sample = Sample::new(set.values.iter().copied());
            let inside = sample.sorted.iter().filter(|v| (from..=to).contains(*v));
            let mut heights = vec![0.0; bins];
            for v in inside {
                heights[(((v - from) / width) as usize).min(bins - 1)] += 1.0;
            }
            let outside = sample.n() - heights.iter().sum::<f64>() as usize;
            if unit == Unit::Share {
                let n = sample.n().max(1) as f64;
                heights.iter_mut().for_each(|h| *h *= 100.0 / n);
            }
            bars.push(Bars {
                set,
                look,
                sample,
                heights,
                outside,
            });
        }
        Ok(bars)
    }
}

impl Bars<'_> {
    /// What it is, in the look of its bars.
    fn key(&self, text: String) -> Key {
        let swatch = if self.look.second {
            Swatch::Line
        } else {
            Swatch::Box
        };
        Key {
            look: Some((swatch, self.look)),
            text,
        }
    }

    /// Name and size, with the median if it is `long`.
    fn text(&self, long: bool) -> String {
        let (label, n) = (&self.set.label, self.sample.n());
        match self.sample.median() {
            Some(median) if long => format!("{label} (n = {n}, median {median:.2})"),
            _ => format!("{label} (n = {n})"),
        }
    }

    /// Draws the bars as one outline, filled unless it is open.
    fn draw(&self, canvas: &mut Canvas, axes: &Axes, panel: &Histogram) {
        let (from, to) = panel.range;
        let edge = |i: usize| axes.x(from + (to - from) * i as f64 / self.heights.len() as f64);
        let ground = axes.y(0.0);
        let runs = self.heights.iter().enumerate().collect::<Vec<_>>();
        for run in runs.split(|(_, h)| **h == 0.0).filter(|r| !r.is_empty()) {
            let mut outline: Vec<Point> = vec![(edge(run[0].0), ground)];
            for &(i, &height) in run {
                let y = axes.y(height);
                outline.extend([(edge(i), y), (edge(i + 1), y)]);
            }
            outline.push((edge(run[run.len() - 1].0 + 1), ground));
            if self.look.second {
                // Tells the dashes from a line of the same colour below them.
                canvas.line(outline.clone(), "#ffffff", 1.4);
            } else {
                canvas.area(&outline, self.look.hue, 0.35);
            }
            canvas.curve(outline, self.look, 1.2);
        }
    }
}

impl Histograms {
    fn counts(&self, panels: &[Vec<Bars>]) -> Vec<Count> {
        let panels = panels.iter().enumerate();
        let bars = panels.flat_map(|(i, bars)| bars.iter().map(move |b| (i, b)));
        let count = |(i, bars): (usize, &Bars)| Count {
            place: place(&[&letter(i, self.panels.len()), &bars.set.label]),
            n: bars.sample.n(),
            missing: bars.sample.missing,
            off: bars.outside,
        };
        bars.map(count).collect()
    }
}

#[cfg(test)]
mod tests;
