//! Reparameterized weights, which are always non-negative.

use crate::common::circuits::ei;
use crate::common::{
    Setup, assert_close, assert_same, assert_tensor_close, rng, setups, uniform, values,
};
use burn::module::{Module, Param};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::store::ModuleRecord;
use burn::tensor::{DType, Tensor};
use ei_norm::dale::{self, NonNegative, Plasticity, Role, Sign, Weight, reparameterization};
use ei_norm::optim::ProjectedSgd;
use ei_norm::{EiLinear, INormLinear, INormLinearConfig};

const FORMS: [NonNegative; 3] = [NonNegative::Softplus, NonNegative::Square, NonNegative::Abs];

fn weight(setup: &Setup, values: &[f64]) -> Weight<1> {
    let tensor = setup.tensor(values.to_vec(), [values.len()]).autodiff();
    Weight::new(tensor, Sign::NonNegative, Plasticity::Plastic).with_role(Role::Excitatory)
}

fn layer(setup: &Setup, seed: u64) -> EiLinear {
    EiLinear::from_weights(ei(setup, &mut rng(seed), [6, 2, 4])).unwrap()
}

/// dw/db, from the weight for softplus and from formulas for the others.
fn derivative(form: NonNegative, base: f64) -> f64 {
    match form {
        NonNegative::Softplus => 1.0 / (1.0 + (-base).exp()),
        NonNegative::Square => 2.0 * base,
        NonNegative::Abs => {
            if base < 0.0 {
                -1.0
            } else {
                1.0
            }
        }
        other => panic!("no formula for {other:?}"),
    }
}

#[test]
fn weights_keep_their_values() {
    // Tiny values, values around ln 2 where the base of softplus is 0, and values for which e^w overflows.
    let before = [
        1e-30,
        1e-12,
        1e-4,
        0.3,
        2.0_f64.ln(),
        1.0,
        19.0,
        21.0,
        100.0,
        1e6,
    ];
    for setup in setups() {
        for form in FORMS {
            let at = setup.at(form);
            let plain = weight(&setup, &before);
            let after = dale::reparameterize(plain.clone(), form);
            let epsilon = match setup.dtype {
                DType::F32 => f64::from(f32::EPSILON),
                _ => f64::EPSILON,
            };
            for (found, expected) in values(&after.val()).iter().zip(values(&plain.val())) {
                // The base of a small softplus weight is about ln w, and is rounded.
                let tolerance = epsilon * (4.0 + expected.ln().abs());
                let error = (found - expected).abs() / expected;
                assert!(error <= tolerance, "{at}: {found}, not {expected}");
            }
            assert_eq!(after.id, plain.id, "{at}");
            assert_eq!(after.role(), Some(Role::Excitatory), "{at}");
            assert!(after.base().is_require_grad(), "{at}");
            assert_eq!(after.val().dtype(), setup.dtype, "{at}");
            assert_ne!(
                form == NonNegative::Abs,
                values(&after.base()) != values(&plain.val())
            );
        }
    }
}

#[test]
fn zeros_and_what_breaks_the_law() {
    for setup in setups() {
        let before = weight(&setup, &[0.0, -0.5, 0.5]);
        for form in FORMS {
            let at = setup.at(form);
            let after = dale::reparameterize(before.clone(), form);
            let expected = match form {
                NonNegative::Abs => [0.0, 0.0, 0.5],
                _ => [NonNegative::ZERO, NonNegative::ZERO, 0.5],
            };
            for (found, expected) in values(&after.val()).iter().zip(expected) {
                assert!(
                    (found - expected).abs() <= 4e-6 * expected,
                    "{at}: {found}, not {expected}"
                );
            }
            dale::check(&after).unwrap();
            // Every weight can learn: the error reaches the base.
            let grads = after.val().sum().backward();
            let reached = values(&after.base().grad(&grads).unwrap());
            assert!(reached.iter().all(|g| *g > 0.0), "{at}: {reached:?}");
        }
        let nan = weight(&setup, &[f64::NAN]);
        for form in FORMS {
            let after = dale::reparameterize(nan.clone(), form);
            assert!(values(&after.val())[0].is_nan(), "{}", setup.at(form));
            assert!(dale::check(&after).is_err(), "{}", setup.at(form));
        }
    }
}

