//! Products of matrices for custom backward passes: without a copy of the result, in place for sums, and with
//! the operands in the order that suits the layout of the weights.
//!
//! On Flex the product kernel is called directly: Burn's product first clears and copies its result, which
//! costs more than the arithmetic at the batch sizes of the layers. For other backends and element types,
//! these are Burn's own operations.
//!
//! Leading axes hold matrices that are multiplied pair by pair, such as the matrices of a population of
//! networks.

#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
mod gemm;

use burn::tensor::Tensor;

/// a b.
///
/// # Shapes
///
/// - `a`: `[..., m, k]`, `b`: `[..., k, n]`, result: `[..., m, n]`
pub(crate) fn product<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if let Some(product) = flex::product(&a, &b) {
        return product;
    }
    plain(a, b)
}

/// `sum` + `factor` a b, in the memory of `sum` if it is not shared.
///
/// # Shapes
///
/// - `sum` and result: `[..., m, n]`, `a`: `[..., m, k]`, `b`: `[..., k, n]`
pub(crate) fn add_product<const D: usize>(
    sum: Tensor<D>,
    factor: f64,
    a: Tensor<D>,
    b: Tensor<D>,
) -> Tensor<D> {
    #[cfg(feature = "flex")]
    let sum = match flex::add_product(sum, factor, &a, &b) {
        Ok(sum) => return sum,
        Err(sum) => sum,
    };
    sum + plain(a, b) * factor
}

/// Burn's product. NdArray's product panics if an axis is empty, so this case is separate.
fn plain<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    if a.shape().num_elements() * b.shape().num_elements() == 0 {
        let options = (&a.device(), a.dtype());
        return Tensor::zeros(shape(&a, &b), options);
    }
    a.matmul(b)
}

/// The shape of the product.
fn shape<const D: usize>(a: &Tensor<D>, b: &Tensor<D>) -> [usize; D] {
    let mut shape = a.dims();
    shape[D - 1] = b.dims()[D - 1];
    shape
}
