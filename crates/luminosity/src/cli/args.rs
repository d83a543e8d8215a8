//! The arguments of the command line.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use ei_norm::EiInitializer;

use crate::catalogue::{Entry, Named};
use crate::data::{DataSet, Selection};
use crate::error::one_line;
use crate::network::Network;
use crate::optimizer::OptimizerName;
use crate::schedule::{AtOnce, Shard};
use crate::stimulus::Stimulus;
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
  luminosity                                   the comparison, one to four minutes on two cores
  luminosity --seeds 3 --epsilon 0.5 --out results
  luminosity --network rnn --conditions none,inorm,inorm+full
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
    #[command(after_help = "Examples:
  luminosity report luminosity-sweep
  luminosity report lite --out lite-report")]
    Report {
        /// The folder of the store, or the file of a packed one.
        store: PathBuf,
        /// Folder for report.html, the figures and the tables.
        #[arg(long, default_value = "luminosity-report")]
        out: PathBuf,
    },
    /// Make one file of a store, which `report` reads too.
    #[command(after_help = "Examples:
  luminosity pack luminosity-sweep luminosity-sweep.jsonl.gz")]
    Pack {
        /// The folder of the store.
        store: PathBuf,
        /// The file: gzip of JSON lines, the request first, then a record a line.
        file: PathBuf,
    },
    /// Make a store of its packed file again, or add the records to it, so that `sweep` can go on.
    #[command(after_help = "Examples:
  luminosity unpack luminosity-sweep.jsonl.gz luminosity-sweep")]
    Unpack {
        /// The file of the packed store, or the folder of another store.
        file: PathBuf,
        /// The folder of the store; records that it has already are kept.
        store: PathBuf,
    },
    /// Show and verify the data that would be used, or download the full data set.
    Data(DataArguments),
}

#[derive(Debug, Args)]
pub(super) struct CompareArguments {
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "none,ln+,inorm,inorm+full",
        help = one_of(
            "Conditions to compare, separated by commas, each",
            Condition::all(),
            |condition| condition.description
        )
    )]
    pub conditions: Vec<Condition>,
    /// How many seeds each condition gets, counted up from --seed.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub seeds: u64,
    /// Folder for comparison.svg, .png, .csv and .json, for a report with tables of effects, and for the
    /// records of the runs: the same command continues where it was interrupted.
    #[arg(long, default_value = "luminosity-results")]
    pub out: PathBuf,
    /// How many runs go at once [default: all cores; on a GPU one population]; on a CPU the results do not
    /// depend on it.
    #[arg(long)]
    pub threads: Option<usize>,
    /// Print comparison.json instead of the table.
    #[arg(long)]
    pub json: bool,
    /// A few steps with one seed, to see that everything works.
    #[arg(long)]
    pub smoke: bool,
    #[command(flatten)]
    pub run: RunOptions,
    #[command(flatten)]
    pub setup: Setup,
}

impl CompareArguments {
    pub fn request(&self) -> Result<Request, Error> {
        const SMOKE_STEPS: usize = 5;
        of_one_epsilon(self.run.change(Request {
            conditions: self.conditions.clone(),
            seeds: if self.smoke { 1 } else { self.seeds },
            steps: self.smoke.then_some(SMOKE_STEPS),
            ..Preset::Comparison.request()
        })?)
    }
}

/// The request, if it has one luminosity.
fn of_one_epsilon(request: Request) -> Result<Request, Error> {
    match request.epsilons.len() {
        1 => Ok(request),
        count => {
            let allowed = "one number from 0 to 1; several: luminosity sweep";
            Err(Error::usage("epsilon", format!("{count} values"), allowed))
        }
    }
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
    #[arg(
        long,
        help = one_of("The condition,", Condition::all(), |condition| condition.description)
    )]
    pub condition: Condition,
    /// Stop after this many steps.
    #[arg(long)]
    pub steps: Option<usize>,
    /// Save the network as NAME.bpk and NAME.json; with NAME.safetensors as that, which Python reads.
    #[arg(long, value_name = "NAME")]
    pub save: Option<PathBuf>,
    /// Write the weights and, of the network mlp, the hidden activity of a test batch into DIR, as .npy.
    #[arg(long, value_name = "DIR")]
    pub dump: Option<PathBuf>,
    /// Write the loss before each step to FILE, as CSV.
    #[arg(long, value_name = "FILE")]
    pub losses: Option<PathBuf>,
    /// Accepted as in the comparison; the single run uses one thread.
    #[arg(long)]
    pub threads: Option<usize>,
    /// Print the record as one line of JSON also on a terminal, where a summary stands instead.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub run: RunOptions,
    #[command(flatten)]
    pub setup: Setup,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  luminosity eval --model model
  luminosity eval --model model.bpk --full")]
