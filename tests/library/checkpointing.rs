//! The layers on a device with gradient checkpointing: the same gradients as without it.

use crate::common::parameters::{Pass, assert_same_pass, gradients};
use crate::common::{Setup, rng, setups};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use ei_norm::{
    EiLinear, EiLinearConfig, GradNorm, GradNormConfig, GradNormMode, INormLinear,
    INormLinearConfig,
};

#[derive(Module, Debug)]
struct Model {
    hidden: INormLinear,
    norm: GradNorm,
    readout: EiLinear,
}

fn model(mode: GradNormMode, device: &Device) -> Model {
    let rng = &mut rng(1);
    let hidden = INormLinearConfig::new(6, 5).with_grad_norm(mode);
    let norm = GradNormConfig::new(5).with_mode(mode);
    Model {
        hidden: hidden.try_init_with(device, rng).unwrap(),
        norm: norm.try_init_with(device, rng).unwrap(),
        readout: EiLinearConfig::new(5, 3)
            .try_init_with(device, rng)
            .unwrap(),
    }
}

fn pass(setup: &Setup, model: &Model, device: &Device) -> Pass {
    let x = setup.positive::<2>(&mut rng(2), [4, 6]).into_data();
    let upstream = setup.random::<2>(&mut rng(3), [4, 3]).into_data();
    let x = Tensor::<2>::from_data(x, device);
    let (z, local) = model.hidden.forward_with_local_loss(x);
    let out = model.readout.forward(relu(model.norm.forward(z.sin())));
    let loss = (out * Tensor::from_data(upstream, device)).sum() + local;
    gradients(model, &loss.backward())
}

#[test]
fn checkpointing_changes_no_gradient() {
    for setup in setups() {
        let plain = setup.device.clone().autodiff();
        let device = plain.clone().gradient_checkpointing();
        for mode in GradNormMode::ALL {
            let expected = pass(&setup, &model(mode, &plain), &plain);
            let found = pass(&setup, &model(mode, &device), &device);
            let at = setup.at(mode);
            assert_same_pass(&found, &expected, 1e-4, &at);
            let learning = expected.iter().filter(|(_, grad)| grad.is_some());
            assert!(learning.count() >= 8, "{at}");
        }
    }
}

#[test]
fn every_parameter_carries_the_strategy_of_its_device() {
    struct Strategies<'a>(&'a Device);
    impl ModuleVisitor for Strategies<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let found = param.val().gradient_checkpointing_strategy();
            let expected = self.0.gradient_checkpointing_strategy();
            assert_eq!(found, expected, "shape {:?}", param.dims());
        }
    }
    for setup in setups() {
        let plain = setup.device.clone();
        let autodiff = plain.clone().autodiff();
        let checkpointing = autodiff.clone().gradient_checkpointing();
        for device in [plain, autodiff, checkpointing] {
            let mut model = model(GradNormMode::Lateral, &device);
            let w_ex = model.readout.w_ex.val().inner();
            model.readout.w_ex.set(w_ex).unwrap();
            model.visit(&mut Strategies(&device));
            ei_norm::dale::project(model).visit(&mut Strategies(&device));
        }
    }
}

#[test]
#[should_panic(expected = "must share a strategy")]
fn tensors_of_two_strategies_are_refused_with_the_reason() {
    let device = setups()[0].device.clone().autodiff();
    let layer = EiLinearConfig::new(3, 2).init(&device.clone().gradient_checkpointing());
    let _ = layer.forward(Tensor::<2>::ones([1, 3], &device).require_grad());
}
