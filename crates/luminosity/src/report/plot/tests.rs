//! Tests of every kind of figure.

use std::collections::BTreeMap;

use super::*;
use crate::chart::tests::{check, circles};
use crate::chart::{Chart, Mark};
use crate::record::SweepRecord;
use crate::report::effect::effects;
use crate::report::testing::{diverged, record, with_correct};
use crate::sweep::{Request, SweepRun};

fn runs(settings: usize, epochs: usize) -> Vec<SweepRun> {
    let request = Request {
        settings,
        epochs,
        lambdas: vec![0.001, 0.1],
        ..Request::default()
    };
    request.runs()
}

/// The figures with data.
fn charts(records: impl Iterator<Item = SweepRecord>) -> BTreeMap<&'static str, Chart> {
    let samples = Samples::new(&records.collect::<Vec<_>>(), &[]);
    let effects = effects(&samples);
    let chart = |spec: &Spec| Some((spec.name, spec.chart(&samples, &effects)?.0));
    SPECS.iter().filter_map(chart).collect()
}

#[test]
fn every_figure_is_drawn_in_every_size() {
    for (settings, epochs) in [(1, 1), (2, 3), (8, 12)] {
        let unit = if settings == 1 { "seed" } else { "setting" };
        let charts = charts(runs(settings, epochs).iter().map(record));
        assert_eq!(charts.len(), SPECS.len());
        for (name, chart) in charts {
            let texts: &[&str] = match name {
                "main" => &["ε = 0.25", "test accuracy (%)", "median of e-only-ln+"],
                "fig2" => &["Dashed: equal accuracy", "ε = 0.75", "points"],
                "fig2_best" => &["of each ε, pooled", "test accuracy (%)"],
                "fig3" => &["hidden layer 2", "inorm-sub", "mean 0, variance 1"],
                "fig6_alignment" => &["gradients (n = ", "cosine to LayerNorm", "count"],
                "fig7_alignment" => &["outputs (n = ", "cosine to centered errors"],
                "fig_lambda" => &["weight λ of the local loss", "0.001", "0.1"],
                "fig_lambda_max" => &["hidden layer 1", "log₁₀ λ_max"],
                "fig_curves" => &["epoch", "One run per"],
                _ => &[],
            };
            let n = format!("per {unit}, n = ");
            let figure = check(&chart, &[&[n.as_str()], texts].concat());
            // The legend has round markers too where a box is one value.
            match name {
                "main" if settings == 1 => assert_eq!(circles(&figure), 20),
                "main" => assert_eq!(circles(&figure), 16 * settings),
                "fig2" => assert_eq!(circles(&figure), 8 * settings + 4),
                _ => (),
            }
        }
    }
}

#[test]
fn the_main_figure_and_the_curves_show_every_condition() {
    let all = Condition::all();
    let named = |names: &str| -> Vec<Condition> {
        let all = names.split(", ").map(|name| name.parse().unwrap());
        all.collect()
    };
    for (conditions, main, curves) in [
        (
            &all[..],
            "none, ln+, inorm, inorm+full, inorm+learned-lateral, inorm+ln",
            "none, e-only-ln+, inorm, inorm+full, inorm+center, inorm+lateral, inorm+learned-lateral, inorm+ln",
        ),
        (
            &named("inorm+learned-lateral, inorm-sub"),
            "inorm-sub, inorm+learned-lateral",
            "inorm-sub, inorm+learned-lateral",
        ),
        (
            &named("inorm+scale, inorm+full, none"),
            "none, inorm+full, inorm+scale",
            "none, inorm+full, inorm+scale",
        ),
    ] {
        let request = Request {
            conditions: conditions.to_vec(),
            settings: 3,
            ..Request::default()
        };
        let charts = charts(request.runs().iter().map(record));
        for (name, expected) in [("main", main), ("fig_curves", curves)] {
            let labels = charts[name].legend.iter().map(|entry| entry.label.as_str());
            let labels = labels.filter(|label| !label.starts_with("median"));
            assert_eq!(labels.collect::<Vec<_>>().join(", "), expected);
            check(&charts[name], &[]);
        }
    }
}

