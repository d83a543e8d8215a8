//! A sweep: conditions × luminosities × settings × λ × seeds; every condition has the same settings. The
//! comparison is a sweep of one setting, which is given and not drawn.

use std::collections::{BTreeMap, HashSet};

use ei_norm::EiInitializer;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::bounds::within;
use crate::condition::{
    E_ONLY_LN_PLUS, HiddenSpec, INORM, INORM_CENTER, INORM_FULL, LN_PLUS, NONE, PAPER,
};
use crate::config::{MOST_WIDTH, is_default};
use crate::data::sha256;
use crate::network::Network;
use crate::optimizer::OptimizerName;
use crate::random::{Purpose, generator};
use crate::stimulus::Stimulus;
use crate::{Condition, Error, RunConfig};

/// The λ of the paper's main figures.
const MAIN_LAMBDA: f64 = 0.01;
/// The largest number of runs in a sweep.
const MOST_RUNS: usize = 200_000;

/// The request of a sweep. Unknown keys in a configuration file are errors.
///
/// A setting of a run that is given here holds for all runs. A setting that is not given is drawn if the
/// ranges have it; otherwise it has the network's default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// The conditions.
    pub conditions: Vec<Condition>,
    /// The strengths of the stimulus, each 0 to 1.
    pub epsilons: Vec<f64>,
    /// The number of settings of the hyper-parameters to be drawn; 0 means one setting, the network's
    /// defaults.
    pub settings: usize,
    /// The number of seeds for each setting.
    pub seeds: u64,
    /// Passes over the training data.
    pub epochs: usize,
    /// λ of every condition that has local losses.
    pub lambda: f64,
    /// Further λ, for forward-only I-Norm alone: the figure of λ.
    pub lambdas: Vec<f64>,
    /// Whether every epoch has a different order.
    pub shuffle: bool,
    /// The seed from which the settings are drawn.
    pub settings_seed: u64,
    /// The first seed.
    #[serde(skip_serializing_if = "is_default")]
    pub seed: u64,
    /// The network.
    #[serde(skip_serializing_if = "is_default")]
    pub network: Network,
    /// The options of this kind of network.
    #[serde(skip_serializing_if = "is_default")]
    pub options: BTreeMap<String, usize>,
    /// The variation of brightness.
    #[serde(skip_serializing_if = "is_default")]
    pub stimulus: Stimulus,
    /// The optimizer.
    #[serde(skip_serializing_if = "is_default")]
    pub optimizer: OptimizerName,
    /// The ranges of the hyper-parameters.
    #[serde(skip_serializing_if = "is_default")]
    pub ranges: Ranges,
    /// [`RunConfig::width`].
    pub width: Option<usize>,
    /// [`RunConfig::depth`].
    pub depth: Option<usize>,
    /// [`RunConfig::batch_size`].
    pub batch_size: Option<usize>,
    /// [`RunConfig::lr`].
    pub lr: Option<f64>,
    /// [`RunConfig::lr_ei`].
    pub lr_ei: Option<f64>,
    /// [`RunConfig::lr_ix`].
    pub lr_ix: Option<f64>,
    /// [`RunConfig::clip_errors`]; 0: errors are not clipped.
    pub clip_errors: Option<f64>,
    /// [`RunConfig::init`].
    pub init: Option<EiInitializer>,
    /// [`RunConfig::patience`].
    pub patience: Option<usize>,
    /// [`RunConfig::max_steps`].
    #[serde(alias = "max_steps")]
    pub steps: Option<usize>,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            conditions: PAPER.to_vec(),
            epsilons: vec![0.0, 0.25, 0.5, 0.75],
            settings: 8,
            seeds: 1,
            epochs: 10,
            lambda: MAIN_LAMBDA,
            lambdas: Vec::new(),
            shuffle: true,
            settings_seed: 0,
            seed: 0,
            network: Network::default(),
            options: BTreeMap::new(),
            stimulus: Stimulus::default(),
            optimizer: OptimizerName::default(),
            ranges: Ranges::default(),
            width: None,
            depth: None,
            batch_size: None,
            lr: None,
            lr_ei: None,
            lr_ix: None,
            clip_errors: None,
            init: None,
            patience: None,
            steps: None,
        }
    }
}

