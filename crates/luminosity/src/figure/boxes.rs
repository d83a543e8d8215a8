//! Box plots of one sample each, for every figure that has some.

use super::canvas::{Canvas, Point};
use super::legend::Swatch;
use super::panel::Axes;
use super::stats::Sample;
use super::{INK, Look, MUTED};

/// Most values drawn one by one over a box; more of them would hide it.
const MOST_POINTS: usize = 60;
/// Widest box.
const WIDEST: f64 = 40.0;

/// What stands for `samples` in a legend, and what the marks mean, for a caption.
pub(super) fn legend<'a>(
    samples: impl Iterator<Item = &'a Sample>,
    points: bool,
) -> (Swatch, String) {
    let dots = match samples.map(Sample::n).max() {
        None | Some(0 | 1) => return (Swatch::Marker, String::new()),
        Some(n) if points && n <= MOST_POINTS => "all values",
        Some(_) if points => "all values of a box of at most 60, or those beyond",
        Some(_) => "values beyond",
    };
    let marks = "Box: median and quartiles; whiskers: values within 1.5 interquartile ranges";
    (Swatch::Box, format!("{marks}; dots: {dots}."))
}

/// A place for a box on the canvas.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub x: f64,
    /// Width there is for it, air included.
    pub room: f64,
    pub look: Look,
}

impl Place {
    /// Draws the box of `sample`, with all of its values if there are few and `points` is set.
    pub fn draw(self, canvas: &mut Canvas, axes: &Axes, sample: &Sample, points: bool) {
        let (Some(quartiles), Some(whiskers)) = (sample.quartiles(), sample.whiskers()) else {
            return;
        };
        let half = (0.36 * self.room).min(WIDEST / 2.0);
        let radius = (0.16 * half).clamp(1.1, 2.0);
        if let [only] = sample.sorted[..] {
            if axes.below(only) {
                canvas.below((self.x, axes.area.bottom), self.look.hue);
            } else {
                let radius = (0.5 * half).clamp(1.6, 3.0);
                canvas.marker((self.x, axes.y(only)), radius, self.look);
            }
            return;
        }
        let [low, median, high] = quartiles.map(|v| axes.y(v));
        let hue = self.look.hue;
        for (from, to) in [(low, whiskers[0]), (high, whiskers[1])] {
            let (to, cap) = (axes.y(to), 0.45 * half);
            canvas.line(vec![(self.x, from), (self.x, to)], hue, 1.2);
            if to < axes.area.bottom {
                canvas.line(vec![(self.x - cap, to), (self.x + cap, to)], hue, 1.2);
            }
        }
        if !axes.below(quartiles[2]) {
            canvas.rectangle((self.x - half, high), (self.x + half, low), self.look);
        }
        let all = points && sample.n() <= MOST_POINTS;
        let beyond = |v: &&f64| all || !(whiskers[0]..=whiskers[1]).contains(*v);
        let shown = sample.sorted.iter().filter(beyond).enumerate();
        for (i, &value) in shown.filter(|(_, v)| !axes.below(**v)) {
            let aside = if all { spread(i) * 1.3 * half } else { 0.0 };
            canvas.dot((self.x + aside, axes.y(value)), radius, self.look);
        }
        if sample.sorted.iter().any(|&v| axes.below(v)) {
            canvas.below((self.x, axes.area.bottom), hue);
        }
        if !axes.below(quartiles[1]) {
            let median: Vec<Point> = vec![(self.x - half, median), (self.x + half, median)];
            canvas.line(median, hue, 2.2);
        }
    }
}

/// Offset of point `i`, between −½ and ½: neighbours in value lie far apart.
fn spread(i: usize) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    (0.5 + i as f64 * GOLDEN).fract() - 0.5
}

/// A dashed horizontal line at `value`.
pub(super) fn rule(canvas: &mut Canvas, axes: &Axes, value: f64, (from, to): (f64, f64)) {
    if value.is_finite() && !axes.below(value) {
        let y = axes.y(value);
        canvas.curve(vec![(from, y), (to, y)], RULE, 1.0);
    }
}

/// Look of reference lines.
pub(super) const RULE: Look = Look {
    hue: INK,
    second: true,
};

/// Look of diagonals and the like, behind the data.
pub(super) const GUIDE: Look = Look {
    hue: MUTED,
    second: true,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_lie_apart() {
        for i in 0..100 {
            assert!(spread(i).abs() <= 0.5);
            assert!((spread(i) - spread(i + 1)).abs() > 0.3);
        }
    }
}
