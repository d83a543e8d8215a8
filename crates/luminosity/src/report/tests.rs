use std::collections::BTreeMap;

use super::testing::{diverged, expected, record, records, with_correct};
use super::*;
use crate::sweep::Request;
use crate::{Condition, condition};

/// The rows of a CSV file of the report, by column.
fn rows(report: &Report, name: &str) -> Vec<BTreeMap<String, String>> {
    let files = report.files().unwrap();
    let (_, content) = files.iter().find(|(file, _)| file == name).unwrap();
    let mut reader = csv::Reader::from_reader(content.as_slice());
    reader.deserialize().collect::<Result<_, _>>().unwrap()
}

fn row(report: &Report, name: &str, condition: &str, epsilon: &str) -> BTreeMap<String, String> {
    let own = |r: &BTreeMap<_, _>| r["condition"] == condition && r["epsilon"] == epsilon;
    rows(report, name).into_iter().find(own).unwrap()
}

fn near(row: &BTreeMap<String, String>, column: &str, expected: f64) {
    let value: f64 = row[column].parse().unwrap();
    let close = (value - expected).abs() <= 1e-9 * expected.abs().max(1.0);
    assert!(close, "{column} is {value}, not {expected}");
}

fn html(report: &Report) -> String {
    let (name, content) = report.files().unwrap().swap_remove(0);
    assert_eq!(name, "report.html");
    String::from_utf8(content).unwrap()
}

/// The ruling on the claim whose text begins so.
fn ruling(report: &Report, start: &str) -> &'static str {
    let own = |r: &&Verdict| r.claim.text.starts_with(start);
    report.verdicts.iter().find(own).unwrap().ruling.words()
}

/// The records with the accuracies of two conditions exchanged.
fn exchanged(a: Condition, b: Condition) -> Vec<SweepRecord> {
    let other = |condition| match condition {
        c if c == a => b,
        c if c == b => a,
        c => c,
    };
    let mut records = records();
    for record in &mut records {
        record.run.config.condition = other(record.run.config.condition);
    }
    records
}

#[test]
fn statistics_are_those_computed_by_hand() {
    let report = Report::new(&records(), &expected()).unwrap();
    assert_eq!(rows(&report, "statistics.csv").len(), 40);
    // Correct answers of inorm+full at ε = 0: 8860, 8844, … 8748; of e-only-ln+ 20 fewer each; of
    // inorm 8500, 8492, … 8444.
    let full = row(&report, "statistics.csv", "inorm+full", "0");
    for (column, expected) in [
        ("n", 8.0),
        ("missing", 0.0),
        ("diverged", 0.0),
        ("median", 88.04),
        ("lower_quartile", 87.76),
        ("upper_quartile", 88.32),
        ("e_only_ln_u", 43.0),
        ("e_only_ln_cliffs_delta", 22.0 / 64.0),
        ("e_only_ln_pairs", 8.0),
        // Eight ties: σ² = 51 − 10.5, z = 18/σ = √8.
        ("e_only_ln_w", 0.0),
        ("e_only_ln_p_paired", 0.004677734981047266),
        ("e_only_ln_difference", 0.2),
        ("inorm_u", 64.0),
        ("inorm_p", 2.0 / 12_870.0),
        // 36 tests against inorm, none with a smaller p.
        ("inorm_p_holm", 72.0 / 12_870.0),
        ("inorm_w", 0.0),
        ("inorm_p_paired", 2.0 / 256.0),
        ("inorm_cliffs_delta", 1.0),
        ("inorm_difference", 3.32),
    ] {
        near(&full, column, expected);
    }
    let own = row(&report, "statistics.csv", "inorm", "0");
    assert_eq!(own["inorm_p"], "");
    near(&own, "inorm_full_difference", -3.32);
    near(&own, "inorm_full_cliffs_delta", -1.0);
    let low: f64 = full["median_low_95"].parse().unwrap();
    let high: f64 = full["median_high_95"].parse().unwrap();
    assert!((87.48..88.04).contains(&low), "{low}");
    assert!(high > 88.04 && high <= 88.6, "{high}");
}

