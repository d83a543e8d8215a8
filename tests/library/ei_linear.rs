//! `EiLinear`: the layer and its gradients against the single-matrix formula, its initial weights, and
//! errors.

use crate::common::{
    ChaCha8Rng, Setup, assert_close, assert_same, assert_tensor_close, leaf, panic_of, rng, setups,
    values,
};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use ei_norm::{EiLinear, EiLinearConfig, EiWeights, Error, Inhibitory, functional};

/// Random weights; `n_i` 0 makes a purely excitatory layer.
fn weights(
    setup: &Setup,
    rng: &mut ChaCha8Rng,
    [d_input, d_output, n_i]: [usize; 3],
    bias: bool,
) -> EiWeights {
    EiWeights {
        w_ex: setup.positive(rng, [d_input, d_output]).autodiff(),
        inhibition: (n_i > 0).then(|| {
            let w_ix = setup.positive(rng, [d_input, n_i]).autodiff();
            (w_ix, setup.positive(rng, [n_i, d_output]).autodiff())
        }),
        bias: bias.then(|| setup.random(rng, [d_output]).autodiff()),
    }
}

/// The output and the gradients (of x, the existing weights, and the bias) for Σ f(x)·upstream.
type Pass = Vec<(&'static str, Vec<f64>)>;

fn pass_of_layer<const D: usize>(layer: &EiLinear, x: &Tensor<D>, upstream: &Tensor<D>) -> Pass {
    let x = leaf(x);
    let out = layer.forward(x.clone());
    assert_eq!(out.dims(), upstream.dims());
    assert_eq!(out.dtype(), upstream.dtype());
    let mut pass = vec![("out", values(&out))];
    let grads = (out * upstream.clone()).sum().backward();
    pass.push(("x", values(&x.grad(&grads).unwrap())));
    pass.push(("w_ex", values(&layer.w_ex.val().grad(&grads).unwrap())));
    if let (Some(w_ix), Some(w_ei)) = (&layer.w_ix, &layer.w_ei) {
        pass.push(("w_ix", values(&w_ix.val().grad(&grads).unwrap())));
        pass.push(("w_ei", values(&w_ei.val().grad(&grads).unwrap())));
    }
    if let Some(bias) = &layer.bias {
        pass.push(("bias", values(&bias.val().grad(&grads).unwrap())));
    }
    pass
}

/// The same from z = x (W_ex − W_ix W_ei) + b in plain autodiff, with flattened rows.
fn pass_of_formula<const D: usize>(layer: &EiLinear, x: &Tensor<D>, upstream: &Tensor<D>) -> Pass {
    let [d_input, d_output] = layer.w_ex.dims();
    let rows = x.shape().num_elements() / d_input;
    let x = leaf(&x.clone().reshape([rows, d_input]));
    let upstream = upstream.clone().reshape([rows, d_output]);
    let w_ex = leaf(&layer.w_ex.val());
    let inhibition = layer.w_ix.as_ref().zip(layer.w_ei.as_ref());
    let inhibition = inhibition.map(|(w_ix, w_ei)| (leaf(&w_ix.val()), leaf(&w_ei.val())));
    let bias = layer.bias.as_ref().map(|bias| leaf(&bias.val()));
    let matrix = match &inhibition {
        Some((w_ix, w_ei)) => w_ex.clone() - w_ix.clone().matmul(w_ei.clone()),
        None => w_ex.clone(),
    };
    let mut out = x.clone().matmul(matrix);
    if let Some(bias) = &bias {
        out = out + bias.clone().unsqueeze();
    }
    let mut pass = vec![("out", values(&out))];
    let grads = (out * upstream).sum().backward();
    pass.push(("x", values(&x.grad(&grads).unwrap())));
    pass.push(("w_ex", values(&w_ex.grad(&grads).unwrap())));
    if let Some((w_ix, w_ei)) = inhibition {
        pass.push(("w_ix", values(&w_ix.grad(&grads).unwrap())));
        pass.push(("w_ei", values(&w_ei.grad(&grads).unwrap())));
    }
    if let Some(bias) = bias {
        pass.push(("bias", values(&bias.grad(&grads).unwrap())));
    }
    pass
}

#[track_caller]
fn assert_same_pass(found: &Pass, expected: &Pass, tolerance: f64, at: &str) {
    assert_eq!(found.len(), expected.len(), "{at}");
    for ((name, found), (_, expected)) in found.iter().zip(expected) {
        assert_close(found, expected, tolerance, &format!("{at} {name}"));
    }
}

fn matches_the_formula<const D: usize>(setup: &Setup, leading: [usize; D], sizes: [usize; 3]) {
    let [d_input, d_output, _] = sizes;
    let (mut shape_in, mut shape_out) = (leading, leading);
    (shape_in[D - 1], shape_out[D - 1]) = (d_input, d_output);
    for bias in [true, false] {
        let mut rng = rng(d_input as u64);
        let layer = EiLinear::from_weights(weights(setup, &mut rng, sizes, bias)).unwrap();
        let x = setup.random(&mut rng, shape_in);
        let upstream = setup.random(&mut rng, shape_out);
        let found = pass_of_layer(&layer, &x, &upstream);
        let expected = pass_of_formula(&layer, &x, &upstream);
        let at = setup.at((shape_in, sizes, bias));
        assert_same_pass(&found, &expected, 4.0 * setup.tolerance, &at);

        let currents = layer.currents(x);
        assert_eq!(currents.excitatory.dims(), shape_out);
        assert_eq!(currents.subtractive.dims(), shape_out);
        let difference = values(&(currents.excitatory - currents.subtractive));
        assert_close(&difference, &expected[0].1, 4.0 * setup.tolerance, &at);
    }
}

#[test]
fn output_and_gradients_match_the_single_matrix_formula() {
    for setup in setups() {
        for sizes in [
            [5, 7, 2],
            [1, 4, 1],
            [6, 1, 1],
            [3, 2, 5],
            [9, 10, 0],
            [1, 1, 1],
        ] {
            matches_the_formula(&setup, [0], sizes);
            matches_the_formula(&setup, [1, 0], sizes);
            matches_the_formula(&setup, [6, 0], sizes);
            matches_the_formula(&setup, [3, 2, 0], sizes);
            matches_the_formula(&setup, [2, 1, 3, 0], sizes);
        }
    }
}

#[test]
fn a_large_batch_takes_the_matrix_and_changes_nothing() {
    const ROWS: usize = 256;
    for setup in setups() {
        let mut rng = rng(2);
        let layer = EiLinear::from_weights(weights(&setup, &mut rng, [6, 5, 3], true)).unwrap();
        let x = setup.random(&mut rng, [ROWS, 6]);
        let upstream = setup.random(&mut rng, [ROWS, 5]);
        let found = pass_of_layer(&layer, &x, &upstream);
        let expected = pass_of_formula(&layer, &x, &upstream);
        assert_same_pass(
            &found,
            &expected,
            8.0 * setup.tolerance,
            &setup.at("formula"),
        );

        // The same rows four at a time, for which the factors are cheaper.
        let mut sum = Pass::new();
        for start in (0..ROWS).step_by(4) {
            let x = x.clone().narrow(0, start, 4);
            let upstream = upstream.clone().narrow(0, start, 4);
            let part = pass_of_layer(&layer, &x, &upstream);
            if sum.is_empty() {
                sum = part;
                continue;
            }
            for ((name, sum), (_, part)) in sum.iter_mut().zip(part) {
                match *name {
                    "out" | "x" => sum.extend(part),
                    _ => sum
                        .iter_mut()
                        .zip(part)
                        .for_each(|(sum, part)| *sum += part),
                }
            }
        }
        assert_same_pass(&found, &sum, 8.0 * setup.tolerance, &setup.at("parts"));
    }
}

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
    let weights = weights(setup, &mut rng(1), [4, 3, 1], true);
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
            ..weights(&setup, &mut rng, [4, 3, 2], true)
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

#[test]
fn a_layer_without_autodiff_computes_the_same() {
    for setup in setups() {
        let weights = weights(&setup, &mut rng(4), [4, 3, 2], true);
        let layer = EiLinear::from_weights(weights).unwrap();
        let x = setup.random(&mut rng(5), [2, 4]);
        let plain = layer.valid().forward(x.clone());
        assert!(!plain.is_autodiff());
        assert_same(&plain, &layer.forward(x).inner(), &setup.at("valid"));
    }
}

#[test]
fn weights_of_other_shapes_are_errors() {
    let setup = &setups()[0];
    let fitting = || weights(setup, &mut rng(1), [4, 3, 2], true);
    assert!(EiLinear::from_weights(fitting()).is_ok());
    let matrix = |shape: [usize; 2]| setup.positive(&mut rng(2), shape);
    let refused = |weights: EiWeights| EiLinear::from_weights(weights).unwrap_err();
    let shape = |parameter, found: &[usize], expected: &[usize]| Error::Shape {
        parameter,
        found: found.to_vec(),
        expected: expected.to_vec(),
    };
    let error = refused(EiWeights {
        inhibition: Some((matrix([5, 2]), matrix([2, 3]))),
        ..fitting()
    });
    assert_eq!(error, shape("w_ix", &[5, 2], &[4, 2]));
    let error = refused(EiWeights {
        inhibition: Some((matrix([4, 2]), matrix([1, 3]))),
        ..fitting()
    });
    assert_eq!(error, shape("w_ei", &[1, 3], &[2, 3]));
    let error = refused(EiWeights {
        inhibition: Some((matrix([4, 2]), matrix([2, 4]))),
        ..fitting()
    });
    assert_eq!(error, shape("w_ei", &[2, 4], &[2, 3]));
    let error = refused(EiWeights {
        bias: Some(setup.random(&mut rng(3), [4])),
        ..fitting()
    });
    assert_eq!(error, shape("bias", &[4], &[3]));
    assert_eq!(error.to_string(), "`bias` has shape [4], expected [3]");
}

#[test]
fn input_of_another_size_panics() {
    let setup = &setups()[0];
    for n_i in [0, 2] {
        let weights = weights(setup, &mut rng(1), [4, 3, n_i], true);
        let layer = EiLinear::from_weights(weights).unwrap();
        for size in [3, 5] {
            let x = || setup.random(&mut rng(2), [2, size]);
            let expected = format!("`x` has shape [2, {size}], expected [2, 4]");
            let forward = panic_of(|| drop(layer.forward(x())));
            assert!(forward.contains(&expected), "{forward}");
            let currents = panic_of(|| drop(layer.currents(x())));
            assert!(currents.contains(&expected), "{currents}");
        }
    }
}

#[test]
fn init_panics_with_the_error() {
    let message = panic_of(|| drop(EiLinearConfig::new(0, 4).init(&Device::flex())));
    assert_eq!(message, "d_input is 0; allowed: at least 1");
}

#[test]
fn an_empty_batch_gives_an_empty_result() {
    let setup = &setups()[0];
    let layer = EiLinear::from_weights(weights(setup, &mut rng(1), [4, 3, 2], true)).unwrap();
    let out = layer.forward(setup.random(&mut rng(2), [0, 4]));
    assert_eq!(out.dims(), [0, 3]);
}
