//! The commands for sweeps: `sweep` fills a store, `report` reads it, `pack` makes one file of it, and `unpack` makes
//! a store of such a file.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::args::{PackArguments, ReportArguments, SweepArguments, UnpackArguments, threads};
use super::commands::{load, signals};
use super::progress::{Bar, about};
use super::{print, say};
use crate::data::Dataset;
use crate::network::Task;
use crate::record::{RunRecord, SweepRecord};
use crate::report::{Report, count};
use crate::schedule::{self, AtOnce, Ending, Hear, Summary};
use crate::store::{self, Manifest, Open, Store};
use crate::sweep::{Request, SweepRun};
use crate::{DeviceName, Error, RunConfig, condition, machine, memory, parallel, run, signal};

pub(super) fn sweep(arguments: &SweepArguments) -> Result<ExitCode, Error> {
    let request = arguments.request()?;
    let device = arguments.device.device;
    let at_once = AtOnce {
        threads: threads("jobs", arguments.jobs, device)?,
        population: arguments.population.on(device),
    };
    device.open()?;
    let data = load(&arguments.data)?;
    let mut jobs = request.runs();
    if let Some(shard) = arguments.shard {
        jobs = shard.select(jobs);
    }
    check(&jobs, &data, device, at_once)?;
    let open = match arguments.extend {
        true => Open::Extend,
        false => Open::Same,
    };
    let asked = Manifest::new(&request, data.sha256(), device);
    if arguments.dry_run {
        if let Some(there) = Store::look(&arguments.out, &asked, open)? {
            let all = jobs.len();
            jobs.retain(|job| !there.records.contains_key(&job.id()));
            tell(&there.problems);
            print(&format!("{}\n", row("done", all - jobs.len())))?;
        }
        return dry_run(&request, &jobs, &data, device, at_once);
    }
    let runs = count(jobs.len(), "run");
    let out = arguments.out.display();
    say(&format!("{runs}, {at_once}, on {device}, into {out}"));
    let store = Store::prepare(&arguments.out, &asked, open)?;
    let summary = make(&store, &jobs, &data, device, at_once)?;
    print(&format!("{summary}\n"))?;
    Ok(conclude(&summary))
}

/// Makes all runs of a request in a store, which may also hold other runs of the same data and device;
/// returns their records in the order of the request.
pub(super) fn complete(
    request: &Request,
    data: &Dataset,
    device: DeviceName,
    at_once: AtOnce,
    folder: &Path,
) -> Result<(Vec<SweepRecord>, Summary), Error> {
    let jobs = request.runs();
    let length = match request.steps {
        Some(steps) => count(steps, "step"),
        None => count(request.epochs, "epoch"),
    };
    let runs = count(jobs.len(), "run");
    say(&format!("{runs} of {length}, {at_once}, on {device}"));
    let asked = Manifest::new(request, data.sha256(), device);
    let store = Store::prepare(folder, &asked, Open::Join)?;
    let summary = make(&store, &jobs, data, device, at_once)?;
    let mut records = store.contents()?.records;
    let own = jobs.iter().filter_map(|job| records.remove(&job.id()));
    Ok((own.collect(), summary))
}

/// Checks before a store is made that the system allows this number of simultaneous runs and that the network
/// fits the images; all runs have the same network. The network that is made for this check has the condition
/// `none`, whose initial weights need no matrix products and so no threads.
pub(super) fn check(
    jobs: &[SweepRun],
    data: &Dataset,
    device: DeviceName,
    at_once: AtOnce,
) -> Result<(), Error> {
    enough_memory(jobs, data, device, at_once)?;
    let device = device.open()?;
    jobs.first().map_or(Ok(()), |job| {
        let config = RunConfig {
            condition: condition::NONE,
            ..job.config.clone()
        };
        let check = config.network.functions.check;
        Ok(check(&config, Task::of(data), &device)?)
    })
}

/// Checks that there is enough memory for this number of simultaneous runs. GPUs and populations are not checked:
/// drivers of GPUs address far more memory than they use.
fn enough_memory(
    jobs: &[SweepRun],
    data: &Dataset,
    device: DeviceName,
    at_once: AtOnce,
) -> Result<(), Error> {
    if device.is_gpu() || at_once.population > 1 {
        return Ok(());
    }
    let at_a_time = at_once.threads.min(jobs.len());
    let configs = jobs.iter().map(|job| &job.config);
    memory::check(configs, data.shape().pixels(), at_a_time)
}

/// Makes the missing runs.
fn make(
    store: &Store,
    jobs: &[SweepRun],
    data: &Dataset,
    device: DeviceName,
    at_once: AtOnce,
) -> Result<Summary, Error> {
    let stop = signals(store.folder())?;
    let (made_by, this) = (store.manifest().program(), env!("CARGO_PKG_VERSION"));
    if made_by != this {
        say(&format!(
            "note: version {made_by} made the store and version {this} continues it; their numbers are \
             the same bits"
        ));
    }
    let mut bar = Bar::new();
    let execute = |jobs: &[&SweepRun], hear: &mut Hear<'_>| {
        let configs: Vec<&RunConfig> = jobs.iter().map(|job| &job.config).collect();
        let mut hear = |p: run::Progress<'_>| hear(p.step as f64 / p.steps as f64);
        run_all(&configs, data, device, &mut hear)
    };
    let summary = schedule::run(store, jobs, at_once, &stop, execute, |p| bar.sweep(p));
    bar.finish();
    let summary = summary?;
    tell(&summary.problems);
    let here = machine::description();
    for other in summary.machines.iter().filter(|other| **other != here) {
        say(&format!(
            "note: runs of this store were made on another machine, which may round differently: {other}"
        ));
    }
    for (run, reason) in &summary.failed {
        say(&format!("{run} failed: {reason}"));
    }
    Ok(summary)
}

