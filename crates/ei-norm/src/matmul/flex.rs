//! Tensors of the Flex backend as matrices in memory.

#![allow(clippy::result_large_err)] // `Err` hands the tensor back.

use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{DType, Tensor, TensorData};

use super::gemm::{self, Matrix};
use crate::storage::{self, Real, on_host};

/// The product, if both operands are on Flex, of the same precision and with the layout of matrices.
pub(super) fn product<const D: usize>(a: &Tensor<D>, b: &Tensor<D>) -> Option<Tensor<D>> {
    let shape = super::shape(a, b);
    let (left, right, len) = (on_host(a)?, on_host(b)?, shape.iter().product());
    let data = match left.dtype() {
        DType::F32 => TensorData::new(multiply::<f32>(&left, &right, len)?, shape),
        DType::F64 => TensorData::new(multiply::<f64>(&left, &right, len)?, shape),
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
    let (Some(a), Some(b)) = (on_host(a), on_host(b)) else {
        return Err(sum);
    };
    storage::in_place(sum, |sum| match sum.dtype() {
        DType::F32 => accumulate::<f32>(sum, factor, &a, &b),
        DType::F64 => accumulate::<f64>(sum, factor, &a, &b),
        _ => None,
    })
}

/// The products, `len` values in all.
fn multiply<T: Real>(a: &FlexTensor, b: &FlexTensor, len: usize) -> Option<Vec<T>> {
    let pairs = pairs(a, b)?;
    let mut products = Vec::with_capacity(len);
    for (a, b) in pairs {
        gemm::append_product(&mut products, a, b)?;
    }
    Some(products)
}

/// Adds `factor` times the product of each pair to one of as many equal parts of `sum`.
fn accumulate<T: Real>(
    sum: &mut FlexTensor,
    factor: f64,
    a: &FlexTensor,
    b: &FlexTensor,
) -> Option<()> {
    // Checked first, so that `sum` does not change if a pair does not fit.
    let (pairs, factor) = (pairs(a, b)?, T::narrow(factor));
    let sums = storage::values_mut(sum)?;
    let len = sums.len() / pairs.len().max(1);
    let each = sums.chunks_exact_mut(len.max(1)).zip(pairs);
    each.map(|(sum, (a, b))| gemm::add_product(sum, factor, a, b))
        .collect()
}

/// The matrices of both operands, pair by pair; none if their types or numbers of matrices differ.
fn pairs<'a, T: Real>(
    a: &'a FlexTensor,
    b: &'a FlexTensor,
) -> Option<Vec<(Matrix<'a, T>, Matrix<'a, T>)>> {
    let (networks, _) = a.layout().shape().split_last_chunk::<2>()?;
    let (others, _) = b.layout().shape().split_last_chunk::<2>()?;
    let same_type = [a, b].iter().all(|operand| operand.dtype() == T::dtype());
    let count = (same_type && networks == others).then(|| networks.iter().product())?;
    let pair = |index| Some((matrix(a, index)?, matrix(b, index)?));
    (0..count).map(pair).collect()
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
