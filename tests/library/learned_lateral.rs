//! Lateral inhibition that learns: the rule against scalar arithmetic, its convergence, and its module.

use crate::common::{
    Setup, assert_close, assert_same, gradient, leaf, panic_of, quantized, rng, setups, uniform,
    values,
};
use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};
use ei_norm::functional::lateral_update;
use ei_norm::{GradNormConfig, GradNormMode, LearnedLateral, LearnedLateralConfig};

/// The rule in scalar arithmetic.
fn reference(w: &[f64], delta: &[f64], rate: f64) -> Vec<f64> {
    let d = w.len();
    let (mut change, mut power) = (vec![0.0; d], 0.0);
    for row in delta.chunks(d) {
        let p: f64 = (0..d).map(|j| w[j] * row[j]).sum();
        let m: f64 = (0..d).map(|j| row[j] - p).sum::<f64>() / d as f64;
        for j in 0..d {
            change[j] += m * row[j];
            power += row[j] * row[j];
        }
    }
    let stepped = (0..d).map(|j| w[j] + rate * change[j] / power);
    stepped.map(|w| w.max(0.0)).collect()
}

fn module(setup: &Setup, weights: Vec<f64>, rate: f64) -> LearnedLateral {
    let d = weights.len();
    let weights = setup.tensor(weights, [d]).autodiff();
    LearnedLateral::with_weights(weights, rate).unwrap()
}

fn weights_of(module: &LearnedLateral) -> Tensor<1> {
    module.weights.val().inner()
}

fn distance(w: &[f64]) -> f64 {
    let u = 1.0 / w.len() as f64;
    w.iter().map(|w| (w - u).powi(2)).sum::<f64>().sqrt()
}

/// The largest |mean(δ − w·δ)| of a row, relative to the largest |δ|.
fn off_center(w: &[f64], delta: &[f64]) -> f64 {
    let d = w.len();
    let size = delta.iter().fold(0.0_f64, |size, e| size.max(e.abs()));
    let of = |row: &[f64]| {
        let p: f64 = row.iter().zip(w).map(|(e, w)| e * w).sum();
        (row.iter().sum::<f64>() / d as f64 - p).abs() / size
    };
    delta.chunks(d).map(of).fold(0.0, f64::max)
}

#[test]
fn a_step_matches_the_rule_at_every_rank() {
    fn check<const D: usize>(setup: &Setup, shape: [usize; D]) {
        let d = shape[D - 1];
        let mut rng = rng(d as u64);
        for rate in [0.0, 0.3, 1.9] {
            let w = setup.positive(&mut rng, [d]);
            let delta = setup.random(&mut rng, shape);
            let found = lateral_update(w.clone(), delta.clone(), rate);
            assert_eq!((found.dims(), found.dtype()), ([d], setup.dtype));
            let expected = reference(&values(&w), &values(&delta), rate);
            let at = setup.at((shape, rate));
            assert_close(&values(&found), &expected, setup.tolerance, &at);
        }
    }
    for setup in setups() {
        check(&setup, [7]);
        check(&setup, [1, 1]);
        check(&setup, [5, 3]);
        check(&setup, [2, 3, 11]);
    }
}

#[test]
fn the_step_descends_the_squared_mean_of_what_is_left() {
    for setup in setups() {
        let (mut rng, rate, d) = (rng(3), 0.7, 6);
        let delta = setup.random(&mut rng, [4, d]);
        // Far enough from 0 that the projection has no effect.
        let w = setup.positive(&mut rng, [d]) + 1.0;
        let leaf = leaf(&w);
        let inhibition = (delta.clone().autodiff() * leaf.clone().unsqueeze()).sum_dim(1);
        let left = (delta.clone().autodiff() - inhibition).mean_dim(1);
        let grads = (left.square().sum() * 0.5).backward();
        let power: f64 = values(&delta).iter().map(|e| e * e).sum();
        let expected = w.clone() - leaf.grad(&grads).unwrap() * (rate / power);
        let found = lateral_update(w, delta, rate);
        let at = setup.at("descent");
        assert_close(&values(&found), &values(&expected), setup.tolerance, &at);
    }
}

