//! Dale's law in a custom Burn model: `cargo run --release --example quickstart`.
//!
//! A small classifier learns two noisy clusters whose brightness varies from example to example.
//! An ordinary Burn model needs three changes: EI layers instead of `Linear`, the local loss of the layers
//! that learn to normalize, and a projection after each step.

use burn::module::Module;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Distribution, Int, Tensor};
use ei_norm::functional::smoothed_cross_entropy;
use ei_norm::prelude::*;

#[derive(Module, Debug)]
struct Classifier {
    hidden: INormLinear,
    readout: EiLinear,
}

impl Classifier {
    fn new(device: &Device) -> Result<Self, ei_norm::Error> {
        Ok(Self {
            hidden: INormLinearConfig::new(20, 30)
                .with_grad_norm(GradNormMode::Full)
                .try_init(device)?,
            readout: EiLinearConfig::new(30, 2)
                .with_inhibitory(Inhibitory::Count(1))
                .try_init(device)?,
        })
    }

    /// The logits and the local loss.
    fn forward(&self, x: Tensor<2>) -> (Tensor<2>, Tensor<1>) {
        let (z, local) = self.hidden.forward_with_local_loss(x);
        (self.readout.forward(relu(z)), local)
    }
}

/// Non-negative inputs `[batch, 20]` of two classes; each example has a random brightness.
fn examples(batch: usize, device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
    let class = Tensor::<1, Int>::arange(0..batch as i64, device) % 2;
    let feature = Tensor::<1, Int>::arange(0..20, device) % 2;
    let same = feature
        .unsqueeze::<2>()
        .equal(class.clone().unsqueeze_dim::<2>(1));
    let noise = Tensor::random([batch, 20], Distribution::Uniform(0.0, 0.5), device);
    let brightness = Tensor::random([batch, 1], Distribution::Uniform(0.2, 1.0), device);
    ((noise + same.float() * 0.5) * brightness, class)
}

fn main() -> Result<(), ei_norm::Error> {
    let device = Device::flex().autodiff();
    device.seed(1);
    let mut model = Classifier::new(&device)?;
    println!("{model}");
    let mut optimizer = SgdConfig::new().init();

    for step in 1..=300 {
        let (x, labels) = examples(32, &device);
        let (logits, local) = model.forward(x);
        let task = smoothed_cross_entropy(logits, labels, 0.0);
        if step % 100 == 1 {
            println!(
                "step {step:>3}: loss {:.3}",
                task.clone().into_scalar::<f32>()
            );
        }
        let grads = (task + local * 0.01).backward();
        let grads = GradientsParams::from_grads(grads, &model);
        model = dale::project(optimizer.step(0.05, model, grads));
    }

    let (x, labels) = examples(1000, &device);
    let (logits, _) = model.valid().forward(x.inner());
    let correct = logits.argmax(1).squeeze_dim::<1>(1).equal(labels.inner());
    let accuracy: f32 = correct.float().mean().into_scalar();
    println!("accuracy on new examples: {:.1} %", 100.0 * accuracy);
    dale::check(&model)
}
