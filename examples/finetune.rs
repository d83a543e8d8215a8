//! `GradNorm` in an ordinary Burn model: `cargo run --release --example finetune`.
//!
//! An MLP learns to classify clusters whose examples are all equally bright. Then every example gets a random
//! gain and the network is fine-tuned, from the same weights and on the same examples, once with plain
//! back-propagation and once with `GradNorm` after each hidden layer. Both losses are measured and printed on
//! examples that neither network has seen.
//!
//! `GradNorm` also changes the size of the errors, so at the same learning rate the two differ in more than
//! direction. Try several (`--lr`, `--seed`, `--mode`) before you draw conclusions.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Distribution, Int, Tensor};
use clap::Parser;
use ei_norm::functional::smoothed_cross_entropy;
use ei_norm::{GradNorm, GradNormConfig, GradNormMode};

const FEATURES: usize = 40;
const HIDDEN: usize = 64;
const CLASSES: usize = 10;

#[derive(Parser)]
#[command(about = "Fine-tunes an MLP under varying gain, with and without GradNorm")]
struct Args {
    /// How errors are normalized: full, center, scale, decorrelate or lateral
    #[arg(long, default_value_t = GradNormMode::Full)]
    mode: GradNormMode,
    /// Learning rate of the fine-tuning
    #[arg(long, default_value_t = 0.03)]
    lr: f64,
    /// Steps of fine-tuning, after as many at constant gain
    #[arg(long, default_value_t = 500)]
    steps: usize,
    /// The gain of an example is uniform in 1 - spread to 1 + spread
    #[arg(long, default_value_t = 0.75)]
    spread: f64,
    /// Of weights and examples
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A few steps only
    #[arg(long)]
    smoke: bool,
}

#[derive(Module, Debug)]
struct Mlp {
    hidden: Vec<Linear>,
    readout: Linear,
    norm: GradNorm,
}

impl Mlp {
    fn new(device: &Device) -> Self {
        let hidden = [FEATURES, HIDDEN].map(|inputs| LinearConfig::new(inputs, HIDDEN));
        Self {
            hidden: hidden.iter().map(|layer| layer.init(device)).collect(),
            readout: LinearConfig::new(HIDDEN, CLASSES).init(device),
            norm: GradNorm::identity(HIDDEN),
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let hidden = self.hidden.iter().fold(x, |x, layer| {
            relu(self.norm.forward(layer.forward(x))) // the only change to the model
        });
        self.readout.forward(hidden)
    }

    fn loss(&self, (x, labels): (Tensor<2>, Tensor<1, Int>)) -> Tensor<1> {
        smoothed_cross_entropy(self.forward(x), labels, 0.0)
    }
}

/// Clusters around fixed centres `[CLASSES, FEATURES]`.
struct Task {
    centres: Tensor<2>,
    device: Device,
}

impl Task {
    fn new(device: &Device) -> Self {
        Self {
            centres: Tensor::random([CLASSES, FEATURES], Distribution::Uniform(0.0, 1.0), device),
            device: device.clone(),
        }
    }

    /// Examples `[batch, FEATURES]`, each multiplied by a gain in 1 ± `spread`, and their classes.
    fn examples(&self, batch: usize, spread: f64) -> (Tensor<2>, Tensor<1, Int>) {
        let device = &self.device;
        let labels = Tensor::<1, Int>::arange(0..batch as i64, device) % CLASSES as i64;
        let noise = Tensor::random([batch, FEATURES], Distribution::Normal(0.0, 0.5), device);
        let gain = Tensor::random([batch, 1], Distribution::Uniform(-1.0, 1.0), device);
        let x = self.centres.clone().select(0, labels.clone()) + noise;
        (x * (gain * spread + 1.0), labels)
    }
}

/// Trains for this many steps; `report` is called with the network before each step and at the end.
fn train(
    mut model: Mlp,
    task: &Task,
    steps: usize,
    lr: f64,
    spread: f64,
    mut report: impl FnMut(usize, &Mlp),
) -> Mlp {
    let mut optimizer = SgdConfig::new().init();
    for step in 0..steps {
        report(step, &model);
        let grads = model.loss(task.examples(32, spread)).backward();
        let grads = GradientsParams::from_grads(grads, &model);
        model = optimizer.step(lr, model, grads);
    }
    report(steps, &model);
    model
}

fn main() {
    let args = Args::parse();
    let steps = if args.smoke { 5 } else { args.steps };
    let device = Device::flex().autodiff();
    device.seed(args.seed);

    let task = Task::new(&device);
    let start = train(Mlp::new(&device), &task, steps, 0.1, 0.0, |_, _| ());
    let (unseen, labels) = task.examples(2000, args.spread);
    let unseen = (unseen.inner(), labels.inner());

    let fine_tune = |norm: GradNorm| {
        device.seed(args.seed + 1); // The same examples for both.
        let model = Mlp {
            norm,
            ..start.clone()
        };
        let mut losses = Vec::new();
        train(model, &task, steps, args.lr, args.spread, |step, model| {
            if step % (steps / 10).max(1) == 0 {
                let loss = model.valid().loss(unseen.clone());
                losses.push((step, loss.into_scalar::<f32>()));
            }
        });
        losses
    };
    let plain = fine_tune(GradNorm::identity(HIDDEN));
    let normalized = fine_tune(
        GradNormConfig::new(HIDDEN)
            .with_mode(args.mode)
            .init(&device),
    );

    println!(
        "Loss on 2000 unseen examples with gains in 1 ± {}",
        args.spread
    );
    println!("{:>6} {:>10} {:>12}", "step", "plain", args.mode.name());
    for ((step, plain), (_, normalized)) in plain.iter().zip(&normalized) {
        println!("{step:>6} {plain:>10.4} {normalized:>12.4}");
    }
}