#[test]
fn a_stopped_run_keeps_its_last_accuracy_and_a_diverged_one_is_counted() {
    let made = |run: &SweepRun| match run.config.condition.name() {
        "none" => {
            let mut record = diverged(run);
            record.run.history.clear();
            record
        }
        _ => {
            let mut record = record(run);
            record.run.history.truncate(1 + run.setting);
            record
        }
    };
    let records: Vec<_> = runs(3, 4).iter().map(made).collect();
    let samples = Samples::new(&records, &[]);
    for unit in samples.of("inorm", 0.75) {
        let end = unit.id as usize;
        assert_eq!(unit.curve[end..], vec![unit.curve[end]; 3 - end]);
    }
    let charts = charts(records.into_iter());
    let caption =
        "Diverged runs, each drawn to its end (A, none: 3; B, none: 3; C, none: 3; D, none: 3).";
    check(&charts["fig_curves"], &[caption]);
}

#[test]
fn what_is_off_the_axes_or_diverged_is_counted() {
    let odd = |run: &SweepRun| {
        let place = (run.config.condition.name(), run.config.epsilon, run.setting);
        let mut record = match place {
            ("none", 0.25, _) | ("inorm+full", 0.0, 3) => with_correct(run, 3000),
            ("inorm", 0.75, 4) => diverged(run),
            _ => record(run),
        };
        if place == ("inorm", 0.75, 1) {
            record.run.moments.as_mut().unwrap()[0].variance = 0.0;
        }
        record
    };
    let charts = charts(runs(5, 10).iter().map(odd));
    for (name, text) in [
        (
            "main",
            "below the axis (none, ε = 0.25: 5; inorm+full, ε = 0: 1)",
        ),
        ("main", "n = 4 to 5"),
        ("fig5", "below the axis (ε = 0: 1)"),
        ("fig5", "n = 5 per colour"),
        ("fig_curves", "below the axis (B, none: 1)"),
        (
            "fig_curves",
            "Diverged runs, each drawn to its end (D, inorm: 1)",
        ),
        ("fig3", "logarithmic axis (B, inorm: 1)"),
    ] {
        check(&charts[name], &[text]);
    }
}

#[test]
fn extreme_values_are_no_panic() {
    for values in [
        [1e99, -1e99, 1e300],
        [0.0, -0.0, 1e-300],
        [1e15, 1e15 + 1.0, 1e15],
    ] {
        let extreme = |run: &SweepRun| {
            let mut record = record(run);
            let value = values[run.setting];
            let moments = record.run.moments.iter_mut().flatten();
            moments.for_each(|m| (m.mean, m.variance) = (value, value));
            record.run.lambda_max = Some(vec![Some(value), None]);
            record
        };
        let charts = charts(runs(3, 1).iter().map(extreme));
        for name in ["fig3", "fig_lambda_max"] {
            let svg = |chart: &Chart| chart.draw().unwrap().svg;
            let finite = |chart| !svg(chart).contains("NaN");
            assert!(charts.get(name).is_none_or(finite));
        }
    }
}

#[test]
fn bars_are_counts_on_an_axis_with_every_alignment() {
    let aligned = |run: &SweepRun, gradient: f64| {
        let mut record = record(run);
        let output = [0.0, 0.01, 0.99, 1.0 + 1e-9][run.setting];
        let alignment = record.run.alignment.iter_mut();
        alignment.for_each(|a| (a.mean.output, a.mean.gradient) = (Some(output), Some(gradient)));
        record
    };
    let charts = |gradient| charts(runs(4, 1).iter().map(|run| aligned(run, gradient)));
    let outline = [(0.0, 0.0), (0.0, 2.0), (0.025, 2.0), (0.025, 0.0)];
    let is = |mark: &Mark| matches!(mark, Mark::Line(points, ..) if *points == outline);
    let marks = &charts(0.5)["fig4_alignment"].panels[0].marks;
    assert!(marks.iter().any(is) && marks.len() == 4);
    for panel in &charts(-0.5)["fig4_alignment"].panels {
        assert_eq!((panel.x.min, panel.x.max), (-1.0, 1.0));
    }
}
