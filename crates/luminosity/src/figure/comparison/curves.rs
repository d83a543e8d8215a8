//! Panel B: mean accuracy after each epoch, with its deviation over the seeds.

use super::summary::Moments;
use super::{B, Condition};
use crate::figure::canvas::{Canvas, Frame, Point};
use crate::figure::scale::Scale;

/// Draws the panel between the heights `top` and `bottom`.
pub(super) fn draw(
    canvas: &mut Canvas,
    conditions: &[Condition],
    epochs: usize,
    (top, bottom): (f64, f64),
) {
    let moments = conditions.iter().flat_map(|c| &c.summary.curve);
    let map = canvas.axes(&Frame {
        left: B.0,
        top,
        right: B.1,
        bottom,
        x: Scale::epochs(epochs),
        y: Scale::percent(moments.flat_map(|m| m.extent()), 0.0),
        x_label: Some("epoch"),
        y_label: "test accuracy (%)",
        letter: "B",
    });
    // The only epoch has all conditions at one place: set them side by side.
    let aside = |i: usize| match epochs {
        1 => 0.6 * ((i as f64 + 0.5) / conditions.len() as f64 - 0.5),
        _ => 0.0,
    };
    let points = |i: usize, value: fn(&Moments) -> Option<f64>| -> Vec<Point> {
        let x = |epoch: usize| map.map_x(epoch as f64 + 1.0 + aside(i));
        let curve = conditions[i].summary.curve.iter().enumerate();
        curve
            .map_while(|(e, m)| Some((x(e), map.map_y(value(m)?))))
            .collect()
    };
    for (i, condition) in conditions.iter().enumerate() {
        let low = points(i, |m| m.band().map(|[low, _]| low));
        let high = points(i, |m| m.band().map(|[_, high]| high));
        if high.len() > 1 {
            canvas.band(&high, &low, condition.look);
        }
    }
    for (i, condition) in conditions.iter().enumerate() {
        let line = points(i, |m| Some(m.mean));
        match line[..] {
            [] => {}
            [only] => canvas.marker(only, 2.6, condition.look),
            _ => canvas.curve(line, condition.look, 1.6),
        }
    }
}