/// Ready-made sweeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// Four conditions at the strongest variation of luminosity, one setting, six seeds: minutes.
    Comparison,
    /// Four conditions, two luminosities, six settings, three epochs: minutes.
    Quick,
    /// The whole design on a diet: 10 conditions × 4 luminosities × 8 settings × 10 epochs.
    Lite,
    /// As in the paper: 10 × 4 × 30 settings × 50 epochs, and the figure of λ.
    Paper,
}

impl Preset {
    pub fn request(self) -> Request {
        match self {
            Self::Comparison => Request {
                conditions: vec![NONE, LN_PLUS, INORM, INORM_FULL],
                epsilons: vec![0.75],
                settings: 0,
                // The smallest number for which p of a paired test can be below 0.05.
                seeds: 6,
                epochs: 25,
                ..Request::default()
            },
            Self::Quick => Request {
                conditions: vec![E_ONLY_LN_PLUS, INORM, INORM_FULL, INORM_CENTER],
                epsilons: vec![0.0, 0.75],
                settings: 6,
                epochs: 3,
                ..Request::default()
            },
            Self::Lite => Request::default(),
            Self::Paper => Request {
                settings: 30,
                epochs: 50,
                lambdas: vec![1e-5, 1e-4, 1e-3, 0.1, 1.0],
                ..Request::default()
            },
        }
    }
}

/// The ranges of the hyper-parameters that are drawn with each setting: rates log-uniformly, the width
/// uniformly, including the ends. Hyper-parameters without a range are not drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ranges {
    /// The range of [`RunConfig::lr`].
    pub lr: Option<[f64; 2]>,
    /// The range of [`RunConfig::lr_ei`].
    pub lr_ei: Option<[f64; 2]>,
    /// The range of [`RunConfig::lr_ix`].
    pub lr_ix: Option<[f64; 2]>,
    /// The range of [`RunConfig::width`].
    pub width: Option<[usize; 2]>,
}

impl Ranges {
    /// The paper's ranges.
    pub const PAPER: Self = Self {
        lr: Some([1e-3, 1e-2]),
        lr_ei: Some([1e-5, 1e-2]),
        lr_ix: Some([1e-2, 1.0]),
        width: Some([100, 500]),
    };

