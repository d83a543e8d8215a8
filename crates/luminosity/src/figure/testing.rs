//! What must hold for every figure of panels.

use super::text::text_width;
use super::{Figure, FigureError, WIDTH};

/// Extent of a level text on the canvas.
#[derive(Debug)]
struct Extent {
    text: String,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

/// Draws a figure and checks that it holds `texts`, that drawing it again gives the same bytes,
/// that all numbers are finite, and that level texts lie on the canvas and apart.
pub(super) fn check(draw: impl Fn() -> Result<Figure, FigureError>, texts: &[&str]) -> Figure {
    let figure = draw().expect("a figure");
    assert_eq!(draw().as_ref(), Ok(&figure), "the same bytes");
    let svg = &figure.svg;
    let words: Vec<String> = svg.split("<text ").skip(1).map(content).collect();
    let words = words.join(" ");
    for text in texts {
        assert!(words.contains(text), "{text} in {words}");
    }
    assert!(!svg.contains("NaN") && !svg.contains("\"inf") && !svg.contains("\"-inf"));
    let height = attribute(svg, "viewBox").and_then(|v| v.rsplit(' ').next()?.parse().ok());
    let height: f64 = height.expect("a height");
    let extents = extents(svg);
    assert!(!extents.is_empty());
    for (i, a) in extents.iter().enumerate() {
        let inside = a.left >= 0.0 && a.right <= WIDTH && a.top >= 0.0 && a.bottom <= height;
        assert!(inside, "\"{}\" leaves the canvas: {a:?}", a.text);
        for b in &extents[..i] {
            let apart = a.right <= b.left || b.right <= a.left;
            assert!(
                apart || a.bottom <= b.top || b.bottom <= a.top,
                "{a:?} {b:?}"
            );
        }
    }
    figure
}

/// Number of elements `name` in a figure.
pub(super) fn count(figure: &Figure, name: &str) -> usize {
    figure.svg.matches(&format!("<{name} ")).count()
}

fn extents(svg: &str) -> Vec<Extent> {
    let level = svg
        .split("<text ")
        .skip(1)
        .filter(|t| !t.contains("rotate("));
    let extent = |element: &str| {
        let number = |name| attribute(element, name).and_then(|v| v.parse::<f64>().ok());
        let text = content(element);
        let size = number("font-size").expect("a size");
        let width = text_width(&text, size as u32);
        let x = number("x").expect("a place");
        let left = match attribute(element, "text-anchor") {
            Some("middle") => x - width / 2.0,
            Some("end") => x - width,
            _ => x,
        };
        let y = number("y").expect("a place");
        Extent {
            text,
            left,
            right: left + width,
            top: y - 0.7 * size,
            bottom: y + 0.1 * size,
        }
    };
    level.map(extent).collect()
}

/// What a text element says.
fn content(element: &str) -> String {
    let element = element.split("</text>").next().unwrap_or_default();
    let mut text = String::new();
    for part in element.split('>').skip(1) {
        text.push_str(part.split('<').next().unwrap_or_default().trim());
    }
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let start = format!("{name}=\"");
    let at = element.find(&start)? + start.len();
    element[at..].split('"').next()
}
