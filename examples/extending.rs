//! A program that adds a condition, a stimulus, a measure, a data set and a network to the experiment. All
//! other parts (commands, store, report, figures) are from the `luminosity` program.
//!
//! ```sh
//! cargo run --release --example extending -- --data stripes --conditions none,inorm,inorm+sign \
//!     --network shallow --stimulus flicker --epochs 3
//! ```

use std::process::ExitCode;
use std::slice;

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use ei_norm::layer::Dense;
use ei_norm::{EiLinear, EiLinearConfig, Inhibitory};
use luminosity::condition::{Condition, ConditionSpec, ErrorRule, HiddenSpec};
use luminosity::data::{DataSet, DataSetSpec, Dataset, Shape, Split};
use luminosity::measure::{Measure, MeasureSpec};
use luminosity::network::{
    DenseHidden, Layered, LayeredPopulation, Learner, Network, NetworkSpec, Stage, Task,
};
use luminosity::stimulus::{Stimulus, StimulusSpec};
use luminosity::{Error, RunConfig, cli};
use rand_chacha::ChaCha8Rng;

/// Only the sign of each error, scaled to the mean size of the errors.
const SIGN: ConditionSpec = ConditionSpec {
    name: "inorm+sign",
    description: "forward + sign of the error",
    look: None,
    hidden: HiddenSpec::INorm {
        divisive: true,
        errors: ErrorRule::Custom(|error, _z| error.clone().sign() * error.abs().mean_dim(1)),
    },
};

/// Light that flickers between full and reduced brightness.
const FLICKER: StimulusSpec = StimulusSpec {
    name: "flicker",
    description: "half of the images are darker by ε",
    of: |image| (1.0, if image.u < 0.0 { -image.epsilon } else { 0.0 }),
};

/// The share of silent neurons.
const SILENT: MeasureSpec = MeasureSpec {
    name: "silent",
    of: |layer| {
        let silent = layer.pre_activation.clone().lower_equal_elem(0.0);
        silent.float().mean().into_scalar::<f32>().into()
    },
};

/// Images of 8×8 with a bright row or a bright column.
const STRIPES: DataSetSpec = DataSetSpec {
    name: "stripes",
    description: "8×8 images with a bright row or column",
    load: || {
        let shape = Shape {
            channels: 1,
            height: 8,
            width: 8,
        };
        let split = |count: usize| {
            let image = |index: usize| {
                (0..64).map(move |pixel| {
                    let row = index.is_multiple_of(2);
                    let line = if row { pixel / 8 } else { pixel % 8 };
                    if line == index / 2 % 8 { 255 } else { 40 }
                })
            };
            let labels = (0..count).map(|index| (index % 2) as u8).collect();
            Split::new(shape, 2, (0..count).flat_map(image).collect(), labels)
        };
        Dataset::new("stripes", split(320)?, split(64)?)
    },
};

/// One hidden layer and a readout.
#[derive(Module, Debug)]
struct Shallow {
    hidden: DenseHidden,
    readout: EiLinear,
}

impl Learner for Shallow {
    fn create(
        config: &RunConfig,
        task: Task,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, ei_norm::Error> {
        Ok(Self {
            hidden: DenseHidden::dense(config, [task.shape.pixels(), config.width], device, rng)?,
            readout: EiLinearConfig::new(config.width, task.classes)
                .with_inhibitory(Inhibitory::Count(1))
                .try_init_with(device, rng)?,
        })
    }

    fn logits_with_local_loss(&self, x: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>) {
        self.compute(slice::from_ref(&self.hidden), &self.readout, x)
    }
}

/// So that such networks can be trained together.
impl Layered for Shallow {
    type Geometry = Dense;

    fn layers(&self) -> (&[DenseHidden], &EiLinear) {
        (slice::from_ref(&self.hidden), &self.readout)
    }

    fn layers_mut(&mut self) -> (&mut [DenseHidden], &mut EiLinear) {
        (slice::from_mut(&mut self.hidden), &mut self.readout)
    }

    fn compute<H: Stage<Batch = Tensor<2>>>(
        &self,
        hidden: &[H],
        readout: &impl Stage<Batch = Tensor<2>>,
        x: Tensor<2>,
    ) -> (Tensor<2>, Option<Tensor<1>>) {
        let (z, local) = hidden[0].forward(x);
        (readout.forward(relu(z)).0, local)
    }
}

fn define() -> Result<(), Error> {
    Condition::define(SIGN)?;
    Stimulus::define(FLICKER)?;
    Measure::define(SILENT)?;
    DataSet::define(STRIPES)?;
    let shallow = NetworkSpec::of::<Shallow>("shallow", "one hidden layer");
    Network::define(shallow.with_population::<LayeredPopulation<Shallow>>())?;
    Ok(())
}

pub(crate) fn main() -> ExitCode {
    match define() {
        Ok(()) => cli::main(std::env::args_os()),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
