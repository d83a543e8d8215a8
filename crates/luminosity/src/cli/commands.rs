//! The commands for the comparison, for single runs and for data.

use std::collections::{HashMap, HashSet};
use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use serde::Serialize;

use super::args::{
    CompareArguments, DataArguments, DataSelection, EvalArguments, TrainArguments, at_once,
};
use super::progress::Bar;
use super::sweep::{Plan, conclude};
use super::{print, say};
use crate::config::MOST_EPOCHS;
use crate::data::{Dataset, Environment, Split, fetch};
use crate::network::Task;
use crate::record::{Outcome, RunRecord};
use crate::report::Report;
use crate::run::Trained;
use crate::saved::ModelFiles;
use crate::schedule::Ending;
use crate::{Condition, Error, RunConfig, compare, dump, files, memory, panics, run, signal};

pub(super) fn compare(arguments: &CompareArguments) -> Result<ExitCode, Error> {
    let (request, setup) = (arguments.request()?, &arguments.setup);
    let at_once = at_once("threads", arguments.threads, None, setup.device)?;
    let plan = Plan::new(request, setup, at_once, None)?;
    files::prepare_folder(&arguments.out)?;
    // The store of a comparison is separate for each data set and device.
    let digest: String = plan.data.sha256().chars().take(8).collect();
    let store = arguments.out.join(format!("runs-{digest}-{}", plan.device));
    let (records, summary) = plan.complete(&store)?;
    if summary.ending != Ending::Complete {
        say(&summary);
        if arguments.out.join("comparison.json").exists() {
            let out = arguments.out.display();
            say(format_args!(
                "The comparison and the report in {out} are of an earlier request"
            ));
        }
        return Ok(conclude(&summary));
    }
    let report = Report::new(&records, &plan.jobs)?;
    // Printed first, so that a full disk does not lose the results.
    if arguments.json {
        let json = compare::json(&records, &report);
        print(String::from_utf8_lossy(&json).trim_end())?;
    } else {
        print(format_args!("\n{}\n", report.results()))?;
    }
    let (conditions, out) = (&plan.request.conditions, &arguments.out);
    let mut written = compare::write(conditions, &records, &report, out)?;
    written.extend(report.write(&out.join("report"))?.into_iter().take(1));
    let names = written.iter().map(|path| path.strip_prefix(out));
    let names = names.filter_map(|name| Some(name.ok()?.display().to_string()));
    let names = names.collect::<Vec<_>>().join(", ");
    say(format_args!("Wrote {names} to {}", out.display()));
    Ok(ExitCode::SUCCESS)
}

pub(super) fn train(arguments: &TrainArguments) -> Result<ExitCode, Error> {
    let device = arguments.setup.device;
    at_once("threads", arguments.threads, None, device)?;
    let mut config = arguments.run()?;
    let opened = device.open()?;
    let data = load(&arguments.setup.data)?;
    if !device.is_gpu() {
        memory::check(std::iter::once(&config), Task::of(&data), 1)?;
    }
    if let (None, Some(steps)) = (arguments.run.epochs, arguments.steps) {
        // Without a number of epochs, the number of steps alone determines the length of the run.
        let of_epoch = config.steps_per_epoch(data.train().len());
        config.epochs = steps.div_ceil(of_epoch);
        if config.epochs > MOST_EPOCHS {
            let allowed = format!("at most {} with these data", of_epoch * MOST_EPOCHS);
            return Err(Error::usage("steps", steps, &allowed));
        }
    }
    check_targets(arguments, &data)?;
    if let Some(name) = &arguments.save {
        let ends_in = |c: char| name.as_os_str().as_encoded_bytes().ends_with(&[c as u8]);
        if name.file_name().is_none() || ends_in('/') || ends_in(std::path::MAIN_SEPARATOR) {
            return Err(Error::usage("save", name.display(), "the name of a file"));
        }
        ModelFiles::named(name).prepare()?;
    }
    if let Some(folder) = &arguments.dump {
        files::prepare_folder(folder)?;
    }
    if let Some(path) = &arguments.losses {
        files::prepare_file(path)?;
    }

    let stop = signals(Path::new("a run"))?;
    let mut bar = Bar::new();
    let mut hear = |progress: run::Progress<'_>| {
        bar.run(&config, progress);
        go_on(&stop)
    };
    let result = panics::caught(|| run::run(&config, &data, device, &mut hear));
    bar.finish();
    let trained = result.map_err(Error::Run)??;
    if trained.record.outcome == Outcome::Interrupted {
        let epochs = trained.record.history.len();
        say(format_args!(
            "interrupted: the record holds {epochs} whole epochs; no other file was written"
        ));
        print_record(&trained.record, arguments.json)?;
        return Ok(ExitCode::from(signal::INTERRUPTED as u8));
    }
    if trained.record.outcome == Outcome::Diverged {
        say("note: the run diverged; its accuracy counts as that of chance");
    }
    let written = write_results(arguments, &trained, data.test(), &opened);
    // Printed even if writing the files failed, so that the results are not lost.
    print_record(&trained.record, arguments.json)?;
    written.map(|()| ExitCode::SUCCESS)
}

