//! A few steps of training, with every method of keeping Dale's law.

use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use ei_norm::dale::{self, NonNegative};
use ei_norm::optim::ProjectedSgd;

use super::parameters::weights;
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
}

impl Way {
    /// All methods.
    pub const ALL: [Self; 5] = [
        Self::ProjectedSgd,
        Self::Projection,
        Self::Reparameterized(NonNegative::Softplus),
        Self::Reparameterized(NonNegative::Square),
        Self::Reparameterized(NonNegative::Abs),
    ];

    fn optimizer(self) -> ModuleOptimizer {
        match self {
            Self::ProjectedSgd => ProjectedSgd.init(),
            _ => AdamConfig::new().init(),
        }
    }
}

/// The parameters of the layers that may have any sign.
const FREE: [&str; 4] = ["bias", "u_ix", "alpha", "signs"];

/// Trains a layer without zeros and fails unless Dale's law holds after every step and, if there is a
/// projection, a step would have broken it. Also returns the losses.
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
        Way::Reparameterized(form) => dale::reparameterize(model, form),
        _ => model,
    };
    let mut optimizer = way.optimizer();
    let mut losses = Vec::new();
    let mut broken = false;
    for _ in 0..STEPS {
        let loss = loss(&model);
        losses.push(values(&loss)[0]);
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(lr, model, grads);
        if way == Way::Projection {
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
    let has_projection = !matches!(way, Way::Reparameterized(_));
    assert_eq!(broken, has_projection, "{at}: was anything projected?");
    (model, losses)
}
