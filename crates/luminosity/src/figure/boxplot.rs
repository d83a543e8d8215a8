//! Box plots of several conditions in several groups.

use super::boxes::{self, Place, RULE, rule};
use super::canvas::Canvas;
use super::caption::{BELOW, Count, caption, place};
use super::colour::Colour;
use super::legend::{Legend, Swatch};
use super::panel::{Across, Axes, Panel};
use super::scale::{Scale, UNBOUNDED, floored};
use super::sheet::{Grid, Sheet, letter};
use super::stats::{self, Sample};
use super::text::{Type, text_width};
use super::{Figure, FigureError, INK, Look, SMALL};

/// Box plots in panels that share their y axis.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BoxPlots {
    /// Heading of the figure; may be empty.
    pub title: String,
    /// Label of the x axes; may be empty.
    pub x_label: String,
    /// Label of the y axis with its unit.
    pub y_label: String,
    /// What gives a value, in the singular, such as "setting".
    pub sample: String,
    /// Where the y axis starts at the lowest. Values below count in the box, but are drawn as
    /// triangles at the edge and counted in the caption.
    pub floor: Option<f64>,
    /// Whether to draw all values over a box of at most 60, rather than its outliers alone.
    pub points: bool,
    /// What [`BoxPanel::references`] are, for the legend.
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
    /// The series in order of appearance.
    pub series: Vec<BoxSeries>,
    /// For each group the height of a reference line, NaN for none; may be empty.
    pub references: Vec<f64>,
}

/// One condition in all groups.
#[derive(Debug, Clone, PartialEq)]
pub struct BoxSeries {
    /// Name in the legend; an empty one is left out there.
    pub label: String,
    /// Colour.
    pub colour: Colour,
    /// The values of each group. Those not finite are left out and counted in the caption.
    pub values: Vec<Vec<f64>>,
    /// A mark such as "***" for each group, above its box; may be empty.
    pub marks: Vec<String>,
}

/// Height of a plot area.
const HEIGHT: f64 = 185.0;
/// Narrowest room of a box in which panels go side by side.
const NARROWEST: f64 = 16.0;
/// Share of a group that its boxes fill.
const FILLED: f64 = 0.86;

/// The boxes of one series.
struct Row<'a> {
    series: &'a BoxSeries,
    look: Look,
    samples: Vec<Sample>,
}

/// Draws the panels of `b`.
///
/// # Errors
///
/// See [`FigureError`]; there is no input on which this panics.
pub fn box_plots(b: &BoxPlots) -> Result<Figure, FigureError> {
    let panels = b.panels.iter().map(rows);
    let panels: Vec<Vec<Row>> = panels.collect::<Result<_, _>>()?;
    let all = || panels.iter().flatten();
    let samples = || all().flat_map(|row| &row.samples);
    stats::check(samples(), b.panels.len())?;
    let references = b.panels.iter().flat_map(|p| &p.references);
    let references = Sample::new(references.copied());
    let sorted = || samples().flat_map(|s| &s.sorted).copied();
    let bounds = floored(UNBOUNDED, b.floor, sorted());
    let values = sorted().chain(references.sorted.iter().copied());
    let marked = all().any(|row| row.series.marks.iter().any(|m| !m.is_empty()));
    let headroom = if marked { 0.12 } else { 0.0 };
    let scale = Scale::spanning(values, bounds, headroom, 6.0);

    let (swatch, marks) = boxes::legend(samples(), b.points);
    let mut legend = Legend::of(
        swatch,
        all().map(|row| (row.series.label.as_str(), row.look)),
    );
    if references.n() > 0 {
        legend.extend(Legend::of(
            Swatch::Line,
            [(b.reference.as_str(), RULE)].into_iter(),
        ));
    }
    let sheets = b.panels.iter().map(|panel| Panel {
        heading: &panel.heading,
        keys: Vec::new(),
        x: Across::Names(panel.groups.iter().map(String::as_str).collect()),
        x_label: &b.x_label,
        y: scale,
        y_label: &b.y_label,
    });
    Sheet {
        title: &b.title,
        grid: b.grid(),
        panels: sheets.collect(),
        legend,
        caption: caption(
            &marks,
            ("value", &b.sample, "box"),
            &b.counts(&panels, scale),
            BELOW,
        ),
    }
    .draw(|canvas, i, axes| draw(canvas, axes, (&b.panels[i], &panels[i]), b.points))
}

/// Checks the series of `panel` and sorts their values.
fn rows<'a>(panel: &'a BoxPanel) -> Result<Vec<Row<'a>>, FigureError> {
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
    let row = |series: &'a BoxSeries| {
        let BoxSeries { label, values, .. } = series;
        check(label, values.len(), false)?;
        check(label, series.marks.len(), true)?;
        Ok(Row {
            series,
            look: series.colour.look(),
            samples: values
                .iter()
                .map(|v| Sample::new(v.iter().copied()))
                .collect(),
        })
    };
    panel.series.iter().map(row).collect()
}

/// Draws the references, boxes and marks of a panel.
fn draw(canvas: &mut Canvas, axes: &Axes, (panel, rows): (&BoxPanel, &[Row]), points: bool) {
    let filled = FILLED * axes.slot();
    let room = filled / rows.len() as f64;
    for (g, _) in panel.groups.iter().enumerate() {
        let left = axes.x(g as f64 + 1.0) - filled / 2.0;
        for (s, row) in rows.iter().enumerate() {
            let x = left + room * (s as f64 + 0.5);
            let look = row.look;
            let sample = &row.samples[g];
            Place { x, room, look }.draw(canvas, axes, sample, points);
            if let Some(mark) = row.series.marks.get(g) {
                let style = Type::new(SMALL, INK);
                if text_width(mark, SMALL) <= room {
                    canvas.text((x, axes.area.top + 9.0), mark, style.centred());
                } else {
                    // Stars stand high on their line.
                    let aside = if mark.contains('*') { 5.5 } else { 3.0 };
                    let at = (x + aside, axes.area.top + 2.0);
                    canvas.text(at, mark, style.ending().turned(-90.0));
                }
            }
        }
        if let Some(&reference) = panel.references.get(g) {
            rule(canvas, axes, reference, (left, left + filled));
        }
    }
}

impl BoxPlots {
    /// Panels side by side as far as the boxes have room.
    fn grid(&self) -> Grid {
        let boxes = |p: &BoxPanel| p.groups.len() * p.series.len();
        let most = self.panels.iter().map(boxes).max().unwrap_or(0) as f64;
        let grid = |columns| Grid::new(self.panels.len(), columns, HEIGHT);
        let fits = |&columns: &usize| grid(columns).width >= NARROWEST * most;
        grid([3, 2].into_iter().find(fits).unwrap_or(1))
    }

    fn counts(&self, panels: &[Vec<Row>], scale: Scale) -> Vec<Count> {
        let mut counts = Vec::new();
        for (i, (panel, rows)) in self.panels.iter().zip(panels).enumerate() {
            let letter = letter(i, self.panels.len());
            for row in rows {
                let boxes = panel.groups.iter().zip(&row.samples);
                counts.extend(boxes.map(|(group, sample)| Count {
                    place: place(&[&letter, &row.series.label, group]),
                    n: sample.n(),
                    missing: sample.missing,
                    off: sample.sorted.iter().filter(|&&v| v < scale.min).count(),
                }));
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests;
