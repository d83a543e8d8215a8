//! A sweep: conditions × luminosities × settings × λ × seeds, all with the same settings.

use rand::RngExt;
use serde::{Deserialize, Serialize};

use sha2::{Digest, Sha256};

use crate::random::settings_generator;
use crate::store::Job;
use crate::{Condition, Error, RunConfig};

/// The λ of the paper's main figures.
const MAIN_LAMBDA: f64 = 0.01;

/// What a sweep runs. Unknown keys in a configuration file are errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// The conditions.
    pub conditions: Vec<Condition>,
    /// The ranges of luminosity, each 0 to 1.
    pub epsilons: Vec<f64>,
    /// How many settings of the hyper-parameters are drawn.
    pub settings: usize,
    /// How many seeds each setting gets.
    pub seeds: u64,
    /// Passes over the training data.
    pub epochs: usize,
    /// λ of every condition that has local losses.
    pub lambda: f64,
    /// Further λ, for forward-only I-Norm alone: the λ figure.
    pub lambdas: Vec<f64>,
    /// Whether every epoch has an order of its own.
    pub shuffle: bool,
    /// The seed from which the settings are drawn.
    pub settings_seed: u64,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            conditions: Condition::PAPER.to_vec(),
            epsilons: vec![0.0, 0.25, 0.5, 0.75],
            settings: 8,
            seeds: 1,
            epochs: 10,
            lambda: MAIN_LAMBDA,
            lambdas: Vec::new(),
            shuffle: true,
            settings_seed: 0,
        }
    }
}

/// Ready-made sweeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Minutes: four conditions, two luminosities, three settings, three epochs.
    Quick,
    /// The whole design on a diet: 10 conditions × 4 luminosities × 8 settings × 10 epochs.
    Lite,
    /// The paper: 10 × 4 × 30 × 50 epochs, and the λ figure.
    Paper,
}

