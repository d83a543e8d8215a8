//! Learning curves.

use super::{Look, Mark, Panel, Scale};

/// Curves over epochs 1, 2, ..., moved to the right by a part of an epoch: low, middle and high at each epoch.
/// The bands between low and high lie under the lines.
pub fn curves<'a>(
    curves: impl Iterator<Item = (Look, f64, &'a [[f64; 3]])>,
    epochs: usize,
    y: Scale,
) -> Panel {
    let (mut bands, mut lines) = (Vec::new(), Vec::new());
    for (look, aside, points) in curves {
        let first = 1.0 + aside;
        if let [[_, middle, _]] = *points {
            lines.push(Mark::Marker((first, middle), 2.6, look));
            continue;
        }
        let edge = |k: usize| {
            let points = points.iter().enumerate();
            points.map(move |(i, point)| (first + i as f64, point[k]))
        };
        // A band needs several values.
        if points.iter().any(|[low, _, high]| high > low) {
            let outline = edge(2).chain(edge(0).rev()).collect();
            bands.push(Mark::Area(outline, look.hue, 0.15));
        }
        lines.push(Mark::Line(edge(1).collect(), look, 1.6));
    }
    bands.extend(lines);
    Panel {
        x_label: "epoch".to_owned(),
        marks: bands,
        ..Panel::new(Scale::epochs(epochs), y, "test accuracy (%)")
    }
}
