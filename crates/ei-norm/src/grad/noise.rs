use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use burn::tensor::{Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{lock, map_grad};
use crate::check::{check_not_negative, or_panic};

/// The source of the noise of [`noise_grad`]: a random generator for each use, all from one seed.
///
/// Clones share the source. Uses are numbered in the order of the forward passes: a program that repeats its
/// forward passes repeats the noise, whatever the order of the backward passes. Threads that share a source
/// may swap numbers; give each thread its own source.
#[derive(Debug, Clone)]
pub struct GradNoise {
    seed: u64,
    uses: Arc<AtomicU64>,
}

impl GradNoise {
    /// A source with this seed.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            uses: Arc::default(),
        }
    }

    fn next_generator(&self) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.uses.fetch_add(1, Ordering::Relaxed));
        rng
    }
}

/// Returns `x`; in the backward pass Gaussian noise with mean 0 and standard deviation `std` is added
/// to its error, independently for each value and anew in each pass.
///
/// The noise is drawn on the host in f64, so a seed gives the same noise on every device, up to the rounding
/// of the dtype. If `x` is not part of an autodiff graph, no noise is drawn: evaluation between training
/// steps does not change the noise.
///
/// ```
/// use burn::prelude::*;
/// use ei_norm::grad::{GradNoise, noise_grad};
///
/// let device = Device::flex().autodiff();
/// let noise = GradNoise::new(1);
/// let x = Tensor::<2>::ones([32, 100], &device).require_grad();
/// let y = noise_grad(x.clone(), 0.01, &noise);
/// let grads = y.sum().backward();
/// let error = x.grad(&grads).unwrap(); // 1 everywhere without the noise
/// assert!((error.mean().into_scalar::<f32>() - 1.0).abs() < 0.001);
/// ```
///
/// # Shapes
///
/// - `x` and the result: the same shape
///
/// # Panics
///
/// If `std` is negative or not finite.
#[track_caller]
#[must_use]
pub fn noise_grad<const D: usize>(x: Tensor<D>, std: f64, noise: &GradNoise) -> Tensor<D> {
    or_panic(check_not_negative("std of noise_grad", std));
    if !x.is_tracked() {
        return x;
    }
    let rng = Mutex::new(noise.next_generator());
    map_grad(x, move |error| {
        let shape = error.dims();
        let draws: Vec<f64> = StandardNormal
            .sample_iter(&mut *lock(&rng))
            .take(shape.iter().product())
            .map(|draw: f64| draw * std)
            .collect();
        let options = (&error.device(), error.dtype());
        let noise = Tensor::from_data(TensorData::new(draws, shape), options);
        error + noise
    })
}
