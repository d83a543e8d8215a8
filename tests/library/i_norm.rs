//! `INormLinear`: output, local loss and every gradient against the equations of the paper.

use crate::common::{ChaCha8Rng, Setup, assert_close, assert_same, leaf, rng, setups, values};
use burn::tensor::Tensor;
use ei_norm::{GradNormConfig, GradNormMode, INormLinear, INormWeights, InhibitoryPlasticity};

const EPSILON: f64 = 0.03;
const EVERYTHING: InhibitoryPlasticity = InhibitoryPlasticity {
    w_ix: true,
    w_ei: true,
    u_ix: true,
    u_ei: true,
};

/// d_input, d_output, n_i, n_d.
const SIZES: [[usize; 4]; 4] = [[6, 5, 2, 3], [1, 4, 1, 1], [4, 2, 3, 7], [3, 1, 1, 2]];

/// The form of the divisive inhibition with random weights.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Divisive {
    None,
    Uniform,
    Mixed,
}

fn weights(
    setup: &Setup,
    rng: &mut ChaCha8Rng,
    [d_input, d_output, n_i, n_d]: [usize; 4],
    divisive: Divisive,
) -> INormWeights {
    let u_ix = setup.random(rng, [d_input, n_d]).autodiff();
    let u_ei = match divisive {
        Divisive::Uniform => setup.tensor(vec![0.4; n_d * d_output], [n_d, d_output]),
        _ => setup.positive(rng, [n_d, d_output]),
    };
    INormWeights {
        w_ex: setup.positive(rng, [d_input, d_output]).autodiff(),
        w_ix: setup.positive(rng, [d_input, n_i]).autodiff(),
        w_ei: setup.positive(rng, [n_i, d_output]).autodiff(),
        divisive: (divisive != Divisive::None).then(|| (u_ix, u_ei.autodiff())),
        bias: Some(setup.random(rng, [d_output]).autodiff()),
        grad_norm: crate::common::no_norm(),
        plasticity: crate::common::PLASTICITY,
        epsilon: 1e-5,
        over: Default::default(),
    }
}

fn layer(
    weights: &INormWeights,
    mode: GradNormMode,
    plasticity: Option<InhibitoryPlasticity>,
) -> INormLinear {
    let [_, d_output] = weights.w_ex.dims();
    let grad_norm = GradNormConfig::new(d_output)
        .with_mode(mode)
        .with_epsilon(EPSILON)
        .try_init_with(&weights.w_ex.device(), &mut rng(0))
        .unwrap();
    crate::common::i_norm(weights.clone(), grad_norm, plasticity, EPSILON).unwrap()
}

/// The results of a layer for a batch, and the gradients of both losses.
struct Pass {
    out: Vec<f64>,
    local: Vec<f64>,
    /// The task's gradients: x, W_ex, b.
    task: [Vec<f64>; 3],
    /// The gradients of the local loss: W_ix, W_ei, U_ix, U_ei; none for a matrix that does not learn.
    inhibitory: [Option<Vec<f64>>; 4],
}

fn pass_of_layer<const D: usize>(layer: &INormLinear, x: &Tensor<D>, upstream: &Tensor<D>) -> Pass {
    let x = leaf(x);
    let (out, local) = layer.forward_with_local_loss(x.clone());
    assert_eq!(
        (out.dims(), out.dtype()),
        (upstream.dims(), upstream.dtype())
    );
    assert_eq!((local.dims(), local.dtype()), ([1], upstream.dtype()));
    let (out_values, local_values) = (values(&out), values(&local));
    // One backward pass of the sum: no parameter gets both kinds of gradient.
    let grads = ((out * upstream.clone()).sum() + local).backward();
    let of = |w: Tensor<2>| w.grad(&grads).map(|g| values(&g));
    let bias = layer.bias.as_ref().unwrap().val();
    Pass {
        out: out_values,
        local: local_values,
        task: [
            values(&x.grad(&grads).unwrap()),
            of(layer.w_ex.val()).unwrap(),
            values(&bias.grad(&grads).unwrap()),
        ],
        inhibitory: [
            of(layer.w_ix.val()),
            of(layer.w_ei.val()),
            layer.u_ix.as_ref().and_then(|w| of(w.val())),
            layer.u_ei.as_ref().and_then(|w| of(w.val())),
        ],
    }
}

