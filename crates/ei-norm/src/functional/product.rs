//! The weighted sums of excitatory and inhibitory inputs.

use burn::tensor::{Tensor, module::linear};

/// The excitatory current: x W_ex + b.
///
/// # Shapes
///
/// - `x`: `[..., d_input]`, `w_ex`: `[d_input, d_output]`, `bias`: `[d_output]`
/// - result: `[..., d_output]`
///
/// # Panics
///
/// If the shapes do not fit.
pub fn excite<const D: usize>(x: Tensor<D>, w_ex: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<D> {
    linear(x, w_ex, bias)
}

/// The inhibitory current, through the inhibitory units: (x W_ix) W_ei.
///
/// # Shapes
///
/// - `x`: `[..., d_input]`, `w_ix`: `[d_input, n_i]`, `w_ei`: `[n_i, d_output]`
/// - result: `[..., d_output]`
///
/// # Panics
///
/// If the shapes do not fit.
pub fn inhibit<const D: usize>(x: Tensor<D>, w_ix: Tensor<2>, w_ei: Tensor<2>) -> Tensor<D> {
    linear(linear(x, w_ix, None), w_ei, None)
}

/// An EI (DANN) layer, z = x W_ex − (x W_ix) W_ei + b (Cornford et al. 2021), by the cheaper of two
/// routes: the three factors, or the single matrix W_ex − W_ix W_ei.
///
/// # Shapes
///
/// - `x`: `[..., d_input]`, `w_ex`: `[d_input, d_output]`, `w_ix`: `[d_input, n_i]`,
///   `w_ei`: `[n_i, d_output]`, `bias`: `[d_output]`
/// - result: `[..., d_output]`
///
/// # Panics
///
/// If the shapes do not fit.
pub fn ei_linear<const D: usize>(
    x: Tensor<D>,
    w_ex: Tensor<2>,
    w_ix: Tensor<2>,
    w_ei: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    let [d_input, d_output] = w_ex.dims();
    let [_, n_i] = w_ix.dims();
    let rows = x.shape().num_elements() / d_input.max(1);
    if prefers_single_matrix(rows, d_input, d_output, n_i) {
        excite(x, w_ex - w_ix.matmul(w_ei), bias)
    } else {
        excite(x.clone(), w_ex, bias) - inhibit(x, w_ix, w_ei)
    }
}

/// Whether forming W_ex − W_ix W_ei costs less than applying the factors to every row.
///
/// In multiply-adds, the factors cost rows·n_i·(d_input + d_output); the matrix costs
/// d_input·n_i·d_output once, and besides it passes over memory that a CPU feels like some
/// multiply-adds an element: about 4, from where the two routes cross on Flex with AVX-512, forward
/// and backward (784 → 500 at 300 rows, 784 → 234 at 220, 64 → 64 at 50).
fn prefers_single_matrix(rows: usize, d_input: usize, d_output: usize, n_i: usize) -> bool {
    const PASS: usize = 4;
    let factors = rows * n_i * (d_input + d_output);
    let matrix = d_input * d_output * (n_i + PASS);
    matrix < factors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_batches_use_the_factors_and_large_ones_the_matrix() {
        assert!(!prefers_single_matrix(32, 784, 500, 50));
        assert!(prefers_single_matrix(2000, 784, 500, 50));
        assert!(!prefers_single_matrix(0, 784, 500, 50));
        assert!(!prefers_single_matrix(usize::pow(2, 20), 500, 10, 0));
    }
}
