//! Recurrent layers of every circuit: states, local loss and gradients against the circuit step by step in
//! plain autodiff, the equations in scalar arithmetic, and single steps; initial states, layouts, currents
//! and empty sequences.

use crate::common::circuits::{
    Divisive, EVERYTHING, Row, Scalars, Tried, assert_empty, assert_same_as_scalars,
    assert_same_currents, i_norm,
};
use crate::common::equations::for_every_circuit;
use crate::common::parameters::{Pass, assert_same_pass, gradients, weights};
use crate::common::recurrent::{
    Batch, LAMBDA, batch, derivatives, dot, in_autodiff, of_layer, of_steps, pass, phi,
};
use crate::common::{
    ChaCha8Rng, Setup, assert_close, assert_same, assert_tensor_close, leaf, panic_of, rng, setups,
    values,
};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use ei_norm::circuit::{Circuit, INorm};
use ei_norm::functional::{BackwardRule, Normalization, normalize};
use ei_norm::layer::{Layer, Recurrent};
use ei_norm::{
    ColumnEiRnn, ColumnEiRnnConfig, EiRnn, EiRnnConfig, Error, GradNormMode, INormRnn,
    INormRnnConfig, Inhibitory, NonNegativeActivation, RnnState, ShuntingRnn, ShuntingRnnConfig,
};

/// d_input, d_hidden.
const SIZES: [[usize; 2]; 4] = [[3, 4], [1, 5], [4, 2], [2, 1]];

type Rnn<C> = Layer<C, Recurrent>;

fn geometry([d_input, d_hidden]: [usize; 2], activation: NonNegativeActivation) -> Recurrent {
    Recurrent {
        activation,
        ..Recurrent::new(d_input, d_hidden)
    }
}

/// The layer of sizes 3 and 4 with all parts of the circuit.
fn one<C: Tried>(setup: &Setup, seed: u64, activation: NonNegativeActivation) -> Rnn<C> {
    let circuit = C::one(setup, &mut rng(seed), [7, 4]);
    Layer::new(circuit, geometry([3, 4], activation)).unwrap()
}

/// The same circuit in another geometry.
fn time_first<C: Tried>(rnn: &Rnn<C>) -> Rnn<C> {
    let geometry = Recurrent {
        batch_first: false,
        ..*rnn.geometry()
    };
    Layer::new(rnn.circuit.clone(), geometry).unwrap()
}

for_every_circuit! {
    states_loss_and_gradients_equal_plain_autodiff_and_single_steps;
    states_loss_and_gradients_match_the_scalar_equations;
    time_first_is_the_same_network;
    a_sequence_can_be_cut_anywhere;
    no_initial_state_is_a_state_of_zeros;
    without_autodiff_and_without_local_loss_it_computes_the_same;
    currents_are_those_of_each_step;
    errors_do_not_pass_a_detached_state;
    empty_batches_and_sequences_give_empty_states_and_teach_nothing;
    other_shapes_are_refused;
}

mod every {
    use super::*;

    pub fn states_loss_and_gradients_equal_plain_autodiff_and_single_steps<C: Tried>(
        setup: &Setup,
    ) {
        for (index, sizes @ [d_input, d_hidden]) in SIZES.into_iter().enumerate() {
            let rng = &mut rng(index as u64);
            for trial in C::all(setup, rng, [d_input + d_hidden, d_hidden]) {
                for activation in NonNegativeActivation::ALL {
                    let rnn =
                        Layer::new(trial.circuit.clone(), geometry(sizes, activation)).unwrap();
                    // Without a second step and an initial state there is no recurrence.
                    for (shape, initial) in [([3, 4], true), ([1, 5], false), ([2, 1], true)] {
                        let batch = batch::<C>(setup, rng, shape, sizes, initial);
                        let found = of_layer(&rnn, &batch);
                        let at = setup.at((&trial.name, sizes, activation, shape, initial));
                        let tolerance = 5.0 * C::ROUNDING * setup.tolerance;
                        assert_same_pass(&found, &in_autodiff(&rnn, &batch), tolerance, &at);
                        let steps = of_steps(&rnn.circuit, &batch, |x, h| C::step(&rnn, x, h));
                        assert_same_pass(&found, &steps, tolerance, &format!("{at} steps"));
                    }
                }
            }
        }
    }

