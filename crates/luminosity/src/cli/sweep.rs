//! The commands for sweeps: `sweep` fills a store, `report` reads it, `pack` makes one file of it, and `unpack` makes
//! a store of such a file.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use burn::tensor::Device;

use super::args::{Setup, SweepArguments, at_once};
use super::commands::{load, signals};
use super::progress::{Bar, about};
use super::{print, say};
use crate::data::Dataset;
use crate::network::Task;
use crate::record::{RunRecord, SweepRecord};
use crate::report::{Report, count};
use crate::schedule::{self, AtOnce, Ending, Hear, Shard, Summary};
use crate::store::{self, Manifest, Open, Store};
use crate::sweep::{Request, SweepRun};
use crate::{
    Condition, DeviceName, Error, RunConfig, machine, memory, panics, parallel, run, signal,
};

pub(super) fn sweep(arguments: &SweepArguments) -> Result<ExitCode, Error> {
    let request = arguments.request()?;
    let (setup, shard) = (&arguments.setup, arguments.shard);
    let at_once = at_once("jobs", arguments.jobs, arguments.population, setup.device)?;
    let mut plan = Plan::new(request, setup, at_once, shard)?;
    let open = match arguments.extend {
        true => Open::Extend,
        false => Open::Same,
    };
    if arguments.dry_run {
        if let Some(there) = Store::look(&arguments.out, &plan.manifest(), open)? {
            let all = plan.jobs.len();
            let is_there = |job: &SweepRun| there.records.contains_key(&job.id());
            plan.jobs.retain(|job| !is_there(job));
            tell(&there.problems);
            print(row("done", all - plan.jobs.len()))?;
        }
        return plan.dry_run();
    }
    let runs = count(plan.jobs.len(), "run");
    let out = arguments.out.display();
    say(format_args!(
        "{runs}, {}, on {}, into {out}",
        plan.at_once, plan.device
    ));
    let store = Store::prepare(&arguments.out, &plan.manifest(), open)?;
    let summary = plan.make(&store)?;
    print(&summary)?;
    Ok(conclude(&summary))
}

/// The runs of a request with their data and device, and the number of runs at once.
pub(super) struct Plan {
    pub request: Request,
    pub jobs: Vec<SweepRun>,
    pub data: Dataset,
    pub device: DeviceName,
    at_once: AtOnce,
}

impl Plan {
    /// Opens the device, loads the data, and checks before a store is made that the system allows this number of
    /// simultaneous runs, and that the network, which is the same in all runs, fits the images and each condition.
    pub fn new(
        request: Request,
        setup: &Setup,
        at_once: AtOnce,
        shard: Option<Shard>,
    ) -> Result<Self, Error> {
        let device = setup.device;
        let opened = device.open()?;
        let data = load(&setup.data)?;
        let mut jobs = request.runs();
        if let Some(shard) = shard {
            jobs = shard.select(jobs);
        }
        let plan = Self {
            request,
            jobs,
            data,
            device,
            at_once,
        };
        if plan.has_estimated_memory() {
            memory::check(plan.configs(), Task::of(&plan.data), plan.at_a_time())?;
        }
        plan.check_conditions(&opened)?;
        Ok(plan)
    }

    /// Makes a network of each condition.
    fn check_conditions(&self, device: &Device) -> Result<(), Error> {
        let task = Task::of(&self.data);
        let mut configs: Vec<&RunConfig> = self.configs().collect();
        configs.sort_by_key(|config| config.condition.index());
        configs.dedup_by_key(|config| config.condition);
        run::on_one_thread(|| {
            let mut checks = configs.iter().map(|config| {
                let check = config.network.functions.check;
                check(config, task, device).map_err(Error::from)
            });
            checks.try_for_each(|checked| checked)
        })?
    }

    fn configs(&self) -> impl Iterator<Item = &RunConfig> {
        self.jobs.iter().map(|job| &job.config)
    }

    fn at_a_time(&self) -> usize {
        self.at_once.threads.min(self.jobs.len()).max(1)
    }

    /// Whether the memory of the runs can be estimated. For GPUs and populations it cannot: drivers of GPUs address
    /// far more memory than they use.
    fn has_estimated_memory(&self) -> bool {
        !self.device.is_gpu() && self.at_once.population == 1
    }

