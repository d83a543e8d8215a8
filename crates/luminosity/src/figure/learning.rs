//! Learning curves: the median of each condition over its runs, with the quartiles.

use super::canvas::Point;
use super::caption::{Count, caption, place};
use super::chart::{Across, Chart, Grid, Panel, letter};
use super::colour::Colour;
use super::legend::{Legend, Swatch};
use super::mark::Mark;
use super::sample::{Sample, check};
use super::scale::{PERCENT, Scale, floored, percentages};
use super::{Figure, FigureError, Look};

/// Learning curves in panels that share their axes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LearningCurves {
    /// Heading of the figure; may be empty.
    pub title: String,
    /// The noun for one run, such as "setting".
    pub sample: String,
    /// The lowest start of the y axis; curves are clipped there.
    pub floor: Option<f64>,
    /// The panels in order.
    pub panels: Vec<CurvePanel>,
}

/// Conditions to compare.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CurvePanel {
    /// Heading of the panel, such as "ε = 0.75"; may be empty.
    pub heading: String,
    /// The conditions, in the order of drawing.
    pub series: Vec<CurveSeries>,
}

/// The runs of one condition.
#[derive(Debug, Clone, PartialEq)]
pub struct CurveSeries {
    /// The name in the legend.
    pub label: String,
    /// Colour.
    pub colour: Colour,
    /// The test accuracy in percent after each epoch, for each run. A run without a finite value at an epoch
    /// is left out of the quartiles of that epoch and counted in the caption; so is a run that is shorter
    /// than the longest of the figure.
    pub runs: Vec<Vec<f64>>,
}

/// Height of a plot area.
const HEIGHT: f64 = 165.0;

/// The values of one series after each epoch.
type Curve<'a> = (&'a CurveSeries, Vec<Sample>);

/// Draws the panels of `l`.
///
/// # Errors
///
/// See [`FigureError`]; no input makes this panic.
pub fn learning_curves(l: &LearningCurves) -> Result<Figure, FigureError> {
    chart(l)?.draw()
}

pub(super) fn chart(l: &LearningCurves) -> Result<Chart, FigureError> {
    let series = || l.panels.iter().flat_map(|p| &p.series);
    let lengths = series().flat_map(|s| &s.runs).map(Vec::len);
    let epochs = lengths.max().unwrap_or(0);
    for s in series() {
        percentages(&s.label, s.runs.iter().flatten().copied())?;
    }
    let at = |s: &CurveSeries, e| Sample::new(s.runs.iter().filter_map(|r| r.get(e).copied()));
    let curve = |s| (s, (0..epochs).map(|e| at(s, e)).collect());
    let panels = l
        .panels
        .iter()
        .map(|p| p.series.iter().map(curve).collect());
    let panels: Vec<Vec<Curve>> = panels.collect();
    let samples = || panels.iter().flatten().flat_map(|c| &c.1);
    check(samples(), panels.len())?;
    let quartiles = || samples().filter_map(Sample::quartiles);
    let bounds = floored(PERCENT, l.floor, quartiles().map(|q| q[1]));
    let y = Scale::spanning(quartiles().flatten(), bounds, 0.0, 6.0);
    let marks = match series().any(|s| s.runs.len() > 1) {
        true => "Median of the runs, shaded: quartiles.",
        false => "",
    };
    let mut counts = Vec::new();
    for (i, curves) in panels.iter().enumerate() {
        counts.extend(curves.iter().map(|(series, samples)| {
            let whole = |r: &&Vec<f64>| r.len() == epochs && r.iter().all(|v| v.is_finite());
            let medians = samples.iter().filter_map(|s| Some(s.quartiles()?[1]));
            Count {
                place: place(&[&letter(i, panels.len()), &series.label]),
                n: series.runs.len(),
                missing: series.runs.len() - series.runs.iter().filter(whole).count(),
                off: usize::from(medians.reduce(f64::max).is_some_and(|v| v < y.min)),
            }
        }));
    }
    let draw = |(panel, curves): (&CurvePanel, &Vec<Curve>)| {
        let marks = curves.iter().map(|(series, samples)| {
            let epochs = samples.iter().enumerate();
            let points = epochs.map(|(e, s)| Some((e as f64 + 1.0, s.quartiles()?)));
            curve_marks(&points.collect::<Vec<_>>(), series.colour.look())
        });
        let (bands, lines): (Vec<_>, Vec<_>) = marks.unzip();
        Panel {
            heading: panel.heading.clone(),
            keys: Vec::new(),
            x: Across::Numbers(Scale::epochs(epochs)),
            x_label: "epoch".to_owned(),
            y,
            y_label: "test accuracy (%)".to_owned(),
            marks: bands.into_iter().chain(lines).flatten().collect(),
        }
    };
    let looks = series().map(|s| (s.label.as_str(), s.colour.look()));
    let reasons = ["Curves below the axis", "Incomplete runs"];
    Ok(Chart {
        title: l.title.clone(),
        grid: Grid::new(panels.len(), 3, HEIGHT),
        panels: l.panels.iter().zip(&panels).map(draw).collect(),
        legend: Legend::of(Swatch::Curve, looks),
        caption: caption(marks, ("run", &l.sample, "curve"), &counts, reasons),
    })
}

/// The bands and lines of a curve: low, middle and high at each x, with a gap where there are no values.
pub(super) fn curve_marks(
    points: &[Option<(f64, [f64; 3])>],
    look: Look,
) -> (Vec<Mark>, Vec<Mark>) {
    let (mut bands, mut lines) = (Vec::new(), Vec::new());
    for stretch in points.split(Option::is_none).filter(|s| !s.is_empty()) {
        let edge = |k: usize| stretch.iter().flatten().map(move |(x, q)| (*x, q[k]));
        let line: Vec<Point> = edge(1).collect();
        if let [only] = line[..] {
            lines.push(Mark::Marker(only, 2.6, look));
            continue;
        }
        // A band needs several values.
        if stretch.iter().flatten().any(|(_, q)| q[2] > q[0]) {
            let outline = edge(2).chain(edge(0).rev()).collect();
            bands.push(Mark::Area(outline, look.hue, 0.15));
        }
        lines.push(Mark::Line(line, look, 1.6));
    }
    (bands, lines)
}
