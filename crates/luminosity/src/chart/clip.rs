//! Clips lines and areas at the bottom of a plot area; y grows downwards.

use super::canvas::Point;

/// The point where the line from `a` to `b` crosses the height `floor`, if it does.
fn crossing(a: Point, b: Point, floor: f64) -> Option<Point> {
    let crosses = (a.1 > floor) != (b.1 > floor);
    let share = (floor - a.1) / (b.1 - a.1);
    crosses.then_some((a.0 + share * (b.0 - a.0), floor))
}

/// The parts of a line above `floor`.
pub fn line(points: &[Point], floor: f64) -> Vec<Vec<Point>> {
    let mut stretches = Vec::new();
    let mut stretch = Vec::new();
    for (i, &point) in points.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| points[i]);
        stretch.extend(before.and_then(|b| crossing(b, point, floor)));
        if point.1 <= floor {
            stretch.push(point);
        } else {
            stretches.push(std::mem::take(&mut stretch));
        }
    }
    stretches.push(stretch);
    stretches.retain(|s| s.len() > 1);
    stretches
}

/// The part of an area above `floor`.
pub fn area(outline: &[Point], floor: f64) -> Vec<Point> {
    let next = outline.iter().cycle().skip(1);
    let edges = outline.iter().zip(next);
    let kept = edges.flat_map(|(&a, &b)| {
        let corner = (a.1 <= floor).then_some(a);
        corner.into_iter().chain(crossing(a, b, floor))
    });
    kept.collect()
}
