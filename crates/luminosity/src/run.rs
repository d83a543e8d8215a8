//! Runs: train a network, or a population of them, test it, measure it. A pure function of configuration
//! and data.

use std::ops::ControlFlow;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::data::{Dataset, Split};
use crate::measure::measure;
use crate::network::{Alone, Learner, NetworkPopulation, Task, Together, TrainedNetwork, Trainee};
use crate::random::{Purpose, generator};
use crate::record::{Epoch, Measures, NUMERICS, Outcome, RunRecord, Timing};
use crate::stimulus::Images;
use crate::{DeviceName, Error, RunConfig, machine, parallel};

/// Images that are tested at a time: large enough to use the machine, small enough to stay in cache.
const TEST_BATCH: usize = 500;
/// Steps that are not timed: allocators and caches settle in them.
const WARM_UP: usize = 20;
/// The same on a GPU, where kernels are compiled and chosen in them, those of the first looks included.
const WARM_UP_ON_GPU: usize = 100;
/// Steps between two looks at the losses: each look waits for the device.
const LOOK_EVERY: usize = 32;

/// What a run reports while it goes.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Steps made.
    pub step: usize,
    /// Steps to make.
    pub steps: usize,
    /// The epoch that has just ended, if one has; that of the first network of a population.
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

/// [`run`] for networks that are trained at once; the records are in the order of the configurations. A
/// network does what it would do alone, up to the order of sums, whatever becomes of the others. The times
/// in a record are those of all.
///
/// # Errors
///
/// If a configuration is not valid, cannot be in a population, or differs from the first in more than what
/// each network of a population has for itself: ε, λ, seed, width and learning rates.
pub fn run_population(
    configs: &[&RunConfig],
    data: &Dataset,
    device: DeviceName,
    progress: &mut Observer<'_>,
) -> Result<Vec<RunRecord>, Error> {
    let Some(first) = configs.first() else {
        return Ok(Vec::new());
    };
    for config in configs {
        config.validate()?;
        if !config.joins(first) {
            let found = format!("{} on {}", config.condition, config.network);
            let allowed =
                "runs that differ in ε, λ, seed, width and learning rates, and have a population";
            return Err(Error::usage("the population", found, allowed));
        }
    }
    let network = first.network;
    network.train_population(configs, data, device, progress)
}

/// [`run`] with networks of type `N`.
pub(crate) fn train<N: Learner>(
    config: &RunConfig,
    data: &Dataset,
    device: DeviceName,
    progress: &mut Observer<'_>,
) -> Result<Trained, Error> {
    let (mut networks, mut ended) = train_all::<Alone<N>>(&[config], data, device, progress)?;
    match (networks.pop(), ended.pop()) {
        (Some(network), Some((record, losses))) => Ok(Trained {
            record,
            network: Box::new(network),
            losses,
        }),
        _ => unreachable!("one configuration is one network"),
    }
}

/// [`run_population`] with populations of type `P`.
pub(crate) fn train_population<P: NetworkPopulation>(
    configs: &[&RunConfig],
    data: &Dataset,
    device: DeviceName,
    progress: &mut Observer<'_>,
) -> Result<Vec<RunRecord>, Error> {
    let (_, ended) = train_all::<Together<P>>(configs, data, device, progress)?;
    Ok(ended.into_iter().map(|(record, _)| record).collect())
}

/// The networks that were trained; of each, the record and the losses.
type TrainedAll<N> = (Vec<N>, Vec<(RunRecord, Vec<f32>)>);

fn train_all<T: Trainee>(
    configs: &[&RunConfig],
    data: &Dataset,
    device_name: DeviceName,
    progress: &mut Observer<'_>,
) -> Result<TrainedAll<T::Network>, Error> {
    let device = device_name.open()?;
    on_one_thread(|| Run::new(configs, data, device_name, device).train::<T>(progress))?
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

/// The training of one network or several, which have the number of steps in common.
struct Run<'a> {
    configs: &'a [&'a RunConfig],
    data: &'a Dataset,
    device_name: DeviceName,
    device: Device,
    started: Instant,
    timed: Timed,
}

/// The steps after the first, and how long they took.
#[derive(Default)]
struct Timed {
    steps: usize,
    images: usize,
    time: Duration,
}

