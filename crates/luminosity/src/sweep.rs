//! A sweep: conditions × luminosities × settings × λ × seeds; every condition has the same settings. The
//! comparison is a sweep of one setting, which is given and not drawn.

use std::collections::BTreeMap;

use ei_norm::EiInitializer;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::condition::{self, HiddenSpec};
use crate::config::{MOST_WIDTH, is_default};
use crate::network::Network;
use crate::optimizer::OptimizerName;
use crate::random::settings_generator;
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
    #[serde(skip_serializing_if = "is_default")]
    pub width: Option<usize>,
    /// [`RunConfig::depth`].
    #[serde(skip_serializing_if = "is_default")]
    pub depth: Option<usize>,
    /// [`RunConfig::batch_size`].
    #[serde(skip_serializing_if = "is_default")]
    pub batch_size: Option<usize>,
    /// [`RunConfig::lr`].
    #[serde(skip_serializing_if = "is_default")]
    pub lr: Option<f64>,
    /// [`RunConfig::lr_ei`].
    #[serde(skip_serializing_if = "is_default")]
    pub lr_ei: Option<f64>,
    /// [`RunConfig::lr_ix`].
    #[serde(skip_serializing_if = "is_default")]
    pub lr_ix: Option<f64>,
    /// [`RunConfig::clip_errors`]; 0: errors are not clipped.
    #[serde(skip_serializing_if = "is_default")]
    pub clip_errors: Option<f64>,
    /// [`RunConfig::init`].
    #[serde(skip_serializing_if = "is_default")]
    pub init: Option<EiInitializer>,
    /// [`RunConfig::patience`].
    #[serde(skip_serializing_if = "is_default")]
    pub patience: Option<usize>,
    /// [`RunConfig::max_steps`].
    #[serde(skip_serializing_if = "is_default", alias = "max_steps")]
    pub steps: Option<usize>,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            conditions: condition::PAPER.to_vec(),
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
    /// The request of the preset.
    pub fn request(self) -> Request {
        match self {
            Self::Comparison => Request {
                conditions: vec![
                    condition::NONE,
                    condition::LN_PLUS,
                    condition::INORM,
                    condition::INORM_FULL,
                ],
                epsilons: vec![0.75],
                settings: 0,
                // The smallest number for which p of a paired test can be below 0.05.
                seeds: 6,
                epochs: 25,
                ..Request::default()
            },
            Self::Quick => Request {
                conditions: vec![
                    condition::E_ONLY_LN_PLUS,
                    condition::INORM,
                    condition::INORM_FULL,
                    condition::INORM_CENTER,
                ],
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

    /// These ranges; where there is none, the range of `other`.
    fn or(self, other: Self) -> Self {
        Self {
            lr: self.lr.or(other.lr),
            lr_ei: self.lr_ei.or(other.lr_ei),
            lr_ix: self.lr_ix.or(other.lr_ix),
            width: self.width.or(other.width),
        }
    }

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
        match self.width {
            Some([low, high]) if low < 1 || low > high || high > MOST_WIDTH => {
                let allowed = format!("two numbers of 1 to {MOST_WIDTH}, ascending");
                let found = format!("[{low}, {high}]");
                Err(Error::usage("ranges.width", found, &allowed))
            }
            _ => Ok(()),
        }
    }
}

/// The drawn hyper-parameters of a setting; none where there is no range.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Setting {
    lr: Option<f64>,
    lr_ei: Option<f64>,
    lr_ix: Option<f64>,
    width: Option<usize>,
}

/// One run of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepRun {
    /// The number of its setting, from 0.
    pub setting: usize,
    /// Its configuration.
    #[serde(flatten)]
    pub config: RunConfig,
}

