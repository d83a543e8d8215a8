//! Tests for all figures, and tests for single kinds of figures.

use std::collections::HashSet;

use super::boxplot::chart as box_chart;
use super::chart::Chart;
use super::comparison::chart as comparison_chart;
use super::dash::dashes;
use super::histogram::chart as histogram_chart;
use super::learning::chart as learning_chart;
use super::mark::Mark;
use super::moments::chart as moment_chart;
use super::sample::Sample;
use super::scale::{PERCENT, Scale, UNBOUNDED, floored};
use super::scatter::chart as scatter_chart;
use super::text::text_width;
use super::*;

/// Value `i` of condition `c` in group `p`, between 60 and 90.
fn value(c: usize, p: usize, i: usize) -> f64 {
    80.0 + (i * 7 % 10) as f64 - 0.5 * c as f64 - p as f64
}

fn compared(conditions: usize, seeds: usize, epochs: usize) -> Comparison<'static> {
    let labels = ["inorm", "inorm+full", "a<b&c", "inorm+learned-lateral"];
    let curve = |c, s| {
        (0..epochs)
            .map(|e| value(c, 0, s) - 10.0 / (e as f64 + 1.0))
            .collect()
    };
    let series = (0..conditions).map(|c| Series {
        label: labels[c % labels.len()],
        description: "forward + error",
        colour: None,
        curves: (0..seeds).map(|s| curve(c, s)).collect(),
    });
    Comparison {
        title: "Title".to_owned(),
        series: series.collect(),
    }
}

fn boxes(panels: usize, groups: usize, conditions: usize, n: usize) -> BoxPlots {
    let values = |c, g| (0..n).map(|i| value(c, g, i)).collect();
    let series = |c: usize| BoxSeries {
        label: format!("condition {c}"),
        colour: Colour::Condition(c),
        values: (0..groups).map(|g| values(c, g)).collect(),
        marks: vec!["***".to_owned(); groups],
    };
    let panel = |p: usize| BoxPanel {
        heading: format!("panel {p}"),
        groups: (0..groups).map(|g| format!("ε = 0.{g}")).collect(),
        series: (0..conditions).map(series).collect(),
        references: vec![85.0; groups],
    };
    BoxPlots {
        title: "Title".to_owned(),
        x_label: "luminosity".to_owned(),
        y_label: "accuracy (%)".to_owned(),
        sample: "setting".to_owned(),
        floor: None,
        points: true,
        reference: "median of ln+".to_owned(),
        panels: (0..panels).map(panel).collect(),
    }
}

fn bars(panels: usize, sets: usize, n: usize) -> Histograms {
    let set = |s: usize| HistogramSet {
        label: format!("set {s}"),
        colour: Colour::Condition(5),
        values: (0..n).map(|i| (i % 9) as f64 / 10.0).collect(),
    };
    let panel = |p: usize| Histogram {
        heading: format!("panel {p}"),
        x_label: "cosine similarity".to_owned(),
        range: (0.0, 1.0),
        bins: 20,
        sets: (0..sets).map(set).collect(),
    };
    Histograms {
        title: "Title".to_owned(),
        sample: "setting".to_owned(),
        unit: Unit::Count,
        panels: (0..panels).map(panel).collect(),
    }
}

fn curves(panels: usize, conditions: usize, n: usize, epochs: usize) -> LearningCurves {
    let run = |c, r| {
        (0..epochs)
            .map(|e| value(c, 0, r) - 9.0 / (e as f64 + 1.0))
            .collect()
    };
    let series = |c: usize| CurveSeries {
        label: format!("condition {c}"),
        colour: Colour::Condition(c),
        runs: (0..n).map(|r| run(c, r)).collect(),
    };
    let panel = |p: usize| CurvePanel {
        heading: format!("ε = 0.{p}"),
        series: (0..conditions).map(series).collect(),
    };
    LearningCurves {
        title: "Title".to_owned(),
        sample: "setting".to_owned(),
        floor: None,
        panels: (0..panels).map(panel).collect(),
    }
}

fn moments(layers: usize, conditions: usize, n: usize) -> MomentPlots {
    let spread = |i: usize, c: usize| 0.2 * 2f64.powi((i % 5 + c) as i32);
    let series = |c: usize| MomentSeries {
        label: format!("condition {c}"),
        colour: Colour::Condition(c),
        mean: (0..n).map(|i| (i % 5) as f64 / 5.0 - 0.4).collect(),
        variance: (0..n).map(|i| spread(i, c)).collect(),
    };
    let layer = |l: usize| MomentLayer {
        heading: format!("layer {l}"),
        series: (0..conditions).map(series).collect(),
    };
    MomentPlots {
        title: "Title".to_owned(),
        sample: "example".to_owned(),
        layers: (0..layers).map(layer).collect(),
    }
}

