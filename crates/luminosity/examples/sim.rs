//! A sweep of runs that only sleep, to be killed in tests:
//! `sim FOLDER [--jobs N] [--threads N] [--shard I/N] [--log FILE] [--fail ID] [--panic ID]
//! [--size BYTES] [--slow FACTOR] [--deaf] [--leave] [--extend]`.

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use luminosity::schedule::{self, Ending, Options, Outcome, Shard, Stop};
use luminosity::signal;
use luminosity::store::{Job, Manifest, Store};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Run {
    condition: String,
    seed: u64,
}

impl Run {
    fn milliseconds(&self) -> u64 {
        5 + self.seed * 37 % 76
    }
}

impl Job for Run {
    fn id(&self) -> String {
        format!("{}-{}", self.condition, self.seed)
    }
    fn cost(&self) -> f64 {
        self.milliseconds() as f64
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    #[serde(flatten)]
    run: Run,
    accuracy: f64,
    history: Vec<f64>,
    filling: String,
    timing: Timing,
}

#[derive(Debug, Serialize, Deserialize)]
struct Timing {
    seconds: f64,
    pid: u32,
}

#[derive(Debug, Clone, Default)]
struct Arguments {
    folder: PathBuf,
    jobs: u64,
    threads: usize,
    shard: Option<Shard>,
    log: Option<PathBuf>,
    fail: Option<String>,
    panic: Option<String>,
    size: usize,
    slow: u64,
    deaf: bool,
    leave: bool,
    extend: bool,
}

fn main() -> ExitCode {
    match sweep() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn sweep() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = arguments()?;
    let flag = signal::install_signal_handlers()?;
    let jobs: Vec<Run> = (0..arguments.jobs)
        .map(|i| Run {
            condition: ["forward", "error"][(i % 2) as usize].to_owned(),
            seed: i / 2,
        })
        .collect();
    let asked = serde_json::json!({"jobs": arguments.jobs, "size": arguments.size});
    let manifest = Manifest::new(env!("CARGO_PKG_VERSION"), &asked, &jobs)?;
    let store = match arguments.extend {
        true => Store::<Run, Record>::extend(&arguments.folder, manifest)?,
        false => Store::open_or_create(&arguments.folder, manifest)?,
    };
    let jobs = match arguments.shard {
        Some(shard) => shard.select(jobs),
        None => jobs,
    };
    let mut options = Options::new(arguments.threads);
    options.stop = Stop::new(flag);
    options.wait = !arguments.leave;
    let execute = |run: &Run, stop: &Stop| execute(run, stop, &arguments);
    let summary = schedule::run(&store, &jobs, &options, execute, |_| ())?;
    for problem in &summary.problems {
        eprintln!("{problem}");
    }
    println!("{summary}");
    Ok(ExitCode::from(match summary.ending {
        Ending::Complete | Ending::Elsewhere => 0,
        Ending::Failed => 1,
        Ending::Interrupted => 130,
    }))
}

fn execute(run: &Run, stop: &Stop, arguments: &Arguments) -> Outcome<Record> {
    log(run, arguments, "start");
    let _alone = alone(run, arguments);
    if arguments.fail.as_ref() == Some(&run.id()) {
        return Outcome::Failed("the loss is not a number".to_owned());
    }
    if arguments.panic.as_ref() == Some(&run.id()) {
        panic!("a bug in the run");
    }
    let started = Instant::now();
    let duration = Duration::from_millis(run.milliseconds() * arguments.slow);
    while let Some(left) = duration.checked_sub(started.elapsed()) {
        if stop.requested() && !arguments.deaf {
            return Outcome::Stopped;
        }
        std::thread::sleep(left.min(Duration::from_millis(1)));
    }
    let mut state = 1 + run.seed * 2 + u64::from(run.condition == "error");
    let history: Vec<f64> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    })
    .take(20)
    .collect();
    log(run, arguments, "end");
    Outcome::Done(Record {
        run: run.clone(),
        accuracy: history.iter().sum::<f64>() / 20.0,
        history,
        filling: "x".repeat(arguments.size),
        timing: Timing {
            seconds: started.elapsed().as_secs_f64(),
            pid: std::process::id(),
        },
    })
}

/// Logs when a run is being made twice at the same time.
fn alone(run: &Run, arguments: &Arguments) -> Option<File> {
    let mut path = arguments.log.clone()?.into_os_string();
    path.push(format!(".{}", run.id()));
    let options = File::options().create(true).append(true).open(path);
    let file = options.expect("the log can be written");
    if file.try_lock().is_err() {
        log(run, arguments, "double");
    }
    Some(file)
}

/// One line a write, so that those of several processes do not mix.
fn log(run: &Run, arguments: &Arguments, what: &str) {
    if let Some(path) = &arguments.log {
        let file = File::options().create(true).append(true).open(path);
        let line = format!("{what} {} {}\n", run.id(), std::process::id());
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("the log can be written");
    }
}

fn arguments() -> Result<Arguments, Box<dyn Error>> {
    let mut given = std::env::args().skip(1);
    let mut arguments = Arguments {
        folder: given.next().ok_or("no folder")?.into(),
        jobs: 60,
        threads: 2,
        slow: 1,
        ..Arguments::default()
    };
    while let Some(option) = given.next() {
        let mut value = || given.next().ok_or(format!("{option} has no value"));
        match option.as_str() {
            "--jobs" => arguments.jobs = value()?.parse()?,
            "--threads" => arguments.threads = value()?.parse()?,
            "--shard" => arguments.shard = Some(value()?.parse()?),
            "--log" => arguments.log = Some(value()?.into()),
            "--fail" => arguments.fail = Some(value()?),
            "--panic" => arguments.panic = Some(value()?),
            "--size" => arguments.size = value()?.parse()?,
            "--slow" => arguments.slow = value()?.parse()?,
            "--deaf" => arguments.deaf = true,
            "--leave" => arguments.leave = true,
            "--extend" => arguments.extend = true,
            other => return Err(format!("no such option: {other}").into()),
        }
    }
    Ok(arguments)
}
