//! Tensors of the Flex backend as matrices in memory.

#![allow(clippy::result_large_err)] // Not an error in Rust's sense: the tensor, handed back.

use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::{BackendTensor, DispatchTensorKind};
use burn::tensor::{DType, Tensor, TensorData};

use super::gemm::{self, Matrix, Real};
use crate::storage::on_host;

/// The product, if both operands are on Flex, of the same precision and laid out as matrices.
pub(super) fn product(a: &Tensor<2>, b: &Tensor<2>) -> Option<Tensor<2>> {
    let shape = [a.dims()[0], b.dims()[1]];
    let (left, right) = (on_host(a)?, on_host(b)?);
    let data = match (left.dtype(), right.dtype()) {
        (DType::F32, DType::F32) => TensorData::new(multiply::<f32>(&left, &right)?, shape),
        (DType::F64, DType::F64) => TensorData::new(multiply::<f64>(&left, &right)?, shape),
        _ => return None,
    };
    Some(Tensor::from_data(data, (&a.device(), a.dtype())))
}

/// The sum, in place if its memory is not shared; the unchanged sum where [`product`] is none or it
/// is shared.
pub(super) fn add_product(
    sum: Tensor<2>,
    factor: f64,
    a: &Tensor<2>,
    b: &Tensor<2>,
) -> Result<Tensor<2>, Tensor<2>> {
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
    gemm::product(matrix(a)?, matrix(b)?)
}

fn accumulate<T: Real>(
    sum: &mut FlexTensor,
    factor: T,
    a: &FlexTensor,
    b: &FlexTensor,
) -> Option<()> {
    let (start, end) = sum.layout().contiguous_offsets()?;
    let sum = sum.try_storage_mut::<T>()?.get_mut(start..end)?;
    gemm::add_product(sum, factor, matrix(a)?, matrix(b)?)
}

fn matrix<T: Real>(tensor: &FlexTensor) -> Option<Matrix<'_, T>> {
    let layout: &Layout = tensor.layout();
    let ([rows, columns], &[down, right]) = (layout.shape().dims::<2>(), layout.strides()) else {
        return None;
    };
    Matrix::new(
        tensor.storage(),
        layout.start_offset(),
        [rows, columns],
        [down, right],
    )
}
