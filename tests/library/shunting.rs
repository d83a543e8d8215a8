//! `ShuntingLinear` against a scalar reference in f64 and plain autodiff, its initial weights, Dale's law in
//! training, records, and errors.

use crate::common::shunting::{Case, EPSILON, assert_same_pass};
use crate::common::{assert_close, assert_same, panic_of, rng, setups, values};
use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Tensor};
use ei_norm::dale::{self, Role, Roles};
use ei_norm::{Error, Inhibitory, ShuntingLinear, ShuntingLinearConfig, ShuntingWeights};

#[test]
fn output_and_gradients_match_the_reference_and_plain_autodiff() {
    for setup in setups() {
        // With a single input z does not depend on the input: there is no gradient to compare.
        for sizes in [[1, 2, 2, 1], [5, 7, 3, 2], [4, 3, 11, 5], [32, 20, 17, 1]] {
            let case = Case::random(&mut rng(sizes[1] as u64), sizes);
            let found = case.of_layer(&setup);
            for expected in [case.reference(), case.plain(&setup)] {
                // The error of x is a difference of terms up to a thousand times as large.
                let tolerance = 20.0 * setup.tolerance;
                assert_same_pass(&found, &expected, tolerance, &setup.at(sizes));
            }
        }
    }
}

#[test]
fn leading_axes_are_rows() {
    for setup in setups() {
        let case = Case::random(&mut rng(2), [6, 4, 3, 2]);
        let layer = case.layer(&setup);
        let flat = layer.forward(case.x(&setup).autodiff());
        let cube = layer.forward(case.x(&setup).reshape([2, 3, 4]).autodiff());
        assert_eq!(cube.dims(), [2, 3, 3]);
        assert_same(&cube.reshape([6, 3]), &flat, &setup.at("rank 3"));
        let none = layer.forward(setup.tensor(vec![], [0, 4]).autodiff());
        assert_eq!(none.dims(), [0, 3]);
    }
}

#[test]
fn initial_weights_are_those_of_the_paper() {
    let device = Device::flex();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let tau = std::f64::consts::TAU;
    let (d, n_e) = (400, 300);
    for first_layer in [false, true] {
        let scale = match first_layer {
            true => (0.5 / d as f64).sqrt(),
            false => (tau / (d as f64 * (tau - 1.0))).sqrt(),
        };
        let config = ShuntingLinearConfig::new(d, n_e).with_first_layer(first_layer);
        let layer = config.try_init_with(&device, &mut rng(1)).unwrap();
        let w_ex = values(&layer.w_ex.val());
        let of_exponential = |values: &[f64], scale: f64| {
            let (m, square) = (mean(values), values.iter().map(|v| v * v).sum::<f64>());
            assert!((m / scale - 1.0).abs() < 0.03, "{m} {scale}");
            // The second moment of Exp(scale) is 2 scale².
            let second = square / values.len() as f64 / (2.0 * scale * scale);
            assert!((second - 1.0).abs() < 0.06, "{second}");
        };
        of_exponential(&w_ex, scale);
        of_exponential(&values(&layer.w_ix.val()), scale);
        assert!(
            values(&layer.w_ei.val())
                .iter()
                .all(|w| (w - 1.0 / 30.0).abs() < 1e-8)
        );
        let alpha = ((tau - 1.0) / d as f64).sqrt().ln();
        assert_close(&values(&layer.alpha.val()), &[alpha; 30], 1e-6, "alpha");
        assert!(values(&layer.gain.val()).iter().all(|g| *g == 1.0));
        assert!(
            values(&layer.bias.as_ref().unwrap().val())
                .iter()
                .all(|b| *b == 0.0)
        );

        // With one unit: the mean weights and 1.
        let one = config.clone().with_inhibitory(Inhibitory::Count(1));
        let layer = one.try_init_with(&device, &mut rng(1)).unwrap();
        let rows = values(&layer.w_ex.val());
        let means: Vec<f64> = rows.chunks(n_e).map(mean).collect();
        assert_close(&values(&layer.w_ix.val()), &means, 1e-6, "mean row");
        assert!(values(&layer.w_ei.val()).iter().all(|w| *w == 1.0));

        // iid: both from Exp(sqrt(s/n_i)).
        let iid = config.with_iid_inhibition(true);
        let layer = iid.try_init_with(&device, &mut rng(1)).unwrap();
        let scale = (scale / 30.0).sqrt();
        of_exponential(&values(&layer.w_ix.val()), scale);
        of_exponential(&values(&layer.w_ei.val()), scale);
    }
}

