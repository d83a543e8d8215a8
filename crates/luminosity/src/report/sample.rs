//! Records as samples: one value for each unit, by condition, ε and λ.

use std::collections::{BTreeMap, BTreeSet};

use ei_norm::metric::Moments;

use super::text;
use crate::record::{Outcome, RunRecord, SweepRecord};
use crate::stats::mean;
use crate::sweep::SweepRun;
use crate::{Condition, RunConfig};

/// One unit of a sample: a setting of hyper-parameters, as the mean over its seeds, or a seed if there is
/// only one setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// The number of the setting, or the seed. Units with the same number are pairs.
    pub id: u64,
    /// Test accuracy in percent, rounded to eight decimals so that equal accuracies tie.
    pub percent: f64,
    /// The number of its runs that diverged.
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

/// A condition at one ε and λ.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// The name of the condition.
    pub condition: String,
    /// The range of luminosity.
    pub epsilon: f64,
    /// The weight of the local losses.
    pub lambda: f64,
    /// The number of finished runs that can be used.
    pub finished: usize,
    /// The number of requested runs, or of finished runs if the request is not known.
    pub expected: usize,
    /// The sample, by [`Unit::id`].
    pub units: Vec<Unit>,
}

/// All samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// The requested or finished conditions, in their usual order.
    pub conditions: Vec<Condition>,
    /// The ranges of luminosity, ascending.
    pub epsilons: Vec<f64>,
    /// The most frequent λ, which is used in every figure except the figure of λ.
    pub lambda: f64,
    /// The accuracy of chance in percent.
    pub chance: f64,
    /// The kind of unit: `setting`, or `seed` if no condition has several settings at one ε.
    pub unit: &'static str,
    /// The number of records that cannot be used because their accuracy, ε or λ is not a number in its range.
    pub unusable: usize,
    /// The samples, by condition, ε and λ.
    pub cells: Vec<Cell>,
}

impl Samples {
    /// Groups the records into samples; `expected` lists all requested runs.
    pub fn new(records: &[SweepRecord], expected: &[SweepRun]) -> Self {
        let (records, unusable): (Vec<_>, Vec<_>) = records.iter().partition(|r| usable(r));
        let made = records.iter().map(|r| (r.setting, &r.run.config));
        let asked = expected.iter().map(|run| (run.setting, &run.config));
        let jobs: Vec<(usize, &RunConfig)> = made.chain(asked).collect();
        let mut conditions: Vec<Condition> = Vec::new();
        for (_, config) in &jobs {
            if !conditions.contains(&config.condition) {
                conditions.push(config.condition);
            }
        }
        conditions.sort_by_key(|c| c.index());
        let lambdas = ascending(jobs.iter().map(|(_, c)| c.lambda));
        let often = |l: &f64| jobs.iter().filter(|(_, c)| c.lambda == *l).count();
        // Of equally frequent λ, the main λ of the request, which its first run has; otherwise the smallest.
        let main = expected.first().map(|run| run.config.lambda);
        let order = |l: &f64| (often(l), Some(*l) == main);
        let lambda = lambdas.iter().rev().copied().max_by_key(order);

        let mut settings = BTreeMap::<(String, u64), BTreeSet<usize>>::new();
        for (setting, c) in &jobs {
            let place = (c.condition.to_string(), c.epsilon.to_bits());
            settings.entry(place).or_default().insert(*setting);
        }
        let by_seed = settings.values().all(|settings| settings.len() == 1);

        let epsilons = ascending(jobs.iter().map(|(_, c)| c.epsilon));
        let mut cells = Vec::new();
        for condition in &conditions {
            for (&epsilon, &lambda) in epsilons
                .iter()
                .flat_map(|e| lambdas.iter().map(move |l| (e, l)))
            {
                let here = |c: &RunConfig| {
                    (&c.condition, c.epsilon, c.lambda) == (condition, epsilon, lambda)
                };
                let mut units = BTreeMap::<u64, Vec<&RunRecord>>::new();
                for record in records.iter().filter(|r| here(&r.run.config)) {
                    let id = match by_seed {
                        true => record.run.config.seed,
                        false => record.setting as u64,
                    };
                    units.entry(id).or_default().push(&record.run);
                }
                let finished = units.values().map(Vec::len).sum();
                let asked = expected.iter().filter(|run| here(&run.config)).count();
                if finished + asked > 0 {
                    let units = units.into_iter();
                    cells.push(Cell {
                        condition: condition.to_string(),
                        epsilon,
                        lambda,
                        finished,
                        expected: asked.max(finished),
                        units: units.map(|(id, runs)| Unit::new(id, runs)).collect(),
                    });
                }
            }
        }
        Self {
            conditions,
            epsilons,
            lambda: lambda.unwrap_or(0.0),
            chance: records
                .first()
                .map_or(0.0, |r| 100.0 / r.run.classes as f64),
            unit: if by_seed { "seed" } else { "setting" },
            unusable: unusable.len(),
            cells,
        }
    }

