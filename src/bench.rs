//! Code shared by the benchmarks.

use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;

/// A reproducible matrix, uniform in −1..1.
pub fn random(shape: [usize; 2], seed: u64, device: &Device) -> Tensor<2> {
    use rand::SeedableRng;
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let n = shape[0] * shape[1];
    let values: Vec<f32> = (0..n).map(|_| rng.random_range(-1.0..1.0)).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Makes this thread the only thread of a thread pool, as in a run of the experiment, until the pool is
/// dropped.
///
/// # Panics
///
/// If this thread is already in such a pool.
pub fn one_thread() -> rayon::ThreadPool {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1);
    match pool.use_current_thread().build() {
        Ok(pool) => pool,
        Err(error) => panic!("cannot make a pool of one thread: {error}"),
    }
}
