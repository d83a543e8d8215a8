//! The door between a device and the host: every read of this crate goes through here.
//!
//! A read waits until the device has done all that was asked of it, so there is none in a training step.

use std::cell::Cell;

use burn::tensor::kind::Basic;
use burn::tensor::{Element, Tensor, TensorData};

thread_local! {
    static READS: Cell<usize> = const { Cell::new(0) };
}

/// How many tensors this crate has read from a device in this thread, for tests.
pub fn device_reads() -> usize {
    READS.get()
}

/// The values of a tensor.
pub(crate) fn data<const D: usize, K: Basic>(tensor: Tensor<D, K>) -> TensorData {
    READS.set(READS.get() + 1);
    tensor.into_data()
}

/// The value of a tensor with a single one.
pub(crate) fn scalar<const D: usize, K: Basic, E: Element>(tensor: Tensor<D, K>) -> E {
    READS.set(READS.get() + 1);
    tensor.into_scalar()
}