#[test]
fn gradients_of_bases_are_those_of_weights_times_the_derivative() {
    let bases = [-60.0, -30.0, -3.0, -0.2, 0.0, 0.1, 2.0, 18.0, 25.0, 200.0];
    for setup in setups() {
        for form in FORMS {
            let at = setup.at(form);
            let made = dale::reparameterize(weight(&setup, &[1.0; 10]), form);
            // A step of SGD with rate 1 on Σ b·(−target) sets the bases to the targets.
            let grad = made.base().inner() - setup.tensor(bases.to_vec(), [10]);
            let mut grads = GradientsParams::new();
            grads.register(made.id, grad);
            let made = SgdConfig::new().init().step(1.0, made, grads);
            let found = values(&made.base());
            assert_close(&found, &bases, 1e-5, &at);

            let upstream = uniform(&mut rng(3), [10], -2.0, 2.0);
            let loss = (made.val() * setup.tensor(upstream.clone(), [10]).autodiff()).sum();
            let reached = values(&made.base().grad(&loss.backward()).unwrap());
            for ((reached, upstream), base) in reached.iter().zip(&upstream).zip(&found) {
                let expected = upstream * derivative(form, *base);
                let error = (reached - expected).abs();
                let size = expected.abs().max(1e-37);
                assert!(
                    error <= 4.0 * setup.tolerance * size,
                    "{at}: {base}: {reached}, not {expected}"
                );
            }
            let effective = values(&made.val());
            for (found, base) in effective.iter().zip(&found) {
                let expected = match form {
                    NonNegative::Softplus => base.max(0.0) + (-base.abs()).exp().ln_1p(),
                    NonNegative::Square => base * base,
                    NonNegative::Abs => base.abs(),
                    other => panic!("no formula for {other:?}"),
                };
                let error = (found - expected).abs();
                assert!(
                    error <= setup.tolerance * expected,
                    "{at}: {found}, not {expected}"
                );
            }
        }
    }
}

/// Trains with an optimizer without projection; the signs hold at every step.
fn train(setup: &Setup, layer: EiLinear, optimizer: &mut ModuleOptimizer, lr: f64) -> EiLinear {
    (0..8).fold(layer, |layer, step| {
        let x = setup.positive(&mut rng(20 + step), [5, 6]).autodiff();
        let upstream = setup.random(&mut rng(40 + step), [5, 4]).autodiff();
        let grads = (layer.forward(x) * upstream).sum().backward();
        let grads = GradientsParams::from_grads(grads, &layer);
        let layer = optimizer.step(lr, layer, grads);
        dale::check(&layer).unwrap();
        layer
    })
}

#[test]
fn training_keeps_the_law_and_projection_changes_nothing() {
    for setup in setups() {
        for form in FORMS {
            // The loss has no minimum: the steps of plain gradient descent must be small so that none
            // diverges.
            for (name, optimizer, lr) in [
                ("sgd", SgdConfig::new().init(), 0.02),
                ("adam", AdamConfig::new().init(), 0.5),
                ("projected", ProjectedSgd.init(), 0.02),
            ] {
                let at = setup.at((form, name));
                let before = dale::reparameterize(layer(&setup, 1), form);
                let after = train(&setup, before.clone(), &mut optimizer.clone(), lr);
                assert_ne!(
                    values(&after.w_ex.base()),
                    values(&before.w_ex.base()),
                    "{at}"
                );
                if form == NonNegative::Abs {
                    let negative = values(&after.w_ex.base()).iter().any(|b| *b < 0.0);
                    assert!(negative, "{at}: nothing would have been projected");
                }
                let projected = dale::project(after.clone());
                assert_same(&projected.w_ex.base(), &after.w_ex.base(), &at);
                assert_same(&projected.w_ex.val(), &after.w_ex.val(), &at);

                let trained = after.valid().train();
                assert_same(&trained.w_ex.val(), &after.w_ex.val(), &at);
                assert!(trained.w_ex.val().is_tracked(), "{at}");
            }
        }
        // Without reparameterization the law breaks.
        let message = crate::common::panic_of(|| {
            train(&setup, layer(&setup, 1), &mut SgdConfig::new().init(), 0.5);
        });
        assert!(message.contains("Dale {"), "{message}");
    }
}

