//! A model with an excitatory/inhibitory layer and normalized errors, trained on a sum:
//! `cargo run --release -p ei-norm --features flex,optim --example layer`.

use burn::optim::GradientsParams;
use burn::prelude::*;
use burn::tensor::activation::relu;
use ei_norm::optim::ProjectedSgd;
use ei_norm::prelude::*;
use ei_norm::rand::SeedableRng;

#[derive(Module, Debug)]
struct Model {
    hidden: EiLinear,
    norm: GradNorm,
    readout: EiLinear,
}

impl Model {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let z = self.norm.forward(self.hidden.forward(x));
        self.readout.forward(relu(z))
    }
}

fn main() -> Result<(), ei_norm::Error> {
    let device = Device::flex().autodiff();
    let rng = &mut rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let mut model = Model {
        hidden: EiLinearConfig::new(4, 20).try_init_with(&device, rng)?,
        norm: GradNormConfig::new(20)
            .with_mode(GradNormMode::Center)
            .try_init_with(&device, rng)?,
        readout: EiLinearConfig::new(20, 1)
            .with_initializer(EiInitializer::Iclr)
            .try_init_with(&device, rng)?,
    };
    println!("{model}");
    let values: Vec<f32> = (0..64).map(|i| (i * 7 % 32) as f32 / 32.0).collect();
    let x: Tensor<2> = Tensor::<1>::from_floats(values.as_slice(), &device).reshape([16, 4]);
    let target = x.clone().sum_dim(1);
    let mut optimizer = ProjectedSgd.init();
    for step in 0..=200 {
        let loss = (model.forward(x.clone()) - target.clone()).square().mean();
        if step % 50 == 0 {
            println!(
                "step {step:3}: loss {:.4}",
                loss.clone().into_scalar::<f32>()
            );
        }
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(0.02, model, grads);
    }
    dale::check(&model)
}