/// Trains a single run or a population.
fn run_all(
    configs: &[&RunConfig],
    data: &Dataset,
    device: DeviceName,
    progress: &mut run::Observer<'_>,
) -> Result<Vec<RunRecord>, Error> {
    match configs {
        [config] => Ok(vec![run::run(config, data, device, progress)?.record]),
        configs => run::run_population(configs, data, device, progress),
    }
}

fn tell(problems: &[Error]) {
    for problem in problems {
        say(&format!("{problem}"));
    }
}

pub(super) fn conclude(summary: &Summary) -> ExitCode {
    match summary.ending {
        Ending::Complete => ExitCode::SUCCESS,
        Ending::Failed => ExitCode::FAILURE,
        Ending::Interrupted => ExitCode::from(signal::INTERRUPTED as u8),
    }
}

/// Prints the runs and their estimated duration, measured with a few steps of each condition.
fn dry_run(
    request: &Request,
    jobs: &[SweepRun],
    data: &Dataset,
    device: DeviceName,
    at_once: AtOnce,
) -> Result<ExitCode, Error> {
    const STEPS: usize = 120;
    let samples: Vec<Vec<RunConfig>> = request
        .conditions
        .iter()
        .map(|condition| {
            let own = jobs.iter().filter(|job| job.config.condition == *condition);
            let shorter = own.map(|job| RunConfig {
                max_steps: Some(STEPS),
                ..job.config.clone()
            });
            let sample: Vec<RunConfig> = shorter.take(at_once.population).collect();
            match sample.first() {
                Some(first) if !first.joins(first) => vec![first.clone()],
                _ => sample,
            }
        })
        .filter(|sample| !sample.is_empty())
        .collect();
    let measured = parallel::map(&samples, at_once.threads, |sample| {
        let configs: Vec<&RunConfig> = sample.iter().collect();
        let records = run_all(&configs, data, device, &mut |_| ControlFlow::Continue(()))?;
        let ms = records[0].timing.ms_per_step.unwrap_or(0.0);
        let products: f64 = sample.iter().map(SweepRun::products).sum();
        Ok::<_, Error>((sample[0].condition, ms / products))
    });
    let pace = measured.into_iter().collect::<Result<Vec<_>, _>>()?;
    let seconds: f64 = jobs
        .iter()
        .map(|job| {
            let config = &job.config;
            let ms = pace
                .iter()
                .find(|(condition, _)| *condition == config.condition);
            let steps = config.steps(data.train().len());
            ms.map_or(0.0, |(_, ms)| {
                ms * SweepRun::products(config) * steps as f64 / 1e3
            })
        })
        .sum();
    for condition in &request.conditions {
        let own = jobs.iter().filter(|job| job.config.condition == *condition);
        print(&format!("{}\n", row(condition.name(), own.count())))?;
    }
    let at_a_time = at_once.threads.min(jobs.len()).max(1);
    let cores = parallel::cores().min(at_a_time);
    let seconds = Duration::from_secs_f64(seconds / cores as f64);
    let configs = jobs.iter().map(|job| &job.config);
    let bytes = memory::of_runs(configs, data.shape().pixels(), at_a_time);
    let memory = match device.is_gpu() || at_once.population > 1 {
        true => String::new(),
        false => format!(" and up to {} MB", bytes >> 20),
    };
    print(&format!(
        "{} of {}, {}{memory} with {at_once}\n",
        row("together", jobs.len()),
        count(request.epochs, "epoch"),
        about(seconds)
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// A row of `--dry-run`.
fn row(name: &str, runs: usize) -> String {
    let noun = if runs == 1 { "run" } else { "runs" };
    format!("{name:<20}{runs:>5} {noun}")
}

pub(super) fn report(arguments: &ReportArguments) -> Result<ExitCode, Error> {
    let contents = store::read(&arguments.store)?;
    let request = contents.manifest.request();
    let request = request.map_err(|problem| Error::file(&arguments.store, problem))?;
    tell(&contents.problems);
    // The store of a comparison may hold runs of earlier requests, with other epochs for example.
    let runs = request.runs();
    let asked: HashSet<String> = runs.iter().map(SweepRun::id).collect();
    let (records, others): (BTreeMap<_, _>, BTreeMap<_, _>) = contents
        .records
        .into_iter()
        .partition(|(id, _)| asked.contains(id));
    if !others.is_empty() {
        let others = count(others.len(), "other run");
        say(&format!(
            "note: {others} of the store, of earlier requests, left out"
        ));
    }
    let records: Vec<SweepRecord> = records.into_values().collect();
    let report = Report::new(&records, &runs)?;
    // Printed first, so that a full disk does not lose the results.
    print(&format!("{}\n", report.summary()))?;
    let written = report.write(&arguments.out)?;
    for note in report.notes() {
        say(&format!("note: {note}"));
    }
    for missing in report.missing() {
        say(&format!("missing: {missing}"));
    }
    let folder = arguments.out.display();
    say(&format!("Wrote {} files to {folder}", written.len()));
    Ok(ExitCode::SUCCESS)
}

pub(super) fn pack(arguments: &PackArguments) -> Result<ExitCode, Error> {
    let (records, problems) = store::pack(&arguments.store, &arguments.file)?;
    tell(&problems);
    let file = arguments.file.display();
    say(&format!("Wrote {records} records to {file}"));
    Ok(ExitCode::SUCCESS)
}

pub(super) fn unpack(arguments: &UnpackArguments) -> Result<ExitCode, Error> {
    let (records, problems) = store::unpack(&arguments.file, &arguments.store)?;
    tell(&problems);
    let store = arguments.store.display();
    say(&format!("Added {records} records to {store}"));
    Ok(ExitCode::SUCCESS)
}
