//! One network of a run.

use std::ops::Range;

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::RunConfig;
use crate::random::{Purpose, generator};
use crate::record::{Epoch, Outcome};
use crate::stimulus::Presented;

/// One network of a run: its random generators and its results so far.
pub(super) struct Member<'a> {
    pub config: &'a RunConfig,
    /// The training images in the order of this epoch.
    order: Vec<usize>,
    shuffling: ChaCha8Rng,
    shifts: ChaCha8Rng,
    /// The loss before each of its steps.
    pub losses: Vec<f32>,
    /// The number of losses before this epoch.
    earlier: usize,
    pub history: Vec<Epoch>,
    /// None while it learns.
    pub outcome: Option<Outcome>,
}

impl<'a> Member<'a> {
    pub fn new(config: &'a RunConfig, images: usize) -> Self {
        Self {
            config,
            order: (0..images).collect(),
            shuffling: generator(config.seed, Purpose::Order),
            shifts: generator(config.seed, Purpose::TrainShifts),
            losses: Vec::new(),
            earlier: 0,
            history: Vec::new(),
            outcome: None,
        }
    }

    /// Shuffles the images, if they are to be shuffled.
    pub fn begin_epoch(&mut self) {
        if self.config.shuffle {
            self.order.shuffle(&mut self.shuffling);
        }
        self.earlier = self.losses.len();
    }

    /// The images at these places of the order, with their stimuli at this time.
    pub fn present(&mut self, places: Range<usize>, time: f64) -> impl Iterator<Item = Presented> {
        let (config, indices) = (self.config, &self.order[places]);
        let stimulus = config.stimulus;
        stimulus.present(indices, config.epsilon, Some(time), &mut self.shifts)
    }

    /// Takes the losses of the latest steps; ends the training if one is not finite.
    pub fn take_losses(&mut self, losses: impl Iterator<Item = f32> + Clone) {
        if self.learns() {
            let diverged = losses.clone().any(|loss| !loss.is_finite());
            self.losses.extend(losses);
            if diverged {
                self.end(Outcome::Diverged);
            }
        }
    }

    /// Adds an epoch to the history of a network that learns; ends the training after the last epoch, and after an
    /// epoch without results.
    pub fn end_epoch(&mut self, ended: Option<Epoch>, is_last: bool) {
        if !self.learns() {
            return;
        }
        // Sums of finite weights may still be infinite.
        let Some(mut ended) = ended.filter(|epoch| epoch.measures.validate().is_ok()) else {
            return self.end(Outcome::Diverged);
        };
        let losses = &self.losses[self.earlier..];
        ended.train_loss = losses.iter().map(|l| f64::from(*l)).sum::<f64>() / losses.len() as f64;
        self.history.push(ended);
        if is_last || self.patience_is_over() {
            self.end(Outcome::Completed);
        }
    }

    /// Whether the last epochs, as many as the patience, are not better on the held-out images than the epochs
    /// before them.
    fn patience_is_over(&self) -> bool {
        let earlier = |patience| self.history.len().checked_sub(patience);
        let Some(earlier @ 1..) = self.config.patience.and_then(earlier) else {
            return false;
        };
        let (earlier, last) = self.history.split_at(earlier);
        let best = |epochs: &[Epoch]| {
            let accuracies = epochs.iter().filter_map(|e| e.validation_accuracy);
            accuracies.fold(0.0, f64::max)
        };
        best(last) <= best(earlier)
    }

    pub fn learns(&self) -> bool {
        self.outcome.is_none()
    }

    /// Ends the training of the network, unless it has ended.
    pub fn end(&mut self, outcome: Outcome) {
        self.outcome.get_or_insert(outcome);
    }
}
