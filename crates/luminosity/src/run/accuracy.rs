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
    test(&|x| network.logits(x), &[config], &images, 0..split.len())[0].accuracy
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Tested {
    /// The share of the images that are classified correctly.
    pub accuracy: f64,
    /// Whether all logits are finite.
    pub is_finite: bool,
}

/// Tests the networks of these configurations on the images of this range; `logits` computes the logits
/// `[networks · batch, classes]` of all networks.
pub(super) fn test(
    logits: &dyn Fn(Tensor<2>) -> Tensor<2>,
    configs: &[&RunConfig],
    images: &Images<'_>,
    range: Range<usize>,
) -> Vec<Tested> {
    let indices: Vec<usize> = range.collect();
    let shifts = |config: &&RunConfig| generator(config.seed, Purpose::TestShifts);
    let mut shifts: Vec<_> = configs.iter().map(shifts).collect();
    let mut correct = vec![0; configs.len()];
    let mut finite = Finite::of(configs.len());
    for indices in indices.chunks(TEST_BATCH) {
        let presented = configs
            .iter()
            .zip(&mut shifts)
            .flat_map(|(config, shifts)| {
                let stimulus = config.stimulus;
                stimulus.present(indices, config.epsilon, None, shifts)
            });
        let batch = images.batch(&presented.collect::<Vec<_>>());
        let logits = logits(batch.x);
        finite.add(logits.clone());
        let guesses = logits.argmax(1).into_data();
        let guesses: Vec<i64> = guesses.iter::<i64>().collect();
        for (correct, guesses) in correct.iter_mut().zip(guesses.chunks(indices.len())) {
            let label = |index: &usize| i64::from(images.split().label(*index));
            let right = guesses.iter().zip(indices).filter(|(g, i)| **g == label(i));
            *correct += right.count();
        }
    }
    let tested = correct.into_iter().zip(finite.read());
    tested
        .map(|(correct, is_finite)| Tested {
            accuracy: correct as f64 / indices.len() as f64,
            is_finite,
        })
        .collect()
}

/// Whether every parameter of each network is finite.
pub(super) fn are_finite(module: &impl Module, networks: usize) -> Vec<bool> {
    let mut finite = Finite::of(networks);
    module.visit(&mut finite);
    finite.read()
}

/// Whether all values of each network are finite; they stay on the device until [`read`](Self::read).
struct Finite {
    networks: usize,
    /// 0 for each network without any other value than finite ones, `[networks, 1]`.
    zeros: Option<Tensor<2>>,
}

impl Finite {
    fn of(networks: usize) -> Self {
        Self {
            networks,
            zeros: None,
        }
    }

    /// Adds values, the same number for each network, one network after the other.
    fn add<const D: usize>(&mut self, values: Tensor<D>) {
        let elements = values.shape().num_elements();
        if elements == 0 {
            return;
        }
        // A finite number times 0 is 0, any other number NaN, which the sum keeps.
        let zeros = values.reshape([self.networks, elements / self.networks]) * 0.0;
        let zeros = zeros.sum_dim(1);
        self.zeros = Some(match self.zeros.take() {
            Some(sum) => sum + zeros,
            None => zeros,
        });
    }

    fn read(self) -> Vec<bool> {
        let Some(zeros) = self.zeros else {
            return vec![true; self.networks];
        };
        let zeros = zeros.into_data();
        zeros.iter::<f32>().map(f32::is_finite).collect()
    }
}

impl ModuleVisitor for Finite {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.add(param.val().inner());
    }
}