#[test]
fn the_size_of_the_errors_does_not_matter() {
    for setup in setups() {
        let mut rng = rng(4);
        let w = setup.positive(&mut rng, [9]);
        let delta = setup.random(&mut rng, [5, 9]);
        let expected = values(&lateral_update(w.clone(), delta.clone(), 0.8));
        // 2^±90: the squares are outside the range of f32.
        for exponent in [-90, -20, 90] {
            let scaled = delta.clone() * 2f64.powi(exponent);
            let found = lateral_update(w.clone(), scaled, 0.8);
            let at = setup.at(exponent);
            assert_close(&values(&found), &expected, setup.tolerance, &at);
        }
    }
}

#[test]
fn errors_in_all_directions_lead_to_one_over_d_from_anywhere_and_never_away() {
    for setup in setups() {
        for rate in [0.5, 1.0, 1.9] {
            let (mut rng, d) = (rng(5), 6);
            let mut w = setup.positive(&mut rng, [d]);
            for step in 0..400 {
                let before = distance(&values(&w));
                w = lateral_update(w, setup.random(&mut rng, [2, d]), rate);
                let after = distance(&values(&w));
                let at = setup.at((rate, step));
                assert!(after <= before + 1e-6, "{at}: from {before} to {after}");
            }
            let at = setup.at(rate);
            let limit = if setup.dtype == DType::F32 {
                1e-5
            } else {
                1e-9
            };
            assert_close(&values(&w), &[1.0 / d as f64; 6], limit, &at);
        }
    }
}

#[test]
fn a_rate_of_2_or_more_does_not_converge() {
    let setup = &setups()[0];
    let w = setup.tensor(vec![0.6, 0.5], [2]);
    let delta = setup.tensor(vec![1.0, 1.0], [1, 2]);
    let step = |rate| distance(&values(&lateral_update(w.clone(), delta.clone(), rate)));
    let before = distance(&values(&w));
    assert!(step(1.99) < before, "{} {before}", step(1.99));
    assert!(step(2.5) > before, "{} {before}", step(2.5));
}

#[test]
fn errors_in_few_directions_are_centered_without_one_over_d() {
    for setup in setups() {
        let (mut rng, d) = (rng(6), 10);
        let basis = uniform(&mut rng, [2, d], -1.0, 1.0);
        let batch = |rng: &mut _| -> Vec<f64> {
            let c = uniform(rng, [4, 2], -1.0, 1.0);
            let row = |c: &[f64]| -> Vec<f64> {
                (0..d)
                    .map(|j| c[0] * basis[j] + c[1] * basis[d + j])
                    .collect()
            };
            c.chunks(2).flat_map(row).collect()
        };
        let start = setup.positive(&mut rng, [d]) / 5.0;
        let mut w = start.clone();
        for _ in 0..600 {
            w = lateral_update(w, setup.tensor(batch(&mut rng), [4, d]), 1.0);
        }
        let (w, test) = (values(&w), batch(&mut rng));
        let before = off_center(&values(&start), &test);
        let after = off_center(&w, &test);
        assert!(before > 0.01, "{}: {before}", setup.at("start"));
        assert!(after < 1e-5, "{}: {after}", setup.at("end"));
        assert!(distance(&w) > 0.01, "{}: 1/D", setup.at("end"));
    }
}

#[test]
fn weights_never_become_negative_and_nan_stays() {
    for setup in setups() {
        let w = setup.tensor(vec![0.0, 1.0], [2]);
        let delta = setup.tensor(vec![1.0, 1.5], [1, 2]);
        // m = 1.25 − 1.5 < 0: both weights shrink, and the first stops at 0.
        let found = values(&lateral_update(w.clone(), delta, 1.0));
        assert_eq!(found[0], 0.0);
        assert!(found[1] < 1.0 && found[1] > 0.0);
        let delta = setup.tensor(vec![f64::NAN, 1.0], [1, 2]);
        let found = values(&lateral_update(w, delta, 1.0));
        assert!(found.iter().any(|w| w.is_nan()), "{found:?}");
    }
}

