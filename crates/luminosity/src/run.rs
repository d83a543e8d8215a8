//! Runs: train, test and measure a network or a population of networks. The result is a pure function of
//! configuration and data.

mod accuracy;
mod member;
mod recorder;

use std::ops::ControlFlow;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use burn::tensor::{Device, Tensor};

use crate::data::{Dataset, Split};
use crate::measure::measure;
use crate::network::{Learner, Task, TrainedNetwork, Trainee};
use crate::record::{Epoch, Measures, NUMERICS, Outcome, RunRecord, Timing};
use crate::stimulus::Images;
use crate::{DeviceName, Error, RunConfig, machine, panics, parallel};
use accuracy::are_finite;
use member::Member;
use recorder::Recorder;

pub(crate) use accuracy::accuracy;

/// The number of first steps that are not timed: allocators and caches settle during these steps.
const WARM_UP: usize = 20;
/// [`WARM_UP`] on a GPU, where kernels are compiled and selected during these steps, including the kernels for
/// reading losses.
const WARM_UP_ON_GPU: usize = 100;
/// The number of steps between two reads of the losses: each read waits for the device.
const LOOK_EVERY: usize = 32;

/// The progress of a run.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Steps made.
    pub step: usize,
    /// Steps to make.
    pub steps: usize,
    /// The epoch that has just ended, if any; in a population, the epoch of the first network.
    pub epoch: Option<&'a Epoch>,
}

/// A callback for the progress of a run; it returns whether to go on.
pub type Observer<'a> = dyn FnMut(Progress<'_>) -> ControlFlow<()> + Send + 'a;

/// The result of a run.
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
/// On a CPU the result is bit-identical whatever else the machine does: every operation runs in a thread pool
/// of one thread, so no sum depends on the division of the work.
///
/// `progress` may stop the run before its next step.
///
/// # Errors
///
/// If the configuration is not valid, the device is not available, or no thread can be started. A run that
/// diverges or is stopped is not an error; the outcome in its record says so.
pub fn run(
    config: &RunConfig,
    data: &Dataset,
    device: DeviceName,
    progress: &mut Observer<'_>,
) -> Result<Trained, Error> {
    config.validate()?;
    let trained = (config.network.functions.train)(&[config], data, device, progress);
    trained.map(|mut one| one.swap_remove(0))
}

/// [`run`] for networks that are trained together; the records are in the order of the configurations. Each
/// network computes the same as alone, up to the order of sums, and does not depend on the others. The times
/// in a record are for all networks.
///
/// # Errors
///
/// If a configuration is not valid, cannot be in a population, or differs from the first in more than the
/// settings of single networks: ε, λ, seed, width and learning rates.
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
    let Some(population) = first.network.functions.population else {
        unreachable!("runs that join have a population");
    };
    let trained = (population.train)(configs, data, device, progress)?;
    Ok(trained.into_iter().map(|trained| trained.record).collect())
}

/// Trains one network or a population.
pub(crate) fn train<T: Trainee>(
    configs: &[&RunConfig],
    data: &Dataset,
    device_name: DeviceName,
    progress: &mut Observer<'_>,
) -> Result<Vec<Trained>, Error> {
    let held_out = configs.iter().find_map(|config| config.patience);
    if let (Some(patience), 0 | 1) = (held_out, data.train().len()) {
        let allowed = "none with a single training image, which cannot be held out";
        return Err(Error::usage("patience", patience, allowed));
    }
    let images = data.train().len();
    let used = configs[0].images_to_train_on(images);
    let run = Run {
        configs,
        data,
        device_name,
        device: device_name.open()?,
        members: configs.iter().map(|c| Member::new(c, used)).collect(),
        used,
        steps: configs[0].steps(images),
        made: 0,
        replayed: 0,
        pending: Vec::new(),
        started: Instant::now(),
        timed: Timed::default(),
    };
    on_one_thread(|| run.train::<T>(progress))?
}

/// Tests a network as at the end of a run with this configuration: with the same stimuli, so with the same
/// accuracy.
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

/// Computes in a thread pool of one thread, as a run does.
pub(crate) fn on_one_thread<T: Send>(f: impl FnOnce() -> T + Send) -> Result<T, Error> {
    let began = Instant::now();
    let pool = loop {
        match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
            Ok(pool) => break pool,
            // The thread of an earlier run ends a little later than the run, and counts until then.
            Err(_) if began.elapsed() < Duration::from_secs(1) => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(e) => return Err(Error::Thread(e.to_string())),
        }
    };
    Ok(pool.install(panics::as_here(f)))
}

