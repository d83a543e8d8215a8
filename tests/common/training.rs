//! A few steps of training, in every way of keeping Dale's law.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use ei_norm::dale::{self, NonNegative};
use ei_norm::optim::ProjectedSgd;

use super::values;

/// How weights that are ≥ 0 stay so.
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
    /// All of them.
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

/// Trains and fails unless Dale's law holds after every step and, where there is a projection, a step
/// would have broken it. Also returns which share of the loss is left.
#[track_caller]
pub fn keeps_dales_law<M: Module>(
    model: M,
    way: Way,
    lr: f64,
    loss: impl Fn(&M) -> Tensor<1>,
    at: &str,
) -> (M, f64) {
    const STEPS: usize = 60;
    let mut model = match way {
        Way::Reparameterized(form) => dale::reparameterize(model, form),
        _ => model,
    };
    let mut optimizer = way.optimizer();
    let zeros_before = zeros(&model);
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
    }
    if way == Way::ProjectedSgd {
        // What descent alone would have made negative is exactly 0.
        broken = zeros(&model) > zeros_before;
    }
    let has_projection = !matches!(way, Way::Reparameterized(_));
    assert_eq!(broken, has_projection, "{at}: was anything projected?");
    (model, losses[STEPS - 1] / losses[0])
}

/// How many values of all parameters are 0.
fn zeros(model: &impl Module) -> usize {
    #[derive(Default)]
    struct Count(usize);
    impl ModuleVisitor for Count {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let values = values(&param.base());
            self.0 += values.iter().filter(|v| **v == 0.0).count();
        }
    }
    let mut count = Count::default();
    model.visit(&mut count);
    count.0
}
