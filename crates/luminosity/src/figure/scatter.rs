//! Scatter plots of two accuracies, a point for each setting, coloured by level.

use super::caption::{BELOW, Count, caption, place};
use super::chart::{Across, Chart, Grid, Panel, letter};
use super::colour::Colour;
use super::legend::{Legend, Swatch};
use super::mark::{GUIDE, Mark};
use super::sample::{Sample, check};
use super::scale::{PERCENT, Scale, floored, percentages};
use super::{Figure, FigureError};

/// Pairs of accuracies in percent, in several panels.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scatter {
    /// Heading of the figure; may be empty.
    pub title: String,
    /// The names of the levels in order, such as "ε = 0.25": one colour each, at most 6.
    pub levels: Vec<String>,
    /// The noun for one point, such as "setting".
    pub sample: String,
    /// The lowest start of the axes. Points below are drawn on the edge as triangles and counted in the
    /// caption.
    pub floor: Option<f64>,
    /// The panels, side by side.
    pub panels: Vec<ScatterPanel>,
}

/// One condition against another.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScatterPanel {
    /// Heading of the panel; may be empty.
    pub heading: String,
    /// Label of the x axis with its unit.
    pub x_label: String,
    /// Label of the y axis with its unit.
    pub y_label: String,
    /// A remark above the plot, such as the result of a test; may be empty.
    pub note: String,
    /// The pairs (x, y) of each level. A pair with a non-finite value is left out and counted in the caption.
    pub points: Vec<Vec<(f64, f64)>>,
}

/// The widest plot area.
const WIDEST: f64 = 250.0;

/// Draws the panels of `s`, each with equal axes and the diagonal.
///
/// # Errors
///
/// See [`FigureError`]; no input makes this panic.
pub fn scatter(s: &Scatter) -> Result<Figure, FigureError> {
    chart(s)?.draw()
}

pub(super) fn chart(s: &Scatter) -> Result<Chart, FigureError> {
    let count = s.levels.len();
    let look = |index| Colour::Level { index, count }.look();
    for panel in &s.panels {
        panel.check(count)?;
    }
    let samples: Vec<Vec<Sample>> = s.panels.iter().map(ScatterPanel::lowest).collect();
    let lowest = || samples.iter().flatten();
    check(lowest(), s.panels.len())?;
    let bounds = floored(PERCENT, s.floor, lowest().flat_map(|s| &s.sorted).copied());
    let grid = Grid::squares(s.panels.len(), WIDEST);
    let (mut panels, mut counts) = (Vec::new(), Vec::new());
    for (i, (panel, samples)) in s.panels.iter().zip(&samples).enumerate() {
        let values = panel.pairs().flat_map(|(_, (x, y))| [x, y]);
        let scale = Scale::spanning(values, bounds, 0.0, grid.width / 32.0);
        counts.extend(s.levels.iter().zip(samples).map(|(level, sample)| {
            let place = place(&[&letter(i, s.panels.len()), level]);
            Count::of(place, sample, |v| v < scale.min)
        }));
        let diagonal = [scale.min, scale.max].map(|v| (v, v)).to_vec();
        let mut marks = vec![Mark::Line(diagonal, GUIDE, 1.0)];
        // Levels alternate, so that no level covers all others.
        let mut pairs: Vec<_> = panel.pairs().collect();
        pairs.sort_by_key(|&((_, setting), _)| setting);
        let points = pairs.into_iter();
        marks.extend(points.map(|((level, _), pair)| Mark::Point(pair, look(level))));
        let note = Some(panel.note.clone()).filter(|note| !note.is_empty());
        panels.push(Panel {
            heading: panel.heading.clone(),
            keys: note.map(|note| (None, note)).into_iter().collect(),
            x: Across::Numbers(scale),
            x_label: panel.x_label.clone(),
            y: scale,
            y_label: panel.y_label.clone(),
            marks,
        });
    }
    let each = match s.panels.len() {
        1 => "colour",
        _ => "colour and panel",
    };
    let levels = s.levels.iter().enumerate();
    let size = ("point", s.sample.as_str(), each);
    Ok(Chart {
        title: s.title.clone(),
        grid,
        panels,
        legend: Legend::of(Swatch::Point, levels.map(|(i, l)| (l.as_str(), look(i)))),
        caption: caption("Dashed: equal accuracy.", size, &counts, BELOW),
    })
}

impl ScatterPanel {
    /// The complete pairs, each with its level and its position in the level.
    fn pairs(&self) -> impl Iterator<Item = ((usize, usize), (f64, f64))> {
        let levels = self.points.iter().enumerate();
        let all = levels.flat_map(|(l, p)| p.iter().enumerate().map(move |(i, &p)| ((l, i), p)));
        all.filter(|(_, (x, y))| x.is_finite() && y.is_finite())
    }

    /// The smaller value of each pair, for each level; a non-finite value is missing.
    fn lowest(&self) -> Vec<Sample> {
        let lower = |&(x, y): &(f64, f64)| {
            if (x + y).is_finite() {
                x.min(y)
            } else {
                f64::NAN
            }
        };
        let levels = self.points.iter();
        levels
            .map(|level| Sample::new(level.iter().map(lower)))
            .collect()
    }

    fn check(&self, groups: usize) -> Result<(), FigureError> {
        let (label, got) = (self.y_label.clone(), self.points.len());
        if got != groups {
            return Err(FigureError::Groups { label, got, groups });
        }
        percentages(&self.y_label, self.points.iter().flatten().map(|p| p.1))?;
        percentages(&self.x_label, self.points.iter().flatten().map(|p| p.0))
    }
}
