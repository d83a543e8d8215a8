//! The fixed normalizations and the losses against scalar references and finite differences.

use crate::common::{
    NORMALIZATIONS, Setup, assert_close, assert_same, assert_tensor_close, leaf, panic_of, rng,
    setups, uniform, values,
};
use burn::tensor::{Int, Tensor};
use ei_norm::functional::{
    BackwardRule, Normalization, inhibitory_loss, normalize, normalize_backward,
    smoothed_cross_entropies, smoothed_cross_entropy,
};

const EPSILON: f64 = 0.02;

fn mean(row: &[f64]) -> f64 {
    row.iter().sum::<f64>() / row.len() as f64
}

fn variance(row: &[f64]) -> f64 {
    row.iter().map(|x| (x - mean(row)).powi(2)).sum::<f64>() / row.len() as f64
}

/// The subtracted and the dividing statistic.
fn statistics(kind: Normalization, row: &[f64]) -> (f64, f64) {
    let sigma = (variance(row) + EPSILON).sqrt();
    match kind {
        Normalization::Layer => (mean(row), sigma),
        Normalization::Mean => (mean(row), 1.0),
        Normalization::Divisive => (0.0, sigma),
        other => panic!("no formula for {other:?}"),
    }
}

fn normalize_row(kind: Normalization, row: &[f64]) -> Vec<f64> {
    let (offset, scale) = statistics(kind, row);
    row.iter().map(|x| (x - offset) / scale).collect()
}

/// d(Σ f(x)·delta)/dx; the exact rule by central differences.
fn error_row(kind: Normalization, rule: BackwardRule, row: &[f64], delta: &[f64]) -> Vec<f64> {
    const STEP: f64 = 1e-5;
    match rule {
        BackwardRule::StraightThrough => delta.to_vec(),
        BackwardRule::Detached => {
            let (_, scale) = statistics(kind, row);
            delta.iter().map(|d| d / scale).collect()
        }
        BackwardRule::Exact => (0..row.len())
            .map(|i| {
                let at = |step: f64| {
                    let mut row = row.to_vec();
                    row[i] += step;
                    let out = normalize_row(kind, &row);
                    out.iter().zip(delta).map(|(y, d)| y * d).sum::<f64>()
                };
                (at(STEP) - at(-STEP)) / (2.0 * STEP)
            })
            .collect(),
        other => panic!("no formula for {other:?}"),
    }
}

fn matches_the_reference<const D: usize>(setup: &Setup, shape: [usize; D]) {
    let features = shape[D - 1];
    let mut rng = rng(features as u64);
    for (kind, rule) in NORMALIZATIONS {
        let at = setup.at((kind, rule, shape));
        let x = leaf(&setup.random(&mut rng, shape));
        let upstream = setup.random(&mut rng, shape);
        let (rows, errors) = (values(&x), values(&upstream));
        let out = normalize(x.clone(), kind, rule, EPSILON);
        let expected: Vec<f64> = rows
            .chunks(features)
            .flat_map(|row| normalize_row(kind, row))
            .collect();
        assert_eq!(out.dims(), shape);
        assert_close(&values(&out), &expected, setup.tolerance, &at);

        let grads = (out * upstream.clone()).sum().backward();
        let found = x.grad(&grads).unwrap();
        let expected: Vec<f64> = rows
            .chunks(features)
            .zip(errors.chunks(features))
            .flat_map(|(row, delta)| error_row(kind, rule, row, delta))
            .collect();
        // Finite differences are accurate to about 1e-9.
        assert_close(&values(&found), &expected, setup.tolerance.max(1e-8), &at);

        let plain = normalize_backward(x.inner(), upstream, kind, rule, EPSILON);
        assert_tensor_close(&plain, &found, setup.tolerance, &at);
    }
}

#[test]
fn every_kind_and_rule_matches_the_reference() {
    for setup in setups() {
        matches_the_reference(&setup, [7]);
        matches_the_reference(&setup, [1, 6]);
        matches_the_reference(&setup, [4, 1]);
        matches_the_reference(&setup, [3, 2]);
        matches_the_reference(&setup, [5, 9]);
        matches_the_reference(&setup, [2, 3, 4]);
    }
}

#[test]
fn a_large_offset_costs_little_precision() {
    let setup = &setups()[0];
    let x = uniform(&mut rng(2), [2, 50], 4000.0, 4001.0);
    let x: Tensor<2> = setup.tensor(x, [2, 50]);
    let rows = values(&x);
    let out = normalize(x, Normalization::Layer, BackwardRule::Exact, EPSILON);
    let expected: Vec<f64> = rows
        .chunks(50)
        .flat_map(|row| normalize_row(Normalization::Layer, row))
        .collect();
    assert_close(&values(&out), &expected, 2e-3, "offset 4000");
}

#[test]
fn straight_through_has_the_value_of_the_exact_one() {
    use Normalization::{Divisive, Layer, Mean};
    for setup in setups() {
        let x = setup.random(&mut rng(3), [3, 5]);
        for kind in [Layer, Mean, Divisive] {
            let exact = normalize(x.clone(), kind, BackwardRule::Exact, EPSILON);
            let through = normalize(x.clone(), kind, BackwardRule::StraightThrough, EPSILON);
            assert_same(&through, &exact, &setup.at(kind));
        }
    }
}

