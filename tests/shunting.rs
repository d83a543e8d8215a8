//! `ShuntingLinear` against a scalar reference in f64 and plain autodiff, its initial weights, Dale's
//! law in training, records, and what it refuses.

#![cfg(feature = "flex")]

mod common;

use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Tensor};
use common::{
    ChaCha8Rng, Setup, assert_close, assert_same, leaf, panic_of, rng, setups, uniform, values,
};
use ei_norm::dale::{self, Role, Roles};
use ei_norm::{Error, Inhibitory, ShuntingLinear, ShuntingLinearConfig, ShuntingWeights};

const EPSILON: f64 = 1e-8;

/// Sizes and values of a layer and a batch, on the host.
struct Case {
    batch: usize,
    d_input: usize,
    d_output: usize,
    n_i: usize,
    x: Vec<f64>,
    w_ex: Vec<f64>,
    w_ix: Vec<f64>,
    w_ei: Vec<f64>,
    alpha: Vec<f64>,
    gain: Vec<f64>,
    bias: Vec<f64>,
    upstream: Vec<f64>,
}

impl Case {
    fn random(rng: &mut ChaCha8Rng, [batch, d_input, d_output, n_i]: [usize; 4]) -> Self {
        Self {
            batch,
            d_input,
            d_output,
            n_i,
            x: uniform(rng, [batch, d_input], 0.05, 1.0),
            w_ex: uniform(rng, [d_input, d_output], 0.0, 1.0),
            w_ix: uniform(rng, [d_input, n_i], 0.1, 1.0),
            w_ei: uniform(rng, [n_i, d_output], 0.1, 1.0),
            alpha: uniform(rng, [n_i], -1.0, 1.0),
            gain: uniform(rng, [d_output], 0.5, 2.0),
            bias: uniform(rng, [d_output], -1.0, 1.0),
            upstream: uniform(rng, [batch, d_output], -1.0, 1.0),
        }
    }

    fn layer(&self, setup: &Setup) -> ShuntingLinear {
        let tracked =
            |values: &[f64], shape: [usize; 2]| setup.tensor(values.to_vec(), shape).autodiff();
        let vector = |values: &[f64]| setup.tensor(values.to_vec(), [values.len()]).autodiff();
        let weights = ShuntingWeights {
            w_ex: tracked(&self.w_ex, [self.d_input, self.d_output]),
            w_ix: tracked(&self.w_ix, [self.d_input, self.n_i]),
            w_ei: tracked(&self.w_ei, [self.n_i, self.d_output]),
            alpha: vector(&self.alpha),
            gain: vector(&self.gain),
            bias: Some(vector(&self.bias)),
        };
        ShuntingLinear::from_weights(weights, EPSILON).unwrap()
    }

    fn x(&self, setup: &Setup) -> Tensor<2> {
        setup.tensor(self.x.clone(), [self.batch, self.d_input])
    }

    fn upstream(&self, setup: &Setup) -> Tensor<2> {
        setup.tensor(self.upstream.clone(), [self.batch, self.d_output])
    }

    /// Output, and gradients of Σ z·upstream, number by number: with u = (a − s)/γ,
    /// dz → da = g δ/γ, ds = −g δ/γ, dγ = −g δ u/γ, and from s and γ on to h, W_ei and α.
    fn reference(&self) -> Pass {
        let (n_in, n_e, n_i) = (self.d_input, self.d_output, self.n_i);
        let mut out = Vec::new();
        let mut dx = vec![0.0; self.x.len()];
        let mut dw_ex = vec![0.0; self.w_ex.len()];
        let mut dw_ix = vec![0.0; self.w_ix.len()];
        let mut dw_ei = vec![0.0; self.w_ei.len()];
        let mut dalpha = vec![0.0; n_i];
        let mut dgain = vec![0.0; n_e];
        let mut dbias = vec![0.0; n_e];
        for b in 0..self.batch {
            let x = &self.x[b * n_in..(b + 1) * n_in];
            let h: Vec<f64> = (0..n_i)
                .map(|k| (0..n_in).map(|i| x[i] * self.w_ix[i * n_i + k]).sum())
                .collect();
            let mut dh = vec![0.0; n_i];
            for j in 0..n_e {
                let excitatory: f64 = (0..n_in).map(|i| x[i] * self.w_ex[i * n_e + j]).sum();
                let subtracted: f64 = (0..n_i).map(|k| h[k] * self.w_ei[k * n_e + j]).sum();
                let divided: f64 = (0..n_i)
                    .map(|k| h[k] * self.alpha[k].exp() * self.w_ei[k * n_e + j])
                    .sum::<f64>()
                    + EPSILON;
                let u = (excitatory - subtracted) / divided;
                out.push(self.gain[j] * u + self.bias[j]);
                let delta = self.upstream[b * n_e + j];
                dgain[j] += delta * u;
                dbias[j] += delta;
                let to_current = self.gain[j] * delta / divided;
                let to_divided = -to_current * u;
                for i in 0..n_in {
                    dx[b * n_in + i] += to_current * self.w_ex[i * n_e + j];
                    dw_ex[i * n_e + j] += to_current * x[i];
                }
                for k in 0..n_i {
                    let strength = self.alpha[k].exp();
                    let through = to_divided * strength - to_current;
                    dw_ei[k * n_e + j] += through * h[k];
                    dh[k] += through * self.w_ei[k * n_e + j];
                    dalpha[k] += to_divided * strength * h[k] * self.w_ei[k * n_e + j];
                }
            }
            for i in 0..n_in {
                for k in 0..n_i {
                    dx[b * n_in + i] += dh[k] * self.w_ix[i * n_i + k];
                    dw_ix[i * n_i + k] += dh[k] * x[i];
                }
            }
        }
        vec![
            ("out", out),
            ("x", dx),
            ("w_ex", dw_ex),
            ("w_ix", dw_ix),
            ("w_ei", dw_ei),
            ("alpha", dalpha),
            ("gain", dgain),
            ("bias", dbias),
        ]
    }

