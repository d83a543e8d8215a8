//! The kernel on the host memory of Flex: in place if the memory of the error is not shared.

use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Element, TensorData};
use macerator::{AutoArch, Simd, WithSimd};
use rayon::prelude::*;

use super::row::{self, Real};
use super::{ErrorNorm, Inputs};

/// The approximate number of elements that are copied, normalized and written at a time; they fit into the
/// processor's cache.
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

fn normalize<E: Float>(
    norm: ErrorNorm,
    inputs: Inputs<FlexTensor>,
    delta: FlexTensor,
) -> FlexTensor {
    let shape = delta.layout().shape().clone();
    let features = shape[shape.num_dims() - 1];
    if shape.num_elements() == 0 {
        return delta;
    }
    let z = inputs.z.map(contiguous);
    let weights = inputs.weights.map(contiguous);
    let counts = inputs.counts.map(contiguous);
    let mut delta = contiguous(delta);
    let rows = Rows {
        norm,
        features,
        all_rows: shape.num_elements() / features,
        z: z.as_ref().map_or(&[], values),
        weights: weights.as_ref().map_or(&[], values),
        counts: counts.as_ref().map_or(&[], values),
    };
    let range = {
        let start = delta.layout().start_offset();
        start..start + shape.num_elements()
    };
    if let Some(storage) = delta.try_storage_mut::<E>() {
        rows.normalize(&mut storage[range]);
        return delta;
    }
    FlexTensor::from_data(TensorData::new(rows.normalized(values(&delta)), shape))
}

/// The float types of Flex that the row kernel supports.
trait Float: Real + Element + bytemuck::Pod {}
impl Float for f32 {}
impl Float for f64 {}

fn contiguous(tensor: FlexTensor) -> FlexTensor {
    if tensor.is_contiguous() {
        tensor
    } else {
        tensor.to_contiguous()
    }
}

fn values<E: Float>(tensor: &FlexTensor) -> &[E] {
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

impl<E: Float> Rows<'_, E> {
    /// Replaces δ by δ'.
    fn normalize(&self, delta: &mut [E]) {
        let block = self.block();
        let normalize = |(index, rows): (usize, &mut [E])| self.run(index * block, rows);
        if is_parallel(delta.len()) {
            let blocks = delta.par_chunks_mut(block);
            blocks.enumerate().for_each(normalize);
        } else {
            delta.chunks_mut(block).enumerate().for_each(normalize);
        }
    }

    /// δ' in new memory.
    fn normalized(&self, delta: &[E]) -> Vec<E> {
        let block = self.block();
        if is_parallel(delta.len()) {
            let mut out = vec![E::ZERO; delta.len()];
            let blocks = out.par_chunks_mut(block).zip(delta.par_chunks(block));
            blocks.enumerate().for_each(|(index, (out, delta))| {
                out.copy_from_slice(delta);
                self.run(index * block, out);
            });
            out
        } else {
            let mut out = Vec::with_capacity(delta.len());
            for delta in delta.chunks(block) {
                let start = out.len();
                out.extend_from_slice(delta);
                self.run(start, &mut out[start..]);
            }
            out
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

    /// The length of a block of whole rows.
    fn block(&self) -> usize {
        (BLOCK / self.features).max(1) * self.features
    }
}

fn is_parallel(elements: usize) -> bool {
    elements >= PARALLEL && rayon::current_num_threads() > 1
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
                counts => (counts[part(counts.len())].widen() as usize).min(features),
            };
            let (row, rest) = row.split_at_mut(length);
            rest.fill(E::ZERO);
            let own = |values: &'_ [E]| values.len().min(length);
            row::normalize(norm, &z[..own(z)], &weights[..own(weights)], row);
        }
    }
}
