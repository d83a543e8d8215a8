//! A few steps of training, with every method of keeping Dale's law.

use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::Tensor;
use ei_norm::dale::{self, NonNegative};
use ei_norm::optim::ProjectedSgd;

use super::parameters::{gradients, weights};
use super::values;

/// The method that keeps weights ≥ 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Way {
    /// Descent and projection in one pass.
    ProjectedSgd,
    /// Adam, then the projection.
    Projection,
    /// Adam on the bases of reparameterized weights; never a projection.
    Reparameterized(NonNegative),
    /// Gradient descent on the bases, then the projection, which finds nothing to do.
    Descent(NonNegative),
}

impl Way {
    /// All methods.
    pub const ALL: [Self; 7] = [
        Self::ProjectedSgd,
        Self::Projection,
        Self::Reparameterized(NonNegative::Softplus),
        Self::Reparameterized(NonNegative::Square),
        Self::Reparameterized(NonNegative::Abs),
        Self::Descent(NonNegative::Softplus),
        Self::Descent(NonNegative::Abs),
    ];

    fn optimizer(self) -> ModuleOptimizer {
        match self {
            Self::ProjectedSgd => ProjectedSgd.init(),
            Self::Descent(_) => SgdConfig::new().init(),
            _ => AdamConfig::new().init(),
        }
    }
}

/// The parameters of the layers that may have any sign.
const FREE: [&str; 4] = ["bias", "u_ix", "alpha", "signs"];

/// Trains a layer without zeros. Fails unless Dale's law holds after every step, every step has gradients for
/// the same parameters, and a step alone breaks the law if and only if weights are not reparameterized. Also
/// returns the losses.
#[track_caller]
pub fn keeps_dales_law<M: Module>(
    model: M,
    way: Way,
    lr: f64,
    loss: impl Fn(&M) -> Tensor<1>,
    at: &str,
) -> (M, Vec<f64>) {
    const STEPS: usize = 60;
    let mut model = match way {
        Way::Reparameterized(form) | Way::Descent(form) => dale::reparameterize(model, form),
        _ => model,
    };
    let mut optimizer = way.optimizer();
    let mut losses = Vec::new();
    let (mut broken, mut learning) = (false, None);
    for _ in 0..STEPS {
        let loss = loss(&model);
        losses.push(values(&loss)[0]);
        let grads = loss.backward();
        let of_step = gradients(&model, &grads).into_iter();
        let of_step: Vec<_> = of_step.map(|(name, grad)| (name, grad.is_some())).collect();
        let first = learning.get_or_insert_with(|| of_step.clone());
        assert_eq!(&of_step, first, "{at}: a gradient?");
        let grads = GradientsParams::from_grads(grads, &model);
        model = optimizer.step(lr, model, grads);
        if matches!(way, Way::Projection | Way::Descent(_)) {
            broken |= dale::check(&model).is_err();
            model = dale::project(model);
        }
        dale::check(&model).unwrap_or_else(|error| panic!("{at}: {error}"));
        for (name, values) in weights(&model) {
            let is_free = FREE.contains(&name.as_str());
            assert!(is_free || values.iter().all(|v| *v >= 0.0), "{at} {name}");
            // A weight that gradient descent alone would have made negative is exactly 0.
            broken |= way == Way::ProjectedSgd && values.contains(&0.0);
        }
    }
    let is_plain = matches!(way, Way::ProjectedSgd | Way::Projection);
    assert_eq!(broken, is_plain, "{at}: was anything projected?");
    (model, losses)
}
