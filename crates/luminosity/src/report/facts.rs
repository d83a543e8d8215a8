//! What was run, in words.

use std::collections::BTreeSet;

use super::sample::Samples;
use super::text;
use crate::RunConfig;
use crate::record::{Outcome, SweepRecord};
use crate::sweep::SweepRun;

/// Names and what they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Name and value.
    pub list: Vec<(&'static str, String)>,
    /// A warning if the runs were made on different devices or processors.
    pub pooled: Option<String>,
}

impl Facts {
    /// Collects them.
    pub fn new(records: &[SweepRecord], expected: &[SweepRun], samples: &Samples) -> Self {
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
        let (finished, expected) = samples.counts();
        let machines = distinct(records.iter().filter_map(|r| r.run.timing.machine.clone()));
        let devices = of_records(|r| r.run.device.clone());
        let mut list = vec![
            (
                "Runs",
                format!(
                    "{finished} of {expected} finished, {} missing, {} diverged",
                    expected - finished,
                    diverged.count()
                ),
            ),
            (
                "Settings",
                format!(
                    "{} of hyper-parameters, {} in all",
                    settings.len(),
                    text::count(seeds.len(), "seed")
                ),
            ),
            ("Epochs", of_configs(|c| c.epochs.to_string()).join(", ")),
            (
                "Batch size",
                of_configs(|c| c.batch_size.to_string()).join(", "),
            ),
            (
                "λ",
                format!(
                    "{} (main: {})",
                    of_configs(|c| c.lambda.to_string()).join(", "),
                    samples.lambda
                ),
            ),
            (
                "Order",
                of_configs(|c| match c.shuffle {
                    true => "shuffled anew in every epoch".to_owned(),
                    false => "as in the files".to_owned(),
                })
                .join(", "),
            ),
            ("Data", of_records(|r| r.run.data.clone()).join("; ")),
            (
                "SHA-256 of the data",
                of_records(|r| r.run.data_sha256.clone()).join(", "),
            ),
            ("Version", of_records(|r| r.run.version.clone()).join(", ")),
            ("Device", devices.join(", ")),
            ("Machine", machines.join("; ")),
        ];
        list.retain(|(_, value)| !value.is_empty());
        if samples.unusable > 0 {
            let records = text::count(samples.unusable, "record");
            let left_out = format!("{records} whose accuracy, ε or λ is not a number of its range");
            list.push(("Left out", left_out));
        }
        let pooled = (devices.len() > 1 || machines.len() > 1).then(|| {
            format!(
                "These runs were made on different devices or processors, which round differently: {}.",
                [devices, machines].concat().join("; ")
            )
        });
        Self { list, pooled }
    }
}

/// A line for each condition, ε and λ whose runs are not all there.
pub fn missing(samples: &Samples) -> Vec<String> {
    let incomplete = samples.cells.iter().filter(|c| c.finished < c.expected);
    let line = |c: &super::sample::Cell| {
        let place = format!(
            "{} at {}, λ = {}",
            c.condition,
            text::epsilon(c.epsilon),
            c.lambda
        );
        format!(
            "{place}: {} of {}",
            c.finished,
            text::count(c.expected, "run")
        )
    };
    incomplete.map(line).collect()
}

/// Each text once, sorted.
fn distinct(texts: impl Iterator<Item = String>) -> Vec<String> {
    let texts: BTreeSet<String> = texts.collect();
    texts.into_iter().collect()
}