/// The same in plain autodiff; values with stopped gradients are detached.
fn pass_of_equations(
    w: &INormWeights,
    mode: GradNormMode,
    lateral: Option<Tensor<1>>,
    x: &Tensor<2>,
    upstream: &Tensor<2>,
) -> Pass {
    let subtractive = |x: &Tensor<2>, w_ix: &Tensor<2>, w_ei: &Tensor<2>| {
        x.clone().matmul(w_ix.clone()).matmul(w_ei.clone())
    };
    let divisive = |x: &Tensor<2>, u_ix: &Tensor<2>, u_ei: &Tensor<2>| {
        let power = x.clone().matmul(u_ix.clone()).square().matmul(u_ei.clone());
        (power + EPSILON).sqrt()
    };
    let inner = |t: &Tensor<2>| t.clone().inner();
    let constant_s = subtractive(x, &inner(&w.w_ix), &inner(&w.w_ei));
    let constant_q = match &w.divisive {
        Some((u_ix, u_ei)) => divisive(x, &inner(u_ix), &inner(u_ei)),
        None => constant_s.ones_like(),
    };

    let (x_leaf, w_ex, bias) = (leaf(x), leaf(&w.w_ex), leaf(w.bias.as_ref().unwrap()));
    let a = x_leaf.clone().matmul(w_ex.clone()) + bias.clone().unsqueeze();
    let constant_a = a.clone().inner();
    let out = (a - constant_s) / constant_q;
    let z = out.clone().inner();
    let delta = mode.apply(z.clone(), upstream.clone(), lateral, EPSILON);
    let task = (out * delta).sum().backward();

    let (w_ix, w_ei) = (leaf(&w.w_ix), leaf(&w.w_ei));
    let u = w
        .divisive
        .as_ref()
        .map(|(u_ix, u_ei)| (leaf(u_ix), leaf(u_ei)));
    let mut z_hat = constant_a - subtractive(x, &w_ix, &w_ei);
    if let Some((u_ix, u_ei)) = &u {
        z_hat = z_hat / divisive(x, u_ix, u_ei);
    }
    let mean = z_hat.clone().mean_dim(1);
    let variance = (z_hat - mean.clone()).square().mean_dim(1);
    let local = match u {
        Some(_) => (mean.square() + (variance - 1.0).square()).mean(),
        None => mean.square().mean(),
    };
    let local_grads = local.backward();
    let of = |w: &Tensor<2>| w.grad(&local_grads).map(|g| values(&g));
    Pass {
        out: values(&z),
        local: values(&local),
        task: [
            values(&x_leaf.grad(&task).unwrap()),
            values(&w_ex.grad(&task).unwrap()),
            values(&bias.grad(&task).unwrap()),
        ],
        inhibitory: [
            of(&w_ix),
            of(&w_ei),
            u.as_ref().and_then(|(u_ix, _)| of(u_ix)),
            u.as_ref().and_then(|(_, u_ei)| of(u_ei)),
        ],
    }
}

/// Compares everything; `learns` tells which inhibitory gradients exist.
#[track_caller]
fn assert_same_pass(found: &Pass, expected: &Pass, learns: [bool; 4], tolerance: f64, at: &str) {
    assert_close(&found.out, &expected.out, tolerance, &format!("{at} out"));
    assert_close(
        &found.local,
        &expected.local,
        tolerance,
        &format!("{at} local"),
    );
    for (index, (found, expected)) in found.task.iter().zip(&expected.task).enumerate() {
        assert_close(found, expected, tolerance, &format!("{at} task {index}"));
    }
    for (index, learns) in learns.into_iter().enumerate() {
        let at = format!("{at} local {index}");
        match (&found.inhibitory[index], &expected.inhibitory[index]) {
            (Some(found), Some(expected)) if learns => {
                assert_close(found, expected, tolerance, &at)
            }
            (found, _) => assert!(found.is_none() && !learns, "{at}"),
        }
    }
}

