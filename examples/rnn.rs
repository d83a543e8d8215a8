//! Does the normalization of errors carry over to recurrent networks?
//! `cargo run --release --example rnn -- --help`
//!
//! An EI network that reads the images of Fashion-MNIST row by row, under variable luminosity, and an
//! EI readout of its last state: without normalization, with I-Norm at each step, and with GradNorm
//! behind it.

use std::process::ExitCode;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use ei_norm::{
    EiLinear, EiLinearConfig, EiRnn, EiRnnConfig, Error, INormRnn, INormRnnConfig, Inhibitory,
};
use luminosity::cli::{CarryOver, carry_over};
use luminosity::condition::HiddenSpec;
use luminosity::data::CLASSES;
use luminosity::learner::refuse;
use luminosity::model::EPSILON;
use luminosity::{Learner, RunConfig};
use rand_chacha::ChaCha8Rng;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIDE: usize = 28;

#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // A network has one of these.
enum Hidden {
    Ei(EiRnn),
    INorm(INormRnn),
}

#[derive(Module, Debug)]
struct Network {
    hidden: Hidden,
    readout: EiLinear,
}

impl Learner for Network {
    fn create(config: &RunConfig, device: &Device, rng: &mut ChaCha8Rng) -> Result<Self, Error> {
        let hidden = match config.condition.hidden() {
            HiddenSpec::Ei {
                inhibition: true,
                normalization: None,
            } => EiRnnConfig::new(SIDE, config.width)
                .with_initializer(config.init)
                .try_init_with(device, rng)
                .map(Hidden::Ei)?,
            HiddenSpec::Ei { .. } | HiddenSpec::INormLearnedLateral => {
                return Err(refuse(config.condition));
            }
            HiddenSpec::INorm {
                divisive,
                error_norm,
            } => INormRnnConfig::new(SIDE, config.width)
                .with_initializer(config.init)
                .with_divisive(divisive)
                .with_error_norm(error_norm)
                .with_epsilon(EPSILON)
                .try_init_with(device, rng)
                .map(Hidden::INorm)?,
        };
        let readout = EiLinearConfig::new(config.width, CLASSES)
            .with_inhibitory(Inhibitory::Count(1))
            .with_initializer(config.init)
            .try_init_with(device, rng)?;
        Ok(Self { hidden, readout })
    }

    fn logits(&self, x: Tensor<2>) -> Tensor<2> {
        self.logits_with_local_loss(x).0
    }

    fn logits_with_local_loss(&self, x: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>) {
        let [batch, _] = x.dims();
        let rows = x.reshape([batch, SIDE, SIDE]);
        let (last, local) = match &self.hidden {
            Hidden::Ei(layer) => (layer.forward(rows, None).1, None),
            Hidden::INorm(layer) => {
                let (_, last, local) = layer.forward_with_local_loss(rows, None);
                (last, Some(local))
            }
        };
        (self.readout.forward(last.into_hidden()), local)
    }
}

fn main() -> ExitCode {
    let program = CarryOver {
        name: "rnn",
        about: "Recurrent EI networks that read Fashion-MNIST row by row under variable luminosity: \
                no normalization, I-Norm forward only, I-Norm with normalization of errors",
        examples: "Examples:
  rnn                                   three conditions, three seeds
  rnn --epsilon 0.5 --seeds 5 --out results
  rnn --full --epochs 5
  rnn --smoke",
        width: "Recurrent neurons",
        defaults: &[
            ("conditions", "none,inorm,inorm+full"),
            ("width", "64"),
            ("epochs", "10"),
            ("out", "rnn-results"),
        ],
    };
    carry_over::<Network>(program, std::env::args_os())
}
