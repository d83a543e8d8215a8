//! A custom recurrent network in the experiment, built from the library's recurrent layers, which process a
//! whole sequence in one node of the graph.
//!
//! ```sh
//! cargo run --release --example rnn -- --network sequence --conditions none,inorm,inorm+full
//! ```

use std::process::ExitCode;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use ei_norm::{
    EiLinear, EiLinearConfig, EiRnn, EiRnnConfig, Error, INormRnn, INormRnnConfig, Inhibitory,
};
use luminosity::condition::{ErrorRule, HiddenSpec};
use luminosity::network::{EPSILON, Learner, Network, NetworkSpec, Task};
use luminosity::{RunConfig, cli};
use rand_chacha::ChaCha8Rng;

#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // A network has one of these.
enum Recurrent {
    Ei(EiRnn),
    INorm(INormRnn),
}

/// Recurrent neurons that read an image row by row, and a readout of their last state.
#[derive(Module, Debug)]
struct Sequence {
    hidden: Recurrent,
    readout: EiLinear,
    #[module(skip)]
    rows: [usize; 2],
}

impl Learner for Sequence {
    fn create(
        config: &RunConfig,
        task: Task,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, Error> {
        let [rows, columns] = [task.shape.channels * task.shape.height, task.shape.width];
        let hidden = match config.condition.hidden {
            HiddenSpec::Ei {
                inhibition: true,
                normalization: None,
            } => Recurrent::Ei(EiRnnConfig::new(columns, config.width).try_init_with(device, rng)?),
            HiddenSpec::INorm {
                divisive,
                errors: ErrorRule::GradNorm(mode),
            } => Recurrent::INorm(
                INormRnnConfig::new(columns, config.width)
                    .with_divisive(divisive)
                    .with_grad_norm(mode)
                    .with_epsilon(EPSILON)
                    .try_init_with(device, rng)?,
            ),
            _ => {
                return Err(Error::Config {
                    name: "conditions",
                    value: config.condition.to_string(),
                    allowed: "none and those of I-Norm without learned lateral weights",
                });
            }
        };
        Ok(Self {
            hidden,
            readout: EiLinearConfig::new(config.width, task.classes)
                .with_inhibitory(Inhibitory::Count(1))
                .try_init_with(device, rng)?,
            rows: [rows, columns],
        })
    }

    fn logits_with_local_loss(&self, x: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>) {
        let [batch, _] = x.dims();
        let [rows, columns] = self.rows;
        let sequence = x.reshape([batch, rows, columns]);
        let (last, local) = match &self.hidden {
            Recurrent::Ei(rnn) => (rnn.forward(sequence, None).1, None),
            Recurrent::INorm(rnn) => {
                let (_, last, local) = rnn.forward_with_local_loss(sequence, None);
                (last, Some(local))
            }
        };
        (self.readout.forward(last.into_hidden()), local)
    }
}

pub(crate) fn main() -> ExitCode {
    let spec = NetworkSpec {
        defaults: |config| (config.width, config.lr, config.lr_ix) = (64, 0.003, 0.1),
        ..NetworkSpec::of::<Sequence>("sequence", "recurrent neurons, whole sequences at once")
    };
    if let Err(error) = Network::define(spec) {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    cli::main(std::env::args_os())
}
