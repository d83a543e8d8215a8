//! Names of the categories along an x axis, rotated as little as the space allows.

use super::canvas::Canvas;
use super::text::{Type, text_width, wrap};
use super::{INK, MUTED, SMALL, TICK};

/// The gap between the axis and the text.
const GAP: f64 = 7.0;
/// The distance of the lines under a label.
const LINE: f64 = 11.5;
/// The most lines of a description.
const MOST_LINES: usize = 3;
/// The slopes for labels that do not fit side by side, in degrees.
const SLOPES: [f64; 3] = [40.0, 60.0, 90.0];

/// Labels and descriptions with their arrangement.
pub struct Names<'a> {
    labels: Vec<&'a str>,
    /// The lines under each label; none if they do not all fit.
    lines: Vec<Vec<String>>,
    /// The slope in degrees, 0 for horizontal labels.
    slope: f64,
    /// Their height below the axis.
    pub height: f64,
}

impl<'a> Names<'a> {
    /// Fits pairs of label and description to the categories of an axis of `width` that starts at `left`.
    /// Descriptions that do not fit are dropped; labels that do not fit are rotated.
    pub fn new(names: &'a [(String, String)], left: f64, width: f64) -> Self {
        let labels: Vec<&str> = names.iter().map(|n| n.0.as_str()).collect();
        let slot = width / labels.len() as f64;
        let room = slot - 5.0;
        let lines: Vec<_> = names.iter().map(|n| wrap(&n.1, SMALL, room)).collect();
        let fits = |text: &str, size| text_width(text, size) <= room;
        let size = f64::from(TICK);
        if labels.iter().all(|l| fits(l, TICK)) {
            let described = lines.iter().flatten().all(|l| fits(l, SMALL))
                && lines.iter().all(|l| l.len() <= MOST_LINES);
            let lines = if described { lines } else { Vec::new() };
            let most = lines.iter().map(Vec::len).fold(0, usize::max) as f64;
            return Self {
                labels,
                lines,
                slope: 0.0,
                height: GAP + size + most * LINE,
            };
        }
        let on_canvas = |slope: f64| {
            let reach = |(i, l): (usize, &&str)| {
                let x = left + slot * (i as f64 + 0.5);
                x - text_width(l, TICK) * slope.to_radians().cos()
            };
            labels.iter().enumerate().map(reach).all(|x| x > 6.0)
        };
        let apart = |slope: f64| slot * slope.to_radians().sin() >= 1.2 * size;
        let slope = SLOPES.into_iter().find(|&s| on_canvas(s) && apart(s));
        let slope = slope.unwrap_or(90.0);
        let longest = labels.iter().map(|l| text_width(l, TICK));
        let longest = longest.fold(0.0, f64::max);
        Self {
            lines: Vec::new(),
            slope,
            height: GAP + size + longest * slope.to_radians().sin(),
            labels,
        }
    }

    /// Number of categories.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether the descriptions are drawn under the labels.
    pub fn describe(&self) -> bool {
        !self.lines.is_empty()
    }

    /// Draws the names below the axis at `axis`, one at each of the positions `x`.
    pub fn draw(&self, canvas: &mut Canvas, x: &[f64], axis: f64) {
        let size = f64::from(TICK);
        for (i, (label, &x)) in self.labels.iter().zip(x).enumerate() {
            canvas.line(vec![(x, axis), (x, axis + 4.0)], INK, 1.0);
            if self.slope > 0.0 {
                let turn = self.slope.to_radians();
                let at = (
                    x + 0.35 * size * turn.sin(),
                    axis + GAP + 0.7 * size * turn.cos(),
                );
                canvas.text(at, label, Type::new(TICK, INK).ending().turned(-self.slope));
                continue;
            }
            let baseline = axis + GAP + size * 0.8;
            canvas.text((x, baseline), label, Type::new(TICK, INK).centred());
            for (k, line) in self.lines.get(i).into_iter().flatten().enumerate() {
                let y = baseline + LINE * (k as f64 + 1.0);
                canvas.text((x, y), line, Type::new(SMALL, MUTED).centred());
            }
        }
    }
}
