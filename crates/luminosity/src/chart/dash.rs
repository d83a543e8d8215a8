//! Dashed lines.

use super::canvas::Point;

/// Cuts a line into dashes by `pattern`, alternating lengths of dash and gap.
///
/// The raster backend restarts the dash pattern at every vertex, so that a line of short segments would look
/// solid.
pub fn dashes(points: &[Point], pattern: &[f64]) -> Vec<Vec<Point>> {
    let mut dashes = Vec::new();
    let mut phase = 0;
    let mut left = pattern[0];
    let mut dash: Vec<Point> = points.first().copied().into_iter().collect();
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        loop {
            let (dx, dy) = (to.0 - from.0, to.1 - from.1);
            let length = dx.hypot(dy);
            if length < left {
                left -= length;
                if phase % 2 == 0 && length > 0.0 {
                    dash.push(to);
                }
                break;
            }
            from = (from.0 + dx * left / length, from.1 + dy * left / length);
            dash.push(from);
            if phase % 2 == 0 {
                dashes.push(std::mem::take(&mut dash));
            }
            phase = (phase + 1) % pattern.len();
            left = pattern[phase];
        }
    }
    if dash.len() > 1 {
        dashes.push(dash);
    }
    dashes
}
