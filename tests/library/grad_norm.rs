//! `GradNorm` against the formulas of the paper, its configuration, and its errors.

use crate::common::formulas::{self, EPSILON, formula};
use crate::common::{
    Setup, assert_close, assert_same, assert_tensor_close, gradient, leaf, panic_of, rng, setups,
    values,
};
use burn::tensor::{DType, Device};
use ei_norm::grad::normalize_grad;
use ei_norm::{Error, GradNorm, GradNormConfig, GradNormMode};

fn matches_the_formula<const D: usize>(setup: &Setup, shape: [usize; D]) {
    let features = shape[D - 1];
    let weights = formulas::weights(setup, features);
    let mut rng = rng(features as u64);
    for mode in GradNormMode::ALL {
        let z = setup.random(&mut rng, shape);
        let upstream = setup.random(&mut rng, shape);
        let at = setup.at((mode, shape));
        let found = gradient(&z, &upstream, |z| {
            let out = normalize_grad(z.clone(), mode, Some(weights.clone()), EPSILON);
            assert_same(&out, &z, &at);
            out
        });
        assert_eq!(found.dtype(), setup.dtype);
        let expected = formula(mode, z, upstream, weights.clone());
        assert_tensor_close(&found, &expected, setup.tolerance, &at);
    }
}

#[test]
fn every_mode_matches_its_formula_at_every_rank() {
    for setup in setups() {
        matches_the_formula(&setup, [1]);
        matches_the_formula(&setup, [7]);
        matches_the_formula(&setup, [1, 1]);
        matches_the_formula(&setup, [1, 7]);
        matches_the_formula(&setup, [5, 1]);
        matches_the_formula(&setup, [6, 5]);
        matches_the_formula(&setup, [3, 2, 9]);
        matches_the_formula(&setup, [2, 3, 2, 5]);
    }
}

#[test]
fn the_module_does_what_the_function_does() {
    let device = Device::flex();
    let setup = &setups()[0];
    let mut rng = rng(3);
    for mode in GradNormMode::ALL {
        let config = GradNormConfig::new(6).with_mode(mode).with_epsilon(EPSILON);
        let norm = config.try_init_with(&device, &mut rng).unwrap();
        assert_eq!((norm.mode(), norm.features()), (mode, 6));
        assert_eq!(
            norm.lateral_weights.is_some(),
            mode == GradNormMode::Lateral
        );
        let weights = norm.lateral_weights.as_ref().map(|w| w.val());
        let z = setup.random(&mut rng, [4, 6]);
        let upstream = setup.random(&mut rng, [4, 6]);
        let found = gradient(&z, &upstream, |z| norm.forward(z));
        let expected = gradient(&z, &upstream, |z| normalize_grad(z, mode, weights, EPSILON));
        assert_same(&found, &expected, mode.name());
        assert_same(&norm.apply(z, upstream), &expected, mode.name());
    }
}

#[test]
fn given_lateral_weights_are_used_in_their_dtype() {
    for setup in setups() {
        let weights = formulas::weights(&setup, 5);
        let norm = GradNorm::with_lateral_weights(weights.clone());
        assert_eq!((norm.mode(), norm.features()), (GradNormMode::Lateral, 5));
        let z = setup.random(&mut rng(1), [3, 5]);
        let upstream = setup.random(&mut rng(2), [3, 5]);
        let found = gradient(&z, &upstream, |z| norm.forward(z));
        let expected = formula(GradNormMode::Lateral, z, upstream, weights);
        assert_tensor_close(&found, &expected, setup.tolerance, &setup.at("lateral"));
    }
}

#[test]
fn identity_passes_errors_untouched() {
    for setup in setups() {
        let z = setup.random(&mut rng(1), [3, 5]);
        let upstream = setup.random(&mut rng(2), [3, 5]);
        let found = gradient(&z, &upstream, |z| GradNorm::identity(5).forward(z));
        assert_same(&found, &upstream, &setup.at("identity"));
    }
}

