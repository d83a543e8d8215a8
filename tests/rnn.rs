//! `EiRnn`: states and gradients against the equations in scalar arithmetic, in plain autodiff and
//! step by step with the cell; initial states, layouts and empty sequences.

#![cfg(feature = "flex")]

mod common;

use burn::module::Module;
use burn::tensor::Tensor;
use common::recurrent::{Batch, derivatives, dot, phi, times};
use common::{
    ChaCha8Rng, Setup, assert_close, assert_same, assert_tensor_close, leaf, panic_of, rng, setups,
    values,
};
use ei_norm::{
    EiLinear, EiRnn, EiRnnCell, EiRnnConfig, EiState, EiWeights, Error, NonNegativeActivation,
};

/// d_input, d_hidden, and the inhibitory units of the two paths.
const SIZES: [[usize; 4]; 5] = [
    [3, 4, 2, 1],
    [1, 5, 1, 3],
    [4, 2, 0, 2],
    [2, 3, 1, 0],
    [2, 1, 1, 1],
];

fn linear(setup: &Setup, rng: &mut ChaCha8Rng, sizes: [usize; 3], bias: bool) -> EiLinear {
    let [d_input, d_output, n_i] = sizes;
    let mut positive = |shape| setup.positive(rng, shape).autodiff();
    let w_ex = positive([d_input, d_output]);
    let inhibition = (n_i > 0).then(|| {
        let scale = 1.0 / n_i as f64;
        (positive([d_input, n_i]), positive([n_i, d_output]) * scale)
    });
    let bias = bias.then(|| setup.random(rng, [d_output]).autodiff());
    EiLinear::from_weights(EiWeights {
        w_ex,
        inhibition,
        bias,
    })
    .unwrap()
}

fn cell(
    setup: &Setup,
    rng: &mut ChaCha8Rng,
    [d_input, d_hidden, n_u, n_w]: [usize; 4],
    activation: NonNegativeActivation,
) -> EiRnnCell {
    let input = linear(setup, rng, [d_input, d_hidden, n_u], true);
    let recurrent = linear(setup, rng, [d_hidden, d_hidden, n_w], false);
    EiRnnCell::from_layers(input, recurrent, activation).unwrap()
}

/// The weights of a path: W_ex, and W_ix and W_ei if there are.
fn weights(layer: &EiLinear) -> Vec<Tensor<2>> {
    let inhibition = layer.w_ix.iter().chain(&layer.w_ei);
    let all = std::iter::once(&layer.w_ex).chain(inhibition);
    all.map(|w| w.val()).collect()
}

/// States, last state, and the gradients of x, the initial state, both paths and the bias.
type Pass = Vec<(String, Vec<f64>)>;

#[track_caller]
fn assert_same_pass(found: &Pass, expected: &Pass, tolerance: f64, at: &str) {
    assert_eq!(found.len(), expected.len(), "{at}");
    for ((name, found), (same, expected)) in found.iter().zip(expected) {
        assert_eq!(name, same, "{at}");
        assert_close(found, expected, tolerance, &format!("{at} {name}"));
    }
}

fn pass(
    cell: &EiRnnCell,
    batch: &Batch,
    forward: impl FnOnce(Tensor<3>, Option<Tensor<2>>) -> (Tensor<3>, Tensor<2>),
) -> Pass {
    let (x, initial) = batch.leaves();
    let (states, last) = forward(x.clone(), initial.clone());
    assert_eq!(states.dims(), batch.upstream.dims());
    assert_eq!(states.dtype(), batch.upstream.dtype());
    let mut pass: Pass = vec![
        ("states".into(), values(&states)),
        ("last".into(), values(&last)),
    ];
    let grads = batch.loss(states, last).backward();
    let mut add = |name: String, grad: Vec<f64>| pass.push((name, grad));
    add("x".into(), values(&x.grad(&grads).unwrap()));
    if let Some(initial) = initial {
        add("initial".into(), values(&initial.grad(&grads).unwrap()));
    }
    for (path, layer) in [("input", &cell.input), ("recurrent", &cell.recurrent)] {
        for (index, w) in weights(layer).into_iter().enumerate() {
            add(format!("{path} {index}"), values(&w.grad(&grads).unwrap()));
        }
    }
    let bias = cell.input.bias.as_ref().unwrap().val();
    add("bias".into(), values(&bias.grad(&grads).unwrap()));
    pass
}