#[test]
fn training_keeps_dales_law_and_everything_learns() {
    for setup in setups() {
        let case = Case::random(&mut rng(5), [16, 6, 5, 2]);
        let mut layer = case.layer(&setup);
        let mut optimizer = AdamConfig::new().init();
        let target = case.upstream(&setup).autodiff();
        let mut broken = false;
        let mut losses = Vec::new();
        for _ in 0..80 {
            let z = layer.forward(case.x(&setup).autodiff());
            let loss = (z - target.clone()).square().mean();
            losses.push(values(&loss)[0]);
            let grads = GradientsParams::from_grads(loss.backward(), &layer);
            layer = optimizer.step(0.03, layer, grads);
            broken |= dale::check(&layer).is_err();
            layer = dale::project(layer);
            dale::check(&layer).unwrap();
        }
        let at = setup.at((losses[0], losses[79]));
        assert!(broken, "{at}: nothing was ever projected");
        assert!(losses[79] < 0.7 * losses[0], "{at}");
        let before = case.layer(&setup);
        for (name, then, now) in [
            ("alpha", &before.alpha, &layer.alpha),
            ("gain", &before.gain, &layer.gain),
        ] {
            assert_ne!(values(&then.val()), values(&now.val()), "{at} {name}");
        }
    }
}

#[test]
fn roles_are_those_of_the_circuit() {
    let layer = ShuntingLinearConfig::new(6, 5).init(&Device::flex());
    let roles = Roles::of(&layer);
    for (role, id) in [
        (Role::Excitatory, layer.w_ex.id),
        (Role::InhibitoryIn, layer.w_ix.id),
        (Role::InhibitoryOut, layer.w_ei.id),
        (Role::Shunting, layer.alpha.id),
        (Role::Gain, layer.gain.id),
        (Role::Bias, layer.bias.as_ref().unwrap().id),
    ] {
        assert!(roles.group(&[role]).matches(&id, None), "{role:?}");
    }
}

#[test]
fn a_record_carries_all_of_it() {
    let device = Device::flex();
    let config = ShuntingLinearConfig::new(6, 5);
    let saved = config.try_init_with(&device, &mut rng(1)).unwrap();
    let other = config.try_init_with(&device, &mut rng(2)).unwrap();
    let x = Tensor::<2>::ones([3, 6], &device);
    let expected = saved.forward(x.clone());
    assert_ne!(values(&other.forward(x.clone())), values(&expected));
    let loaded = other.load_record(saved.into_record());
    assert_same(&loaded.forward(x), &expected, "after the record");
}

#[test]
fn what_does_not_fit_is_refused() {
    let device = Device::flex();
    let config = || ShuntingLinearConfig::new(4, 3);
    for (config, name) in [
        (ShuntingLinearConfig::new(0, 3), "d_input"),
        (ShuntingLinearConfig::new(4, 0), "d_output"),
        (config().with_inhibitory(Inhibitory::Count(0)), "inhibitory"),
        (config().with_epsilon(-1.0), "epsilon"),
        (config().with_epsilon(f64::NAN), "epsilon"),
    ] {
        let error = config.try_init(&device).unwrap_err();
        assert!(error.to_string().contains(name), "{error} {name}");
    }
    let setup = &setups()[0];
    let case = Case::random(&mut rng(1), [2, 4, 3, 2]);
    let layer = case.layer(setup);
    let weights = ShuntingWeights {
        w_ex: layer.w_ex.val(),
        w_ix: layer.w_ix.val(),
        w_ei: layer.w_ei.val(),
        alpha: layer.gain.val(),
        gain: layer.gain.val(),
        bias: None,
        epsilon: EPSILON,
    };
    let error = ShuntingLinear::from_weights(weights).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Shape {
                parameter: "alpha",
                ..
            }
        ),
        "{error}"
    );
    let message =
        panic_of(|| drop(layer.forward(Tensor::<2>::ones([2, 5], &setup.device).autodiff())));
    assert!(message.contains('5') && message.contains('4'), "{message}");
}
