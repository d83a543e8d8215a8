//! One network of a run.

use std::ops::Range;

use burn::tensor::Tensor;
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
    patience: Patience,
    pub losses: Vec<f32>,
    /// The number of losses before this epoch.
    earlier: usize,
    pub history: Vec<Epoch>,
    pub steps: usize,
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
            patience: Patience::default(),
            losses: Vec::new(),
            earlier: 0,
            history: Vec::new(),
            steps: 0,
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

    /// Adds an epoch to the history; returns whether early stopping ends the training.
    pub fn end_epoch(&mut self, mut ended: Epoch) -> bool {
        let losses = &self.losses[self.earlier..];
        ended.train_loss = losses.iter().map(|l| f64::from(*l)).sum::<f64>() / losses.len() as f64;
        let (allowed, accuracy) = (self.config.patience, ended.validation_accuracy);
        let enough = self.patience.is_over(allowed, accuracy);
        self.history.push(ended);
        enough
    }

    /// Whether the network still learns.
    pub fn learns(&self) -> bool {
        self.outcome.is_none()
    }

    /// Ends the training of the network, unless it has ended.
    pub fn end(&mut self, outcome: Outcome) {
        self.outcome.get_or_insert(outcome);
    }
}

/// Reads the pending losses, `[networks]` of each step, from the device.
pub(super) fn look(pending: &mut Vec<Tensor<1>>, members: &mut [Member<'_>]) {
    if pending.is_empty() {
        return;
    }
    let losses = Tensor::cat(std::mem::take(pending), 0).into_data();
    let losses: Vec<f32> = losses.iter::<f32>().collect();
    let networks = members.len();
    for (k, member) in members.iter_mut().enumerate() {
        if member.learns() {
            let own = losses.iter().skip(k).step_by(networks);
            let finite = own.clone().all(|loss| loss.is_finite());
            member.losses.extend(own);
            if !finite {
                member.end(Outcome::Diverged);
            }
        }
    }
}

/// The best accuracy on the held-out images, and the number of epochs since.
#[derive(Default)]
struct Patience {
    best: Option<f64>,
    epochs: usize,
}

impl Patience {
    /// Takes the accuracy of an epoch; returns whether training ends.
    fn is_over(&mut self, allowed: Option<usize>, accuracy: Option<f64>) -> bool {
        let (Some(allowed), Some(accuracy)) = (allowed, accuracy) else {
            return false;
        };
        if self.best.is_none_or(|best| accuracy > best) {
            (self.best, self.epochs) = (Some(accuracy), 0);
        } else {
            self.epochs += 1;
        }
        self.epochs >= allowed
    }
}
