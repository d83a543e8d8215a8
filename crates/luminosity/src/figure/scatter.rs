//! Accuracy against accuracy, a point for each setting, coloured by level.

use super::boxes::GUIDE;
use super::canvas::Canvas;
use super::caption::{BELOW, Count, caption, place};
use super::colour::Colour;
use super::legend::{Legend, Swatch};
use super::panel::{Across, Axes, Key, Panel};
use super::scale::{PERCENT, Scale, floored, percentages};
use super::sheet::{Grid, Sheet, letter};
use super::stats::{self, Sample};
use super::{Figure, FigureError, Look};

/// Pairs of accuracies in percent, in several panels.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scatter {
    /// Heading of the figure; may be empty.
    pub title: String,
    /// Names of the levels in order, such as "ε = 0.25": a colour each, at most 6.
    pub levels: Vec<String>,
    /// What gives a point, in the singular, such as "setting".
    pub sample: String,
    /// Where the axes start at the lowest. Points below lie on the edge, as triangles, and are
    /// counted in the caption.
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
    /// For each level its pairs (x, y). A pair with a value that is not finite is left out and
    /// counted in the caption.
    pub points: Vec<Vec<(f64, f64)>>,
}

/// Widest plot area.
const WIDEST: f64 = 250.0;

/// Draws the panels of `s`, each with equal axes and the diagonal.
///
/// # Errors
///
/// See [`FigureError`]; there is no input on which this panics.
pub fn scatter(s: &Scatter) -> Result<Figure, FigureError> {
    let count = s.levels.len();
    let looks: Vec<Look> = (0..count)
        .map(|index| Colour::Level { index, count }.look())
        .collect();
    for panel in &s.panels {
        panel.check(count)?;
    }
    let samples = s
        .panels
        .iter()
        .map(ScatterPanel::lowest)
        .collect::<Vec<_>>();
    stats::check(samples.iter(), s.panels.len())?;
    let lowest = samples.iter().flat_map(|s| &s.sorted).copied();
    let bounds = floored(PERCENT, s.floor, lowest);
    let grid = Grid::squares(s.panels.len(), WIDEST);
    let scales = s.panels.iter().map(|panel| {
        let values = panel.pairs().flat_map(|(_, (x, y))| [x, y]);
        Scale::spanning(values, bounds, 0.0, grid.width / 32.0)
    });
    let scales: Vec<Scale> = scales.collect();
    let panels = s.panels.iter().zip(&scales).map(|(panel, &scale)| Panel {
        heading: &panel.heading,
        keys: panel.keys(),
        x: Across::Numbers(scale),
        x_label: &panel.x_label,
        y: scale,
        y_label: &panel.y_label,
    });
    let each = match s.panels.len() {
        1 => "colour",
        _ => "colour and panel",
    };
    Sheet {
        title: &s.title,
        grid,
        panels: panels.collect(),
        legend: Legend::of(
            Swatch::Point,
            s.levels
                .iter()
                .map(String::as_str)
                .zip(looks.iter().copied()),
        ),
        caption: caption(
            "Dashed: equal accuracy.",
            ("point", &s.sample, each),
            &s.counts(&scales),
            BELOW,
        ),
    }
    .draw(|canvas, i, axes| {
        let scale = scales[i];
        let ends = [scale.min, scale.max].map(|v| axes.at(v, v));
        canvas.curve(ends.to_vec(), GUIDE, 1.0);
        // Settings in turn, so that no level covers all others.
        let mut pairs: Vec<_> = s.panels[i].pairs().collect();
        pairs.sort_by_key(|&((_, setting), _)| setting);
        for ((level, _), pair) in pairs {
            draw(canvas, axes, pair, looks[level]);
        }
    })
}

/// Draws one pair.
fn draw(canvas: &mut Canvas, axes: &Axes, (x, y): (f64, f64), look: Look) {
    let at = axes.at(x, y);
    if axes.below(x.min(y)) {
        canvas.below((at.0, at.1.min(axes.area.bottom)), look.hue);
    } else {
        let width = axes.area.right - axes.area.left;
        canvas.point(at, (width / 80.0).clamp(2.4, 3.0), look.hue);
    }
}

impl ScatterPanel {
    /// Pairs with both values, each with its level and its place in it.
    fn pairs(&self) -> impl Iterator<Item = ((usize, usize), (f64, f64))> {
        let levels = self.points.iter().enumerate();
        let all = levels.flat_map(|(l, p)| p.iter().enumerate().map(move |(i, &p)| ((l, i), p)));
        all.filter(|(_, (x, y))| x.is_finite() && y.is_finite())
    }

