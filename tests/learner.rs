//! The layers under burn-train's `Learner`: with `--features learner`.

#![cfg(feature = "learner")]

#[path = "library/common/mod.rs"]
#[allow(dead_code)] // Of what the tests share this one uses little.
mod common;

use burn::data::dataloader::{DataLoaderBuilder, batcher::Batcher};
use burn::data::dataset::InMemDataset;
use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Tensor, TensorData};
use burn::train::metric::LossMetric;
use burn::train::{
    InferenceStep, Learner, RegressionOutput, SupervisedTraining, TrainOutput, TrainStep,
};
use common::{rng, uniform, values};
use ei_norm::dale::{self, NonNegative};
use ei_norm::optim::{ExponentiatedSgdConfig, Projected, ProjectedSgd};
use ei_norm::{EiLinear, EiLinearConfig, Inhibitory};

const INPUTS: usize = 6;
const OUTPUTS: usize = 3;
const BATCH: usize = 4;
const EPOCHS: usize = 3;
const RATE: f64 = 0.05;

#[derive(Module, Debug)]
struct Model {
    layer: EiLinear,
}

/// Inputs `[batch, INPUTS]` and targets `[batch, OUTPUTS]`.
#[derive(Clone, Debug)]
struct Batch {
    x: Tensor<2>,
    target: Tensor<2>,
}

type Example = (Vec<f64>, Vec<f64>);

struct Stack;

impl Batcher<Example, Batch> for Stack {
    fn batch(&self, items: Vec<Example>, device: &Device) -> Batch {
        let count = items.len();
        let (x, target): (Vec<_>, Vec<_>) = items.into_iter().unzip();
        let x = TensorData::new(x.concat(), [count, INPUTS]);
        let target = TensorData::new(target.concat(), [count, OUTPUTS]);
        Batch {
            x: Tensor::from_data(x, device),
            target: Tensor::from_data(target, device),
        }
    }
}

impl Model {
    fn regress(&self, batch: Batch) -> RegressionOutput {
        let output = self.layer.forward(batch.x);
        let loss = (output.clone() - batch.target.clone()).square().mean();
        RegressionOutput::new(loss, output, batch.target)
    }
}

impl TrainStep for Model {
    type Input = Batch;
    type Output = RegressionOutput;

    fn step(&self, batch: Batch) -> TrainOutput<RegressionOutput> {
        let output = self.regress(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Model {
    type Input = Batch;
    type Output = RegressionOutput;

    fn step(&self, batch: Batch) -> RegressionOutput {
        self.regress(batch)
    }
}

fn examples() -> Vec<Example> {
    let rng = &mut rng(7);
    let example = |_| {
        (
            uniform(rng, [INPUTS], 0.0, 1.0),
            uniform(rng, [OUTPUTS], -1.0, 1.0),
        )
    };
    (0..5 * BATCH).map(example).collect()
}

/// Compares the model trained by the `Learner` with the model of an ordinary loop, and checks Dale's law.
#[track_caller]
fn as_in_a_loop_of_ones_own(
    prepare: impl Fn(EiLinear) -> EiLinear,
    optimizer: impl Fn() -> ModuleOptimizer,
) {
    let device = Device::flex().autodiff();
    let fresh = || {
        let config = EiLinearConfig::new(INPUTS, OUTPUTS).with_inhibitory(Inhibitory::Count(2));
        let layer = config.try_init_with(&device, &mut rng(1)).unwrap();
        Model {
            layer: prepare(layer),
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let loader = |device: Device| {
        let data = InMemDataset::new(examples());
        DataLoaderBuilder::new(Stack)
            .batch_size(BATCH)
            .set_device(device)
            .build(data)
    };
    let training = SupervisedTraining::new(
        folder.path(),
        loader(device.clone()),
        loader(device.clone().inner()),
    )
    .metric_train_numeric(LossMetric::new())
    .num_epochs(EPOCHS);
    let result = training.launch(Learner::new(fresh(), optimizer(), RATE));
    assert!(result.error.is_none(), "{:?}", result.error);
    let found = result.model.layer;
    dale::check(&found).unwrap();

    let mut model = fresh();
    let mut optimizer = optimizer();
    for _ in 0..EPOCHS {
        for batch in examples().chunks(BATCH) {
            let loss = model.regress(Stack.batch(batch.to_vec(), &device)).loss;
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            model = optimizer.step(RATE, model, grads);
        }
    }
    let (start, end) = (fresh().layer, model.layer);
    assert_ne!(
        values(&end.w_ex.val()),
        values(&start.w_ex.val()),
        "nothing was learned"
    );
    assert_eq!(values(&found.w_ex.val()), values(&end.w_ex.val()));
    let inhibition = |layer: &EiLinear| values(&layer.w_ix.as_ref().unwrap().val());
    assert_eq!(inhibition(&found), inhibition(&end));
}

#[test]
fn projected_descent() {
    as_in_a_loop_of_ones_own(|layer| layer, || ProjectedSgd.init());
}

#[test]
fn projection_around_adam() {
    as_in_a_loop_of_ones_own(
        |layer| layer,
        || Projected::new(AdamConfig::new().build()).init(),
    );
}

#[test]
fn exponentiated_gradient() {
    as_in_a_loop_of_ones_own(|layer| layer, || ExponentiatedSgdConfig::new().init());
}

#[test]
fn reparameterized_weights() {
    for form in [NonNegative::Softplus, NonNegative::Square, NonNegative::Abs] {
        let reparameterized = |layer| dale::reparameterize(layer, form);
        as_in_a_loop_of_ones_own(reparameterized, || SgdConfig::new().init());
        as_in_a_loop_of_ones_own(reparameterized, || AdamConfig::new().init());
    }
}
