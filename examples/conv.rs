//! A custom convolutional network in the experiment, with every command, condition, stimulus, table and
//! figure of the program.
//!
//! ```sh
//! cargo run --release --example conv -- --network pooled --conditions none,inorm,inorm+full
//! ```

use std::process::ExitCode;

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use ei_norm::layer::Conv2d;
use ei_norm::{EiLinear, EiLinearConfig, Error, Inhibitory};
use luminosity::network::{ConvHidden, Learner, Network, NetworkSpec, Task, add_losses};
use luminosity::{RunConfig, cli};
use rand_chacha::ChaCha8Rng;

/// Two convolutions, the mean of each channel over all positions, and a readout.
#[derive(Module, Debug)]
struct Pooled {
    first: ConvHidden,
    second: ConvHidden,
    readout: EiLinear,
    #[module(skip)]
    image: [usize; 3],
}

impl Learner for Pooled {
    fn create(
        config: &RunConfig,
        task: Task,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, Error> {
        let width = config.width;
        let mut convolution = |channels: [usize; 2]| {
            let mut geometry = Conv2d::new(channels, [5, 5]);
            geometry.stride = [2, 2];
            ConvHidden::convolution(config, geometry, None, device, rng)
        };
        Ok(Self {
            first: convolution([task.shape.channels, width])?,
            second: convolution([width, 2 * width])?,
            readout: EiLinearConfig::new(2 * width, task.classes)
                .with_inhibitory(Inhibitory::Count(1))
                .try_init_with(device, rng)?,
            image: [task.shape.channels, task.shape.height, task.shape.width],
        })
    }

    fn logits_with_local_loss(&self, x: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>) {
        let [batch, _] = x.dims();
        let [channels, height, width] = self.image;
        let x = x.reshape([batch, channels, height, width]);
        let (z, of_first) = self.first.forward(x);
        let (z, of_second) = self.second.forward(relu(z));
        let means = relu(z).flatten::<3>(2, 3).mean_dim(2).squeeze_dim(2);
        (self.readout.forward(means), add_losses(of_first, of_second))
    }
}

fn main() -> ExitCode {
    let spec = NetworkSpec {
        defaults: |config| (config.width, config.lr) = (12, 0.01),
        ..NetworkSpec::of::<Pooled>("pooled", "two convolutions and a mean over positions")
    };
    if let Err(error) = Network::define(spec) {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    cli::main(std::env::args_os())
}
