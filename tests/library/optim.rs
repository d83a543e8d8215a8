//! Gradient descent with projection against Burn's gradient descent followed by the projection.

use crate::common::parameters::bits;
use crate::common::{Setup, assert_same, rng, setups, values};
use burn::module::{Module, Param};
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::Tensor;
use ei_norm::dale::{self, Plasticity, Sign, Weight};
use ei_norm::optim::ProjectedSgd;

#[derive(Module, Debug)]
struct Parts {
    positive: Weight<2>,
    free: Weight<2>,
    fixed: Weight<2>,
    ordinary: Param<Tensor<1>>,
}

impl Parts {
    fn new(setup: &Setup) -> Self {
        let rng = &mut rng(1);
        let mut weight = |sign, plasticity| {
            Weight::new(setup.positive(rng, [7, 9]).autodiff(), sign, plasticity)
        };
        Self {
            positive: weight(Sign::NonNegative, Plasticity::Plastic),
            free: weight(Sign::Free, Plasticity::Plastic),
            fixed: weight(Sign::NonNegative, Plasticity::Fixed),
            ordinary: Param::from_tensor(setup.random(rng, [9]).autodiff()),
        }
    }

    fn loss(&self, x: &Tensor<2>) -> Tensor<1> {
        let x = x.clone().autodiff();
        let z = x.clone().matmul(self.positive.val()) + x.clone().matmul(self.free.val());
        let z = z + x.matmul(self.fixed.val()) + self.ordinary.val().unsqueeze();
        z.square().sum()
    }

    fn step(self, optimizer: &mut ModuleOptimizer, lr: f64, x: &Tensor<2>) -> Self {
        let grads = GradientsParams::from_grads(self.loss(x).backward(), &self);
        optimizer.step(lr, self, grads)
    }
}

#[test]
fn several_steps_are_those_of_burns_sgd_and_a_projection_to_the_bit() {
    for setup in setups() {
        let (mut found, mut expected) = (Parts::new(&setup), Parts::new(&setup));
        let (mut projected, mut plain) = (ProjectedSgd.init(), SgdConfig::new().init());
        let mut zeros = 0;
        for step in 0..5 {
            let x = setup.random(&mut rng(10 + step), [3, 7]);
            found = found.step(&mut projected, 0.01, &x);
            expected = dale::project(expected.step(&mut plain, 0.01, &x));
            assert_eq!(bits(&found), bits(&expected), "{}", setup.at(step));
            let positive = values(&found.positive.val());
            zeros += positive.iter().filter(|w| **w == 0.0).count();
            assert!(values(&found.free.val()).iter().any(|w| *w < 0.0));
        }
        assert!(
            zeros > 0,
            "{}",
            setup.at("the projection had nothing to do")
        );
        assert!(dale::check(&found).is_ok());
    }
}

#[test]
fn a_tensor_that_somebody_holds_is_not_changed() {
    for setup in setups() {
        let parts = Parts::new(&setup);
        let (held, held_free) = (parts.positive.val(), parts.free.val());
        let before = (held.to_data(), held_free.to_data());
        let x = setup.random(&mut rng(2), [3, 7]);
        let after = parts.step(&mut ProjectedSgd.init(), 0.01, &x);
        let now = (held.to_data(), held_free.to_data());
        assert_eq!(now, before, "{}", setup.at("held"));
        let stepped = after.positive.val().to_data();
        assert_ne!(stepped, before.0, "{}", setup.at("stepped"));
    }
}

#[test]
fn parameters_stay_leaves_that_learn() {
    for setup in setups() {
        let parts = Parts::new(&setup);
        let id = parts.positive.id;
        let x = setup.random(&mut rng(2), [3, 7]);
        let after = parts.step(&mut ProjectedSgd.init(), 0.01, &x);
        assert_eq!(after.positive.id, id);
        assert!(after.positive.val().is_require_grad());
        assert!(!after.fixed.val().is_require_grad());
        assert_same(&after.fixed.val(), &Parts::new(&setup).fixed.val(), "fixed");
    }
}

#[test]
fn nan_is_not_hidden() {
    for setup in setups() {
        let parts = Parts::new(&setup);
        let x = setup.tensor(vec![f64::NAN; 21], [3, 7]);
        let after = parts.step(&mut ProjectedSgd.init(), 0.01, &x);
        let values = values(&after.positive.val());
        assert!(values.iter().all(|w| w.is_nan()), "{}", setup.at("nan"));
    }
}