pub(super) struct EvalArguments {
    /// The name given to --save, or either of its files.
    #[arg(long, value_name = "NAME")]
    pub model: PathBuf,
    /// Test at this strength of the stimulus, 0 to 1 [default: that of training].
    #[arg(long, value_name = "E", allow_hyphen_values = true)]
    pub epsilon: Option<f64>,
    /// Accepted as in train; the result of eval is one line of JSON in any case.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub setup: Setup,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  luminosity data                 what would be used, verified
  luminosity data --full
  luminosity data --data DIR      data of your own: IDX, CIFAR-10, CSV or .npz
  luminosity data --fetch         download Fashion-MNIST to the user's cache folder")]
pub(super) struct DataArguments {
    /// Download the full data set to the user's cache folder.
    #[arg(long, conflicts_with_all = ["data", "full"])]
    pub fetch: bool,
    /// Where --fetch downloads from.
    #[arg(long, value_name = "URL", requires = "fetch", default_value = crate::data::fetch::MIRROR)]
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
    #[arg(long, value_enum, default_value_t = Preset::Quick, conflicts_with = "config")]
    pub preset: Preset,
    /// A file in TOML: conditions, epsilons, settings, seeds, lambdas, settings_seed, ranges, and the
    /// settings of a run under their names in records; other options change it.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Conditions, separated by commas, by the names of `train --help`.
    #[arg(long, value_delimiter = ',')]
    pub conditions: Option<Vec<Condition>>,
    /// How many settings of the hyper-parameters are drawn; 0: the network's defaults alone.
    #[arg(long)]
    pub settings: Option<usize>,
    /// How many seeds each setting gets.
    #[arg(long)]
    pub seeds: Option<u64>,
    /// Further weights of the local losses, separated by commas, for forward-only I-Norm.
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true)]
    pub lambdas: Option<Vec<f64>>,
    /// The folder of the store.
    #[arg(long, default_value = "luminosity-sweep")]
    pub out: PathBuf,
    /// How many runs, or populations, go at once [default: all cores; 1 on a GPU]; on a CPU the records do
    /// not depend on it.
    #[arg(long)]
    pub jobs: Option<usize>,
    /// How many runs of a condition are trained at once, as one population: a number, or auto, which is
    /// 128 on a GPU and 1 on a CPU.
    #[arg(long, default_value = "auto", value_name = "N|auto", value_parser = population_size)]
    pub population: PopulationSize,
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
    pub run: RunOptions,
    #[command(flatten)]
    pub setup: Setup,
}

impl SweepArguments {
    /// The request: a preset or a file, changed by the other options.
    pub fn request(&self) -> Result<Request, Error> {
        let base = match &self.config {
            Some(path) => {
                let text = String::from_utf8(files::read(path, 1 << 20)?)
                    .map_err(|_| Error::file(path, "not a text in UTF-8"))?;
                toml::from_str(&text).map_err(|e| Error::file(path, toml_fault(&e, &text)))?
            }
            None => self.preset.request(),
        };
        let request = self.run.change(Request {
            conditions: self.conditions.clone().unwrap_or(base.conditions),
            settings: self.settings.unwrap_or(base.settings),
            seeds: self.seeds.unwrap_or(base.seeds),
            lambdas: self.lambdas.clone().unwrap_or(base.lambdas),
            ..base
        })?;
        // A preset may have λ for a condition that the options leave out.
        let given = self.lambdas.is_some() || self.config.is_some();
        let mut conditions = request.conditions.iter();
        if given && !request.lambdas.is_empty() && !conditions.any(|c| Request::has_lambdas(*c)) {
            let found = request.lambdas.iter().map(f64::to_string);
            let found = found.collect::<Vec<_>>().join(",");
            let allowed = "none, except with the condition inorm";
            return Err(Error::usage("lambdas", found, allowed));
        }
        Ok(request)
    }
}

/// A message of a parser with words in place of Rust's types.
pub(super) fn in_words(message: String) -> String {
    const WHOLE: &str = "allowed: a whole number of at least 0";
    [
        ("expected usize", WHOLE),
        ("expected u64", WHOLE),
        ("expected f64", "allowed: a number"),
        ("expected a sequence", "allowed: a list"),
        ("expected struct Ranges", "allowed: a table"),
        ("invalid digit found in string", WHOLE),
        ("cannot parse integer from empty string", WHOLE),
        ("invalid float literal", "allowed: a number"),
        ("cannot parse float from empty string", "allowed: a number"),
        (
            "number too large to fit in target type",
            "allowed: a smaller whole number",
        ),
    ]
    .into_iter()
    .fold(message, |message, (of_parser, words)| {
        message.replace(of_parser, words)
    })
}

