//! I-Norm that normalizes all rows of an example together: values and gradients against plain autodiff.

use burn::tensor::{Gradients, Tensor};
use ei_norm::circuit::NormalizedOver;
use ei_norm::functional::mean_square;
use ei_norm::grad::normalize_grad;
use ei_norm::layer::Conv2d;
use ei_norm::{
    Currents, GradNorm, GradNormMode, INormConv2d, INormLinear, INormWeights, InhibitoryPlasticity,
};

use crate::common::{ChaCha8Rng, Setup, assert_tensor_close, leaf, rng, setups};

const EPSILON: f64 = 0.03;

/// The divisive weights: none, equal, or different.
const DIVISIVE: [Option<bool>; 3] = [None, Some(true), Some(false)];

fn weights(
    setup: &Setup,
    rng: &mut ChaCha8Rng,
    [d_input, d_output]: [usize; 2],
    uniform: Option<bool>,
    mode: GradNormMode,
) -> INormWeights {
    let mut positive = |shape| setup.positive(rng, shape).autodiff();
    let (w_ex, w_ix) = (positive([d_input, d_output]), positive([d_input, 2]));
    let (w_ei, u_ix) = (positive([2, d_output]), positive([d_input, 3]));
    let u_ei = match uniform {
        Some(true) => positive([3, d_output]).ones_like() * 0.3,
        _ => positive([3, d_output]),
    };
    let lateral = positive([1, d_output]).reshape([d_output]);
    INormWeights {
        divisive: uniform.map(|_| (u_ix, u_ei)),
        grad_norm: match mode {
            GradNormMode::Lateral => GradNorm::with_lateral_weights(lateral),
            _ => ei_norm::GradNormConfig::new(d_output)
                .with_mode(mode)
                .with_epsilon(EPSILON)
                .init(&setup.device),
        },
        plasticity: InhibitoryPlasticity {
            w_ix: true,
            w_ei: true,
            u_ix: true,
            u_ei: uniform == Some(false),
        },
        epsilon: EPSILON,
        over: NormalizedOver::Example,
        ..INormWeights::subtractive(w_ex, w_ix, w_ei, None)
    }
}

/// The gradients of the input and of all learning parameters.
fn gradients<const D: usize>(
    layer: &ei_norm::circuit::INorm,
    x: &Tensor<D>,
    grads: &Gradients,
) -> Vec<Tensor<2>> {
    let rows = |t: Tensor<D>| t.reshape([1, -1]);
    let u = layer.u_ix.iter().chain(&layer.u_ei);
    let weights = [&layer.w_ex, &layer.w_ix, &layer.w_ei].into_iter().chain(u);
    let weights = weights.filter_map(|w| w.grad(grads));
    std::iter::once(rows(x.grad(grads).unwrap()))
        .chain(weights)
        .collect()
}

/// z with an error that is normalized over the whole example.
fn normalized<const D: usize>(z: Tensor<D>, norm: &GradNorm) -> Tensor<D> {
    let (shape, examples) = (z.dims(), z.dims()[0]);
    let joined: Tensor<2> = z.reshape([examples as i32, -1]);
    let positions = joined.dims()[1] / norm.features();
    let weights = norm.lateral_weights.as_ref().map(|w| {
        let tiled = Tensor::cat(vec![w.val().inner(); positions], 0);
        tiled / positions as f64
    });
    normalize_grad(joined, norm.mode(), weights, EPSILON).reshape(shape)
}

#[test]
fn rows_of_an_example_are_normalized_together() {
    for setup in setups() {
        for (uniform, mode) in DIVISIVE
            .into_iter()
            .flat_map(|uniform| GradNormMode::ALL.map(|mode| (uniform, mode)))
        {
            let rng = &mut rng(1);
            let layer =
                INormLinear::from_weights(weights(&setup, rng, [6, 5], uniform, mode)).unwrap();
            let x = setup.positive::<3>(rng, [3, 4, 6]);
            let upstream = setup.random(rng, [3, 4, 5]);
            let at = setup.at((uniform, mode));
            let of = |plain: bool| {
                let x = leaf(&x);
                let (z, local) = match plain {
                    true => {
                        let currents = layer.currents(x.clone());
                        let z = normalized(layer.output(&currents), &layer.grad_norm);
                        (z, layer.local_loss(&currents))
                    }
                    false => layer.forward_with_local_loss(x.clone()),
                };
                let grads = ((z.clone() * upstream.clone()).sum() + local.clone() * 0.7).backward();
                (z.inner(), local.inner(), gradients(&layer, &x, &grads))
            };
            let ((z, local, found), (plain, expected_local, expected)) = (of(false), of(true));
            let tolerance = 50.0 * setup.tolerance;
            assert_tensor_close(&z, &plain, tolerance, &at);
            assert_tensor_close(&local, &expected_local, tolerance, &at);
            assert_eq!(found.len(), expected.len(), "{at}");
            for (found, expected) in found.iter().zip(&expected) {
                assert_tensor_close(found, expected, tolerance, &at);
            }
        }
    }
}

/// The currents from the equations, with inhibitory units that pool over the positions.
#[test]
fn inhibition_pools_over_the_positions() {
    for setup in setups() {
        let rng = &mut rng(2);
        let weights = weights(&setup, rng, [6, 5], Some(true), GradNormMode::Identity);
        let layer = INormLinear::from_weights(weights.clone()).unwrap();
        let x = setup.positive::<3>(rng, [2, 4, 6]);
        let Currents {
            subtractive,
            divisive,
            ..
        } = layer.currents(x.clone());
        let w = |w: &Tensor<2>| w.clone().inner().unsqueeze::<3>();
        let s = x
            .clone()
            .mean_dim(1)
            .matmul(w(&weights.w_ix))
            .matmul(w(&weights.w_ei));
        let at = setup.at("s");
        let expected = s.expand([2, 4, 5]);
        assert_tensor_close(&subtractive.inner(), &expected, 10.0 * setup.tolerance, &at);
        let (u_ix, _) = weights.divisive.unwrap();
        let power = mean_square(x.matmul(w(&u_ix))) * 0.9;
        let q = (power.mean_dim(1) + EPSILON).sqrt().expand([2, 4, 1]);
        let found = divisive.unwrap().inner();
        assert_tensor_close(&found, &q, 10.0 * setup.tolerance, &setup.at("q"));
    }
}

#[test]
fn a_whole_map_is_normalized_together() {
    for setup in setups() {
        for uniform in DIVISIVE {
            let rng = &mut rng(3);
            let weights = weights(&setup, rng, [12, 4], uniform, GradNormMode::Full);
            let layer = INormConv2d::from_weights(weights, Conv2d::new([2, 4], [3, 2])).unwrap();
            let x = setup.positive::<4>(rng, [3, 2, 5, 4]);
            let z = layer.forward(x.clone().autodiff());
            let currents = layer.currents(x.clone().autodiff());
            let expected = layer.output(&currents).inner();
            let at = setup.at(uniform);
            assert_tensor_close(&z.inner(), &expected, 20.0 * setup.tolerance, &at);
            let upstream = setup.random::<4>(rng, [3, 4, 3, 3]);
            let dx = |forward: &dyn Fn(Tensor<4>) -> Tensor<4>| {
                let x = leaf(&x);
                let grads = (forward(x.clone()) * upstream.clone()).sum().backward();
                x.grad(&grads).unwrap()
            };
            let found = dx(&|x| layer.forward(x));
            let expected = dx(&|x| normalized(layer.output(&layer.currents(x)), &layer.grad_norm));
            assert_tensor_close(&found, &expected, 50.0 * setup.tolerance, &at);
        }
    }
}
