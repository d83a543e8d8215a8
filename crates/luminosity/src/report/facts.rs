//! What was run, in words.

use std::collections::{BTreeMap, BTreeSet};

use super::coverage::Coverage;
use super::sample::Samples;
use super::table::Table;
use super::text;
use crate::RunConfig;
use crate::record::{Outcome, SweepRecord};
use crate::sweep::SweepRun;

/// Names and what they are, and the settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Name and value.
    pub list: Vec<(&'static str, String)>,
    /// The hyper-parameters of each setting.
    pub settings: Table,
}

impl Facts {
    /// Collects them.
    pub fn new(
        records: &[SweepRecord],
        expected: &[SweepRun],
        samples: &Samples,
        coverage: &Coverage,
    ) -> Self {
        let asked = expected.iter().map(|run| (run.setting, &run.config));
        let made = records.iter().map(|r| (r.setting, &r.run.config));
        let configs: Vec<_> = made.chain(asked).collect();
        let of_configs =
            |value: fn(&RunConfig) -> String| distinct(configs.iter().map(|c| value(c.1)));
        let of_records = |value: fn(&SweepRecord) -> String| distinct(records.iter().map(value));
        let diverged = records
            .iter()
            .filter(|r| r.run.outcome == Outcome::Diverged);
        let seeds: BTreeSet<u64> = configs.iter().map(|c| c.1.seed).collect();
        let settings: BTreeSet<usize> = configs.iter().map(|c| c.0).collect();
        let numbers = |values: &[f64]| distinct_in_order(values.iter().map(f64::to_string));
        let mut list = vec![
            (
                "Runs",
                format!(
                    "{} of {} finished, {} missing, {} diverged",
                    coverage.finished(),
                    coverage.expected(),
                    coverage.expected() - coverage.finished(),
                    diverged.count()
                ),
            ),
            (
                "Conditions",
                distinct_in_order(samples.conditions.iter().map(ToString::to_string)),
            ),
            ("ε", numbers(&samples.epsilons)),
            (
                "Settings",
                format!(
                    "{} of hyper-parameters, {} in all",
                    settings.len(),
                    text::count(seeds.len(), "seed")
                ),
            ),
            ("Epochs", of_configs(|c| c.epochs.to_string())),
            ("Batch size", of_configs(|c| c.batch_size.to_string())),
            (
                "λ",
                format!(
                    "{} (main: {})",
                    of_configs(|c| c.lambda.to_string()),
                    samples.lambda
                ),
            ),
            (
                "Order",
                of_configs(|c| match c.shuffle {
                    true => "shuffled anew in every epoch".to_owned(),
                    false => "as in the files".to_owned(),
                }),
            ),
            ("Data", of_records(|r| r.run.data.clone())),
            (
                "SHA-256 of the data",
                of_records(|r| r.run.data_sha256.clone()),
            ),
            ("Version", of_records(|r| r.run.version.clone())),
            ("Device", of_records(|r| r.run.device.clone())),
        ];
        if samples.unusable > 0 {
            list.push((
                "Left out",
                format!(
                    "{} whose accuracy, ε or λ is not a number of its range",
                    text::count(samples.unusable, "record")
                ),
            ));
        }
        Self {
            list,
            settings: settings_table(&configs),
        }
    }
}

fn settings_table(configs: &[(usize, &RunConfig)]) -> Table {
    let mut table = Table::new(&["setting", "lr", "lr-ei", "lr-ix", "width"]);
    let rows: BTreeMap<usize, &RunConfig> = configs.iter().copied().collect();
    let row = |(setting, c): (usize, &RunConfig)| {
        vec![
            setting.to_string(),
            format!("{:.2e}", c.lr),
            format!("{:.2e}", c.lr_ei),
            format!("{:.2e}", c.lr_ix),
            c.width.to_string(),
        ]
    };
    table.rows = rows.into_iter().map(row).collect();
    table
}

/// Each text once, sorted.
fn distinct(texts: impl Iterator<Item = String>) -> String {
    let texts: BTreeSet<String> = texts.collect();
    distinct_in_order(texts.into_iter())
}

fn distinct_in_order(texts: impl Iterator<Item = String>) -> String {
    let texts: Vec<String> = texts.collect();
    texts.join(", ")
}
