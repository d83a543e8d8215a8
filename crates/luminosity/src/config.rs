//! The configuration of one run.

use std::collections::BTreeMap;

use ei_norm::EiInitializer;
use serde::{Deserialize, Serialize};

use crate::bounds::{at_least_zero, within};
use crate::condition::HiddenSpec;
use crate::network::{Network, NetworkOption};
use crate::optimizer::{LearningRates, OptimizerName};
use crate::stimulus::Stimulus;
use crate::{Condition, Error};

/// The largest [`RunConfig::width`].
pub(crate) const MOST_WIDTH: usize = 20_000;
/// The largest [`RunConfig::epochs`].
pub(crate) const MOST_EPOCHS: usize = 1_000_000;

/// The configuration of a run. Together with the data and the program's version it determines the result, on
/// a CPU to the bit.
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
    /// The maximum number of steps, if given.
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
    /// The largest norm of an example's error at the output of a hidden layer, in a recurrent layer at every
    /// step; if there is none, errors are not clipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_errors: Option<f64>,
    /// Whether every epoch has a different order.
    pub shuffle: bool,
    /// The distribution of the initial weights.
    pub init: EiInitializer,
    /// The network.
    #[serde(default, skip_serializing_if = "is_default")]
    pub network: Network,
    /// The given options of this kind of network; the others have their defaults.
    #[serde(default, skip_serializing_if = "is_default")]
    pub options: BTreeMap<String, usize>,
    /// The variation of brightness.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stimulus: Stimulus,
    /// The optimizer.
    #[serde(default, skip_serializing_if = "is_default")]
    pub optimizer: OptimizerName,
    /// Early stopping: the last tenth of the training images is held out, and training ends after this many
    /// epochs without a better accuracy on them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub patience: Option<usize>,
}

/// Whether a value is the default. Defaults are left out of records, so that a new setting does not change
/// the names of old runs.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl RunConfig {
    /// A good setting under the paper's protocol, at its strongest variation of luminosity.
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
            network: Network::default(),
            options: BTreeMap::new(),
            stimulus: Stimulus::default(),
            optimizer: OptimizerName::default(),
            patience: None,
        }
    }

    /// Like [`new`](Self::new), for another kind of network with its own defaults.
    pub fn of(network: Network, condition: Condition, seed: u64) -> Self {
        let mut config = Self {
            network,
            ..Self::new(condition, seed)
        };
        (network.defaults)(&mut config);
        config
    }

    /// Checks every number.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] that names the first invalid value.
    pub fn validate(&self) -> Result<(), Error> {
        within("epsilon", self.epsilon, 0.0..=1.0)?;
        at_least_zero("lr", self.lr)?;
        at_least_zero("lr-ei", self.lr_ei)?;
        at_least_zero("lr-ix", self.lr_ix)?;
        at_least_zero("lambda", self.lambda)?;
        // Both are in the names of files, as decimals.
        for (name, value, most) in [
            ("epsilon", self.epsilon, 1.0),
            ("lambda", self.lambda, 1e30),
        ] {
            if value != 0.0 && !(1e-30..=most).contains(&value) {
                let allowed = format!("0, or 1e-30 to {most:?}");
                return Err(Error::usage(name, format!("{value:?}"), &allowed));
            }
        }
        if let Some(norm) = self.clip_errors
            && !(norm.is_finite() && norm > 0.0)
        {
            let allowed = "a finite number above 0; not to clip: none, or in a file 0";
            return Err(Error::usage("clip-errors", norm, allowed));
        }
        within("steps", self.max_steps.unwrap_or(1), 1..=1_000_000_000)?;
        within("epochs", self.epochs, 1..=MOST_EPOCHS)?;
        within("width", self.width, 1..=MOST_WIDTH)?;
        within("batch-size", self.batch_size, 1..=1_000_000)?;
        within("patience", self.patience.unwrap_or(1), 1..=1_000_000)?;
        within("depth", self.depth, 0..=64)?;
        self.network.check(&self.options)?;
        let i_norm = !matches!(self.condition.hidden, HiddenSpec::Ei { .. });
        if self.width == 1 && (i_norm || self.init != EiInitializer::Iclr) {
            let allowed = "at least 2; 1 only with --init iclr and a condition without I-Norm";
            return Err(Error::usage("width", 1, allowed));
        }
        Ok(())
    }

    /// The number of steps in an epoch with `images` training images; the last batch may be smaller.
    pub fn steps_per_epoch(&self, images: usize) -> usize {
        self.images_to_train_on(images).div_ceil(self.batch_size)
    }

    /// The number of steps of a run with `images` training images, if nothing ends it earlier.
    pub fn steps(&self, images: usize) -> usize {
        let all = self.epochs.saturating_mul(self.steps_per_epoch(images));
        self.max_steps.map_or(all, |most| most.min(all))
    }

    /// The number of images to train on, of `images` training images; with early stopping the last tenth is held
    /// out.
    pub fn images_to_train_on(&self, images: usize) -> usize {
        match self.patience {
            Some(_) => images - (images / 10).max(1).min(images.saturating_sub(1)),
            None => images,
        }
    }

    /// The value of an option of the network.
    pub fn option(&self, option: &NetworkOption) -> usize {
        let given = self.options.get(option.name);
        given.copied().unwrap_or(option.default)
    }

    /// Whether both runs can be in one population: they may differ only in the settings of single networks.
    pub(crate) fn joins(&self, other: &Self) -> bool {
        let alike = Self {
            epsilon: self.epsilon,
            seed: self.seed,
            width: self.width,
            lr: self.lr,
            lr_ei: self.lr_ei,
            lr_ix: self.lr_ix,
            lambda: self.lambda,
            ..other.clone()
        };
        let population = self.network.functions.population;
        population.is_some_and(|population| (population.takes)(self)) && *self == alike
    }

    /// The learning rate for each role of weights.
    pub fn learning_rates(&self) -> LearningRates {
        LearningRates {
            excitatory: self.lr,
            bias: self.lr,
            inhibitory_in: self.lr_ix,
            inhibitory_out: self.lr_ei,
        }
    }
}
