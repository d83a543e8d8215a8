//! Products of matrices for backward passes of our own: a result without a copy, in place where a sum
//! is wanted, and with the operands in the order that the layout of the weights favours.
//!
//! On Flex the product kernel is called directly: Burn's product there clears and copies its result
//! first, which costs more than the arithmetic at the batch sizes of the layers. Everywhere else, and
//! for other element types, these are Burn's own operations.
//!
//! Leading axes hold matrices that are multiplied pair by pair: those of a population of networks.

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

/// `sum` + `factor` a b, in the memory of `sum` if nobody else holds it.
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

/// Burn's product; NdArray's panics where an axis is empty.
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
