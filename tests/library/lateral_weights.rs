//! The lateral weights of `GradNorm`: their distribution; no optimizer changes them.

use crate::common::{Setup, assert_close, assert_same, rng, setups, values};
use burn::module::{Module, Param};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Tensor};
use ei_norm::dale::Weight;
use ei_norm::{GradNorm, GradNormConfig, GradNormMode, LearnedLateral};

fn lateral(features: usize, device: &Device, seed: u64) -> GradNorm {
    let config = GradNormConfig::new(features).with_mode(GradNormMode::Lateral);
    config.try_init_with(device, &mut rng(seed)).unwrap()
}

fn weights_of(norm: &GradNorm) -> Tensor<1> {
    norm.lateral_weights.as_ref().unwrap().val().inner()
}

#[test]
fn lateral_weights_are_uniform_draws_that_sum_to_1() {
    for setup in setups() {
        let n = 4000;
        let w = values(&weights_of(&lateral(n, &setup.device, 1)));
        assert_close(&[w.iter().sum()], &[1.0], 1e-5, &setup.at("sum"));
        // Multiplied by n, they are uniform in 0..2: variance 1/3.
        let w: Vec<f64> = w.iter().map(|w| w * n as f64).collect();
        let variance = w.iter().map(|w| (w - 1.0).powi(2)).sum::<f64>() / n as f64;
        assert_close(&[variance], &[1.0 / 3.0], 0.05, &setup.at("variance"));
        assert!(
            w.iter().all(|w| (0.0..2.1).contains(w)),
            "{}",
            setup.at("range")
        );
    }
}

#[test]
fn a_seed_determines_the_lateral_weights() {
    let device = Device::flex();
    let w = |seed| values(&weights_of(&lateral(8, &device, seed)));
    assert_eq!(w(1), w(1));
    assert_ne!(w(1), w(2));
}

/// Trains a gain before a module of five features, and fails unless its lateral weights get no gradient and
/// stay as they are.
fn never_learns<M: Module>(
    setup: &Setup,
    module: M,
    forward: fn(&M, Tensor<2>) -> Tensor<2>,
    weights: fn(&M) -> &Weight<1>,
) {
    let device = setup.device.clone().autodiff();
    let gain = setup.random(&mut rng(1), [5]).autodiff();
    let model = (Param::from_tensor(gain), module);
    let mut model = model.freeze().unfreeze().valid().train().fork(&device);
    let before = model.clone();
    let mut optimizer = SgdConfig::new().init();
    for seed in 0..3 {
        let mut rng = rng(seed);
        let x = setup.random(&mut rng, [4, 5]);
        let z = (x.autodiff() * model.0.val().unsqueeze()).cast(setup.dtype);
        let out = forward(&model.1, z) * setup.random(&mut rng, [4, 5]);
        let grads = GradientsParams::from_grads(out.sum().backward(), &model);
        let weights = weights(&model.1);
        assert!(grads.get::<1>(weights.id).is_none());
        assert!(!weights.is_require_grad());
        assert!(grads.get::<1>(model.0.id).is_some());
        model = optimizer.step(0.1, model, grads);
    }
    assert_ne!(values(&model.0.val()), values(&before.0.val()));
    let [found, expected] = [&model, &before].map(|model| weights(&model.1).val());
    assert_same(&found, &expected, &setup.at("w"));
}

#[test]
fn no_optimizer_changes_lateral_weights() {
    for setup in setups() {
        let norm = lateral(5, &setup.device.clone().autodiff(), 2);
        never_learns(
            &setup,
            norm,
            |norm, z| norm.forward(z),
            |norm| norm.lateral_weights.as_ref().unwrap(),
        );
        // Those that learn, learn only when `adapt` is called.
        let weights = setup.tensor(vec![0.2, 0.3, 0.9, 0.0, 0.1], [5]);
        let learned = LearnedLateral::with_weights(weights.autodiff(), 1.0).unwrap();
        never_learns(
            &setup,
            learned,
            |learned, z| learned.forward(z),
            |learned| &learned.weights,
        );
    }
}
