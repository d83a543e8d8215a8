//! I-Norm that normalizes all rows of an example together: values and gradients against plain autodiff.

use burn::tensor::Tensor;
use ei_norm::circuit::{INorm, NormalizedOver};
use ei_norm::functional::mean_square;
use ei_norm::grad::normalize_grad;
use ei_norm::layer::{Conv2d, Recurrent};
use ei_norm::{
    Currents, GradNorm, GradNormMode, INormConv2d, INormLinear, INormRnn, INormWeights,
    InhibitoryPlasticity,
};

use crate::common::circuits::{Divisive, EPSILON, EVERYTHING, Output, Tried, i_norm, pass};
use crate::common::parameters::assert_same_pass;
use crate::common::{
    ChaCha8Rng, Setup, assert_close, assert_tensor_close, leaf, rng, setups, values,
};

fn weights(
    setup: &Setup,
    rng: &mut ChaCha8Rng,
    sizes: [usize; 2],
    divisive: Divisive,
    mode: GradNormMode,
) -> INormWeights {
    let plasticity = InhibitoryPlasticity {
        u_ei: divisive == Divisive::Mixed,
        ..EVERYTHING
    };
    INormWeights {
        over: NormalizedOver::Example,
        ..i_norm(setup, rng, sizes, divisive, plasticity, mode)
    }
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
        for (divisive, mode) in Divisive::ALL
            .into_iter()
            .flat_map(|divisive| GradNormMode::ALL.map(|mode| (divisive, mode)))
        {
            let rng = &mut rng(1);
            let weights = weights(&setup, rng, [6, 5], divisive, mode);
            let layer = INormLinear::from_weights(weights).unwrap();
            let x = setup.positive::<3>(rng, [3, 4, 6]);
            let upstream: Tensor<3> = setup.random(rng, [3, 4, 5]);
            let of = |form: &dyn Fn(Tensor<3>) -> Output<3>| {
                pass(&layer, leaf(&x), |_| upstream.clone(), form)
            };
            let found = of(&|x| INorm::apply(&layer, x));
            let expected = of(&|x| {
                let currents = layer.currents(x);
                let z = normalized(layer.output(&currents), &layer.grad_norm);
                (z, Some(layer.local_loss(&currents)))
            });
            let at = setup.at((divisive, mode));
            assert_same_pass(&found, &expected, 50.0 * setup.tolerance, &at);
        }
    }
}

/// The currents from the equations, with inhibitory units that pool over the positions.
#[test]
fn inhibition_pools_over_the_positions() {
    for setup in setups() {
        let rng = &mut rng(2);
        let weights = weights(
            &setup,
            rng,
            [6, 5],
            Divisive::Uniform,
            GradNormMode::Identity,
        );
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
        // Four divisive units, with weights of 0.4.
        let power = mean_square(x.matmul(w(&u_ix))) * 1.6;
        let q = (power.mean_dim(1) + EPSILON).sqrt().expand([2, 4, 1]);
        let found = divisive.unwrap().inner();
        assert_tensor_close(&found, &q, 10.0 * setup.tolerance, &setup.at("q"));
    }
}

#[test]
fn a_whole_map_is_normalized_together() {
    for setup in setups() {
        for divisive in Divisive::ALL {
            let rng = &mut rng(3);
            let weights = weights(&setup, rng, [12, 4], divisive, GradNormMode::Full);
            let layer = INormConv2d::from_weights(weights, Conv2d::new([2, 4], [3, 2])).unwrap();
            let x = setup.positive::<4>(rng, [3, 2, 5, 4]);
            let z = layer.forward(x.clone().autodiff());
            let currents = layer.currents(x.clone().autodiff());
            let expected = layer.output(&currents).inner();
            let at = setup.at(divisive);
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

#[test]
fn the_local_loss_of_currents_is_that_of_the_layer() {
    for setup in setups() {
        for over in [NormalizedOver::Features, NormalizedOver::Example] {
            for divisive in Divisive::ALL {
                let rng = &mut rng(4);
                let mode = GradNormMode::Identity;
                let mut weights = |sizes| INormWeights {
                    over,
                    ..weights(&setup, rng, sizes, divisive, mode)
                };
                let conv = Conv2d::new([2, 4], [3, 2]);
                let conv = INormConv2d::from_weights(weights([12, 4]), conv).unwrap();
                let rnn = INormRnn::from_weights(weights([7, 4]), Recurrent::new(3, 4)).unwrap();
                let x = setup.positive::<4>(rng, [3, 2, 5, 5]).autodiff();
                let images = conv.local_loss(&conv.currents(x.clone()));
                let steps = x.clone().reshape([10, 5, 3]);
                let sequences = rnn.local_loss(&rnn.currents(steps.clone(), None));
                for (found, expected) in [
                    (images, conv.forward_with_local_loss(x).1),
                    (sequences, rnn.forward_with_local_loss(steps, None).2),
                ] {
                    let at = setup.at((over, divisive));
                    let tolerance = 20.0 * setup.tolerance;
                    assert_close(&values(&found), &values(&expected), tolerance, &at);
                }
            }
        }
    }
}