fn points(panels: usize, n: usize) -> Scatter {
    let level = |l| {
        (0..n)
            .map(|i| (value(l, 0, i), value(0, 1, i + 3)))
            .collect()
    };
    let panel = |i: usize| ScatterPanel {
        heading: String::new(),
        x_label: "ln+ accuracy (%)".to_owned(),
        y_label: format!("inorm {i} accuracy (%)"),
        note: "p < 0.05".to_owned(),
        points: (0..4).map(level).collect(),
    };
    Scatter {
        title: "Title".to_owned(),
        levels: (0..4).map(|l| format!("ε = 0.{l}")).collect(),
        sample: "setting".to_owned(),
        floor: None,
        panels: (0..panels).map(panel).collect(),
    }
}

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
    let width = text_width(&content(element), size as u32);
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
fn check(chart: Result<Chart, FigureError>, texts: &[&str]) -> Figure {
    let chart = chart.unwrap();
    let figure = chart.draw().unwrap();
    assert_eq!(chart.draw().as_ref(), Ok(&figure), "the same bytes");
    let svg = &figure.svg;
    assert!(
        !["NaN", "\"inf", "\"-inf"]
            .iter()
            .any(|bad| svg.contains(bad))
    );
    let elements: Vec<&str> = svg.split("<text ").skip(1).collect();
    let words: Vec<String> = elements.iter().map(|e| content(e)).collect();
    let words = words.join(" ");
    let labels = chart.legend.iter().map(|e| e.label.as_str());
    for text in texts.iter().copied().chain(labels) {
        assert!(words.contains(text), "{text} in {words}");
    }
    let height = attribute(svg, "viewBox")
        .unwrap()
        .rsplit(' ')
        .next()
        .unwrap();
    let height: f64 = height.parse().unwrap();
    let png = |at: usize| u32::from_be_bytes(figure.png[at..at + 4].try_into().unwrap());
    assert_eq!((png(16), png(20)), (2720, 4 * height as u32));
    let extents = elements
        .iter()
        .filter_map(|e| Some((extent(e)?, content(e))));
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
        let inside = areas
            .iter()
            .any(|a| (a.left..=a.right).contains(&x) && (a.top..=a.bottom).contains(&y));
        assert!(inside || y > foot, "a mark outside the axes at {x}, {y}");
    }
    figure
}

fn circles(figure: &Figure) -> usize {
    figure.svg.matches("<circle ").count()
}

#[test]
fn every_figure_is_drawn_in_every_size() {
    for (conditions, seeds, epochs) in
        [(1, 1, 1), (2, 30, 200), (4, 3, 25), (11, 5, 10), (30, 2, 3)]
    {
        let c = compared(conditions, seeds, epochs);
        check(comparison_chart(&c), &["Title", "epoch"]);
    }
    for (panels, groups, conditions, n) in [
        (1, 4, 4, 30),
        (1, 6, 11, 8),
        (4, 6, 1, 30),
        (3, 1, 11, 1),
        (6, 4, 3, 2),
        (27, 1, 1, 3),
    ] {
        let texts = ["luminosity", "panel 0", "ε = 0.0", "***", "median of ln+"];
        let figure = check(box_chart(&boxes(panels, groups, conditions, n)), &texts);
        // A legend of markers has one for each condition; markers of other shapes are not circles.
        let keys = if n == 1 { conditions } else { 0 };
        assert_eq!(circles(&figure), panels * groups * conditions * n + keys);
    }
    for (panels, sets, n) in [(1, 1, 1), (2, 2, 30), (3, 2, 8), (6, 1, 3000)] {
        let texts = ["cosine similarity", "panel 0", "set 0 (n = ", "count"];
        check(histogram_chart(&bars(panels, sets, n)), &texts);
    }
    for (panels, conditions, n, epochs) in [(4, 11, 30, 50), (1, 2, 1, 1), (6, 4, 8, 12)] {
        let texts = [
            "ε = 0.0",
            "epoch",
            "test accuracy (%)",
            "One run per setting",
        ];
        check(
            learning_chart(&curves(panels, conditions, n, epochs)),
            &texts,
        );
    }
    for (layers, conditions, n) in [(1, 3, 30), (2, 4, 8), (1, 11, 1), (2, 3, 1000)] {
        let texts = ["layer 0", "condition 0", "mean 0, variance 1"];
        check(moment_chart(&moments(layers, conditions, n)), &texts);
    }
    for (panels, n) in [(1, 1), (2, 30), (3, 8), (6, 30)] {
        let figure = check(scatter_chart(&points(panels, n)), &["inorm 0", "p < 0.05"]);
        assert_eq!(circles(&figure), 4 * n * panels + 4);
    }
}

