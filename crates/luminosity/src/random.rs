//! The random generators, a separate one for each purpose, so that the draws for one purpose do not
//! depend on the number of draws for another.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The purpose of a generator. The numbers determine the meaning of a seed: never reuse a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Initial weights.
    Weights = 0,
    /// The order of training images.
    Order = 1,
    /// Shifts in luminosity during training.
    TrainShifts = 2,
    /// Shifts in luminosity of the test images, the same at each test.
    TestShifts = 3,
    /// The settings of a sweep, from a seed of their own.
    Settings = u64::MAX,
}

/// The generator for one purpose.
pub fn generator(seed: u64, purpose: Purpose) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(purpose as u64);
    rng
}