#[test]
fn gains_are_those_computed_by_hand() {
    let report = Report::new(&records(), &expected()).unwrap();
    assert_eq!(rows(&report, "gains.csv").len(), 12);
    let gain = row(&report, "gains.csv", "inorm+full", "0");
    near(&gain, "points", 3.32);
    near(&gain, "relative_percent", 332.0 / 84.72);
    near(&gain, "percent_of_remaining_error", 332.0 / 15.28);
    near(&gain, "paired_difference", 3.32);
    near(&gain, "higher", 8.0);
    let summary = report.summary();
    let sentence = "At ε = 0, inorm+full (forward + error) is 3.3 points above inorm (forward only): \
                    88.0 against 84.7 %, +3.9 % accuracy, 22 % of the remaining error removed; higher in 8 \
                    of 8 settings (p = 0.0078).";
    assert!(summary.contains(sentence), "{summary}");
}

#[test]
fn verdicts_flip_when_the_data_do() {
    let good = Report::new(&records(), &expected()).unwrap();
    for verdict in &good.verdicts {
        assert_eq!(verdict.ruling, verdict::Ruling::Agrees, "{verdict:?}");
    }
    let flipped = |a, b| Report::new(&exchanged(a, b), &expected()).unwrap();
    let report = flipped(condition::INORM_FULL, condition::INORM);
    assert_eq!(ruling(&report, "Normalizing errors"), "differs");
    assert_eq!(ruling(&report, "What normalizing errors"), "differs");
    assert_eq!(ruling(&report, "Normalizing activity alone"), "differs");
    assert_eq!(ruling(&report, "With full"), "differs");
    assert_eq!(ruling(&report, "Centering"), "agrees");
    assert!(report.summary().contains("points below inorm"));
    let report = flipped(condition::E_ONLY_LN_PLUS, condition::INORM_SCALE);
    assert_eq!(ruling(&report, "Decorrelating"), "differs");
    assert_eq!(ruling(&report, "Centering"), "differs");
    assert_eq!(ruling(&report, "With LayerNorm"), "differs");
    let report = flipped(condition::LN_PLUS, condition::NONE);
    assert_eq!(ruling(&report, "Without normalization"), "differs");
    let report = flipped(condition::INORM_LATERAL, condition::INORM_DECORRELATE);
    assert_eq!(ruling(&report, "Lateral"), "differs");
    let report = flipped(condition::E_ONLY_LN_PLUS, condition::INORM_FULL);
    assert_eq!(ruling(&report, "Forward and full"), "differs");
}

#[test]
fn few_or_tied_settings_decide_nothing() {
    let few: Vec<_> = records().into_iter().filter(|r| r.setting < 4).collect();
    let report = Report::new(&few, &expected()).unwrap();
    let open = |v: &Verdict| v.ruling == verdict::Ruling::TooFewRuns;
    assert!(report.verdicts.iter().all(open));

    let tied: Vec<_> = expected().iter().map(|r| with_correct(r, 8000)).collect();
    let report = Report::new(&tied, &expected()).unwrap();
    assert_eq!(ruling(&report, "Normalizing errors"), "too few runs");
    assert_eq!(ruling(&report, "Centering"), "agrees");
    near(&row(&report, "statistics.csv", "none", "0"), "inorm_p", 1.0);
}

#[test]
fn an_unfinished_store_says_what_is_missing() {
    let lacking = |run: &SweepRun| {
        let c = &run.config;
        let full = c.condition == condition::INORM_FULL;
        full && c.epsilon == 0.75 && run.setting >= 5 || c.condition == condition::INORM_SCALE
    };
    let there: Vec<_> = expected()
        .iter()
        .filter(|r| !lacking(r))
        .map(record)
        .collect();
    let report = Report::new(&there, &expected()).unwrap();
    let missing = report.missing();
    let line = "inorm+full at ε = 0.75, λ = 0.01: 5 of 8 runs";
    assert!(missing.iter().any(|m| m == line), "{missing:?}");
    let line = "inorm+scale at ε = 0, λ = 0.01: 0 of 8 runs";
    assert!(missing.iter().any(|m| m == line), "{missing:?}");
    let full = row(&report, "statistics.csv", "inorm+full", "0.75");
    near(&full, "n", 5.0);
    near(&full, "missing", 3.0);
    near(&full, "inorm_pairs", 5.0);
    // Over the five settings alone: 8680 − 16 · 2 against 7960 − 8 · 2.
    near(
        &row(&report, "gains.csv", "inorm+full", "0.75"),
        "points",
        7.04,
    );
    assert_eq!(ruling(&report, "Decorrelating"), "too few runs");
    let html = html(&report);
    assert!(html.contains("unfinished sweep: 35 of 320 runs missing"));
    assert!(html.contains("5 of 8") && html.contains("0 of 8"));
}

