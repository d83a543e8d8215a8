use burn::tensor::Tensor;

use crate::autodiff::attach;

/// Returns `x` unchanged; in the backward pass the error at `x` is replaced by `f(error)`.
///
/// All changes to gradients between layers are built on this function: normalizing, clipping, reversing, or
/// recording them. Nothing is copied in the forward pass. If `x` is not part of an autodiff graph, `f` is
/// dropped at once and nothing is kept.
///
/// `f` receives the error dL/dx as a tensor without autodiff and is called once in each backward
/// pass in which an error arrives.
///
/// ```
/// use burn::prelude::*;
/// use ei_norm::map_grad;
///
/// let device = Device::flex().autodiff();
/// let x = Tensor::<1>::from_floats([1.0, 2.0], &device).require_grad();
/// let y = map_grad(x.clone(), |error| error * -1.0);
/// let grads = (y * 3.0).sum().backward();
/// let dx = x.grad(&grads).unwrap().into_data();
/// assert_eq!(dx, burn::tensor::TensorData::from([-3.0f32, -3.0]));
/// ```
///
/// # Shapes
///
/// - `x`, the error, `f(error)` and the result: the same shape and dtype.
///
/// # Panics
///
/// In the backward pass, if `f` returns another shape or dtype, or a tensor on another device; in
/// the forward pass, if `x` is part of a graph and its backend is compiled into Burn, but its feature
/// is not enabled in this crate.
#[must_use]
pub fn map_grad<const D: usize>(
    x: Tensor<D>,
    f: impl Fn(Tensor<D>) -> Tensor<D> + Send + Sync + 'static,
) -> Tensor<D> {
    if !x.is_tracked() {
        return x;
    }
    let parents = vec![x.clone().into_dispatch()];
    attach(x.inner(), parents, move |error, _| {
        let (shape, dtype, device) = (error.dims(), error.dtype(), error.device());
        let mapped = f(error).inner();
        assert!(
            mapped.dims() == shape && mapped.dtype() == dtype,
            "map_grad: the backward function returned shape {:?} and dtype {:?}; the error has \
             shape {shape:?} and dtype {dtype:?}",
            mapped.dims(),
            mapped.dtype(),
        );
        assert!(
            mapped.device() == device,
            "map_grad: the backward function returned a tensor on {:?}; the error is on {device:?}",
            mapped.device(),
        );
        vec![Some(mapped.into_dispatch())]
    })
}
