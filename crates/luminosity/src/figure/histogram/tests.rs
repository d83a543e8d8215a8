use super::*;
use crate::figure::testing::check;

fn example(panels: usize, sets: usize, n: usize) -> Histograms {
    let set = |s: usize| HistogramSet {
        label: format!("set {s}"),
        colour: Colour::Condition(5),
        values: (0..n)
            .map(|i| (i % 9) as f64 / 10.0 - 0.05 * s as f64)
            .collect(),
    };
    let panel = |p: usize| Histogram {
        heading: format!("panel {p}"),
        x_label: "cosine similarity".to_owned(),
        range: (-1.0, 1.0),
        bins: 40,
        sets: (0..sets).map(set).collect(),
    };
    Histograms {
        title: "Title".to_owned(),
        sample: "setting".to_owned(),
        unit: Unit::Count,
        panels: (0..panels).map(panel).collect(),
    }
}

#[test]
fn every_size_is_drawn_and_labelled() {
    for (panels, sets, n) in [(1, 1, 1), (2, 2, 30), (3, 2, 8), (6, 1, 3000)] {
        let h = example(panels, sets, n);
        let texts = [
            "Title",
            "cosine similarity",
            "panel 0",
            "set 0 (n = ",
            "count",
        ];
        let figure = check(|| histograms(&h), &texts);
        assert!(figure.svg.contains(&format!("n = {n}")));
    }
}

#[test]
fn bins_hold_their_edges_and_shares_add_up() {
    let mut h = example(1, 1, 0);
    h.panels[0].bins = 2;
    h.panels[0].sets[0].values = vec![-1.0, 0.0, 1.0, 1.5, f64::NAN];
    let heights = |unit| h.panels[0].bars(unit).expect("valid")[0].heights.clone();
    assert_eq!(heights(Unit::Count), [1.0, 2.0]);
    assert_eq!(heights(Unit::Share), [25.0, 50.0]);
    let texts = [
        "Outside the range (set 0: 1)",
        "not finite (set 0: 1)",
        "n = 4",
    ];
    check(|| histograms(&h), &texts);
}

#[test]
fn a_second_set_of_a_colour_is_open() {
    let bars = example(1, 2, 5);
    let bars = bars.panels[0].bars(Unit::Count).expect("valid");
    assert_eq!([0, 1].map(|i: usize| bars[i].look.second), [false, true]);
}

#[test]
fn nothing_to_draw_is_an_error() {
    let error = |h: &Histograms| histograms(h).err();
    assert_eq!(error(&Histograms::default()), Some(FigureError::NoSeries));
    assert_eq!(error(&example(2, 2, 0)), Some(FigureError::NoFiniteValue));
    for (bins, range) in [
        (0, (0.0, 1.0)),
        (5, (1.0, 1.0)),
        (5, (f64::NAN, 1.0)),
        (501, (0.0, 1.0)),
    ] {
        let mut h = example(1, 1, 5);
        (h.panels[0].bins, h.panels[0].range) = (bins, range);
        assert!(matches!(error(&h), Some(FigureError::Bins { .. })));
    }
}
