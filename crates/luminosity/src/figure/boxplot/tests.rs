use super::*;
use crate::figure::testing::{check, count};

fn example(panels: usize, groups: usize, conditions: usize, n: usize) -> BoxPlots {
    let value = |i: usize, g: usize| 80.0 + (i * 7 % 10) as f64 - g as f64;
    let series = |c: usize| BoxSeries {
        label: format!("condition {c}"),
        colour: Colour::Condition(c),
        values: (0..groups)
            .map(|g| (0..n).map(|i| value(i, g)).collect())
            .collect(),
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

#[test]
fn every_size_is_drawn_and_labelled() {
    for (panels, groups, conditions, n) in [
        (1, 4, 4, 30),
        (1, 6, 10, 8),
        (4, 6, 1, 30),
        (3, 1, 10, 1),
        (6, 4, 3, 2),
    ] {
        let b = example(panels, groups, conditions, n);
        let size = match panels * groups * conditions {
            1 => format!("n = {n}."),
            _ => format!("n = {n} per box."),
        };
        let texts = [
            "Title",
            "luminosity",
            "panel 0",
            "ε = 0.0",
            "condition 0",
            "***",
        ];
        let figure = check(|| box_plots(&b), &texts);
        for text in [size.as_str(), "median of ln+", "accuracy (%)"] {
            assert!(figure.svg.contains(text), "{text}");
        }
        let legend = if n == 1 { conditions } else { 0 };
        assert_eq!(
            count(&figure, "circle"),
            panels * groups * conditions * n + legend
        );
    }
}

#[test]
fn outliers_alone_are_drawn_on_request() {
    let mut b = example(1, 1, 1, 20);
    b.points = false;
    assert_eq!(
        count(&check(|| box_plots(&b), &["values beyond"]), "circle"),
        0
    );
    b.panels[0].series[0].values[0][3] = 20.0;
    assert_eq!(count(&check(|| box_plots(&b), &[]), "circle"), 1);
}

#[test]
fn missing_and_low_values_are_counted() {
    let mut b = example(1, 2, 2, 8);
    b.floor = Some(60.0);
    b.panels[0].series[0].values[1][3] = f64::NAN;
    b.panels[0].series[1].values[0][2] = 10.0;
    let texts = [
        "n = 7 to 8",
        "(condition 0, ε = 0.1: 1)",
        "below the axis (condition 1, ε",
    ];
    check(|| box_plots(&b), &texts);
    b.panels[0].series[0].values[0] = vec![f64::INFINITY; 8];
    check(|| box_plots(&b), &["n = 0 to 8"]);
}

#[test]
fn extreme_values_are_no_panic() {
    for values in [
        [1e99, -1e99, 1e300],
        [0.0, -0.0, 1e-300],
        [1e15, 1e15 + 1.0, 1e15],
    ] {
        for floor in [None, Some(f64::NAN), Some(f64::INFINITY), Some(-1e300)] {
            let mut b = example(1, 1, 1, 3);
            b.floor = floor;
            b.panels[0].series[0].values[0] = values.to_vec();
            b.panels[0].references = vec![f64::NEG_INFINITY];
            assert!(box_plots(&b).is_ok_and(|f| !f.svg.contains("NaN")));
        }
    }
}

#[test]
fn nothing_to_draw_is_an_error() {
    assert_eq!(box_plots(&BoxPlots::default()), Err(FigureError::NoSeries));
    for (groups, conditions) in [(0, 1), (1, 0)] {
        let b = example(1, groups, conditions, 3);
        assert_eq!(box_plots(&b), Err(FigureError::NoSeries));
    }
    let empty = example(1, 2, 2, 0);
    assert_eq!(box_plots(&empty), Err(FigureError::NoFiniteValue));
    let mut b = example(1, 3, 1, 3);
    b.panels[0].series[0].marks.pop();
    let error = box_plots(&b);
    assert!(matches!(
        error,
        Err(FigureError::Groups {
            got: 2,
            groups: 3,
            ..
        })
    ));
    b.panels[0].series[0].colour = Colour::Condition(11);
    assert!(box_plots(&b).is_err());
}
