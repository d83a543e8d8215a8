//! Records as samples: one value a setting, by condition, ε and λ.

use std::collections::{BTreeMap, BTreeSet};

use ei_norm::metric::Moments;

use crate::Condition;
use crate::record::{Outcome, SweepRecord};
use crate::stats::mean;
use crate::sweep::SweepRun;

/// The accuracy of a run that diverged: that of chance.
pub const CHANCE: f64 = 0.1;
/// Parts of an accuracy that are told apart where the number of test images is not known.
const PARTS: f64 = 1e6;

/// One setting of hyper-parameters in one condition: the mean over its seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The number of the setting.
    pub setting: usize,
    /// Test accuracy in percent.
    pub percent: f64,
    /// The same as a whole number of [`Samples::whole`] answers, which ties where accuracies do.
    pub correct: f64,
    /// How many runs it is the mean of.
    pub runs: usize,
    /// How many of them diverged.
    pub diverged: usize,
    /// Alignment of the output.
    pub output: Option<f64>,
    /// Alignment of the gradient.
    pub gradient: Option<f64>,
    /// The moments of each hidden layer.
    pub moments: Vec<Moments>,
    /// λ_max of each hidden layer.
    pub lambda_max: Vec<Option<f64>>,
    /// Test accuracy in percent after each epoch.
    pub curve: Vec<f64>,
}

/// Where a run belongs. Numbers of at least 0 are in the order of their bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    condition: usize,
    epsilon: u64,
    lambda: u64,
}

/// All settings, sorted.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// The conditions that were asked for or run, in their usual order.
    pub conditions: Vec<Condition>,
    /// The ranges of luminosity, ascending.
    pub epsilons: Vec<f64>,
    /// The most frequent λ, which every figure but that of λ shows.
    pub lambda: f64,
    /// The number of answers that [`Setting::correct`] is out of: test images × seeds.
    pub whole: f64,
    /// Records that cannot be used, as their accuracy, ε or λ is not a number of its range.
    pub unusable: usize,
    cells: BTreeMap<Key, Vec<Setting>>,
}

impl Samples {
    /// Sorts the records; `expected` tells what else was asked for.
    pub fn new(records: &[SweepRecord], expected: &[SweepRun]) -> Self {
        let (records, unusable): (Vec<_>, Vec<_>) = records.iter().partition(|r| usable(r));
        let asked = expected.iter().map(|run| &run.config);
        let configs = records.iter().map(|r| &r.run.config).chain(asked);
        let configs: Vec<_> = configs.collect();
        let used = |condition: &Condition| configs.iter().any(|c| c.condition == *condition);
        let epsilons = counted(configs.iter().map(|c| c.epsilon));
        let lambdas = counted(configs.iter().map(|c| c.lambda));
        // Of equally frequent ones the smallest.
        let lambda = lambdas.iter().rev().max_by_key(|(_, n)| **n);
        let asked = expected.iter().map(|run| (run.setting, run.config.seed));
        let made = records.iter().map(|r| (r.setting, r.run.config.seed));
        let seeds: BTreeSet<(usize, u64)> = made.chain(asked).collect();
        let mut per_setting = BTreeMap::<usize, usize>::new();
        for (setting, _) in &seeds {
            *per_setting.entry(*setting).or_default() += 1;
        }
        let seeds = per_setting.values().max().copied().unwrap_or(1);
        let images = records
            .iter()
            .filter_map(|r| test_images(&r.run.data))
            .max();
        let whole = images.map_or(PARTS, |n| n as f64) * seeds as f64;

        let mut runs = BTreeMap::<(Key, usize), Vec<&SweepRecord>>::new();
        for &record in &records {
            let c = &record.run.config;
            if let Some(key) = Key::new(c.condition, c.epsilon, c.lambda) {
                runs.entry((key, record.setting)).or_default().push(record);
            }
        }
        let mut cells = BTreeMap::<Key, Vec<Setting>>::new();
        for ((key, setting), mut records) in runs {
            records.sort_by_key(|r| r.run.config.seed);
            let setting = Setting::new(setting, &records, whole);
            cells.entry(key).or_default().push(setting);
        }
        Self {
            conditions: Condition::all().into_iter().filter(used).collect(),
            epsilons: epsilons.into_keys().map(f64::from_bits).collect(),
            lambda: lambda.map_or(0.0, |(bits, _)| f64::from_bits(*bits)),
            whole,
            unusable: unusable.len(),
            cells,
        }
    }

    /// Whether there is no setting at all.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The settings of a condition at the main λ, by their number.
    pub fn of(&self, condition: Condition, epsilon: f64) -> &[Setting] {
        self.at(condition, epsilon, self.lambda)
    }

    /// The settings of a condition at any λ.
    pub fn at(&self, condition: Condition, epsilon: f64, lambda: f64) -> &[Setting] {
        let key = Key::new(condition, epsilon, lambda);
        let cell = key.and_then(|key| self.cells.get(&key));
        cell.map_or(&[], Vec::as_slice)
    }

