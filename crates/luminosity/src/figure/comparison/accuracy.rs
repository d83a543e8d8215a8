//! Panel A: the final accuracy of each run, and their mean.

use kuva::render::layout::ComputedLayout;

use super::summary::Moments;
use super::{A, Condition};
use crate::figure::canvas::{Canvas, Frame, Point};
use crate::figure::scale::Scale;
use crate::figure::text::Type;
use crate::figure::{INK, Look, MUTED, SMALL};

/// Widest share of the axis a condition's marks use.
const WIDEST: f64 = 80.0;
/// Narrowest share of the axis that holds the number of a mean.
const NUMBERED: f64 = 28.0;

/// Whether there is room for the means in digits.
pub(super) fn numbered(conditions: usize) -> bool {
    (A.1 - A.0) / conditions as f64 >= NUMBERED
}

/// Draws the panel between the heights `top` and `bottom`; the result is the place of each
/// condition on the x axis.
pub(super) fn draw(
    canvas: &mut Canvas,
    conditions: &[Condition],
    (top, bottom): (f64, f64),
) -> Vec<f64> {
    let map = canvas.axes(&Frame {
        left: A.0,
        top,
        right: A.1,
        bottom,
        x: Scale::categories(conditions.len()),
        y: Scale::percent(conditions.iter().flat_map(extent), 0.1),
        x_label: None,
        y_label: "final test accuracy (%)",
        letter: "A",
    });
    let slot = (A.1 - A.0) / conditions.len() as f64;
    let place = |i: usize| map.map_x(i as f64 + 1.0);
    for (i, condition) in conditions.iter().enumerate() {
        let column = Column {
            map: &map,
            x: place(i),
            width: slot.min(WIDEST),
            look: condition.look,
        };
        let finals = &condition.summary.finals;
        match Moments::of(&condition.summary.finished()) {
            None => {
                let style = Type::new(SMALL, MUTED).centred().turned(-90.0);
                let at = (column.x + 3.0, (top + bottom) / 2.0);
                canvas.text(at, "diverged", style);
            }
            Some(moments) => {
                if finals.len() > 1 {
                    column.seeds(canvas, finals);
                    column.mean(canvas, moments, 0.2 * column.width);
                } else {
                    column.mean(canvas, moments, 0.0);
                }
                if numbered(conditions.len()) {
                    column.number(canvas, condition, moments.mean, top);
                }
            }
        }
    }
    (0..conditions.len()).map(place).collect()
}

/// The values that the marks of a condition reach.
fn extent(condition: &Condition) -> Vec<f64> {
    let mut values = condition.summary.finished();
    if let Some(moments) = Moments::of(&values) {
        values.extend(moments.extent());
    }
    values
}

/// The marks of one condition, around `x`.
struct Column<'a> {
    map: &'a ComputedLayout,
    x: f64,
    width: f64,
    look: Look,
}

impl Column<'_> {
    fn radius(&self) -> f64 {
        (0.07 * self.width).clamp(1.8, 3.2)
    }

    /// A dot for each run, every seed at the same offset in all conditions.
    fn seeds(&self, canvas: &mut Canvas, finals: &[Option<f64>]) {
        for (k, value) in finals.iter().enumerate() {
            let Some(value) = *value else { continue };
            let along = (k as f64 + 0.5) / finals.len() as f64 - 0.5;
            let x = self.x + self.width * (0.34 * along - 0.12);
            canvas.dot((x, self.map.map_y(value)), self.radius(), self.look);
        }
    }

    /// Marker at the mean, `aside` of the middle, and a bar of a deviation either way.
    fn mean(&self, canvas: &mut Canvas, moments: Moments, aside: f64) {
        let (x, hue, cap) = (self.x + aside, self.look.hue, self.radius());
        if let Some(ends) = moments.band() {
            let [low, high] = ends.map(|v| self.map.map_y(v));
            canvas.line(vec![(x, low), (x, high)], hue, 1.4);
            // Caps that the marker would half hide only blur its shape.
            if low - high > 2.0 * self.radius() {
                for y in [low, high] {
                    canvas.line(vec![(x - cap, y), (x + cap, y)], hue, 1.4);
                }
            }
        }
        canvas.marker((x, self.map.map_y(moments.mean)), self.radius(), self.look);
    }

    /// The mean in digits above the marks, or below them at the very top.
    fn number(&self, canvas: &mut Canvas, condition: &Condition, mean: f64, top: f64) {
        let marks = extent(condition).into_iter().map(|v| self.map.map_y(v));
        let (high, low) = marks.fold((f64::INFINITY, 0.0), |(a, b), y| (y.min(a), y.max(b)));
        let above = high - self.radius() - 4.0;
        let y = if above - 7.0 > top {
            above
        } else {
            low + self.radius() + 11.0
        };
        let at: Point = (self.x, y);
        canvas.text(at, &format!("{mean:.1}"), Type::new(SMALL, INK).centred());
    }
}
