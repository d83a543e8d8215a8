//! Padded sequences: states, gradients and local loss are the same as for the sequences run one by one,
//! whatever the padding.

use crate::common::circuits::{Divisive, EVERYTHING, Tried, i_norm};
use crate::common::parameters::{Pass, assert_same_pass};
use crate::common::recurrent::{Batch, batch, pass};
use crate::common::{Setup, panic_of, rng, setups};
use burn::tensor::Tensor;
use ei_norm::circuit::{Circuit, ColumnEi, Ei, INorm, Shunting};
use ei_norm::layer::{Layer, Recurrent};
use ei_norm::{GradNormMode, INormWeights, NonNegativeActivation, RnnState, ShuntingWeights};

type Rnn<C> = Layer<C, Recurrent>;

fn layer<C: Tried>(setup: &Setup, geometry: Recurrent) -> Rnn<C> {
    let Recurrent {
        d_input, d_hidden, ..
    } = geometry;
    let circuit = C::one(setup, &mut rng(1), [d_input + d_hidden, d_hidden]);
    Layer::new(circuit, geometry).unwrap()
}

/// Runs every example separately, without padding. Beyond its end the state stays, and the errors there reach
/// it; the local loss is the mean over all existing steps.
fn one_by_one<C: Tried>(rnn: &Rnn<C>, batch: &Batch, lengths: &[usize]) -> Pass {
    let [_, steps, _] = batch.x.dims();
    let total = lengths.iter().sum::<usize>() as f64;
    pass(&rnn.circuit, batch, |x, initial| {
        let (mut all, mut lasts, mut locals) = (Vec::new(), Vec::new(), Vec::new());
        for (example, length) in lengths.iter().enumerate() {
            let x = x.clone().slice([example..example + 1, 0..*length]);
            let state = initial
                .clone()
                .map(|h| RnnState::new(h.narrow(0, example, 1)));
            let (states, last, local) = C::run(rnn, x, state, None);
            let last = last.into_hidden();
            let held = last.clone().unsqueeze_dim::<3>(1);
            let mut parts = vec![held; steps - length];
            parts.insert(0, states);
            all.push(Tensor::cat(parts, 1));
            lasts.push(last);
            locals.extend(local.map(|local| local * (*length as f64 / total)));
        }
        let local = (!locals.is_empty()).then(|| Tensor::cat(locals, 0).sum());
        (Tensor::cat(all, 0), Tensor::cat(lasts, 0), local)
    })
}

/// The batch with this value in the padding.
fn padded_with(batch: &Batch, lengths: &[usize], value: f64) -> Tensor<3> {
    let [_, steps, features] = batch.x.dims();
    let x = batch.x.clone();
    lengths.iter().enumerate().fold(x, |x, (example, length)| {
        if *length == steps {
            return x;
        }
        let padding = x.clone().slice([example..example + 1, *length..steps]);
        let ranges = [example..example + 1, *length..steps, 0..features];
        x.slice_assign(ranges, padding.full_like(value))
    })
}

fn padding_changes_nothing<C: Tried>(setup: &Setup) {
    padding_changes_nothing_for(setup, C::one(setup, &mut rng(1), [8, 5]));
}

fn padding_changes_nothing_for<C: Tried>(setup: &Setup, circuit: C) {
    let all_lengths: [&[usize]; 4] = [&[4, 1, 3], &[0, 4, 2], &[2, 2, 2], &[4, 4, 4]];
    let layouts = [true, false, true, false];
    for (activation, batch_first) in NonNegativeActivation::ALL.into_iter().zip(layouts) {
        let geometry = Recurrent {
            activation,
            ..Recurrent::new(3, 5)
        };
        let rnn = Layer::new(circuit.clone(), geometry).unwrap();
        let exchanged = |t: Tensor<3>| match batch_first {
            true => t,
            false => t.swap_dims(0, 1),
        };
        let geometry = Recurrent {
            batch_first,
            ..geometry
        };
        let padded = Layer::new(circuit.clone(), geometry).unwrap();
        for (index, lengths) in all_lengths.into_iter().enumerate() {
            for initial in [true, false] {
                let mut batch = batch::<C>(setup, &mut rng(index as u64), [3, 4], [3, 5], initial);
                let expected = one_by_one(&rnn, &batch, lengths);
                for value in [0.0, -3.0, f64::NAN, f64::INFINITY] {
                    batch.x = padded_with(&batch, lengths, value);
                    let found = pass(&padded.circuit, &batch, |x, initial| {
                        let state = initial.map(RnnState::new);
                        let (states, last, local) =
                            C::run(&padded, exchanged(x), state, Some(lengths));
                        (exchanged(states), last.into_hidden(), local)
                    });
                    let at = setup.at((C::NAME, activation, lengths, initial, value));
                    assert_same_pass(&found, &expected, 100.0 * setup.tolerance, &at);
                }
            }
        }
    }
}