/// Checks that no output has the name of another output or of a file of the data.
fn check_targets(arguments: &TrainArguments, data: &Dataset) -> Result<(), Error> {
    let model = arguments.save.as_deref().map(ModelFiles::named);
    let (weights, record) = model.map(|model| (model.weights, model.record)).unzip();
    let data = data.files().iter().map(|file| PathBuf::from(&file.found));
    let data = data.chain(arguments.setup.data.data.clone());
    let outputs = [
        ("save", weights),
        ("save", record),
        ("dump", arguments.dump.clone()),
        ("losses", arguments.losses.clone()),
    ];
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    let mut options: HashMap<_, _> = data.map(|path| (absolute(path), "data")).collect();
    for (option, path) in outputs {
        if let Some(path) = path.map(absolute)
            && let Some(other) = options.insert(path.clone(), option)
        {
            let allowed = format!("another name than that of --{other}");
            return Err(Error::usage(option, path.display(), &allowed));
        }
    }
    Ok(())
}

/// Writes the requested files; if one cannot be written, still the others.
fn write_results(
    arguments: &TrainArguments,
    trained: &Trained,
    test: &Split,
    device: &Device,
) -> Result<(), Error> {
    let (network, record) = (trained.network.as_ref(), &trained.record);
    let losses = arguments.losses.as_deref();
    let losses = losses.map(|path| files::write(path, losses_csv(&trained.losses).as_bytes()));
    let saved = arguments.save.as_deref().map(|name| {
        let model = ModelFiles::named(name);
        model.save(network, record)?;
        let (weights, record) = (model.weights.display(), model.record.display());
        say(format_args!("Wrote {weights} and {record}"));
        Ok(())
    });
    let dumped = arguments.dump.as_deref().map(|folder| {
        dump::dump(folder, network, &record.config, test, device)?;
        say(format_args!("Wrote arrays to {}", folder.display()));
        Ok(())
    });
    [losses, saved, dumped].into_iter().flatten().collect()
}

/// Prints a summary on a terminal; elsewhere, or on request, JSON.
fn print_record(record: &RunRecord, json: bool) -> Result<(), Error> {
    match json || !std::io::stdout().is_terminal() {
        true => print_json(record),
        false => print(brief(record)),
    }
}

/// A summary of a run for a terminal.
fn brief(record: &RunRecord) -> String {
    let config = &record.config;
    let mut lines = vec![
        format!(
            "condition           {} ({})",
            config.condition, config.condition.description
        ),
        format!("test accuracy       {:.2} %", 100.0 * record.test_accuracy),
    ];
    let mut add = |name: &str, value: Option<f64>| {
        lines.extend(value.map(|value| format!("{name:<20}{value:.3}")));
    };
    add("train loss", record.train_loss);
    let alignment = record.alignment.as_ref().map(|a| &a.mean);
    add("output alignment", alignment.and_then(|a| a.output));
    add("gradient alignment", alignment.and_then(|a| a.gradient));
    add("ms per step", record.timing.ms_per_step);
    lines.push("--json prints the whole record".to_owned());
    lines.join("\n")
}

fn losses_csv(losses: &[f32]) -> String {
    let rows = losses.iter().enumerate();
    let rows = rows.map(|(index, loss)| format!("{},{loss}\n", index + 1));
    format!("step,loss\n{}", rows.collect::<String>())
}

/// The output of `eval`.
#[derive(Serialize)]
struct Evaluation<'a> {
    condition: Condition,
    epsilon: f64,
    seed: u64,
    test_accuracy: f64,
    recorded_test_accuracy: f64,
    data: String,
    data_sha256: &'a str,
}

