//! The layers under burn-train: `cargo run --release --features learner --example learner`.
//!
//! The training loop belongs to burn-train's `Learner`, so there are two places for the projection:
//!
//! - `TrainStep::optimize` is the step as a method of the model. It can contain the projection and any other
//!   operation after a step (`LearnedLateral::adapt`).
//! - If only the projection is needed, `ei_norm::optim::Projected` around the optimizer is enough.
//!
//! This example calls `adapt` in the first place and projects in the second; with `--reparameterize` there is
//! nothing to project.

use std::path::PathBuf;

use burn::data::dataloader::{DataLoaderBuilder, batcher::Batcher};
use burn::data::dataset::InMemDataset;
use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{
    ClassificationOutput, InferenceStep, Learner, SupervisedTraining, TrainOutput, TrainStep,
};
use clap::Parser;
use ei_norm::dale::NonNegative;
use ei_norm::functional::smoothed_cross_entropy;
use ei_norm::optim::Projected;
use ei_norm::prelude::*;
use ei_norm::{LearnedLateral, LearnedLateralConfig};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const FEATURES: usize = 20;
const HIDDEN: usize = 30;

#[derive(Parser)]
#[command(
    about = "EI layers under burn-train's Learner",
    after_help = "Examples:
  learner
  learner --reparameterize --epochs 10 --out logs
  learner --smoke"
)]
struct Args {
    /// Passes over the examples
    #[arg(long, default_value_t = 5)]
    epochs: usize,
    /// Where logs go; a temporary folder if not given
    #[arg(long)]
    out: Option<PathBuf>,
    /// Weights that are positive by what they are made of (softplus), in place of a projection
    #[arg(long)]
    reparameterize: bool,
    /// A few examples only
    #[arg(long)]
    smoke: bool,
}

#[derive(Module, Debug)]
struct Classifier {
    hidden: INormLinear,
    lateral: LearnedLateral,
    readout: EiLinear,
}

/// Inputs `[batch, FEATURES]` and classes.
#[derive(Clone, Debug)]
struct Batch {
    x: Tensor<2>,
    labels: Tensor<1, Int>,
}

impl Classifier {
    fn new(device: &Device) -> Result<Self, ei_norm::Error> {
        Ok(Self {
            hidden: INormLinearConfig::new(FEATURES, HIDDEN)
                .with_grad_norm(GradNormMode::Identity)
                .try_init(device)?,
            lateral: LearnedLateralConfig::new(HIDDEN).try_init(device)?,
            readout: EiLinearConfig::new(HIDDEN, 2)
                .with_inhibitory(Inhibitory::Count(1))
                .try_init(device)?,
        })
    }

    /// The input of the metrics, and the local loss.
    fn classify(&self, batch: Batch) -> (ClassificationOutput, Tensor<1>) {
        let (z, local) = self.hidden.forward_with_local_loss(batch.x);
        let logits = self.readout.forward(relu(self.lateral.forward(z)));
        let loss = smoothed_cross_entropy(logits.clone(), batch.labels.clone(), 0.0);
        (ClassificationOutput::new(loss, logits, batch.labels), local)
    }
}

impl TrainStep for Classifier {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> TrainOutput<ClassificationOutput> {
        let (output, local) = self.classify(batch);
        let grads = (output.loss.clone() + local * 0.01).backward();
        TrainOutput::new(self, grads, output)
    }

    fn optimize(
        self,
        optimizer: &mut ModuleOptimizer,
        rates: ModuleLearningRate,
        grads: GradientsParams,
    ) -> Self {
        let stepped = optimizer.step(rates, self, grads);
        let lateral = stepped.lateral.adapt();
        Self { lateral, ..stepped }
    }
}

impl InferenceStep for Classifier {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> ClassificationOutput {
        self.classify(batch).0
    }
}

type Example = (Vec<f32>, i64);

/// Two classes; each example has a random brightness.
fn examples(count: usize, seed: u64) -> InMemDataset<Example> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut example = |index: usize| {
        let class = index % 2;
        let brightness: f32 = rng.random_range(0.2..1.0);
        let mut value = |feature: usize| {
            let signal = if feature % 2 == class { 0.5 } else { 0.0 };
            (rng.random_range(0.0..0.5) + signal) * brightness
        };
        ((0..FEATURES).map(&mut value).collect(), class as i64)
    };
    InMemDataset::new((0..count).map(&mut example).collect())
}

struct Stack;

impl Batcher<Example, Batch> for Stack {
    fn batch(&self, items: Vec<Example>, device: &Device) -> Batch {
        let count = items.len();
        let (x, labels): (Vec<_>, Vec<_>) = items.into_iter().unzip();
        Batch {
            x: Tensor::from_data(TensorData::new(x.concat(), [count, FEATURES]), device),
            labels: Tensor::from_data(TensorData::new(labels, [count]), device),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let (epochs, count) = if args.smoke {
        (2, 64)
    } else {
        (args.epochs, 2000)
    };
    let temporary = std::env::temp_dir().join(format!("ei-norm-learner-{}", std::process::id()));
    let out = args.out.clone().unwrap_or_else(|| temporary.clone());

    let device = Device::flex().autodiff();
    device.seed(1);
    let loader = |count, seed, device: Device| {
        DataLoaderBuilder::new(Stack)
            .batch_size(32)
            .set_device(device)
            .build(examples(count, seed))
    };
    let training = SupervisedTraining::new(
        &out,
        loader(count, 1, device.clone()),
        loader(count / 4, 2, device.clone().inner()),
    )
    .metrics((LossMetric::new(), AccuracyMetric::new()))
    .num_epochs(epochs)
    .summary();
    let fresh = Classifier::new(&device)?;
    let (model, optimizer) = if args.reparameterize {
        let model = dale::reparameterize(fresh, NonNegative::Softplus);
        (model, AdamConfig::new().init())
    } else {
        (fresh, Projected::new(AdamConfig::new().build()).init())
    };
    let result = training.launch(Learner::new(model, optimizer, 1e-2));
    if let Some(error) = result.error {
        return Err(error.to_string().into());
    }
    dale::check(&result.model)?;
    println!("Dale's law holds after {epochs} epochs.");
    if args.out.is_none() {
        std::fs::remove_dir_all(&temporary)?;
    }
    Ok(())
}
