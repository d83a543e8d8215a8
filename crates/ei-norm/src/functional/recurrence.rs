//! What recurrent layers share: the way through time and back.
//!
//! A sequence is one autodiff node. Step by step in autodiff, every step would add a gradient as large
//! as the weights, and the slice of every step one as large as the sequence; here the errors of all
//! steps are collected, and each weight gets its gradient in one product.
//!
//! All tensors are without a graph; sequences are `[steps, batch, features]`.

use burn::tensor::Tensor;

use super::product::rows;

/// The batch at one step.
pub(super) fn at(sequence: &Tensor<3>, step: usize) -> Tensor<2> {
    sequence.clone().narrow(0, step, 1).squeeze_dim(0)
}

/// The states before each step, as the rows of a matrix: the initial one (0 if none), then all but
/// the last.
pub(super) fn previous(states: &Tensor<3>, initial: Option<&Tensor<2>>) -> Tensor<2> {
    let [steps, _, _] = states.dims();
    let first = match initial {
        Some(initial) => initial.clone(),
        None => at(states, 0).zeros_like(),
    };
    match steps {
        1 => first,
        _ => {
            let others = rows(states.clone().narrow(0, 0, steps - 1));
            Tensor::cat(vec![first, others], 0)
        }
    }
}

/// The errors of a sequence of states.
pub(super) struct Errors {
    /// At the excitatory currents of all steps, as the rows of a matrix.
    pub currents: Tensor<2>,
    /// At the initial state.
    pub initial: Option<Tensor<2>>,
}

/// Goes back through time: at each step, from the last on, the error of the state is what comes from
/// the loss and from the step after it; times φ' it is that of the pre-activation, which `to_current`
/// makes that of the excitatory current, and `back` that of the state before.
pub(super) fn errors_of(
    upstream: Tensor<3>,
    slopes: Tensor<3>,
    initial_wanted: bool,
    to_current: impl Fn(usize, Tensor<2>) -> Tensor<2>,
    back: impl Fn(Tensor<2>) -> Tensor<2>,
) -> Errors {
    let [steps, ..] = upstream.dims();
    let mut currents = Vec::with_capacity(steps);
    let mut from_next: Option<Tensor<2>> = None;
    for step in (0..steps).rev() {
        let mut error = at(&upstream, step);
        if let Some(from_next) = from_next.take() {
            error = error + from_next;
        }
        let error = to_current(step, error * at(&slopes, step));
        if step > 0 || initial_wanted {
            from_next = Some(back(error.clone()));
        }
        currents.push(error);
    }
    currents.reverse();
    Errors {
        currents: Tensor::cat(currents, 0),
        initial: from_next,
    }
}
