//! One run: train a network, test it, measure it. A pure function of configuration and data.

use std::ops::ControlFlow;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use rand::seq::SliceRandom;

use crate::data::{Dataset, Split};
use crate::measure::measure;
use crate::network::{Learner, Task, TrainedNetwork};
use crate::optimizer::Optimizer;
use crate::random::{Purpose, generator};
use crate::record::{Epoch, NUMERICS, Outcome, RunRecord, Timing};
use crate::{DeviceName, Error, RunConfig, machine};

/// Images that are tested at a time: large enough to use the machine, small enough to stay in cache.
const TEST_BATCH: usize = 500;
/// Steps that are not timed: allocators and caches settle in them.
const WARM_UP: usize = 20;
/// Steps between two looks at the losses: each look waits for the device.
const LOOK_EVERY: usize = 32;

/// What a run reports while it goes.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Steps made.
    pub step: usize,
    /// Steps to make.
    pub steps: usize,
    /// The epoch that has just ended, if one has.
    pub epoch: Option<&'a Epoch>,
}

/// Hears of the progress of a run, and says whether it shall go on.
pub type Observer<'a> = dyn FnMut(Progress<'_>) -> ControlFlow<()> + Send + 'a;

/// What a run yields.
pub struct Trained {
    /// The record.
    pub record: RunRecord,
    /// The network after the last step, without autodiff.
    pub network: Box<dyn TrainedNetwork>,
    /// The loss of the task before each step.
    pub losses: Vec<f32>,
}

/// Trains and tests one network on one thread.
///
/// On a CPU the result is the same bits whatever else the machine does: every operation runs in a
/// thread pool of one thread, so no sum depends on how work was divided.
///
/// `progress` may break off the run, before its next step.
///
/// # Errors
///
/// If the configuration is not valid. A run that diverges, or is broken off, is not an error but has that
/// outcome.
pub fn run(
    config: &RunConfig,
    data: &Dataset,
    device: DeviceName,
    progress: &mut Observer<'_>,
) -> Result<Trained, Error> {
    config.validate()?;
    config.network.train(config, data, device, progress)
}

/// [`run`] with networks of type `N`.
pub(crate) fn train<N: Learner>(
    config: &RunConfig,
    data: &Dataset,
    device: DeviceName,
    progress: &mut Observer<'_>,
) -> Result<Trained, Error> {
    let device_of_run = device.open()?;
    on_one_thread(|| Run::new(config, data, device, device_of_run).train::<N>(progress))?
}

/// Tests a network as at the end of a run with this configuration: the same stimuli, the same accuracy.
///
/// # Errors
///
/// If no thread can be started.
pub fn test(
    network: &dyn TrainedNetwork,
    config: &RunConfig,
    split: &Split,
    device: &Device,
) -> Result<f64, Error> {
    on_one_thread(|| network.accuracy(config, split, device))
}

fn on_one_thread<T: Send>(f: impl FnOnce() -> T + Send) -> Result<T, Error> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.map_err(|e| Error::Thread {
        problem: e.to_string(),
    })?;
    Ok(pool.install(f))
}

struct Run<'a> {
    config: &'a RunConfig,
    data: &'a Dataset,
    device_name: DeviceName,
    plain: Device,
    autodiff: Device,
    started: Instant,
}

/// What training adds up.
#[derive(Default)]
struct Progression {
    losses: Vec<f32>,
    diverged: bool,
    interrupted: bool,
    pending: Vec<Tensor<1>>,
    history: Vec<Epoch>,
    timed: Duration,
    timed_steps: usize,
    timed_images: usize,
}

impl Progression {
    /// Reads the losses that are still on the device.
    fn look(&mut self) {
        if !self.pending.is_empty() {
            let pending = Tensor::cat(std::mem::take(&mut self.pending), 0).into_data();
            self.diverged |= pending.iter::<f32>().any(|loss| !loss.is_finite());
            self.losses.extend(pending.iter::<f32>());
        }
    }
}

