//! Shunting inhibition: its equations in plain f64 arithmetic and in plain tensor operations, and a batch for
//! tests.

use burn::tensor::Tensor;
use ei_norm::{ShuntingLinear, ShuntingWeights};

use super::{ChaCha8Rng, Setup, assert_close, leaf, uniform, values};

/// ε of the layers.
pub const EPSILON: f64 = 1e-8;

/// Sizes and values of a layer and a batch, on the host.
pub struct Case {
    pub batch: usize,
    pub d_input: usize,
    pub d_output: usize,
    pub n_i: usize,
    pub x: Vec<f64>,
    pub w_ex: Vec<f64>,
    pub w_ix: Vec<f64>,
    pub w_ei: Vec<f64>,
    pub alpha: Vec<f64>,
    pub gain: Vec<f64>,
    pub bias: Vec<f64>,
    pub upstream: Vec<f64>,
}

impl Case {
    /// A random case.
    pub fn random(rng: &mut ChaCha8Rng, [batch, d_input, d_output, n_i]: [usize; 4]) -> Self {
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

    /// The layer, tracked.
    pub fn layer(&self, setup: &Setup) -> ShuntingLinear {
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
            epsilon: EPSILON,
        };
        ShuntingLinear::from_weights(weights).unwrap()
    }

    /// The input.
    pub fn x(&self, setup: &Setup) -> Tensor<2> {
        setup.tensor(self.x.clone(), [self.batch, self.d_input])
    }

    /// The upstream error at the output.
    pub fn upstream(&self, setup: &Setup) -> Tensor<2> {
        setup.tensor(self.upstream.clone(), [self.batch, self.d_output])
    }

    /// The output, and the gradients of Σ z·upstream, in scalar arithmetic: with u = (a − s)/γ, dz → da = g
    /// δ/γ, ds = −g δ/γ, dγ = −g δ u/γ, and from s and γ to h, W_ei and α.
    pub fn reference(&self) -> Pass {
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
    pub fn plain(&self, setup: &Setup) -> Pass {
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

    /// The same from the layer.
    pub fn of_layer(&self, setup: &Setup) -> Pass {
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
pub type Pass = Vec<(&'static str, Vec<f64>)>;

/// Fails unless both have the same names and, up to rounding, the same values.
#[track_caller]
pub fn assert_same_pass(found: &Pass, expected: &Pass, tolerance: f64, message: &str) {
    assert_eq!(found.len(), expected.len(), "{message}");
    for ((name, found), (expected_name, expected)) in found.iter().zip(expected) {
        assert_eq!(name, expected_name, "{message}");
        assert_close(found, expected, tolerance, &format!("{message} {name}"));
    }
}
