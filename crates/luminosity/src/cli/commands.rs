//! What the commands do: each is a few calls into the experiment.

use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::args::{CompareArguments, DataArguments, EvalArguments, TrainArguments, threads};
use super::progress::{Download, Steps};
use super::{print, say};
use crate::compare::Plan;
use crate::data::{Dataset, Environment, fetch, verify};
use crate::record::Outcome;
use crate::saved::ModelFiles;
use crate::{Condition, Error, Learner, dump, files, run};

pub(super) fn compare<N: Learner>(
    arguments: &CompareArguments,
    max_steps: Option<usize>,
) -> Result<ExitCode, Error> {
    let threads = threads(arguments.threads)?;
    let first = arguments.conditions.first().copied();
    let common = arguments.setting.run(
        first.unwrap_or(Condition::INorm),
        arguments.epochs,
        max_steps,
    )?;
    let plan = Plan {
        conditions: distinct(&arguments.conditions)?,
        seeds: (0..arguments.seeds)
            .map(|k| common.seed.wrapping_add(k))
            .collect(),
        common,
    };
    let device = arguments.device.device;
    device.open()?;
    let data = load(&arguments.data.selection())?;
    files::prepare_folder(&arguments.out)?;
    let runs = plan.runs();
    say(&format!(
        "{} runs of {} epochs, {threads} at a time, on {device}",
        runs.len(),
        arguments.epochs
    ));

    let steps = Steps::new(runs.len());
    let result = plan.execute::<N>(&data, device, threads, &|index, progress| {
        steps.update(index, &runs[index], progress);
    });
    steps.finish();
    let comparison = result?;
    // First on the screen, so that a full disk cannot take the results.
    if arguments.json {
        let json = comparison.json(Path::new("standard output"))?;
        print(&String::from_utf8_lossy(&json))?;
    } else {
        print(&format!(
            "\n{}\n{}\n\n",
            comparison.table(),
            comparison.verdict()
        ))?;
    }
    let written = comparison.write(&arguments.out)?;
    let names = written.iter().filter_map(|path| path.file_name());
    let names: Vec<_> = names.map(|name| name.to_string_lossy()).collect();
    let folder = arguments.out.display();
    say(&format!("Wrote {} to {folder}", names.join(", ")));
    Ok(ExitCode::SUCCESS)
}

fn distinct(conditions: &[Condition]) -> Result<Vec<Condition>, Error> {
    let mut seen = Vec::new();
    for condition in conditions {
        if seen.contains(condition) {
            return Err(Error::usage("conditions", condition, "each at most once"));
        }
        seen.push(*condition);
    }
    Ok(seen)
}

pub(super) fn train(arguments: &TrainArguments) -> Result<ExitCode, Error> {
    threads(arguments.threads)?;
    let epochs = arguments.epochs.unwrap_or(50);
    let mut config = arguments
        .setting
        .run(arguments.condition, epochs, arguments.steps)?;
    let device = arguments.device.device;
    let opened = device.open()?;
    let data = load(&arguments.data.selection())?;
    if let (None, Some(steps)) = (arguments.epochs, arguments.steps) {
        // The steps alone decide.
        config.epochs = steps.div_ceil(config.steps_per_epoch(data.train().len()));
    }
    let model = arguments.save.as_deref().map(ModelFiles::named);
    if let Some(model) = &model {
        model.prepare()?;
    }
    if let Some(folder) = &arguments.dump {
        files::prepare_folder(folder)?;
    }
    if let Some(path) = &arguments.losses {
        files::write(path, b"step,loss\n")?;
    }

    let steps = Steps::new(1);
    let result = run::run(&config, &data, device, &mut |progress| {
        steps.update(0, &config, progress);
        ControlFlow::Continue(())
    });
    steps.finish();
    let trained = result?;
    if trained.record.outcome == Outcome::Diverged {
        say("note: the run diverged; its accuracy counts as that of chance");
    }
    if let Some(model) = &model {
        model.save(&trained.network, &trained.record)?;
        say(&format!(
            "Wrote {} and {}",
            model.weights.display(),
            model.record.display()
        ));
    }
    if let Some(folder) = &arguments.dump {
        dump::dump(folder, &trained.network, &config, data.test(), &opened)?;
        say(&format!("Wrote arrays to {}", folder.display()));
    }
    if let Some(path) = &arguments.losses {
        files::write(path, losses_csv(&trained.losses).as_bytes())?;
    }
    print_json(&trained.record)
}

fn losses_csv(losses: &[f32]) -> String {
    let rows = losses.iter().enumerate();
    let rows = rows.map(|(index, loss)| format!("{},{loss}\n", index + 1));
    format!("step,loss\n{}", rows.collect::<String>())
}

/// What `eval` prints.
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
    let device = arguments.device.device.open()?;
    let (network, record) = ModelFiles::named(&arguments.model).load(&device)?;
    let data = load(&arguments.data.selection())?;
    if data.sha256() != record.data_sha256 {
        say(&format!(
            "note: the model was trained on other data ({})",
            record.data
        ));
    }
    let config = &record.config;
    print_json(&Evaluation {
        condition: config.condition,
        epsilon: config.epsilon,
        seed: config.seed,
        test_accuracy: run::test(&network, config, data.test(), &device)?,
        recorded_test_accuracy: record.test_accuracy,
        data: data.source().to_string(),
        data_sha256: data.sha256(),
    })
}

pub(super) fn data(arguments: &DataArguments) -> Result<ExitCode, Error> {
    if arguments.fetch {
        let environment = Environment::of_process();
        let folder = environment.cache_folder()?;
        say(&format!("Downloading to {}", folder.display()));
        let download = Download::new();
        let fetched = fetch::fetch(&arguments.mirror, folder, &mut |progress| {
            download.update(&progress);
        });
        download.finish();
        for file in fetched? {
            let path = file.path.display();
            let state = if file.was_there {
                "was there"
            } else {
                "fetched"
            };
            print(&format!("{path}  {state}, verified\n"))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let verification = verify(&arguments.data.selection())?;
    print(&format!("{}\n", verification.source))?;
    for file in &verification.files {
        print(&format!("  {file}\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn load(selection: &crate::data::Selection) -> Result<Dataset, Error> {
    let data = Dataset::load(selection)?;
    say(&format!("Data: {}", data.source()));
    Ok(data)
}

fn print_json(value: &impl Serialize) -> Result<ExitCode, Error> {
    let json =
        serde_json::to_string(value).map_err(|e| Error::file(Path::new("standard output"), e))?;
    print(&format!("{json}\n"))?;
    Ok(ExitCode::SUCCESS)
}
