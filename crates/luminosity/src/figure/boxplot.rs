//! Box plots of several conditions in several groups.

use super::boxes;
use super::caption::{BELOW, Count, caption, place};
use super::chart::{Across, Chart, Grid, Panel, letter};
use super::colour::Colour;
use super::legend::{Legend, Swatch};
use super::mark::{At, Boxed, Mark, RULE};
use super::sample::{Sample, check};
use super::scale::{Scale, UNBOUNDED, floored};
use super::{Figure, FigureError};

/// Box plots in panels that share their y axis.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BoxPlots {
    /// Heading of the figure; may be empty.
    pub title: String,
    /// Label of the x axes; may be empty.
    pub x_label: String,
    /// Label of the y axis with its unit.
    pub y_label: String,
    /// The noun for one value, such as "setting".
    pub sample: String,
    /// The lowest start of the y axis. Values below it count in the box, but are drawn as triangles at the
    /// edge and counted in the caption.
    pub floor: Option<f64>,
    /// Whether to draw all values over a box of at most 60, instead of the outliers alone.
    pub points: bool,
    /// The meaning of [`BoxPanel::references`], for the legend.
    pub reference: String,
    /// The panels in order.
    pub panels: Vec<BoxPanel>,
}

/// Groups side by side, with a box of each series in each group.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BoxPanel {
    /// Heading of the panel; may be empty.
    pub heading: String,
    /// Names of the groups along the x axis.
    pub groups: Vec<String>,
    /// The series, in the order of drawing.
    pub series: Vec<BoxSeries>,
    /// The height of a reference line for each group, NaN for none; may be empty.
    pub references: Vec<f64>,
}

/// One condition in all groups.
#[derive(Debug, Clone, PartialEq)]
pub struct BoxSeries {
    /// The name in the legend; omitted there if empty.
    pub label: String,
    /// Colour.
    pub colour: Colour,
    /// The values of each group. Non-finite values are left out and counted in the caption.
    pub values: Vec<Vec<f64>>,
    /// A mark such as "***" for each group, above its box; may be empty.
    pub marks: Vec<String>,
}

/// Height of a plot area.
const HEIGHT: f64 = 185.0;
/// The narrowest space of a box with panels side by side.
const NARROWEST: f64 = 16.0;
/// The share of the width of a group that its boxes fill.
const FILLED: f64 = 0.86;

/// Draws the panels of `b`.
///
/// # Errors
///
/// See [`FigureError`]; no input makes this panic.
pub fn box_plots(b: &BoxPlots) -> Result<Figure, FigureError> {
    chart(b)?.draw()
}

/// The boxes of a series.
type Row<'a> = (&'a BoxSeries, Vec<Sample>);

pub(super) fn chart(b: &BoxPlots) -> Result<Chart, FigureError> {
    let panels: Vec<Vec<Row>> = b.panels.iter().map(rows).collect::<Result<_, _>>()?;
    let all = || panels.iter().flatten();
    let samples = || all().flat_map(|row| &row.1);
    check(samples(), b.panels.len())?;
    let references = b.panels.iter().flat_map(|p| p.references.iter().copied());
    let references = Sample::new(references).sorted;
    let sorted = || samples().flat_map(|s| &s.sorted).copied();
    let bounds = floored(UNBOUNDED, b.floor, sorted());
    let marked = all().any(|row| row.0.marks.iter().any(|m| !m.is_empty()));
    let headroom = if marked { 0.12 } else { 0.0 };
    let values = sorted().chain(references.iter().copied());
    let y = Scale::spanning(values, bounds, headroom, 6.0);

    let (swatch, marks) = boxes::legend(samples(), b.points);
    let series = all().map(|(s, _)| (s.label.as_str(), s.colour.look()));
    let mut legend = Legend::of(swatch, series);
    if !references.is_empty() {
        legend.extend(Legend::of(Swatch::Line, [(b.reference.as_str(), RULE)]));
    }
    let mut counts = Vec::new();
    for (i, (panel, rows)) in b.panels.iter().zip(&panels).enumerate() {
        let letter = letter(i, panels.len());
        for (series, samples) in rows {
            let boxes = panel.groups.iter().zip(samples);
            counts.extend(boxes.map(|(group, sample)| {
                let place = place(&[&letter, &series.label, group]);
                Count::of(place, sample, |v| v < y.min)
            }));
        }
    }
    let draw = |(panel, rows): (&BoxPanel, &Vec<Row>)| Panel {
        heading: panel.heading.clone(),
        keys: Vec::new(),
        x: Across::names(panel.groups.iter()),
        x_label: b.x_label.clone(),
        y,
        y_label: b.y_label.clone(),
        marks: panel.marks(rows, b.points),
    };
    Ok(Chart {
        title: b.title.clone(),
        grid: b.grid(),
        panels: b.panels.iter().zip(&panels).map(draw).collect(),
        legend,
        caption: caption(&marks, ("value", &b.sample, "box"), &counts, BELOW),
    })
}

/// Checks the series of `panel` and sorts the values.
fn rows(panel: &BoxPanel) -> Result<Vec<Row<'_>>, FigureError> {
    let groups = panel.groups.len();
    if groups == 0 || panel.series.is_empty() {
        return Err(FigureError::NoSeries);
    }
    let check = |label: &str, got: usize, optional: bool| {
        let label = label.to_owned();
        match got == groups || (optional && got == 0) {
            true => Ok(()),
            false => Err(FigureError::Groups { label, got, groups }),
        }
    };
    check("references", panel.references.len(), true)?;
    for series in &panel.series {
        check(&series.label, series.values.len(), false)?;
        check(&series.label, series.marks.len(), true)?;
    }
    let sample = |values: &Vec<f64>| Sample::new(values.iter().copied());
    let row = |s: &'_ BoxSeries| s.values.iter().map(sample).collect();
    Ok(panel.series.iter().map(|s| (s, row(s))).collect())
}

impl BoxPanel {
    /// The boxes side by side in each group, the marks above them, and the reference line across.
    fn marks(&self, rows: &[Row], points: bool) -> Vec<Mark> {
        let room = FILLED / rows.len() as f64;
        let mut marks = Vec::new();
        for g in 0..self.groups.len() {
            let left = g as f64 + 1.0 - FILLED / 2.0;
            for (s, (series, samples)) in rows.iter().enumerate() {
                let x = left + room * (s as f64 + 0.5);
                marks.push(Mark::Box(Boxed {
                    x,
                    room,
                    look: series.colour.look(),
                    sample: samples[g].clone(),
                    points,
                }));
                if let Some(mark) = series.marks.get(g) {
                    marks.push(Mark::Text(x, mark.clone(), At::Top(room)));
                }
            }
            if let Some(&y) = self.references.get(g).filter(|y| y.is_finite()) {
                let across = vec![(left, y), (left + FILLED, y)];
                marks.push(Mark::Line(across, RULE, 1.0));
            }
        }
        marks
    }
}

impl BoxPlots {
    /// Places panels side by side if the boxes have enough space.
    fn grid(&self) -> Grid {
        let boxes = |p: &BoxPanel| p.groups.len() * p.series.len();
        let most = self.panels.iter().map(boxes).max().unwrap_or(0) as f64;
        let grid = |columns| Grid::new(self.panels.len(), columns, HEIGHT);
        let fits = |&columns: &usize| grid(columns).width >= NARROWEST * most;
        grid([3, 2].into_iter().find(fits).unwrap_or(1))
    }
}
