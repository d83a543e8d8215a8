//! What can be said on the command line.

use std::num::ParseFloatError;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ei_norm::EiInitializer;

use crate::data::Selection;
use crate::schedule::Shard;
use crate::sweep::{Preset, Request};
use crate::{Condition, DeviceName, Error, RunConfig, files, parallel};

/// Excitatory/inhibitory networks on Fashion-MNIST under variable luminosity: does it help to
/// normalize back-propagated errors as well as activity?
///
/// Without a command: trains forward only (inorm) against forward + error (inorm+full), with ln+ and
/// none as controls, and draws the comparison.
#[derive(Debug, Parser)]
#[command(
    name = "luminosity",
    version,
    args_conflicts_with_subcommands = true,
    allow_negative_numbers = true,
    after_help = "Examples:
  luminosity                                   the comparison, half a minute on two cores
  luminosity --seeds 5 --epsilon 0.5 --out results
  luminosity train --condition inorm+full --epochs 10 --full --save model
  luminosity eval --model model --full
  luminosity sweep --preset quick              many settings, resumable; then: luminosity report
  luminosity data --fetch                      download the full Fashion-MNIST"
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub compare: CompareArguments,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Train one network and print its record as one line of JSON.
    Train(TrainArguments),
    /// Test a saved network again.
    Eval(EvalArguments),
    /// Train many networks into a store: conditions, luminosities and settings as in the paper.
    Sweep(SweepArguments),
    /// Statistics, figures and one HTML page from a store.
    Report(ReportArguments),
    /// Show and verify the data that would be used, or download the full data set.
    Data(DataArguments),
}

#[derive(Debug, Args)]
pub(super) struct CompareArguments {
    /// Conditions to compare, separated by commas.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "none,ln+,inorm,inorm+full",
        help = conditions_help()
    )]
    pub conditions: Vec<Condition>,
    /// How many seeds each condition gets, counted up from --seed.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub seeds: u64,
    /// Folder for comparison.svg, .png, .csv and .json.
    #[arg(long, default_value = "luminosity-results")]
    pub out: PathBuf,
    /// How many runs go at once [default: all cores]; the results do not depend on it.
    #[arg(long)]
    pub threads: Option<usize>,
    /// Print comparison.json instead of the table.
    #[arg(long)]
    pub json: bool,
    /// Passes over the training data.
    #[arg(long, default_value_t = 25)]
    pub epochs: usize,
    #[command(flatten)]
    pub setting: Setting,
    #[command(flatten)]
    pub data: DataSelection,
    #[command(flatten)]
    pub device: DeviceSelection,
}

