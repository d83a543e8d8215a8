//! Tensors of the Flex backend as matrices in memory.

#![allow(clippy::result_large_err)] // `Err` hands the tensor back.

use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::{BackendTensor, DispatchTensorKind};
use burn::tensor::{DType, Tensor, TensorData};

use super::gemm::{self, Matrix, Real};
use crate::storage::on_host;

/// The product, if both operands are on Flex, of the same precision and with the layout of matrices.
pub(super) fn product<const D: usize>(a: &Tensor<D>, b: &Tensor<D>) -> Option<Tensor<D>> {
    let shape = super::shape(a, b);
    let (left, right) = (on_host(a)?, on_host(b)?);
    let data = match (left.dtype(), right.dtype()) {
        (DType::F32, DType::F32) => TensorData::new(multiply::<f32>(&left, &right)?, shape),
        (DType::F64, DType::F64) => TensorData::new(multiply::<f64>(&left, &right)?, shape),
        _ => return None,
    };
    Some(Tensor::from_data(data, (&a.device(), a.dtype())))
}

/// The sum, in place; the unchanged `sum` if its memory is shared or [`product`] does not support the
/// operands.
pub(super) fn add_product<const D: usize>(
    sum: Tensor<D>,
    factor: f64,
    a: &Tensor<D>,
    b: &Tensor<D>,
) -> Result<Tensor<D>, Tensor<D>> {
    let (Some(left), Some(right)) = (on_host(a), on_host(b)) else {
        return Err(sum);
    };
    let mut sum = sum.into_dispatch();
    let added = match &mut sum.kind {
        DispatchTensorKind::Flex(BackendTensor::Float(sum)) => {
            match (sum.dtype(), left.dtype(), right.dtype()) {
                (DType::F32, DType::F32, DType::F32) => {
                    accumulate::<f32>(sum, factor as f32, &left, &right)
                }
                (DType::F64, DType::F64, DType::F64) => {
                    accumulate::<f64>(sum, factor, &left, &right)
                }
                _ => None,
            }
        }
        _ => None,
    };
    let sum = Tensor::from_dispatch(sum);
    match added {
        Some(()) => Ok(sum),
        None => Err(sum),
    }
}

fn multiply<T: Real>(a: &FlexTensor, b: &FlexTensor) -> Option<Vec<T>> {
    match pairs(a, b)? {
        1 => gemm::product(matrix(a, 0)?, matrix(b, 0)?),
        count => {
            let pair = |index| Some((matrix(a, index)?, matrix(b, index)?));
            gemm::products(&(0..count).map(pair).collect::<Option<Vec<_>>>()?)
        }
    }
}

fn accumulate<T: Real>(
    sum: &mut FlexTensor,
    factor: T,
    a: &FlexTensor,
    b: &FlexTensor,
) -> Option<()> {
    let count = pairs(a, b)?;
    // Checked first, so that `sum` does not change if a pair does not fit.
    let pair = |index| Some((matrix::<T>(a, index)?, matrix::<T>(b, index)?));
    let pairs = (0..count).map(pair).collect::<Option<Vec<_>>>()?;
    let (start, end) = sum.layout().contiguous_offsets()?;
    let sum = sum.try_storage_mut::<T>()?.get_mut(start..end)?;
    let len = sum.len() / count.max(1);
    let each = sum.chunks_exact_mut(len.max(1)).zip(pairs);
    each.map(|(sum, (a, b))| gemm::add_product(sum, factor, a, b))
        .collect()
}

/// The number of matrices of each operand; none if the operands differ.
fn pairs(a: &FlexTensor, b: &FlexTensor) -> Option<usize> {
    let (networks, _) = a.layout().shape().split_last_chunk::<2>()?;
    let (others, _) = b.layout().shape().split_last_chunk::<2>()?;
    (networks == others).then(|| networks.iter().product())
}

/// The matrix with this index, over the last two axes.
fn matrix<T: Real>(tensor: &FlexTensor, index: usize) -> Option<Matrix<'_, T>> {
    let layout: &Layout = tensor.layout();
    let (leading, &shape) = layout.shape().split_last_chunk::<2>()?;
    let (steps, &strides) = layout.strides().split_last_chunk::<2>()?;
    let (mut start, mut index) = (layout.start_offset(), index);
    for (size, step) in leading.iter().zip(steps).rev() {
        start += (index % size) * usize::try_from(*step).ok()?;
        index /= size;
    }
    Matrix::new(tensor.storage(), start, shape, strides)
}
