//! Names of the categories along an x axis, rotated as little as the space allows.

use super::canvas::Canvas;
use super::mark::Axes;
use super::text::{text_width, wrap};
use super::{INK, NOTE, TICK};

/// The gap between the axis and the text.
const GAP: f64 = 7.0;
/// The distance of the lines under a label.
const LINE: f64 = 11.5;
/// The most lines of a description.
const MOST_LINES: usize = 3;
/// The slopes for labels that do not fit side by side, in degrees; they are upright if no slope is enough.
const SLOPES: [f64; 2] = [40.0, 60.0];

/// Labels and descriptions with their arrangement.
pub struct Names<'a> {
    names: &'a [(String, String)],
    /// The lines under each label; none if they do not all fit.
    lines: Vec<Vec<String>>,
    /// The slope in degrees, 0 for horizontal labels.
    slope: f64,
    /// The height below the axis, also for the labels of ticks if there are no names.
    pub height: f64,
}

impl<'a> Names<'a> {
    /// Fits pairs of label and description to the categories of an axis of `width` that starts at `left`.
    /// Descriptions that do not fit are dropped; labels that do not fit are rotated.
    pub fn new(names: &'a [(String, String)], left: f64, width: f64) -> Self {
        let (slot, size) = (width / names.len() as f64, f64::from(TICK.size));
        let room = slot - 5.0;
        let widths: Vec<f64> = names.iter().map(|n| text_width(&n.0, TICK)).collect();
        let suits = |slope: &f64| {
            let (sin, cos) = slope.to_radians().sin_cos();
            let start = |(i, width)| left + slot * (i as f64 + 0.5) - width * cos;
            let mut starts = widths.iter().enumerate().map(start);
            slot * sin >= 1.2 * size && starts.all(|x| x > 6.0)
        };
        let slope = match widths.iter().all(|width| *width <= room) {
            true => 0.0,
            false => SLOPES.into_iter().find(suits).unwrap_or(90.0),
        };
        let mut lines: Vec<_> = names.iter().map(|n| wrap(&n.1, NOTE, room)).collect();
        let fits = |line: &String| text_width(line, NOTE) <= room;
        let fit = |lines: &Vec<String>| lines.len() <= MOST_LINES && lines.iter().all(fits);
        if slope > 0.0 || !lines.iter().all(fit) {
            lines.clear();
        }
        let most = lines.iter().map(Vec::len).fold(0, usize::max) as f64;
        let drop = widths.iter().copied().fold(0.0, f64::max) * slope.to_radians().sin();
        Self {
            names,
            lines,
            slope,
            height: GAP + size + most * LINE + drop + 3.0,
        }
    }

    /// Whether the descriptions are drawn under the labels.
    pub fn describe(&self) -> bool {
        !self.lines.is_empty()
    }

    /// Draws the names below the x axis.
    pub fn draw(&self, canvas: &mut Canvas, axes: &Axes) {
        let (foot, size) = (axes.area.bottom, f64::from(TICK.size));
        for (i, (label, _)) in self.names.iter().enumerate() {
            let x = axes.x(i as f64 + 1.0);
            canvas.line(vec![(x, foot), (x, foot + 4.0)], INK, 1.0);
            if self.slope > 0.0 {
                let (sin, cos) = self.slope.to_radians().sin_cos();
                let at = (x + 0.35 * size * sin, foot + GAP + 0.7 * size * cos);
                canvas.text(at, label, TICK.turned(-self.slope));
                continue;
            }
            let baseline = foot + GAP + size * 0.8;
            canvas.text((x, baseline), label, TICK.centred());
            if let Some(lines) = self.lines.get(i) {
                canvas.lines((x, baseline + LINE), LINE, lines, NOTE.centred());
            }
        }
    }
}