impl<'a> Run<'a> {
    fn new(
        config: &'a RunConfig,
        data: &'a Dataset,
        device_name: DeviceName,
        plain: Device,
    ) -> Self {
        let autodiff = plain.clone().autodiff();
        Self {
            config,
            data,
            device_name,
            plain,
            autodiff,
            started: Instant::now(),
        }
    }

    fn train<N: Learner>(&self, progress: &mut Observer<'_>) -> Result<Trained, Error> {
        let config = self.config;
        let train = self.data.train();
        let mut weights = generator(config.seed, Purpose::Weights);
        let task = Task::of(self.data);
        let mut network = N::create(config, task, &self.autodiff, &mut weights)?;
        let rates = config.learning_rates();
        let mut optimizer = Optimizer::new(config.optimizer, &network, rates, config.lambda);
        let used = config.images_to_train_on(train.len());
        let held_out: Vec<usize> = (used..train.len()).collect();
        let mut patience = Patience::default();
        let mut order: Vec<usize> = (0..used).collect();
        let mut shuffling = generator(config.seed, Purpose::Order);
        let mut shifts = generator(config.seed, Purpose::TrainShifts);
        let all_steps = config.epochs.saturating_mul(config.steps_per_epoch(used));
        let steps = config.max_steps.map_or(all_steps, |max| max.min(all_steps));
        let mut so_far = Progression::default();
        let mut made = 0;

        'epochs: for epoch in 1..=config.epochs {
            if config.shuffle {
                order.shuffle(&mut shuffling);
            }
            let first_of_epoch = so_far.losses.len();
            let mut since = Instant::now();
            for indices in order.chunks(config.batch_size) {
                if made == steps {
                    break;
                }
                let time = Some(made as f64 / steps as f64);
                let batch = config.batch(train, indices, time, &mut shifts, &self.autodiff);
                let (next, loss) = optimizer.step(network, batch.x, batch.labels);
                network = next;
                so_far.pending.push(loss.task);
                made += 1;
                if made == WARM_UP {
                    so_far.look();
                    since = Instant::now();
                } else if made > WARM_UP {
                    so_far.timed_steps += 1;
                    so_far.timed_images += indices.len();
                }
                if made % LOOK_EVERY == 0 {
                    so_far.look();
                }
                if so_far.diverged {
                    break;
                }
                let news = Progress {
                    step: made,
                    steps,
                    epoch: None,
                };
                if progress(news).is_break() {
                    so_far.look();
                    so_far.interrupted = true;
                    break 'epochs;
                }
            }
            so_far.look();
            if made > WARM_UP {
                so_far.timed += since.elapsed();
            }
            // The last update may have gone wrong without a loss to show it.
            so_far.diverged |= !all_finite(&network);
            if so_far.diverged {
                break;
            }
            let losses = &so_far.losses[first_of_epoch..];
            let plain = network.valid();
            let test = self.data.test();
            let on = |split, indices: &[usize]| self.accuracy(&plain, split, indices);
            let ended = Epoch {
                epoch,
                train_loss: losses.iter().map(|l| f64::from(*l)).sum::<f64>() / losses.len() as f64,
                test_accuracy: on(test, &(0..test.len()).collect::<Vec<_>>()),
                validation_accuracy: config.patience.map(|_| on(train, &held_out)),
                measures: measure(&plain, config, test, &self.plain),
            };
            let enough = patience.is_over(config.patience, ended.validation_accuracy);
            let news = Progress {
                step: made,
                steps,
                epoch: Some(&ended),
            };
            let go_on = progress(news).is_continue();
            so_far.history.push(ended);
            if made == steps || enough {
                break;
            }
            if !go_on {
                so_far.interrupted = true;
                break;
            }
        }
        let network = network.valid();
        let record = self.record(&so_far, made);
        Ok(Trained {
            record,
            network: Box::new(network),
            losses: so_far.losses,
        })
    }

    fn accuracy(&self, network: &impl Learner, split: &Split, indices: &[usize]) -> f64 {
        accuracy_on(network, self.config, split, indices, &self.plain)
    }

    fn record(&self, so_far: &Progression, steps: usize) -> RunRecord {
        let last = so_far.history.last().filter(|_| !so_far.diverged);
        let measures = last.map(|epoch| epoch.measures.clone());
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let per = |amount: usize| {
            (so_far.timed_steps > 0).then(|| amount as f64 / so_far.timed.as_secs_f64())
        };
        RunRecord {
            config: self.config.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            numerics: NUMERICS,
            device: self.device_name.name().to_owned(),
            data: self.data.source().content(),
            data_sha256: self.data.sha256().to_owned(),
            weights_sha256: None,
            steps,
            test_accuracy: last.map_or(1.0 / self.data.classes() as f64, |epoch| {
                epoch.test_accuracy
            }),
            train_loss: last.map(|epoch| epoch.train_loss),
            alignment: measures.clone().map(|m| m.alignment),
            moments: measures.clone().map(|m| m.moments),
            lambda_max: measures.map(|m| m.lambda_max),
            outcome: match (so_far.diverged, so_far.interrupted) {
                (true, _) => Outcome::Diverged,
                (false, true) => Outcome::Interrupted,
                (false, false) => Outcome::Completed,
            },
            history: so_far.history.clone(),
            timing: Timing {
                ms_per_step: per(so_far.timed_steps).map(|steps| 1e3 / steps),
                images_per_second: per(so_far.timed_images),
                seconds: self.started.elapsed().as_secs_f64(),
                ended: now.ok().map(|since| since.as_secs()),
                machine: Some(machine::description()),
            },
        }
    }
}

