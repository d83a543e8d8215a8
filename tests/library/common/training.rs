//! A few steps of training, with every method of keeping Dale's law.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use ei_norm::dale::{self, NonNegative};
use ei_norm::optim::ProjectedSgd;

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
/// projection, a step would have broken it. Also returns the remaining fraction of the loss.
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
        for (name, values) in parameters(&model) {
            let is_free = FREE.contains(&name.as_str());
            assert!(is_free || values.iter().all(|v| *v >= 0.0), "{at} {name}");
            // A weight that gradient descent alone would have made negative is exactly 0.
            broken |= way == Way::ProjectedSgd && values.contains(&0.0);
        }
    }
    let has_projection = !matches!(way, Way::Reparameterized(_));
    assert_eq!(broken, has_projection, "{at}: was anything projected?");
    (model, losses[STEPS - 1] / losses[0])
}

/// Every parameter by path, with weights in place of the bases of reparameterized weights.
pub fn parameters(module: &impl Module) -> Vec<(String, Vec<f64>)> {
    #[derive(Default)]
    struct Collect(Vec<String>, Vec<(String, Vec<f64>)>);
    impl ModuleVisitor for Collect {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.0.push(name.to_owned());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.1.push((self.0.join("."), values(&param.val())));
        }
    }
    let mut collect = Collect::default();
    // A visitor would see the bases.
    module.valid().materialize().visit(&mut collect);
    collect.1
}

/// Fails unless exactly the parameters with these names are the same in both.
#[track_caller]
pub fn assert_unchanged(before: &impl Module, after: &impl Module, fixed: &[&str], at: &str) {
    let (before, after) = (parameters(before), parameters(after));
    assert_eq!(before.len(), after.len(), "{at}");
    for ((name, before), (_, after)) in before.iter().zip(&after) {
        let same = before == after;
        assert_eq!(same, fixed.contains(&name.as_str()), "{at} {name}");
    }
}