#[test]
fn padding_changes_nothing_whatever_stands_there() {
    for setup in setups() {
        padding_changes_nothing::<Ei>(&setup);
        // With fully normalized errors.
        padding_changes_nothing::<INorm>(&setup);
        padding_changes_nothing::<Shunting>(&setup);
        padding_changes_nothing::<ColumnEi>(&setup);
    }
}

/// An example without steps keeps a state of 0, with which no circuit has anything to divide by.
#[test]
fn padding_is_not_divided_by_without_epsilon() {
    for setup in setups() {
        let drawn = Shunting::one(&setup, &mut rng(1), [8, 5]);
        let shunting = Shunting::from_weights(ShuntingWeights {
            w_ex: drawn.w_ex.val(),
            w_ix: drawn.w_ix.val(),
            w_ei: drawn.w_ei.val(),
            alpha: drawn.alpha.val(),
            gain: drawn.gain.val(),
            bias: drawn.bias.map(|bias| bias.val()),
            epsilon: 0.0,
        });
        padding_changes_nothing_for(&setup, shunting.unwrap());
        for divisive in [Divisive::Mixed, Divisive::Uniform] {
            let mode = GradNormMode::Full;
            let weights = i_norm(&setup, &mut rng(1), [8, 5], divisive, EVERYTHING, mode);
            let circuit = INorm::from_weights(INormWeights {
                epsilon: 0.0,
                ..weights
            });
            padding_changes_nothing_for(&setup, circuit.unwrap());
        }
    }
}

#[test]
fn a_batch_of_padding_alone_keeps_its_states_and_has_no_loss() {
    for setup in setups() {
        let rnn: Rnn<INorm> = layer(&setup, Recurrent::new(3, 5));
        let batch = batch::<INorm>(&setup, &mut rng(2), [2, 3], [3, 5], true);
        let initial = batch.initial.clone().unwrap();
        let state = RnnState::new(initial.clone());
        let x = batch.x.full_like(f64::NAN);
        let (states, last, local) = rnn.padded(&[0, 0]).forward_with_local_loss(x, Some(state));
        let expected = initial.clone().unsqueeze_dim::<3>(1).repeat_dim(1, 3);
        crate::common::assert_same(&states.inner(), &expected, "states");
        crate::common::assert_same(&last.into_hidden().inner(), &initial, "last");
        assert_eq!(crate::common::values(&local), [0.0]);
    }
}

#[test]
fn an_input_check_looks_at_what_exists() {
    let setup = &setups()[0];
    let rnn: Rnn<Shunting> = layer(setup, Recurrent::new(3, 5));
    let rnn = rnn.with_input_check("rnn");
    let mut batch = batch::<Shunting>(setup, &mut rng(3), [2, 3], [3, 5], false);
    for padding in [-1.0, f64::NAN] {
        batch.x = padded_with(&batch, &[3, 1], padding);
        let _ = rnn.padded(&[3, 1]).forward(batch.x.clone(), None);
        let message = panic_of(|| drop(rnn.padded(&[3, 2]).forward(batch.x.clone(), None)));
        assert!(message.contains("`rnn`"), "{message}");
    }
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    let setup = &setups()[0];
    let rnn: Rnn<Ei> = layer(setup, Recurrent::new(3, 5));
    let x = || setup.random(&mut rng(4), [2, 3, 3]);
    for (lengths, expected) in [
        (&[3][..], "lengths"),
        (&[3, 2, 1], "lengths"),
        (
            &[4, 1],
            "lengths is 4; allowed: at most the number of steps of the input",
        ),
    ] {
        let message = panic_of(|| drop(rnn.padded(lengths).forward(x(), None)));
        assert!(message.contains(expected), "{message}");
    }
}