/// The message of a TOML error on one line, with the line of the file, and with words in place of Rust's types.
fn toml_fault(error: &toml::de::Error, text: &str) -> String {
    /// The characters of a line that a message shows.
    const LONGEST_LINE: usize = 80;
    let lines = error.message().lines().collect::<Vec<_>>();
    let mut message = one_line(&lines.join(" "));
    message = in_words(message);
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return message;
    };
    let number = before.matches('\n').count();
    let line = text.lines().nth(number).unwrap_or_default().trim();
    let line = one_line(&line.chars().take(LONGEST_LINE).collect::<String>());
    format!("{message} (line {}: {line})", number + 1)
}

/// The settings of a run, in every command. What is not given has the default of the network.
#[derive(Debug, Clone, Args)]
pub(super) struct RunOptions {
    #[arg(long, help = networks_help())]
    pub network: Option<Network>,
    /// An option of the network's own, such as kernel=3; several are separated by commas.
    #[arg(long = "option", value_name = "NAME=VALUE", value_delimiter = ',')]
    pub options: Vec<String>,
    /// Neurons in each hidden layer, or channels of the first convolution.
    #[arg(long)]
    pub width: Option<usize>,
    /// Hidden layers.
    #[arg(long)]
    pub depth: Option<usize>,
    #[arg(
        long,
        help = one_of("How brightness varies,", Stimulus::all(), |stimulus| stimulus.description)
    )]
    pub stimulus: Option<Stimulus>,
    /// Strength of the stimulus, 0 to 1: U(-E, E) of the pixels' range for luminosity.
    #[arg(
        long = "epsilon",
        visible_alias = "epsilons",
        value_name = "E",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    pub epsilons: Option<Vec<f64>>,
    /// Passes over the training data.
    #[arg(long)]
    pub epochs: Option<usize>,
    /// Seed of weights, order and stimuli; the first one where there are several.
    #[arg(long)]
    pub seed: Option<u64>,
    /// How gradients become steps.
    #[arg(long, value_enum)]
    pub optimizer: Option<OptimizerName>,
    /// Learning rate of excitatory weights and biases.
    #[arg(long, allow_hyphen_values = true)]
    pub lr: Option<f64>,
    /// Learning rate of the weights out of inhibitory units (W_ei, U_ei).
    #[arg(long, allow_hyphen_values = true)]
    pub lr_ei: Option<f64>,
    /// Learning rate of the weights into inhibitory units (W_ix, U_ix).
    #[arg(long, allow_hyphen_values = true)]
    pub lr_ix: Option<f64>,
    /// Weight of the local losses that teach inhibition to normalize.
    #[arg(long, allow_hyphen_values = true)]
    pub lambda: Option<f64>,
    /// Largest norm of an example's error at the output of a hidden layer, and at every step of a
    /// recurrent one; none: errors are not clipped.
    #[arg(long, value_name = "NORM", allow_hyphen_values = true, value_parser = clip)]
    pub clip_errors: Option<f64>,
    /// Images in a batch.
    #[arg(long)]
    pub batch_size: Option<usize>,
    /// Distribution of the initial weights.
    #[arg(long, value_parser = initializer())]
    pub init: Option<EiInitializer>,
    /// Hold out the last tenth of the training images, and end after so many epochs without a better
    /// accuracy on it.
    #[arg(long, value_name = "EPOCHS")]
    pub patience: Option<usize>,
    /// Keep the images in the order of the files, as the published code does.
    #[arg(long)]
    pub no_shuffle: bool,
}

/// A norm, or 0 for none.
fn clip(text: &str) -> Result<f64, String> {
    match text {
        "none" => Ok(0.0),
        number => match number.parse() {
            Ok(norm) if norm > 0.0 => Ok(norm),
            _ => Err("allowed: none, or a number above 0".to_owned()),
        },
    }
}

/// The initial weights, by their names in records.
fn initializer() -> impl TypedValueParser<Value = EiInitializer> {
    let names = PossibleValuesParser::new(["lognormal", "exponential", "iclr"]);
    names.try_map(|name| serde_json::from_value(name.into()))
}

impl RunOptions {
    /// `base` with the given options; checked.
    fn change(&self, base: Request) -> Result<Request, Error> {
        let mut options = BTreeMap::new();
        for option in &self.options {
            let refuse = || Error::usage("option", option, "NAME=VALUE with a whole number");
            let (name, value) = option.split_once('=').ok_or_else(refuse)?;
            let value = value.parse().map_err(|_| refuse())?;
            if options.insert(name.to_owned(), value).is_some() {
                return Err(Error::usage("option", option, "each name once"));
            }
        }
        let request = Request {
            network: self.network.unwrap_or(base.network),
            options: base.options.into_iter().chain(options).collect(),
            stimulus: self.stimulus.unwrap_or(base.stimulus),
            epsilons: self.epsilons.clone().unwrap_or(base.epsilons),
            epochs: self.epochs.unwrap_or(base.epochs),
            seed: self.seed.unwrap_or(base.seed),
            optimizer: self.optimizer.unwrap_or(base.optimizer),
            lambda: self.lambda.unwrap_or(base.lambda),
            shuffle: base.shuffle && !self.no_shuffle,
            width: self.width.or(base.width),
            depth: self.depth.or(base.depth),
            batch_size: self.batch_size.or(base.batch_size),
            lr: self.lr.or(base.lr),
            lr_ei: self.lr_ei.or(base.lr_ei),
            lr_ix: self.lr_ix.or(base.lr_ix),
            clip_errors: self.clip_errors.or(base.clip_errors),
            init: self.init.or(base.init),
            patience: self.patience.or(base.patience),
            ..base
        };
        request.validate()?;
        Ok(request)
    }
}

