//! The weighted sums of excitatory and inhibitory inputs.

use burn::backend::DispatchTensor;
use burn::tensor::Tensor;

use crate::grad::attach;
use crate::matmul::{add_product, product};

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
    let shape = x.dims();
    let (inputs, weights) = (rows(x.clone().inner()), w_ex.clone().inner());
    let z = add_bias(product(inputs.clone(), weights.clone()), &bias);
    let parents = [
        Some(x.into_dispatch()),
        Some(w_ex.into_dispatch()),
        bias.map(Tensor::into_dispatch),
    ];
    let affine = Affine { inputs, weights };
    attach(
        unrows(z, shape),
        parents,
        move |delta: Tensor<D>, wanted| affine.errors(rows(delta), wanted, shape),
    )
}

/// What the way back through x W + b needs.
pub(crate) struct Affine {
    /// x as a matrix.
    pub inputs: Tensor<2>,
    /// W.
    pub weights: Tensor<2>,
}

impl Affine {
    /// The errors at x (of this shape), W and b from the error at x W + b, where they are wanted.
    pub fn errors<const D: usize>(
        &self,
        delta: Tensor<2>,
        wanted: &[bool],
        shape: [usize; D],
    ) -> [Option<DispatchTensor>; 3] {
        let dx = || product(delta.clone(), self.weights.clone().transpose());
        let dw = || product(self.inputs.clone().transpose(), delta.clone());
        [
            wanted[0].then(|| unrows(dx(), shape).into_dispatch()),
            wanted[1].then(|| dw().into_dispatch()),
            wanted[2].then(|| sum_over_rows(delta.clone()).into_dispatch()),
        ]
    }
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
    excite(excite(x, w_ix, None), w_ei, None)
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
    let inhibition = Some((w_ix, w_ei));
    EiMatrices { w_ex, inhibition }.apply(x, bias)
}

/// The matrices of an EI layer.
#[derive(Debug, Clone)]
pub(crate) struct EiMatrices {
    pub w_ex: Tensor<2>,
    /// W_ix and W_ei.
    pub inhibition: Option<(Tensor<2>, Tensor<2>)>,
}

impl EiMatrices {
    /// As they are, or as the single matrix W_ex − W_ix W_ei: whichever costs less for so many rows.
    pub fn for_rows(self, rows: usize) -> Self {
        let [d_input, d_output] = self.w_ex.dims();
        match self.inhibition {
            Some((w_ix, w_ei))
                if prefers_single_matrix(rows, d_input, d_output, w_ix.dims()[1]) =>
            {
                Self {
                    w_ex: self.w_ex - w_ix.matmul(w_ei),
                    inhibition: None,
                }
            }
            _ => self,
        }
    }

    /// x W_ex − (x W_ix) W_ei + b, by the cheaper route.
    pub fn apply<const D: usize>(self, x: Tensor<D>, bias: Option<Tensor<1>>) -> Tensor<D> {
        let rows = x.shape().num_elements() / self.w_ex.dims()[0].max(1);
        let Self { w_ex, inhibition } = self.for_rows(rows);
        match inhibition {
            Some((w_ix, w_ei)) => factors(x, w_ex, w_ix, w_ei, bias),
            None => excite(x, w_ex, bias),
        }
    }
}

/// x W_ex − (x W_ix) W_ei + b as one node.
///
/// With h = x W_ix and e = δ W_eiᵀ, the error δ of the result sends back
/// dx = δ W_exᵀ − e W_ixᵀ, dW_ex = xᵀ δ, dW_ix = −xᵀ e and dW_ei = −hᵀ δ.
fn factors<const D: usize>(
    x: Tensor<D>,
    w_ex: Tensor<2>,
    w_ix: Tensor<2>,
    w_ei: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    let shape = x.dims();
    let inputs = rows(x.clone().inner());
    let [ex, ix, ei] = [&w_ex, &w_ix, &w_ei].map(|w| w.clone().inner());
    let h = product(inputs.clone(), ix.clone());
    let z = add_bias(product(inputs.clone(), ex.clone()), &bias);
    let z = add_product(z, -1.0, h.clone(), ei.clone());
    let parents = [
        Some(x.into_dispatch()),
        Some(w_ex.into_dispatch()),
        Some(w_ix.into_dispatch()),
        Some(w_ei.into_dispatch()),
        bias.map(Tensor::into_dispatch),
    ];
    attach(
        unrows(z, shape),
        parents,
        move |delta: Tensor<D>, wanted| {
            let delta = rows(delta);
            let e =
                (wanted[0] || wanted[2]).then(|| product(delta.clone(), ei.clone().transpose()));
            let dx = |e: Tensor<2>| {
                let excitatory = product(delta.clone(), ex.clone().transpose());
                unrows(
                    add_product(excitatory, -1.0, e, ix.clone().transpose()),
                    shape,
                )
            };
            let turned = inputs.clone().transpose();
            [
                e.clone()
                    .filter(|_| wanted[0])
                    .map(|e| dx(e).into_dispatch()),
                wanted[1].then(|| product(turned.clone(), delta.clone()).into_dispatch()),
                e.filter(|_| wanted[2])
                    .map(|e| product(turned, -e).into_dispatch()),
                wanted[3].then(|| product(-h.clone().transpose(), delta.clone()).into_dispatch()),
                wanted[4].then(|| sum_over_rows(delta).into_dispatch()),
            ]
        },
    )
}

/// All axes but the last as one, outside of any graph.
pub(crate) fn rows<const D: usize>(x: Tensor<D>) -> Tensor<2> {
    let [count, features] = match x.dims().split_last() {
        Some((features, leading)) => [leading.iter().product(), *features],
        None => [1, 1],
    };
    reshaped(x, [count, features])
}

/// The axes of `shape` again, but for the last, which is that of `x`, outside of any graph.
pub(crate) fn unrows<const D: usize>(x: Tensor<2>, shape: [usize; D]) -> Tensor<D> {
    let mut shape = shape;
    shape[D - 1] = x.dims()[1];
    reshaped(x, shape)
}

/// `x` in this shape; Burn takes a size of 0 for one that is to be kept.
fn reshaped<const D: usize, const E: usize>(x: Tensor<D>, shape: [usize; E]) -> Tensor<E> {
    match x.shape().num_elements() {
        0 => Tensor::zeros(shape, (&x.device(), x.dtype())),
        _ => x.reshape(shape),
    }
}

/// z + b, outside of any graph.
pub(crate) fn add_bias(z: Tensor<2>, bias: &Option<Tensor<1>>) -> Tensor<2> {
    match bias {
        Some(bias) => z + bias.clone().inner().unsqueeze(),
        None => z,
    }
}

pub(crate) fn sum_over_rows(delta: Tensor<2>) -> Tensor<1> {
    delta.sum_dim(0).squeeze_dim(0)
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
