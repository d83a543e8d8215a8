//! Reading, clipping and checking errors in an ordinary Burn model:
//! `cargo run --release --example gradient_hook`.
//!
//! This example needs no layer of the library. A network learns a linear map from examples; a few of them
//! have wrong targets, far from the correct ones. Their errors are read and limited between the two layers.
//! Then a loss with a finite value has a gradient that is not finite, and a sentinel finds the place.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Distribution, Tensor};
use clap::Parser;
use ei_norm::grad::{GradProbe, GradSentinel, clip_grad_norm};

#[derive(Parser)]
#[command(about = "Reads, clips and checks errors in an ordinary Burn model")]
struct Args {
    /// A few steps only
    #[arg(long)]
    smoke: bool,
}

#[derive(Module, Debug)]
struct Model {
    hidden: Linear,
    readout: Linear,
    /// The error at the hidden layer, from the readout.
    #[module(skip)]
    arriving: GradProbe<2>,
    /// The error after clipping, which reaches the weights below.
    #[module(skip)]
    leaving: GradProbe<2>,
}

impl Model {
    fn new(device: &Device) -> Self {
        Self {
            hidden: LinearConfig::new(8, 32).init(device),
            readout: LinearConfig::new(32, 1).init(device),
            arriving: GradProbe::new(),
            leaving: GradProbe::new(),
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let z = self.hidden.forward(x);
        // The backward pass reads these three lines from the last to the first.
        let z = self.leaving.attach(z);
        let z = clip_grad_norm(z, 0.5);
        let z = self.arriving.attach(z);
        self.readout.forward(relu(z))
    }
}

/// Inputs `[batch, 8]` and their sum as the target `[batch, 1]`, wrong by 100 for the first example.
fn examples(batch: usize, device: &Device) -> (Tensor<2>, Tensor<2>) {
    let x = Tensor::random([batch, 8], Distribution::Normal(0.0, 1.0), device);
    let wrong = Tensor::<2>::zeros([batch, 1], device).slice_fill(0..1, 100.0);
    (x.clone(), x.sum_dim(1) + wrong)
}

/// The norm of the error of each example.
fn norms(probe: &GradProbe<2>) -> Tensor<1> {
    let error = probe.take().expect("a backward pass has run");
    error.square().sum_dim(1).sqrt().squeeze_dim(1)
}

fn read_and_clip(steps: usize, device: &Device) {
    let mut model = Model::new(device);
    let mut optimizer = SgdConfig::new().init();
    println!("The norms of the errors at the hidden layer, arriving and clipped:");
    for step in 0..steps {
        let (x, target) = examples(32, device);
        let loss = (model.forward(x) - target).square().mean();
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(0.01, model, grads);

        let (arriving, leaving) = (norms(&model.arriving), norms(&model.leaving));
        if step % 50 == 0 {
            println!(
                "step {step:>3}: wrong target {:.3} -> {:.3}, mean of the others {:.3} -> {:.3}",
                arriving.clone().slice(0..1).into_scalar::<f32>(),
                leaving.clone().slice(0..1).into_scalar::<f32>(),
                arriving.slice(1..32).mean().into_scalar::<f32>(),
                leaving.slice(1..32).mean().into_scalar::<f32>(),
            );
        }
    }
}

/// The result of a sentinel in the backward pass of a loss for which the outputs z of a layer should have
/// length √(Σ z² + ε) = 1.
fn lengths(epsilon: f64, device: &Device) -> Result<(), ei_norm::Error> {
    let layer = LinearConfig::new(8, 4).with_bias(false).init(device);
    // The last input is padding: all zeros.
    let x = Tensor::<2>::ones([3, 8], device).slice_fill(2..3, 0.0);

    let sentinel = GradSentinel::new();
    let z = sentinel.watch(layer.forward(x), "z");
    let squares = sentinel.watch(z.square().sum_dim(1) + epsilon, "sum of squares");
    let length = sentinel.watch(squares.sqrt(), "length");
    let loss = (length - 1.0).square().mean();
    let value = loss.clone().into_scalar::<f32>();
    loss.backward();
    println!("epsilon {epsilon}: the loss is {value:.3}");
    sentinel.check()
}

fn main() -> Result<(), ei_norm::Error> {
    let args = Args::parse();
    let device = Device::flex().autodiff();
    device.seed(1);
    read_and_clip(if args.smoke { 3 } else { 201 }, &device);

    println!("\nA root whose argument is zero for one example:");
    if let Err(error) = lengths(0.0, &device) {
        println!("found: {error}");
        println!("It is finite one step nearer to the loss, at `length`: the root is at fault.");
    }
    lengths(1e-6, &device)?;
    println!("nothing found");
    Ok(())
}
