//! Weighted sums of excitatory and inhibitory inputs.

use burn::tensor::Tensor;

use crate::check::{check_last, or_panic};
use crate::circuit::{EiFunction, check_bias, check_inhibition};
use crate::row_function::{self, Vector};
use crate::statistics::Features;

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
#[track_caller]
#[must_use]
pub fn excite<const D: usize>(x: Tensor<D>, w_ex: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<D> {
    applied(x, w_ex, None, bias)
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
#[track_caller]
#[must_use]
pub fn inhibit<const D: usize>(x: Tensor<D>, w_ix: Tensor<2>, w_ei: Tensor<2>) -> Tensor<D> {
    excite(excite(x, w_ix, None), w_ei, None)
}

/// An EI (DANN) layer, z = x W_ex − (x W_ix) W_ei + b (Cornford et al. 2021), computed in the cheaper of two
/// ways: with the three factors, or with the single matrix W_ex − W_ix W_ei.
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
#[track_caller]
#[must_use]
pub fn ei_linear<const D: usize>(
    x: Tensor<D>,
    w_ex: Tensor<2>,
    w_ix: Tensor<2>,
    w_ei: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    applied(x, w_ex, Some((w_ix, w_ei)), bias)
}

#[track_caller]
fn applied<const D: usize>(
    x: Tensor<D>,
    w_ex: Tensor<2>,
    inhibition: Option<(Tensor<2>, Tensor<2>)>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    let sizes @ [d_input, d_output] = w_ex.dims();
    or_panic(check_last("x", x.dims(), d_input));
    if let Some((w_ix, w_ei)) = &inhibition {
        or_panic(check_inhibition(["w_ix", "w_ei"], w_ix, w_ei, sizes));
    }
    or_panic(check_bias(&bias, d_output));
    let function = EiFunction {
        w_ex,
        inhibition,
        bias: bias.map(Vector::new),
        features: Features::All,
    };
    row_function::apply(function, x).0
}