fn matches_the_equations(divisive: Divisive, plasticity: InhibitoryPlasticity) {
    let has_u = divisive != Divisive::None;
    let p = plasticity;
    let learns = [p.w_ix, p.w_ei, has_u && p.u_ix, has_u && p.u_ei];
    for setup in setups() {
        for (sizes, mode) in SIZES
            .iter()
            .flat_map(|sizes| GradNormMode::ALL.map(|mode| (*sizes, mode)))
        {
            let mut rng = rng(sizes[0] as u64);
            let weights = weights(&setup, &mut rng, sizes, divisive);
            let layer = layer(&weights, mode, Some(plasticity));
            let x = setup.positive(&mut rng, [4, sizes[0]]);
            let upstream = setup.random(&mut rng, [4, sizes[1]]);
            let lateral = layer.grad_norm.lateral_weights.as_ref();
            let lateral = lateral.map(|w| w.val().inner());
            let found = pass_of_layer(&layer, &x, &upstream);
            let expected = pass_of_equations(&weights, mode, lateral, &x, &upstream);
            let at = setup.at((sizes, mode, divisive));
            // Sums of products of a few factors, with two divisions.
            assert_same_pass(&found, &expected, learns, 20.0 * setup.tolerance, &at);
            assert_same(
                &layer.forward(x.clone()).inner(),
                &layer.forward_with_local_loss(x).0.inner(),
                &at,
            );
        }
    }
}

#[test]
fn it_matches_the_equations_with_mixed_divisive_weights() {
    matches_the_equations(Divisive::Mixed, InhibitoryPlasticity::of_paper(true));
    matches_the_equations(Divisive::Mixed, EVERYTHING);
}

#[test]
fn it_matches_the_equations_with_uniform_divisive_weights() {
    matches_the_equations(Divisive::Uniform, InhibitoryPlasticity::of_paper(true));
    matches_the_equations(Divisive::Uniform, EVERYTHING);
}

#[test]
fn it_matches_the_equations_when_inhibition_only_subtracts() {
    matches_the_equations(Divisive::None, InhibitoryPlasticity::of_paper(false));
    matches_the_equations(Divisive::None, EVERYTHING);
}

#[test]
fn the_task_and_the_local_loss_do_not_reach_each_other() {
    for setup in setups() {
        for divisive in [Divisive::Mixed, Divisive::Uniform, Divisive::None] {
            let mut rng = rng(1);
            let weights = weights(&setup, &mut rng, SIZES[0], divisive);
            let layer = layer(&weights, GradNormMode::Full, Some(EVERYTHING));
            let x = leaf(&setup.positive(&mut rng, [4, 6]));
            let upstream = setup.random(&mut rng, [4, 5]);
            let inhibitory = || {
                let u = layer.u_ix.iter().chain(&layer.u_ei);
                [&layer.w_ix, &layer.w_ei].into_iter().chain(u)
            };
            let at = setup.at(divisive);
            let task = (layer.forward(x.clone()) * upstream).sum().backward();
            assert!(inhibitory().all(|w| w.val().grad(&task).is_none()), "{at}");
            assert!(layer.w_ex.val().grad(&task).is_some(), "{at}");
            let (_, local) = layer.forward_with_local_loss(x.clone());
            let local = local.backward();
            assert!(inhibitory().all(|w| w.val().grad(&local).is_some()), "{at}");
            assert!(layer.w_ex.val().grad(&local).is_none(), "{at}");
            assert!(
                layer.bias.as_ref().unwrap().val().grad(&local).is_none(),
                "{at}"
            );
            assert!(x.grad(&local).is_none(), "{at}");
        }
    }
}

