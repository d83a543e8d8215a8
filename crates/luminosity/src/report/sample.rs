//! Records as samples: one value for each unit, by condition, ε and λ.

use std::collections::BTreeMap;

use ei_norm::metric::Moments;

use super::text;
use crate::record::{Outcome, RunRecord, SweepRecord, longest};
use crate::stats::mean;
use crate::sweep::SweepRun;
use crate::{Condition, RunConfig};

/// One unit of a sample: a setting of hyper-parameters, as the mean over its seeds, or a seed if there is
/// only one setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// The number of the setting, or the seed. Units with the same number are pairs.
    pub id: u64,
    /// Test accuracy in [percent].
    pub percent: f64,
    /// The number of its runs that diverged.
    pub diverged: usize,
    /// Alignments of output and gradient.
    pub output: Option<f64>,
    pub gradient: Option<f64>,
    /// The moments of each hidden layer.
    pub moments: Vec<Moments>,
    /// λ_max of each hidden layer.
    pub lambda_max: Vec<Option<f64>>,
    /// Test accuracy in percent after each epoch, of the runs that have not diverged.
    pub curve: Vec<f64>,
}

/// A condition at one ε and λ.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    pub condition: Condition,
    pub epsilon: f64,
    pub lambda: f64,
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
    /// λ of the first requested run, which is used in every figure except the figure of λ.
    pub lambda: f64,
    /// The accuracy of chance in [percent].
    pub chance: f64,
    /// The kind of unit: `setting`, or `seed` if no condition has several settings at one ε.
    pub unit: &'static str,
    /// The samples, by condition, ε and λ.
    pub cells: Vec<Cell>,
}

/// A run: its setting, its configuration and, if it is finished, its record.
type Job<'a> = (u64, &'a RunConfig, Option<&'a RunRecord>);

impl Samples {
    /// Groups records, at least one and all valid, into samples; `expected` lists all requested runs.
    pub fn new(records: &[SweepRecord], expected: &[SweepRun]) -> Self {
        let made = records.iter();
        let made = made.map(|r| (r.setting as u64, &r.run.config, Some(&r.run)));
        let asked = expected.iter();
        let asked = asked.map(|run| (run.setting as u64, &run.config, None));
        let mut jobs: Vec<Job> = made.chain(asked).collect();
        jobs.sort_by_cached_key(|job| place(job.1));
        let level = |(_, config, _): &Job| (config.condition, config.epsilon);
        let mut levels = jobs.chunk_by(|a, b| level(a) == level(b));
        let by_seed = levels.all(|jobs| jobs.iter().all(|job| job.0 == jobs[0].0));
        let epochs = longest(records.iter().map(|r| &r.run));
        let cells = jobs.chunk_by(|a, b| level(a) == level(b) && a.1.lambda == b.1.lambda);
        let cells = cells.map(|jobs| Cell::new(jobs, by_seed, epochs));
        let cells: Vec<Cell> = cells.collect();
        let mut conditions: Vec<Condition> = cells.iter().map(|cell| cell.condition).collect();
        conditions.dedup();

        // The first run of a request has its main λ.
        let main = expected.first().map(|run| run.config.lambda + 0.0);
        Self {
            conditions,
            epsilons: ascending(cells.iter().map(|cell| cell.epsilon)),
            lambda: main.unwrap_or(cells[0].lambda),
            chance: percent(1.0 / records[0].run.classes as f64),
            unit: if by_seed { "seed" } else { "setting" },
            cells,
        }
    }

    /// [`chance`](Self::chance), rounded to a tenth of a point.
    pub fn chance_in_short(&self) -> f64 {
        (10.0 * self.chance).round() / 10.0
    }

    /// The sample of a condition at the main λ.
    pub fn of(&self, condition: &str, epsilon: f64) -> &[Unit] {
        self.at(condition, epsilon, self.lambda)
    }

    /// The sample of a condition at any λ.
    pub fn at(&self, condition: &str, epsilon: f64, lambda: f64) -> &[Unit] {
        let place = (condition, epsilon, lambda);
        let mut cells = self.cells.iter();
        let own = cells.find(|c| (c.condition.name(), c.epsilon, c.lambda) == place);
        own.map_or(&[], |cell| cell.units.as_slice())
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
        let own = self.cells.iter();
        let own = own.filter(|c| c.condition.name() == condition);
        ascending(own.map(|c| c.lambda))
    }