    /// [`chance`](Self::chance), rounded to a tenth of a point.
    pub fn chance_in_short(&self) -> f64 {
        (10.0 * self.chance).round() / 10.0
    }

    /// Whether there are no units.
    pub fn is_empty(&self) -> bool {
        self.cells.iter().all(|cell| cell.units.is_empty())
    }

    /// The sample of a condition at the main λ.
    pub fn of(&self, condition: &str, epsilon: f64) -> &[Unit] {
        self.at(condition, epsilon, self.lambda)
    }

    /// The sample of a condition at any λ.
    pub fn at(&self, condition: &str, epsilon: f64, lambda: f64) -> &[Unit] {
        let place = (condition, epsilon, lambda);
        let own = |c: &&Cell| (c.condition.as_str(), c.epsilon, c.lambda) == place;
        self.cells
            .iter()
            .find(own)
            .map_or(&[], |c| c.units.as_slice())
    }

    /// The sample of a condition at the largest ε.
    pub fn at_largest(&self, condition: &str) -> &[Unit] {
        let epsilon = self.epsilons.last();
        epsilon.map_or(&[], |epsilon| self.of(condition, *epsilon))
    }

    /// The common units of two conditions.
    pub fn pairs(&self, a: &str, b: &str, epsilon: f64) -> Vec<(&Unit, &Unit)> {
        let others = self.of(b, epsilon);
        let other = |id| others.iter().find(|other| other.id == id);
        let own = self.of(a, epsilon).iter();
        own.filter_map(|own| Some((own, other(own.id)?))).collect()
    }

    /// The λ of a condition, ascending.
    pub fn lambdas(&self, condition: &str) -> Vec<f64> {
        let own = self.cells.iter().filter(|c| c.condition == condition);
        ascending(own.map(|c| c.lambda))
    }

    /// The number of finished runs, and the number of requested runs.
    pub fn counts(&self) -> (usize, usize) {
        let finished = self.cells.iter().map(|c| c.finished).sum();
        (finished, self.cells.iter().map(|c| c.expected).sum())
    }

    /// A line for each condition, ε and λ with missing runs.
    pub fn missing(&self) -> impl Iterator<Item = String> {
        let incomplete = self.cells.iter().filter(|c| c.finished < c.expected);
        incomplete.map(|c| {
            let runs = text::count(c.expected, "run");
            let place = format!("{} at ε = {}, λ = {}", c.condition, c.epsilon, c.lambda);
            format!("{place}: {} of {runs}", c.finished)
        })
    }
}

impl Unit {
    fn new(id: u64, mut runs: Vec<&RunRecord>) -> Self {
        runs.sort_by_key(|run| run.config.seed);
        let accuracies: Vec<f64> = runs.iter().map(|run| run.test_accuracy).collect();
        let accuracy = mean(&accuracies).unwrap_or(f64::NAN);
        let aligned = || runs.iter().filter_map(|run| run.alignment.as_ref());
        let moments = runs.iter().filter_map(|run| run.moments.as_deref());
        let layer = |values: Vec<Moments>| Moments {
            mean: known(values.iter().map(|m| m.mean)).unwrap_or(f64::NAN),
            variance: known(values.iter().map(|m| m.variance)).unwrap_or(f64::NAN),
        };
        let lambdas = runs.iter().filter_map(|run| run.lambda_max.as_deref());
        let curves = runs
            .iter()
            .map(|run| run.history.iter().map(|e| 100.0 * e.test_accuracy));
        Self {
            id,
            percent: (1e10 * accuracy).round() / 1e8,
            diverged: runs
                .iter()
                .filter(|run| run.outcome == Outcome::Diverged)
                .count(),
            output: known(aligned().filter_map(|a| a.mean.output)),
            gradient: known(aligned().filter_map(|a| a.mean.gradient)),
            moments: columns(moments.map(|m| m.iter().copied()), layer),
            lambda_max: columns(lambdas.map(|l| l.iter().copied()), |values| {
                known(values.into_iter().flatten())
            }),
            curve: columns(curves, |values| mean(&values).unwrap_or(f64::NAN)),
        }
    }
}

/// The accuracies of these units in percent.
pub fn percents(units: &[Unit]) -> Vec<f64> {
    units.iter().map(|unit| unit.percent).collect()
}

fn usable(record: &SweepRecord) -> bool {
    let config = &record.run.config;
    let unit = 0.0..=1.0;
    let in_range = unit.contains(&record.run.test_accuracy) && unit.contains(&config.epsilon);
    in_range && config.lambda.is_finite() && config.lambda >= 0.0
}

/// The distinct values, ascending; both zeros are the same value.
fn ascending(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.map(|v| v + 0.0).collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

/// The mean of the finite numbers.
fn known(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.filter(|v| v.is_finite()).collect();
    mean(&values)
}

/// Combines the columns of several lists, each into one value; the longest list determines the number of
/// columns.
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
