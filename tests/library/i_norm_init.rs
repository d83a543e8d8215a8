//! The initial state of `INormLinear`, which is a LayerNorm, and its configuration.

use crate::common::{Setup, assert_close, assert_same, assert_tensor_close, rng, setups, values};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use ei_norm::functional::{BackwardRule, Normalization, normalize};
use ei_norm::{GradNorm, GradNormMode, INormLinear, INormLinearConfig, INormWeights, Inhibitory};

const EPSILON: f64 = 0.03;

/// Weights with a balanced start, like those of a new layer, in any dtype.
fn balanced(setup: &Setup, [d_input, d_output, n_i]: [usize; 3]) -> INormWeights {
    let mut rng = rng(d_input as u64);
    let w_ex = setup.positive(&mut rng, [d_input, d_output]).autodiff();
    let w_ix = w_ex.clone().mean_dim(1).repeat_dim(1, n_i);
    let w_ei = setup.positive(&mut rng, [n_i, d_output]).autodiff();
    let w_ei = w_ei.clone() / w_ei.sum_dim(0);
    INormWeights::balanced(w_ex, w_ix, w_ei, None)
}

fn layer_norm(x: Tensor<2>, epsilon: f64) -> Tensor<2> {
    normalize(x, Normalization::Layer, BackwardRule::Exact, epsilon)
}

#[test]
fn balanced_weights_start_out_as_layer_norm() {
    for setup in setups() {
        for sizes in [[5, 9, 2], [7, 7, 3], [12, 6, 1], [1, 4, 2], [3, 2, 1]] {
            let [d_input, d_output, _] = sizes;
            let weights = balanced(&setup, sizes);
            let n_d = d_output;
            let (u_ix, u_ei) = weights.divisive.clone().unwrap();
            assert_eq!(
                (u_ix.dims(), u_ei.dims()),
                ([d_input, n_d], [n_d, d_output])
            );
            assert_eq!((u_ix.dtype(), u_ei.dtype()), (setup.dtype, setup.dtype));
            let share = vec![1.0 / d_output as f64; n_d * d_output];
            assert_close(&values(&u_ei), &share, setup.tolerance, "u_ei");
            let drive = setup.positive(&mut rng(1), [8, d_input]);
            let expected = layer_norm(drive.clone().matmul(weights.w_ex.clone().inner()), EPSILON);
            let layer = INormLinear::from_weights(INormWeights {
                grad_norm: GradNorm::identity(d_output),
                epsilon: EPSILON,
                ..weights
            });
            let found = layer.unwrap().forward(drive).inner();
            // If the variance is near ε, rounding has a larger effect.
            assert_tensor_close(&found, &expected, 50.0 * setup.tolerance, &setup.at(sizes));
        }
    }
}

#[test]
fn a_fresh_layer_starts_out_as_layer_norm() {
    for setup in setups() {
        for [d_input, d_output] in [[20, 40], [30, 30], [50, 20]] {
            let config = INormLinearConfig::new(d_input, d_output);
            let layer = config.try_init_with(&setup.device, &mut rng(2)).unwrap();
            assert_eq!(layer.epsilon(), 1e-5);
            let x = setup
                .positive(&mut rng(3), [8, d_input])
                .cast(layer.w_ex.dtype());
            let expected = layer_norm(x.clone().matmul(layer.w_ex.val()), 1e-5);
            let (out, local) = layer.forward_with_local_loss(x);
            assert_tensor_close(&out, &expected, 1e-3, &setup.at(d_input));
            assert!(values(&local)[0] < 1e-4, "{}", setup.at(d_input));
        }
    }
}

#[test]
fn without_division_there_are_no_divisive_weights() {
    let config = INormLinearConfig::new(4, 3)
        .with_divisive(false)
        .with_bias(false);
    let layer = config.try_init_with(&Device::flex(), &mut rng(4)).unwrap();
    assert!(layer.u_ix.is_none() && layer.u_ei.is_none() && layer.bias.is_none());
    let x = setups()[0].positive(&mut rng(5), [2, 4]);
    let currents = layer.currents(x.clone());
    assert!(currents.divisive.is_none());
    let drive = x.clone().matmul(layer.w_ex.val());
    let expected = drive.clone() - drive.mean_dim(1);
    assert_tensor_close(&layer.forward(x), &expected, 1e-4, "mean subtracted");
}

#[test]
fn the_configuration_reaches_the_layer() {
    let config = INormLinearConfig::new(4, 20)
        .with_inhibitory(Inhibitory::Count(7))
        .with_grad_norm(GradNormMode::Lateral)
        .with_epsilon(0.25);
    let layer = config.try_init_with(&Device::flex(), &mut rng(6)).unwrap();
    assert_eq!(layer.w_ix.dims(), [4, 7]);
    assert_eq!(layer.grad_norm.mode(), GradNormMode::Lateral);
    assert_eq!(layer.grad_norm.features(), 20);
    assert_eq!(layer.epsilon(), 0.25);
    // W_ex, W_ix, W_ei, U_ix, U_ei, b and the lateral weights.
    assert_eq!(layer.num_params(), 80 + 28 + 140 + 80 + 400 + 20 + 20);
    let default = INormLinearConfig::new(4, 20);
    let layer = default.try_init_with(&Device::flex(), &mut rng(6)).unwrap();
    assert_eq!(layer.grad_norm.mode(), GradNormMode::Full);
    assert_eq!(layer.w_ix.dims(), [4, 2]);
}

#[test]
fn the_error_norm_uses_the_epsilon_of_the_layer() {
    let setup = &setups()[0];
    let config = INormLinearConfig::new(4, 3)
        .with_grad_norm(GradNormMode::Scale)
        .with_epsilon(0.5);
    let layer = config.try_init_with(&setup.device, &mut rng(7)).unwrap();
    let z = setup.random(&mut rng(8), [2, 3]);
    let delta = setup.random(&mut rng(9), [2, 3]);
    let expected = GradNormMode::Scale.apply(z.clone(), delta.clone(), None, 0.5);
    assert_same(&layer.grad_norm.apply(z, delta), &expected, "scale");
}
