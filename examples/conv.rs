//! Does the normalization of errors carry over to convolutions?
//! `cargo run --release --example conv -- --help`
//!
//! Two 5×5 convolutions of stride 2 and an EI readout on Fashion-MNIST under variable luminosity:
//! without normalization, with I-Norm over the channels of each position, and with GradNorm behind it.

use std::process::ExitCode;

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use ei_norm::{
    EiConv2d, EiConv2dConfig, EiLinear, EiLinearConfig, Error, INormConv2d, INormConv2dConfig,
    Inhibitory,
};
use luminosity::cli::{CarryOver, carry_over};
use luminosity::condition::HiddenSpec;
use luminosity::data::CLASSES;
use luminosity::learner::{add_losses, clip_errors, refuse};
use luminosity::model::EPSILON;
use luminosity::{Learner, RunConfig};
use rand_chacha::ChaCha8Rng;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIDE: usize = 28;
const KERNEL: [usize; 2] = [5, 5];
const STRIDE: [usize; 2] = [2, 2];
/// 28 → 12 → 4.
const LAST_SIDE: usize = 4;

#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // A network has two of these.
enum Hidden {
    Ei(EiConv2d),
    INorm(INormConv2d),
}

impl Hidden {
    fn create(
        channels: [usize; 2],
        config: &RunConfig,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, Error> {
        match config.condition.hidden() {
            HiddenSpec::Ei {
                inhibition: true,
                normalization: None,
            } => EiConv2dConfig::new(channels, KERNEL)
                .with_stride(STRIDE)
                .with_initializer(config.init)
                .try_init_with(device, rng)
                .map(Self::Ei),
            HiddenSpec::Ei { .. } | HiddenSpec::INormLearnedLateral => {
                Err(refuse(config.condition))
            }
            HiddenSpec::INorm {
                divisive,
                error_norm,
            } => INormConv2dConfig::new(channels, KERNEL)
                .with_stride(STRIDE)
                .with_initializer(config.init)
                .with_divisive(divisive)
                .with_grad_norm(error_norm)
                .with_epsilon(EPSILON)
                .try_init_with(device, rng)
                .map(Self::INorm),
        }
    }

    fn forward(&self, x: Tensor<4>) -> (Tensor<4>, Option<Tensor<1>>) {
        match self {
            Self::Ei(layer) => (layer.forward(x), None),
            Self::INorm(layer) => {
                let (z, local) = layer.forward_with_local_loss(x);
                (z, Some(local))
            }
        }
    }
}

#[derive(Module, Debug)]
struct Network {
    first: Hidden,
    second: Hidden,
    readout: EiLinear,
    #[module(skip)]
    clip: Option<f64>,
}

impl Learner for Network {
    fn create(config: &RunConfig, device: &Device, rng: &mut ChaCha8Rng) -> Result<Self, Error> {
        let width = config.width;
        let features = 2 * width * LAST_SIDE * LAST_SIDE;
        Ok(Self {
            first: Hidden::create([1, width], config, device, rng)?,
            second: Hidden::create([width, 2 * width], config, device, rng)?,
            readout: EiLinearConfig::new(features, CLASSES)
                .with_inhibitory(Inhibitory::Count(1))
                .with_initializer(config.init)
                .try_init_with(device, rng)?,
            clip: config.clip_errors,
        })
    }

    fn logits(&self, x: Tensor<2>) -> Tensor<2> {
        self.logits_with_local_loss(x).0
    }

    fn logits_with_local_loss(&self, x: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>) {
        let [batch, _] = x.dims();
        let (z, of_first) = self.first.forward(x.reshape([batch, 1, SIDE, SIDE]));
        let (z, of_second) = self.second.forward(relu(clip_errors(z, self.clip)));
        let features = relu(clip_errors(z, self.clip)).flatten(1, 3);
        let logits = self.readout.forward(features);
        (logits, add_losses(of_first, of_second))
    }
}

fn main() -> ExitCode {
    let program = CarryOver {
        name: "conv",
        about: "Convolutional EI networks on Fashion-MNIST under variable luminosity: no \
                normalization, I-Norm forward only, I-Norm with normalization of errors",
        examples: "Examples:
  conv                                  three conditions, three seeds
  conv --epsilon 0.5 --seeds 5 --out results
  conv --full --epochs 5
  conv --smoke",
        width: "Channels of the first convolution; the second has twice as many",
        defaults: &[
            ("conditions", "none,inorm,inorm+full"),
            ("width", "12"),
            ("epochs", "10"),
            ("lr", "0.01"),
            ("lr_ix", "0.001"),
            ("lr_ei", "0.0001"),
            ("out", "conv-results"),
        ],
    };
    carry_over::<Network>(program, std::env::args_os())
}