fn pass_of_layer(cell: &EiRnnCell, batch: &Batch) -> Pass {
    let rnn = EiRnn::new(cell.clone(), true);
    pass(cell, batch, |x, initial| {
        let (states, last) = rnn.forward(x, initial.map(EiState::new));
        (states, last.into_hidden())
    })
}

fn pass_of_steps(cell: &EiRnnCell, batch: &Batch) -> Pass {
    pass(cell, batch, |x, initial| {
        Batch::unrolled(x, initial, |x, state| cell.forward(x, state))
    })
}

/// The equations in Burn's own operations.
fn pass_of_formula(cell: &EiRnnCell, batch: &Batch) -> Pass {
    let matrix = |layer: &EiLinear| match &weights(layer)[..] {
        [ex, ix, ei] => ex.clone() - ix.clone().matmul(ei.clone()),
        [ex, ..] => ex.clone(),
        [] => unreachable!(),
    };
    let (u, w) = (matrix(&cell.input), matrix(&cell.recurrent));
    let bias = cell.input.bias.as_ref().unwrap().val();
    pass(cell, batch, |x, initial| {
        Batch::unrolled(x, initial, |x, state| {
            let mut a = x.matmul(u.clone()) + bias.clone().unsqueeze();
            if let Some(state) = state {
                a = a + state.into_hidden().matmul(w.clone());
            }
            EiState::new(cell.activation().forward(a))
        })
    })
}

/// The equations in scalar arithmetic: the states `[batch, steps, d_hidden]`, and the smallest |a|.
fn scalar_states(
    [batch, steps]: [usize; 2],
    activation: NonNegativeActivation,
    p: &Parameters,
    all: &[Vec<f64>],
) -> (Vec<f64>, f64) {
    let path = |row: &[f64], start: usize, has_inhibition: bool| {
        let mut sum = times(row, &all[start]);
        if has_inhibition {
            let inhibition = times(&times(row, &all[start + 1]), &all[start + 2]);
            sum.iter_mut().zip(inhibition).for_each(|(s, i)| *s -= i);
        }
        sum
    };
    let (mut states, mut smallest) = (Vec::new(), f64::INFINITY);
    for example in 0..batch {
        let mut h = match p.initial {
            Some(index) => all[index][example * p.d_hidden..][..p.d_hidden].to_vec(),
            None => vec![0.0; p.d_hidden],
        };
        for step in 0..steps {
            let x = &all[0][(example * steps + step) * p.d_input..][..p.d_input];
            let from_x = path(x, p.input, p.input_inhibition);
            let from_h = path(&h, p.recurrent, p.recurrent_inhibition);
            let a = (0..p.d_hidden).map(|i| from_x[i] + from_h[i] + all[p.bias][i]);
            let a: Vec<f64> = a.collect();
            smallest = a.iter().fold(smallest, |s, a| s.min(a.abs()));
            h = a.into_iter().map(|a| phi(activation, a)).collect();
            states.extend(&h);
        }
    }
    (states, smallest)
}

/// Where the parameters lie in a list of all.
struct Parameters {
    d_input: usize,
    d_hidden: usize,
    initial: Option<usize>,
    input: usize,
    input_inhibition: bool,
    recurrent: usize,
    recurrent_inhibition: bool,
    bias: usize,
}

