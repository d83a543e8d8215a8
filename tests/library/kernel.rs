//! The fused kernels of the error normalizations on the CPU.

use crate::common::formulas::{self, EPSILON, apply, formula, pair, weights};
use crate::common::{
    address, assert_close, assert_same, assert_tensor_close, leaf, rng, setups, values,
};
use burn::tensor::{DType, Tensor};
use ei_norm::GradNormMode;
use ei_norm::grad::normalize_grad;

#[test]
fn every_shape() {
    setups().iter().for_each(formulas::check_shapes);
}

#[test]
fn every_layout() {
    setups().iter().for_each(formulas::check_layouts);
}

#[test]
fn one_tensor_for_both() {
    setups()
        .iter()
        .for_each(formulas::check_one_tensor_for_both);
}

#[test]
fn what_is_not_finite() {
    setups().iter().for_each(formulas::check_not_finite);
}

#[test]
fn no_rows_and_no_features() {
    // Reductions of NdArray panic on some empty tensors.
    for setup in setups().into_iter().filter(|s| s.name == "flex") {
        for shape in [[0, 7], [0, 1], [3, 0], [0, 0]] {
            let [z, delta] = pair(&setup, &mut rng(1), shape);
            for mode in GradNormMode::ALL {
                let weights = setup.tensor(vec![0.5; shape[1]], [shape[1]]);
                let found = apply(mode, z.clone(), delta.clone(), weights);
                assert_eq!(found.dims(), shape, "{}", setup.at(mode));
                assert_eq!(found.dtype(), setup.dtype);
            }
        }
    }
}

#[test]
fn rounds_no_more_than_the_formulas() {
    let setups = setups();
    for offset in [0.0, 1e4] {
        formulas::check_precision(&setups[0], &setups[1], offset);
    }
}

#[test]
fn an_error_that_nobody_else_holds_is_changed_in_place() {
    let setup = &setups()[0];
    for mode in GradNormMode::ALL {
        let [z, delta] = pair(setup, &mut rng(1), [9, 50]);
        let weights = weights(setup, 50);
        let expected = formula(mode, z.clone(), delta.clone(), weights.clone());
        let before = address(&delta);
        let found = apply(mode, z, delta, weights);
        assert_eq!(address(&found), before, "{mode}");
        assert_tensor_close(&found, &expected, setup.tolerance, mode.name());
    }
}

#[test]
fn a_slice_leaves_the_rest_of_its_tensor_alone() {
    let setup = &setups()[0];
    let whole = setup.random(&mut rng(1), [6, 20]);
    let before = whole.to_data();
    let z = setup.random(&mut rng(2), [2, 20]);
    for mode in GradNormMode::ALL {
        let slice = whole.clone().slice([2..4, 0..20]);
        apply(mode, z.clone(), slice, weights(setup, 20));
        assert_eq!(whole.to_data().as_bytes(), before.as_bytes(), "{mode}");
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let pool = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap()
    };
    for setup in setups() {
        // Large enough for several threads, with an incomplete last block.
        let [z, delta] = pair(&setup, &mut rng(5), [1111, 301]);
        let weights = weights(&setup, 301);
        for mode in GradNormMode::ALL {
            let shared = || apply(mode, z.clone(), delta.clone(), weights.clone());
            let unshared = || {
                let delta = Tensor::from_data(delta.to_data(), (&setup.device, setup.dtype));
                apply(mode, z.clone(), delta, weights.clone())
            };
            let one = pool(1).install(shared);
            let expected = formula(mode, z.clone(), delta.clone(), weights.clone());
            let at = setup.at(mode);
            assert_close(&values(&one), &values(&expected), setup.tolerance, &at);
            assert_same(&pool(1).install(unshared), &one, &at);
            assert_same(&pool(3).install(shared), &one, &at);
            assert_same(&pool(3).install(unshared), &one, &at);
        }
    }
}

#[test]
fn two_readers_of_one_error_both_get_it() {
    for setup in setups() {
        let [z, upstream] = pair(&setup, &mut rng(6), [4, 12]);
        for mode in GradNormMode::ALL {
            let weights = weights(&setup, 12);
            // Both terms of the sum get the same error.
            let (left, right) = (leaf(&z), leaf(&z));
            let normalized =
                normalize_grad(left.clone() * 1.0, mode, Some(weights.clone()), EPSILON);
            let sum = normalized + right.clone();
            let grads = (sum * upstream.clone()).sum().backward();
            let at = setup.at(mode);
            assert_same(&right.grad(&grads).unwrap(), &upstream, &at);
            let expected = formula(mode, z.clone(), upstream.clone(), weights);
            let found = left.grad(&grads).unwrap();
            assert_close(&values(&found), &values(&expected), setup.tolerance, &at);
        }
    }
}

#[test]
fn operands_of_other_dtypes_are_cast() {
    let setups = setups();
    let [single, double] = [&setups[0], &setups[1]];
    let [z, delta] = pair(single, &mut rng(7), [3, 20]);
    let weights = weights(double, 20);
    for mode in GradNormMode::ALL {
        let expected = formula(
            mode,
            z.clone(),
            delta.clone(),
            weights.clone().cast(DType::F32),
        );
        let found = apply(
            mode,
            z.clone().cast(DType::F64),
            delta.clone(),
            weights.clone(),
        );
        assert_eq!(found.dtype(), DType::F32);
        assert_tensor_close(&found, &expected, single.tolerance, mode.name());
    }
}

#[test]
fn autodiff_without_a_graph_changes_no_bit() {
    for setup in setups() {
        let [z, delta] = pair(&setup, &mut rng(10), [3, 20]);
        for mode in GradNormMode::ALL {
            let weights = weights(&setup, 20);
            let expected = apply(mode, z.clone(), delta.clone(), weights.clone());
            let at = setup.at(mode);
            let found = apply(
                mode,
                z.clone().autodiff(),
                delta.clone().autodiff(),
                weights.clone().autodiff(),
            );
            assert!(found.is_autodiff() && !found.is_tracked(), "{at}");
            assert_same(&found, &expected, &at);
            let found = apply(mode, z.clone(), delta.clone(), weights.autodiff());
            assert_same(&found, &expected, &at);
        }
    }
}

#[test]
fn a_graph_through_the_rule_itself_keeps_its_gradients() {
    for setup in setups() {
        let [z, delta] = pair(&setup, &mut rng(8), [3, 20]);
        let upstream = setup.random(&mut rng(9), [3, 20]);
        for mode in GradNormMode::ALL {
            let gradient = |f: fn(GradNormMode, Tensor<2>, Tensor<2>, Tensor<1>) -> Tensor<2>| {
                let delta = leaf(&delta);
                let out = f(mode, z.clone(), delta.clone(), weights(&setup, 20));
                let grads = (out * upstream.clone()).sum().backward();
                delta.grad(&grads).unwrap()
            };
            assert_same(&gradient(apply), &gradient(formula), &setup.at(mode));
        }
    }
}
