//! The crate as a program sees it that depends on it alone: a layer of each kind learns and keeps its
//! signs, and a record brings it back.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use ei_norm::optim::ProjectedSgd;
use ei_norm::prelude::*;

/// The loss before and after 30 steps.
fn trained<M: Module>(mut model: M, loss: impl Fn(&M) -> Tensor<1>) -> (f32, f32) {
    let before = loss(&model).into_scalar::<f32>();
    let mut optimizer = ProjectedSgd.init();
    for _ in 0..30 {
        let grads = GradientsParams::from_grads(loss(&model).backward(), &model);
        model = optimizer.step(0.01, model, grads);
    }
    dale::check(&model).unwrap();
    let copy = model.clone().load_record(model.clone().into_record());
    let after = loss(&model).into_scalar::<f32>();
    assert_eq!(loss(&copy).into_scalar::<f32>(), after);
    (before, after)
}

#[test]
fn every_kind_of_layer_learns_and_keeps_its_signs() {
    let device = &Device::flex().autodiff();
    device.seed(1);
    let rows = Tensor::<2>::ones([3, 8], device) * 0.5;
    let error = |z: Tensor<2>| (z - 1.0).square().mean();
    let dense: EiLinear = EiLinearConfig::new(8, 4).init(device);
    let (before, after) = trained(dense, |m| error(m.forward(rows.clone())));
    assert!(after < before, "{before} {after}");
    let images = rows.clone().reshape([3, 2, 2, 2]);
    let convolution = EiConv2dConfig::new([2, 4], [2, 2]).init(device);
    let (before, after) = trained(convolution, |m| {
        error(m.forward(images.clone()).reshape([3, 4]))
    });
    assert!(after < before, "{before} {after}");
    let sequences = rows.reshape([3, 2, 4]);
    let network = INormRnnConfig::new(4, 5).init(device);
    let (before, after) = trained(network, |m| {
        let (_, last, local) = m.forward_with_local_loss(sequences.clone(), None);
        error(last.into_hidden()) + local * 0.01
    });
    assert!(after < before, "{before} {after}");
}