    /// The number of finished runs, and the number of requested runs.
    pub fn counts(&self) -> (usize, usize) {
        let finished = self.cells.iter().map(|c| c.finished).sum();
        (finished, self.cells.iter().map(|c| c.expected).sum())
    }

    /// A line for each condition, ε and λ with missing runs.
    pub fn missing(&self) -> impl Iterator<Item = String> {
        let incomplete = self.cells.iter().filter(|c| c.missing() > 0);
        incomplete.map(|c| {
            let runs = text::count(c.expected, "run");
            let place = format!("{} at ε = {}, λ = {}", c.condition, c.epsilon, c.lambda);
            format!("{place}: {} of {runs}", c.finished)
        })
    }
}

impl Cell {
    /// The sample of runs of one condition, ε and λ.
    fn new(jobs: &[Job], by_seed: bool, epochs: usize) -> Self {
        let config = jobs[0].1;
        let mut units = BTreeMap::<u64, Vec<&RunRecord>>::new();
        for (setting, config, run) in jobs {
            let id = if by_seed { config.seed } else { *setting };
            run.iter()
                .for_each(|run| units.entry(id).or_default().push(run));
        }
        let finished = units.values().map(Vec::len).sum();
        Self {
            condition: config.condition,
            epsilon: config.epsilon + 0.0,
            lambda: config.lambda + 0.0,
            finished,
            expected: finished.max(jobs.len() - finished),
            units: units
                .into_iter()
                .map(|(id, runs)| Unit::new(id, runs, epochs))
                .collect(),
        }
    }

    pub fn missing(&self) -> usize {
        self.expected - self.finished
    }
}

impl Unit {
    fn new(id: u64, mut runs: Vec<&RunRecord>, epochs: usize) -> Self {
        runs.sort_by_key(|run| run.config.seed);
        let accuracies: Vec<f64> = runs.iter().map(|run| run.test_accuracy).collect();
        let accuracy = mean(&accuracies).unwrap_or(f64::NAN);
        let diverged = runs.iter().filter(|run| run.outcome == Outcome::Diverged);
        let aligned = runs.iter().filter_map(|run| run.alignment.as_ref());
        let moments = runs.iter().filter_map(|run| run.moments.as_ref());
        let lambdas = runs.iter().filter_map(|run| run.lambda_max.as_ref());
        let curves: Vec<_> = runs.iter().map(|run| run.curve(epochs)).collect();
        let at_epoch = |epoch: Vec<&f64>| known(epoch.into_iter().copied()).unwrap_or(f64::NAN);
        Self {
            id,
            percent: percent(accuracy),
            diverged: diverged.count(),
            output: known(aligned.clone().filter_map(|a| a.mean.output)),
            gradient: known(aligned.filter_map(|a| a.mean.gradient)),
            moments: columns(moments, |layer| Moments {
                mean: known(layer.iter().map(|m| m.mean)).unwrap_or(f64::NAN),
                variance: known(layer.iter().map(|m| m.variance)).unwrap_or(f64::NAN),
            }),
            lambda_max: columns(lambdas, |layer| known(layer.into_iter().copied().flatten())),
            curve: columns(curves.iter(), at_epoch),
        }
    }
}

/// An accuracy in percent, rounded to eight decimals so that equal accuracies tie.
fn percent(accuracy: f64) -> f64 {
    (1e10 * accuracy).round() / 1e8
}

/// The accuracies of these units in percent.
pub fn percents(units: &[Unit]) -> Vec<f64> {
    units.iter().map(|unit| unit.percent).collect()
}

/// The number of runs of these units that diverged.
pub fn diverged(units: &[Unit]) -> usize {
    units.iter().map(|unit| unit.diverged).sum()
}

/// The order of runs: by condition, ε and λ. The bits of numbers from 0 are in the order of the numbers;
/// adding 0 makes one value of both zeros.
pub fn place(config: &RunConfig) -> (usize, u64, u64) {
    let [epsilon, lambda] = [config.epsilon, config.lambda].map(|v| (v + 0.0).to_bits());
    (config.condition.index(), epsilon, lambda)
}

/// The distinct values, ascending.
fn ascending(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
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
fn columns<'a, T: 'a, U>(
    lists: impl Iterator<Item = &'a Vec<T>> + Clone,
    one: impl Fn(Vec<&'a T>) -> U,
) -> Vec<U> {
    let column = |i| lists.clone().filter_map(|list| list.get(i)).collect();
    let columns = (0..).map(column);
    let columns = columns.take_while(|column: &Vec<&T>| !column.is_empty());
    columns.map(one).collect()
}
