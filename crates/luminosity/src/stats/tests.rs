//! Tests against the reference numbers in `fixtures.json`, and degenerate cases.

use serde_json::Value;

use super::*;

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

fn fixtures(section: &str) -> Vec<Value> {
    let mut all: Value = serde_json::from_str(include_str!("fixtures.json")).unwrap();
    let entries: Vec<Value> = serde_json::from_value(all[section].take()).unwrap();
    assert!(!entries.is_empty(), "{section}");
    entries
}

fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some("inf") => INF,
        Some("-inf") => -INF,
        Some(other) => panic!("not a number: {other}"),
        None => value.as_f64().unwrap(),
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

/// Two samples, and the fixtures of their comparison.
fn two_samples() -> Vec<(Vec<f64>, Vec<f64>, Value)> {
    let cases = fixtures("two_samples").into_iter();
    let cases: Vec<_> = cases
        .map(|case| (numbers(&case["a"]), numbers(&case["b"]), case))
        .collect();
    assert!(cases.len() >= 25);
    cases
}

/// Compares with a relative tolerance of 1e-9; an expected zero to 1e-15, an infinity exactly.
#[track_caller]
fn assert_close(actual: f64, expected: f64, what: &str) {
    let tolerance = if expected == 0.0 {
        1e-15
    } else {
        1e-9 * expected.abs()
    };
    assert!(
        actual == expected || (actual - expected).abs() <= tolerance,
        "{what}: {actual:e}, expected {expected:e}"
    );
}

#[test]
fn mann_whitney_matches_scipy_and_counting() {
    for (a, b, case) in two_samples() {
        let expected = &case["mann_whitney"];
        let what = format!("{} {}", case["name"], expected["call"]);
        let result = mann_whitney_u(&a, &b).unwrap();
        assert_eq!(result.u, number(&expected["u"]), "{what}");
        assert_close(result.p, number(&expected["p"]), &what);
        assert!(result.p <= 1.0, "{what}");
        assert_close(result.cliffs_delta, number(&expected["delta"]), &what);
        let swapped = mann_whitney_u(&b, &a).unwrap();
        assert_close(result.p, swapped.p, &what);
        assert_eq!(result.u + swapped.u, (a.len() * b.len()) as f64, "{what}");
    }
}

#[test]
fn wilcoxon_matches_scipy() {
    let mut compared = 0;
    for (a, b, case) in two_samples() {
        let result = wilcoxon_signed_rank(&a, &b);
        assert_eq!(result, wilcoxon_signed_rank(&b, &a), "{}", case["name"]);
        let Some(expected) = case.get("wilcoxon") else {
            continue;
        };
        let what = format!("{} {}", case["name"], expected["call"]);
        let result = result.unwrap();
        assert_eq!(result.w, number(&expected["w"]), "{what}");
        // Otherwise a table prints -0.
        assert!(result.w.is_sign_positive(), "{what}");
        let n_used = Some(result.n_used as u64);
        assert_eq!(n_used, expected["n_used"].as_u64(), "{what}");
        assert_close(result.p, number(&expected["p"]), &what);
        assert!(result.p <= 1.0, "{what}");
        compared += 1;
    }
    assert!(compared >= 25, "{compared}");
}

#[test]
fn fixtures_cover_every_method_and_tiny_p() {
    let cases = fixtures("two_samples");
    for test in ["mann_whitney", "wilcoxon"] {
        let entries: Vec<&Value> = cases.iter().filter_map(|case| case.get(test)).collect();
        for method in ["'exact'", "Permutation", "subsets", "'asymptotic'"] {
            let uses = |entry: &&&Value| entry["call"].as_str().is_some_and(|c| c.contains(method));
            let count = entries.iter().filter(uses).count();
            assert!(count >= 3, "{test} by {method}: {count}");
        }
        assert!(entries.iter().any(|entry| number(&entry["p"]) < 1e-100));
        assert!(entries.iter().all(|entry| number(&entry["p"]) > 0.0));
    }
}

#[test]
fn exact_mann_whitney_of_the_largest_samples_by_hand() {
    let ramp = |from: i32, to: i32| (from..=to).map(f64::from).collect::<Vec<_>>();
    let arrangements: f64 = (1..=8).map(|i| f64::from(992 + i) / f64::from(i)).product();
    for (a, b, p) in [
        // One value against n: 2 (rank of the smaller tail) / (n + 1).
        (vec![2.5], ramp(1, 5000), 2.0 * 3.0 / 5001.0),
        // All eight below: one arrangement in C(992 + 8, 8).
        (ramp(-7, 0), ramp(1, 992), 2.0 / arrangements),
    ] {
        let found = mann_whitney_u(&a, &b).unwrap().p;
        assert_close(found, p, &format!("{} against {}", a.len(), b.len()));
    }
}

#[test]
fn summaries_match_numpy() {
    for case in fixtures("summary") {
        let values = numbers(&case["values"]);
        let what = format!("{values:?}");
        let expected: [f64; 3] = numbers(&case["quartiles"]).try_into().unwrap();
        for (found, expected) in quartiles(&values).unwrap().iter().zip(expected) {
            assert_close(*found, expected, &what);
        }
        assert_close(median(&values).unwrap(), number(&case["median"]), &what);
        assert_close(mean(&values).unwrap(), number(&case["mean"]), &what);
        match sample_sd(&values) {
            Some(sd) => assert_close(sd, number(&case["sd"]), &what),
            None => assert!(case["sd"].is_null(), "{what}"),
        }
    }
}