#[test]
fn no_errors_and_zero_errors_change_nothing() {
    for setup in setups() {
        let w = setup.positive(&mut rng(1), [3]);
        let at = setup.at("zeros");
        let none = setup.tensor(vec![], [0, 3]);
        assert_same(&lateral_update(w.clone(), none, 1.0), &w, &at);
        let zeros = setup.tensor(vec![0.0; 6], [2, 3]);
        assert_same(&lateral_update(w.clone(), zeros, 1.0), &w, &at);
    }
}

#[test]
fn the_module_inhibits_like_lateral_and_adapts_by_the_rule() {
    for setup in setups() {
        let (mut rng, rate) = (rng(7), 0.6);
        let start = uniform(&mut rng, [5], 0.0, 0.4);
        let mut lateral = module(&setup, start.clone(), rate);
        let mut w = start;
        let id = lateral.weights.id;
        for step in 0..3 {
            let z = setup.random(&mut rng, [2, 3, 5]);
            let delta = setup.random(&mut rng, [2, 3, 5]);
            let at = setup.at(step);
            let found = gradient(&z, &delta, |z| {
                let out = lateral.forward(z.clone());
                assert_same(&out, &z, &at);
                out
            });
            let delta = values(&delta);
            let expected: Vec<f64> = delta
                .chunks(5)
                .flat_map(|row| {
                    let p: f64 = row.iter().zip(&w).map(|(e, w)| e * w).sum();
                    row.iter().map(move |e| e - p)
                })
                .collect();
            assert_close(&values(&found), &expected, setup.tolerance, &at);
            w = reference(&w, &delta, rate);
            lateral = lateral.adapt();
            assert_close(&values(&weights_of(&lateral)), &w, setup.tolerance, &at);
            assert_eq!(lateral.weights.id, id);
            assert!(lateral.weights.val().is_autodiff());
            assert!(!lateral.weights.is_require_grad());
            let adapted = weights_of(&lateral);
            assert_same(&weights_of(&lateral.clone().adapt()), &adapted, "used up");
        }
    }
}

#[test]
fn uses_count_in_the_order_of_their_forward_passes() {
    for setup in setups() {
        let start = vec![0.1, 0.5, 0.2];
        let mut rng = rng(8);
        let deltas: Vec<_> = (0..3).map(|_| setup.random(&mut rng, [2, 3])).collect();
        let adapted = |order: [usize; 3]| {
            let lateral = module(&setup, start.clone(), 1.0);
            let use_of = |delta: &Tensor<2>| {
                let z = leaf(&delta.zeros_like());
                (lateral.forward(z) * delta.clone().autodiff()).sum()
            };
            let mut losses: Vec<_> = deltas.iter().map(|d| Some(use_of(d))).collect();
            for index in order {
                losses[index].take().unwrap().backward();
            }
            weights_of(&lateral.adapt())
        };
        let found = adapted([0, 1, 2]);
        let all: Vec<f64> = deltas.iter().flat_map(values).collect();
        let at = setup.at("uses");
        let expected = reference(&start, &all, 1.0);
        assert_close(&values(&found), &expected, setup.tolerance, &at);
        assert_same(&adapted([2, 0, 1]), &found, &at);
    }
}

#[test]
fn a_module_without_autodiff_inhibits_but_collects_nothing() {
    let setup = &setups()[0];
    let lateral = module(setup, vec![0.2, 0.3, 0.9], 1.0);
    let (z, delta) = (
        setup.random(&mut rng(1), [2, 3]),
        setup.random(&mut rng(2), [2, 3]),
    );
    let valid = lateral.valid();
    let found = gradient(&z, &delta, |z| valid.forward(z));
    assert_same(&found, &valid.apply(delta), "errors");
    let before = weights_of(&lateral);
    assert_same(&weights_of(&lateral.adapt()), &before, "weights");
}

#[test]
fn it_starts_as_the_lateral_mode_does() {
    let device = Device::flex();
    let learned = LearnedLateralConfig::new(8).try_init_with(&device, &mut rng(1));
    let config = GradNormConfig::new(8).with_mode(GradNormMode::Lateral);
    let fixed = config.try_init_with(&device, &mut rng(1)).unwrap();
    let fixed = fixed.lateral_weights.unwrap().val();
    assert_same(&learned.unwrap().weights.val(), &fixed, "weights");
}