    pub fn states_loss_and_gradients_match_the_scalar_equations<C: Tried>(setup: &Setup) {
        let count = C::all(setup, &mut rng(0), [7, 4]).len();
        for (index, activation) in
            (0..count).flat_map(|k| NonNegativeActivation::ALL.map(|activation| (k, activation)))
        {
            let of_seed = |seed| {
                let rng = &mut rng(seed);
                let trial = C::all(setup, rng, [7, 4]).swap_remove(index);
                let rnn = Layer::new(trial.circuit, geometry([3, 4], activation)).unwrap();
                let batch = batch::<C>(setup, rng, [2, 3], [3, 4], true);
                let expected = match trial.in_scalars {
                    true => of_scalars(&rnn, &batch)?,
                    false => return Some(None),
                };
                Some(Some((trial.name, of_layer(&rnn, &batch), expected)))
            };
            let Some((name, found, expected)) = (0..200).find_map(of_seed).unwrap() else {
                continue;
            };
            let at = setup.at((name, activation));
            let tolerance = 5.0 * C::ROUNDING * setup.tolerance;
            assert_same_as_scalars(found, expected, tolerance, &at);
        }
    }

    pub fn time_first_is_the_same_network<C: Tried>(setup: &Setup) {
        let rnn: Rnn<C> = one(setup, 3, NonNegativeActivation::Softplus);
        let batch = batch::<C>(setup, &mut rng(3), [2, 5], [3, 4], true);
        let expected = of_layer(&rnn, &batch);
        let first = time_first(&rnn);
        let found = pass(&first.circuit, &batch, |x, initial| {
            let start = initial.map(RnnState::new);
            let (states, last, local) = C::run(&first, x.swap_dims(0, 1), start, None);
            assert_eq!(states.dims(), [5, 2, 4]);
            (states.swap_dims(0, 1), last.into_hidden(), local)
        });
        let at = setup.at((C::NAME, "time first"));
        assert_same_pass(&found, &expected, setup.tolerance, &at);
        let step = |rnn: &Rnn<C>| {
            let x = batch.x.clone().narrow(1, 0, 1).squeeze_dim(1);
            let start = batch.initial.clone().map(RnnState::new);
            C::step(rnn, x, start).0.into_hidden().inner()
        };
        assert_same(&step(&first), &step(&rnn), &at);
    }

    pub fn a_sequence_can_be_cut_anywhere<C: Tried>(setup: &Setup) {
        let rnn: Rnn<C> = one(setup, 4, NonNegativeActivation::Sigmoid);
        let batch = batch::<C>(setup, &mut rng(4), [3, 5], [3, 4], false);
        let whole = of_layer(&rnn, &batch);
        for cut in [0, 2, 5] {
            let parts = pass(&rnn.circuit, &batch, |x, _| {
                let (first, state, a) = C::run(&rnn, x.clone().slice_dim(1, 0..cut), None, None);
                let rest = x.slice_dim(1, cut..5);
                let (second, last, b) = C::run(&rnn, rest, Some(state), None);
                let share = cut as f64 / 5.0;
                let local = a.zip(b).map(|(a, b)| a * share + b * (1.0 - share));
                (
                    Tensor::cat(vec![first, second], 1),
                    last.into_hidden(),
                    local,
                )
            });
            let at = setup.at((C::NAME, cut));
            assert_same_pass(&parts, &whole, 10.0 * setup.tolerance, &at);
        }
    }

    pub fn no_initial_state_is_a_state_of_zeros<C: Tried>(setup: &Setup) {
        let rnn: Rnn<C> = one(setup, 9, NonNegativeActivation::Softplus);
        let mut batch = batch::<C>(setup, &mut rng(9), [2, 3], [3, 4], false);
        let none = of_layer(&rnn, &batch);
        batch.initial = Some(setup.tensor(vec![0.0; 8], [2, 4]));
        let mut zeros = of_layer(&rnn, &batch);
        zeros.retain(|(name, _)| name != "initial");
        let at = setup.at((C::NAME, "zeros"));
        assert_same_pass(&none, &zeros, setup.tolerance, &at);
    }

