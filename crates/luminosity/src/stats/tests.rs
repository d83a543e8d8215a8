//! Tests against the reference numbers in `fixtures.json`, and degenerate cases.

use serde_json::Value;

use super::*;

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

fn fixtures(section: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("fixtures.json")).unwrap();
    let entries = all[section].as_array().unwrap().clone();
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
fn mann_whitney_matches_scipy() {
    let cases = fixtures("two_samples");
    assert!(cases.len() >= 25);
    for case in &cases {
        let what = format!("{} {}", case["name"], case["mann_whitney"]["call"]);
        let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
        let result = mann_whitney_u(&a, &b).unwrap();
        assert_eq!(result.u, number(&case["mann_whitney"]["u"]), "{what}");
        assert_close(result.p, number(&case["mann_whitney"]["p"]), &what);
    }
}

#[test]
fn wilcoxon_matches_scipy() {
    let mut compared = 0;
    for case in fixtures("two_samples") {
        let Some(expected) = case.get("wilcoxon") else {
            continue;
        };
        let what = format!("{} {}", case["name"], expected["call"]);
        let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
        let result = wilcoxon_signed_rank(&a, &b).unwrap();
        assert_eq!(result.w, number(&expected["w"]), "{what}");
        // Otherwise a table prints -0.
        assert!(result.w.is_sign_positive(), "{what}");
        assert_eq!(
            Some(result.n_used as u64),
            expected["n_used"].as_u64(),
            "{what}"
        );
        assert_close(result.p, number(&expected["p"]), &what);
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
fn no_exact_p_is_below_the_least_possible() {
    // Five differences of which two tie in size, all of one sign: 2 / 2⁵.
    let result = wilcoxon_signed_rank(&[2.0, 3.0, 2.0, 4.0, 5.0], &[0.0; 5]).unwrap();
    assert_eq!(result.p, 0.0625);
    // A pair without a difference is dropped.
    let result = wilcoxon_signed_rank(&[2.0, 0.0, 2.0, 4.0, 5.0], &[0.0; 5]).unwrap();
    assert_eq!((result.p, result.n_used), (0.125, 4));
    // Four against four, tied within: two of the C(8, 4) = 70 choices.
    let result = mann_whitney_u(&[1.0, 1.0, 2.0, 2.0], &[3.0, 3.0, 3.0, 4.0]).unwrap();
    assert_close(result.p, 2.0 / 70.0, "separated");
}

#[test]
fn effects_match_counting_and_numpy() {
    for case in fixtures("two_samples") {
        let what = case["name"].to_string();
        let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
        let effect = &case["effect"];
        assert_close(
            cliffs_delta(&a, &b).unwrap(),
            number(&effect["delta"]),
            &what,
        );
    }
}

#[test]
fn summaries_match_numpy() {
    for case in fixtures("summary") {
        let values = numbers(&case["values"]);
        let what = format!("{values:?}");
        let found = quartiles(&values).unwrap();
        let expected = numbers(&case["quartiles"]);
        assert_close(found.lower, expected[0], &what);
        assert_close(found.median, expected[1], &what);
        assert_close(found.upper, expected[2], &what);
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
fn holm_by_hand() {
    // Ascending 0.01, 0.02, 0.04 times 3, 2, 1: 0.03, 0.04, 0.04.
    assert_eq!(holm(&[0.04, 0.01, 0.02]), [0.04, 0.03, 0.04]);
    // 3 · 0.02 = 0.06 exceeds 2 · 0.025 = 0.05 and raises it; 0.9 does not change.
    assert_eq!(holm(&[0.025, 0.9, 0.02]), [0.06, 0.9, 0.06]);
    assert!(holm(&[]).is_empty());
}

#[test]
fn holm_leaves_out_what_is_no_p_value() {
    let adjusted = holm(&[NAN, 0.01, 1.5, 0.5, -0.1, INF]);
    assert_eq!(adjusted[1], 0.02);
    assert_eq!(adjusted[3], 0.5);
    for index in [0, 2, 4, 5] {
        assert!(adjusted[index].is_nan(), "{index}");
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
    let found = quartiles(&[-INF, 1.0, 2.0, 3.0, INF]).unwrap();
    assert_eq!((found.lower, found.median, found.upper), (1.0, 2.0, 3.0));
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
    assert_eq!(
        bootstrap_median_interval(&[0.8], 0.95, 50, 1),
        Some((0.8, 0.8))
    );
    assert_eq!(
        bootstrap_median_interval(&[0.1; 9], 0.95, 50, 1),
        Some((0.1, 0.1))
    );
    let values = [0.7, 0.8, 0.9];
    assert_eq!(bootstrap_median_interval(&values, 0.95, 0, 1), None);
    for level in [0.0, 1.0, -0.5, 95.0, NAN] {
        assert_eq!(
            bootstrap_median_interval(&values, level, 50, 1),
            None,
            "{level}"
        );
    }
    assert_eq!(bootstrap_median_interval(&[INF, -INF], 0.95, 50, 1), None);
    assert!(bootstrap_median_interval(&values, 0.95, 1, 1).is_some());
}

#[test]
fn rank_tests_without_a_value() {
    let pair = [0.8, 0.9];
    for other in [&[][..], &[NAN, 0.8]] {
        assert_eq!(mann_whitney_u(&pair, other), None);
        assert_eq!(mann_whitney_u(other, &pair), None);
        assert_eq!(cliffs_delta(&pair, other), None);
        assert_eq!(wilcoxon_signed_rank(&pair, other), None);
        assert_eq!(wilcoxon_signed_rank(other, &pair), None);
    }
    assert_eq!(mann_whitney_u(&[], &[]), None);
    assert_eq!(wilcoxon_signed_rank(&[], &[]), None);
    assert_eq!(wilcoxon_signed_rank(&pair, &[0.8]), None);
    assert_eq!(wilcoxon_signed_rank(&[INF, 1.0], &[INF, 2.0]), None);
}

#[test]
fn rank_tests_of_ties_and_infinities() {
    for n in [1, 2, 7, 30, 301] {
        let tied = vec![0.1; n];
        let result = mann_whitney_u(&tied, &tied).unwrap();
        assert_eq!((result.u, result.p), ((n * n) as f64 / 2.0, 1.0));
        assert_eq!(cliffs_delta(&tied, &tied), Some(0.0));
        let result = wilcoxon_signed_rank(&tied, &tied).unwrap();
        assert_eq!((result.w, result.p, result.n_used), (0.0, 1.0, 0));
    }
    // An infinity is only the largest value: any number above the others has the same rank.
    assert_eq!(
        mann_whitney_u(&[INF, 0.5], &[0.4, -INF]),
        mann_whitney_u(&[0.9, 0.5], &[0.4, 0.1])
    );
    assert_eq!(
        wilcoxon_signed_rank(&[INF, 0.5, 0.1], &[0.0; 3]),
        wilcoxon_signed_rank(&[0.9, 0.5, 0.1], &[0.0; 3])
    );
}

#[test]
fn p_at_the_centre_is_one() {
    // Doubling a tail that includes the centre would give more.
    let ramp: Vec<f64> = (0..10).map(f64::from).collect();
    assert_eq!(mann_whitney_u(&ramp, &ramp).unwrap().p, 1.0);
    assert_eq!(mann_whitney_u(&[1.0, 4.0], &[2.0, 3.0]).unwrap().p, 1.0);
    let result = wilcoxon_signed_rank(&[1.0, 2.0, -3.0], &[0.0; 3]).unwrap();
    assert_eq!((result.w, result.p), (3.0, 1.0));
}

#[test]
fn rank_tests_do_not_depend_on_the_order_of_the_samples() {
    for case in fixtures("two_samples") {
        let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
        let (ab, ba) = (
            mann_whitney_u(&a, &b).unwrap(),
            mann_whitney_u(&b, &a).unwrap(),
        );
        assert_close(ab.p, ba.p, "p");
        assert_eq!(ab.u + ba.u, (a.len() * b.len()) as f64);
        assert_eq!(wilcoxon_signed_rank(&a, &b), wilcoxon_signed_rank(&b, &a));
    }
}

#[test]
fn exact_mann_whitney_counts_arrangements() {
    // One value against n: 2 (rank of the smaller tail) / (n + 1).
    let others: Vec<f64> = (1..=5000).map(f64::from).collect();
    let result = mann_whitney_u(&[2.5], &others).unwrap();
    assert_close(result.p, 2.0 * 3.0 / 5001.0, "one against many");
    // All eight below: one arrangement in C(992 + 8, 8).
    let others: Vec<f64> = (1..=992).map(f64::from).collect();
    let eight: Vec<f64> = (0..8).map(|i| -f64::from(i)).collect();
    let arrangements: f64 = (1..=8).map(|i| f64::from(992 + i) / f64::from(i)).product();
    let result = mann_whitney_u(&eight, &others).unwrap();
    assert_close(result.p, 2.0 / arrangements, "eight below a thousand");
}

#[test]
fn exact_wilcoxon_keeps_its_tail_in_both_directions() {
    let ramp: Vec<f64> = (1..=50).map(f64::from).collect();
    for (a, b) in [(&ramp, &vec![0.0; 50]), (&vec![0.0; 50], &ramp)] {
        let result = wilcoxon_signed_rank(a, b).unwrap();
        assert_eq!((result.w, result.p), (0.0, 2_f64.powi(-49)));
    }
}