#[test]
fn half_precision_is_computed_in_single() {
    let setup = &setups()[0];
    let z = setup.random(&mut rng(6), [3, 64]);
    let upstream = setup.random(&mut rng(7), [3, 64]);
    let (z, upstream) = (z.cast(DType::BF16), upstream.cast(DType::BF16));
    let found = gradient(&z, &upstream, |z| {
        normalize_grad(z, GradNormMode::Full, None, EPSILON)
    });
    assert_eq!(found.dtype(), DType::BF16);
    let none = setup.tensor(vec![0.0; 64], [64]);
    let [z, upstream] = [z, upstream].map(|t| t.cast(DType::F32));
    let expected = values(&formula(GradNormMode::Full, z, upstream, none));
    // Half a unit in the last place of BF16's 8 bits, without a margin.
    assert_close(&values(&found), &expected, 2.0_f64.powi(-8), "full in BF16");
}

#[test]
fn without_a_graph_z_passes() {
    for setup in setups() {
        let z = setup.random(&mut rng(8), [3, 4]);
        for mode in GradNormMode::ALL {
            let norm = GradNormConfig::new(4).with_mode(mode);
            let norm = norm.try_init_with(&setup.device, &mut rng(9)).unwrap();
            let out = norm.forward(z.clone());
            assert!(!out.is_autodiff());
            assert_same(&out, &z, &setup.at(mode));
        }
    }
}

#[test]
fn bad_configurations_are_errors() {
    let device = Device::flex();
    let refused = |config: GradNormConfig| match config.try_init_with(&device, &mut rng(0)) {
        Err(Error::Config { name, value, .. }) => (name, value),
        other => panic!("{other:?}"),
    };
    let usual = || GradNormConfig::new(4);
    for epsilon in [-1e-9, f64::NAN, f64::INFINITY] {
        let expected = ("epsilon", epsilon.to_string());
        assert_eq!(refused(usual().with_epsilon(epsilon)), expected);
    }
    assert!(usual().with_epsilon(0.0).try_init(&device).is_ok());
    for mode in GradNormMode::ALL {
        let (name, _) = refused(GradNormConfig::new(0).with_mode(mode));
        assert_eq!(name, "features");
    }
    let message = panic_of(|| drop(GradNormConfig::new(0).init(&device)));
    assert_eq!(message, "features is 0; allowed: at least 1");
}

#[test]
fn names_of_modes_go_round() {
    for mode in GradNormMode::ALL {
        assert_eq!(mode.name().parse(), Ok(mode));
        assert_eq!(mode.to_string(), mode.name());
        let json = serde_json::to_string(&mode).unwrap();
        assert_eq!(json, format!("\"{mode}\""));
    }
    let error = "Full".parse::<GradNormMode>().unwrap_err();
    let message = error.to_string();
    assert!(message.contains("Full"), "{message}");
    for mode in GradNormMode::ALL {
        assert!(message.contains(mode.name()), "{message}");
    }
}

#[test]
fn shapes_that_do_not_fit_panic() {
    let setup = &setups()[0];
    let z = setup.random(&mut rng(1), [3, 4]);
    for mode in GradNormMode::ALL {
        let norm = GradNormConfig::new(5).with_mode(mode);
        let norm = norm.try_init_with(&setup.device, &mut rng(1)).unwrap();
        panic_of(|| drop(norm.forward(leaf(&z))));
        panic_of(|| drop(norm.forward(z.clone())));
    }
    let weights = formulas::weights(setup, 5);
    let lateral = |weights| normalize_grad(leaf(&z), GradNormMode::Lateral, weights, 0.0);
    panic_of(|| drop(lateral(Some(weights))));
    let missing = panic_of(|| drop(lateral(None)));
    assert_eq!(missing, "GradNormMode::Lateral needs lateral weights");
}