impl Preset {
    /// What it runs.
    pub fn request(self) -> Request {
        match self {
            Self::Quick => Request {
                conditions: vec![
                    Condition::EOnlyLnPlus,
                    Condition::INorm,
                    Condition::INormFull,
                    Condition::INormCenter,
                ],
                epsilons: vec![0.0, 0.75],
                settings: 3,
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

/// The hyper-parameters that are drawn, from the ranges of the paper.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// 10^U(−3, −2).
    pub lr: f64,
    /// 10^U(−5, −2).
    pub lr_ei: f64,
    /// 10^U(−2, 0).
    pub lr_ix: f64,
    /// U(100, 500), whole.
    pub width: usize,
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

/// The first `n` settings of a seed. They do not depend on `n`: more settings are the same ones and
/// some after them.
pub fn settings(n: usize, seed: u64) -> Vec<Setting> {
    let mut rng = settings_generator(seed);
    let draw = |_| Setting {
        lr: 10f64.powf(rng.random_range(-3.0..-2.0)),
        lr_ei: 10f64.powf(rng.random_range(-5.0..-2.0)),
        lr_ix: 10f64.powf(rng.random_range(-2.0..0.0)),
        width: rng.random_range(100..=500),
    };
    (0..n).map(draw).collect()
}

impl Request {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] that names the first that is not allowed.
    pub fn validate(&self) -> Result<(), Error> {
        for (name, is_empty) in [
            ("conditions", self.conditions.is_empty()),
            ("epsilons", self.epsilons.is_empty()),
        ] {
            if is_empty {
                return Err(Error::usage(name, "empty", "at least one"));
            }
        }
        for (name, value, most) in [
            ("settings", self.settings, 10_000),
            (
                "seeds",
                usize::try_from(self.seeds).unwrap_or(usize::MAX),
                1000,
            ),
        ] {
            if value < 1 || value > most {
                return Err(Error::usage(name, value, &format!("1 to {most}")));
            }
        }
        let runs = self.runs();
        runs.iter().try_for_each(|run| run.config.validate())?;
        let mut ids: Vec<_> = runs.iter().map(SweepRun::id).collect();
        ids.sort();
        match ids.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(Error::usage("the sweep", &pair[0], "each run once")),
            None => Ok(()),
        }
    }

    /// Every run, by condition, luminosity, λ, setting and seed.
    pub fn runs(&self) -> Vec<SweepRun> {
        let settings = settings(self.settings, self.settings_seed);
        let mut runs = Vec::new();
        for &condition in &self.conditions {
            for &epsilon in &self.epsilons {
                for lambda in self.lambdas_of(condition) {
                    for (index, setting) in settings.iter().enumerate() {
                        for repeat in 0..self.seeds {
                            let config = self.config(condition, epsilon, lambda, setting);
                            runs.push(SweepRun::new(index, repeat, config));
                        }
                    }
                }
            }
        }
        runs
    }

    fn lambdas_of(&self, condition: Condition) -> Vec<f64> {
        let further = match condition {
            Condition::INorm => self.lambdas.as_slice(),
            _ => &[],
        };
        let further = further.iter().filter(|lambda| **lambda != self.lambda);
        std::iter::once(self.lambda)
            .chain(further.copied())
            .collect()
    }

    fn config(
        &self,
        condition: Condition,
        epsilon: f64,
        lambda: f64,
        setting: &Setting,
    ) -> RunConfig {
        RunConfig {
            epsilon,
            epochs: self.epochs,
            width: setting.width,
            lr: setting.lr,
            lr_ei: setting.lr_ei,
            lr_ix: setting.lr_ix,
            lambda,
            shuffle: self.shuffle,
            ..RunConfig::new(condition, 0)
        }
    }
}

impl SweepRun {
    fn new(setting: usize, repeat: u64, config: RunConfig) -> Self {
        // A seed of its own for every setting and repeat, the same for every condition.
        let seed = repeat * 10_000 + setting as u64;
        Self {
            setting,
            config: RunConfig { seed, ..config },
        }
    }
}

impl SweepRun {
    /// Multiply-adds of the excitatory products of the hidden layers for one image: what the time of
    /// a step is in proportion to.
    pub fn products(config: &RunConfig) -> f64 {
        let width = config.width as f64;
        crate::data::PIXELS as f64 * width + width * width
    }
}

impl Job for SweepRun {
    /// What one looks for in a folder, then a digest of all that changes the result.
    fn id(&self) -> String {
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

    fn cost(&self) -> f64 {
        let products = Self::products(&self.config);
        let per_condition = match self.config.condition.hidden() {
            crate::condition::HiddenSpec::Ei { .. } => 1.0,
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
        let drawn = settings(200, 0);
        assert_eq!(drawn[..5], settings(5, 0)[..]);
        assert_ne!(drawn[..5], settings(5, 1)[..]);
        for s in &drawn {
            assert!((1e-3..1e-2).contains(&s.lr));
            assert!((1e-5..1e-2).contains(&s.lr_ei));
            assert!((1e-2..1.0).contains(&s.lr_ix));
            assert!((100..=500).contains(&s.width));
        }
        let spread = |f: fn(&Setting) -> f64| {
            let values: Vec<f64> = drawn.iter().map(f).collect();
            values.iter().copied().fold(f64::MIN, f64::max)
                / values.iter().copied().fold(f64::MAX, f64::min)
        };
        assert!(
            spread(|s| s.lr) > 8.0 && spread(|s| s.lr_ei) > 500.0 && spread(|s| s.lr_ix) > 50.0
        );
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
                .all(|run| run.config.condition == Condition::INorm)
        );
        assert_eq!(further.count(), 5 * 4 * 30);
    }

    #[test]
    fn what_is_not_allowed_is_named() {
        let base = Request::default();
        let message = |request: Request| request.validate().unwrap_err().to_string();
        let no_settings = Request {
            settings: 0,
            ..base.clone()
        };
        assert!(message(no_settings).contains("settings is 0"));
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
            ..base
        };
        assert!(message(twice).contains("once"));
    }
}
