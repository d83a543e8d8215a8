//! `INormLinear`: the task and the local loss, each alone and both together.

use crate::common::circuits::{Divisive, EVERYTHING, i_norm};
use crate::common::parameters::{assert_same_pass, gradients};
use crate::common::{Setup, leaf, rng, setups, values};
use burn::tensor::Tensor;
use ei_norm::{GradNormMode, INormLinear};

fn layer(setup: &Setup, divisive: Divisive, mode: GradNormMode) -> INormLinear {
    let weights = i_norm(setup, &mut rng(1), [6, 5], divisive, EVERYTHING, mode);
    INormLinear::from_weights(weights).unwrap()
}

#[test]
fn the_task_and_the_local_loss_do_not_reach_each_other() {
    for setup in setups() {
        for divisive in Divisive::ALL {
            let layer = layer(&setup, divisive, GradNormMode::Full);
            let x = leaf(&setup.positive(&mut rng(2), [4, 6]));
            let upstream = setup.random(&mut rng(3), [4, 5]);
            for is_task in [true, false] {
                let grads = match is_task {
                    true => (layer.forward(x.clone()) * upstream.clone())
                        .sum()
                        .backward(),
                    false => layer.forward_with_local_loss(x.clone()).1.backward(),
                };
                let at = setup.at((divisive, is_task));
                assert_eq!(x.grad(&grads).is_some(), is_task, "{at}");
                for (name, grad) in gradients(&layer, &grads) {
                    let of_task = matches!(name.as_str(), "w_ex" | "bias");
                    assert_eq!(grad.is_some(), of_task == is_task, "{at} {name}");
                }
            }
        }
    }
}

#[test]
fn the_currents_in_plain_autodiff_give_the_same_however_the_losses_are_weighed() {
    for setup in setups() {
        for divisive in Divisive::ALL {
            let layer = layer(&setup, divisive, GradNormMode::Identity);
            let x = setup.positive(&mut rng(4), [4, 6]);
            let upstream = setup.random(&mut rng(5), [4, 5]);
            for lambda in [0.37, -2.0] {
                let of = |forward: &dyn Fn(Tensor<2>) -> (Tensor<2>, Tensor<1>)| {
                    let x = leaf(&x);
                    let (z, local) = forward(x.clone());
                    let loss = (z * upstream.clone()).sum() + local.clone() * lambda;
                    let grads = (loss + local.square()).backward();
                    let mut all = gradients(&layer, &grads);
                    all.push(("x".into(), x.grad(&grads).map(|grad| values(&grad))));
                    all
                };
                let found = of(&|x| layer.forward_with_local_loss(x));
                let expected = of(&|x| {
                    let currents = layer.currents(x);
                    (layer.output(&currents), layer.local_loss(&currents))
                });
                let at = setup.at((divisive, lambda));
                assert_same_pass(&found, &expected, 20.0 * setup.tolerance, &at);
            }
        }
    }
}
