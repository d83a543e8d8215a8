//! The record of a run: one JSON object.

use std::collections::BTreeMap;

use ei_norm::metric::Moments;
use serde::{Deserialize, Serialize};

use crate::bounds::{self, at_least_zero, within};
use crate::data::MAX_CLASSES;
use crate::{DeviceName, Error, RunConfig};

/// The version of the numerical results: raised with every change that alters a bit of them on a CPU. A store does
/// not mix runs of different versions.
pub const NUMERICS: u32 = 2;

/// [`NUMERICS`] of a record without this field.
fn first_numerics() -> u32 {
    1
}

fn ten() -> usize {
    10
}

fn is_ten(classes: &usize) -> bool {
    *classes == ten()
}

/// The end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All steps were made, or early stopping ended the training.
    Completed,
    /// The loss, the weights, the logits or the measures of the layers became NaN or infinite; the accuracy is
    /// chance.
    Diverged,
    /// The run was stopped before its end. Its results are from its last complete epoch, and its accuracy is
    /// chance if there is none. A store does not accept it as a finished run.
    Interrupted,
}

/// One epoch of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: usize,
    /// The mean loss of the task over the batches of the epoch.
    pub train_loss: f64,
    /// 0 to 1.
    pub test_accuracy: f64,
    /// The accuracy on the images held out for early stopping, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<f64>,
    /// The measures of the hidden layers at its end.
    #[serde(flatten)]
    pub measures: Measures,
}

/// The measures of the hidden layers of a network, each the mean over 8 fixed batches of 32 test images.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// The alignment with LayerNorm.
    pub alignment: Alignments,
    /// The moments of each hidden layer's pre-activations.
    pub moments: Vec<Moments>,
    /// The largest eigenvalue of the covariance of the error at each hidden layer; none if it is not finite.
    pub lambda_max: Vec<Option<f64>>,
    /// For each hidden layer with lateral weights that learn, the cosine between these weights and equal
    /// weights; none if it is not finite.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lateral_cosine: Vec<Option<f64>>,
    /// The program's additional measures of each hidden layer, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub measures: BTreeMap<String, Vec<Option<f64>>>,
}

/// The similarity of a hidden layer, or of the mean over all hidden layers, to LayerNorm. A cosine is missing
/// if a layer was silent for a whole batch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Alignment {
    /// The cosine of the outputs.
    pub output: Option<f64>,
    /// The cosine of the gradients.
    pub gradient: Option<f64>,
}

/// The alignments of a trained network.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Alignments {
    /// The mean over the hidden layers.
    #[serde(flatten)]
    pub mean: Alignment,
    /// Each hidden layer, starting at the input.
    pub layers: Vec<Alignment>,
}

/// Everything that depends on the clock or the machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Milliseconds for each training step, including the data pipeline, without loading, initialization, the
    /// first 20 steps (100 on a GPU) and tests. None if there were no more steps.
    pub ms_per_step: Option<f64>,
    /// Training images per second, measured in the same way.
    pub images_per_second: Option<f64>,
    /// Seconds from start to end.
    pub seconds: f64,
    /// The number of networks that were trained together; the times are for all of them. None if the network
    /// was trained alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub population: Option<usize>,
    /// The number of steps that a GPU replayed from a recorded step. None if every step was made anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replayed: Option<usize>,
    /// When the run ended, in seconds since 1970.
    pub ended: Option<u64>,
    /// The machine.
    pub machine: Option<String>,
}

/// The record of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The configuration.
    #[serde(flatten)]
    pub config: RunConfig,
    /// The version of this program.
    pub version: String,
    /// The version of the numerical results of this program.
    #[serde(default = "first_numerics")]
    pub numerics: u32,
    /// The backend.
    pub device: String,
    /// A description of the data.
    pub data: String,
    /// The digest of the data.
    pub data_sha256: String,
    /// The number of classes; 10 if a record does not say.
    #[serde(default = "ten", skip_serializing_if = "is_ten")]
    pub classes: usize,
    /// The SHA-256 of the file of weights, if this is the record of a saved model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights_sha256: Option<String>,
    /// The number of steps made.
    pub steps: usize,
    /// Test accuracy after the last step, or after the last complete epoch of an interrupted run; 0 to 1.
    pub test_accuracy: f64,
    /// The mean loss of the task over the last epoch; none if the run diverged.
    pub train_loss: Option<f64>,
    /// [`Measures::alignment`] at the end; none if the run diverged.
    pub alignment: Option<Alignments>,
    /// [`Measures::moments`] at the end; none if the run diverged.
    pub moments: Option<Vec<Moments>>,
    /// [`Measures::lambda_max`] at the end; none if the run diverged.
    pub lambda_max: Option<Vec<Option<f64>>>,
    /// How the run ended.
    pub outcome: Outcome,
    /// Each epoch.
    pub history: Vec<Epoch>,
    /// The times and the machine.
    pub timing: Timing,
}

/// The number of epochs of the longest run.
pub(crate) fn longest<'a>(runs: impl Iterator<Item = &'a RunRecord>) -> usize {
    runs.map(|run| run.history.len()).max().unwrap_or(0)
}

impl RunRecord {
    /// Test accuracy in percent after each epoch. A run that completed early keeps its last accuracy for the rest
    /// of its epochs, at most `epochs`; a run that diverged has none from its end on.
    pub(crate) fn curve(&self, epochs: usize) -> Vec<f64> {
        let percents = self.history.iter().map(|e| 100.0 * e.test_accuracy);
        let mut curve: Vec<f64> = percents.collect();
        if let (Outcome::Completed, Some(last)) = (self.outcome, curve.last().copied()) {
            let end = epochs.min(self.config.epochs).max(curve.len());
            curve.resize(end, last);
        }
        curve
    }