#[test]
fn what_is_missing_or_off_the_axes_is_counted() {
    let mut c = compared(3, 3, 20);
    c.series[0].curves[0][15] = f64::NAN;
    c.series[0].curves[1].truncate(4);
    let second = &mut c.series[1].curves;
    second.iter_mut().for_each(|r| r[2..].fill(f64::INFINITY));
    let texts = ["(diverged: 2 of 3)", "(diverged: 3 of 3)"];
    check(comparison_chart(&c), &texts);

    let mut b = boxes(1, 2, 2, 8);
    b.floor = Some(60.0);
    b.panels[0].series[0].values[1][3] = f64::NAN;
    b.panels[0].series[1].values[0][2] = 10.0;
    let below = "below the axis (condition 1, ε = 0.0: 1)";
    check(
        box_chart(&b),
        &["n = 7 to 8", "(condition 0, ε = 0.1: 1)", below],
    );

    let mut h = bars(1, 1, 0);
    h.panels[0].sets[0].values = vec![0.0, 0.5, 1.0, 1.5, f64::NAN];
    let texts = [
        "Outside the range (set 0: 1)",
        "not finite (set 0: 1)",
        "n = 4",
    ];
    check(histogram_chart(&h), &texts);

    let mut l = curves(2, 3, 4, 20);
    l.floor = Some(70.0);
    l.panels[0].series[1].runs[2][7] = f64::NAN;
    l.panels[0].series[1].runs[3].truncate(9);
    let low = &mut l.panels[1].series[2].runs;
    low.iter_mut().flatten().for_each(|v| *v -= 50.0);
    let texts = [
        "runs (A, condition 1: 2)",
        "below the axis (B, condition 2: 1)",
    ];
    check(learning_chart(&l), &texts);

    let mut m = moments(1, 10, 5);
    m.layers[0].series[0].variance[0] = 0.0;
    m.layers[0].series[1].mean[2] = f64::NAN;
    let log = "logarithmic axis (B, condition 0: 1)";
    check(moment_chart(&m), &[log, "not finite (A, condition 1: 1)"]);

    let mut s = points(2, 8);
    s.floor = Some(70.0);
    s.panels[1].points[2][3].0 = f64::NAN;
    s.panels[0].points[1][5].1 = 10.0;
    s.panels[0].points[3][4].0 = 10.0;
    let below = "below the axis (A, ε = 0.1: 1; A, ε = 0.3: 1)";
    let figure = check(scatter_chart(&s), &[below, "(B, ε = 0.2: 1)", "n = 7 to 8"]);
    assert_eq!(circles(&figure), 4 * 8 * 2 + 4 - 3);
}

#[test]
fn extreme_values_are_no_panic() {
    let extremes = [
        [1e99, -1e99, 1e300],
        [0.0, -0.0, 1e-300],
        [1e15, 1e15 + 1.0, 1e15],
    ];
    for values in extremes {
        for floor in [None, Some(f64::NAN), Some(f64::INFINITY), Some(-1e300)] {
            let mut b = boxes(1, 1, 1, 3);
            b.floor = floor;
            b.panels[0].series[0].values[0] = values.to_vec();
            b.panels[0].references = vec![f64::NEG_INFINITY];
            assert!(box_plots(&b).is_ok_and(|f| !f.svg.contains("NaN")));
        }
        let mut m = moments(1, 1, 1);
        m.layers[0].series[0].variance = values.to_vec();
        assert!(moment_plots(&m).is_ok_and(|f| !f.svg.contains("NaN")));
    }
}

#[test]
fn nothing_to_draw_is_an_error() {
    let none = Some(FigureError::NoSeries);
    assert_eq!(comparison(&compared(0, 0, 0)).err(), none);
    assert_eq!(box_plots(&BoxPlots::default()).err(), none);
    assert_eq!(box_plots(&boxes(1, 0, 1, 3)).err(), none);
    assert_eq!(histograms(&Histograms::default()).err(), none);
    assert_eq!(learning_curves(&LearningCurves::default()).err(), none);
    assert_eq!(moment_plots(&MomentPlots::default()).err(), none);
    assert_eq!(scatter(&Scatter::default()).err(), none);

    let empty = Some(FigureError::NoFiniteValue);
    let mut nan = compared(2, 1, 1);
    nan.series
        .iter_mut()
        .for_each(|s| s.curves[0][0] = f64::NAN);
    assert_eq!(comparison(&nan).err(), empty);
    assert_eq!(comparison(&compared(2, 0, 0)).err(), empty);
    assert_eq!(box_plots(&boxes(1, 2, 2, 0)).err(), empty);
    assert_eq!(histograms(&bars(2, 2, 0)).err(), empty);
    assert_eq!(learning_curves(&curves(1, 1, 0, 1)).err(), empty);
    assert_eq!(moment_plots(&moments(2, 2, 0)).err(), empty);
    assert_eq!(scatter(&points(1, 0)).err(), empty);
}

