//! Dashed lines.

use super::canvas::Point;

/// Lengths of dash and gap.
const DASH: [f64; 2] = [5.0, 2.5];

/// Cuts a line into dashes along its length.
///
/// The raster backend would start the dash pattern afresh at every vertex, which turns a line
/// of short segments solid.
pub(super) fn dashes(points: &[Point]) -> Vec<Vec<Point>> {
    let mut dashes = Vec::new();
    let mut phase = 0;
    let mut left = DASH[0];
    let mut dash: Vec<Point> = points.first().copied().into_iter().collect();
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        loop {
            let (dx, dy) = (to.0 - from.0, to.1 - from.1);
            let length = dx.hypot(dy);
            if length < left {
                left -= length;
                if phase == 0 && length > 0.0 {
                    dash.push(to);
                }
                break;
            }
            from = (from.0 + dx * left / length, from.1 + dy * left / length);
            if phase == 0 {
                dash.push(from);
                dashes.push(std::mem::take(&mut dash));
            } else {
                dash.push(from);
            }
            phase = 1 - phase;
            left = DASH[phase];
        }
    }
    if dash.len() > 1 {
        dashes.push(dash);
    }
    dashes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_run_through_vertices() {
        let points: Vec<Point> = (0..=30).map(|i| (f64::from(i), 0.0)).collect();
        let dashes = dashes(&points);
        let ends: Vec<Point> = dashes.iter().map(|d| (d[0].0, d[d.len() - 1].0)).collect();
        assert_eq!(ends, [(0.0, 5.0), (7.5, 12.5), (15.0, 20.0), (22.5, 27.5)]);
    }
}
