//! What was asked for and what is there.

use super::sample::Samples;
use super::table::Table;
use super::text;
use crate::Condition;
use crate::record::SweepRecord;
use crate::sweep::SweepRun;

/// How many runs of a condition at one ε and λ are there.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// The condition.
    pub condition: Condition,
    /// The range of luminosity.
    pub epsilon: f64,
    /// The weight of the local losses.
    pub lambda: f64,
    /// Finished runs.
    pub finished: usize,
    /// Runs asked for, or all that are there if nothing is known of what was asked.
    pub expected: usize,
}

/// All cells.
#[derive(Debug, Clone, PartialEq)]
pub struct Coverage {
    /// By condition, then ε, then λ.
    pub cells: Vec<Cell>,
}

impl Coverage {
    /// Counts the records.
    pub fn new(records: &[SweepRecord], expected: &[SweepRun]) -> Self {
        let mut cells: Vec<Cell> = Vec::new();
        let finished = records.iter().map(|r| (&r.run.config, 1, 0));
        let asked = expected.iter().map(|r| (&r.config, 0, 1));
        for (config, finished, expected) in finished.chain(asked) {
            let key = (config.condition, config.epsilon, config.lambda);
            let same = |c: &&mut Cell| (c.condition, c.epsilon, c.lambda) == key;
            match cells.iter_mut().find(same) {
                Some(cell) => {
                    cell.finished += finished;
                    cell.expected += expected;
                }
                None => cells.push(Cell {
                    condition: key.0,
                    epsilon: key.1,
                    lambda: key.2,
                    finished,
                    expected,
                }),
            }
        }
        for cell in &mut cells {
            cell.expected = cell.expected.max(cell.finished);
        }
        let place = |c: Condition| super::sample::index(c);
        cells.sort_by(|a, b| {
            let by_condition = place(a.condition).cmp(&place(b.condition));
            let by_epsilon = a.epsilon.total_cmp(&b.epsilon);
            by_condition
                .then(by_epsilon)
                .then(a.lambda.total_cmp(&b.lambda))
        });
        Self { cells }
    }

    /// Runs that are there.
    pub fn finished(&self) -> usize {
        self.cells.iter().map(|c| c.finished).sum()
    }

    /// Runs that were asked for.
    pub fn expected(&self) -> usize {
        self.cells.iter().map(|c| c.expected).sum()
    }

    /// Runs of a condition that are not there yet.
    pub fn missing(&self, condition: Condition, epsilon: f64, lambda: f64) -> usize {
        let own = self
            .cells
            .iter()
            .filter(|c| (c.condition, c.epsilon, c.lambda) == (condition, epsilon, lambda));
        own.map(|c| c.expected - c.finished).sum()
    }

    /// A line for each cell that is not complete.
    pub fn lines(&self) -> Vec<String> {
        let incomplete = self.cells.iter().filter(|c| c.finished < c.expected);
        incomplete
            .map(|c| {
                format!(
                    "{} at {}, λ = {}: {} of {}",
                    c.condition,
                    text::epsilon(c.epsilon),
                    c.lambda,
                    c.finished,
                    text::count(c.expected, "run")
                )
            })
            .collect()
    }

    /// Conditions by ε, finished runs of those asked for, over all λ.
    pub fn table(&self, samples: &Samples) -> Table {
        let mut table = Table::new(&["condition", "what it is"]);
        let epsilons = samples.epsilons.iter();
        table.columns.extend(epsilons.map(|e| text::epsilon(*e)));
        for &condition in &samples.conditions {
            let mut row = vec![condition.to_string(), condition.description.to_owned()];
            row.extend(samples.epsilons.iter().map(|epsilon| {
                let own = self.cells.iter();
                let own = own.filter(|c| c.condition == condition && c.epsilon == *epsilon);
                let (finished, expected) = own.fold((0, 0), |(finished, expected), c| {
                    (finished + c.finished, expected + c.expected)
                });
                format!("{finished} of {expected}")
            }));
            table.rows.push(row);
        }
        table
    }
}