#[test]
fn the_inhibitory_loss_matches_its_formula() {
    for setup in setups() {
        for divisive in [true, false] {
            let z = leaf(&setup.random(&mut rng(4), [3, 2, 5]));
            let rows = values(&z);
            let rows = || rows.chunks(5);
            let expected = mean(
                &rows()
                    .map(|row| {
                        let second = (variance(row) - 1.0).powi(2);
                        mean(row).powi(2) + if divisive { second } else { 0.0 }
                    })
                    .collect::<Vec<_>>(),
            );
            let loss = inhibitory_loss(z.clone(), divisive);
            let at = setup.at(divisive);
            assert_close(&values(&loss), &[expected], setup.tolerance, &at);
            let found = values(&z.grad(&loss.backward()).unwrap());
            let expected: Vec<f64> = rows()
                .flat_map(|row| {
                    let (m, v) = (mean(row), variance(row));
                    row.iter().map(move |x| {
                        let second = 4.0 * (v - 1.0) * (x - m);
                        (2.0 * m + if divisive { second } else { 0.0 }) / (5.0 * 6.0)
                    })
                })
                .collect();
            assert_close(&found, &expected, setup.tolerance, &at);
        }
    }
}

/// The loss and its gradient from the definition: targets (1 − s)·onehot + s/C.
fn cross_entropy(logits: &[f64], targets: &[usize], smoothing: f64) -> (f64, Vec<f64>) {
    let batch = targets.len() as f64;
    let classes = logits.len() / targets.len();
    let mut loss = 0.0;
    let mut gradient = Vec::new();
    for (row, target) in logits.chunks(classes).zip(targets) {
        let top = row.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
        let sum: f64 = row.iter().map(|x| (x - top).exp()).sum();
        for (class, x) in row.iter().enumerate() {
            let log_p = x - top - sum.ln();
            let hit = if class == *target {
                1.0 - smoothing
            } else {
                0.0
            };
            let wanted = hit + smoothing / classes as f64;
            loss -= wanted * log_p / batch;
            gradient.push((log_p.exp() - wanted) / batch);
        }
    }
    (loss, gradient)
}

fn classes_of(setup: &Setup, targets: &[usize]) -> Tensor<1, Int> {
    let targets: Vec<i64> = targets.iter().map(|t| *t as i64).collect();
    Tensor::from_data(targets.as_slice(), &setup.device.clone().autodiff())
}

#[test]
fn smoothed_cross_entropy_matches_the_definition() {
    for setup in setups() {
        for smoothing in [0.0, 0.1, 1.0] {
            for (targets, classes) in [(&[2, 0, 3, 3][..], 4), (&[0][..], 1), (&[1][..], 2)] {
                let at = setup.at((smoothing, targets));
                let logits = setup.random(&mut rng(5), [targets.len(), classes]);
                let logits = leaf(&logits);
                let (expected, gradient) = cross_entropy(&values(&logits), targets, smoothing);
                let loss =
                    smoothed_cross_entropy(logits.clone(), classes_of(&setup, targets), smoothing);
                assert_eq!((loss.dims(), loss.dtype()), ([1], setup.dtype));
                assert_close(&values(&loss), &[expected], setup.tolerance, &at);
                let found = values(&logits.grad(&loss.backward()).unwrap());
                assert_close(&found, &gradient, setup.tolerance, &at);
                for row in found.chunks(classes) {
                    assert!(row.iter().sum::<f64>().abs() <= setup.tolerance, "{at}");
                }
            }
        }
    }
}

#[test]
fn large_logits_are_finite() {
    for setup in setups() {
        let logits = leaf(&setup.tensor(vec![1e4, -1e4, 0.0, -3e4, 3e4, 2e4], [2, 3]));
        for smoothing in [0.0, 0.1] {
            let (expected, gradient) = cross_entropy(&values(&logits), &[1, 1], smoothing);
            let loss =
                smoothed_cross_entropy(logits.clone(), classes_of(&setup, &[1, 1]), smoothing);
            let at = setup.at(smoothing);
            assert_close(&values(&loss), &[expected], setup.tolerance, &at);
            let found = values(&logits.grad(&loss.backward()).unwrap());
            assert_close(&found, &gradient, setup.tolerance, &at);
        }
    }
}

#[test]
fn a_class_that_is_excluded_costs_nothing_without_smoothing() {
    for setup in setups() {
        let logits = setup.tensor(vec![0.5, 0.5, f64::NEG_INFINITY], [1, 3]);
        let targets = || Tensor::from_data([1], &setup.device);
        let mean = smoothed_cross_entropy(logits.clone(), targets(), 0.0);
        let each = smoothed_cross_entropies(logits, targets(), 0.0);
        for loss in [mean, each] {
            let expected = [2.0_f64.ln()];
            assert_close(&values(&loss), &expected, setup.tolerance, setup.name);
        }
    }
}

#[test]
fn batches_of_different_size_panic() {
    let setup = &setups()[0];
    let logits = setup.random(&mut rng(6), [3, 4]);
    let targets = classes_of(setup, &[1, 2]);
    let message = panic_of(|| drop(smoothed_cross_entropy(logits, targets, 0.1)));
    assert_eq!(message, "`targets` has shape [2], expected [3]");
}