/// One network of a run: what it draws, and what came of it so far.
struct Member<'a> {
    config: &'a RunConfig,
    order: Vec<usize>,
    shuffling: ChaCha8Rng,
    shifts: ChaCha8Rng,
    patience: Patience,
    losses: Vec<f32>,
    history: Vec<Epoch>,
    steps: usize,
    /// Not set while it learns.
    outcome: Option<Outcome>,
}

impl<'a> Member<'a> {
    fn new(config: &'a RunConfig, images: usize) -> Self {
        Self {
            config,
            order: (0..images).collect(),
            shuffling: generator(config.seed, Purpose::Order),
            shifts: generator(config.seed, Purpose::TrainShifts),
            patience: Patience::default(),
            losses: Vec::new(),
            history: Vec::new(),
            steps: 0,
            outcome: None,
        }
    }

    fn learns(&self) -> bool {
        self.outcome.is_none()
    }

    fn end(&mut self, outcome: Outcome) {
        self.outcome.get_or_insert(outcome);
    }
}

/// Reads the losses, `[networks]` of each step, that are still on the device.
fn look(pending: &mut Vec<Tensor<1>>, members: &mut [Member<'_>]) {
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

impl<'a> Run<'a> {
    fn new(
        configs: &'a [&'a RunConfig],
        data: &'a Dataset,
        device_name: DeviceName,
        device: Device,
    ) -> Self {
        Self {
            configs,
            data,
            device_name,
            device,
            started: Instant::now(),
            timed: Timed::default(),
        }
    }

    fn train<T: Trainee>(
        mut self,
        progress: &mut Observer<'_>,
    ) -> Result<TrainedAll<T::Network>, Error> {
        let (common, task) = (self.configs[0], Task::of(self.data));
        let [train, test] = [self.data.train(), self.data.test()].map(|split| self.images(split));
        let autodiff = self.device.clone().autodiff();
        let mut trainee = T::create(self.configs, task, &autodiff)?;
        let used = common.images_to_train_on(train.split().len());
        let held_out: Vec<usize> = (used..train.split().len()).collect();
        let all_tests: Vec<usize> = (0..test.split().len()).collect();
        let mut members: Vec<_> = self.configs.iter().map(|c| Member::new(c, used)).collect();
        let all_steps = common.epochs.saturating_mul(common.steps_per_epoch(used));
        let steps = common.max_steps.map_or(all_steps, |max| max.min(all_steps));
        let warm_up = match self.device_name.is_gpu() {
            true => WARM_UP_ON_GPU,
            false => WARM_UP,
        };
        let mut pending = Vec::new();
        let mut made = 0;

        'epochs: for epoch in 1..=common.epochs {
            if common.shuffle {
                for member in &mut members {
                    member.order.shuffle(&mut member.shuffling);
                }
            }
            let first_of_epoch: Vec<_> = members.iter().map(|m| m.losses.len()).collect();
            let mut since = Instant::now();
            for start in (0..used).step_by(common.batch_size) {
                if made == steps {
                    break;
                }
                let end = used.min(start + common.batch_size);
                let time = Some(made as f64 / steps as f64);
                let presented = members.iter_mut().flat_map(|member| {
                    let (config, indices) = (member.config, &member.order[start..end]);
                    let stimulus = config.stimulus;
                    stimulus.present(indices, config.epsilon, time, &mut member.shifts)
                });
                let batch = train.batch(&presented.collect::<Vec<_>>());
                let (next, losses) = trainee.step(batch);
                trainee = next;
                pending.push(losses);
                made += 1;
                let learning = members.iter_mut().filter(|member| member.learns());
                learning.for_each(|member| member.steps = made);
                if made == warm_up {
                    look(&mut pending, &mut members);
                    since = Instant::now();
                } else if made > warm_up {
                    self.timed.steps += 1;
                    self.timed.images += end - start;
                }
                if made % LOOK_EVERY == 0 {
                    look(&mut pending, &mut members);
                }
                if !members.iter().any(Member::learns) {
                    break;
                }
                let news = Progress {
                    step: made,
                    steps,
                    epoch: None,
                };
                if progress(news).is_break() {
                    look(&mut pending, &mut members);
                    for member in &mut members {
                        member.end(Outcome::Interrupted);
                    }
                    break 'epochs;
                }
            }
            look(&mut pending, &mut members);
            if made > warm_up {
                self.timed.time += since.elapsed();
            }
            // The last update may have gone wrong without a loss to show it.
            let finite = are_finite(trainee.module(), members.len());
            for (member, finite) in members.iter_mut().zip(finite) {
                if !finite {
                    member.end(Outcome::Diverged);
                }
            }
            if !members.iter().any(Member::learns) {
                break;
            }
            let ended =
                self.end_epoch(&trainee, &members, [&train, &test], &held_out, &all_tests)?;
            let mut first_ended = None;
            for ((member, mut ended), first) in members.iter_mut().zip(ended).zip(first_of_epoch) {
                let losses = &member.losses[first..];
                ended.epoch = epoch;
                ended.train_loss =
                    losses.iter().map(|l| f64::from(*l)).sum::<f64>() / losses.len() as f64;
                if member.learns() {
                    let patience = member.config.patience;
                    let enough = member.patience.is_over(patience, ended.validation_accuracy);
                    first_ended.get_or_insert_with(|| ended.clone());
                    member.history.push(ended);
                    if made == steps || enough {
                        member.end(Outcome::Completed);
                    }
                }
            }
            let news = Progress {
                step: made,
                steps,
                epoch: first_ended.as_ref(),
            };
            let go_on = progress(news).is_continue();
            if !members.iter().any(Member::learns) {
                break;
            }
            if !go_on {
                for member in &mut members {
                    member.end(Outcome::Interrupted);
                }
                break;
            }
        }
        let ended = members.into_iter().map(|member| self.ended(member));
        Ok((trainee.networks(), ended.collect()))
    }

    /// A GPU makes its batches itself.
    fn images(&self, split: &'a Split) -> Images<'a> {
        match self.device_name.is_gpu() {
            true => Images::on_device(split, &self.device),
            false => Images::on_host(split, &self.device),
        }
    }

    /// Tests and measures of each network at the end of an epoch, the number and the loss not yet known.
    fn end_epoch<T: Trainee>(
        &self,
        trainee: &T,
        members: &[Member<'_>],
        [train, test]: [&Images<'_>; 2],
        held_out: &[usize],
        all_tests: &[usize],
    ) -> Result<Vec<Epoch>, Error> {
        let logits = trainee.logits();
        let tested = accuracies(&logits, self.configs, test, all_tests);
        let validated = match self.configs[0].patience {
            Some(_) => accuracies(&logits, self.configs, train, held_out)
                .into_iter()
                .map(Some)
                .collect(),
            None => vec![None; members.len()],
        };
        let networks = trainee.networks();
        let learning: Vec<_> = networks.iter().zip(members).collect();
        let measured = parallel::map(&learning, self.threads(), |(network, member)| match member
            .learns()
        {
            true => self.measure(*network, member.config).map(Some),
            false => Ok(None),
        });
        let measured = measured.into_iter().collect::<Result<Vec<_>, _>>()?;
        let results = tested.into_iter().zip(validated).zip(measured);
        Ok(results
            .map(|((test_accuracy, validation_accuracy), measures)| Epoch {
                epoch: 0,
                train_loss: 0.0,
                test_accuracy,
                validation_accuracy,
                measures: measures.unwrap_or_default(),
            })
            .collect())
    }

    /// How many networks are measured at a time.
    fn threads(&self) -> usize {
        match self.device_name.is_gpu() {
            true => parallel::cores(),
            false => 1,
        }
    }

    /// Measures are many small numbers of a few images: for a GPU, the CPU makes them.
    fn measure<N: Learner>(&self, network: &N, config: &RunConfig) -> Result<Measures, Error> {
        let test = self.data.test();
        match DeviceName::Flex.open() {
            Ok(flex) if self.device_name.is_gpu() => {
                let network = network.clone().to_device(&flex);
                on_one_thread(|| measure(&network, config, test, &flex))
            }
            _ => Ok(measure(network, config, test, &self.device)),
        }
    }

    /// The record of a network and its losses.
    fn ended(&self, member: Member<'_>) -> (RunRecord, Vec<f32>) {
        let outcome = member.outcome.unwrap_or(Outcome::Completed);
        let last = member
            .history
            .last()
            .filter(|_| outcome != Outcome::Diverged);
        let measures = last.map(|epoch| epoch.measures.clone());
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let timed = &self.timed;
        let per =
            |amount: usize| (timed.steps > 0).then(|| amount as f64 / timed.time.as_secs_f64());
        let record = RunRecord {
            config: member.config.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            numerics: NUMERICS,
            device: self.device_name.name().to_owned(),
            data: self.data.source().content(),
            data_sha256: self.data.sha256().to_owned(),
            weights_sha256: None,
            steps: member.steps,
            test_accuracy: last.map_or(1.0 / self.data.classes() as f64, |epoch| {
                epoch.test_accuracy
            }),
            train_loss: last.map(|epoch| epoch.train_loss),
            alignment: measures.clone().map(|m| m.alignment),
            moments: measures.clone().map(|m| m.moments),
            lambda_max: measures.map(|m| m.lambda_max),
            outcome,
            history: member.history.clone(),
            timing: Timing {
                ms_per_step: per(timed.steps).map(|steps| 1e3 / steps),
                images_per_second: per(timed.images),
                seconds: self.started.elapsed().as_secs_f64(),
                population: (self.configs.len() > 1).then_some(self.configs.len()),
                ended: now.ok().map(|since| since.as_secs()),
                machine: Some(machine::description()),
            },
        };
        (record, member.losses)
    }
}

/// Whether every parameter of each network is a number: a sum of numbers is one.
fn are_finite(module: &impl Module, networks: usize) -> Vec<bool> {
    struct Sum(Option<Tensor<2>>, usize);
    impl ModuleVisitor for Sum {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val().inner();
            let elements = value.shape().num_elements();
            if elements == 0 {
                return;
            }
            // Zero times a number is zero, however large.
            let zero = value.reshape([self.1, elements / self.1]) * 0.0;
            let zero = zero.sum_dim(1);
            self.0 = Some(match self.0.take() {
                Some(sum) => sum + zero,
                None => zero,
            });
        }
    }
    let mut sum = Sum(None, networks);
    module.visit(&mut sum);
    match sum.0 {
        Some(sum) => sum.into_data().iter::<f32>().map(f32::is_finite).collect(),
        None => vec![true; networks],
    }
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

/// The share of the images of a split that a network classifies correctly, under the stimuli that the
/// seed fixes.
pub(crate) fn accuracy(
    network: &impl Learner,
    config: &RunConfig,
    split: &Split,
    device: &Device,
) -> f64 {
    let indices: Vec<usize> = (0..split.len()).collect();
    let images = Images::on_host(split, device);
    accuracies(&|x| network.logits(x), &[config], &images, &indices)[0]
}

/// The same for all networks of these configurations, of the images at `indices`.
fn accuracies(
    logits: &dyn Fn(Tensor<2>) -> Tensor<2>,
    configs: &[&RunConfig],
    images: &Images<'_>,
    indices: &[usize],
) -> Vec<f64> {
    let shifts = |config: &&RunConfig| generator(config.seed, Purpose::TestShifts);
    let mut shifts: Vec<_> = configs.iter().map(shifts).collect();
    let mut correct = vec![0; configs.len()];
    for indices in indices.chunks(TEST_BATCH) {
        let presented = configs
            .iter()
            .zip(&mut shifts)
            .flat_map(|(config, shifts)| {
                config
                    .stimulus
                    .present(indices, config.epsilon, None, shifts)
            });
        let batch = images.batch(&presented.collect::<Vec<_>>());
        let guesses = logits(batch.x).argmax(1).into_data();
        let guesses: Vec<i64> = guesses.iter::<i64>().collect();
        for (correct, guesses) in correct.iter_mut().zip(guesses.chunks(indices.len())) {
            let label = |index: &usize| i64::from(images.split().label(*index));
            let right = guesses.iter().zip(indices).filter(|(g, i)| **g == label(i));
            *correct += right.count();
        }
    }
    let share = |correct| correct as f64 / indices.len() as f64;
    correct.into_iter().map(share).collect()
}

#[cfg(test)]
mod tests;