/// States and gradients in scalar arithmetic; none if a pre-activation is so near 0, the corner of a
/// rectifier, that differences would cross it.
fn pass_of_scalars(cell: &EiRnnCell, batch: &Batch) -> Option<Pass> {
    let [examples, steps, d_input] = batch.x.dims();
    let [_, d_hidden] = cell.input.w_ex.dims();
    let mut names = vec!["x".to_owned()];
    let mut all = vec![values(&batch.x)];
    if let Some(initial) = &batch.initial {
        names.push("initial".into());
        all.push(values(initial));
    }
    let mut starts = Vec::new();
    for (path, layer) in [("input", &cell.input), ("recurrent", &cell.recurrent)] {
        starts.push(all.len());
        for (index, w) in weights(layer).iter().enumerate() {
            names.push(format!("{path} {index}"));
            all.push(values(w));
        }
    }
    names.push("bias".into());
    all.push(values(&cell.input.bias.as_ref().unwrap().val()));
    let parameters = Parameters {
        d_input,
        d_hidden,
        initial: batch.initial.is_some().then_some(1),
        input: starts[0],
        input_inhibition: cell.input.w_ix.is_some(),
        recurrent: starts[1],
        recurrent_inhibition: cell.recurrent.w_ix.is_some(),
        bias: all.len() - 1,
    };
    let run =
        |all: &[Vec<f64>]| scalar_states([examples, steps], cell.activation(), &parameters, all);
    let last_of = |states: &[f64]| -> Vec<f64> {
        let sequences = states.chunks_exact(steps * d_hidden);
        sequences
            .flat_map(|s| s[(steps - 1) * d_hidden..].to_vec())
            .collect()
    };
    let (states, smallest) = run(&all);
    if smallest < 0.02 {
        return None;
    }
    let last = last_of(&states);
    let upstream = (values(&batch.upstream), values(&batch.upstream_last));
    let gradients = derivatives(&all, |all| {
        let (states, _) = run(all);
        dot(&states, &upstream.0) + dot(&last_of(&states), &upstream.1)
    });
    let mut pass = vec![("states".to_owned(), states), ("last".into(), last)];
    pass.extend(names.into_iter().zip(gradients));
    Some(pass)
}

#[test]
fn states_and_gradients_match_the_scalar_equations() {
    for setup in setups() {
        for activation in NonNegativeActivation::ALL {
            let of_seed = |seed| {
                let mut rng = rng(seed);
                let cell = cell(&setup, &mut rng, SIZES[0], activation);
                let batch = Batch::random(&setup, &mut rng, [2, 3], [3, 4], true);
                let expected = pass_of_scalars(&cell, &batch)?;
                Some((pass_of_layer(&cell, &batch), expected))
            };
            let (found, expected) = (0..50).find_map(of_seed).unwrap();
            let at = setup.at(activation);
            let tolerance = (10.0 * setup.tolerance).max(1e-8);
            assert_same_pass(&found, &expected, tolerance, &at);
            let positive = found[0].1.iter().filter(|h| **h > 0.0).count();
            assert!(positive >= 6, "{at}: only {positive} neurons are active");
            assert_close(&found[0].1, &expected[0].1, 10.0 * setup.tolerance, &at);
        }
    }
}

#[test]
fn the_layer_equals_plain_autodiff_and_steps_of_the_cell() {
    for setup in setups() {
        for (index, sizes) in SIZES.into_iter().enumerate() {
            let [d_input, d_hidden, ..] = sizes;
            for activation in NonNegativeActivation::ALL {
                for (shape, initial) in [([3, 4], true), ([1, 5], false), ([2, 1], true)] {
                    let mut rng = rng(index as u64);
                    let cell = cell(&setup, &mut rng, sizes, activation);
                    let size = [d_input, d_hidden];
                    let batch = Batch::random(&setup, &mut rng, shape, size, initial);
                    let found = pass_of_layer(&cell, &batch);
                    let at = setup.at((sizes, activation, shape, initial));
                    let tolerance = 20.0 * setup.tolerance;
                    let steps = pass_of_steps(&cell, &batch);
                    assert_same_pass(&found, &steps, tolerance, &format!("{at} steps"));
                    // Without a second step and an initial state nothing recurs.
                    let formula = pass_of_formula(&cell, &batch);
                    assert_same_pass(&found, &formula, tolerance, &format!("{at} formula"));
                }
            }
        }
    }
}

#[test]
fn a_large_batch_takes_the_single_matrix_and_changes_nothing() {
    for setup in setups() {
        let mut rng = rng(2);
        let sizes = [4, 6, 3, 4];
        let cell = cell(&setup, &mut rng, sizes, NonNegativeActivation::Sigmoid);
        let batch = Batch::random(&setup, &mut rng, [80, 6], [4, 6], true);
        let found = pass_of_layer(&cell, &batch);
        let expected = pass_of_formula(&cell, &batch);
        let tolerance = 20.0 * setup.tolerance;
        assert_same_pass(&found, &expected, tolerance, &setup.at("single matrix"));
    }
}

