//! The kernel on the host memory of Flex: in place if the memory of the error is not shared.

use burn::backend::flex::FlexTensor;
use burn::tensor::DType;
use macerator::{AutoArch, Simd, WithSimd};
use rayon::prelude::*;

use super::{ErrorNorm, Inputs, row};
use crate::storage::Real;

/// The approximate number of elements of a block of whole rows, which a thread takes at a time.
const BLOCK: usize = 1 << 12;
/// For fewer elements, a second thread costs more than it saves.
const PARALLEL: usize = 1 << 18;

/// δ' from `delta`, or `delta` itself if it is neither f32 nor f64. All inputs have its dtype.
pub(super) fn apply(
    norm: ErrorNorm,
    inputs: Inputs<FlexTensor>,
    delta: FlexTensor,
) -> Result<FlexTensor, FlexTensor> {
    match delta.dtype() {
        DType::F32 => Ok(normalize::<f32>(norm, inputs, delta)),
        DType::F64 => Ok(normalize::<f64>(norm, inputs, delta)),
        _ => Err(delta),
    }
}

fn normalize<E: Real>(
    norm: ErrorNorm,
    inputs: Inputs<FlexTensor>,
    mut delta: FlexTensor,
) -> FlexTensor {
    let shape = delta.layout().shape();
    let features = shape[shape.num_dims() - 1];
    let elements = shape.num_elements();
    let inputs = inputs.map(|input| input.map(contiguous));
    let [z, weights, counts] = inputs.each_ref().map(|input| match input {
        Some(tensor) => tensor.as_slice().expect("contiguous and of this dtype"),
        None => &[],
    });
    let rows = Rows {
        norm,
        features,
        all_rows: elements / features,
        z,
        weights,
        counts,
    };
    // A part of a larger tensor is copied here, shared memory by `storage_mut`.
    delta = delta.to_contiguous();
    let block = (BLOCK / features).max(1);
    let normalize = |(index, delta): (usize, &mut [E])| {
        AutoArch::new().dispatch(Block {
            rows: &rows,
            first: index * block,
            delta,
        });
    };
    let values = delta.storage_mut();
    if elements >= PARALLEL && rayon::current_num_threads() > 1 {
        let blocks = values.par_chunks_mut(block * features);
        blocks.enumerate().for_each(normalize);
    } else {
        let blocks = values.chunks_mut(block * features);
        blocks.enumerate().for_each(normalize);
    }
    delta
}

fn contiguous(tensor: FlexTensor) -> FlexTensor {
    match tensor.is_contiguous() {
        true => tensor,
        false => tensor.to_contiguous(),
    }
}

/// The normalization and its inputs; an input that the mode does not need is empty.
struct Rows<'a, E> {
    norm: ErrorNorm,
    features: usize,
    all_rows: usize,
    z: &'a [E],
    weights: &'a [E],
    counts: &'a [E],
}

/// A block of rows, compiled for every instruction set that the processor may have.
struct Block<'a, E> {
    rows: &'a Rows<'a, E>,
    /// The index of the first row.
    first: usize,
    delta: &'a mut [E],
}

impl<'a, E: Real> WithSimd for Block<'a, E> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        let Rows {
            norm,
            features,
            all_rows,
            z,
            weights,
            counts,
        } = *self.rows;
        for (index, row) in self.delta.chunks_exact_mut(features).enumerate() {
            let index = self.first + index;
            // The index of this row's part, if the rows are divided into `parts` equal parts.
            let part = |parts: usize| index * parts / all_rows;
            let length = match counts {
                [] => features,
                counts => {
                    let count: f64 = counts[part(counts.len())].into();
                    (count as usize).min(features)
                }
            };
            let existing = |values: &'a [E], row: usize| match values {
                [] => values,
                values => &values[row * features..][..length],
            };
            let (z, weights) = (
                existing(z, index),
                existing(weights, part(weights.len() / features)),
            );
            let (row, rest) = row.split_at_mut(length);
            rest.fill(E::default());
            row::normalize(norm, z, weights, row);
        }
    }
}
