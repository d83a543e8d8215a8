//! With equal divisive weights `INormLinear` computes one q for each example; after a change to unequal
//! weights, the result follows the new weights.

use crate::common::circuits::{Divisive, EPSILON, i_norm};
use crate::common::parameters::Affine;
use crate::common::{Setup, assert_tensor_close, rng, setups, values};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use ei_norm::{GradNormMode, INormLinear, INormWeights, InhibitoryPlasticity};

/// A layer with a fixed U_ei of 0.4 everywhere; `seed` determines the other weights.
fn uniform_layer(setup: &Setup, seed: u64) -> INormLinear {
    let (of_paper, mode) = (InhibitoryPlasticity::of_paper(true), GradNormMode::Identity);
    let rng = &mut rng(seed);
    let weights = i_norm(setup, rng, [6, 5], Divisive::Uniform, of_paper, mode);
    INormLinear::from_weights(INormWeights {
        bias: None,
        ..weights
    })
    .unwrap()
}

/// The output from the equations and the current values of the layer.
fn by_the_equations(layer: &INormLinear, x: Tensor<2>) -> Tensor<2> {
    let u_ix = layer.u_ix.as_ref().unwrap().val().inner();
    let u_ei = layer.u_ei.as_ref().unwrap().val().inner();
    let drive = x.clone().matmul(layer.w_ex.val().inner());
    let s = x
        .clone()
        .matmul(layer.w_ix.val().inner())
        .matmul(layer.w_ei.val().inner());
    let q = (x.matmul(u_ix).square().matmul(u_ei) + EPSILON).sqrt();
    (drive - s) / q
}

#[track_caller]
fn assert_current(setup: &Setup, layer: &INormLinear, uniform: Option<f64>, at: &str) {
    let at = setup.at(at);
    let x = setup.positive(&mut rng(9), [4, 6]);
    let expected = by_the_equations(layer, x.clone());
    let found = layer.forward(x.clone()).inner();
    assert_tensor_close(&found, &expected, 20.0 * setup.tolerance, &at);
    let q = layer.currents(x).divisive.unwrap();
    let width = if uniform.is_some() { 1 } else { 5 };
    assert_eq!(q.dims(), [4, width], "{at}");
    let found = layer.u_ei.as_ref().unwrap().uniform_value();
    assert_eq!(found.is_some(), uniform.is_some(), "{at}");
    if let (Some(found), Some(expected)) = (found, uniform) {
        assert!((found - expected).abs() < 1e-6, "{at}: {found}");
    }
}

/// Replaces values, by position.
struct Replace(fn(usize) -> f64);

fn replace(mut layer: INormLinear, value: fn(usize) -> f64) -> INormLinear {
    let u_ei = layer.u_ei.take();
    layer.u_ei = u_ei.map(|u_ei| u_ei.map(&mut Replace(value)));
    layer
}

impl ModuleMapper for Replace {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|old| {
            let count = old.shape().num_elements();
            let data = TensorData::new((0..count).map(self.0).collect(), old.shape());
            Tensor::from_data(data, (&old.device(), old.dtype()))
        })
    }
}

#[test]
fn equal_weights_give_one_q_an_example() {
    for setup in setups() {
        assert_current(&setup, &uniform_layer(&setup, 1), Some(0.4), "fresh");
    }
}

#[test]
fn mapped_values_are_seen() {
    for setup in setups() {
        let fresh = uniform_layer(&setup, 1);
        let mixed = replace(fresh.clone(), |i| 0.1 * i as f64);
        assert_current(&setup, &mixed, None, "mixed");
        let again = replace(mixed, |_| 0.7);
        assert_current(&setup, &again, Some(0.7), "uniform again");
        let last = replace(fresh.clone(), |i| if i == 19 { 0.8 } else { 0.4 });
        assert_current(&setup, &last, None, "the last differs");
        assert_current(&setup, &fresh, Some(0.4), "fresh");
    }
}

#[test]
fn values_scaled_in_place_are_seen() {
    for setup in setups() {
        let mut layer = uniform_layer(&setup, 1);
        assert_current(&setup, &layer, Some(0.4), "fresh");
        let mut expected = 0.4;
        for factor in [2.0, 0.5, 3.0] {
            // In place, if the backend can.
            layer = layer.map(&mut Affine::scale(factor));
            expected *= factor;
            assert_current(&setup, &layer, Some(expected), "scaled");
        }
    }
}

#[test]
fn values_of_a_record_are_seen() {
    for setup in setups() {
        let layer = uniform_layer(&setup, 1);
        assert_current(&setup, &layer, Some(0.4), "fresh");
        // The same identities with other values.
        let mixed = replace(layer.clone(), |i| 0.1 * i as f64);
        assert_eq!(
            mixed.u_ei.as_ref().unwrap().id,
            layer.u_ei.as_ref().unwrap().id
        );
        let loaded = layer.clone().load_record(mixed.clone().into_record());
        assert_current(&setup, &loaded, None, "mixed");
        let found = values(&loaded.u_ei.as_ref().unwrap().val());
        assert_eq!(found, values(&mixed.u_ei.as_ref().unwrap().val()));
        let back = loaded.load_record(layer.clone().into_record());
        assert_current(&setup, &back, Some(0.4), "back");
        // The values of another layer.
        let other = replace(uniform_layer(&setup, 2), |_| 1.5);
        let loaded = layer.load_record(other.into_record());
        assert_current(&setup, &loaded, Some(1.5), "another layer");
    }
}

#[test]
fn values_that_are_set_are_seen() {
    for setup in setups() {
        let mut layer = uniform_layer(&setup, 1);
        assert_current(&setup, &layer, Some(0.4), "fresh");
        let mixed = setup.positive(&mut rng(3), [4, 5]).autodiff();
        layer.u_ei.as_mut().unwrap().set(mixed).unwrap();
        assert_current(&setup, &layer, None, "set");
    }
}

#[test]
fn uniform_weights_that_learn_are_not_taken_for_constants() {
    use ei_norm::dale::Plasticity;
    for setup in setups() {
        let mut layer = uniform_layer(&setup, 1);
        let u_ei = layer.u_ei.take();
        layer.u_ei = u_ei.map(|w| w.with_plasticity(Plasticity::Plastic));
        assert_current(&setup, &layer, None, "plastic");
    }
}

#[test]
fn nan_is_not_uniform() {
    for setup in setups() {
        let layer = replace(uniform_layer(&setup, 1), |_| f64::NAN);
        let out = layer.forward(setup.positive(&mut rng(1), [2, 6]));
        assert!(
            values(&out).iter().all(|v| v.is_nan()),
            "{}",
            setup.at("nan")
        );
    }
}