    /// Checks the values of a record that was read: each number, and their consistency.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] that names the first invalid value; [`Error::Data`] if the results at the end are not
    /// those of the last epoch.
    pub fn validate(&self) -> Result<(), Error> {
        let config = &self.config;
        config.validate()?;
        self.device.parse::<DeviceName>()?;
        bounds::digest("data_sha256", &self.data_sha256)?;
        if let Some(digest) = &self.weights_sha256 {
            bounds::digest("weights_sha256", digest)?;
        }
        let most = config.max_steps.unwrap_or(usize::MAX);
        if !(self.history.len().max(1)..=most).contains(&self.steps) {
            let allowed = "at least 1 for each epoch, at most those asked for";
            return Err(Error::usage("steps", self.steps, allowed));
        }
        within("test_accuracy", self.test_accuracy, 0.0..=1.0)?;
        within("classes", self.classes, 2..=MAX_CLASSES)?;
        let chance = 1.0 / self.classes as f64;
        if self.outcome == Outcome::Diverged && self.test_accuracy != chance {
            let allowed = format!("{chance}, that of chance, where a run diverged");
            return Err(Error::usage("test_accuracy", self.test_accuracy, &allowed));
        }
        for (epoch, counted) in self.history.iter().zip(1..) {
            if epoch.epoch != counted || counted > config.epochs {
                let name = "an epoch of the history";
                let allowed = format!("1, 2, … up to {}", config.epochs);
                return Err(Error::usage(name, epoch.epoch, &allowed));
            }
            epoch.validate()?;
        }
        let timing = &self.timing;
        let times = [timing.ms_per_step, timing.images_per_second];
        for time in times.into_iter().flatten().chain([timing.seconds]) {
            at_least_zero("a time", time)?;
        }
        self.validate_outcome()
    }

    /// Checks that the results at the end agree with the outcome and the last epoch.
    fn validate_outcome(&self) -> Result<(), Error> {
        let config = &self.config;
        let made = self.history.len();
        let all = config.max_steps.is_none() && config.patience.is_none();
        let least = if all { config.epochs } else { 1 };
        if self.outcome == Outcome::Completed && made < least {
            let name = "the number of epochs in the history";
            let allowed = format!("{} for a completed run", config.epochs);
            return Err(Error::usage(name, made, &allowed));
        }
        let last = self.history.last();
        let last = last.filter(|_| self.outcome != Outcome::Diverged);
        let measures = last.map(|epoch| &epoch.measures);
        let same = last.is_none_or(|epoch| epoch.test_accuracy == self.test_accuracy)
            && last.map(|epoch| epoch.train_loss) == self.train_loss
            && measures.map(|m| &m.alignment) == self.alignment.as_ref()
            && measures.map(|m| &m.moments) == self.moments.as_ref()
            && measures.map(|m| &m.lambda_max) == self.lambda_max.as_ref();
        match same {
            true => Ok(()),
            false => Err(Error::Data(
                "test_accuracy, train_loss, alignment, moments and lambda_max do not fit the \
                 history; allowed: those of its last epoch, and none for a run that diverged"
                    .to_owned(),
            )),
        }
    }
}

impl Epoch {
    fn validate(&self) -> Result<(), Error> {
        at_least_zero("train_loss", self.train_loss)?;
        within("test_accuracy", self.test_accuracy, 0.0..=1.0)?;
        if let Some(accuracy) = self.validation_accuracy {
            within("validation_accuracy", accuracy, 0.0..=1.0)?;
        }
        self.measures.validate()
    }
}

impl Measures {
    /// Checks that every layer has each measure, within its range.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let layers = self.alignment.layers.len();
        let further = self.measures.values().map(Vec::len);
        let lengths = [self.moments.len(), self.lambda_max.len()];
        if let Some(other) = further.chain(lengths).find(|length| *length != layers) {
            let name = "the number of layers of a measure";
            return Err(Error::usage(name, other, &layers.to_string()));
        }
        if self.lateral_cosine.len() > layers {
            let (found, allowed) = (self.lateral_cosine.len(), format!("at most {layers}"));
            return Err(Error::usage("lateral_cosine of layers", found, &allowed));
        }
        let of = |alignment: &Alignment| [alignment.output, alignment.gradient];
        let alignments = self.alignment.layers.iter().chain([&self.alignment.mean]);
        let cosines = alignments.flat_map(of).flatten();
        for cosine in cosines.chain(self.lateral_cosine.iter().copied().flatten()) {
            // With a tolerance for rounding.
            if !(-1.001..=1.001).contains(&cosine) {
                return Err(Error::usage("a cosine", cosine, "-1 to 1"));
            }
        }
        self.moments.iter().try_for_each(|moments| {
            if !moments.mean.is_finite() {
                return Err(Error::usage("a mean", moments.mean, "a finite number"));
            }
            at_least_zero("a variance", moments.variance)
        })
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

impl SweepRecord {
    /// Whether both have the same values, however long the runs took.
    pub(crate) fn same_result(&self, other: &Self) -> bool {
        let mut timed_alike = other.clone();
        timed_alike.run.timing.clone_from(&self.run.timing);
        *self == timed_alike
    }
}