    pub fn without_autodiff_and_without_local_loss_it_computes_the_same<C: Tried>(setup: &Setup) {
        let rnn: Rnn<C> = one(setup, 7, NonNegativeActivation::Relu);
        let batch = batch::<C>(setup, &mut rng(7), [2, 4], [3, 4], true);
        let start = || batch.initial.clone().map(RnnState::new);
        let (states, last) = rnn.forward(batch.x.clone(), start());
        let (plain, plain_last) = rnn.valid().forward(batch.x.clone(), start());
        assert!(!plain.is_autodiff() && !plain_last.hidden().is_autodiff());
        let at = setup.at((C::NAME, "the same"));
        assert_same(&plain, &states.clone().inner(), &at);
        assert_same(&plain_last.into_hidden(), &last.hidden().inner(), &at);
        let end = states.clone().narrow(1, 3, 1).reshape([2, 4]).inner();
        assert_same(&last.hidden().inner(), &end, &at);
        let (with_loss, last_with_loss, _) = C::run(&rnn, batch.x.clone(), start(), None);
        assert_same(&with_loss.inner(), &states.inner(), &at);
        assert_same(
            &last_with_loss.hidden().inner(),
            &last.hidden().inner(),
            &at,
        );
        let x = batch.x.clone().narrow(1, 0, 1).squeeze_dim(1);
        let step = rnn.step(Tensor::clone(&x), start()).into_hidden().inner();
        let with_loss = C::step(&rnn, x, start()).0.into_hidden().inner();
        assert_same(&step, &with_loss, &at);
    }

    pub fn currents_are_those_of_each_step<C: Tried>(setup: &Setup) {
        let rnn: Rnn<C> = one(setup, 8, NonNegativeActivation::Softplus);
        let batch = batch::<C>(setup, &mut rng(8), [2, 4], [3, 4], true);
        let start = || batch.initial.clone().map(RnnState::new);
        let (states, _) = rnn.forward(batch.x.clone(), start());
        let first = batch.initial.clone().unwrap().unsqueeze_dim(1);
        let before = Tensor::cat(vec![first, states.clone().inner().narrow(1, 0, 3)], 1);
        let rows = Tensor::cat(vec![batch.x.clone(), before], 2).autodiff();
        for rnn in [rnn.clone(), time_first(&rnn)] {
            let expected = rnn.circuit.currents(rows.clone());
            let exchanged = |t: Tensor<3>| match rnn.geometry().batch_first {
                true => t,
                false => t.swap_dims(0, 1),
            };
            let found = rnn.currents(exchanged(batch.x.clone()), start());
            let at = setup.at((C::NAME, rnn.geometry().batch_first));
            let arrange = |t: &Tensor<3>| values(&exchanged(t.clone()));
            assert_same_currents(&found, &expected, arrange, 10.0 * setup.tolerance, &at);
            let z = exchanged(rnn.output(&found));
            let h = NonNegativeActivation::Softplus.forward(z.clone());
            assert_tensor_close(&h, &states, 10.0 * setup.tolerance, &at);
            // The currents belong to the graph of the weights.
            let loss = |z: Tensor<3>| (z * batch.upstream.clone()).sum().backward();
            let found = gradients(&rnn.circuit, &loss(z));
            let z = rnn.circuit.output(&expected);
            let expected = gradients(&rnn.circuit, &loss(z));
            assert_same_pass(&found, &expected, 10.0 * setup.tolerance, &at);
        }
    }

    pub fn errors_do_not_pass_a_detached_state<C: Tried>(setup: &Setup) {
        let rnn: Rnn<C> = one(setup, 5, NonNegativeActivation::Sigmoid);
        let batch = batch::<C>(setup, &mut rng(5), [2, 3], [3, 4], false);
        for detached in [false, true] {
            let x = leaf(&batch.x);
            let (_, state) = rnn.forward(x.clone(), None);
            let state = match detached {
                true => state.detach(),
                false => state,
            };
            let (states, _) = rnn.forward(batch.x.clone(), Some(state));
            let grads = (states * batch.upstream.clone()).sum().backward();
            assert_eq!(x.grad(&grads).is_none(), detached, "{}", C::NAME);
        }
    }

    pub fn empty_batches_and_sequences_give_empty_states_and_teach_nothing<C: Tried>(
        setup: &Setup,
    ) {
        let rng = &mut rng(10);
        for trial in C::all(setup, rng, [7, 4]) {
            let geometry = geometry([3, 4], NonNegativeActivation::Sigmoid);
            let rnn = Layer::new(trial.circuit, geometry).unwrap();
            for rnn in [rnn.clone(), time_first(&rnn)] {
                empty_sequences_are_no_error(setup, rng, &rnn, &trial.name);
            }
            let x = leaf(&setup.random(rng, [0, 3]));
            let (first, _) = C::step(&rnn, x.clone(), None);
            let (second, local) = C::step(&rnn, x.clone(), Some(first));
            let output = (second.into_hidden(), local);
            assert_empty(&rnn, &x, output, [0, 4], &setup.at((trial.name, "steps")));
        }
    }

