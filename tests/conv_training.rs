//! `EiConv2d` and `INormConv2d` in training: Dale's law in every way of keeping it, what must not
//! learn, and records.

#![cfg(feature = "flex")]

mod common;

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::tensor::Tensor;
use common::convolution::{Case, case, cases};
use common::training::{Way, assert_unchanged, keeps_dales_law, parameters};
use common::{ChaCha8Rng, Setup, assert_same, rng, setups};
use ei_norm::dale::{self, NonNegative, Roles};
use ei_norm::{
    EiConv2d, EiConv2dWeights, GradNormConfig, GradNormMode, INormConv2d, INormConv2dWeights,
};

fn training_case() -> Case {
    let geometry = ([1, 2], [1, 1], PaddingConfig2d::Explicit(1, 0, 1, 0));
    let sizes = (6, [2, 5], [5, 4], [3, 2]);
    case(sizes, geometry, [[1, 1], [0, 0]], [2, 3])
}

fn ei_layer(setup: &Setup, rng: &mut ChaCha8Rng, case: &Case) -> EiConv2d {
    let ([_, n_e], [n_i, _]) = (case.channels, case.inhibitory);
    let weights = EiConv2dWeights {
        w_ex: case.kernels(setup, rng, n_e),
        inhibition: Some((
            case.kernels(setup, rng, n_i),
            setup.positive(rng, [n_i, n_e]).autodiff(),
        )),
        bias: Some(setup.random(rng, [n_e]).autodiff()),
    };
    EiConv2d::from_weights(weights, case.geometry.clone()).unwrap()
}

/// With the plasticity of the paper.
fn i_norm_layer(setup: &Setup, rng: &mut ChaCha8Rng, case: &Case, divisive: bool) -> INormConv2d {
    let ([channels, n_e], [n_i, n_d]) = (case.channels, case.inhibitory);
    let [height, width] = case.kernel;
    let weights = INormConv2dWeights {
        w_ex: case.kernels(setup, rng, n_e),
        w_ix: case.kernels(setup, rng, n_i),
        w_ei: setup.positive(rng, [n_i, n_e]).autodiff(),
        divisive: divisive.then(|| {
            let u_ix = setup.random(rng, [n_d, channels, height, width]);
            (u_ix.autodiff(), setup.positive(rng, [n_d, n_e]).autodiff())
        }),
        bias: Some(setup.random(rng, [n_e]).autodiff()),
    };
    let norm = GradNormConfig::new(n_e).init(&weights.w_ex.device());
    INormConv2d::from_weights(weights, case.geometry.clone(), norm, None, 1e-5).unwrap()
}

fn rate(way: Way) -> f64 {
    match way {
        Way::ProjectedSgd => 0.3,
        _ => 0.03,
    }
}

#[test]
fn dales_law_holds_in_an_ei_convolution() {
    let case = training_case();
    for setup in setups() {
        let mut rng = rng(1);
        let before = ei_layer(&setup, &mut rng, &case);
        let x = setup.positive(&mut rng, case.input()).autodiff();
        let target = setup.random(&mut rng, case.output()).autodiff();
        for way in Way::ALL {
            let at = setup.at(way);
            let loss = |layer: &EiConv2d| {
                let z = layer.forward(x.clone());
                (z - target.clone()).square().mean()
            };
            let (after, left) = keeps_dales_law(before.clone(), way, rate(way), loss, &at);
            assert!(left < 0.5, "{at}: {left}");
            assert_unchanged(&before, &after, &[], &at);
        }
    }
}