    fn validate(self) -> Result<(), Error> {
        let rates = [
            ("ranges.lr", self.lr),
            ("ranges.lr_ei", self.lr_ei),
            ("ranges.lr_ix", self.lr_ix),
        ];
        for (name, range) in rates {
            if let Some([low, high]) = range
                && !(low > 0.0 && low < high && high.is_finite())
            {
                let found = format!("[{low}, {high}]");
                return Err(Error::usage(name, found, "two numbers above 0, ascending"));
            }
        }
        if let Some([low, high]) = self.width
            && (low < 1 || low > high || high > MOST_WIDTH)
        {
            let found = format!("[{low}, {high}]");
            let allowed = format!("two numbers of 1 to {MOST_WIDTH}, ascending");
            return Err(Error::usage("ranges.width", found, &allowed));
        }
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct SweepRun {
    /// The number of its setting, from 0.
    pub setting: usize,
    pub config: RunConfig,
}

/// Draws a rate from a range, log-uniformly.
fn draw_rate([low, high]: [f64; 2], rng: &mut impl Rng) -> f64 {
    // The exponent of a power of ten is an integer, whatever the rounding of the logarithm.
    let [low, high] = [low, high].map(|value| (1e12 * value.log10()).round() / 1e12);
    // The ends of a narrow range have the same exponent.
    10f64.powf(match low < high {
        true => rng.random_range(low..high),
        false => low,
    })
}

/// The first value that equals an earlier one.
fn repeated(values: &[String]) -> Option<&String> {
    let mut earlier = HashSet::new();
    values.iter().find(|value| !earlier.insert(*value))
}

impl Request {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] that names the first invalid value.
    pub fn validate(&self) -> Result<(), Error> {
        let numbers = |values: &[f64]| values.iter().map(|v| (v + 0.0).to_string()).collect();
        let names = self.conditions.iter().map(ToString::to_string).collect();
        let lists: [(&str, Vec<String>, usize); 3] = [
            ("conditions", names, 1),
            ("epsilons", numbers(&self.epsilons), 1),
            ("lambdas", numbers(&self.lambdas), 0),
        ];
        for (name, values, least) in lists {
            if values.len() < least {
                return Err(Error::usage(name, "empty", "at least one"));
            }
            if let Some(value) = repeated(&values) {
                let allowed = format!("{value} once");
                return Err(Error::usage(name, values.join(","), &allowed));
            }
        }
        within("settings", self.settings, 0..=10_000)?;
        within("seeds", self.seeds, 1..=1000)?;
        self.ranges.validate()?;
        if self.settings == 0 && self.ranges != Ranges::default() {
            let allowed = "at least 1 if there are ranges";
            return Err(Error::usage("settings", 0, allowed));
        }
        let last = self.seed_of(self.settings.saturating_sub(1), self.seeds - 1);
        if self.seed.checked_add(last).is_none() {
            let allowed = format!("at most {}, for the seeds that follow it", u64::MAX - last);
            return Err(Error::usage("seed", self.seed, &allowed));
        }
        // Checked before a list of the runs takes the memory.
        let lambdas = self.conditions.iter().map(|c| self.lambdas_of(*c).count());
        let factors = [
            self.epsilons.len(),
            self.settings.max(1),
            self.seeds as usize,
        ];
        let runs = factors
            .into_iter()
            .fold(lambdas.sum::<usize>(), usize::saturating_mul);
        if runs > MOST_RUNS {
            let allowed = format!("at most {MOST_RUNS}");
            return Err(Error::usage("the number of runs", runs, &allowed));
        }
        // Every λ is checked, even if no condition has further λ.
        for &lambda in &self.lambdas {
            let config = self.config(INORM);
            RunConfig { lambda, ..config }.validate()?;
        }
        let runs = self.runs();
        runs.iter().try_for_each(|run| run.config.validate())?;
        let ids: Vec<_> = runs.iter().map(SweepRun::id).collect();
        match repeated(&ids) {
            Some(id) => Err(Error::usage("the sweep", id, "each run once")),
            None => Ok(()),
        }
    }

    /// Every run, by condition, luminosity, λ, setting and seed.
    pub fn runs(&self) -> Vec<SweepRun> {
        let settings = self.of_settings();
        let mut runs = Vec::new();
        for &condition in &self.conditions {
            for &epsilon in &self.epsilons {
                for lambda in self.lambdas_of(condition) {
                    for (setting, request) in settings.iter().enumerate() {
                        for repeat in 0..self.seeds {
                            let config = RunConfig {
                                // -0 becomes 0; otherwise it would have another name.
                                epsilon: epsilon + 0.0,
                                lambda: lambda + 0.0,
                                seed: self.seed.wrapping_add(self.seed_of(setting, repeat)),
                                ..request.config(condition)
                            };
                            runs.push(SweepRun { setting, config });
                        }
                    }
                }
            }
        }
        runs
    }

    /// This request for each setting, with the drawn hyper-parameters where none are given. They do not depend
    /// on the number of settings: a larger number adds settings at the end.
    fn of_settings(&self) -> Vec<Self> {
        let ranges = [self.ranges, self.optimizer.ranges(), self.network.ranges];
        let mut rng = generator(self.settings_seed, Purpose::Settings);
        let draw = |_| {
            let mut rate = |of: fn(&Ranges) -> Option<[f64; 2]>| {
                let range = ranges.iter().find_map(of);
                range.map(|range| draw_rate(range, &mut rng))
            };
            let (lr, lr_ei, lr_ix) = (rate(|r| r.lr), rate(|r| r.lr_ei), rate(|r| r.lr_ix));
            let width = ranges.iter().find_map(|r| r.width);
            let width = width.map(|[low, high]| rng.random_range(low..=high));
            Self {
                lr: self.lr.or(lr),
                lr_ei: self.lr_ei.or(lr_ei),
                lr_ix: self.lr_ix.or(lr_ix),
                width: self.width.or(width),
                ..self.clone()
            }
        };
        match self.settings {
            0 => vec![self.clone()],
            settings => (0..settings).map(draw).collect(),
        }
    }

    /// The distance from the first seed: a separate seed for every setting and repeat, the same for every
    /// condition.
    fn seed_of(&self, setting: usize, repeat: u64) -> u64 {
        match self.settings {
            0 => repeat,
            _ => repeat * 10_000 + setting as u64,
        }
    }

    /// Whether a condition has further λ.
    pub(crate) fn has_lambdas(condition: Condition) -> bool {
        condition == INORM
    }

    fn lambdas_of(&self, condition: Condition) -> impl Iterator<Item = f64> {
        let has_further = Self::has_lambdas(condition);
        let further = self.lambdas.iter().copied();
        let further = further.filter(move |lambda| has_further && *lambda != self.lambda);
        std::iter::once(self.lambda).chain(further)
    }

    /// The configuration of a run, apart from ε, λ and the seed.
    fn config(&self, condition: Condition) -> RunConfig {
        let mut base = RunConfig::of(self.network, condition, 0);
        self.optimizer.set_rates(&mut base);
        let clip = self.clip_errors.map(|norm| (norm != 0.0).then_some(norm));
        RunConfig {
            epochs: self.epochs,
            max_steps: self.steps,
            width: self.width.unwrap_or(base.width),
            depth: self.depth.unwrap_or(base.depth),
            batch_size: self.batch_size.unwrap_or(base.batch_size),
            lr: self.lr.unwrap_or(base.lr) + 0.0,
            lr_ei: self.lr_ei.unwrap_or(base.lr_ei) + 0.0,
            lr_ix: self.lr_ix.unwrap_or(base.lr_ix) + 0.0,
            clip_errors: clip.unwrap_or(base.clip_errors),
            shuffle: self.shuffle,
            init: self.init.unwrap_or(base.init),
            options: self.options.clone(),
            stimulus: self.stimulus,
            optimizer: self.optimizer,
            patience: self.patience,
            ..base
        }
    }
}

impl SweepRun {
    /// Multiply-adds of the excitatory products of the hidden layers for one image of 784 pixels; the time of
    /// a step is about proportional to them.
    pub fn products(config: &RunConfig) -> f64 {
        let width = config.width as f64;
        784.0 * width + config.depth.saturating_sub(1) as f64 * width * width
    }