#[test]
fn what_does_not_fit_is_named() {
    let device = Device::flex();
    for rate in [-0.1, 2.0, f64::NAN, f64::INFINITY] {
        let config = LearnedLateralConfig::new(3).with_rate(rate);
        let message = config.try_init(&device).unwrap_err().to_string();
        assert!(message.starts_with("rate is"), "{message}");
    }
    let config = LearnedLateralConfig::new(0);
    let message = config.try_init(&device).unwrap_err().to_string();
    assert!(message.starts_with("features is 0"), "{message}");
    for bad in [-1e-3, f64::NAN] {
        let weights = Tensor::<1>::from_floats([0.5, bad], &device);
        let message = LearnedLateral::with_weights(weights, 1.0).unwrap_err();
        assert!(message.to_string().contains("non-negative"), "{message}");
    }
    let w = Tensor::<1>::ones([3], &device);
    let message = panic_of(|| drop(lateral_update(w, Tensor::<2>::ones([2, 4], &device), 1.0)));
    assert!(message.contains("[2, 4]"), "{message}");
}

#[test]
fn errors_that_nobody_collects_are_bounded() {
    let setup = &setups()[0];
    // At most two uses of 2²³ values wait; the third drops the first.
    let (rows, features) = (1 << 21, 4);
    let error = |of: usize| {
        let row: Vec<f64> = (0..features).map(|j| f64::from(j == of)).collect();
        setup.tensor(row, [1, features]).expand([rows, features])
    };
    let collected = |uses: &[usize]| {
        let lateral = module(setup, vec![0.7, 0.1, 0.1, 0.1], 1.0);
        for &of in uses {
            let delta = error(of);
            gradient(&delta.zeros_like(), &delta, |z| lateral.forward(z));
        }
        weights_of(&lateral.adapt())
    };
    assert_same(
        &collected(&[0, 1, 2]),
        &collected(&[1, 2]),
        "the oldest is left out",
    );
    assert_ne!(values(&collected(&[1, 2])), values(&collected(&[2])));
}

/// Data-parallel training: each worker has a replica and a separate part of the batch.
#[test]
fn a_fork_learns_from_its_own_errors() {
    for setup in setups() {
        let layer = module(&setup, vec![0.4, 0.3, 0.2, 0.1], 0.5);
        let device = setup.device.clone().autodiff();
        let errors = [[1.0, 0.0, 0.0, 0.5], [0.0, 2.0, 0.0, 0.0]]
            .map(|error| setup.tensor(error.to_vec(), [1, 4]));
        let back = |layer: &LearnedLateral, error: &Tensor<2>| {
            gradient(&error.zeros_like(), error, |z| layer.forward(z));
        };
        let alone = errors.clone().map(|error| {
            let layer = module(&setup, vec![0.4, 0.3, 0.2, 0.1], 0.5);
            back(&layer, &error);
            values(&weights_of(&layer.adapt()))
        });
        let replicas = [layer.clone().fork(&device), layer.fork(&device)];
        for (replica, error) in replicas.iter().zip(&errors) {
            back(replica, error);
        }
        let found = replicas.map(|replica| values(&weights_of(&replica.adapt())));
        assert_eq!(found, alone, "{}", setup.at("replicas"));
    }
}

#[test]
fn quantized_weights_inhibit_and_adapt() {
    let setup = &setups()[0];
    let exact = module(setup, vec![0.1, 0.2, 0.3, 0.4], 0.5);
    let step = |lateral: LearnedLateral| {
        let z = leaf(&setup.tensor(vec![1.0, -2.0, 0.5, 1.5], [1, 4]));
        let grads = lateral
            .forward(z.clone() * 1.0)
            .powi_scalar(2)
            .sum()
            .backward();
        let error = values(&z.grad(&grads).unwrap());
        [error, values(&lateral.adapt().weights.val())]
    };
    let expected = step(exact.clone());
    let found = step(quantized(exact));
    for (found, expected) in found.iter().zip(&expected) {
        assert_close(found, expected, 0.02, "quantized");
    }
}
