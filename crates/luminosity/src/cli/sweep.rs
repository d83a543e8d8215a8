//! The commands of whole sweeps: `sweep` fills a store, `report` reads one.

use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::args::{ReportArguments, SweepArguments, threads};
use super::commands::load;
use super::progress::Runs;
use super::{print, say};
use crate::data::Dataset;
use crate::record::{RunRecord, SweepRecord};
use crate::schedule::{self, Ending, Options, Outcome, Stop, Summary};
use crate::store::{Job, Manifest, Store};
use crate::sweep::{Request, SweepRun};
use crate::{DeviceName, Error, RunConfig, parallel, report, run, signal};

/// What a store is made for: continued only by the same.
#[derive(Serialize)]
struct Asked<'a> {
    #[serde(flatten)]
    request: &'a Request,
    data_sha256: &'a str,
    device: &'a str,
}

pub(super) fn sweep(arguments: &SweepArguments) -> Result<ExitCode, Error> {
    let request = arguments.request()?;
    let threads = threads(arguments.jobs)?;
    let device = arguments.device.device;
    device.open()?;
    let data = load(&arguments.data)?;
    let all = request.runs();
    let jobs = match arguments.shard {
        Some(shard) => shard.select(all.clone()),
        None => all.clone(),
    };
    if arguments.dry_run {
        return dry_run(&request, &jobs, &data, device, threads);
    }
    say(&format!(
        "{} runs, {threads} at a time, on {device}, into {}",
        jobs.len(),
        arguments.out.display()
    ));
    let open = match arguments.extend {
        true => Open::Extend,
        false => Open::Same,
    };
    let store = open_store(&request, &all, &data, device, &arguments.out, open)?;
    let summary = make(&store, &jobs, &data, device, threads)?;
    print(&format!("{summary}\n"))?;
    Ok(conclude(&summary))
}

/// Makes all runs of a request in a store, which may hold others of the same data and device; returns
/// their records in the order of the request.
pub(super) fn complete(
    request: &Request,
    data: &Dataset,
    device: DeviceName,
    threads: usize,
    folder: &Path,
) -> Result<(Vec<RunRecord>, Summary), Error> {
    let jobs = request.runs();
    say(&format!(
        "{} runs of {} epochs, {threads} at a time, on {device}",
        jobs.len(),
        request.epochs
    ));
    let store = open_store(request, &jobs, data, device, folder, Open::Join)?;
    let summary = make(&store, &jobs, data, device, threads)?;
    let mut records = store.completed()?.records;
    let own = jobs.iter().filter_map(|job| records.remove(&job.id()));
    Ok((own.map(|record| record.run).collect(), summary))
}

fn open_store(
    request: &Request,
    jobs: &[SweepRun],
    data: &Dataset,
    device: DeviceName,
    folder: &Path,
    open: Open,
) -> Result<Store<SweepRun, SweepRecord>, Error> {
    let asked = Asked {
        request,
        data_sha256: data.sha256(),
        device: device.name(),
    };
    let manifest = Manifest::new(env!("CARGO_PKG_VERSION"), &asked, jobs)?;
    Ok(match open {
        Open::Same => Store::open_or_create(folder, manifest)?,
        Open::Extend | Open::Join => Store::extend(folder, manifest)?,
    })
}

/// What may be in a store already.
enum Open {
    /// The same request.
    Same,
    /// A part of the request.
    Extend,
    /// Any request.
    Join,
}

/// Makes the runs that are missing.
fn make(
    store: &Store<SweepRun, SweepRecord>,
    jobs: &[SweepRun],
    data: &Dataset,
    device: DeviceName,
    threads: usize,
) -> Result<Summary, Error> {
    let flag = signal::install_signal_handlers()
        .map_err(|e| Error::io("handle signals for", store.folder(), e))?;
    let mut options = Options::new(threads);
    options.stop = Stop::new(flag);
    let bar = Runs::new(jobs.len());
    let execute = |job: &SweepRun, stop: &Stop| execute(job, stop, data, device);
    let summary = schedule::run(store, jobs, &options, execute, |p| bar.update(p));
    bar.finish();
    let summary = summary?;
    for problem in &summary.problems {
        say(&format!("{problem}"));
    }
    Ok(summary)
}

