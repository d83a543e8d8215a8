//! Tests of the layout of charts and of their parts.

use std::collections::HashSet;

use super::canvas::Area;
use super::dash::dashes;
use super::text::text_width;
use super::*;
use crate::condition::{Condition, ConditionSpec, INORM_LATERAL, INORM_LEARNED_LATERAL};

fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let start = format!("{name}=\"");
    let at = element.find(&start)? + start.len();
    element[at..].split('"').next()
}

fn number(element: &str, name: &str) -> f64 {
    attribute(element, name).unwrap().parse().unwrap()
}

/// The text of a text element.
fn content(element: &str) -> String {
    let element = element.split("</text>").next().unwrap();
    let parts = element.split('>').skip(1);
    let text: String = parts.map(|p| p.split('<').next().unwrap().trim()).collect();
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// Left, top, right and bottom of a horizontal or vertical text element.
fn extent(element: &str) -> Option<[f64; 4]> {
    let [size, x, y] = ["font-size", "x", "y"].map(|name| number(element, name));
    let width = text_width(&content(element), Type::new(size as u32, INK));
    let before = match attribute(element, "text-anchor") {
        Some("middle") => width / 2.0,
        Some("end") => width,
        _ => 0.0,
    };
    let (up, down) = (0.7 * size, 0.1 * size);
    match element.split('>').next()?.split_once("rotate(") {
        None => Some([x - before, y - up, x - before + width, y + down]),
        Some((_, turn)) if turn.starts_with("-90") => {
            Some([x - up, y + before - width, x + down, y + before])
        }
        Some(_) => None,
    }
}

/// Draws `chart` and checks that it contains `texts`, names every series, is the same bytes when drawn again,
/// has finite numbers only, that texts are on the canvas and do not overlap, and that marks are inside the
/// axes.
pub fn check(chart: &Chart, texts: &[&str]) -> Figure {
    let figure = chart.draw().unwrap();
    assert_eq!(chart.draw().unwrap(), figure, "the same bytes");
    let svg = &figure.svg;
    for bad in ["NaN", "\"inf", "\"-inf"] {
        assert!(!svg.contains(bad), "{bad}");
    }
    let elements: Vec<&str> = svg.split("<text ").skip(1).collect();
    let words = elements.iter().map(|e| content(e));
    let words = words.collect::<Vec<_>>().join(" ");
    let labels = chart.legend.iter().map(|e| e.label.as_str());
    for text in texts.iter().copied().chain(labels) {
        assert!(words.contains(text), "{text} in {words}");
    }
    let (_, height) = attribute(svg, "viewBox").unwrap().rsplit_once(' ').unwrap();
    let height: f64 = height.parse().unwrap();
    let png = |at: usize| u32::from_be_bytes(figure.png[at..at + 4].try_into().unwrap());
    assert_eq!((png(16), png(20)), (2720, 4 * height as u32));
    let extents = elements.iter();
    let extents = extents.filter_map(|e| Some((extent(e)?, content(e))));
    let extents: Vec<_> = extents.collect();
    for (i, ([left, top, right, bottom], text)) in extents.iter().enumerate() {
        let inside = *left >= 0.0 && *right <= WIDTH && *top >= 0.0 && *bottom <= height;
        assert!(inside, "off the canvas: {text}");
        for ([l, t, r, b], other) in &extents[..i] {
            let apart = right <= l || r <= left || bottom <= t || b <= top;
            assert!(apart, "overlap: {text}, {other}");
        }
    }
    let areas = chart.areas();
    let foot = areas.iter().map(|a| a.bottom).fold(0.0, f64::max);
    for circle in svg.split("<circle ").skip(1) {
        let (x, y) = (number(circle, "cx"), number(circle, "cy"));
        let around = |a: &Area| (a.left..=a.right).contains(&x) && (a.top..=a.bottom).contains(&y);
        let inside = areas.iter().any(around);
        assert!(inside || y > foot, "a mark outside the axes at {x}, {y}");
    }
    figure
}

/// The number of dots and round markers.
pub fn circles(figure: &Figure) -> usize {
    figure.svg.matches("<circle ").count()
}

#[test]
fn charts_of_every_size_have_no_overlaps() {
    let panels = [0, 1, 1, 1, 3, 4, 6, 27];
    for (panels, names) in panels.into_iter().zip([0, 4, 11, 30, 2, 11, 6, 1]) {
        let labels = ["inorm", "inorm+full", "a<b&c", "inorm+learned-lateral"];
        let name = |i: usize| (labels[i % 4].to_owned(), "forward + error".to_owned());
        let y = Scale::new(0.0, 20.0, 5.0);
        let mark = |i: usize| Mark::Marker((i as f64 + 1.0, 9.0), 3.0, Look::further(i));
        let panel = |p: usize| Panel {
            heading: format!("panel {p}"),
            key: (Some(RULE), "outputs (n = 9)".to_owned()),
            x_label: "luminosity".to_owned(),
            marks: (0..names).map(mark).collect(),
            ..Panel::of_names((0..names).map(name).collect(), y, "accuracy (%)")
        };
        let entries = (0..names).map(|i| (format!("condition {i}"), Look::further(i)));
        let chart = Chart {
            title: "Title".to_owned(),
            grid: Grid::new(panels, 100.0),
            panels: (0..panels).map(panel).collect(),
            legend: Entry::all(Swatch::Line, entries),
            caption: "A caption of words. ".repeat(12),
        };
        let last = panels.checked_sub(1);
        let last = last.map(|p| [format!("panel {p}"), layout::letter(p, panels)]);
        let texts = last.iter().flatten().map(String::as_str);
        let texts: Vec<&str> = texts.chain(["Title", "of words"]).collect();
        check(&chart, &texts);
    }
    assert_eq!([0, 25, 26].map(|i| layout::letter(i, 27)), ["A", "Z", "AA"]);
}

#[test]
fn every_condition_has_a_look_and_the_first_differ() {
    let built_in = Condition::all();
    let looks = built_in.iter().map(|condition| condition.look());
    let looks = looks.chain((0..16).map(Look::further));
    assert_eq!(looks.collect::<HashSet<_>>().len(), built_in.len() + 16);
    assert_eq!(INORM_LEARNED_LATERAL.look().hue, INORM_LATERAL.look().hue);
    let levels = (0..16).map(|index| Look::level(index, 16));
    assert_eq!(levels.collect::<HashSet<_>>().len(), 16);
    Look::further(usize::MAX);
    let own = |look| {
        let spec = ConditionSpec {
            name: "own",
            description: "",
            look,
            hidden: INORM_LATERAL.hidden,
        };
        Condition::built_in(Box::leak(Box::new(spec))).look()
    };
    assert_eq!(own(None), Look::further(0));
    assert_eq!(
        own(Some(Look::new(look::GREEN, 1))),
        Look::new("#009E73", 1)
    );
    Look::level(9, 0);
}

#[test]
fn whiskers_end_at_values_outside_the_box() {
    let s = Sample::new([4.0, f64::NAN, 1.0, 3.0, 2.0, 5.0, 30.0, f64::INFINITY]);
    assert_eq!((s.n(), s.whiskers()), (6, Some([1.0, 5.0])));
    let skewed = Sample::new([0.0, 0.0, 0.0, 10.0, 100.0]);
    assert_eq!(skewed.whiskers(), Some([0.0, 10.0]));
}

#[test]
fn lines_are_cut_at_the_foot_and_dashed_through_vertices() {
    let line = [(0.0, 20.0), (1.0, 0.0), (2.0, 0.0), (3.0, 40.0), (4.0, 0.0)];
    let cut = clip::line(&line, 10.0);
    assert_eq!(cut[0], [(0.5, 10.0), (1.0, 0.0), (2.0, 0.0), (2.25, 10.0)]);
    assert_eq!(cut[1], [(3.75, 10.0), (4.0, 0.0)]);
    let square = [(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)];
    let half = [(0.0, 0.0), (2.0, 0.0), (2.0, 1.0), (0.0, 1.0)];
    assert_eq!(clip::area(&square, 1.0), half);
    let points: Vec<_> = (0..=30).map(|i| (f64::from(i), 0.0)).collect();
    let dashes = dashes(&points, &[5.0, 2.5]);
    let ends: Vec<_> = dashes.iter().map(|d| (d[0].0, d[d.len() - 1].0)).collect();
    assert_eq!(ends, [(0.0, 5.0), (7.5, 12.5), (15.0, 20.0), (22.5, 27.5)]);
}

#[test]
fn scales_hold_the_data_between_round_ticks() {
    let values = || [12.0, 81.0, 88.0].into_iter();
    let cut = Scale::spanning(values(), (75.0, 100.0), 0.0, 5.0);
    assert_eq!((cut.min, cut.max), (75.0, 89.0));
    assert_eq!(Scale::spanning(values(), UNBOUNDED, 0.0, 5.0).min, 8.0);
    // The quartiles are 80 and 81, so the axis starts 2 points below.
    let low = || [10.0, 80.0, 80.0, 81.0, 81.0].into_iter();
    assert_eq!(floored(PERCENT, low(), low()), (78.0, 100.0));
    for (values, shown) in [
        (vec![80.0, 81.0], 90.0),
        (low().collect(), 78.0),
        (vec![], 1.0),
    ] {
        let shown = [f64::NAN, shown].into_iter();
        assert_eq!(floored(PERCENT, values.into_iter(), shown), PERCENT);
    }
    let decades = Scale::decades([0.02, 1.0, 30.0].into_iter());
    assert_eq!((decades.min, decades.max, decades.step), (-2.0, 2.0, 1.0));
    let labels = [-5.0, -2.0, 0.0, 3.0, 6.0].map(|v| decades.format().format(v));
    assert_eq!(labels, ["1e-5", "0.01", "1", "1000", "1e6"]);
    let ticks = |s: Scale| ((s.max - s.min) / s.step) as usize;
    assert!((10..=2000).all(|e| (2..=6).contains(&ticks(Scale::epochs(e)))));
    let steps = [60, 600, 700].map(|epochs| Scale::epochs(epochs).step);
    assert_eq!(steps, [10.0, 100.0, 200.0]);
    let format = |step| Scale::new(0.0, 10.0, step).format().format(2.5);
    assert_eq!([0.5, 0.25, 5.0].map(format), ["2.5", "2.50", "2"]);
}
