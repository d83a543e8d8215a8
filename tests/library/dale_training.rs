//! Dale's law in training: a projected parameter continues to learn, with its optimizer state.

use crate::common::circuits::ei;
use crate::common::parameters::assert_unchanged;
use crate::common::training::{Way, keeps_dales_law};
use crate::common::{Setup, assert_close, rng, setups, uniform, values};
use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams, SgdConfig};
use burn::tensor::Tensor;
use ei_norm::dale::{self, Plasticity, Sign, Weight};
use ei_norm::{EiLinear, EiLinearConfig, INormLinearConfig, Inhibitory};

fn layer(setup: &Setup) -> EiLinear {
    EiLinear::from_weights(ei(setup, &mut rng(1), [6, 2, 4])).unwrap()
}

#[test]
fn the_loss_falls_under_sgd_and_adam() {
    for setup in setups() {
        let rng = &mut rng(2);
        let x = setup.positive(rng, [8, 6]).autodiff();
        let target = setup.random(rng, [8, 4]).autodiff();
        for (way, rate) in [(Way::ProjectedSgd, 0.2), (Way::Projection, 0.05)] {
            let error = |layer: &EiLinear| layer.forward(x.clone()) - target.clone();
            let loss = |layer: &EiLinear| error(layer).square().mean();
            let (before, at) = (layer(&setup), setup.at(way));
            let (after, losses) = keeps_dales_law(before.clone(), way, rate, loss, &at);
            let [first, middle, last] = [0, 20, 59].map(|i| losses[i]);
            assert!(middle < 0.7 * first, "{at}: {losses:?}");
            assert!(last < middle, "{at}: {losses:?}");
            assert_unchanged(&before, &after, &[], &at);
            assert_eq!(after.w_ex.id, before.w_ex.id, "{at}");
        }
    }
}

/// Adam on the host, projected after each step.
fn adam(mut w: Vec<f64>, gradients: &[Vec<f64>], rate: f64) -> Vec<f64> {
    let (mut m, mut v) = (vec![0.0; w.len()], vec![0.0; w.len()]);
    for (step, gradient) in (1..).zip(gradients) {
        for i in 0..w.len() {
            m[i] = 0.9 * m[i] + 0.1 * gradient[i];
            v[i] = 0.999 * v[i] + 0.001 * gradient[i] * gradient[i];
            let m_hat = m[i] / (1.0 - 0.9_f64.powi(step));
            let v_hat = v[i] / (1.0 - 0.999_f64.powi(step));
            w[i] = (w[i] - rate * m_hat / (v_hat.sqrt() + 1e-5)).max(0.0);
        }
    }
    w
}

#[test]
fn the_state_of_adam_survives_projection() {
    for setup in setups() {
        let rng = &mut rng(3);
        let start = setup.positive(rng, [12]);
        let gradients: Vec<Vec<f64>> = (0..6).map(|_| uniform(rng, [12], -1.0, 1.0)).collect();
        let value = start.clone().autodiff();
        let mut weight = Weight::new(value, Sign::NonNegative, Plasticity::Plastic);
        let mut optimizer = AdamConfig::new().init();
        for gradient in &gradients {
            let upstream: Tensor<1> = setup.tensor(gradient.clone(), [12]);
            let grads = (weight.val() * upstream).sum().backward();
            let grads = GradientsParams::from_grads(grads, &weight);
            weight = dale::project(optimizer.step(0.1, weight, grads));
        }
        let expected = adam(values(&start), &gradients, 0.1);
        assert!(expected.contains(&0.0) && expected.iter().any(|w| *w > 0.0));
        // Burn stores Adam's constants in f32.
        assert_close(&values(&weight.val()), &expected, 1e-3, &setup.at("adam"));
    }
}

#[test]
fn a_projected_layer_trains_after_validation() {
    for setup in setups() {
        let before = layer(&setup);
        let layer = dale::project(dale::project(before.clone()).valid()).train();
        let x = setup.positive(&mut rng(4), [2, 6]);
        let upstream = setup.random(&mut rng(5), [2, 4]);
        let grads = (layer.forward(x) * upstream).sum().backward();
        let grads = GradientsParams::from_grads(grads, &layer);
        assert_eq!(grads.len(), 4, "{}", setup.name);
        let stepped = SgdConfig::new().init().step(0.1, layer, grads);
        assert_ne!(values(&stepped.w_ex.val()), values(&before.w_ex.val()));
    }
}

#[test]
fn an_i_norm_layer_keeps_the_law_in_training() {
    for setup in setups() {
        let device = setup.device.clone().autodiff();
        let config = INormLinearConfig::new(6, 4).with_inhibitory(Inhibitory::Count(2));
        let mut layer = config.try_init_with(&device, &mut rng(6)).unwrap();
        let mut optimizer = SgdConfig::new().init();
        let mut free = false;
        for seed in 0..20 {
            let rng = &mut rng(seed);
            let x = setup.positive(rng, [8, 6]).cast(layer.w_ex.dtype());
            let upstream = setup.random(rng, [8, 4]).cast(layer.w_ex.dtype());
            let (out, local) = layer.forward_with_local_loss(x);
            let loss = (out * upstream).mean() + local;
            let grads = GradientsParams::from_grads(loss.backward(), &layer);
            layer = dale::project(optimizer.step(0.5, layer, grads));
            dale::check(&layer).unwrap();
            let u_ix = values(&layer.u_ix.as_ref().unwrap().val());
            free |= u_ix.iter().any(|u| *u < 0.0);
        }
        assert!(free, "U_ix is free of sign");
    }
}

#[test]
fn gradient_checkpointing_survives_projection() {
    for setup in setups() {
        let device = setup.device.clone().autodiff().gradient_checkpointing();
        let config = EiLinearConfig::new(6, 4);
        let mut layer = config.try_init_with(&device, &mut rng(7)).unwrap();
        let strategy = layer.w_ex.val().gradient_checkpointing_strategy();
        assert_eq!(strategy, device.gradient_checkpointing_strategy());
        let negative = layer.w_ex.val().inner() - 0.3;
        let value = Tensor::from_data(negative.into_data(), &device);
        layer.w_ex.set(value).unwrap();
        let layer = dale::project(layer);
        dale::check(&layer).unwrap();
        let found = layer.w_ex.val().gradient_checkpointing_strategy();
        assert_eq!(found, strategy, "{}", setup.name);
        let x = Tensor::<2>::from_data(setup.positive(&mut rng(8), [2, 6]).into_data(), &device);
        let grads = layer.forward(x).sin().sum().backward();
        assert!(layer.w_ex.val().grad(&grads).is_some());
    }
}
