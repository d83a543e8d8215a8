//! `INormConv2d` against the equations of the paper: a scalar reference in f64, patch by patch, and
//! Burn's convolutions in plain autodiff.

#![cfg(feature = "flex")]

mod common;

use burn::tensor::Tensor;
use common::convolution::{Case, by_channel, cases, mix};
use common::recurrent::dot;
use common::{ChaCha8Rng, Setup, assert_close, leaf, rng, setups, values};
use ei_norm::{
    GradNormConfig, GradNormMode, INormConv2d, INormConv2dWeights, InhibitoryPlasticity, functional,
};

const EPSILON: f64 = 0.03;
const LAMBDA: f64 = 0.7;

/// What divides.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Divisive {
    None,
    /// One number in U_ei, which does not learn: q is one number a position.
    Uniform,
    Mixed,
}

impl Divisive {
    const ALL: [Self; 3] = [Self::None, Self::Uniform, Self::Mixed];

    fn plasticity(self) -> InhibitoryPlasticity {
        InhibitoryPlasticity {
            w_ix: true,
            w_ei: true,
            u_ix: true,
            u_ei: self == Self::Mixed,
        }
    }
}

fn weights(
    setup: &Setup,
    rng: &mut ChaCha8Rng,
    case: &Case,
    divisive: Divisive,
) -> INormConv2dWeights {
    let ([_, n_e], [n_i, n_d]) = (case.channels, case.inhibitory);
    let [height, width] = case.kernel;
    INormConv2dWeights {
        w_ex: case.kernels(setup, rng, n_e),
        w_ix: case.kernels(setup, rng, n_i),
        w_ei: setup.positive(rng, [n_i, n_e]).autodiff(),
        divisive: (divisive != Divisive::None).then(|| {
            let u_ix = setup.random(rng, [n_d, case.channels[0], height, width]);
            let u_ei = match divisive {
                Divisive::Uniform => setup.tensor(vec![0.4; n_d * n_e], [n_d, n_e]),
                _ => setup.positive(rng, [n_d, n_e]),
            };
            (u_ix.autodiff(), u_ei.autodiff())
        }),
        bias: Some(setup.random(rng, [n_e]).autodiff()),
    }
}

fn layer(
    weights: &INormConv2dWeights,
    case: &Case,
    mode: GradNormMode,
    divisive: Divisive,
) -> INormConv2d {
    let norm = GradNormConfig::new(case.channels[1])
        .with_mode(mode)
        .with_epsilon(EPSILON)
        .init(&weights.w_ex.device());
    let (geometry, plasticity) = (case.geometry.clone(), Some(divisive.plasticity()));
    INormConv2d::from_weights(weights.clone(), geometry, norm, plasticity, EPSILON).unwrap()
}

