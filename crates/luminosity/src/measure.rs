//! Measures of the hidden layers besides accuracy.

use burn::tensor::{Device, Tensor};
use ei_norm::functional::smoothed_cross_entropy;
use ei_norm::metric::{self, Moments};

use crate::RunConfig;
use crate::catalogue::{Named, entries};
use crate::data::Split;
use crate::network::{Learner, Probe};
use crate::optimizer::LABEL_SMOOTHING;
use crate::random::{Purpose, generator};
use crate::record::{Alignment, Alignments, Measures};
use crate::stats::mean;

/// The number of measured batches.
const BATCHES: usize = 8;
/// The number of images in a measured batch.
const BATCH: usize = 32;

/// A measure added by a program, by its name under `measures` in records.
pub type Measure = Named<MeasureSpec>;

/// The definition of a measure.
#[derive(Debug)]
pub struct MeasureSpec {
    /// The name.
    pub name: &'static str,
    /// Its value for a hidden layer and a batch.
    pub of: fn(&Probe) -> f64,
}

entries!(MeasureSpec, "measure", &[]);

/// The measures of a network, which must be without autodiff: means over fixed batches of test images, under the
/// stimuli determined by the seed.
pub(crate) fn measure(
    network: &impl Learner,
    config: &RunConfig,
    split: &Split,
    device: &Device,
) -> Measures {
    let mut shifts = generator(config.seed, Purpose::TestShifts);
    let indices: Vec<usize> = (0..split.len().min(BATCHES * BATCH)).collect();
    let batches: Vec<Vec<Probe>> = indices
        .chunks(BATCH)
        .map(|indices| {
            let stimulus = config.stimulus;
            let batch = stimulus.batch(split, indices, config.epsilon, None, &mut shifts, device);
            let labels = batch.labels.autodiff();
            network.probe(batch.x, &|logits: Tensor<2>| {
                smoothed_cross_entropy(logits, labels.clone(), LABEL_SMOOTHING)
            })
        })
        .collect();
    let layers = batches.iter().map(Vec::len).min().unwrap_or(0);
    // The mean over the batches, for each layer.
    let means = |of: &dyn Fn(&Probe) -> f64| -> Vec<f64> {
        let layer = |layer: usize| mean_of(batches.iter().map(|probes| of(&probes[layer])));
        (0..layers).map(layer).collect()
    };
    let each = |of: &dyn Fn(&Probe) -> f64| -> Vec<Option<f64>> {
        means(of).into_iter().map(finite).collect()
    };
    let over_layers =
        |cosines: &[Option<f64>]| finite(mean_of(cosines.iter().map(|c| c.unwrap_or(f64::NAN))));
    let outputs = each(&|p| p.alignment.output);
    let gradients = each(&|p| p.alignment.gradient);
    let moments = |p: &Probe| metric::moments(p.pre_activation.clone());
    let variances = means(&|p| moments(p).variance);
    let moments = means(&|p| moments(p).mean).into_iter().zip(variances);
    let further = Measure::all().into_iter();
    Measures {
        moments: moments
            .map(|(mean, variance)| Moments { mean, variance })
            .collect(),
        lambda_max: each(&|p| metric::largest_covariance_eigenvalue(p.error.clone())),
        lateral_cosine: lateral(&batches, layers),
        alignment: Alignments {
            mean: Alignment {
                output: over_layers(&outputs),
                gradient: over_layers(&gradients),
            },
            layers: outputs
                .into_iter()
                .zip(gradients)
                .map(|(output, gradient)| Alignment { output, gradient })
                .collect(),
        },
        measures: further
            .map(|measure| (measure.name().to_owned(), each(&measure.of)))
            .collect(),
    }
}

/// The mean cosine of each layer that has one, in the order of the layers.
fn lateral(batches: &[Vec<Probe>], layers: usize) -> Vec<Option<f64>> {
    let of = |layer: usize| {
        batches
            .iter()
            .filter_map(move |of| of[layer].lateral_cosine)
    };
    let with = (0..layers).filter(|layer| of(*layer).next().is_some());
    with.map(|layer| finite(mean_of(of(layer)))).collect()
}

/// The value if it is finite; JSON has no NaN.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// The mean; NaN without values.
fn mean_of(values: impl Iterator<Item = f64>) -> f64 {
    mean(&values.collect::<Vec<_>>()).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cosine_keeps_the_place_of_its_layer() {
        let batch = |cosines: [Option<f64>; 3]| -> Vec<Probe> {
            let values = || Tensor::zeros([1, 1], &Device::flex());
            let probe = |lateral_cosine| Probe {
                input: values(),
                pre_activation: values(),
                error: values(),
                alignment: metric::Alignment {
                    output: 1.0,
                    gradient: 1.0,
                },
                lateral_cosine,
            };
            cosines.map(probe).into()
        };
        let first = batch([None, Some(f64::NAN), Some(0.5)]);
        let second = batch([None, Some(0.9), Some(0.7)]);
        assert_eq!(lateral(&[first, second], 3), [None, Some(0.6)]);
    }
}
