//! What is written down of a run: one JSON object.

use std::collections::BTreeMap;

use ei_norm::metric::Moments;
use serde::{Deserialize, Serialize};

use crate::{DeviceName, RunConfig};

/// The version of the numbers that runs yield: raised with every change that alters a bit of them. Runs
/// of different versions are not mixed in a store.
pub const NUMERICS: u32 = 2;

/// That of records which do not say.
fn first_numerics() -> u32 {
    1
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It made all its steps.
    Completed,
    /// Its loss or its weights stopped being numbers; its accuracy is that of chance.
    Diverged,
}

/// One epoch of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: usize,
    /// The mean loss of the task over the epoch's batches.
    pub train_loss: f64,
    /// 0 to 1.
    pub test_accuracy: f64,
    /// The accuracy on what early stopping holds out, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<f64>,
    /// What is measured of the hidden layers at its end.
    #[serde(flatten)]
    pub measures: Measures,
}

/// What is measured of the hidden layers of a network, each the mean over 8 fixed batches of 32 test
/// images.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// The alignment with LayerNorm.
    pub alignment: Alignments,
    /// The moments of each hidden layer's pre-activations.
    pub moments: Vec<Moments>,
    /// The largest eigenvalue of the covariance of the error that reaches each hidden layer; none
    /// where it is not a number.
    pub lambda_max: Vec<Option<f64>>,
    /// The cosine between the lateral weights of each hidden layer that has some that learn and equal
    /// ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lateral_cosine: Vec<f64>,
    /// What the program's own measures say of each hidden layer, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub measures: BTreeMap<String, Vec<Option<f64>>>,
}

/// How a hidden layer, or the mean of all, compares with LayerNorm. A cosine is missing where a layer
/// was silent for a whole batch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Alignment {
    /// Of the output.
    pub output: Option<f64>,
    /// Of the gradient.
    pub gradient: Option<f64>,
}

/// The alignments of a trained network.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Alignments {
    /// The mean over the hidden layers.
    #[serde(flatten)]
    pub mean: Alignment,
    /// Each hidden layer, from the input on.
    pub layers: Vec<Alignment>,
}

/// Everything that depends on the clock or the machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Milliseconds a training step, data pipeline included; loading, initialization, the first 20
    /// steps and tests are left out. None if there were no more than 20 steps.
    pub ms_per_step: Option<f64>,
    /// Training images a second, in the same way.
    pub images_per_second: Option<f64>,
    /// Seconds from start to end.
    pub seconds: f64,
    /// When it ended, in seconds since 1970.
    #[serde(default)]
    pub ended: Option<u64>,
    /// The machine.
    #[serde(default)]
    pub machine: Option<String>,
}

/// The record of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// What was asked.
    #[serde(flatten)]
    pub config: RunConfig,
    /// The version of this program.
    pub version: String,
    /// [`NUMERICS`] of this program.
    #[serde(default = "first_numerics")]
    pub numerics: u32,
    /// The backend.
    pub device: String,
    /// Which data, in words.
    pub data: String,
    /// Which data, by content.
    pub data_sha256: String,
    /// How many steps were made.
    pub steps: usize,
    /// Test accuracy after the last step, 0 to 1.
    pub test_accuracy: f64,
    /// The mean loss of the task over the last epoch; none if the run diverged.
    pub train_loss: Option<f64>,
    /// [`Measures::alignment`] at the end; none if the run diverged.
    pub alignment: Option<Alignments>,
    /// [`Measures::moments`], in the same way.
    pub moments: Option<Vec<Moments>>,
    /// [`Measures::lambda_max`], in the same way.
    pub lambda_max: Option<Vec<Option<f64>>>,
    /// How it ended.
    pub outcome: Outcome,
    /// Each epoch.
    pub history: Vec<Epoch>,
    /// The clock and the machine.
    pub timing: Timing,
}

impl RunRecord {
    /// Checks what a record that was read claims.
    ///
    /// # Errors
    ///
    /// The first value that cannot be, and what is allowed.
    pub fn validate(&self) -> Result<(), String> {
        self.config.validate().map_err(|e| e.to_string())?;
        self.device
            .parse::<DeviceName>()
            .map_err(|e| e.to_string())?;
        let refuse = |name: &str, value: &dyn std::fmt::Display, allowed: &str| {
            Err(format!("{name} is {value}; allowed: {allowed}"))
        };
        let hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        if self.data_sha256.len() != 64 || !self.data_sha256.chars().all(hex) {
            return refuse("data_sha256", &self.data_sha256, "64 hexadecimal digits");
        }
        if self.steps == 0 {
            return refuse("steps", &0, "at least 1");
        }
        let of_history = self.history.iter();
        let of_history = of_history.flat_map(|e| [Some(e.test_accuracy), e.validation_accuracy]);
        for accuracy in of_history.flatten().chain([self.test_accuracy]) {
            if !(0.0..=1.0).contains(&accuracy) {
                return refuse("an accuracy", &accuracy, "0 to 1");
            }
        }
        let epochs = self.config.epochs;
        for (epoch, counted) in self.history.iter().map(|e| e.epoch).zip(1..) {
            if epoch != counted || epoch > epochs {
                let allowed = format!("1, 2, … up to {epochs}");
                return refuse("an epoch of the history", &epoch, &allowed);
            }
        }
        let whole = self.alignment.is_some() && self.moments.is_some() && self.lambda_max.is_some();
        if self.outcome == Outcome::Completed && (!whole || self.history.is_empty()) {
            return Err("completed without alignment, moments, lambda_max or history".to_owned());
        }
        Ok(())
    }
}

/// The record of a run of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepRecord {
    /// The number of its setting of hyper-parameters, from 0.
    pub setting: usize,
    /// The run.
    #[serde(flatten)]
    pub run: RunRecord,
}