    fn length(&self) -> String {
        match self.request.steps {
            Some(steps) => count(steps, "step"),
            None => count(self.request.epochs, "epoch"),
        }
    }

    fn manifest(&self) -> Manifest {
        Manifest::new(&self.request, self.data.sha256(), self.device)
    }

    /// Makes all runs in a store, which may also hold other runs of the same data and device; returns their records
    /// in the order of the request.
    pub fn complete(&self, folder: &Path) -> Result<(Vec<SweepRecord>, Summary), Error> {
        let (length, runs) = (self.length(), count(self.jobs.len(), "run"));
        say(format_args!(
            "{runs} of {length}, {}, on {}",
            self.at_once, self.device
        ));
        let store = Store::prepare(folder, &self.manifest(), Open::Join)?;
        let summary = self.make(&store)?;
        let mut records = store.contents()?.records;
        let own = self.jobs.iter().filter_map(|job| records.remove(&job.id()));
        Ok((own.collect(), summary))
    }

    /// Makes the missing runs.
    fn make(&self, store: &Store) -> Result<Summary, Error> {
        let stop = signals(store.folder())?;
        let (made_by, this) = (store.manifest().program(), env!("CARGO_PKG_VERSION"));
        if made_by != this {
            say(format_args!(
                "note: version {made_by} made the store and version {this} continues it; their numbers are \
                 the same bits"
            ));
        }
        let mut bar = Bar::new();
        let execute = |jobs: &[&SweepRun], hear: &mut Hear<'_>| {
            let configs: Vec<&RunConfig> = jobs.iter().map(|job| &job.config).collect();
            self.run(&configs, &mut |p| hear(p.step as f64 / p.steps as f64))
        };
        let hear = |progress: &schedule::Progress| bar.sweep(progress);
        let summary = schedule::run(store, &self.jobs, self.at_once, &stop, execute, hear);
        bar.finish();
        let summary = summary?;
        tell(&summary.problems);
        let here = machine::description();
        let machines = summary.machines.iter().map(String::as_str);
        let machines: BTreeSet<&str> = machines.map(machine::without_cores).collect();
        for other in machines {
            if other == machine::without_cores(&here) {
                continue;
            }
            say(format_args!(
                "note: runs of this store were made on another machine, which may round differently: {other}"
            ));
        }
        for (run, reason) in &summary.failed {
            say(format_args!("{run} failed: {reason}"));
        }
        Ok(summary)
    }

    /// Trains a single run or a population.
    fn run(
        &self,
        configs: &[&RunConfig],
        progress: &mut run::Observer<'_>,
    ) -> Result<Vec<RunRecord>, Error> {
        match configs {
            [config] => {
                let trained = run::run(config, &self.data, self.device, progress)?;
                Ok(vec![trained.record])
            }
            configs => run::run_population(configs, &self.data, self.device, progress),
        }
    }

    /// Prints the runs and their estimated duration, measured with a few steps of each condition, or with one run
    /// where a run has only a few steps.
    fn dry_run(&self) -> Result<ExitCode, Error> {
        const STEPS: usize = 120;
        let of = |condition: Condition| self.configs().filter(move |c| c.condition == condition);
        let sample = |condition: &Condition| {
            let shorter = of(*condition).map(|config| RunConfig {
                max_steps: Some(STEPS),
                ..config.clone()
            });
            let mut sample: Vec<RunConfig> = shorter.take(self.at_once.population).collect();
            if sample.first().is_some_and(|first| !first.joins(first)) {
                sample.truncate(1);
            }
            sample
        };
        let conditions = &self.request.conditions;
        let samples = conditions.iter().map(sample).filter(|s| !s.is_empty());
        let samples: Vec<_> = samples.collect();
        let measured = parallel::map(&samples, self.at_once.threads, |sample| {
            let configs: Vec<&RunConfig> = sample.iter().collect();
            let make = || {
                let run = || self.run(&configs, &mut |_| ControlFlow::Continue(()));
                panics::caught(run).map_err(Error::Run)?
            };
            let ms = match make()?[0].timing.ms_per_step {
                Some(ms) => ms,
                // A run too short for that is timed as a whole, the second time, because the first takes longer.
                None => {
                    let again = &make()?[0];
                    1e3 * again.timing.seconds / again.steps.max(1) as f64
                }
            };
            let products: f64 = sample.iter().map(SweepRun::products).sum();
            Ok((sample[0].condition, ms / products))
        });
        let pace: Result<HashMap<Condition, f64>, Error> = measured.into_iter().collect();
        let pace = pace?;
        let seconds = self.configs().map(|config| {
            let steps = config.steps(self.data.train().len());
            pace[&config.condition] * SweepRun::products(config) * steps as f64 / 1e3
        });
        let cores = parallel::cores().min(self.at_a_time());
        let time = Duration::from_secs_f64(seconds.sum::<f64>() / cores as f64);
        for condition in conditions {
            print(row(condition.name(), of(*condition).count()))?;
        }
        let memory = match self.has_estimated_memory() {
            false => String::new(),
            true => {
                let task = Task::of(&self.data);
                let bytes = memory::of_runs(self.configs(), task, self.at_a_time());
                format!(" and up to {} MB", bytes >> 20)
            }
        };
        print(format_args!(
            "{} of {}, {}{memory} with {}",
            row("together", self.jobs.len()),
            self.length(),
            about(time),
            self.at_once
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The exit code of a command: 1 if it could not use every record.
fn whole(every: bool) -> ExitCode {
    match every {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn tell(problems: &[Error]) {
    for problem in problems {
        say(problem);
    }
}

pub(super) fn conclude(summary: &Summary) -> ExitCode {
    match summary.ending {
        Ending::Complete => ExitCode::SUCCESS,
        Ending::Failed => ExitCode::FAILURE,
        Ending::Interrupted => ExitCode::from(signal::INTERRUPTED as u8),
    }
}

/// A row of `--dry-run`.
fn row(name: &str, runs: usize) -> String {
    let noun = if runs == 1 { "run" } else { "runs" };
    format!("{name:<20}{runs:>5} {noun}")
}

pub(super) fn report(store: &Path, out: &Path) -> Result<ExitCode, Error> {
    let mut contents = store::read(store)?;
    let request = contents.manifest.request();
    let request = request.map_err(|problem| Error::file(store, problem))?;
    tell(&contents.problems);
    let is_whole = contents.problems.is_empty();
    // The store of a comparison may hold runs of earlier requests, with other epochs for example.
    let runs = request.runs();
    let asked: HashSet<String> = runs.iter().map(SweepRun::id).collect();
    let all = contents.records.len();
    contents.records.retain(|id, _| asked.contains(id));
    let records: Vec<SweepRecord> = contents.records.into_values().collect();
    if records.len() < all {
        let others = count(all - records.len(), "other run");
        say(format_args!(
            "note: {others} of the store, of earlier requests, left out"
        ));
    }
    let report = Report::new(&records, &runs)?;
    // Printed first, so that a full disk does not lose the results.
    print(report.summary())?;
    let written = report.write(out)?;
    for note in report.notes() {
        say(format_args!("note: {note}"));
    }
    for missing in report.missing() {
        say(format_args!("missing: {missing}"));
    }
    say(format_args!(
        "Wrote {} files to {}",
        written.len(),
        out.display()
    ));
    Ok(whole(is_whole))
}

pub(super) fn pack(store: &Path, file: &Path) -> Result<ExitCode, Error> {
    let (records, problems) = store::pack(store, file)?;
    tell(&problems);
    say(format_args!(
        "Wrote {} to {}",
        count(records, "record"),
        file.display()
    ));
    Ok(whole(problems.is_empty()))
}

pub(super) fn unpack(file: &Path, store: &Path) -> Result<ExitCode, Error> {
    let unpacked = store::unpack(file, store)?;
    tell(&unpacked.problems);
    say(format_args!(
        "Added {} to {}",
        count(unpacked.added, "record"),
        store.display()
    ));
    if unpacked.busy > 0 {
        say(format_args!(
            "{} left out, because another process makes the runs; unpack again after its end",
            count(unpacked.busy, "record")
        ));
    }
    Ok(whole(unpacked.busy == 0 && unpacked.problems.is_empty()))
}