    /// The lower value of each pair.
    fn lowest(&self) -> Sample {
        Sample::new(self.pairs().map(|(_, (x, y))| x.min(y)))
    }

    fn check(&self, groups: usize) -> Result<(), FigureError> {
        if self.points.len() != groups {
            return Err(FigureError::Groups {
                label: self.y_label.clone(),
                got: self.points.len(),
                groups,
            });
        }
        percentages(&self.y_label, self.points.iter().flatten().map(|p| p.1))?;
        percentages(&self.x_label, self.points.iter().flatten().map(|p| p.0))
    }

    fn keys(&self) -> Vec<Key> {
        let text = self.note.clone();
        let note = (!text.is_empty()).then_some(Key { look: None, text });
        note.into_iter().collect()
    }
}

impl Scatter {
    /// The points of each level in each panel.
    fn counts(&self, scales: &[Scale]) -> Vec<Count> {
        let panels = self.panels.iter().zip(scales).enumerate();
        let levels = panels.flat_map(|(i, (panel, scale))| {
            self.levels.iter().enumerate().map(move |(l, name)| {
                let pairs = panel.pairs().filter(|((level, _), _)| *level == l);
                let lowest: Vec<f64> = pairs.map(|(_, (x, y))| x.min(y)).collect();
                Count {
                    place: place(&[&letter(i, self.panels.len()), name]),
                    n: lowest.len(),
                    missing: panel.points[l].len() - lowest.len(),
                    off: lowest.iter().filter(|&&v| v < scale.min).count(),
                }
            })
        });
        levels.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::testing::{check, count};

    fn example(panels: usize, n: usize) -> Scatter {
        let level = |l: usize| {
            let pair = |i: usize| (80.0 + (i * 7 % 10) as f64 - l as f64, 82.0 + (i % 7) as f64);
            (0..n).map(pair).collect()
        };
        let panel = |i: usize| ScatterPanel {
            heading: String::new(),
            x_label: "ln+ accuracy (%)".to_owned(),
            y_label: format!("inorm {i} accuracy (%)"),
            note: "p < 0.05".to_owned(),
            points: (0..4).map(level).collect(),
        };
        Scatter {
            title: "Title".to_owned(),
            levels: (0..4).map(|l| format!("ε = 0.{l}")).collect(),
            sample: "setting".to_owned(),
            floor: None,
            panels: (0..panels).map(panel).collect(),
        }
    }

    #[test]
    fn every_pair_is_a_point() {
        for (panels, n) in [(1, 1), (2, 30), (3, 8), (4, 2), (6, 30)] {
            let s = example(panels, n);
            let texts = [
                "Title",
                "ln+ accuracy (%)",
                "inorm 0",
                "ε = 0.3",
                "p < 0.05",
            ];
            let figure = check(|| scatter(&s), &texts);
            assert!(figure.svg.contains(&format!("n = {n} per colour")));
            assert_eq!(count(&figure, "circle"), 4 * n * panels + 4);
        }
    }

    #[test]
    fn missing_and_low_points_are_counted() {
        let mut s = example(2, 8);
        s.panels[1].points[2][3].0 = f64::NAN;
        s.panels[0].points[1][5].1 = 10.0;
        s.floor = Some(70.0);
        let texts = [
            "below the axis (A, ε = 0.1: 1)",
            "(B, ε = 0.2: 1)",
            "n = 7 to 8",
        ];
        let figure = check(|| scatter(&s), &texts);
        assert_eq!(count(&figure, "circle"), 4 * 8 * 2 + 4 - 2);
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        assert_eq!(scatter(&Scatter::default()), Err(FigureError::NoSeries));
        assert_eq!(scatter(&example(1, 0)), Err(FigureError::NoFiniteValue));
        let mut s = example(1, 1);
        s.panels[0].points.pop();
        let error = scatter(&s);
        assert!(matches!(
            error,
            Err(FigureError::Groups {
                got: 3,
                groups: 4,
                ..
            })
        ));
        let mut s = example(1, 1);
        s.panels[0].points[0][0].0 = 101.0;
        let error = scatter(&s);
        assert!(matches!(
            error,
            Err(FigureError::NotAPercentage { value: 101.0, .. })
        ));
    }
}
