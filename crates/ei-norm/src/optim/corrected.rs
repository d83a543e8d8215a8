use burn::config::Config;
use burn::module::{Module, ParamGroup};
use burn::optim::{LearningRate, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor};

use super::ProjectedSgd;
use crate::Error;
use crate::check::{check_below_one, or_panic};
use crate::dale::{Role, RoleOf, Roles, is_constrained};
use crate::read;
use crate::statistics::widened;

/// Configuration of gradient descent with the corrections of Cornford et al. (2021) for layers with
/// inhibitory units, followed by the projection of Dale's law. The gradient of W_ix is divided by √n_e, the
/// gradient of W_ei by d, and the gradient of α by d √n_e, where the layer has d inputs and n_e outputs. With
/// these corrections inhibition moves the output about as much as excitation does, although a few inhibitory
/// units act on all outputs. Other gradients are not changed: W_ex, biases, gains, and U_ix and U_ei of
/// I-Norm.
///
/// A parameter is identified by its [`Role`]; d and n_e come from the single [`Role::Excitatory`] parameter
/// among the fields of the same layer: `[d, n_e]`, or `[n_e, inputs, height, width]` for kernels, where d =
/// inputs · height · width. The optimizer knows parameters by identity, so make it after loading a record.
///
/// ```
/// use burn::optim::GradientsParams;
/// use burn::prelude::*;
/// use ei_norm::optim::CorrectedSgdConfig;
/// use ei_norm::{EiLinearConfig, dale};
///
/// # fn main() -> Result<(), ei_norm::Error> {
/// let device = Device::flex().autodiff();
/// let mut layer = EiLinearConfig::new(8, 4).init(&device);
/// let mut optimizer = CorrectedSgdConfig::new().try_init(&layer)?;
/// let grads = layer.forward(Tensor::<2>::ones([2, 8], &device)).sum().backward();
/// let grads = GradientsParams::from_grads(grads, &layer);
/// layer = optimizer.step(0.1, layer, grads);
/// dale::check(&layer)?;
/// # Ok(())
/// # }
/// ```
#[derive(Config, Debug)]
pub struct CorrectedSgdConfig {
    /// c: the step of a parameter θ ≥ 0 is halved until ‖max(θ', 0)‖/‖θ'‖ ≥ 1 − c, where θ' is the parameter
    /// after the step and before the projection, so that the projection removes little of it. None: no
    /// halving. Each evaluation of the ratio waits for the device.
    #[config(default = "None")]
    pub max_projection: Option<f64>,
}

/// See [`CorrectedSgdConfig`].
#[derive(Debug, Clone)]
pub struct CorrectedSgd {
    /// The factor of the gradient.
    correction: f64,
    max_projection: Option<f64>,
}

/// The maximal number of halvings of a step.
const HALVINGS: usize = 40;

impl CorrectedSgdConfig {
    /// The optimizer of this module.
    ///
    /// # Panics
    ///
    /// Where [`try_init`](Self::try_init) returns an error.
    #[track_caller]
    pub fn init<M: Module>(&self, module: &M) -> ModuleOptimizer {
        or_panic(self.try_init(module))
    }

    /// The optimizer of this module.
    ///
    /// # Errors
    ///
    /// [`Error::Role`] if the layer of a parameter to be corrected does not have exactly one excitatory
    /// parameter; [`Error::Config`] if c is not in 0..1.
    pub fn try_init<M: Module>(&self, module: &M) -> Result<ModuleOptimizer, Error> {
        if let Some(c) = self.max_projection {
            check_below_one("max_projection", c)?;
        }
        let with = |correction| CorrectedSgd {
            correction,
            max_projection: self.max_projection,
        };
        let roles = Roles::of(module);
        let mut optimizer = ModuleOptimizer::from(with(1.0));
        for parameter in roles.iter() {
            let correction = correction(parameter, &roles)?;
            if correction != 1.0 {
                let group = ParamGroup::from_ids(vec![parameter.id]);
                optimizer = optimizer.with_group(group, with(correction), None);
            }
        }
        Ok(optimizer)
    }
}

/// The factor of a parameter's gradient.
fn correction(parameter: &RoleOf, roles: &Roles) -> Result<f64, Error> {
    let of_layer: fn(f64, f64) -> f64 = match parameter.role {
        Role::InhibitoryIn => |_, n_e| 1.0 / n_e.sqrt(),
        Role::InhibitoryOut => |d, _| 1.0 / d,
        Role::Shunting => |d, n_e| 1.0 / (d * n_e.sqrt()),
        _ => return Ok(1.0),
    };
    let mut excitatory = roles
        .iter()
        .filter(|other| other.role == Role::Excitatory && other.layer() == parameter.layer());
    let (Some(w_ex), None) = (excitatory.next(), excitatory.next()) else {
        return Err(Error::Role {
            path: parameter.path.clone(),
            problem: "the correction needs exactly one excitatory parameter in the same layer",
        });
    };
    let (d, n_e) = match w_ex.shape[..] {
        [d, n_e] => (d, n_e),
        [n_e, channels, height, width] => (channels * height * width, n_e),
        _ => {
            return Err(Error::Role {
                path: w_ex.path.clone(),
                problem: "an excitatory parameter needs two axes or those of kernels",
            });
        }
    };
    Ok(of_layer(d as f64, n_e as f64))
}

impl Optimizer for CorrectedSgd {
    type State<const D: usize> = ();

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<()>,
    ) -> (Tensor<D>, Option<()>) {
        let mut lr = lr * self.correction;
        if let Some(c) = self.max_projection
            && is_constrained()
        {
            let kept_at = |lr: f64| kept(tensor.clone() - grad.clone() * lr);
            let mut halvings = 0;
            while halvings < HALVINGS && kept_at(lr) < 1.0 - c {
                lr /= 2.0;
                halvings += 1;
            }
        }
        ProjectedSgd.step(lr, tensor, grad, state)
    }

    fn to_device<const D: usize>(_state: (), _device: &Device) {}
}

/// ‖max(θ, 0)‖/‖θ‖; NaN if θ is 0.
fn kept<const D: usize>(theta: Tensor<D>) -> f64 {
    // In half precision, squares of small weights would be 0.
    let theta = widened(theta);
    let norm = |t: Tensor<D>| read::scalar::<1, _, f64>(t.square().sum().sqrt());
    norm(theta.clone().clamp_min(0.0)) / norm(theta)
}