    fn empty_sequences_are_no_error<C: Tried>(
        setup: &Setup,
        rng: &mut ChaCha8Rng,
        rnn: &Rnn<C>,
        name: &str,
    ) {
        let shape = |[batch, steps]: [usize; 2], features| match rnn.geometry().batch_first {
            true => [batch, steps, features],
            false => [steps, batch, features],
        };
        for size @ [batch, steps] in [[0, 3], [2, 0], [0, 0]] {
            let at = setup.at((name, rnn.geometry().batch_first, size));
            let x = leaf(&setup.random(rng, shape(size, 3)));
            let initial = setup.positive(rng, [batch, 4]);
            let lengths = vec![steps; batch];
            for (start, lengths) in [
                (None, None),
                (Some(&initial), None),
                (Some(&initial), Some(&lengths[..])),
            ] {
                let state = start.map(|start| RnnState::new(start.clone().autodiff()));
                let (states, last, local) = C::run(rnn, x.clone(), state, lengths);
                let last = last.into_hidden().inner();
                match start.filter(|_| steps == 0) {
                    Some(start) => assert_same(&last, start, "nothing happened"),
                    None => assert_same(&last, &initial.zeros_like(), &at),
                }
                assert_empty(rnn, &x, (states, local), shape(size, 4), &at);
                let state = start.cloned().map(RnnState::new);
                let (plain, plain_last) = rnn.valid().forward(x.clone().inner(), state);
                assert_eq!(plain.dims(), shape(size, 4), "{at}");
                assert_same(&plain_last.into_hidden(), &last, &at);
            }
            let currents = rnn.currents(x, None);
            assert_eq!(currents.excitatory.dims(), shape(size, 4), "{at}");
            assert_eq!(currents.subtractive.dims(), shape(size, 4), "{at}");
        }
    }

    pub fn other_shapes_are_refused<C: Tried>(setup: &Setup) {
        let rng = &mut rng(11);
        let rnn: Rnn<C> = one(setup, 11, NonNegativeActivation::Relu);
        let x = setup.random(rng, [2, 5, 4]);
        let panic = panic_of(|| drop(rnn.forward(x, None)));
        assert!(
            panic.contains("`x` has shape [2, 5, 4], expected [2, 5, 3]"),
            "{panic}"
        );
        let x = setup.random(rng, [2, 4]);
        let panic = panic_of(|| drop(rnn.step(x, None)));
        assert!(
            panic.contains("`x` has shape [2, 4], expected [2, 3]"),
            "{panic}"
        );
        let state = |shape| {
            Some(RnnState::new(
                setup.positive(&mut crate::common::rng(1), shape),
            ))
        };
        for (shape, expected) in [
            ([3, 4], "`the state` has shape [3, 4], expected [2, 4]"),
            ([2, 3], "`the state` has shape [2, 3], expected [2, 4]"),
        ] {
            let x = setup.random(rng, [2, 5, 3]);
            let panic = panic_of(|| drop(rnn.forward(x.clone(), state(shape))));
            assert!(panic.contains(expected), "{panic}");
            let panic = panic_of(|| drop(rnn.currents(x.clone(), state(shape))));
            assert!(panic.contains(expected), "{panic}");
            let panic = panic_of(|| drop(rnn.forward(x.slice_dim(1, 0..0), state(shape))));
            assert!(panic.contains(expected), "{panic}");
            let x = setup.random(rng, [2, 3]);
            let panic = panic_of(|| drop(rnn.step(x, state(shape))));
            assert!(panic.contains(expected), "{panic}");
        }
        for wrong @ [d_input, d_hidden] in [[4, 5], [5, 4], [3, 3], [4, 4]] {
            let circuit = rnn.circuit.clone();
            let geometry = geometry(wrong, NonNegativeActivation::Relu);
            let expected = Error::Shape {
                parameter: "w_ex",
                found: vec![7, 4],
                expected: vec![d_input + d_hidden, d_hidden],
            };
            assert_eq!(Layer::new(circuit, geometry).unwrap_err(), expected);
        }
    }
}