/// Whether every parameter is a number: a sum of numbers is one.
fn all_finite(network: &impl Module) -> bool {
    struct Sum(Option<Tensor<1>>);
    impl ModuleVisitor for Sum {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            // Zero times a number is zero, however large.
            let zero = (param.val().inner() * 0.0).sum();
            self.0 = Some(match self.0.take() {
                Some(sum) => sum + zero,
                None => zero,
            });
        }
    }
    let mut sum = Sum(None);
    network.visit(&mut sum);
    sum.0.is_none_or(|sum| sum.into_scalar::<f32>().is_finite())
}

/// How long the accuracy on what is held out has not risen.
#[derive(Default)]
struct Patience {
    best: f64,
    epochs: usize,
}

impl Patience {
    /// Hears of an epoch; whether it was one too many.
    fn is_over(&mut self, allowed: Option<usize>, accuracy: Option<f64>) -> bool {
        let (Some(allowed), Some(accuracy)) = (allowed, accuracy) else {
            return false;
        };
        if accuracy > self.best {
            (self.best, self.epochs) = (accuracy, 0);
        } else {
            self.epochs += 1;
        }
        self.epochs >= allowed
    }
}

/// The share of the images of a split that are classified correctly, under the stimuli that the seed
/// fixes.
pub(crate) fn accuracy(
    network: &impl Learner,
    config: &RunConfig,
    split: &Split,
    device: &Device,
) -> f64 {
    let indices: Vec<usize> = (0..split.len()).collect();
    accuracy_on(network, config, split, &indices, device)
}

fn accuracy_on(
    network: &impl Learner,
    config: &RunConfig,
    split: &Split,
    indices: &[usize],
    device: &Device,
) -> f64 {
    let mut shifts = generator(config.seed, Purpose::TestShifts);
    let mut correct = 0;
    for indices in indices.chunks(TEST_BATCH) {
        let batch = config.batch(split, indices, None, &mut shifts, device);
        let guesses = network.logits(batch.x).argmax(1).into_data();
        correct += guesses
            .iter::<i64>()
            .zip(indices)
            .filter(|(guess, index)| *guess == i64::from(split.label(**index)))
            .count();
    }
    correct as f64 / indices.len() as f64
}
