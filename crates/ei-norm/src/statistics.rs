use burn::tensor::Tensor;

/// Mean over the last axis.
///
/// # Shapes
///
/// - `x`: `[..., features]`
/// - result: `[..., 1]`
pub fn mean<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.mean_dim(D - 1)
}

/// Mean of the squares over the last axis.
///
/// # Shapes
///
/// - `x`: `[..., features]`
/// - result: `[..., 1]`
pub fn mean_square<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    mean(x.square())
}

/// Population variance over the last axis.
///
/// # Shapes
///
/// - `x`: `[..., features]`
/// - result: `[..., 1]`
pub fn variance<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    mean_square(x.clone() - mean(x))
}

/// Standard deviation σ = sqrt(var(x) + ε) over the last axis.
///
/// # Shapes
///
/// - `x`: `[..., features]`
/// - result: `[..., 1]`
pub fn row_std<const D: usize>(x: Tensor<D>, epsilon: f64) -> Tensor<D> {
    (variance(x) + epsilon).sqrt()
}

/// The mean of all values; 0, not 0/0, if there are none.
pub(crate) fn mean_or_zero<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    match x.shape().num_elements() {
        0 => x.sum(),
        _ => x.mean(),
    }
}