/// The first `n` settings of a seed. They do not depend on `n`: a larger `n` adds settings at the end.
fn settings(n: usize, seed: u64, ranges: Ranges) -> Vec<Setting> {
    let mut rng = settings_generator(seed);
    // The exponent of a power of ten is an integer, whatever the rounding of the logarithm.
    let exponent = |value: f64| (1e12 * value.log10()).round() / 1e12;
    let draw = |_| {
        let mut rate = |range: Option<[f64; 2]>| {
            let [low, high] = range?.map(exponent);
            // The ends of a narrow range have the same exponent.
            let drawn = if low < high {
                rng.random_range(low..high)
            } else {
                low
            };
            Some(10f64.powf(drawn))
        };
        let (lr, lr_ei, lr_ix) = (rate(ranges.lr), rate(ranges.lr_ei), rate(ranges.lr_ix));
        Setting {
            lr,
            lr_ei,
            lr_ix,
            width: ranges.width.map(|[low, high]| rng.random_range(low..=high)),
        }
    };
    (0..n).map(draw).collect()
}

impl Request {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] that names the first invalid value.
    pub fn validate(&self) -> Result<(), Error> {
        for (name, is_empty) in [
            ("conditions", self.conditions.is_empty()),
            ("epsilons", self.epsilons.is_empty()),
        ] {
            if is_empty {
                return Err(Error::usage(name, "empty", "at least one"));
            }
        }
        if self.settings > 10_000 {
            return Err(Error::usage("settings", self.settings, "0 to 10000"));
        }
        if !(1..=1000).contains(&self.seeds) {
            return Err(Error::usage("seeds", self.seeds, "1 to 1000"));
        }
        self.ranges.validate()?;
        if self.settings == 0 && self.ranges != Ranges::default() {
            return Err(Error::usage(
                "settings",
                0,
                "at least 1 if there are ranges",
            ));
        }
        let last = self.seed_of(self.settings.saturating_sub(1), self.seeds - 1);
        if self.seed.checked_add(last).is_none() {
            let allowed = format!("at most {}, for the seeds that follow it", u64::MAX - last);
            return Err(Error::usage("seed", self.seed, &allowed));
        }
        // Checked before a list of the runs takes the memory.
        let factors = [
            self.conditions.len(),
            self.epsilons.len(),
            1 + self.lambdas.len(),
            self.settings.max(1),
            self.seeds as usize,
        ];
        let runs = factors
            .iter()
            .try_fold(1usize, |runs, factor| runs.checked_mul(*factor))
            .filter(|runs| *runs <= MOST_RUNS);
        if runs.is_none() {
            let found = "conditions × epsilons × lambdas × settings × seeds";
            return Err(Error::usage(
                "the number of runs",
                found,
                &format!("at most {MOST_RUNS}"),
            ));
        }
        let numbers = |values: &[f64]| {
            values
                .iter()
                .map(|value| (value + 0.0).to_string())
                .collect()
        };
        let lists: [(&str, Vec<String>); 3] = [
            (
                "conditions",
                self.conditions.iter().map(ToString::to_string).collect(),
            ),
            ("epsilons", numbers(&self.epsilons)),
            ("lambdas", numbers(&self.lambdas)),
        ];
        for (name, values) in lists {
            let mut twice = values.iter().enumerate();
            if let Some((_, value)) = twice.find(|(k, value)| values[..*k].contains(value)) {
                return Err(Error::usage(
                    name,
                    values.join(","),
                    &format!("{value} once"),
                ));
            }
        }
        let runs = self.runs();
        // Every λ is checked, even if no condition has further λ.
        let of_lambdas = self.lambdas.iter().map(|&lambda| {
            let config = RunConfig {
                lambda,
                ..self.config(condition::INORM, &Setting::default())
            };
            config.validate()
        });
        let of_runs = runs.iter().map(|run| run.config.validate());
        of_lambdas.chain(of_runs).collect::<Result<(), Error>>()?;
        let mut ids: Vec<_> = runs.iter().map(SweepRun::id).collect();
        ids.sort();
        match ids.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(Error::usage("the sweep", &pair[0], "each run once")),
            None => Ok(()),
        }
    }

    /// Every run, by condition, luminosity, λ, setting and seed.
    pub fn runs(&self) -> Vec<SweepRun> {
        let drawn = match self.settings {
            0 => vec![Setting::default()],
            n => {
                let usual = self.optimizer.ranges().or(self.network.ranges);
                settings(n, self.settings_seed, self.ranges.or(usual))
            }
        };
        let mut runs = Vec::new();
        for &condition in &self.conditions {
            for &epsilon in &self.epsilons {
                for lambda in self.lambdas_of(condition) {
                    for (setting, drawn) in drawn.iter().enumerate() {
                        for repeat in 0..self.seeds {
                            let seed = self.seed_of(setting, repeat);
                            let config = RunConfig {
                                // -0 becomes 0; otherwise it would have another name.
                                epsilon: epsilon + 0.0,
                                lambda: lambda + 0.0,
                                seed: self.seed.wrapping_add(seed),
                                ..self.config(condition, drawn)
                            };
                            runs.push(SweepRun { setting, config });
                        }
                    }
                }
            }
        }
        runs
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
        condition == condition::INORM
    }

    fn lambdas_of(&self, condition: Condition) -> Vec<f64> {
        let further = match Self::has_lambdas(condition) {
            true => self.lambdas.as_slice(),
            false => &[],
        };
        let further = further.iter().filter(|lambda| **lambda != self.lambda);
        std::iter::once(self.lambda)
            .chain(further.copied())
            .collect()
    }

    fn config(&self, condition: Condition, drawn: &Setting) -> RunConfig {
        let mut base = RunConfig::of(self.network, condition, 0);
        self.optimizer.set_rates(&mut base);
        let clip = self.clip_errors.map(|norm| (norm != 0.0).then_some(norm));
        RunConfig {
            epochs: self.epochs,
            max_steps: self.steps,
            width: self.width.or(drawn.width).unwrap_or(base.width),
            depth: self.depth.unwrap_or(base.depth),
            batch_size: self.batch_size.unwrap_or(base.batch_size),
            lr: self.lr.or(drawn.lr).unwrap_or(base.lr) + 0.0,
            lr_ei: self.lr_ei.or(drawn.lr_ei).unwrap_or(base.lr_ei) + 0.0,
            lr_ix: self.lr_ix.or(drawn.lr_ix).unwrap_or(base.lr_ix) + 0.0,
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
        let c = &self.config;
        // A configuration of plain numbers and names can always be encoded.
        let json = serde_json::to_vec(c).unwrap_or_default();
        let digest = Sha256::digest(json);
        let digest: String = digest
            .iter()
            .take(4)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!(
            "{}_e{}_l{}_s{:03}_{digest}",
            c.condition, c.epsilon, c.lambda, self.setting
        )
    }

    /// The cost of a run, relative to other runs.
    pub fn cost(&self) -> f64 {
        let products = Self::products(&self.config);
        let per_condition = match self.config.condition.hidden {
            HiddenSpec::Ei { .. } => 1.0,
            _ => 1.6,
        };
        self.config.epochs as f64 * products * per_condition
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_in_the_ranges_of_the_paper_and_do_not_depend_on_their_number() {
        let drawn = settings(200, 0, Ranges::PAPER);
        assert_eq!(drawn[..5], settings(5, 0, Ranges::PAPER)[..]);
        assert_ne!(drawn[..5], settings(5, 1, Ranges::PAPER)[..]);
        for s in &drawn {
            assert!((1e-3..1e-2).contains(&s.lr.unwrap()));
            assert!((1e-5..1e-2).contains(&s.lr_ei.unwrap()));
            assert!((1e-2..1.0).contains(&s.lr_ix.unwrap()));
            assert!((100..=500).contains(&s.width.unwrap()));
        }
        let spread = |f: fn(&Setting) -> f64| {
            let values: Vec<f64> = drawn.iter().map(f).collect();
            values.iter().copied().fold(f64::MIN, f64::max)
                / values.iter().copied().fold(f64::MAX, f64::min)
        };
        assert!(
            spread(|s| s.lr.unwrap()) > 8.0
                && spread(|s| s.lr_ei.unwrap()) > 500.0
                && spread(|s| s.lr_ix.unwrap()) > 50.0
        );
    }

    #[test]
    fn a_range_may_be_narrower_than_the_rounding_of_its_ends() {
        let ranges = Ranges {
            lr: Some([1e-3, 1.000_000_000_000_1e-3]),
            ..Ranges::default()
        };
        ranges.validate().unwrap();
        for setting in settings(3, 0, ranges) {
            assert!((setting.lr.unwrap() - 1e-3).abs() < 1e-15);
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
            (
                run.setting,
                c.seed,
                c.width,
                c.lr.to_bits(),
                c.lr_ei.to_bits(),
                c.lr_ix.to_bits(),
            )
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
        let further = runs.iter().filter(|run| run.config.lambda != MAIN_LAMBDA);
        assert!(
            further
                .clone()
                .all(|run| run.config.condition == condition::INORM)
        );
        assert_eq!(further.count(), 5 * 4 * 30);
    }

    #[test]
    fn what_is_not_allowed_is_named() {
        let base = Request::default();
        let message = |request: Request| request.validate().unwrap_err().to_string();
        let settings = Request {
            settings: 4_611_686_018_427_387_904,
            ..base.clone()
        };
        assert!(message(settings).contains("settings is 4611686018427387904"));
        let many = Request {
            settings: 10_000,
            seeds: 1000,
            ..base.clone()
        };
        assert!(message(many).contains("at most 200000"));
        let epsilon = Request {
            epsilons: vec![1.5],
            ..base.clone()
        };
        assert!(message(epsilon).contains("epsilon is 1.5"));
        let empty = Request {
            conditions: vec![],
            ..base.clone()
        };
        assert!(message(empty).contains("conditions"));
        let twice = Request {
            epsilons: vec![0.5, 0.5],
            ..base.clone()
        };
        assert!(message(twice).contains("once"));
        // λ that no run has, so that the request can be read again.
        let unused = Request {
            conditions: vec![condition::NONE],
            lambdas: vec![f64::NAN],
            ..base.clone()
        };
        assert!(message(unused).contains("lambda is NaN"));
        let wide = Ranges {
            width: Some([5, 30_000]),
            ..Ranges::default()
        };
        let of_width = Request {
            ranges: wide,
            ..base.clone()
        };
        assert!(message(of_width).contains("ranges.width is [5, 30000]"));
        let undrawn = Request {
            settings: 0,
            ranges: Ranges::PAPER,
            ..base.clone()
        };
        assert!(message(undrawn).contains("settings is 0"));
        let last = Request {
            seed: u64::MAX - 6,
            ..base.clone()
        };
        assert!(message(last).contains("at most 18446744073709551608"));
        let one_unit = Request {
            init: Some(EiInitializer::Iclr),
            width: Some(1),
            ..base
        };
        assert!(message(one_unit.clone()).contains("width is 1"));
        let without_i_norm = Request {
            conditions: vec![condition::NONE],
            ..one_unit
        };
        without_i_norm.validate().unwrap();
    }

    #[test]
    fn minus_zero_is_zero() {
        let request = Request {
            epsilons: vec![-0.0],
            lr: Some(-0.0),
            ..Preset::Comparison.request()
        };
        let positive = Request {
            epsilons: vec![0.0],
            lr: Some(0.0),
            ..request.clone()
        };
        let ids = |request: Request| request.runs().iter().map(SweepRun::id).collect::<Vec<_>>();
        assert_eq!(ids(request), ids(positive));
    }
}
