//! What one run is asked to do.

use ei_norm::EiInitializer;
use serde::{Deserialize, Serialize};

use crate::data::{CLASSES, PIXELS};
use crate::model::Sizes;
use crate::optimizer::LearningRates;
use crate::{Condition, Error};

/// The configuration of a run. With the data and the library's version it determines the result, to
/// the bit on a CPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// The condition.
    pub condition: Condition,
    /// Shifts in luminosity are drawn from U(−ε, ε); pixels lie in 0..=1.
    pub epsilon: f64,
    /// The seed of weights, order and shifts.
    pub seed: u64,
    /// Passes over the training data.
    pub epochs: usize,
    /// Stop after this many steps, if given.
    pub max_steps: Option<usize>,
    /// Neurons in each hidden layer.
    pub width: usize,
    /// Hidden layers.
    pub depth: usize,
    /// Images in a batch.
    pub batch_size: usize,
    /// Learning rate of W_ex and the biases.
    pub lr: f64,
    /// Learning rate of W_ei and U_ei.
    pub lr_ei: f64,
    /// Learning rate of W_ix and U_ix.
    pub lr_ix: f64,
    /// The weight of the local losses.
    pub lambda: f64,
    /// The largest norm of an example's error at the output of a hidden layer, and at every step of a
    /// recurrent one; none: errors are not clipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_errors: Option<f64>,
    /// Whether every epoch has an order of its own.
    pub shuffle: bool,
    /// The distribution of the initial weights.
    pub init: EiInitializer,
}

impl RunConfig {
    /// The good setting that the paper's protocol yields, at its strongest variation of luminosity.
    pub fn new(condition: Condition, seed: u64) -> Self {
        Self {
            condition,
            epsilon: 0.75,
            seed,
            epochs: 50,
            max_steps: None,
            width: 234,
            depth: 2,
            batch_size: 32,
            lr: 0.0098,
            lr_ei: 0.00294,
            lr_ix: 0.646,
            lambda: 0.01,
            clip_errors: None,
            shuffle: true,
            init: EiInitializer::Lognormal,
        }
    }

    /// Checks every number.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] that names the first value that is not allowed.
    pub fn validate(&self) -> Result<(), Error> {
        if !(0.0..=1.0).contains(&self.epsilon) {
            return Err(Error::usage("epsilon", self.epsilon, "0 to 1"));
        }
        for (name, value) in [
            ("lr", self.lr),
            ("lr-ei", self.lr_ei),
            ("lr-ix", self.lr_ix),
            ("lambda", self.lambda),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::usage(name, value, "a finite number of at least 0"));
            }
        }
        if let Some(norm) = self.clip_errors
            && !(norm.is_finite() && norm > 0.0)
        {
            return Err(Error::usage(
                "clip-errors",
                norm,
                "none, or a finite number above 0",
            ));
        }
        for (name, value, most) in [
            ("steps", self.max_steps.unwrap_or(1), 1_000_000_000),
            ("epochs", self.epochs, 1_000_000),
            ("width", self.width, 100_000),
            ("batch-size", self.batch_size, 1_000_000),
        ] {
            if value < 1 || value > most {
                return Err(Error::usage(name, value, &format!("1 to {most}")));
            }
        }
        if self.width == 1 && self.init != EiInitializer::Iclr {
            return Err(Error::usage(
                "width",
                1,
                "at least 2 with --init lognormal or exponential",
            ));
        }
        Ok(())
    }

    /// Steps in an epoch over `images` images; the last may be a smaller batch.
    pub fn steps_per_epoch(&self, images: usize) -> usize {
        images.div_ceil(self.batch_size)
    }

    /// The sizes of the network.
    pub fn sizes(&self) -> Sizes {
        Sizes {
            input: PIXELS,
            width: self.width,
            depth: self.depth,
            classes: CLASSES,
        }
    }

    /// The learning rate of each population of synapses.
    pub fn learning_rates(&self) -> LearningRates {
        LearningRates {
            excitatory: self.lr,
            bias: self.lr,
            inhibitory_in: self.lr_ix,
            inhibitory_out: self.lr_ei,
        }
    }
}
