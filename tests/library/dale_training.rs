//! Dale's law in training: a projected parameter continues to learn, with its optimizer state.

use crate::common::{Setup, assert_close, rng, setups, uniform, values};
use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::Tensor;
use ei_norm::dale::{self, Plasticity, Sign, Weight};
use ei_norm::{EiLinear, EiWeights, INormLinearConfig, Inhibitory};

fn layer(setup: &Setup, d_input: usize, d_output: usize) -> EiLinear {
    let rng = &mut rng(1);
    EiLinear::from_weights(EiWeights {
        w_ex: setup.positive(rng, [d_input, d_output]).autodiff(),
        inhibition: Some((
            setup.positive(rng, [d_input, 2]).autodiff(),
            setup.positive(rng, [2, d_output]).autodiff(),
        )),
        bias: Some(setup.random(rng, [d_output]).autodiff()),
    })
    .unwrap()
}

/// Trains a layer on one batch, with a projection after every step. Returns the losses.
fn train(
    setup: &Setup,
    mut layer: EiLinear,
    mut optimizer: ModuleOptimizer,
    rate: f64,
) -> Vec<f64> {
    let rng = &mut rng(2);
    let x = setup.positive(rng, [8, 6]).autodiff();
    let target = setup.random(rng, [8, 4]).autodiff();
    let ids = [
        layer.w_ex.id,
        layer.w_ix.as_ref().unwrap().id,
        layer.w_ei.as_ref().unwrap().id,
    ];
    let mut losses = Vec::new();
    let mut clamped = false;
    for _ in 0..60 {
        let loss = (layer.forward(x.clone()) - target.clone()).square().mean();
        losses.push(values(&loss)[0]);
        let grads = GradientsParams::from_grads(loss.backward(), &layer);
        assert!(
            ids.iter().all(|id| grads.get::<2>(*id).is_some()),
            "{}",
            setup.at("learns")
        );
        layer = optimizer.step(rate, layer, grads);
        clamped |= values(&layer.w_ex.val()).iter().any(|w| *w < 0.0);
        layer = dale::project(layer);
        dale::check(&layer).unwrap();
        assert_eq!(ids[0], layer.w_ex.id);
    }
    assert!(clamped, "{}: nothing was ever projected", setup.name);
    losses
}

#[test]
fn the_loss_falls_under_sgd_and_adam() {
    for setup in setups() {
        for (name, optimizer, rate) in [
            ("sgd", SgdConfig::new().init(), 0.2),
            ("adam", AdamConfig::new().init(), 0.05),
        ] {
            let losses = train(&setup, layer(&setup, 6, 4), optimizer, rate);
            let [first, middle, last] = [0, 20, 59].map(|i| losses[i]);
            let at = setup.at((name, first, middle, last));
            assert!(middle < 0.7 * first, "{at}");
            assert!(last < middle, "{at}");
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
        let before = layer(&setup, 6, 4);
        let layer = dale::project(dale::project(before.clone()).valid()).train();
        let x = setup.positive(&mut rng(4), [2, 6]);
        let grads = (layer.forward(x) * setup.random(&mut rng(5), [2, 4]))
            .sum()
            .backward();
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
            free |= values(&layer.u_ix.as_ref().unwrap().val())
                .iter()
                .any(|u| *u < 0.0);
        }
        assert!(free, "U_ix is free of sign");
    }
}

#[test]
fn gradient_checkpointing_survives_projection() {
    for setup in setups() {
        let device = setup.device.clone().autodiff().gradient_checkpointing();
        let config = ei_norm::EiLinearConfig::new(6, 4);
        let layer = config.try_init_with(&device, &mut rng(7)).unwrap();
        let strategy = layer.w_ex.val().gradient_checkpointing_strategy();
        assert_eq!(strategy, device.gradient_checkpointing_strategy());
        let negative = layer.w_ex.val().inner() - 0.3;
        let mut layer = layer;
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