impl TrainArguments {
    pub fn run(&self) -> Result<RunConfig, Error> {
        let request = of_one_epsilon(self.run.change(Request {
            conditions: vec![self.condition],
            seeds: 1,
            epochs: 50,
            steps: self.steps,
            ..Preset::Comparison.request()
        })?)?;
        match request.runs().pop() {
            Some(run) => Ok(run.config),
            None => unreachable!("one condition, luminosity and seed are one run"),
        }
    }
}

#[derive(Debug, Clone, Args)]
pub(super) struct DataSelection {
    /// Folder with the files of MNIST or a relative of it, of CIFAR-10 or with CSV; or a .npz file
    /// [default: EI_NORM_DATA, or the embedded 10,000 + 2,000 images].
    #[arg(long, value_name = "DIR", conflicts_with = "full")]
    pub data: Option<PathBuf>,
    /// The full Fashion-MNIST, from the user's cache or the system.
    #[arg(long)]
    pub full: bool,
}

/// The data and the device.
#[derive(Debug, Clone, Args)]
pub(super) struct Setup {
    #[command(flatten)]
    pub data: DataSelection,
    /// Backend: flex, or one built with --features (ndarray, wgpu, vulkan, metal, cuda, rocm, cpu).
    #[arg(long, default_value = "flex")]
    pub device: DeviceName,
}

impl DataSelection {
    /// The data set of the program with the given name, unless a file or folder has this name.
    pub fn defined(&self) -> Option<DataSet> {
        let path = self.data.as_ref().filter(|path| !path.exists())?;
        path.to_str()?.parse().ok()
    }

    pub fn selection(&self) -> Selection {
        match &self.data {
            Some(folder) => Selection::Directory(folder.clone()),
            None if self.full => Selection::Full,
            None => Selection::Default,
        }
    }
}

/// The number of runs that are trained as one population; none: the number that suits the device. The alias hides
/// the `Option` from clap, for which it would mean an option that may be missing.
pub(super) type PopulationSize = Option<usize>;

fn population_size(text: &str) -> Result<PopulationSize, Error> {
    match text.parse() {
        Ok(networks @ 1..=4096) => Ok(Some(networks)),
        _ if text == "auto" => Ok(None),
        _ => Err(Error::usage("population", text, "auto, or 1 to 4096")),
    }
}

/// The number of simultaneous runs, from the option `name`, and the number of runs in a population.
pub(super) fn at_once(
    name: &str,
    asked: Option<usize>,
    population: PopulationSize,
    device: DeviceName,
) -> Result<AtOnce, Error> {
    /// The number of networks whose steps keep a large GPU busy.
    const POPULATION_ON_GPU: usize = 128;
    let (threads, networks) = match device.is_gpu() {
        true => (1, POPULATION_ON_GPU),
        false => (parallel::cores(), 1),
    };
    if let Some(other) = asked.filter(|asked| !(1..=1024).contains(asked)) {
        return Err(Error::usage(name, other, "1 to 1024"));
    }
    Ok(AtOnce {
        threads: asked.unwrap_or(threads),
        population: population.unwrap_or(networks),
    })
}

fn networks_help() -> String {
    let mut help = one_of("The network,", Network::all(), |network| {
        network.description
    });
    for network in Network::all() {
        let (name, sizes) = (network.name(), network.sizes);
        help += &format!("{name}: width and depth are {sizes}\n");
        for option in network.options {
            let ([least, most], default) = (option.range, option.default);
            help += &format!(
                "  --option {}=N  {} ({least} to {most}; {default} if not given)\n",
                option.name, option.description
            );
        }
    }
    help
}

/// A list of names and descriptions, after a few words on what they are for.
fn one_of<E: Entry>(what: &str, entries: Vec<Named<E>>, description: fn(&E) -> &str) -> String {
    let row = |entry: &Named<E>| format!("  {:<22}{}\n", entry.name(), description(entry));
    let rows: String = entries.iter().map(row).collect();
    format!("{what} one of\n{rows}")
}