/// The output, a row a position; the local loss; and the gradients of Σ z·upstream + λ local, where
/// there are some.
#[derive(Default)]
struct Pass {
    out: Vec<f64>,
    local: f64,
    grads: Vec<(&'static str, Option<Vec<f64>>)>,
}

#[track_caller]
fn assert_same_pass(found: &Pass, expected: &Pass, tolerance: f64, at: &str) {
    assert_close(&found.out, &expected.out, tolerance, &format!("{at} out"));
    let local = format!("{at} local");
    assert_close(&[found.local], &[expected.local], tolerance, &local);
    assert_eq!(found.grads.len(), expected.grads.len(), "{at}");
    for ((name, found), (expected_name, expected)) in found.grads.iter().zip(&expected.grads) {
        assert_eq!(name, expected_name);
        match (found, expected) {
            (Some(found), Some(expected)) => {
                assert_close(found, expected, tolerance, &format!("{at} {name}"))
            }
            (found, expected) => {
                assert_eq!(
                    found.is_some(),
                    expected.is_some(),
                    "{at} {name}: a gradient?"
                );
            }
        }
    }
}

fn of_layer(layer: &INormConv2d, case: &Case, x: &Tensor<4>, upstream: &Tensor<4>) -> Pass {
    let x = leaf(x);
    let (out, local) = layer.forward_with_local_loss(x.clone());
    let (dims, dtype) = (case.output(), upstream.dtype());
    assert_eq!((out.dims(), out.dtype()), (dims, dtype));
    assert_eq!((local.dims(), local.dtype()), ([1], dtype));
    let (rows, loss) = (case.to_rows(&values(&out)), values(&local)[0]);
    let grads = ((out * upstream.clone()).sum() + local * LAMBDA).backward();
    let kernels = |w: Tensor<4>| w.grad(&grads).map(|g| values(&g));
    let matrix = |w: Tensor<2>| w.grad(&grads).map(|g| values(&g));
    let bias = layer.bias.as_ref().unwrap().val().grad(&grads);
    Pass {
        out: rows,
        local: loss,
        grads: vec![
            ("x", kernels(x)),
            ("w_ex", kernels(layer.w_ex.val())),
            ("bias", bias.map(|g| values(&g))),
            ("w_ix", kernels(layer.w_ix.val())),
            ("w_ei", matrix(layer.w_ei.val())),
            ("u_ix", layer.u_ix.as_ref().and_then(|w| kernels(w.val()))),
            ("u_ei", layer.u_ei.as_ref().and_then(|w| matrix(w.val()))),
        ],
    }
}

/// The equations with Burn's convolutions, the stopped gradients as constants.
fn plain(
    w: &INormConv2dWeights,
    case: &Case,
    mode: GradNormMode,
    divisive: Divisive,
    x: &Tensor<4>,
    upstream: &Tensor<4>,
) -> Pass {
    let x_leaf = leaf(x);
    let [w_ex, w_ix] = [leaf(&w.w_ex), leaf(&w.w_ix)];
    let (w_ei, bias) = (leaf(&w.w_ei), leaf(w.bias.as_ref().unwrap()));
    let u = (w.divisive.as_ref()).map(|(u_ix, u_ei)| (leaf(u_ix), leaf(u_ei)));
    let constant = x.clone().autodiff();
    let s = mix(case.convolve(constant.clone(), w_ix.clone()), w_ei.clone());
    let q = match &u {
        Some((u_ix, u_ei)) => {
            let drive = case.convolve(constant, u_ix.clone());
            (mix(drive.square(), u_ei.clone()) + EPSILON).sqrt()
        }
        None => s.ones_like(),
    };
    let a = case.convolve(x_leaf.clone(), w_ex.clone()) + by_channel(bias.clone());
    let z_hat = (a.clone().detach() - s.clone()) / q.clone();
    let out = (a - s.detach()) / q.detach();

    let z = out.clone().inner();
    let delta = match mode {
        GradNormMode::Full => {
            let mean = |t: Tensor<4>| t.mean_dim(1);
            let along = mean(upstream.clone() * z.clone());
            let variance = mean((z.clone() - mean(z.clone())).square());
            (upstream.clone() - mean(upstream.clone()) - z.clone() * along)
                / (variance + EPSILON).sqrt()
        }
        _ => upstream.clone(),
    };
    let first = z_hat.clone().mean_dim(1);
    let second = (z_hat - first.clone()).square().mean_dim(1);
    let local = match &u {
        Some(_) => (first.square() + (second - 1.0).square()).mean(),
        None => first.square().mean(),
    };
    let loss = values(&local)[0];
    let grads = ((out * delta.autodiff()).sum() + local * LAMBDA).backward();
    let kernels = |w: &Tensor<4>| w.grad(&grads).map(|g| values(&g));
    let matrix = |w: &Tensor<2>| w.grad(&grads).map(|g| values(&g));
    let learns = divisive.plasticity().u_ei;
    Pass {
        out: case.to_rows(&values(&z)),
        local: loss,
        grads: vec![
            ("x", kernels(&x_leaf)),
            ("w_ex", kernels(&w_ex)),
            ("bias", bias.grad(&grads).map(|g| values(&g))),
            ("w_ix", kernels(&w_ix)),
            ("w_ei", matrix(&w_ei)),
            ("u_ix", u.as_ref().and_then(|(u_ix, _)| kernels(u_ix))),
            (
                "u_ei",
                u.filter(|_| learns).and_then(|(_, u_ei)| matrix(&u_ei)),
            ),
        ],
    }
}

/// The equations number by number: at each position, with D outputs and N positions, from δ' of the
/// mode e = δ'/q to W_ex, b and x; and from g = dL/dẑ = 2(m + 2(v − 1)(ẑ − m))/(D N) to s by −g/q and
/// to q by −gẑ/q.
fn reference(
    w: &INormConv2dWeights,
    case: &Case,
    mode: GradNormMode,
    divisive: Divisive,
    x: &Tensor<4>,
    upstream: &Tensor<4>,
) -> Pass {
    let (d, n_e, [n_i, n_d]) = (case.features(), case.channels[1], case.inhibitory);
    // Kernels are `[outputs, features]`.
    let (w_ex, w_ix, w_ei) = (values(&w.w_ex), values(&w.w_ix), values(&w.w_ei));
    let bias = values(w.bias.as_ref().unwrap());
    let u = (w.divisive.as_ref()).map(|(u_ix, u_ei)| (values(u_ix), values(u_ei)));
    let (u_ix, u_ei) = u.unwrap_or_default();
    let divides = divisive != Divisive::None;
    let n_d = if divides { n_d } else { 0 };
    let patches = case.unfold(&values(x));
    let errors = case.to_rows(&values(upstream));
    let positions = patches.len() / d;

    let zeros = |of: &[f64]| vec![0.0; of.len()];
    let (mut dx, mut dw_ex, mut dbias) = (zeros(&patches), zeros(&w_ex), zeros(&bias));
    let (mut dw_ix, mut dw_ei) = (zeros(&w_ix), zeros(&w_ei));
    let (mut du_ix, mut du_ei) = (zeros(&u_ix), zeros(&u_ei));
    let (mut out, mut local) = (Vec::new(), 0.0);
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let variance = |v: &[f64]| mean(&v.iter().map(|x| (x - mean(v)).powi(2)).collect::<Vec<_>>());
    for position in 0..positions {
        let p = &patches[position * d..][..d];
        let delta = &errors[position * n_e..][..n_e];
        let current = |w: &[f64], unit: usize| dot(&w[unit * d..][..d], p);
        let h: Vec<f64> = (0..n_i).map(|k| current(&w_ix, k)).collect();
        let drive: Vec<f64> = (0..n_d).map(|k| current(&u_ix, k)).collect();
        let q: Vec<f64> = (0..n_e)
            .map(|j| {
                let power: f64 = (0..n_d).map(|k| drive[k].powi(2) * u_ei[k * n_e + j]).sum();
                if divides {
                    (power + EPSILON).sqrt()
                } else {
                    1.0
                }
            })
            .collect();
        let z: Vec<f64> = (0..n_e)
            .map(|j| {
                let s: f64 = (0..n_i).map(|k| h[k] * w_ei[k * n_e + j]).sum();
                (current(&w_ex, j) + bias[j] - s) / q[j]
            })
            .collect();
        let (m, v) = (mean(&z), variance(&z));

        let along = dot(delta, &z) / n_e as f64;
        for j in 0..n_e {
            let changed = match mode {
                GradNormMode::Full => {
                    (delta[j] - mean(delta) - z[j] * along) / (v + EPSILON).sqrt()
                }
                _ => delta[j],
            };
            let e = changed / q[j];
            dbias[j] += e;
            for f in 0..d {
                dw_ex[j * d + f] += e * p[f];
                dx[position * d + f] += e * w_ex[j * d + f];
            }
        }

        let size = (n_e * positions) as f64;
        local += (m * m + if divides { (v - 1.0).powi(2) } else { 0.0 }) / positions as f64;
        let (mut dh, mut ddrive) = (vec![0.0; n_i], vec![0.0; n_d]);
        for j in 0..n_e {
            let outer = if divides {
                2.0 * (v - 1.0) * (z[j] - m)
            } else {
                0.0
            };
            let g = LAMBDA * 2.0 * (m + outer) / size;
            for k in 0..n_i {
                dw_ei[k * n_e + j] -= g / q[j] * h[k];
                dh[k] -= g / q[j] * w_ei[k * n_e + j];
            }
            for k in 0..n_d {
                let to_power = -g * z[j] / q[j] / (2.0 * q[j]);
                du_ei[k * n_e + j] += to_power * drive[k].powi(2);
                ddrive[k] += to_power * u_ei[k * n_e + j] * 2.0 * drive[k];
            }
        }
        for f in 0..d {
            (0..n_i).for_each(|k| dw_ix[k * d + f] += dh[k] * p[f]);
            (0..n_d).for_each(|k| du_ix[k * d + f] += ddrive[k] * p[f]);
        }
        out.extend(z);
    }
    Pass {
        out,
        local,
        grads: vec![
            ("x", Some(case.fold(&dx))),
            ("w_ex", Some(dw_ex)),
            ("bias", Some(dbias)),
            ("w_ix", Some(dw_ix)),
            ("w_ei", Some(dw_ei)),
            ("u_ix", divides.then_some(du_ix)),
            ("u_ei", divisive.plasticity().u_ei.then_some(du_ei)),
        ],
    }
}

fn matches_the_equations(mode: GradNormMode, divisive: Divisive) {
    for setup in setups() {
        for (seed, case) in cases().into_iter().enumerate() {
            let mut rng = rng(seed as u64);
            let weights = weights(&setup, &mut rng, &case, divisive);
            let x = setup.positive(&mut rng, case.input());
            let upstream = setup.random(&mut rng, case.output());
            let layer = layer(&weights, &case, mode, divisive);
            let found = of_layer(&layer, &case, &x, &upstream);
            let at = setup.at((mode, divisive, &case));
            // Sums of products of a few factors, divided twice.
            let tolerance = 20.0 * setup.tolerance;
            let expected = reference(&weights, &case, mode, divisive, &x, &upstream);
            assert_same_pass(&found, &expected, tolerance, &format!("{at} f64"));
            let expected = plain(&weights, &case, mode, divisive, &x, &upstream);
            assert_same_pass(&found, &expected, tolerance, &format!("{at} plain"));
        }
    }
}

#[test]
fn it_matches_the_equations_with_normalized_errors() {
    for divisive in Divisive::ALL {
        matches_the_equations(GradNormMode::Full, divisive);
    }
}

#[test]
fn it_matches_the_equations_with_errors_as_they_are() {
    for divisive in Divisive::ALL {
        matches_the_equations(GradNormMode::Identity, divisive);
    }
}

#[test]
fn a_batch_of_nothing_has_no_loss_and_teaches_nothing() {
    for setup in setups() {
        for mut case in cases() {
            for divisive in Divisive::ALL {
                let weights = weights(&setup, &mut rng(1), &case, divisive);
                let layer = layer(&weights, &case, GradNormMode::Full, divisive);
                case.batch = 0;
                let x = leaf(&setup.tensor(vec![], case.input()));
                let (out, local) = layer.forward_with_local_loss(x);
                let at = setup.at((divisive, &case));
                assert_eq!((out.dims(), out.dtype()), (case.output(), setup.dtype));
                assert_eq!((values(&local), local.dtype()), (vec![0.0], setup.dtype));
                let grads = (out.sum() + local).backward();
                let w_ex = layer.w_ex.val().grad(&grads).unwrap();
                assert!(values(&w_ex).iter().all(|g| *g == 0.0), "{at}");
                let w_ix = layer.w_ix.val().grad(&grads);
                assert!(
                    w_ix.is_none_or(|g| values(&g).iter().all(|g| *g == 0.0)),
                    "{at}"
                );
            }
        }
        let none = setup.tensor::<2>(vec![], [0, 3]);
        for divisive in [false, true] {
            let loss = functional::inhibitory_loss(none.clone(), divisive);
            assert_eq!((values(&loss), loss.dtype()), (vec![0.0], setup.dtype));
        }
    }
}
