//! The tensors of an optimizer's state in a record.
//!
//! Burn's derive reads tensors back in the default dtype of a device, so training in another dtype would not
//! continue exactly; here tensors keep their dtype.

use burn::optim::{StateSink, StateSource};
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

/// The tensor, if the record has a tensor of this name and rank.
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
    // Burn moves the tensor to the parameter's device at the next step. Flex supports every dtype; the
    // default device may not.
    #[cfg(feature = "flex")]
    let device = &{
        let _ = device;
        Device::flex()
    };
    let dtype = data.dtype();
    Some(Tensor::from_data(data, (device, dtype)))
}
