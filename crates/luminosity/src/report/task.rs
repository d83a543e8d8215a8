//! The task of the runs, and whether it is the paper's task.

use std::collections::BTreeSet;

use crate::RunConfig;
use crate::data::FASHION_MNIST;
use crate::record::SweepRecord;

/// The task and the networks of the runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    pub data: String,
    pub network: String,
    pub stimulus: String,
    /// The names of the parts that differ from the paper's task: `data`, `network`, `stimulus`, or a setting that all
    /// runs of the paper have.
    pub differences: Vec<&'static str>,
}

impl Task {
    /// The task of the records, whose main λ is `lambda`.
    pub fn new(records: &[SweepRecord], lambda: f64) -> Self {
        let of = |value: fn(&SweepRecord) -> &str| -> String {
            let values: BTreeSet<&str> = records.iter().map(value).collect();
            values.into_iter().collect::<Vec<_>>().join(" and ")
        };
        let differences = |r: &SweepRecord| {
            let config = &r.run.config;
            let paper = RunConfig::of(config.network, config.condition, 0);
            [
                ("data", !FASHION_MNIST.contains(&r.run.data_sha256.as_str())),
                ("network", config.network.name() != "mlp"),
                ("stimulus", config.stimulus.name() != "luminosity"),
                ("depth", config.depth != paper.depth),
                ("batch size", config.batch_size != paper.batch_size),
                ("optimizer", config.optimizer != paper.optimizer),
                ("init", config.init != paper.init),
                ("clipped errors", config.clip_errors != paper.clip_errors),
                ("patience", config.patience != paper.patience),
                ("steps", config.max_steps != paper.max_steps),
                ("lambda", lambda != paper.lambda),
            ]
        };
        let found = records.iter().flat_map(differences);
        let found: BTreeSet<&str> = found.filter(|part| part.1).map(|part| part.0).collect();
        Self {
            data: of(|r| short(&r.run.data)),
            network: of(|r| r.run.config.network.name()),
            stimulus: of(|r| r.run.config.stimulus.name()),
            differences: found.into_iter().collect(),
        }
    }

    /// The task in a few words.
    pub fn words(&self) -> String {
        format!("{} under variable {}", self.data, self.stimulus)
    }
}

/// The name in a description of data: the text before the numbers and the path.
fn short(data: &str) -> &str {
    let name = data.split(" (").next().unwrap_or(data);
    name.split(" in /").next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Dataset, Environment, Selection};

    #[test]
    fn the_embedded_images_are_known() {
        let environment = Environment {
            data: None,
            ..Environment::of_process()
        };
        let data = Dataset::load_in(&Selection::Default, &environment).unwrap();
        assert_eq!(data.sha256(), FASHION_MNIST[1]);
        assert_eq!(short(&data.source()), "embedded subset of Fashion-MNIST");
    }
}