#[test]
fn bootstrap_finds_the_ends_of_the_ideal_interval() {
    for (seed, case) in fixtures("bootstrap").iter().enumerate() {
        let values = numbers(&case["values"]);
        let level = number(&case["level"]);
        let found = bootstrap_median_interval(&values, level, 20_000, seed as u64);
        let expected = (number(&case["low"]), number(&case["high"]));
        assert_eq!(found, Some(expected), "{level} {values:?}");
    }
}

#[test]
fn holm_matches_statsmodels() {
    for case in fixtures("holm") {
        let p = numbers(&case["p"]);
        let adjusted = holm(&p);
        let expected = numbers(&case["adjusted"]);
        assert_eq!(adjusted.len(), expected.len());
        for (a, e) in adjusted.iter().zip(&expected) {
            assert_close(*a, *e, &format!("{p:?}"));
        }
    }
}

#[test]
fn summaries_without_a_value() {
    for values in [&[][..], &[NAN], &[0.8, NAN, 0.9]] {
        assert_eq!(mean(values), None);
        assert_eq!(sample_sd(values), None);
        assert_eq!(median(values), None);
        assert_eq!(quartiles(values), None);
        assert_eq!(bootstrap_median_interval(values, 0.95, 100, 1), None);
    }
    assert_eq!(sample_sd(&[0.8]), None);
    assert_eq!(sample_sd(&[0.8, INF]), None);
    assert_eq!(mean(&[INF, -INF]), None);
    assert_eq!(median(&[INF, -INF]), None);
    assert_eq!(quartiles(&[INF, -INF]), None);
}

#[test]
fn summaries_of_infinities_and_extremes() {
    assert_eq!(mean(&[1.0, INF]), Some(INF));
    assert_eq!(median(&[INF, 1.0, -INF]), Some(1.0));
    assert_eq!(median(&[1.0, INF]), Some(INF));
    assert_eq!(median(&[INF, INF]), Some(INF));
    assert_eq!(median(&[f64::MAX, -f64::MAX]), Some(0.0));
    let found = quartiles(&[-INF, 1.0, 2.0, 3.0, INF]);
    assert_eq!(found, Some([1.0, 2.0, 3.0]));
}

#[test]
fn bootstrap_is_a_function_of_its_seed() {
    let values: Vec<f64> = (0..30).map(|i| f64::from(i * i)).collect();
    let interval = |seed| bootstrap_median_interval(&values, 0.95, 200, seed).unwrap();
    assert_eq!(interval(7), interval(7));
    assert!((0..10).any(|seed| interval(seed) != interval(7)));
    let (low, high) = interval(7);
    assert!(low < median(&values).unwrap() && median(&values).unwrap() < high);
    // Tests the random stream: a change of the generator or of the order of draws shows here.
    assert_close(low, 90.2625, "low");
    assert_close(high, 362.4625, "high");
}

#[test]
fn bootstrap_degenerate() {
    let interval = |values: &[f64], level| bootstrap_median_interval(values, level, 50, 1);
    assert_eq!(interval(&[0.8], 0.95), Some((0.8, 0.8)));
    assert_eq!(interval(&[0.1; 9], 0.95), Some((0.1, 0.1)));
    assert_eq!(interval(&[INF, -INF], 0.95), None);
    let values = [0.7, 0.8, 0.9];
    for level in [0.0, 1.0, -0.5, 95.0, NAN] {
        assert_eq!(interval(&values, level), None, "{level}");
    }
    assert_eq!(bootstrap_median_interval(&values, 0.95, 0, 1), None);
    assert!(bootstrap_median_interval(&values, 0.95, 1, 1).is_some());
}

#[test]
fn rank_tests_without_a_value() {
    let pair = [0.8, 0.9];
    for other in [&[][..], &[NAN, 0.8]] {
        assert_eq!(mann_whitney_u(&pair, other), None);
        assert_eq!(mann_whitney_u(other, &pair), None);
        assert_eq!(wilcoxon_signed_rank(&pair, other), None);
        assert_eq!(wilcoxon_signed_rank(other, &pair), None);
    }
    assert_eq!(mann_whitney_u(&[], &[]), None);
    assert_eq!(wilcoxon_signed_rank(&[], &[]), None);
    assert_eq!(wilcoxon_signed_rank(&pair, &[0.8]), None);
    assert_eq!(wilcoxon_signed_rank(&[INF, 1.0], &[INF, 2.0]), None);
}

#[test]
fn rank_tests_of_many_ties() {
    let tied = [0.1; 301];
    let result = mann_whitney_u(&tied, &tied).unwrap();
    let (u, p) = (301.0 * 301.0 / 2.0, 1.0);
    assert_eq!((result.u, result.p, result.cliffs_delta), (u, p, 0.0));
    let result = wilcoxon_signed_rank(&tied, &tied);
    let (w, n_used) = (0.0, 0);
    assert_eq!(result, Some(Wilcoxon { w, p, n_used }));
}