    /// The name of the record's file: first the main settings, for readers, then a digest of everything that
    /// changes the result.
    pub fn id(&self) -> String {
        // A configuration of plain numbers and names can always be encoded.
        let json = serde_json::to_vec(&self.config).unwrap_or_default();
        let digest = sha256([json.as_slice()]);
        let c = &self.config;
        let (condition, epsilon, lambda) = (c.condition, c.epsilon, c.lambda);
        format!(
            "{condition}_e{epsilon}_l{lambda}_s{:03}_{digest:.8}",
            self.setting
        )
    }

    /// The cost of a run, relative to other runs.
    pub fn cost(&self) -> f64 {
        let products = Self::products(&self.config);
        let per_condition = match self.config.condition.hidden {
            HiddenSpec::Ei { .. } => 1.0,
            HiddenSpec::INorm { .. } => 1.6,
        };
        self.config.epochs as f64 * products * per_condition
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The drawn hyper-parameters of the first settings.
    fn drawn(settings: usize, settings_seed: u64, ranges: Ranges) -> Vec<([f64; 3], usize)> {
        let request = Request {
            settings,
            settings_seed,
            ranges,
            ..Request::default()
        };
        request.validate().unwrap();
        let settings = request.of_settings().into_iter();
        let rates = |r: &Request| [r.lr, r.lr_ei, r.lr_ix].map(Option::unwrap);
        settings.map(|r| (rates(&r), r.width.unwrap())).collect()
    }

    #[test]
    fn settings_are_in_the_ranges_of_the_paper_and_do_not_depend_on_their_number() {
        let all = drawn(200, 0, Ranges::PAPER);
        assert_eq!(all[..5], drawn(5, 0, Ranges::PAPER));
        assert_ne!(all[..5], drawn(5, 1, Ranges::PAPER));
        assert!(all.iter().all(|(_, width)| (100..=500).contains(width)));
        let rates = [(1e-3..1e-2, 8.0), (1e-5..1e-2, 500.0), (1e-2..1.0, 50.0)];
        for (k, (range, spread)) in rates.into_iter().enumerate() {
            let mut rates: Vec<f64> = all.iter().map(|(rates, _)| rates[k]).collect();
            rates.sort_by(f64::total_cmp);
            assert!(rates.iter().all(|rate| range.contains(rate)));
            assert!(rates[199] / rates[0] > spread);
        }
    }

    #[test]
    fn a_range_may_be_narrower_than_the_rounding_of_its_ends() {
        let ranges = Ranges {
            lr: Some([1e-3, 1.000_000_000_000_1e-3]),
            ..Ranges::default()
        };
        for ([lr, ..], _) in drawn(3, 0, ranges) {
            assert!((lr - 1e-3).abs() < 1e-15);
        }
    }

    #[test]
    fn every_condition_and_luminosity_gets_the_same_settings_and_seeds() {
        let request = Preset::Lite.request();
        request.validate().unwrap();
        let runs = request.runs();
        assert_eq!(runs.len(), 10 * 4 * 8);
        let key = |run: &SweepRun| {
            let c = &run.config;
            let rates = [c.lr, c.lr_ei, c.lr_ix].map(f64::to_bits);
            (run.setting, c.seed, c.width, rates)
        };
        let first: Vec<_> = runs[..8].iter().map(key).collect();
        for group in runs.chunks(8) {
            assert_eq!(group.iter().map(key).collect::<Vec<_>>(), first);
        }
    }

    #[test]
    fn the_paper_has_its_lambda_figure() {
        let runs = Preset::Paper.request().runs();
        assert_eq!(runs.len(), 10 * 4 * 30 + 5 * 4 * 30);
        let mut further = runs.iter().map(|run| &run.config).collect::<Vec<_>>();
        further.retain(|config| config.lambda != MAIN_LAMBDA);
        assert!(further.iter().all(|config| config.condition == INORM));
        assert_eq!(further.len(), 5 * 4 * 30);
    }

    type Change = fn(&mut Request);

    #[test]
    fn what_is_not_allowed_is_named() {
        const WIDE: Ranges = Ranges {
            width: Some([5, 30_000]),
            ..Ranges::PAPER
        };
        let cases: [(Change, &str); 10] = [
            (|r| r.settings = 1 << 62, "settings is 4611686018427387904"),
            (|r| (r.settings, r.seeds) = (10_000, 1000), "at most 200000"),
            (|r| r.epsilons = vec![1.5], "epsilon is 1.5"),
            (|r| r.conditions = vec![], "conditions"),
            (|r| r.epsilons = vec![0.5, 0.5], "once"),
            // λ that no run has, so that the request can be read again.
            (
                |r| (r.conditions, r.lambdas) = (vec![NONE], vec![f64::NAN]),
                "lambda is NaN",
            ),
            (|r| r.ranges = WIDE, "ranges.width is [5, 30000]"),
            (
                |r| (r.settings, r.ranges) = (0, Ranges::PAPER),
                "settings is 0",
            ),
            (|r| r.seed = u64::MAX - 6, "at most 18446744073709551608"),
            (one_unit, "width is 1"),
        ];
        for (change, words) in cases {
            let mut request = Request::default();
            change(&mut request);
            let message = request.validate().unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
        let mut without_i_norm = Request {
            conditions: vec![NONE],
            ..Request::default()
        };
        one_unit(&mut without_i_norm);
        without_i_norm.validate().unwrap();
    }

    fn one_unit(request: &mut Request) {
        (request.init, request.width) = (Some(EiInitializer::Iclr), Some(1));
    }

    #[test]
    fn minus_zero_is_zero() {
        let ids = |zero: f64| {
            let request = Request {
                epsilons: vec![zero],
                lr: Some(zero),
                ..Preset::Comparison.request()
            };
            request.runs().iter().map(SweepRun::id).collect::<Vec<_>>()
        };
        assert_eq!(ids(-0.0), ids(0.0));
    }
}