pub(super) fn eval(arguments: &EvalArguments) -> Result<ExitCode, Error> {
    let device = arguments.setup.device.open()?;
    let files = ModelFiles::existing(&arguments.model);
    let record = files.record()?;
    let data = load(&arguments.setup.data)?;
    let trained_on_other_data = data.sha256() != record.data_sha256;
    let loaded = files.load(&record, Task::of(&data), &device);
    let network = loaded.map_err(|error| match trained_on_other_data {
        true => {
            let (shape, source, own) = (data.shape(), data.source(), &record.data);
            let problem = format!(
                "cannot be used with images of {shape}, {source}; it was trained on {own} ({error})"
            );
            Error::file(&files.weights, problem)
        }
        false => error,
    })?;
    if trained_on_other_data {
        say(format_args!(
            "note: the model was trained on other data ({})",
            record.data
        ));
    }
    let config = &RunConfig {
        epsilon: arguments.epsilon.unwrap_or(record.config.epsilon),
        ..record.config.clone()
    };
    config.validate()?;
    let found = run::test(network.as_ref(), config, data.test(), &device)?;
    let recorded = record.test_accuracy;
    print_json(&Evaluation {
        condition: config.condition,
        epsilon: config.epsilon,
        seed: config.seed,
        test_accuracy: found,
        recorded_test_accuracy: recorded,
        data: data.source(),
        data_sha256: data.sha256(),
    })?;
    let same = !trained_on_other_data
        && config.epsilon == record.config.epsilon
        && record.outcome == Outcome::Completed;
    if same && found != recorded {
        if record.device == arguments.setup.device.name() {
            let problem = format!(
                "test_accuracy is {found}; allowed: {recorded}, that of its record on the same data \
                 (another processor may round differently)"
            );
            return Err(Error::file(&files.weights, problem));
        }
        say(format_args!(
            "note: the record has the accuracy {recorded}, on {}; backends may round differently",
            record.device
        ));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn data(arguments: &DataArguments) -> Result<ExitCode, Error> {
    if arguments.fetch {
        let environment = Environment::of_process();
        let folder = environment.cache_folder()?;
        say(format_args!("Downloading to {}", folder.display()));
        let mut bar = Bar::new();
        let stop = signals(folder)?;
        let fetched = fetch::fetch(&arguments.mirror, folder, &mut |progress| {
            bar.download(&progress);
            go_on(&stop)
        });
        bar.finish();
        if matches!(fetched, Err(Error::Interrupted)) {
            say("interrupted: no unfinished file was left");
            return Ok(ExitCode::from(signal::INTERRUPTED as u8));
        }
        for file in fetched? {
            let path = file.path.display();
            let state = match file.was_there {
                true => "was there",
                false => "fetched",
            };
            print(format_args!("{path}  {state}, verified"))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(set) = arguments.data.defined() {
        let data = (set.load)()?;
        print(data.source())?;
        print(format_args!("  SHA-256 {}", data.sha256()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let data = Dataset::read(&arguments.data.selection(), &Environment::of_process())?;
    print(data.source())?;
    for file in data.files() {
        print(format_args!("  {file}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The flag that a signal to stop sets; an error names `of`.
pub(super) fn signals(of: &Path) -> Result<Arc<AtomicBool>, Error> {
    signal::install_signal_handlers().map_err(|e| Error::io("handle signals for", of, e))
}

/// Continues until a signal arrives.
fn go_on(stop: &AtomicBool) -> ControlFlow<()> {
    match stop.load(Ordering::Relaxed) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

/// Loads the selected data, names them, and warns of classes without a training image.
pub(super) fn load(selection: &DataSelection) -> Result<Dataset, Error> {
    let data = match selection.defined() {
        Some(set) => (set.load)()?,
        None => Dataset::load(&selection.selection())?,
    };
    say(format_args!("Data: {}", data.source()));
    let labels: HashSet<u8> = data.train().labels().iter().copied().collect();
    let missing = data.classes() - labels.len();
    if missing > 0 {
        say(format_args!(
            "note: {missing} of the {} classes have no training image; labels are 0 to K - 1 for K classes",
            data.classes()
        ));
    }
    Ok(data)
}

fn print_json(value: &impl Serialize) -> Result<(), Error> {
    let json =
        serde_json::to_string(value).map_err(|e| Error::file(Path::new("standard output"), e))?;
    print(json)
}
