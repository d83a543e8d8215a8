//! The randomness of a run: generators of its own, one for each purpose, so that what one draws does
//! not depend on how much another has drawn.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What is drawn. The numbers are part of what a seed means: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Initial weights.
    Weights = 0,
    /// The order of training images.
    Order = 1,
    /// Shifts in luminosity while training.
    TrainShifts = 2,
    /// Shifts in luminosity of the test images, the same at each test.
    TestShifts = 3,
}

/// The generator of a run for one purpose.
pub fn generator(seed: u64, purpose: Purpose) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(purpose as u64);
    rng
}

/// The generator of the settings of a sweep, apart from those of any run.
pub fn settings_generator(seed: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::MAX);
    rng
}
