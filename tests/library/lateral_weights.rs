//! The lateral weights of `GradNorm`: their distribution; they never learn.

use crate::common::{assert_close, assert_same, rng, setups, values};
use burn::module::{Module, Param};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Tensor};
use ei_norm::{GradNorm, GradNormConfig, GradNormMode};

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

#[derive(Module, Debug)]
struct Gated {
    gain: Param<Tensor<1>>,
    norm: GradNorm,
}

#[test]
fn lateral_weights_never_learn() {
    for setup in setups() {
        let device = setup.device.clone().autodiff();
        let gain = setup.random(&mut rng(1), [5]).autodiff();
        let mut model = Gated {
            gain: Param::from_tensor(gain),
            norm: lateral(5, &device, 2),
        };
        model = model.freeze().unfreeze().valid().train().fork(&device);
        let before = model.clone();
        let mut optimizer = SgdConfig::new().init();
        for seed in 0..3 {
            let mut rng = rng(seed);
            let x = setup.random(&mut rng, [4, 5]);
            let z = (x.autodiff() * model.gain.val().unsqueeze()).cast(setup.dtype);
            let out = model.norm.forward(z) * setup.random(&mut rng, [4, 5]);
            let grads = GradientsParams::from_grads(out.sum().backward(), &model);
            let weights = model.norm.lateral_weights.as_ref().unwrap();
            assert!(grads.get::<1>(weights.id).is_none());
            assert!(!weights.is_require_grad());
            assert!(grads.get::<1>(model.gain.id).is_some());
            model = optimizer.step(0.1, model, grads);
        }
        assert_ne!(values(&model.gain.val()), values(&before.gain.val()));
        assert_same(
            &weights_of(&model.norm),
            &weights_of(&before.norm),
            &setup.at("w"),
        );
    }
}