#[test]
fn the_steps_of_projected_descent_are_those_of_burns_sgd() {
    for setup in setups() {
        for form in FORMS {
            let start = dale::reparameterize(layer(&setup, 2), form);
            let projected = train(&setup, start.clone(), &mut ProjectedSgd.init(), 0.02);
            let plain = train(&setup, start, &mut SgdConfig::new().init(), 0.02);
            assert_same(&projected.w_ex.base(), &plain.w_ex.base(), &setup.at(form));
            assert_same(
                &projected.bias.as_ref().unwrap().val(),
                &plain.bias.as_ref().unwrap().val(),
                "bias",
            );
        }
    }
}

#[test]
fn only_constrained_weights_that_learn() {
    #[derive(Module, Debug)]
    struct Parts {
        layer: INormLinear,
        fixed: Weight<1>,
        fixed_negative: Weight<1>,
        ordinary: Param<Tensor<1>>,
    }
    let setup = &setups()[0];
    let fixed = |values: &[f64]| weight(setup, values).with_plasticity(Plasticity::Fixed);
    let parts = Parts {
        layer: INormLinearConfig::new(6, 4)
            .try_init_with(&setup.device.clone().autodiff(), &mut rng(1))
            .unwrap(),
        fixed: fixed(&[0.5, 1.0]),
        fixed_negative: fixed(&[0.5, -1.0]),
        ordinary: Param::from_tensor(setup.tensor(vec![1.0], [1]).autodiff()),
    };
    let made = dale::reparameterize(parts.clone(), NonNegative::Softplus);
    type Softplus = reparameterization::Softplus;
    let has = |w: &Weight<2>| w.reparameterization::<Softplus>().is_some();
    let layer = &made.layer;
    assert!(has(&layer.w_ex) && has(&layer.w_ix));
    assert!(!has(&layer.w_ei), "fixed in the paper");
    assert!(!has(layer.u_ix.as_ref().unwrap()), "free");
    assert!(!has(layer.u_ei.as_ref().unwrap()), "fixed");
    assert!(
        layer
            .bias
            .as_ref()
            .unwrap()
            .reparameterization::<Softplus>()
            .is_none()
    );
    assert_same(&made.fixed.val(), &parts.fixed.val(), "fixed");
    assert_same(
        &made.fixed_negative.val(),
        &parts.fixed_negative.val(),
        "fixed",
    );
    assert_same(&made.ordinary.val(), &parts.ordinary.val(), "ordinary");

    // A second call, in any form, has no effect.
    for form in FORMS {
        let twice = dale::reparameterize(made.clone(), form);
        assert!(has(&twice.layer.w_ex));
        assert_same(&twice.layer.w_ex.base(), &made.layer.w_ex.base(), "twice");
    }
    // The layer computes the same as before.
    let x = setup.positive(&mut rng(2), [3, 6]).autodiff();
    let (found, expected) = (made.layer.forward(x.clone()), parts.layer.forward(x));
    assert_tensor_close(&found, &expected, 1e-4, "forward");
}

#[test]
fn records_hold_bases_and_say_so() {
    for setup in setups() {
        for form in FORMS {
            let at = setup.at(form);
            let trained = dale::reparameterize(layer(&setup, 3), form);
            let trained = train(&setup, trained, &mut SgdConfig::new().init(), 0.02);
            let bytes = trained.clone().into_record().into_bytes().unwrap();
            let record = || ModuleRecord::from_bytes(bytes.clone()).unwrap();

            let fresh = dale::reparameterize(layer(&setup, 4), form);
            let loaded = fresh.try_load_record(record()).unwrap();
            assert_same(&loaded.w_ex.base(), &trained.w_ex.base(), &at);
            assert_same(&loaded.w_ex.val(), &trained.w_ex.val(), &at);
            assert!(loaded.w_ex.val().is_tracked(), "{at}");

            let name = match form {
                NonNegative::Softplus => "w_ex.softplus.marker",
                NonNegative::Square => "w_ex.square.marker",
                NonNegative::Abs => "w_ex.abs.marker",
                other => panic!("no marker of {other:?}"),
            };
            // Refuses weights for bases, bases for weights, and bases of another form.
            let error = layer(&setup, 4).try_load_record(record()).unwrap_err();
            assert!(error.to_string().contains(name), "{at}: {error}");
            let plain = layer(&setup, 4).into_record();
            let error = loaded.clone().try_load_record(plain).unwrap_err();
            assert!(error.to_string().contains(name), "{at}: {error}");
            for other in FORMS.into_iter().filter(|other| *other != form) {
                let other = dale::reparameterize(layer(&setup, 4), other);
                assert!(other.try_load_record(record()).is_err(), "{at}");
            }

            let weights = loaded.valid().materialize().into_record();
            let plain = layer(&setup, 4).try_load_record(weights).unwrap();
            assert_same(&plain.w_ex.base().inner(), &trained.w_ex.val().inner(), &at);
        }
    }
}