#[test]
fn dales_law_and_what_does_not_learn_hold_in_an_i_norm_convolution() {
    let case = training_case();
    for setup in setups() {
        for (divisive, mode) in [
            (true, GradNormMode::Full),
            (true, GradNormMode::Identity),
            (false, GradNormMode::Identity),
        ] {
            let mut rng = rng(2);
            let mut before = i_norm_layer(&setup, &mut rng, &case, divisive);
            before.grad_norm = GradNormConfig::new(case.channels[1])
                .with_mode(mode)
                .init(&before.w_ex.device());
            let x = setup.positive(&mut rng, case.input()).autodiff();
            let target = setup.random(&mut rng, case.output()).autodiff();
            // As in the paper: of what only subtracts, W_ei learns too.
            let fixed: &[&str] = if divisive { &["w_ei", "u_ei"] } else { &[] };
            for way in Way::ALL {
                let at = setup.at((way, divisive, mode));
                let loss = |layer: &INormConv2d| {
                    let (z, local) = layer.forward_with_local_loss(x.clone());
                    (z - target.clone()).square().mean() + local
                };
                let (after, left) = keeps_dales_law(before.clone(), way, rate(way), loss, &at);
                // A normalized error is no gradient, so nothing says that its loss falls.
                assert!(left < 0.9 || mode == GradNormMode::Full, "{at}: {left}");
                assert_unchanged(&before, &after, fixed, &at);
            }
        }
    }
}

/// A record of `saved` makes `other` compute the same, whether it holds weights or bases.
fn record_carries<M: Module>(saved: M, other: M, forward: impl Fn(&M) -> Tensor<4>, at: &str) {
    let pairs = parameters(&saved).into_iter().zip(parameters(&other));
    for ((name, saved), (_, other)) in pairs {
        assert_ne!(saved, other, "{at} {name}");
    }
    let forms = [None, Some(NonNegative::Softplus), Some(NonNegative::Abs)];
    for form in forms {
        let [saved, other] = [saved.clone(), other.clone()].map(|module| match form {
            Some(form) => dale::reparameterize(module, form),
            None => module,
        });
        let loaded = other.load_record(saved.clone().into_record());
        let at = format!("{at} {form:?}");
        assert_same(&forward(&loaded), &forward(&saved), &at);
        assert_eq!(parameters(&loaded), parameters(&saved), "{at}");
        assert_eq!(Roles::of(&loaded), Roles::of(&saved), "{at}");
    }
}

#[test]
fn a_record_carries_all_of_it() {
    for setup in setups() {
        for case in cases() {
            let mut rng = rng(3);
            let at = setup.at(&case);
            let x = setup.positive(&mut rng, case.input()).autodiff();
            let mut ei = || ei_layer(&setup, &mut rng, &case);
            let forward = |layer: &EiConv2d| layer.forward(x.clone()).inner();
            record_carries(ei(), ei(), forward, &at);
            for divisive in [true, false] {
                let mut i_norm = || i_norm_layer(&setup, &mut rng, &case, divisive);
                let forward = |layer: &INormConv2d| layer.forward(x.clone()).inner();
                record_carries(i_norm(), i_norm(), forward, &at);
            }
        }
    }
}

#[test]
fn a_record_replaces_what_was_known_of_the_divisive_weights() {
    for setup in setups() {
        let (case, mut rng) = (training_case(), rng(4));
        let mixed = i_norm_layer(&setup, &mut rng, &case, true);
        let mut uniform = i_norm_layer(&setup, &mut rng, &case, true);
        let u_ei = uniform.u_ei.as_mut().unwrap();
        u_ei.set("u_ei", u_ei.val().full_like(0.3)).unwrap();
        let x = setup.positive(&mut rng, case.input()).autodiff();
        let forward = |layer: &INormConv2d| layer.forward(x.clone()).inner();
        // Both have been looked at before the record comes.
        let (of_uniform, of_mixed) = (forward(&uniform), forward(&mixed));
        let loaded = uniform.clone().load_record(mixed.clone().into_record());
        assert_same(&forward(&loaded), &of_mixed, &setup.at("mixed"));
        let loaded = mixed.load_record(uniform.into_record());
        assert_same(&forward(&loaded), &of_uniform, &setup.at("uniform"));
    }
}
