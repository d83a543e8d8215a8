use std::collections::BTreeMap;

use burn::optim::{LearningRate, ModuleOptimizer, Optimizer};
use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::dale::{Role, announced, is_constrained};

/// Plain stochastic gradient descent that keeps Dale's law: w ← max(w − lr g, 0) for a
/// [`Weight`](crate::dale::Weight) that must be non-negative, w ← w − lr g for other parameters.
///
/// The result is bit for bit the same as with Burn's `Sgd` without momentum followed by
/// [`dale::project`](crate::dale::project), but needs only one pass over the weights, in place. NaN stays
/// NaN.
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
        (descend(tensor, grad, &[lr], |grad| grad * lr), None)
    }

    fn to_device<const D: usize>(_state: (), _device: &Device) {}
}

/// [`ProjectedSgd`] for a [`Population`](crate::circuit::Population): each network has separate learning
/// rates, one for each role of a parameter. Burn's learning rate multiplies them.
///
/// ```
/// use burn::optim::GradientsParams;
/// use burn::prelude::*;
/// use ei_norm::dale::Role;
/// use ei_norm::optim::PopulationSgd;
/// use ei_norm::{EiLinearConfig, circuit::Population};
///
/// let device = Device::flex().autodiff();
/// let layer = || EiLinearConfig::new(8, 4).init(&device).circuit;
/// let population = Population::stack(vec![layer(), layer()])?;
/// let before = population.unstack();
/// let mut optimizer = PopulationSgd::new()
///     .with_rates(&[Role::Excitatory], &[0.0, 0.1], &device)
///     .with_rates(&[Role::Bias, Role::InhibitoryIn, Role::InhibitoryOut], &[0.0, 0.2], &device)
///     .init();
/// let loss = population.forward(Tensor::<3>::ones([2, 3, 8], &device)).sum();
/// let grads = GradientsParams::from_grads(loss.backward(), &population);
/// let after = optimizer.step(1.0, population, grads).unstack();
/// let moved = |k: usize| (after[k].w_ex.val() - before[k].w_ex.val()).abs().sum().into_scalar::<f32>();
/// assert!(moved(0) == 0.0 && moved(1) > 0.0);
/// # Ok::<(), ei_norm::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct PopulationSgd {
    rates: BTreeMap<Role, Rates>,
}

/// One rate for each network, on the host and on the device.
#[derive(Debug, Clone)]
struct Rates {
    on_host: Vec<f64>,
    on_device: Tensor<1>,
}

impl PopulationSgd {
    /// An optimizer in which every rate is 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the rates of the parameters with these roles, one for each network.
    #[must_use]
    pub fn with_rates(mut self, roles: &[Role], rates: &[f64], device: &Device) -> Self {
        let rates = Rates {
            on_host: rates.to_vec(),
            on_device: Tensor::from_data(TensorData::from(rates), device).inner(),
        };
        let of_roles = roles.iter().map(|role| (*role, rates.clone()));
        self.rates.extend(of_roles);
        self
    }

    /// The optimizer of a module whose parameters all have a leading axis of networks.
    pub fn init(self) -> ModuleOptimizer {
        ModuleOptimizer::from(self)
    }
}

impl Optimizer for PopulationSgd {
    type State<const D: usize> = ();

    /// # Panics
    ///
    /// If the number of rates is not the number of networks.
    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        _state: Option<()>,
    ) -> (Tensor<D>, Option<()>) {
        let Some(rates) = announced().role.and_then(|role| self.rates.get(&role)) else {
            return ProjectedSgd.step(lr, tensor, grad, None);
        };
        let (networks, found) = (tensor.dims()[0], rates.on_host.len());
        assert!(found == networks, "{found} rates for {networks} networks");
        let on_host: Vec<f64> = rates.on_host.iter().map(|rate| rate * lr).collect();
        let updated = descend(tensor, grad, &on_host, |grad| {
            let mut shape = [1; D];
            shape[0] = networks;
            let on_device = match grad.dtype() {
                // Even for a few numbers, each operation is a kernel launch on a GPU.
                DType::F32 if lr == 1.0 => rates.on_device.clone().cast(DType::F32),
                dtype => Tensor::from_data(on_host.as_slice(), (&grad.device(), dtype)),
            };
            grad * on_device.reshape(shape)
        });
        (updated, None)
    }

    fn to_device<const D: usize>(_state: (), _device: &Device) {}
}

/// w ← w − r g, then Dale's law. The parameter consists of as many equal parts as there are rates, each with
/// its own rate r; `scaled` computes r g in tensor operations.
fn descend<const D: usize>(
    tensor: Tensor<D>,
    grad: Tensor<D>,
    rates: &[f64],
    scaled: impl Fn(Tensor<D>) -> Tensor<D>,
) -> Tensor<D> {
    let non_negative = is_constrained();
    #[cfg(feature = "flex")]
    let tensor = match host::descend(tensor, &grad, rates, non_negative) {
        Ok(tensor) => return tensor,
        Err(tensor) => tensor,
    };
    #[cfg(not(feature = "flex"))]
    let _ = rates;
    let updated = tensor - scaled(grad);
    match non_negative {
        true => updated.clamp_min(0.0),
        false => updated,
    }
}

/// The step in place, in the memory of Flex.
#[cfg(feature = "flex")]
mod host {
    use burn::backend::flex::FlexTensor;
    use burn::tensor::{DType, Tensor};

    use crate::storage::{self, Real};

    /// The updated tensor; or the tensor unchanged, if its memory is shared or not on Flex, or the gradient
    /// has another layout.
    #[allow(clippy::result_large_err)] // `Err` hands the tensor back.
    pub(super) fn descend<const D: usize>(
        tensor: Tensor<D>,
        grad: &Tensor<D>,
        rates: &[f64],
        non_negative: bool,
    ) -> Result<Tensor<D>, Tensor<D>> {
        let Some(grad) = storage::on_host(grad) else {
            return Err(tensor);
        };
        storage::in_place(tensor, |weights| match weights.dtype() {
            DType::F32 => update::<f32>(weights, &grad, rates, non_negative),
            DType::F64 => update::<f64>(weights, &grad, rates, non_negative),
            _ => None,
        })
    }

    fn update<T: Real>(
        weights: &mut FlexTensor,
        grad: &FlexTensor,
        rates: &[f64],
        non_negative: bool,
    ) -> Option<()> {
        let (weights, grad) = (storage::values_mut::<T>(weights)?, grad.as_slice::<T>()?);
        (weights.len() == grad.len()).then_some(())?;
        let part = (weights.len() / rates.len()).max(1);
        let parts = weights.chunks_mut(part).zip(grad.chunks(part));
        for ((weights, grad), rate) in parts.zip(rates) {
            let (rate, zero) = (T::narrow(*rate), T::default());
            // Rounded twice, as by the two tensor operations.
            let moved = weights
                .iter_mut()
                .zip(grad)
                .map(|(w, g)| (*w - *g * rate, w));
            match non_negative {
                // This form keeps NaN.
                true => moved.for_each(|(v, w)| *w = if v <= zero { zero } else { v }),
                false => moved.for_each(|(v, w)| *w = v),
            }
        }
        Some(())
    }
}