#[test]
fn check_looks_at_what_the_layer_computes_with() {
    /// Breaks the law for any base.
    #[derive(Module, Debug)]
    struct Minus {
        one: Param<Tensor<1>>,
    }
    impl burn::module::Reparameterization for Minus {
        const NAME: &'static str = "minus";
        fn apply<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
            base - self.one.val().reshape([1; D])
        }
    }
    struct Attach(Tensor<1>);
    impl burn::module::Reparameterizer for Attach {
        type Reparam = Minus;
        fn reparameterize<const D: usize>(
            &mut self,
            path: &str,
            param: Param<Tensor<D>>,
        ) -> (Param<Tensor<D>>, Option<Minus>) {
            let one = Param::from_tensor(self.0.clone());
            (param, (path == "w_ei").then_some(Minus { one }))
        }
    }
    let setup = &setups()[0];
    let one = setup.tensor(vec![1.0], [1]).autodiff();
    let layer = layer(setup, 5).apply_reparameterization(Attach(one));
    // A weight that would be negative is 0 in use, and after materialization.
    let used = values(&layer.w_ei.as_ref().unwrap().val());
    assert_eq!(used.iter().filter(|w| **w == 0.0).count(), 8, "{used:?}");
    dale::check(&layer).unwrap();
    let plain = layer.materialize();
    assert_eq!(values(&plain.w_ei.as_ref().unwrap().base()), used);
    dale::check(&plain).unwrap();
}

#[test]
fn a_mask_goes_with_a_base() {
    for setup in setups() {
        for form in FORMS {
            let at = setup.at(form);
            let mut masked = layer(&setup, 6);
            let (dims, device) = (masked.w_ex.dims(), masked.w_ex.device().inner());
            let mask = dale::mask::random(dims, 0.5, &device, &mut rng(7)).unwrap();
            masked.w_ex.set_mask(mask.clone()).unwrap();
            let before = values(&masked.w_ex.val());
            let absent = |layer: &EiLinear| -> Vec<usize> {
                let exists = layer.w_ex.mask().unwrap().into_data();
                let exists = exists.iter::<bool>().enumerate();
                exists
                    .filter(|(_, exists)| !exists)
                    .map(|(i, _)| i)
                    .collect()
            };
            let made = dale::reparameterize(masked.clone(), form);
            assert_close(&values(&made.w_ex.val()), &before, setup.tolerance, &at);
            let trained = train(&setup, made.clone(), &mut AdamConfig::new().init(), 0.1);
            assert_ne!(values(&trained.w_ex.val()), before, "{at}");
            assert!(!absent(&made).is_empty());
            assert_eq!(absent(&trained), absent(&made), "{at}");
            let bases = |layer: &EiLinear| values(&layer.w_ex.base());
            for index in absent(&trained) {
                assert_eq!(values(&trained.w_ex.val())[index], 0.0, "{at}");
                assert_eq!(
                    bases(&trained)[index],
                    bases(&made)[index],
                    "{at}: it learned"
                );
            }
            // In the other order: a mask on a reparameterized weight.
            let mut later = dale::reparameterize(layer(&setup, 6), form);
            later.w_ex.set_mask(mask).unwrap();
            assert_close(&values(&later.w_ex.val()), &before, setup.tolerance, &at);
            let plain = trained.valid().materialize();
            assert_same(&plain.w_ex.base(), &trained.w_ex.val().inner(), &at);
        }
    }
}
