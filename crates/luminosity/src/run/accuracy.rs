//! Tests of networks.

use std::ops::Range;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};

use crate::RunConfig;
use crate::data::Split;
use crate::network::Learner;
use crate::random::{Purpose, generator};
use crate::stimulus::Images;

/// The number of images that are tested at a time: large enough to use the machine, small enough to stay in
/// cache.
const TEST_BATCH: usize = 500;

/// The share of the images of a split that a network classifies correctly, under the stimuli determined by
/// the seed.
pub(crate) fn accuracy(
    network: &impl Learner,
    config: &RunConfig,
    split: &Split,
    device: &Device,
) -> f64 {
    let images = Images::on_host(split, device);
    accuracies(&|x| network.logits(x), &[config], &images, 0..split.len())[0]
}

/// The accuracies of the networks of these configurations on the images of this range; `logits` computes the
/// logits `[networks · batch, classes]` of all networks.
pub(super) fn accuracies(
    logits: &dyn Fn(Tensor<2>) -> Tensor<2>,
    configs: &[&RunConfig],
    images: &Images<'_>,
    range: Range<usize>,
) -> Vec<f64> {
    let indices: Vec<usize> = range.collect();
    let shifts = |config: &&RunConfig| generator(config.seed, Purpose::TestShifts);
    let mut shifts: Vec<_> = configs.iter().map(shifts).collect();
    let mut correct = vec![0; configs.len()];
    for indices in indices.chunks(TEST_BATCH) {
        let presented = configs
            .iter()
            .zip(&mut shifts)
            .flat_map(|(config, shifts)| {
                config
                    .stimulus
                    .present(indices, config.epsilon, None, shifts)
            });
        let batch = images.batch(&presented.collect::<Vec<_>>());
        let guesses = logits(batch.x).argmax(1).into_data();
        let guesses: Vec<i64> = guesses.iter::<i64>().collect();
        for (correct, guesses) in correct.iter_mut().zip(guesses.chunks(indices.len())) {
            let label = |index: &usize| i64::from(images.split().label(*index));
            let right = guesses.iter().zip(indices).filter(|(g, i)| **g == label(i));
            *correct += right.count();
        }
    }
    let share = |correct| correct as f64 / indices.len() as f64;
    correct.into_iter().map(share).collect()
}

/// Whether every parameter of each network is finite.
pub(super) fn are_finite(module: &impl Module, networks: usize) -> Vec<bool> {
    struct Sum(Option<Tensor<2>>, usize);
    impl ModuleVisitor for Sum {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val().inner();
            let elements = value.shape().num_elements();
            if elements == 0 {
                return;
            }
            // A finite number times 0 is 0, any other number NaN, which the sum keeps.
            let zero = value.reshape([self.1, elements / self.1]) * 0.0;
            let zero = zero.sum_dim(1);
            self.0 = Some(match self.0.take() {
                Some(sum) => sum + zero,
                None => zero,
            });
        }
    }
    let mut sum = Sum(None, networks);
    module.visit(&mut sum);
    match sum.0 {
        Some(sum) => sum.into_data().iter::<f32>().map(f32::is_finite).collect(),
        None => vec![true; networks],
    }
}