/// The training of one network or several networks with the same number of steps.
struct Run<'a> {
    configs: &'a [&'a RunConfig],
    data: &'a Dataset,
    device_name: DeviceName,
    device: Device,
    members: Vec<Member<'a>>,
    /// The number of images that are trained on.
    used: usize,
    /// The total number of steps; `made` counts the steps so far, `replayed` those that a GPU replayed.
    steps: usize,
    made: usize,
    replayed: usize,
    /// The losses of steps, `[networks]` each, that have not been read yet.
    pending: Vec<Tensor<1>>,
    started: Instant,
    timed: Timed,
}

/// The steps after the warm-up and their duration.
#[derive(Default)]
struct Timed {
    steps: usize,
    images: usize,
    time: Duration,
}

impl<'a> Run<'a> {
    fn train<T: Trainee>(mut self, progress: &mut Observer<'_>) -> Result<Vec<Trained>, Error> {
        let [train, test] = [self.data.train(), self.data.test()].map(|split| self.images(split));
        let autodiff = self.device.clone().autodiff();
        let trainee = T::create(self.configs, Task::of(self.data), &autodiff)?;
        let mut recorder = Recorder::new(trainee, &train, self.configs[0]);
        for epoch in 1..=self.configs[0].epochs {
            self.steps_of_epoch(&mut recorder, &train, progress);
            let trainee = recorder.trainee();
            // The last update may have made weights non-finite without a loss that shows it.
            let finite = are_finite(trainee.module(), self.members.len());
            for (member, finite) in self.members.iter_mut().zip(finite) {
                if !finite {
                    member.end(Outcome::Diverged);
                }
            }
            if !self.any_learns() {
                break;
            }
            let ended = self.end_epoch(epoch, trainee, [&train, &test])?;
            let finished = self.made == self.steps;
            for (member, ended) in self.members.iter_mut().zip(ended) {
                member.end_epoch(ended, finished);
            }
            let mut last = self.members.iter().filter_map(|m| m.history.last());
            let go_on = self.report(last.find(|last| last.epoch == epoch), progress);
            if go_on.is_break() {
                self.interrupt();
            }
            if !self.any_learns() {
                break;
            }
        }
        self.replayed = recorder.replayed;
        let members = std::mem::take(&mut self.members);
        let all = members.into_iter().zip(recorder.trainee().networks());
        Ok(all
            .map(|(member, network)| self.trained(member, network))
            .collect())
    }

    /// Makes steps until the epoch ends, no network learns any more, or the run is stopped.
    fn steps_of_epoch<T: Trainee>(
        &mut self,
        recorder: &mut Recorder<T>,
        train: &Images<'_>,
        progress: &mut Observer<'_>,
    ) {
        self.members.iter_mut().for_each(Member::begin_epoch);
        let batch_size = self.configs[0].batch_size;
        let warm_up = match self.device_name.is_gpu() {
            true => WARM_UP_ON_GPU,
            false => WARM_UP,
        };
        let mut since = Instant::now();
        let starts = (0..self.used).step_by(batch_size);
        for start in starts.take(self.steps - self.made) {
            let places = start..self.used.min(start + batch_size);
            let time = self.made as f64 / self.steps as f64;
            let members = self.members.iter_mut();
            let presented = members.flat_map(|member| member.present(places.clone(), time));
            let presented: Vec<_> = presented.collect();
            self.pending.push(recorder.step(train, &presented));
            self.made += 1;
            if self.made == warm_up {
                self.look();
                since = Instant::now();
            } else if self.made > warm_up {
                self.timed.steps += 1;
                self.timed.images += places.len();
            }
            if self.made.is_multiple_of(LOOK_EVERY) {
                self.look();
            }
            if !self.any_learns() {
                break;
            }
            if self.report(None, progress).is_break() {
                self.look();
                self.interrupt();
                break;
            }
        }
        self.look();
        if self.made > warm_up {
            self.timed.time += since.elapsed();
        }
    }

