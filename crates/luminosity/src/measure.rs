//! What is measured of the hidden layers beside accuracy.

use burn::tensor::Device;
use ei_norm::functional::smoothed_cross_entropy;
use ei_norm::metric::{self, Moments};

use crate::RunConfig;
use crate::data::Split;
use crate::model::{Hidden, Network, Trace};
use crate::optimizer::LABEL_SMOOTHING;
use crate::random::{Purpose, generator};
use crate::record::{Alignment, Alignments, Measures};
use crate::stimulus::{self, Batch};

/// Batches that are measured.
const BATCHES: usize = 8;
/// Images in each.
const BATCH: usize = 32;

/// What one batch says of one hidden layer.
struct Layer {
    alignment: metric::Alignment,
    moments: Moments,
    lambda_max: f64,
}

/// The measures of a network without autodiff: the mean over fixed batches of test images, under the
/// shifts that the seed fixes.
pub fn measure(network: &Network, config: &RunConfig, split: &Split, device: &Device) -> Measures {
    let mut shifts = generator(config.seed, Purpose::TestShifts);
    let indices: Vec<usize> = (0..split.len().min(BATCHES * BATCH)).collect();
    let batches: Vec<Vec<Layer>> = indices
        .chunks(BATCH)
        .map(|indices| {
            let batch = stimulus::batch(split, indices, config.epsilon, &mut shifts, device);
            layers(network, batch)
        })
        .collect();
    let over_batches = |layer: usize, of: fn(&Layer) -> f64| {
        mean(
            batches
                .iter()
                .filter_map(|layers| layers.get(layer).map(of)),
        )
    };
    let each_layer = || 0..network.hidden.len();
    let alignments: Vec<Alignment> = each_layer()
        .map(|layer| Alignment {
            output: finite(over_batches(layer, |l| l.alignment.output)),
            gradient: finite(over_batches(layer, |l| l.alignment.gradient)),
        })
        .collect();
    let moments = each_layer().map(|layer| Moments {
        mean: over_batches(layer, |l| l.moments.mean),
        variance: over_batches(layer, |l| l.moments.variance),
    });
    let lambda_max = each_layer().map(|layer| finite(over_batches(layer, |l| l.lambda_max)));
    let over_layers = |of: fn(&Alignment) -> Option<f64>| {
        finite(mean(alignments.iter().map(|a| of(a).unwrap_or(f64::NAN))))
    };
    Measures {
        moments: moments.collect(),
        lambda_max: lambda_max.collect(),
        lateral_cosine: network
            .hidden
            .iter()
            .filter_map(Hidden::lateral_cosine)
            .collect(),
        alignment: Alignments {
            mean: Alignment {
                output: over_layers(|a| a.output),
                gradient: over_layers(|a| a.gradient),
            },
            layers: alignments,
        },
    }
}

fn layers(network: &Network, batch: Batch) -> Vec<Layer> {
    let traces = network.trace(batch.x);
    let labels = batch.labels.autodiff();
    let errors = network.errors(&traces, |logits| {
        smoothed_cross_entropy(logits, labels.clone(), LABEL_SMOOTHING)
    });
    let layer = |((hidden, trace), error): ((&Hidden, Trace), _)| Layer {
        alignment: hidden.alignment(trace.input),
        moments: metric::moments(trace.pre_activation),
        lambda_max: metric::largest_covariance_eigenvalue(error),
    };
    network
        .hidden
        .iter()
        .zip(traces)
        .zip(errors)
        .map(layer)
        .collect()
}

/// JSON has no NaN.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0), |(sum, n), value| (sum + value, n + 1));
    sum / f64::from(n)
}