    /// The same from the formula in plain tensor operations.
    fn plain(&self, setup: &Setup) -> Pass {
        let layer = self.layer(setup);
        let x = leaf(&self.x(setup));
        let [w_ex, w_ix, w_ei] = [&layer.w_ex, &layer.w_ix, &layer.w_ei].map(|w| leaf(&w.val()));
        let [alpha, gain] = [&layer.alpha, &layer.gain].map(|w| leaf(&w.val()));
        let bias = leaf(&layer.bias.as_ref().unwrap().val());
        let h = x.clone().matmul(w_ix.clone());
        let strong = w_ei.clone() * alpha.clone().exp().unsqueeze_dim::<2>(1);
        let divided = h.clone().matmul(strong) + EPSILON;
        let current = x.clone().matmul(w_ex.clone()) - h.matmul(w_ei.clone());
        let out = gain.clone().unsqueeze::<2>() * current / divided + bias.clone().unsqueeze();
        let mut pass = vec![("out", values(&out))];
        let grads = (out * self.upstream(setup)).sum().backward();
        pass.push(("x", values(&x.grad(&grads).unwrap())));
        for (name, w) in [("w_ex", w_ex), ("w_ix", w_ix), ("w_ei", w_ei)] {
            pass.push((name, values(&w.grad(&grads).unwrap())));
        }
        for (name, w) in [("alpha", alpha), ("gain", gain), ("bias", bias)] {
            pass.push((name, values(&w.grad(&grads).unwrap())));
        }
        pass
    }

    fn of_layer(&self, setup: &Setup) -> Pass {
        let layer = self.layer(setup);
        let x = leaf(&self.x(setup));
        let out = layer.forward(x.clone());
        assert_eq!(out.dtype(), setup.dtype);
        let mut pass = vec![("out", values(&out))];
        let grads = (out * self.upstream(setup)).sum().backward();
        pass.push(("x", values(&x.grad(&grads).unwrap())));
        for (name, w) in [
            ("w_ex", &layer.w_ex),
            ("w_ix", &layer.w_ix),
            ("w_ei", &layer.w_ei),
        ] {
            pass.push((name, values(&w.val().grad(&grads).unwrap())));
        }
        let bias = layer.bias.as_ref().unwrap();
        for (name, w) in [
            ("alpha", &layer.alpha),
            ("gain", &layer.gain),
            ("bias", bias),
        ] {
            pass.push((name, values(&w.val().grad(&grads).unwrap())));
        }
        pass
    }
}

/// Values by name.
type Pass = Vec<(&'static str, Vec<f64>)>;

#[test]
fn output_and_gradients_match_the_reference_and_plain_autodiff() {
    for setup in setups() {
        // With a single input z does not depend on it: there is no gradient to compare.
        for sizes in [[1, 2, 2, 1], [5, 7, 3, 2], [4, 3, 11, 5], [32, 20, 17, 1]] {
            let case = Case::random(&mut rng(sizes[1] as u64), sizes);
            let found = case.of_layer(&setup);
            for expected in [case.reference(), case.plain(&setup)] {
                assert_eq!(found.len(), expected.len());
                for ((name, found), (_, expected)) in found.iter().zip(&expected) {
                    let at = setup.at((sizes, name));
                    assert_close(found, expected, 10.0 * setup.tolerance, &at);
                }
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

        // One unit: the mean weights and 1.
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
    };
    let error = ShuntingLinear::from_weights(weights, EPSILON).unwrap_err();
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