pub(super) fn conclude(summary: &Summary) -> ExitCode {
    match summary.ending {
        Ending::Complete | Ending::Elsewhere => ExitCode::SUCCESS,
        Ending::Failed => ExitCode::FAILURE,
        Ending::Interrupted => ExitCode::from(signal::INTERRUPTED as u8),
    }
}

/// One run of a sweep; given up as soon as a stop is requested.
fn execute(
    job: &SweepRun,
    stop: &Stop,
    data: &Dataset,
    device: DeviceName,
) -> Outcome<SweepRecord> {
    let result = run::run(&job.config, data, device, &mut |_| match stop.requested() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    });
    match result {
        Err(Error::Interrupted) => Outcome::Stopped,
        result => result
            .map(|trained| SweepRecord {
                setting: job.setting,
                run: trained.record,
            })
            .into(),
    }
}

/// What would run, and about how long it would take: from a few steps of each condition.
fn dry_run(
    request: &Request,
    jobs: &[SweepRun],
    data: &Dataset,
    device: DeviceName,
    threads: usize,
) -> Result<ExitCode, Error> {
    const STEPS: usize = 120;
    let samples: Vec<RunConfig> = request
        .conditions
        .iter()
        .filter_map(|condition| jobs.iter().find(|job| job.config.condition == *condition))
        .map(|job| RunConfig {
            max_steps: Some(STEPS),
            ..job.config.clone()
        })
        .collect();
    let measured = parallel::map(&samples, threads, |config| {
        let trained = run::run(config, data, device, &mut |_| ControlFlow::Continue(()))?;
        let ms = trained.record.timing.ms_per_step.unwrap_or(0.0);
        Ok::<_, Error>((config.condition, ms / SweepRun::products(config)))
    });
    let pace = measured.into_iter().collect::<Result<Vec<_>, _>>()?;
    let seconds: f64 = jobs
        .iter()
        .map(|job| {
            let config = &job.config;
            let ms = pace
                .iter()
                .find(|(condition, _)| *condition == config.condition);
            let steps = config.epochs * config.steps_per_epoch(data.train().len());
            ms.map_or(0.0, |(_, ms)| {
                ms * SweepRun::products(config) * steps as f64 / 1e3
            })
        })
        .sum();
    for condition in &request.conditions {
        let own = jobs.iter().filter(|job| job.config.condition == *condition);
        print(&format!(
            "{:<20}{:>5} runs\n",
            condition.name(),
            own.count()
        ))?;
    }
    let hours = seconds / threads as f64 / 3600.0;
    print(&format!(
        "{:<20}{:>5} runs of {} epochs, about {} with {threads} at a time\n",
        "together",
        jobs.len(),
        request.epochs,
        duration(hours)
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn duration(hours: f64) -> String {
    match hours {
        h if h >= 1.0 => format!("{h:.1} hours"),
        h => format!("{:.0} minutes", (60.0 * h).max(1.0)),
    }
}

pub(super) fn report(arguments: &ReportArguments) -> Result<ExitCode, Error> {
    let store = Store::<SweepRun, SweepRecord>::open(&arguments.store)?;
    let request: Request = request_of(store.manifest(), &arguments.store)?;
    let completed = store.completed()?;
    for problem in &completed.problems {
        say(&format!("{problem}"));
    }
    let records: Vec<SweepRecord> = completed.records.into_values().collect();
    let written = report::write(&records, &request.runs(), &arguments.out)?;
    print(&format!("{}\n", written.summary.trim_end()))?;
    for missing in &written.missing {
        say(&format!("missing: {missing}"));
    }
    say(&format!(
        "Wrote {} files to {}",
        written.files.len(),
        arguments.out.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// The request in a manifest, which also holds what it was asked of.
fn request_of(manifest: &Manifest, folder: &Path) -> Result<Request, Error> {
    let mut asked = manifest.asked().clone();
    if let Some(asked) = asked.as_object_mut() {
        asked.remove("data_sha256");
        asked.remove("device");
    }
    serde_json::from_value(asked).map_err(|e| {
        Error::file(
            &folder.join("manifest.json"),
            format!("not of a sweep ({e})"),
        )
    })
}
