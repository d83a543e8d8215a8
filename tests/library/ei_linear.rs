//! `EiLinear` without parts, and with given weights.

use crate::common::circuits::ei;
use crate::common::{assert_same, assert_tensor_close, leaf, rng, setups, values};
use burn::tensor::{Device, Tensor};
use ei_norm::{EiLinear, EiLinearConfig, EiWeights, Inhibitory, functional};

#[test]
fn without_inhibitory_units_the_layer_is_excitatory() {
    let config = EiLinearConfig::new(4, 3).with_inhibitory(Inhibitory::Count(0));
    let layer = config.try_init_with(&Device::flex(), &mut rng(1)).unwrap();
    assert!(layer.w_ix.is_none() && layer.w_ei.is_none());
    assert_eq!(layer.inhibitory_units(), 0);
    let setup = &setups()[0];
    let x = setup.random(&mut rng(2), [2, 4]);
    let currents = layer.currents(x.clone());
    assert_eq!(currents.subtractive.dims(), [2, 3]);
    assert_eq!(values(&currents.subtractive), [0.0; 6]);
    let expected = functional::excite(x.clone(), layer.w_ex.val(), None);
    assert_tensor_close(&layer.forward(x), &expected, 1e-6, "excitation");
}

#[test]
fn without_a_bias_zero_input_gives_zero() {
    let setup = &setups()[0];
    let zero: Tensor<2> = setup.tensor(vec![0.0; 8], [2, 4]);
    for bias in [true, false] {
        let config = EiLinearConfig::new(4, 3).with_bias(bias);
        let layer = config.try_init_with(&setup.device, &mut rng(1)).unwrap();
        assert_eq!(layer.bias.is_some(), bias);
        assert_eq!(values(&layer.forward(zero.clone())), [0.0; 6]);
    }
    let weights = ei(setup, &mut rng(1), [4, 1, 3]);
    let bias = weights.bias.clone().unwrap();
    let layer = EiLinear::from_weights(weights).unwrap();
    let out = layer.forward(zero.narrow(0, 0, 1));
    assert_same(&out.inner(), &bias.unsqueeze().inner(), "the bias alone");
}

#[test]
fn given_weights_become_leaves_that_learn() {
    for setup in setups() {
        let mut rng = rng(3);
        let source = leaf(&setup.positive(&mut rng, [3, 4]));
        let weights = EiWeights {
            w_ex: source.clone().transpose() * 2.0,
            ..ei(&setup, &mut rng, [4, 2, 3])
        };
        let layer = EiLinear::from_weights(weights).unwrap();
        let x = setup.random(&mut rng, [2, 4]);
        let upstream = setup.random(&mut rng, [2, 3]);
        let grads = (layer.forward(x.clone()) * upstream.clone())
            .sum()
            .backward();
        let found = layer.w_ex.val().grad(&grads).unwrap();
        let expected = x.transpose().matmul(upstream);
        assert_tensor_close(&found, &expected, setup.tolerance, &setup.at("w_ex"));
        assert!(source.grad(&grads).is_none());
    }
}
