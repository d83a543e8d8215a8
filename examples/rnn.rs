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
    RnnState,
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

#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // A network has one of these.
enum Hidden {
    Ei(EiRnn),
    INorm(INormRnn),
}

impl Hidden {
    fn create(config: &RunConfig, device: &Device, rng: &mut ChaCha8Rng) -> Result<Self, Error> {
        match config.condition.hidden() {
            HiddenSpec::Ei {
                inhibition: true,
                normalization: None,
            } => EiRnnConfig::new(SIDE, config.width)
                .with_initializer(config.init)
                .try_init_with(device, rng)
                .map(Self::Ei),
            HiddenSpec::Ei { .. } | HiddenSpec::INormLearnedLateral => {
                Err(refuse(config.condition))
            }
            HiddenSpec::INorm {
                divisive,
                error_norm,
            } => INormRnnConfig::new(SIDE, config.width)
                .with_initializer(config.init)
                .with_divisive(divisive)
                .with_grad_norm(error_norm)
                .with_epsilon(EPSILON)
                .try_init_with(device, rng)
                .map(Self::INorm),
        }
    }

    fn step(&self, x: Tensor<2>, state: Option<RnnState>) -> (RnnState, Option<Tensor<1>>) {
        match self {
            Self::Ei(rnn) => (rnn.step(x, state), None),
            Self::INorm(rnn) => {
                let (state, local) = rnn.step_with_local_loss(x, state);
                (state, Some(local))
            }
        }
    }
}

#[derive(Module, Debug)]
struct Network {
    hidden: Hidden,
    readout: EiLinear,
    #[module(skip)]
    clip: Option<f64>,
}

impl Learner for Network {
    fn create(config: &RunConfig, device: &Device, rng: &mut ChaCha8Rng) -> Result<Self, Error> {
        Ok(Self {
            hidden: Hidden::create(config, device, rng)?,
            readout: EiLinearConfig::new(config.width, CLASSES)
                .with_inhibitory(Inhibitory::Count(1))
                .with_initializer(config.init)
                .try_init_with(device, rng)?,
            clip: config.clip_errors,
        })
    }

    fn logits(&self, x: Tensor<2>) -> Tensor<2> {
        self.logits_with_local_loss(x).0
    }

    /// Step by step, and not as one sequence, so that errors can be clipped between the steps.
    fn logits_with_local_loss(&self, x: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>) {
        let [batch, _] = x.dims();
        let rows = x.reshape([batch, SIDE, SIDE]);
        let row = |index| rows.clone().narrow(1, index, 1).squeeze_dim(1);
        let (mut state, mut losses) = self.hidden.step(row(0), None);
        for index in 1..SIDE {
            let clipped = clip_errors(state.into_hidden(), self.clip);
            let (next, local) = self.hidden.step(row(index), Some(RnnState::new(clipped)));
            state = next;
            losses = add_losses(losses, local);
        }
        let last = clip_errors(state.into_hidden(), self.clip);
        let mean = losses.map(|sum| sum / SIDE as f64);
        (self.readout.forward(last), mean)
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
            ("lr", "0.01"),
            ("lr_ix", "0.1"),
            ("lr_ei", "0.001"),
            ("clip_errors", "0.03"),
            ("out", "rnn-results"),
        ],
    };
    carry_over::<Network>(program, std::env::args_os())
}