#[test]
fn the_leading_axes_are_a_batch() {
    for setup in setups() {
        for divisive in [Divisive::Mixed, Divisive::Uniform, Divisive::None] {
            let mut rng = rng(4);
            let weights = weights(&setup, &mut rng, SIZES[0], divisive);
            let layer = layer(&weights, GradNormMode::Full, Some(EVERYTHING));
            let x = setup.positive(&mut rng, [6, 6]);
            let upstream = setup.random(&mut rng, [6, 5]);
            let expected = pass_of_layer(&layer, &x, &upstream);
            let (x, upstream) = (x.reshape([2, 3, 6]), upstream.reshape([2, 3, 5]));
            let found = pass_of_layer(&layer, &x, &upstream);
            let learns = expected.inhibitory.each_ref().map(Option::is_some);
            let at = setup.at(divisive);
            assert_same_pass(&found, &expected, learns, 4.0 * setup.tolerance, &at);

            let row = x.narrow(0, 1, 1).narrow(1, 2, 1).reshape([6]);
            let found = layer.forward(row);
            assert_eq!(found.dims(), [5]);
            assert_close(&values(&found), &expected.out[25..], setup.tolerance, &at);
        }
    }
}

#[test]
fn a_batch_of_nothing_has_no_loss_and_teaches_nothing() {
    for setup in setups() {
        for divisive in [Divisive::Mixed, Divisive::Uniform, Divisive::None] {
            let weights = weights(&setup, &mut rng(6), SIZES[0], divisive);
            let layer = layer(&weights, GradNormMode::Full, Some(EVERYTHING));
            let x = setup.tensor::<2>(vec![], [0, 6]).autodiff();
            let (out, local) = layer.forward_with_local_loss(x.clone());
            let at = setup.at(divisive);
            assert_eq!((out.dims(), out.dtype()), ([0, 5], setup.dtype), "{at}");
            let found = (values(&local), local.dtype());
            assert_eq!(found, (vec![0.0], setup.dtype), "{at}");
            assert_eq!(values(&layer.local_loss(&layer.currents(x))), [0.0], "{at}");
            let grads = (out.sum() + local).backward();
            let w_ex = values(&layer.w_ex.val().grad(&grads).unwrap());
            assert!(w_ex.iter().all(|g| *g == 0.0), "{at}");
        }
    }
}

#[test]
fn the_currents_in_plain_autodiff_give_the_same_however_the_losses_are_weighed() {
    for setup in setups() {
        for divisive in [Divisive::Mixed, Divisive::Uniform, Divisive::None] {
            let mut rng = rng(5);
            let weights = weights(&setup, &mut rng, SIZES[0], divisive);
            let layer = layer(&weights, GradNormMode::Identity, Some(EVERYTHING));
            let x = setup.positive(&mut rng, [4, 6]);
            let upstream = setup.random(&mut rng, [4, 5]);
            for lambda in [0.37, -2.0] {
                let gradients = |plain: bool| {
                    let x = leaf(&x);
                    let (z, local) = match plain {
                        true => {
                            let currents = layer.currents(x.clone());
                            (layer.output(&currents), layer.local_loss(&currents))
                        }
                        false => layer.forward_with_local_loss(x.clone()),
                    };
                    let loss = (z * upstream.clone()).sum() + local.clone() * lambda;
                    let grads = (loss + local.square()).backward();
                    let u = layer.u_ix.iter().chain(&layer.u_ei);
                    let learned = [&layer.w_ex, &layer.w_ix, &layer.w_ei].into_iter().chain(u);
                    let mut all = vec![values(&x.grad(&grads).unwrap())];
                    all.extend(
                        learned
                            .filter_map(|w| w.val().grad(&grads))
                            .map(|g| values(&g)),
                    );
                    all
                };
                let (found, expected) = (gradients(false), gradients(true));
                assert_eq!(found.len(), expected.len());
                for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    let at = setup.at((divisive, lambda, index));
                    assert_close(found, expected, 20.0 * setup.tolerance, &at);
                }
            }
        }
    }
}
