//! What an optimizer's state writes into a record and reads from it.
//!
//! Burn's derive reads tensors back in the default dtype of a device, so that training in another
//! dtype would not continue as it left off; here they keep theirs.

use burn::optim::{StateSink, StateSource, join_path};
use burn::tensor::{Device, Tensor};

use crate::read;

pub(super) fn put<const D: usize>(
    out: &mut StateSink,
    prefix: &str,
    name: &str,
    tensor: &Tensor<D>,
) {
    out.push_tensor(prefix, name, read::data(tensor.clone()));
}

/// The tensor, if the record has one of this rank.
pub(super) fn take<const D: usize>(
    source: &mut StateSource,
    prefix: &str,
    name: &str,
    device: &Device,
) -> Option<Tensor<D>> {
    let data = source.take_tensor(prefix, name)?;
    if data.shape().num_dims() != D {
        return None;
    }
    // Burn moves it to the parameter's device at the next step. Flex has every dtype, and the default
    // device may not.
    #[cfg(feature = "flex")]
    let device = &{
        let _ = device;
        Device::flex()
    };
    let dtype = data.dtype();
    Some(Tensor::from_data(data, (device, dtype)))
}

/// The prefix of a state within a state.
pub(super) fn nested(prefix: &str, name: &str) -> String {
    join_path(prefix, name)
}