#[test]
fn a_diverged_run_counts_with_ten_percent_and_is_not_drawn() {
    let bad = |run: &SweepRun| {
        let c = &run.config;
        c.condition == condition::INORM_SCALE && c.epsilon == 0.75 && run.setting < 3
    };
    let records: Vec<_> = expected()
        .iter()
        .map(|run| match bad(run) {
            true => {
                let mut record = diverged(run);
                record.run.test_accuracy = f64::NAN;
                record
            }
            false => record(run),
        })
        .collect();
    let report = Report::new(&records, &expected()).unwrap();
    let scale = row(&report, "statistics.csv", "inorm+scale", "0.75");
    near(&scale, "n", 8.0);
    near(&scale, "diverged", 3.0);
    // Ascending: 10, 10, 10, then the rest; the lower quartile lies between the second and the third.
    near(&scale, "lower_quartile", 10.0);
    let html = html(&report);
    assert!(html.contains("Left out: 3 settings at or below 10 %."));
    assert!(html.contains("0 missing, 3 diverged"));
}

#[test]
fn the_mean_over_seeds_is_one_value_and_ties_stay_exact() {
    let request = Request {
        seeds: 3,
        ..Request::default()
    };
    let runs = request.runs();
    let seeds = |run: &SweepRun| (run.config.seed / 10_000) as i32;
    let records: Vec<_> = runs
        .iter()
        .map(|run| with_correct(run, 8000 + seeds(run)))
        .collect();
    let report = Report::new(&records, &runs).unwrap();
    let full = row(&report, "statistics.csv", "inorm+full", "0");
    near(&full, "n", 8.0);
    near(&full, "median", 80.01);
    near(&full, "inorm_p_paired", 1.0);
    near(&full, "inorm_u", 32.0);
}

#[test]
fn the_figure_of_lambda_shows_all_and_the_rest_the_main_one() {
    let request = Request {
        lambdas: vec![1e-3, 0.1],
        ..Request::default()
    };
    let runs = request.runs();
    let records: Vec<_> = runs.iter().map(record).collect();
    let report = Report::new(&records, &runs).unwrap();
    assert_eq!(report.missing(), Vec::<String>::new());
    assert_eq!(rows(&report, "fig_lambda.csv").len(), 3 * 4 * 8);
    near(&row(&report, "statistics.csv", "inorm", "0"), "n", 8.0);
    assert!(html(&report).contains("0.001, 0.01, 0.1 (main: 0.01)"));
}

#[test]
fn bad_data_give_an_error_or_clear_text() {
    let message = |records: &[SweepRecord]| {
        let error = Report::new(records, &expected()).unwrap_err();
        error.to_string()
    };
    assert!(message(&[]).contains("finished runs"), "{}", message(&[]));
    let run = expected().swap_remove(0);
    let mut bad = record(&run);
    bad.run.test_accuracy = f64::NAN;
    assert!(message(std::slice::from_ref(&bad)).contains("allowed: at least 1"));
    bad.run.config.epsilon = f64::NAN;
    bad.run.test_accuracy = 0.5;

    // One setting of one condition, and fields that are no numbers.
    let mut one = record(&run);
    one.run.lambda_max = Some(vec![None, Some(f64::NAN), Some(-1.0)]);
    one.run.history.clear();
    one.run.moments = None;
    if let Some(alignment) = &mut one.run.alignment {
        alignment.mean.gradient = Some(f64::NAN);
    }
    let report = Report::new(&[one, bad], &[]).unwrap();
    assert_eq!(report.plots.len(), 1, "{:?}", report.missing());
    let html = html(&report);
    assert!(html.contains("1 record whose accuracy"));
    assert!(html.contains("There is no setting yet"));
}