    /// The settings that both conditions have.
    pub fn pairs(&self, a: Condition, b: Condition, epsilon: f64) -> Vec<(&Setting, &Setting)> {
        let others = self.of(b, epsilon);
        let other = |setting| others.iter().find(|other| other.setting == setting);
        let own = self.of(a, epsilon).iter();
        own.filter_map(|own| Some((own, other(own.setting)?)))
            .collect()
    }

    /// The λ at which a condition was run, ascending.
    pub fn lambdas(&self, condition: Condition) -> Vec<f64> {
        let own = self.cells.keys();
        let own = own.filter(|key| Some(key.condition) == index(condition));
        counted(own.map(|key| f64::from_bits(key.lambda)))
            .into_keys()
            .map(f64::from_bits)
            .collect()
    }

    /// A difference in answers as points of accuracy.
    pub fn points(&self, answers: f64) -> f64 {
        100.0 * answers / self.whole
    }
}

impl Setting {
    fn new(setting: usize, records: &[&SweepRecord], whole: f64) -> Self {
        let runs = || records.iter().map(|r| &r.run);
        let diverged = runs()
            .filter(|run| run.outcome == Outcome::Diverged)
            .count();
        let accuracies: Vec<f64> = runs()
            .map(|run| match run.outcome {
                Outcome::Completed => run.test_accuracy,
                Outcome::Diverged => CHANCE,
            })
            .collect();
        let accuracy = mean(&accuracies).unwrap_or(CHANCE);
        let aligned = || runs().filter_map(|run| run.alignment.as_ref());
        let moments = || runs().filter_map(|run| run.moments.as_deref());
        let layer = |values: Vec<Moments>| Moments {
            mean: known(values.iter().map(|m| m.mean)).unwrap_or(f64::NAN),
            variance: known(values.iter().map(|m| m.variance)).unwrap_or(f64::NAN),
        };
        let lambdas = runs().filter_map(|run| run.lambda_max.as_deref());
        let curves = runs().map(|run| run.history.iter().map(|e| 100.0 * e.test_accuracy));
        Self {
            setting,
            // Without the noise of the multiplication.
            percent: (1e10 * accuracy).round() / 1e8,
            correct: (accuracy * whole).round(),
            runs: records.len(),
            diverged,
            output: known(aligned().filter_map(|a| a.mean.output)),
            gradient: known(aligned().filter_map(|a| a.mean.gradient)),
            moments: columns(moments().map(|m| m.iter().copied()), layer),
            lambda_max: columns(lambdas.map(|l| l.iter().copied()), |values| {
                known(values.into_iter().flatten())
            }),
            curve: columns(curves, |values| mean(&values).unwrap_or(f64::NAN)),
        }
    }
}

impl Key {
    fn new(condition: Condition, epsilon: f64, lambda: f64) -> Option<Self> {
        Some(Self {
            condition: index(condition)?,
            epsilon: bits(epsilon),
            lambda: bits(lambda),
        })
    }
}

/// The place of a condition in the usual order.
pub fn index(condition: Condition) -> Option<usize> {
    Condition::all().iter().position(|c| *c == condition)
}

fn usable(record: &SweepRecord) -> bool {
    let (run, config) = (&record.run, &record.run.config);
    let accuracy = match run.outcome {
        Outcome::Completed => run.test_accuracy,
        Outcome::Diverged => CHANCE,
    };
    let in_range = (0.0..=1.0).contains(&accuracy) && (0.0..=1.0).contains(&config.epsilon);
    in_range && config.lambda.is_finite() && config.lambda >= 0.0
}

/// The bits of a number of at least 0; both zeros are one.
fn bits(value: f64) -> u64 {
    (value + 0.0).to_bits()
}

/// Each value and how often it comes, ascending.
fn counted(values: impl Iterator<Item = f64>) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(bits(value)).or_default() += 1;
    }
    counts
}

/// The mean of the numbers that are finite.
fn known(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.filter(|v| v.is_finite()).collect();
    mean(&values)
}

/// Lists side by side, each column made one value; the longest list sets the number of columns.
fn columns<T, U>(
    lists: impl Iterator<Item = impl Iterator<Item = T>>,
    one: impl Fn(Vec<T>) -> U,
) -> Vec<U> {
    let mut columns: Vec<Vec<T>> = Vec::new();
    for list in lists {
        for (i, value) in list.enumerate() {
            match columns.get_mut(i) {
                Some(column) => column.push(value),
                None => columns.push(vec![value]),
            }
        }
    }
    columns.into_iter().map(one).collect()
}

/// The number of test images in a description of the data: "… and 10,000 test images)".
fn test_images(data: &str) -> Option<u32> {
    let (before, _) = data.rsplit_once(" test images")?;
    let number = before.rsplit(' ').next()?.replace(',', "");
    number.parse().ok().filter(|n| *n > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_images_are_counted_from_the_description() {
        let described = "Fashion-MNIST (60,000 training and 10,000 test images) from a, b";
        assert_eq!(test_images(described), Some(10_000));
        assert_eq!(test_images("a folder"), None);
        assert_eq!(test_images(" test images"), None);
        assert_eq!(test_images("0 test images"), None);
    }
}
