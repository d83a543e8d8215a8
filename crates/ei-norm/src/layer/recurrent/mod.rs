//! Recurrent layers that obey Dale's law, one a file; a cell is one step, a layer a sequence.

mod ei_rnn;
mod ei_rnn_cell;
mod i_norm_rnn;
mod i_norm_rnn_cell;
mod state;

pub use ei_rnn::{EiRnn, EiRnnConfig};
pub use ei_rnn_cell::EiRnnCell;
pub use i_norm_rnn::{INormRnn, INormRnnConfig};
pub use i_norm_rnn_cell::INormRnnCell;
pub use state::EiState;

use burn::tensor::{Bool, Device, Tensor, TensorData};

/// Everything from `d_input` inputs and `d_hidden` neurons to the neurons, but for those to themselves.
fn no_autapses(d_input: usize, d_hidden: usize, device: &Device) -> Tensor<2, Bool> {
    let rows = d_input + d_hidden;
    let exists: Vec<bool> = (0..rows)
        .flat_map(|pre| (0..d_hidden).map(move |post| pre != d_input + post))
        .collect();
    Tensor::from_data(TensorData::new(exists, [rows, d_hidden]), device)
}

/// `[batch, steps, features]` as `[steps, batch, features]`, and back.
fn exchanged(sequence: Tensor<3>, batch_first: bool) -> Tensor<3> {
    match batch_first {
        true => sequence.swap_dims(0, 1),
        false => sequence,
    }
}

/// The state after a sequence `[steps, batch, d_hidden]` of states; the one before if it is empty.
fn last(states: &Tensor<3>, before: Option<EiState>) -> EiState {
    let [steps, batch, d_hidden] = states.dims();
    match (steps.checked_sub(1), before) {
        (Some(last), _) => EiState::trusted(states.clone().narrow(0, last, 1).squeeze_dim(0)),
        (None, Some(before)) => before,
        (None, None) => EiState::trusted(Tensor::zeros(
            [batch, d_hidden],
            (&states.device(), states.dtype()),
        )),
    }
}