#[test]
fn time_first_is_the_same_network() {
    for setup in setups() {
        let mut rng = rng(3);
        let cell = cell(&setup, &mut rng, SIZES[0], NonNegativeActivation::Softplus);
        let batch = Batch::random(&setup, &mut rng, [2, 5], [3, 4], true);
        let expected = pass_of_layer(&cell, &batch);
        let rnn = EiRnn::new(cell.clone(), false);
        assert!(!rnn.batch_first());
        let found = pass(&cell, &batch, |x, initial| {
            let (states, last) = rnn.forward(x.swap_dims(0, 1), initial.map(EiState::new));
            assert_eq!(states.dims(), [5, 2, 4]);
            (states.swap_dims(0, 1), last.into_hidden())
        });
        assert_same_pass(&found, &expected, setup.tolerance, &setup.at("time first"));
    }
}

#[test]
fn a_sequence_can_be_cut_anywhere() {
    for setup in setups() {
        let mut rng = rng(4);
        let cell = cell(&setup, &mut rng, SIZES[1], NonNegativeActivation::Sigmoid);
        let batch = Batch::random(&setup, &mut rng, [3, 5], [1, 5], false);
        let whole = pass_of_layer(&cell, &batch);
        let rnn = EiRnn::new(cell.clone(), true);
        for cut in [0, 2, 5] {
            let parts = pass(&cell, &batch, |x, _| {
                let (first, state) = rnn.forward(x.clone().slice_dim(1, 0..cut), None);
                let (second, last) = rnn.forward(x.slice_dim(1, cut..5), Some(state));
                (Tensor::cat(vec![first, second], 1), last.into_hidden())
            });
            assert_same_pass(&parts, &whole, 10.0 * setup.tolerance, &setup.at(cut));
        }
    }
}

#[test]
fn errors_do_not_pass_a_detached_state() {
    let setup = &setups()[0];
    let mut rng = rng(5);
    let rnn = EiRnn::new(
        cell(setup, &mut rng, SIZES[0], NonNegativeActivation::Sigmoid),
        true,
    );
    let batch = Batch::random(setup, &mut rng, [2, 3], [3, 4], false);
    for detached in [false, true] {
        let x = leaf(&batch.x);
        let (_, state) = rnn.forward(x.clone(), None);
        let state = match detached {
            true => state.detach(),
            false => state,
        };
        let (states, _) = rnn.forward(batch.x.clone(), Some(state));
        let grads = (states * batch.upstream.clone()).sum().backward();
        assert_eq!(x.grad(&grads).is_none(), detached);
    }
}

#[test]
fn only_what_learns_gets_a_gradient() {
    let setup = &setups()[1];
    let mut rng = rng(6);
    let mut cell = cell(setup, &mut rng, SIZES[0], NonNegativeActivation::Sigmoid);
    let batch = Batch::random(setup, &mut rng, [2, 3], [3, 4], true);
    let expected = pass_of_formula(&cell, &batch);
    let gradient = |name: &str| &expected.iter().find(|(n, _)| n == name).unwrap().1;
    for fixed in 0..3 {
        let learning = cell.recurrent.clone();
        let freeze =
            |w: ei_norm::dale::Weight<2>| w.with_plasticity(ei_norm::dale::Plasticity::Fixed);
        match fixed {
            0 => cell.recurrent.w_ex = freeze(cell.recurrent.w_ex),
            1 => cell.recurrent.w_ix = cell.recurrent.w_ix.map(freeze),
            _ => cell.recurrent.w_ei = cell.recurrent.w_ei.map(freeze),
        }
        let rnn = EiRnn::new(cell.clone(), true);
        let initial = batch.initial.clone().map(EiState::new);
        // x and the initial state are constants here.
        let (states, last) = rnn.forward(batch.x.clone(), initial);
        let grads = batch.loss(states, last.into_hidden()).backward();
        for (index, w) in weights(&cell.recurrent).into_iter().enumerate() {
            match w.grad(&grads) {
                None => assert_eq!(index, fixed),
                Some(found) => {
                    assert_ne!(index, fixed);
                    let expected = gradient(&format!("recurrent {index}"));
                    assert_close(&values(&found), expected, 1e-11, "the others learn");
                }
            }
        }
        cell.recurrent = learning;
    }
}

#[test]
fn without_autodiff_it_computes_the_same() {
    for setup in setups() {
        let mut rng = rng(7);
        let cell = cell(&setup, &mut rng, SIZES[0], NonNegativeActivation::Relu);
        let batch = Batch::random(&setup, &mut rng, [2, 4], [3, 4], false);
        let rnn = EiRnn::new(cell, true);
        let (plain, last) = rnn.valid().forward(batch.x.clone(), None);
        assert!(!plain.is_autodiff() && !last.hidden().is_autodiff());
        let (states, _) = rnn.forward(batch.x, None);
        assert_same(&plain, &states.inner(), &setup.at("valid"));
    }
}

