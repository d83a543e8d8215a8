use burn::tensor::{Int, Tensor, activation::log_softmax};

use crate::check::{check_fraction, check_shape, or_panic};
use crate::statistics::{mean, mean_or_zero, variance};

/// The local loss that teaches inhibition to normalize (Eyono et al. 2026, "I-Norm"):
///
/// ```text
/// L = batch mean of [ mean(ẑ)² + (var(ẑ) − 1)² ]    ẑ = (sg(a) − s)/q
/// ```
///
/// If inhibition only subtracts, the loss is the batch mean of mean(ẑ)² alone. It is 0 if there are no
/// examples.
///
/// # Shapes
///
/// - `z_hat`: `[..., features]`, the activity ẑ = (sg(a) − s)/q
/// - result: `[1]`
#[must_use]
pub fn inhibitory_loss<const D: usize>(z_hat: Tensor<D>, divisive: bool) -> Tensor<1> {
    if z_hat.shape().num_elements() == 0 {
        return mean_or_zero(z_hat);
    }
    let first = mean(z_hat.clone()).square();
    if divisive {
        (first + (variance(z_hat) - 1.0).square()).mean()
    } else {
        first.mean()
    }
}

/// Cross-entropy of logits against class indices with label smoothing s. The target distribution is (1 − s)
/// on the class plus s/C on each of the C classes. The result is the mean over the batch, 0 for an empty
/// batch.
///
/// Unlike Burn's `CrossEntropyLoss`, it keeps the dtype of the logits throughout.
///
/// # Shapes
///
/// - `logits`: `[batch, classes]`
/// - `targets`: `[batch]`, each in `0..classes`
/// - result: `[1]`
///
/// # Panics
///
/// If the batch sizes differ, or the smoothing is not in 0..=1.
#[track_caller]
#[must_use]
pub fn smoothed_cross_entropy(
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
    smoothing: f64,
) -> Tensor<1> {
    let (log_p, of_class) = log_probabilities(logits, targets, smoothing);
    let of_class = mean_or_zero(of_class);
    if smoothing == 0.0 {
        return -of_class;
    }
    -(of_class * (1.0 - smoothing) + mean_or_zero(log_p) * smoothing)
}

/// The [`smoothed_cross_entropy`] of each example.
///
/// # Shapes
///
/// - `logits`: `[batch, classes]`
/// - `targets`: `[batch]`, each in `0..classes`
/// - result: `[batch]`
///
/// # Panics
///
/// If the batch sizes differ, or the smoothing is not in 0..=1.
#[track_caller]
#[must_use]
pub fn smoothed_cross_entropies(
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
    smoothing: f64,
) -> Tensor<1> {
    let (log_p, of_class) = log_probabilities(logits, targets, smoothing);
    let losses = match smoothing == 0.0 {
        true => -of_class,
        false => of_class * (smoothing - 1.0) - mean(log_p) * smoothing,
    };
    losses.squeeze_dim(1)
}

/// The log-probabilities of all classes, `[batch, classes]`, and of the target classes, `[batch, 1]`.
#[track_caller]
fn log_probabilities(
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
    smoothing: f64,
) -> (Tensor<2>, Tensor<2>) {
    let [batch, _] = logits.dims();
    or_panic(check_shape("targets", targets.dims(), [batch]));
    or_panic(check_fraction("smoothing", smoothing));
    let log_p = log_softmax(logits, 1);
    let of_class = log_p.clone().gather(1, targets.unsqueeze_dim(1));
    (log_p, of_class)
}
