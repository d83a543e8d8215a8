//! Optimizers with the projection inside, against the same optimizer followed by the projection.

use crate::common::parameters::bits;
use crate::common::{Setup, assert_same, rng, setups, values};
use burn::module::{Module, Param};
use burn::optim::{
    AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, Optimizer, SgdConfig,
    momentum::MomentumConfig,
};
use burn::tensor::Tensor;
use ei_norm::dale::{self, Plasticity, Sign, Weight, mask};
use ei_norm::optim::{ExponentiatedSgdConfig, Projected, ProjectedSgd};

#[derive(Module, Debug)]
struct Parts {
    positive: Weight<2>,
    masked: Weight<2>,
    free: Weight<2>,
    fixed: Weight<2>,
    ordinary: Param<Tensor<1>>,
}

impl Parts {
    fn new(setup: &Setup) -> Self {
        let rng = &mut rng(1);
        let exists = mask::random([4, 6], 0.6, &setup.device, rng).unwrap();
        let mut weight = |sign, plasticity| {
            Weight::new(setup.positive(rng, [4, 6]).autodiff(), sign, plasticity)
        };
        let masked = weight(Sign::NonNegative, Plasticity::Plastic);
        Self {
            positive: weight(Sign::NonNegative, Plasticity::Plastic),
            masked: masked.with_mask(exists).unwrap(),
            free: weight(Sign::Free, Plasticity::Plastic),
            fixed: weight(Sign::NonNegative, Plasticity::Fixed),
            ordinary: Param::from_tensor(setup.random(rng, [6]).autodiff()),
        }
    }

    fn step(self, optimizer: &mut ModuleOptimizer, lr: f64, x: &Tensor<2>) -> Self {
        let x = x.clone().autodiff();
        let matrices = [&self.positive, &self.masked, &self.free, &self.fixed];
        let z = matrices.map(|w| x.clone().matmul(w.val())).into_iter();
        let z = z.fold(self.ordinary.val().unsqueeze(), Tensor::add);
        let grads = GradientsParams::from_grads(z.square().sum().backward(), &self);
        optimizer.step(lr, self, grads)
    }
}

/// The optimizer with the projection, and without.
fn projected(optimizer: impl Optimizer) -> [ModuleOptimizer; 2] {
    let inside = Projected::new(optimizer.clone()).init();
    [inside, ModuleOptimizer::from(optimizer)]
}

fn follows(setup: &Setup, name: &str, lr: f64, [mut inside, mut plain]: [ModuleOptimizer; 2]) {
    let (mut found, mut expected) = (Parts::new(setup), Parts::new(setup));
    let id = found.positive.id;
    let mut clipped = 0;
    for step in 0..6 {
        let x = setup.random(&mut rng(10 + step), [3, 4]);
        found = found.step(&mut inside, lr, &x);
        let free_of_sign = expected.step(&mut plain, lr, &x);
        let before = values(&free_of_sign.positive.val());
        clipped += before.iter().filter(|w| **w < 0.0).count();
        expected = dale::project(free_of_sign);
        let at = setup.at((name, step));
        assert_eq!(bits(&found), bits(&expected), "{at}");
        dale::check(&found).unwrap();
        let learns = |weight: &Weight<2>| weight.val().is_require_grad();
        assert!(learns(&found.positive) && !learns(&found.fixed), "{at}");
    }
    let at = setup.at(name);
    assert!(clipped > 0, "{at}: the projection had nothing to do");
    assert!(values(&found.free.val()).iter().any(|w| *w < 0.0), "{at}");
    assert_same(&found.fixed.val(), &Parts::new(setup).fixed.val(), &at);
    assert_eq!(found.positive.id, id, "{at}");
}

#[test]
fn every_optimizer_is_followed_to_the_bit() {
    for setup in setups() {
        let sgd = [ProjectedSgd.init(), SgdConfig::new().init()];
        follows(&setup, "sgd", 0.01, sgd);
        let adam = projected(AdamConfig::new().build());
        follows(&setup, "adam", 0.05, adam);
        let adamw = projected(AdamWConfig::new().build());
        follows(&setup, "adamw", 0.05, adamw);
        let momentum = SgdConfig::new().with_momentum(Some(MomentumConfig::new()));
        follows(&setup, "momentum", 0.01, projected(momentum.build()));
    }
}

#[test]
fn a_tensor_that_somebody_holds_is_not_changed() {
    for setup in setups() {
        let parts = Parts::new(&setup);
        let (held, held_free) = (parts.positive.val(), parts.free.val());
        let before = (held.to_data(), held_free.to_data());
        let x = setup.random(&mut rng(2), [3, 4]);
        let after = parts.step(&mut ProjectedSgd.init(), 0.01, &x);
        let now = (held.to_data(), held_free.to_data());
        assert_eq!(now, before, "{}", setup.at("held"));
        let stepped = after.positive.val().to_data();
        assert_ne!(stepped, before.0, "{}", setup.at("stepped"));
    }
}

#[test]
fn the_state_goes_through_a_record() {
    let setup = &setups()[0];
    let optimizer = || Projected::new(AdamConfig::new().build()).init();
    let x = |seed| setup.random(&mut rng(seed), [3, 4]);
    let mut first = optimizer();
    let parts = Parts::new(setup).step(&mut first, 0.05, &x(1));
    let mut second = optimizer().load_record(first.to_record());
    let step = |optimizer: &mut ModuleOptimizer| {
        let after = parts.clone().step(optimizer, 0.05, &x(2));
        after.positive.val()
    };
    let expected = step(&mut first);
    assert_same(&step(&mut second), &expected, "resumed");
    assert_ne!(values(&step(&mut optimizer())), values(&expected));
}

#[test]
fn nan_is_not_hidden() {
    for setup in setups() {
        let x = setup.tensor(vec![f64::NAN; 12], [3, 4]);
        for mut optimizer in [
            ProjectedSgd.init(),
            Projected::new(AdamConfig::new().build()).init(),
            ExponentiatedSgdConfig::new().init(),
        ] {
            let after = Parts::new(&setup).step(&mut optimizer, 0.05, &x);
            let values = values(&after.positive.val());
            assert!(values.iter().all(|w| w.is_nan()), "{}", setup.at("nan"));
        }
    }
}
