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
    if elements == 0 {
        return delta;
    }
    let inputs = inputs.map(contiguous);
    let rows = Rows {
        norm,
        features,
        all_rows: elements / features,
        z: inputs.z.as_ref().map_or(&[], values::<E>),
        weights: inputs.weights.as_ref().map_or(&[], values::<E>),
        counts: inputs.counts.as_ref().map_or(&[], values::<E>),
    };
    // A part of a larger tensor is copied here, shared memory by `storage_mut`.
    delta = delta.to_contiguous();
    rows.normalize(delta.storage_mut());
    delta
}

fn contiguous(tensor: FlexTensor) -> FlexTensor {
    match tensor.is_contiguous() {
        true => tensor,
        false => tensor.to_contiguous(),
    }
}

fn values<E: Real>(tensor: &FlexTensor) -> &[E] {
    tensor.as_slice().expect("contiguous and of this dtype")
}

/// The normalization and its inputs; an input that the mode does not need is empty.
#[derive(Clone, Copy)]
struct Rows<'a, E> {
    norm: ErrorNorm,
    features: usize,
    all_rows: usize,
    z: &'a [E],
    weights: &'a [E],
    counts: &'a [E],
}

impl<E: Real> Rows<'_, E> {
    /// Replaces δ by δ'.
    fn normalize(&self, delta: &mut [E]) {
        let block = (BLOCK / self.features).max(1) * self.features;
        let normalize = |(index, rows): (usize, &mut [E])| self.run(index * block, rows);
        if delta.len() >= PARALLEL && rayon::current_num_threads() > 1 {
            let blocks = delta.par_chunks_mut(block);
            blocks.enumerate().for_each(normalize);
        } else {
            delta.chunks_mut(block).enumerate().for_each(normalize);
        }
    }

    /// Replaces δ by δ' in the rows that begin at element `start` of the tensor.
    fn run(&self, start: usize, delta: &mut [E]) {
        let z = match self.z {
            [] => self.z,
            z => &z[start..start + delta.len()],
        };
        AutoArch::new().dispatch(Block {
            rows: Self { z, ..*self },
            first: start / self.features,
            delta,
        });
    }
}

/// A block of rows, compiled for every instruction set that the processor may have.
struct Block<'a, E> {
    rows: Rows<'a, E>,
    /// The index of the first row.
    first: usize,
    delta: &'a mut [E],
}

impl<E: Real> WithSimd for Block<'_, E> {
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
        } = self.rows;
        for (index, row) in self.delta.chunks_exact_mut(features).enumerate() {
            // The index of this row's part, if the rows are divided into `parts` equal parts.
            let part = |parts: usize| (self.first + index) * parts / all_rows;
            let z = match z {
                [] => z,
                z => &z[index * features..][..features],
            };
            let weights = match weights {
                [] => weights,
                w => &w[part(w.len() / features) * features..][..features],
            };
            let length = match counts {
                [] => features,
                counts => {
                    let count: f64 = counts[part(counts.len())].into();
                    (count as usize).min(features)
                }
            };
            let (row, rest) = row.split_at_mut(length);
            rest.fill(E::default());
            let own = |values: &'_ [E]| values.len().min(length);
            row::normalize(norm, &z[..own(z)], &weights[..own(weights)], row);
        }
    }
}