    /// Reads the losses of the latest steps from the device.
    fn look(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let losses = Tensor::cat(std::mem::take(&mut self.pending), 0).into_data();
        let losses: Vec<f32> = losses.iter::<f32>().collect();
        let networks = self.members.len();
        for (k, member) in self.members.iter_mut().enumerate() {
            member.take_losses(losses.iter().copied().skip(k).step_by(networks));
        }
    }

    fn any_learns(&self) -> bool {
        self.members.iter().any(Member::learns)
    }

    fn interrupt(&mut self) {
        let members = self.members.iter_mut();
        members.for_each(|member| member.end(Outcome::Interrupted));
    }

    fn report(&self, epoch: Option<&Epoch>, progress: &mut Observer<'_>) -> ControlFlow<()> {
        progress(Progress {
            step: self.made,
            steps: self.steps,
            epoch,
        })
    }

    /// The images of a split; a GPU makes its batches itself.
    fn images(&self, split: &'a Split) -> Images<'a> {
        match self.device_name.is_gpu() {
            true => Images::moved_to(split, &self.device),
            false => Images::on_host(split, &self.device),
        }
    }

    /// Tests and measures each network at the end of an epoch; [`Member::end_epoch`] fills in the loss. None for a
    /// network that does not learn any more, or whose logits are not all finite.
    fn end_epoch<T: Trainee>(
        &self,
        epoch: usize,
        trainee: &T,
        [train, test]: [&Images<'_>; 2],
    ) -> Result<Vec<Option<Epoch>>, Error> {
        let logits = trainee.logits();
        let tested = accuracy::test(&logits, self.configs, test, 0..test.split().len());
        let validated = self.configs[0].patience.map(|_| {
            let held_out = self.used..train.split().len();
            accuracy::test(&logits, self.configs, train, held_out)
        });
        let networks: Vec<_> = trainee.networks().into_iter().enumerate().collect();
        let threads = match self.device_name.is_gpu() {
            true => parallel::cores(),
            false => 1,
        };
        let ended = parallel::map(&networks, threads, |(k, network)| {
            let (member, tested) = (&self.members[*k], tested[*k]);
            let validated = validated.as_ref().map(|tests| tests[*k]);
            let mut tests = validated.into_iter().chain([tested]);
            if !member.learns() || tests.any(|test| !test.is_finite) {
                return Ok(None);
            }
            Ok(Some(Epoch {
                epoch,
                train_loss: 0.0,
                test_accuracy: tested.accuracy,
                validation_accuracy: validated.map(|test| test.accuracy),
                measures: self.measure(network, member.config)?,
            }))
        });
        ended.into_iter().collect()
    }

    /// The measures of a network. They take many small operations on a few images, so the CPU computes them even
    /// if a GPU trains.
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

    /// The result for a network.
    fn trained(&self, member: Member<'_>, network: impl Learner) -> Trained {
        let outcome = member.outcome.unwrap_or(Outcome::Completed);
        let last = member.history.last();
        let last = last.filter(|_| outcome != Outcome::Diverged);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let (timed, classes) = (&self.timed, self.data.classes());
        let per =
            |amount: usize| (timed.steps > 0).then(|| amount as f64 / timed.time.as_secs_f64());
        let record = RunRecord {
            config: member.config.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            numerics: NUMERICS,
            device: self.device_name.name().to_owned(),
            data: self.data.content(),
            data_sha256: self.data.sha256().to_owned(),
            classes,
            weights_sha256: None,
            steps: member.losses.len(),
            test_accuracy: last.map_or(1.0 / classes as f64, |epoch| epoch.test_accuracy),
            train_loss: last.map(|epoch| epoch.train_loss),
            alignment: last.map(|epoch| epoch.measures.alignment.clone()),
            moments: last.map(|epoch| epoch.measures.moments.clone()),
            lambda_max: last.map(|epoch| epoch.measures.lambda_max.clone()),
            outcome,
            history: member.history,
            timing: Timing {
                ms_per_step: per(timed.steps).map(|steps| 1e3 / steps),
                images_per_second: per(timed.images),
                seconds: self.started.elapsed().as_secs_f64(),
                population: (self.configs.len() > 1).then_some(self.configs.len()),
                replayed: (self.replayed > 0).then_some(self.replayed),
                ended: now.ok().map(|since| since.as_secs()),
                machine: Some(machine::description()),
            },
        };
        Trained {
            record,
            network: Box::new(network),
            losses: member.losses,
        }
    }
}

#[cfg(test)]
mod tests;
