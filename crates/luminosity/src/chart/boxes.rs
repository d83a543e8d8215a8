//! Box plots of samples.

use super::canvas::Canvas;
use super::legend::Swatch;
use super::mark::{Axes, Mark};
use super::{Look, Panel, Sample};

/// The most values that are drawn as points over a box; more would hide the box.
const MOST_POINTS: usize = 60;
/// The widest box.
const WIDEST: f64 = 40.0;

/// The legend's symbol for the boxes of `panels`, and the meaning of their marks for a caption.
pub fn describe(panels: &[Panel]) -> (Swatch, String) {
    let sizes = panels.iter().flat_map(|p| &p.counts).map(|count| count.n);
    let dots = match sizes.max().unwrap_or(0) {
        0 | 1 => return (Swatch::Marker, String::new()),
        2..=MOST_POINTS => "all values".to_owned(),
        _ => format!("all values of a box of at most {MOST_POINTS}, or those beyond"),
    };
    let marks = "Box: median and quartiles; whiskers: values within 1.5 interquartile ranges";
    (Swatch::Box, format!("{marks}; dots: {dots}."))
}

/// Draws a box in the width `room` around `x`, with all of its values if there are few. A single value is drawn
/// as a marker.
pub fn draw(canvas: &mut Canvas, axes: &Axes, (x, room): (f64, f64), sample: &Sample, look: Look) {
    let (Some(quartiles), Some(whiskers)) = (sample.quartiles(), sample.whiskers()) else {
        return;
    };
    let half = (0.36 * axes.width(room)).min(WIDEST / 2.0);
    if let [only] = sample.sorted[..] {
        let radius = (0.5 * half).clamp(1.6, 3.0);
        return axes.draw(canvas, &Mark::Marker((x, only), radius, look));
    }
    let (x, foot) = (axes.x(x), axes.area.bottom);
    let [low, median, high] = quartiles.map(|v| axes.y(v));
    let level = |y: f64, half: f64| vec![(x - half, y), (x + half, y)];
    for (from, to) in [(low, whiskers[0]), (high, whiskers[1])] {
        let to = axes.y(to);
        canvas.line(vec![(x, from), (x, to)], look.hue, 1.2);
        if to < foot {
            canvas.line(level(to, 0.45 * half), look.hue, 1.2);
        }
    }
    if !axes.below(quartiles[2]) {
        canvas.rectangle((x - half, high), (x + half, low), look);
    }
    let all = sample.n() <= MOST_POINTS;
    let beyond = |v: &&f64| all || !(whiskers[0]..=whiskers[1]).contains(*v);
    let shown = sample.sorted.iter().filter(beyond).enumerate();
    for (i, &value) in shown.filter(|(_, v)| !axes.below(**v)) {
        let aside = if all { spread(i) * 1.3 * half } else { 0.0 };
        let radius = (0.16 * half).clamp(1.1, 2.0);
        canvas.dot((x + aside, axes.y(value)), radius, look.hue);
    }
    if sample.sorted.iter().any(|&v| axes.below(v)) {
        canvas.below((x, foot), look.hue);
    }
    if !axes.below(quartiles[1]) {
        canvas.line(level(median, half), look.hue, 2.2);
    }
}

/// The offset of point `i`, between −½ and ½: neighbouring values get distant offsets.
fn spread(i: usize) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    (0.5 + i as f64 * GOLDEN).fract() - 0.5
}