#[test]
fn wrong_numbers_are_refused() {
    let mut b = boxes(1, 3, 1, 3);
    b.panels[0].series[0].marks.pop();
    assert!(matches!(
        box_plots(&b),
        Err(FigureError::Groups {
            got: 2,
            groups: 3,
            ..
        })
    ));
    let mut s = points(1, 1);
    s.panels[0].points[0][0].0 = 101.0;
    let error = scatter(&s).unwrap_err();
    assert!(matches!(
        error,
        FigureError::NotAPercentage { value: 101.0, .. }
    ));
    let mut c = compared(1, 1, 1);
    c.series[0].curves[0][0] = -1.0;
    let error = comparison(&c).unwrap_err();
    assert!(matches!(
        error,
        FigureError::NotAPercentage { value: -1.0, .. }
    ));
    let wrong = [
        (0, 0.0, 1.0),
        (5, 1.0, 1.0),
        (5, f64::NAN, 1.0),
        (501, 0.0, 1.0),
    ];
    for (bins, from, to) in wrong {
        let mut h = bars(1, 1, 5);
        (h.panels[0].bins, h.panels[0].range) = (bins, (from, to));
        assert!(matches!(histograms(&h), Err(FigureError::Bins { .. })));
    }
}

#[test]
fn every_condition_has_a_look_and_the_first_differ() {
    let looks = (0..27).map(|i| Colour::Condition(i).look());
    assert_eq!(looks.collect::<HashSet<_>>().len(), 27);
    let levels = (0..16).map(|index| Colour::Level { index, count: 16 }.look());
    assert_eq!(levels.collect::<HashSet<_>>().len(), 16);
    Colour::Condition(usize::MAX).look();
    Colour::Level { index: 9, count: 0 }.look();
}

#[test]
fn marks_are_those_of_the_numbers() {
    let s = Sample::new([4.0, f64::NAN, 1.0, 3.0, 2.0, 5.0, 30.0, f64::INFINITY]);
    assert_eq!((s.n(), s.missing, s.whiskers()), (6, 2, Some([1.0, 5.0])));
    // A whisker never ends inside the box.
    let skewed = Sample::new([0.0, 0.0, 0.0, 10.0, 100.0]);
    assert_eq!(skewed.whiskers(), Some([0.0, 10.0]));

    let mut h = bars(1, 1, 0);
    (h.unit, h.panels[0].bins) = (Unit::Share, 2);
    h.panels[0].sets[0].values = vec![0.0, 0.5, 1.0, 1.5];
    let outline = [
        (0.0, 0.0),
        (0.0, 25.0),
        (0.5, 25.0),
        (0.5, 50.0),
        (1.0, 50.0),
        (1.0, 0.0),
    ];
    assert!(draws(histogram_chart(&h), 0, &outline));

    // A run leaves the mean at its first non-finite value.
    let mut c = compared(1, 3, 3);
    c.series[0].curves = vec![
        vec![10.0, 20.0, 30.0],
        vec![30.0, f64::NAN, 90.0],
        vec![20.0],
    ];
    assert!(draws(
        comparison_chart(&c),
        1,
        &[(1.0, 20.0), (2.0, 20.0), (3.0, 30.0)]
    ));
}

/// Whether panel `i` has this line.
fn draws(chart: Result<Chart, FigureError>, i: usize, line: &[(f64, f64)]) -> bool {
    let is = |mark: &Mark| matches!(mark, Mark::Line(points, ..) if points == line);
    chart.unwrap().panels[i].marks.iter().any(is)
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
    assert_eq!(floored(PERCENT, Some(75.0), values()), (75.0, 100.0));
    for useless in [None, Some(88.0), Some(f64::NAN), Some(-5.0)] {
        assert_eq!(floored(PERCENT, useless, values()), PERCENT);
    }
    let decades = Scale::decades([0.02, 1.0, 30.0].into_iter());
    assert_eq!((decades.min, decades.max, decades.step), (-2.0, 2.0, 1.0));
    let labels = [-5.0, -2.0, 0.0, 3.0, 6.0].map(|v| decades.format().format(v));
    assert_eq!(labels, ["1e-5", "0.01", "1", "1000", "1e6"]);
    let ticks = |s: Scale| ((s.max - s.min) / s.step) as usize;
    assert!((10..=2000).all(|e| (2..=6).contains(&ticks(Scale::epochs(e)))));
    let format = |step| Scale::new(0.0, 10.0, step).format().format(2.5);
    assert_eq!([0.5, 0.25, 5.0].map(format), ["2.5", "2.50", "2"]);
}