/// The equations of all steps of all examples; s and q are taken from `constants` if given.
fn scalar_rows(
    weights: &Scalars,
    [batch, steps, d_input]: [usize; 3],
    activation: NonNegativeActivation,
    constants: Option<&[Row]>,
) -> (Vec<Row>, Vec<Vec<f64>>) {
    let (x, initial) = (weights.get("x").unwrap(), weights.get("initial").unwrap());
    let d_hidden = initial.len() / batch;
    let (mut rows, mut states) = (Vec::new(), Vec::new());
    for (example, initial) in initial.chunks_exact(d_hidden).enumerate() {
        let mut h = initial.to_vec();
        for index in example * steps..(example + 1) * steps {
            let v = [&x[index * d_input..][..d_input], &h].concat();
            let row = weights.row(v, constants.map(|rows| &rows[index]));
            h = row.z.iter().map(|z| phi(activation, *z)).collect();
            states.push(h.clone());
            rows.push(row);
        }
    }
    (rows, states)
}

/// Everything in scalar arithmetic; none if few neurons are active, or if a pre-activation is so near 0, the
/// corner of a rectifier, that finite differences would cross it.
fn of_scalars<C: Tried>(rnn: &Rnn<C>, batch: &Batch) -> Option<Pass> {
    let shape @ [_, steps, _] = batch.x.dims();
    let is_local = C::NAME == INorm::NAME;
    let parameters = weights(&rnn.circuit);
    let (mut names, mut all) = (vec!["x".to_owned(), "initial".to_owned()], Vec::new());
    all.push(values(&batch.x));
    all.push(values(batch.initial.as_ref().unwrap()));
    for (name, values) in parameters {
        names.push(name);
        all.push(values);
    }
    let names = &names[..];
    let run = |all: &[Vec<f64>], constants: Option<&[Row]>| {
        let activation = rnn.geometry().activation;
        scalar_rows(&Scalars { names, all }, shape, activation, constants)
    };
    let (known, states) = run(&all[..], None);
    let active = states.iter().flatten().filter(|h| **h > 0.0).count();
    let mut all_z = known.iter().flat_map(|row| &row.z);
    if active < 6 || all_z.any(|z| z.abs() < 0.03) {
        return None;
    }
    let last = |states: &[Vec<f64>]| -> Vec<Vec<f64>> {
        let sequences = states.chunks_exact(steps);
        sequences.map(|states| states[steps - 1].clone()).collect()
    };
    let upstream = (values(&batch.upstream), values(&batch.upstream_last));
    let local = |all: &[Vec<f64>]| {
        let scalars = Scalars { names, all };
        is_local.then(|| scalars.local_loss(&known))
    };
    let gradients = derivatives(&all, |all| {
        let (_, states) = run(all, is_local.then_some(&known[..]));
        let task = dot(&states.concat(), &upstream.0) + dot(&last(&states).concat(), &upstream.1);
        task + LAMBDA * local(all).unwrap_or(0.0)
    });
    let mut pass: Pass = vec![
        ("states".into(), Some(states.concat())),
        ("last".into(), Some(last(&states).concat())),
        ("local".into(), local(&all[..]).map(|local| vec![local])),
    ];
    pass.extend(names.iter().cloned().zip(gradients.into_iter().map(Some)));
    Some(pass)
}

#[test]
fn the_task_and_the_local_loss_do_not_reach_each_other() {
    for setup in setups() {
        for divisive in Divisive::ALL {
            let rng = &mut rng(1);
            let mode = GradNormMode::Full;
            let weights = i_norm(&setup, rng, [7, 4], divisive, EVERYTHING, mode);
            let geometry = geometry([3, 4], NonNegativeActivation::Sigmoid);
            let rnn = INormRnn::from_weights(weights, geometry).unwrap();
            let batch = batch::<INorm>(&setup, rng, [2, 3], [3, 4], true);
            let at = setup.at(divisive);
            for is_task in [true, false] {
                let (x, initial) = batch.leaves();
                let start = initial.clone().map(RnnState::new);
                let (states, _, local) = rnn.forward_with_local_loss(x.clone(), start);
                let grads = match is_task {
                    true => (states * batch.upstream.clone()).sum().backward(),
                    false => local.backward(),
                };
                assert_eq!(x.grad(&grads).is_some(), is_task, "{at}");
                assert_eq!(initial.unwrap().grad(&grads).is_some(), is_task, "{at}");
                for (name, grad) in gradients(&rnn, &grads) {
                    let of_task = matches!(name.as_str(), "w_ex" | "bias");
                    assert_eq!(grad.is_some(), of_task == is_task, "{at} {name}");
                }
            }
        }
    }
}

