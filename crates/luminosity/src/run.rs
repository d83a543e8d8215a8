//! One run: train a network, test it, measure it. A pure function of configuration and data.

use std::ops::ControlFlow;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use burn::tensor::{Device, Tensor};
use rand::seq::SliceRandom;

use crate::data::{CLASSES, Dataset, Split};
use crate::model::Network;
use crate::optimizer::Optimizer;
use crate::random::{Purpose, generator};
use crate::record::{Epoch, Outcome, RunRecord, Timing};
use crate::stimulus;
use crate::{DeviceName, Error, Learner, RunConfig, machine};

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
#[derive(Debug)]
pub struct Trained<N = Network> {
    /// The record.
    pub record: RunRecord,
    /// The network after the last step, without autodiff.
    pub network: N,
    /// The loss of the task before each step.
    pub losses: Vec<f32>,
}

/// Trains and tests one network on one thread.
///
/// On a CPU the result is the same bits whatever else the machine does: every operation runs in a
/// thread pool of one thread, so no sum depends on how work was divided.
///
/// `progress` may break off the run.
///
/// # Errors
///
/// If the configuration is not valid, or [`Error::Interrupted`] if `progress` breaks it off. A run that diverges is not an error but an outcome.
pub fn run(
    config: &RunConfig,
    data: &Dataset,
    device: DeviceName,
    progress: &mut Observer<'_>,
) -> Result<Trained, Error> {
    train(config, data, device, progress)
}

/// [`run`] for a network of another kind.
///
/// # Errors
///
/// As [`run`].
pub fn train<N: Learner>(
    config: &RunConfig,
    data: &Dataset,
    device: DeviceName,
    progress: &mut Observer<'_>,
) -> Result<Trained<N>, Error> {
    config.validate()?;
    let device_of_run = device.open()?;
    on_one_thread(|| Run::new(config, data, device, device_of_run)?.train(progress))?
}

/// Tests a network as at the end of a run with this configuration: the same shifts, the same
/// accuracy.
///
/// # Errors
///
/// If no thread can be started.
pub fn test(
    network: &Network,
    config: &RunConfig,
    split: &Split,
    device: &Device,
) -> Result<f64, Error> {
    on_one_thread(|| accuracy(network, config, split, device))
}

fn on_one_thread<T: Send>(f: impl FnOnce() -> T + Send) -> Result<T, Error> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.map_err(|e| Error::usage("threads", 1, &format!("({e})")))?;
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
    ) -> Result<Self, Error> {
        let autodiff = plain.clone().autodiff();
        Ok(Self {
            config,
            data,
            device_name,
            plain,
            autodiff,
            started: Instant::now(),
        })
    }

    fn train<N: Learner>(&self, progress: &mut Observer<'_>) -> Result<Trained<N>, Error> {
        let config = self.config;
        let train = self.data.train();
        let mut weights = generator(config.seed, Purpose::Weights);
        let mut network = N::create(config, &self.autodiff, &mut weights)?;
        let mut optimizer = Optimizer::new(&network, config.learning_rates(), config.lambda);
        let mut order: Vec<usize> = (0..train.len()).collect();
        let mut shuffling = generator(config.seed, Purpose::Order);
        let mut shifts = generator(config.seed, Purpose::TrainShifts);
        let all_steps = config
            .epochs
            .saturating_mul(config.steps_per_epoch(train.len()));
        let steps = config.max_steps.map_or(all_steps, |max| max.min(all_steps));
        let mut so_far = Progression::default();
        let mut made = 0;

        for epoch in 1..=config.epochs {
            if config.shuffle {
                order.shuffle(&mut shuffling);
            }
            let first_of_epoch = so_far.losses.len();
            let mut since = Instant::now();
            for indices in order.chunks(config.batch_size) {
                if made == steps {
                    break;
                }
                let batch =
                    stimulus::batch(train, indices, config.epsilon, &mut shifts, &self.autodiff);
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
                    return Err(Error::Interrupted);
                }
            }
            so_far.look();
            if made > WARM_UP {
                so_far.timed += since.elapsed();
            }
            if so_far.diverged {
                break;
            }
            let losses = &so_far.losses[first_of_epoch..];
            let ended = Epoch {
                epoch,
                train_loss: losses.iter().map(|l| f64::from(*l)).sum::<f64>() / losses.len() as f64,
                test_accuracy: self.test(&network),
                measures: (network.valid()).measures(config, self.data.test(), &self.plain),
            };
            let news = Progress {
                step: made,
                steps,
                epoch: Some(&ended),
            };
            if progress(news).is_break() {
                return Err(Error::Interrupted);
            }
            so_far.history.push(ended);
            if made == steps {
                break;
            }
        }
        let network = network.valid();
        let record = self.record(&so_far, made);
        Ok(Trained {
            record,
            network,
            losses: so_far.losses,
        })
    }

    fn test(&self, network: &impl Learner) -> f64 {
        accuracy(&network.valid(), self.config, self.data.test(), &self.plain)
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
            device: self.device_name.name().to_owned(),
            data: self.data.source().to_string(),
            data_sha256: self.data.sha256().to_owned(),
            steps,
            test_accuracy: last.map_or(1.0 / CLASSES as f64, |epoch| epoch.test_accuracy),
            train_loss: last.map(|epoch| epoch.train_loss),
            alignment: measures.clone().map(|m| m.alignment),
            moments: measures.clone().map(|m| m.moments),
            lambda_max: measures.map(|m| m.lambda_max),
            outcome: match so_far.diverged {
                true => Outcome::Diverged,
                false => Outcome::Completed,
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

/// The share of test images that are classified correctly, under the shifts that the seed fixes.
fn accuracy(network: &impl Learner, config: &RunConfig, split: &Split, device: &Device) -> f64 {
    let mut shifts = generator(config.seed, Purpose::TestShifts);
    let indices: Vec<usize> = (0..split.len()).collect();
    let mut correct = 0;
    for indices in indices.chunks(TEST_BATCH) {
        let batch = stimulus::batch(split, indices, config.epsilon, &mut shifts, device);
        let guesses = network.logits(batch.x).argmax(1).into_data();
        correct += guesses
            .iter::<i64>()
            .zip(indices)
            .filter(|(guess, index)| *guess == i64::from(split.label(**index)))
            .count();
    }
    correct as f64 / split.len() as f64
}
