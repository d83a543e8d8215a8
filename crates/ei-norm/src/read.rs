//! Reads from a device to the host: every read of this crate uses these functions.
//!
//! A read waits until the device has finished all pending work, so training steps contain no reads.

use std::cell::Cell;

use burn::tensor::kind::Basic;
use burn::tensor::{Element, Tensor, TensorData};

thread_local! {
    static READS: Cell<usize> = const { Cell::new(0) };
}

/// The number of tensors that this crate has read from a device in this thread, for tests.
pub fn device_reads() -> usize {
    READS.get()
}

/// The values of a tensor.
pub(crate) fn data<const D: usize, K: Basic>(tensor: Tensor<D, K>) -> TensorData {
    READS.set(READS.get() + 1);
    tensor.into_data()
}

/// The value of a tensor with a single element.
pub(crate) fn scalar<const D: usize, K: Basic, E: Element>(tensor: Tensor<D, K>) -> E {
    READS.set(READS.get() + 1);
    tensor.into_scalar()
}
