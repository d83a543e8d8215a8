//! Panel B: mean accuracy after each epoch, with its deviation over the seeds.

use super::summary::Moments;
use super::{B, Condition, accuracy_scale};
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
        x: epoch_scale(epochs),
        y: accuracy_scale(moments.flat_map(|m| m.extent()), 0.0),
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

/// Scale of `epochs` epochs: a tick each for a few, from 0 in round steps for more.
fn epoch_scale(epochs: usize) -> Scale {
    let last = epochs as f64;
    if epochs < 10 {
        return Scale {
            min: 0.5,
            max: last + 0.5,
            step: 1.0,
        };
    }
    let steps = [2.0, 5.0, 10.0, 20.0, 50.0, 100.0];
    let step = steps.into_iter().find(|s| last / s <= 6.0);
    Scale {
        min: 0.0,
        max: last,
        step: step.unwrap_or_else(|| (last / 5.0).ceil()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_have_a_few_round_ticks() {
        let ticks = |epochs| {
            let scale = epoch_scale(epochs);
            ((scale.max - scale.min) / scale.step) as usize
        };
        assert_eq!(epoch_scale(1).min, 0.5);
        assert_eq!(epoch_scale(25).step, 5.0);
        assert!((10..=2000).all(|e| (2..=6).contains(&ticks(e))));
    }
}