#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "Examples:
  luminosity train --condition inorm+full
  luminosity train --condition ln+ --epsilon 0.5 --epochs 10 --full --seed 1
  luminosity train --condition inorm --steps 200 --losses losses.csv --dump arrays"
)]
pub(super) struct TrainArguments {
    /// The condition.
    #[arg(long, help = conditions_help())]
    pub condition: Condition,
    /// Passes over the training data [default: 50, or as many as --steps needs].
    #[arg(long)]
    pub epochs: Option<usize>,
    /// Stop after this many steps.
    #[arg(long)]
    pub steps: Option<usize>,
    /// Save the network as NAME.bpk and NAME.json.
    #[arg(long, value_name = "NAME")]
    pub save: Option<PathBuf>,
    /// Write weights and the hidden activity of a test batch into DIR, as .npy.
    #[arg(long, value_name = "DIR")]
    pub dump: Option<PathBuf>,
    /// Write the loss before each step to FILE, as CSV.
    #[arg(long, value_name = "FILE")]
    pub losses: Option<PathBuf>,
    /// How many runs go at once; a single run always uses one thread.
    #[arg(long)]
    pub threads: Option<usize>,
    /// Accepted everywhere; the result of train always is JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub setting: Setting,
    #[command(flatten)]
    pub data: DataSelection,
    #[command(flatten)]
    pub device: DeviceSelection,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  luminosity eval --model model
  luminosity eval --model model.bpk --full")]
pub(super) struct EvalArguments {
    /// The name given to --save, or either of its files.
    #[arg(long, value_name = "NAME")]
    pub model: PathBuf,
    /// Accepted everywhere; the result of eval always is JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub data: DataSelection,
    #[command(flatten)]
    pub device: DeviceSelection,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  luminosity data                 what would be used, verified
  luminosity data --full
  luminosity data --data DIR      four IDX files of your own
  luminosity data --fetch         download Fashion-MNIST to the user's cache folder")]
pub(super) struct DataArguments {
    /// Download the full data set to the user's cache folder.
    #[arg(long, conflicts_with_all = ["data", "full"])]
    pub fetch: bool,
    /// Where --fetch downloads from.
    #[arg(long, value_name = "URL", default_value = crate::data::fetch::MIRROR)]
    pub mirror: String,
    #[command(flatten)]
    pub data: DataSelection,
}

#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "Examples:
  luminosity sweep --preset quick
  luminosity sweep --preset lite --full --out lite --dry-run
  luminosity sweep --conditions inorm,inorm+full --epsilons 0,0.75 --settings 8 --epochs 10 --full
  luminosity sweep --config sweep.toml --shard 3/10

A sweep that was interrupted continues where it was when the same command is given again; several
processes may work on one store."
)]
pub(super) struct SweepArguments {
    /// A ready-made sweep; other options change it.
    #[arg(long, value_enum, default_value_t = PresetName::Quick, conflicts_with = "config")]
    pub preset: PresetName,
    /// A file in TOML with the keys conditions, epsilons, settings, seeds, epochs, lambda, lambdas,
    /// shuffle, settings_seed; other options change it.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Conditions, separated by commas, by the names of `train --help`.
    #[arg(long, value_delimiter = ',')]
    pub conditions: Option<Vec<Condition>>,
    /// Luminosities, separated by commas.
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true)]
    pub epsilons: Option<Vec<f64>>,
    /// How many settings of the hyper-parameters are drawn.
    #[arg(long)]
    pub settings: Option<usize>,
    /// How many seeds each setting gets.
    #[arg(long)]
    pub seeds: Option<u64>,
    /// Passes over the training data.
    #[arg(long)]
    pub epochs: Option<usize>,
    /// Further weights of the local losses, separated by commas, for forward-only I-Norm.
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true)]
    pub lambdas: Option<Vec<f64>>,
    /// Keep the images in the order of the files, as the published code does.
    #[arg(long)]
    pub no_shuffle: bool,
    /// The folder of the store.
    #[arg(long, default_value = "luminosity-sweep")]
    pub out: PathBuf,
    /// How many runs go at once [default: all cores]; the records do not depend on it.
    #[arg(long)]
    pub jobs: Option<usize>,
    /// Only part I of N of the runs, for machines that share no folder.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Add runs to a store that was made for fewer.
    #[arg(long)]
    pub extend: bool,
    /// Say what would run and how long it would take.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub data: DataSelection,
    #[command(flatten)]
    pub device: DeviceSelection,
}

/// The presets, by the names of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PresetName {
    /// Minutes.
    Quick,
    /// 10 conditions, 4 luminosities, 8 settings, 10 epochs.
    Lite,
    /// As in the paper: 30 settings, 50 epochs, and the figure of lambda.
    Paper,
}

impl SweepArguments {
    /// What is asked for: a preset or a file, changed by the other options.
    pub fn request(&self) -> Result<Request, Error> {
        let base = match &self.config {
            Some(path) => {
                let text = String::from_utf8(files::read(path)?)
                    .map_err(|_| Error::file(path, "not a text in UTF-8"))?;
                toml::from_str(&text).map_err(|e| Error::file(path, one_line(&e)))?
            }
            None => match self.preset {
                PresetName::Quick => Preset::Quick,
                PresetName::Lite => Preset::Lite,
                PresetName::Paper => Preset::Paper,
            }
            .request(),
        };
        let request = Request {
            conditions: self.conditions.clone().unwrap_or(base.conditions),
            epsilons: self.epsilons.clone().unwrap_or(base.epsilons),
            settings: self.settings.unwrap_or(base.settings),
            seeds: self.seeds.unwrap_or(base.seeds),
            epochs: self.epochs.unwrap_or(base.epochs),
            lambdas: self.lambdas.clone().unwrap_or(base.lambdas),
            shuffle: base.shuffle && !self.no_shuffle,
            ..base
        };
        request.validate()?;
        Ok(request)
    }
}