#[test]
fn at_first_every_step_is_layer_norm() {
    let device = Device::flex();
    let config = INormRnnConfig::new(3, 6).with_epsilon(1e-5);
    let rnn = config.try_init_with(&device, &mut rng(4)).unwrap();
    let setup = &setups()[0];
    let batch = Batch::random(setup, &mut rng(5), [2, 4], [3, 6], true);
    let (states, _) = rnn.forward(batch.x.clone(), batch.initial.clone().map(RnnState::new));
    let (expected, _) = Batch::unrolled(batch.x, batch.initial, |x, state| {
        let joint = Tensor::cat(vec![x, state.unwrap().into_hidden()], 1);
        let a = joint.matmul(rnn.w_ex.val());
        let z = normalize(a, Normalization::Layer, BackwardRule::Exact, 1e-5);
        RnnState::new(rnn.geometry().activation.forward(z))
    });
    assert_tensor_close(&states, &expected, 1e-3, "LayerNorm");
}

#[test]
fn negative_states_are_refused() {
    for setup in setups() {
        let state = |values: Vec<f64>| RnnState::try_new(setup.tensor(values, [1, 3]));
        assert!(state(vec![0.0, 0.5, 2.0]).is_ok());
        assert!(state(vec![f64::NAN, 0.5, 2.0]).is_ok());
        let error = state(vec![0.5, -0.25, -0.125]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "state is -0.25; allowed: no negative value"
        );
        let panic = panic_of(|| drop(RnnState::new(setup.tensor(vec![-1.0], [1, 1]))));
        assert_eq!(panic, "state is -1; allowed: no negative value");
    }
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
    let device = Device::flex();
    let config = EiRnnConfig::new(3, 25).with_activation(NonNegativeActivation::Softplus);
    let rnn: EiRnn = config.clone().with_batch_first(false).init(&device);
    assert!(!rnn.geometry().batch_first);
    assert_eq!(rnn.geometry().activation, NonNegativeActivation::Softplus);
    assert_eq!(rnn.w_ex.dims(), [28, 25]);
    // Two for the inputs and two for the neurons.
    assert_eq!(rnn.inhibitory_units(), 4);
    assert_eq!(values(&rnn.bias.as_ref().unwrap().val()), [0.0; 25]);
    let plain = config.with_bias(false).init(&device);
    assert!(plain.bias.is_none() && plain.geometry().batch_first);
    let excitatory = EiRnnConfig::new(3, 4).with_inhibitory(Inhibitory::Count(0));
    let rnn = excitatory.init(&device);
    assert!(rnn.w_ix.is_none() && rnn.w_ei.is_none());
    let shunting: ShuntingRnn = ShuntingRnnConfig::new(3, 25).init(&device);
    assert_eq!(shunting.w_ex.dims(), [28, 25]);
    assert_eq!(shunting.inhibitory_units(), 2);
    // A third of the neurons inhibits; no input inhibits.
    let column: ColumnEiRnn = ColumnEiRnnConfig::new(3, 24).with_ratio(2.0).init(&device);
    assert_eq!(column.w_ex.dims(), [27, 24]);
    let signs = [[1.0; 19].to_vec(), [-1.0; 8].to_vec()].concat();
    assert_eq!(values(&column.signs.val()), signs);
    // The same generator gives the same network.
    let draw = || {
        let config = EiRnnConfig::new(3, 5);
        config.try_init_with(&device, &mut rng(1)).unwrap()
    };
    assert_same(&draw().w_ex.val(), &draw().w_ex.val(), "one seed");
}

/// φ' of softplus far below 0, where 1 − e^−h would be a difference of two numbers near 1.
#[test]
fn the_slope_of_softplus_is_exact_where_it_is_small() {
    use ei_norm::EiWeights;
    for setup in setups() {
        for current in [-16.0, -30.0, -1.0, 3.0, 20.0] {
            let weights = EiWeights {
                w_ex: setup.tensor(vec![0.0; 2], [2, 1]).autodiff(),
                inhibition: None,
                bias: Some(setup.tensor(vec![current], [1]).autodiff()),
            };
            let geometry = geometry([1, 1], NonNegativeActivation::Softplus);
            let rnn = EiRnn::from_weights(weights, geometry).unwrap();
            let x = setup.tensor(vec![0.5], [1, 1, 1]).autodiff();
            let grads = rnn.forward(x, None).0.sum().backward();
            let found = values(&rnn.bias.as_ref().unwrap().grad(&grads).unwrap());
            let expected = 1.0 / (1.0 + f64::exp(-current));
            assert_close(&found, &[expected], setup.tolerance, &setup.at(current));
        }
    }
}