#[test]
fn the_last_state_is_that_of_the_last_step() {
    let setup = &setups()[0];
    let mut rng = rng(8);
    let cell = cell(setup, &mut rng, SIZES[0], NonNegativeActivation::Relu);
    let batch = Batch::random(setup, &mut rng, [2, 4], [3, 4], false);
    let (states, last) = EiRnn::new(cell, true).forward(batch.x, None);
    let expected = states.narrow(1, 3, 1).reshape([2, 4]);
    assert_same(&last.into_hidden().inner(), &expected.inner(), "last");
}

#[test]
fn no_initial_state_is_a_state_of_zeros() {
    for setup in setups() {
        let mut rng = rng(9);
        let cell = cell(&setup, &mut rng, SIZES[0], NonNegativeActivation::Softplus);
        let mut batch = Batch::random(&setup, &mut rng, [2, 3], [3, 4], false);
        let mut none = pass_of_layer(&cell, &batch);
        batch.initial = Some(setup.tensor(vec![0.0; 8], [2, 4]));
        let mut zeros = pass_of_layer(&cell, &batch);
        zeros.retain(|(name, _)| name != "initial");
        none.retain(|(name, _)| name != "initial");
        assert_same_pass(&none, &zeros, setup.tolerance, &setup.at("zeros"));
    }
}

#[test]
fn empty_batches_and_sequences_give_empty_states() {
    for setup in setups() {
        let mut rng = rng(10);
        let cell = cell(&setup, &mut rng, SIZES[0], NonNegativeActivation::Sigmoid);
        for batch_first in [true, false] {
            let rnn = EiRnn::new(cell.clone(), batch_first);
            let shape = |[batch, steps]: [usize; 2], features| match batch_first {
                true => [batch, steps, features],
                false => [steps, batch, features],
            };
            for size in [[0, 3], [2, 0], [0, 0]] {
                let x = setup.random(&mut rng, shape(size, 3));
                let (states, last) = rnn.forward(x.clone(), None);
                assert_eq!(states.dims(), shape(size, 4));
                assert_eq!(states.dtype(), setup.dtype);
                assert_eq!(values(&last.hidden()), vec![0.0; size[0] * 4]);
                assert_eq!(last.hidden().dims(), [size[0], 4]);
                assert_eq!(last.hidden().dtype(), setup.dtype);

                let initial = setup.positive(&mut rng, [size[0], 4]);
                let (states, last) = rnn.forward(x, Some(EiState::new(initial.clone())));
                assert_eq!(states.dims(), shape(size, 4));
                if size[1] == 0 {
                    assert_same(&last.into_hidden(), &initial, "nothing happened");
                }
            }
        }
        let empty = setup.random(&mut rng, [0, 3]);
        assert_eq!(cell.forward(empty, None).hidden().dims(), [0, 4]);
    }
}

#[test]
fn negative_states_are_refused() {
    for setup in setups() {
        let state = |values: Vec<f64>| EiState::try_new(setup.tensor(values, [1, 3]));
        assert!(state(vec![0.0, 0.5, 2.0]).is_ok());
        assert!(state(vec![f64::NAN, 0.5, 2.0]).is_ok());
        let error = state(vec![0.5, -0.25, -0.125]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "state is -0.25; allowed: no negative value"
        );
        let panic = panic_of(|| drop(EiState::new(setup.tensor(vec![-1.0], [1, 1]))));
        assert_eq!(panic, "state is -1; allowed: no negative value");
    }
}