/// The message of a TOML error, which comes with a drawing of the place, and its line.
fn one_line(error: &toml::de::Error) -> String {
    error.message().lines().collect::<Vec<_>>().join(" ")
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  luminosity report luminosity-sweep
  luminosity report lite --out lite-report")]
pub(super) struct ReportArguments {
    /// The folder of the store.
    pub store: PathBuf,
    /// Folder for report.html, the figures and the tables.
    #[arg(long, default_value = "luminosity-report")]
    pub out: PathBuf,
}

/// The numbers of a run, apart from its length.
#[derive(Debug, Clone, Args)]
pub(super) struct Setting {
    /// Luminosity: every image is shifted by U(-E, E) of the pixels' range, 0 to 1.
    #[arg(
        long,
        value_name = "E",
        default_value_t = 0.75,
        allow_hyphen_values = true
    )]
    pub epsilon: f64,
    /// Seed of weights, order and shifts.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Neurons in each of the two hidden layers.
    #[arg(long, default_value_t = 234)]
    pub width: usize,
    /// Learning rate of excitatory weights and biases.
    #[arg(long, default_value_t = 0.0098, allow_hyphen_values = true)]
    pub lr: f64,
    /// Learning rate of the weights out of inhibitory units (W_ei, U_ei).
    #[arg(long, default_value_t = 0.00294, allow_hyphen_values = true)]
    pub lr_ei: f64,
    /// Learning rate of the weights into inhibitory units (W_ix, U_ix).
    #[arg(long, default_value_t = 0.646, allow_hyphen_values = true)]
    pub lr_ix: f64,
    /// Weight of the local losses that teach inhibition to normalize.
    #[arg(long, default_value_t = 0.01, allow_hyphen_values = true)]
    pub lambda: f64,
    /// Largest norm of an example's error at the output of a hidden layer, and at every step of a
    /// recurrent one; none: errors are not clipped.
    #[arg(
        long,
        value_name = "NORM",
        default_value = "none",
        allow_hyphen_values = true
    )]
    pub clip_errors: Clip,
    /// Images in a batch.
    #[arg(long, default_value_t = 32)]
    pub batch_size: usize,
    /// Distribution of the initial weights.
    #[arg(long, value_enum, default_value_t = Init::Lognormal)]
    pub init: Init,
    /// Keep the images in the order of the files, as the published code does.
    #[arg(long)]
    pub no_shuffle: bool,
}

/// A norm, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clip(Option<f64>);

impl FromStr for Clip {
    type Err = ParseFloatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self(None)),
            number => number.parse().map(Some).map(Self),
        }
    }
}

/// The initial weights, by the names of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Init {
    Lognormal,
    Exponential,
    Iclr,
}

#[derive(Debug, Clone, Args)]
pub(super) struct DataSelection {
    /// Folder with the four IDX files [default: EI_NORM_DATA, or the embedded 10,000 + 2,000 images].
    #[arg(long, value_name = "DIR", conflicts_with = "full")]
    pub data: Option<PathBuf>,
    /// The full Fashion-MNIST, from the user's cache or the system.
    #[arg(long)]
    pub full: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct DeviceSelection {
    /// Backend: flex, ndarray, or one built with --features (wgpu, vulkan, metal, cuda, rocm, cpu).
    #[arg(long, default_value = "flex")]
    pub device: DeviceName,
}

impl Setting {
    /// The configuration of a run.
    pub fn run(
        &self,
        condition: Condition,
        epochs: usize,
        max_steps: Option<usize>,
    ) -> Result<RunConfig, Error> {
        let config = RunConfig {
            condition,
            epsilon: self.epsilon,
            seed: self.seed,
            epochs,
            max_steps,
            width: self.width,
            depth: 2,
            batch_size: self.batch_size,
            lr: self.lr,
            lr_ei: self.lr_ei,
            lr_ix: self.lr_ix,
            lambda: self.lambda,
            clip_errors: self.clip_errors.0,
            shuffle: !self.no_shuffle,
            init: match self.init {
                Init::Lognormal => EiInitializer::Lognormal,
                Init::Exponential => EiInitializer::Exponential,
                Init::Iclr => EiInitializer::Iclr,
            },
        };
        config.validate()?;
        Ok(config)
    }
}

impl DataSelection {
    /// Where the data come from.
    pub fn selection(&self) -> Selection {
        match &self.data {
            Some(folder) => Selection::Directory(folder.clone()),
            None if self.full => Selection::Full,
            None => Selection::Default,
        }
    }
}

/// How many runs go at once.
pub(super) fn threads(asked: Option<usize>) -> Result<usize, Error> {
    match asked {
        None => Ok(parallel::cores()),
        Some(threads @ 1..=1024) => Ok(threads),
        Some(other) => Err(Error::usage("threads", other, "1 to 1024")),
    }
}

fn conditions_help() -> String {
    let rows = Condition::ALL.map(|c| format!("  {:<22}{}", c.name(), c.description()));
    format!("One of\n{}\n", rows.join("\n"))
}
