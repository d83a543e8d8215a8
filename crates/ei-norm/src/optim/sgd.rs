use burn::optim::{LearningRate, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor};

use crate::dale::{Sign, announced_sign};

/// Plain stochastic gradient descent that keeps Dale's law: w ← max(w − lr g, 0) where a
/// [`Weight`](crate::dale::Weight) is non-negative, w ← w − lr g everywhere else.
///
/// The result is, to the bit, that of Burn's `Sgd` without momentum followed by
/// [`dale::project`](crate::dale::project); it is reached in one pass over the weights, in place.
/// NaN stays NaN.
///
/// ```
/// use burn::optim::GradientsParams;
/// use burn::prelude::*;
/// use ei_norm::optim::ProjectedSgd;
/// use ei_norm::{EiLinearConfig, dale};
///
/// let device = Device::flex().autodiff();
/// let mut layer = EiLinearConfig::new(8, 4).init(&device);
/// let mut optimizer = ProjectedSgd.init();
/// let grads = layer.forward(Tensor::<2>::ones([2, 8], &device)).sum().backward();
/// let grads = GradientsParams::from_grads(grads, &layer);
/// layer = optimizer.step(10.0, layer, grads);
/// assert!(dale::check(&layer).is_ok());
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct ProjectedSgd;

impl ProjectedSgd {
    /// The optimizer of a module.
    pub fn init(self) -> ModuleOptimizer {
        ModuleOptimizer::from(self)
    }
}

impl Optimizer for ProjectedSgd {
    type State<const D: usize> = ();

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        _state: Option<()>,
    ) -> (Tensor<D>, Option<()>) {
        let non_negative = announced_sign() == Some(Sign::NonNegative);
        #[cfg(feature = "flex")]
        let tensor = match host::descend(tensor, &grad, lr, non_negative) {
            Ok(tensor) => return (tensor, None),
            Err(tensor) => tensor,
        };
        let updated = tensor - grad * lr;
        match non_negative {
            true => (updated.clamp_min(0.0), None),
            false => (updated, None),
        }
    }

    fn to_device<const D: usize>(_state: (), _device: &Device) {}
}

/// The step on the memory of Flex.
#[cfg(feature = "flex")]
mod host {
    use burn::backend::flex::FlexTensor;
    use burn::backend::{BackendTensor, DispatchTensorKind};
    use burn::tensor::{DType, Tensor};

    use crate::storage;

    /// The updated tensor, or the tensor as it was if its memory is shared or not on Flex, or the
    /// gradient is laid out otherwise.
    #[allow(clippy::result_large_err)] // Not an error in Rust's sense: the tensor, handed back.
    pub(super) fn descend<const D: usize>(
        tensor: Tensor<D>,
        grad: &Tensor<D>,
        lr: f64,
        non_negative: bool,
    ) -> Result<Tensor<D>, Tensor<D>> {
        let Some(grad) = storage::on_host(grad) else {
            return Err(tensor);
        };
        let mut tensor = tensor.into_dispatch();
        let done = match &mut tensor.kind {
            DispatchTensorKind::Flex(BackendTensor::Float(weights)) => {
                in_place(weights, &grad, lr, non_negative)
            }
            _ => None,
        };
        let tensor = Tensor::from_dispatch(tensor);
        match done {
            Some(()) => Ok(tensor),
            None => Err(tensor),
        }
    }

    fn in_place(
        weights: &mut FlexTensor,
        grad: &FlexTensor,
        lr: f64,
        non_negative: bool,
    ) -> Option<()> {
        macro_rules! update {
            ($real:ty) => {{
                let grad = grad.as_slice::<$real>()?;
                let (start, end) = weights.layout().contiguous_offsets()?;
                let weights = weights.try_storage_mut::<$real>()?.get_mut(start..end)?;
                let lr = lr as $real;
                // Rounded twice, as the two operations that this stands for.
                let moved = weights.iter_mut().zip(grad).map(|(w, g)| (*w - g * lr, w));
                match non_negative {
                    // Written so that NaN stays.
                    true => moved.for_each(|(v, w)| *w = if v <= 0.0 { 0.0 } else { v }),
                    false => moved.for_each(|(v, w)| *w = v),
                }
            }};
        }
        match (weights.dtype(), grad.dtype()) {
            (DType::F32, DType::F32) => update!(f32),
            (DType::F64, DType::F64) => update!(f64),
            _ => return None,
        }
        Some(())
    }
}