#[test]
fn other_shapes_panic_with_both() {
    let setup = &setups()[0];
    let rng = &mut rng(11);
    let cell = cell(setup, rng, SIZES[0], NonNegativeActivation::Relu);
    let rnn = EiRnn::new(cell.clone(), true);
    let x = setup.random(rng, [2, 5, 4]);
    let panic = panic_of(|| drop(rnn.forward(x, None)));
    assert!(panic.contains("axis 2 expected 3, got 4"), "{panic}");
    let x = setup.random(rng, [2, 4]);
    let panic = panic_of(|| drop(cell.forward(x, None)));
    assert!(panic.contains("axis 1 expected 3, got 4"), "{panic}");

    let state = |shape| Some(EiState::new(setup.positive(&mut common::rng(1), shape)));
    for (shape, expected) in [
        ([3, 4], "axis 0 expected 2, got 3"),
        ([2, 3], "axis 1 expected 4, got 3"),
    ] {
        let x = setup.random(rng, [2, 5, 3]);
        let panic = panic_of(|| drop(rnn.forward(x.clone(), state(shape))));
        assert!(panic.contains(expected), "{panic}");
        let panic = panic_of(|| drop(rnn.forward(x.slice_dim(1, 0..0), state(shape))));
        assert!(panic.contains(expected), "{panic}");
        let x = setup.random(rng, [2, 3]);
        let panic = panic_of(|| drop(cell.forward(x, state(shape))));
        assert!(panic.contains(expected), "{panic}");
    }
}

#[test]
fn paths_that_do_not_fit_are_errors() {
    let setup = &setups()[0];
    let rng = &mut rng(12);
    let mut of = |recurrent, bias| {
        let input = linear(setup, rng, [3, 4, 1], true);
        let recurrent = linear(setup, rng, recurrent, bias);
        EiRnnCell::from_layers(input, recurrent, NonNegativeActivation::Relu)
    };
    assert!(of([4, 4, 1], false).is_ok());
    for wrong in [[4, 5], [5, 4], [3, 3]] {
        let error = of([wrong[0], wrong[1], 1], false).unwrap_err();
        let expected = Error::Shape {
            parameter: "recurrent.w_ex",
            found: wrong.to_vec(),
            expected: vec![4, 4],
        };
        assert_eq!(error, expected);
    }
    let error = of([4, 4, 1], true).unwrap_err().to_string();
    assert!(error.starts_with("recurrent.bias is given"), "{error}");
}

#[test]
fn activations_have_their_names_and_are_not_negative() {
    for setup in setups() {
        let inputs = vec![-90.0, -3.0, -1e-3, 0.0, 1e-3, 3.0, 45.0, 90.0];
        let x = setup.tensor(inputs.clone(), [8]);
        for activation in NonNegativeActivation::ALL {
            let h = values(&activation.forward(x.clone()));
            let expected: Vec<f64> = values(&x).iter().map(|x| phi(activation, *x)).collect();
            let at = setup.at(activation);
            for (h, expected) in h.iter().zip(expected) {
                let close = (h - expected).abs() <= setup.tolerance * expected.max(1e-30);
                assert!(*h >= 0.0 && close, "{at}: {h}, expected {expected}");
            }
            assert_eq!(activation.name().parse(), Ok(activation));
        }
    }
    let error = "tanh".parse::<NonNegativeActivation>().unwrap_err();
    let message = "activation is tanh; allowed: relu, sigmoid, softplus, rectified_tanh";
    assert_eq!(error.to_string(), message);
}

#[test]
fn the_config_makes_the_layer_that_it_describes() {
    let device = burn::tensor::Device::flex();
    let config = EiRnnConfig::new(3, 25).with_activation(NonNegativeActivation::Softplus);
    let rnn = config.clone().with_batch_first(false).init(&device);
    assert!(!rnn.batch_first());
    assert_eq!(rnn.cell.activation(), NonNegativeActivation::Softplus);
    assert_eq!(rnn.cell.input.w_ex.dims(), [3, 25]);
    assert_eq!(rnn.cell.recurrent.w_ex.dims(), [25, 25]);
    assert_eq!(rnn.cell.input.inhibitory_units(), 2);
    assert_eq!(rnn.cell.recurrent.inhibitory_units(), 2);
    let bias = rnn.cell.input.bias.as_ref().unwrap().val();
    assert_eq!(values(&bias), [0.0; 25]);
    let plain = config.with_bias(false).init(&device);
    assert!(plain.cell.input.bias.is_none() && plain.batch_first());
    // One generator, one network.
    let draw = || {
        let config = EiRnnConfig::new(3, 5);
        config.try_init_with(&device, &mut rng(1)).unwrap()
    };
    let (first, second) = (draw(), draw());
    let w = |rnn: &EiRnn| rnn.cell.recurrent.w_ex.val();
    assert_tensor_close(&w(&first), &w(&second), 0.0, "one seed");
}
