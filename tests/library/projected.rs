//! Any optimizer with the projection inside, against the same optimizer followed by the projection.

use crate::common::{Setup, assert_same, rng, setups, values};
use burn::module::{Module, Param};
use burn::optim::{
    AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, Optimizer, SgdConfig,
    momentum::MomentumConfig,
};
use burn::tensor::Tensor;
use ei_norm::dale::{self, Plasticity, Sign, Weight};
use ei_norm::optim::Projected;

#[derive(Module, Debug)]
struct Parts {
    positive: Weight<2>,
    free: Weight<2>,
    bias: Param<Tensor<1>>,
}

impl Parts {
    fn new(setup: &Setup) -> Self {
        let rng = &mut rng(1);
        let mut weight = |sign| {
            Weight::new(
                setup.positive(rng, [4, 6]).autodiff(),
                sign,
                Plasticity::Plastic,
            )
        };
        Self {
            positive: weight(Sign::NonNegative),
            free: weight(Sign::Free),
            bias: Param::from_tensor(setup.random(rng, [6]).autodiff()),
        }
    }

    fn step(self, optimizer: &mut ModuleOptimizer, x: &Tensor<2>) -> Self {
        let x = x.clone().autodiff();
        let z = x.clone().matmul(self.positive.val()) + x.matmul(self.free.val());
        let loss = (z + self.bias.val().unsqueeze()).square().sum();
        let grads = GradientsParams::from_grads(loss.backward(), &self);
        optimizer.step(0.05, self, grads)
    }
}

fn follows(setup: &Setup, name: &str, optimizer: impl Optimizer) {
    let (mut found, mut expected) = (Parts::new(setup), Parts::new(setup));
    let mut plain = ModuleOptimizer::from(optimizer.clone());
    let mut projected = Projected::new(optimizer).init();
    let mut clipped = 0;
    for step in 0..6 {
        let x = setup.random(&mut rng(10 + step), [3, 4]);
        found = found.step(&mut projected, &x);
        let free_of_sign = expected.step(&mut plain, &x);
        let negative = |w: Tensor<2>| values(&w).iter().filter(|w| **w < 0.0).count();
        clipped += negative(free_of_sign.positive.val());
        expected = dale::project(free_of_sign);
        let at = setup.at((name, step));
        assert_same(&found.positive.val(), &expected.positive.val(), &at);
        assert_same(&found.free.val(), &expected.free.val(), &at);
        assert_same(&found.bias.val(), &expected.bias.val(), &at);
        dale::check(&found).unwrap();
        assert!(found.positive.val().is_require_grad(), "{at}");
    }
    let at = setup.at(name);
    assert!(clipped > 0, "{at}: the projection had nothing to do");
    assert!(values(&found.free.val()).iter().any(|w| *w < 0.0), "{at}");
}

#[test]
fn every_optimizer_is_followed_to_the_bit() {
    for setup in setups() {
        follows(&setup, "adam", AdamConfig::new().build());
        follows(&setup, "adamw", AdamWConfig::new().build());
        let momentum = SgdConfig::new().with_momentum(Some(MomentumConfig::new()));
        follows(&setup, "momentum", momentum.build());
    }
}

#[test]
fn the_state_goes_through_a_record() {
    let setup = &setups()[0];
    let optimizer = || Projected::new(AdamConfig::new().build()).init();
    let x = |seed| setup.random(&mut rng(seed), [3, 4]);
    let mut first = optimizer();
    let parts = Parts::new(setup).step(&mut first, &x(1));
    let mut second = optimizer();
    second = second.load_record(first.to_record());
    let expected = parts.clone().step(&mut first, &x(2));
    let found = parts.clone().step(&mut second, &x(2));
    assert_same(&found.positive.val(), &expected.positive.val(), "resumed");
    let fresh = parts.step(&mut optimizer(), &x(2));
    assert_ne!(
        values(&fresh.positive.val()),
        values(&expected.positive.val())
    );
}

#[test]
fn nan_is_not_hidden() {
    for setup in setups() {
        let x = setup.tensor(vec![f64::NAN; 12], [3, 4]);
        let mut optimizer = Projected::new(AdamConfig::new().build()).init();
        let after = Parts::new(&setup).step(&mut optimizer, &x);
        let values = values(&after.positive.val());
        assert!(values.iter().all(|w| w.is_nan()), "{}", setup.at("nan"));
    }
}
