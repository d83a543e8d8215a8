//! The comparison: several conditions, several seeds, one figure.

use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::data::Dataset;
use crate::figure::{self, FigureError};
use crate::record::{Outcome, RunRecord};
use crate::run::{self, Progress};
use crate::summary::{ConditionSummary, Gain};
use crate::{Condition, DeviceName, Error, Learner, RunConfig, files, parallel};

/// What to compare.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The conditions, in the order in which they are shown.
    pub conditions: Vec<Condition>,
    /// The seeds; every condition gets all of them.
    pub seeds: Vec<u64>,
    /// All that the runs have in common; its condition and seed are replaced.
    pub common: RunConfig,
}

/// The finished comparison.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// Every run, by condition, then by seed.
    pub runs: Vec<RunRecord>,
    /// Every condition.
    pub summary: Vec<ConditionSummary>,
    /// Forward + error against forward only, then against the controls, as far as they were run.
    pub gains: Vec<Gain>,
}

impl Plan {
    /// The configuration of every run.
    pub fn runs(&self) -> Vec<RunConfig> {
        let of_condition = |condition: &Condition| {
            let condition = *condition;
            self.seeds.iter().map(move |&seed| RunConfig {
                condition,
                seed,
                ..self.common.clone()
            })
        };
        self.conditions.iter().flat_map(of_condition).collect()
    }

    /// Makes all the runs with networks of one kind, `threads` at a time. `progress` hears of each run, by its index.
    ///
    /// # Errors
    ///
    /// The first that any run meets.
    pub fn execute<N: Learner>(
        &self,
        data: &Dataset,
        device: DeviceName,
        threads: usize,
        progress: &(dyn Fn(usize, Progress<'_>) + Sync),
    ) -> Result<Comparison, Error> {
        let jobs: Vec<(usize, RunConfig)> = self.runs().into_iter().enumerate().collect();
        let results = parallel::map(&jobs, threads, |(index, config)| {
            let trained = run::train::<N>(config, data, device, &mut |p| {
                progress(*index, p);
                ControlFlow::Continue(())
            });
            trained.map(|trained| trained.record)
        });
        let runs = results.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Comparison::new(&self.conditions, runs))
    }
}

impl Comparison {
    fn new(conditions: &[Condition], runs: Vec<RunRecord>) -> Self {
        let summary: Vec<ConditionSummary> = conditions
            .iter()
            .map(|condition| {
                let own = runs.iter().filter(|run| run.config.condition == *condition);
                ConditionSummary::new(*condition, &own.collect::<Vec<_>>())
            })
            .collect();
        let find = |condition| summary.iter().find(|s| s.condition == condition);
        let gains = find(Condition::INormFull).map_or_else(Vec::new, |full| {
            [Condition::INorm, Condition::LnPlus, Condition::None]
                .into_iter()
                .filter_map(|other| find(other).map(|other| Gain::new(full, other)))
                .collect()
        });
        Self {
            runs,
            summary,
            gains,
        }
    }

    /// The table for a terminal.
    pub fn table(&self) -> String {
        let mut table = format!(
            "{:<22}{:<36}{:>16}  seeds\n",
            "condition", "", "accuracy (%)"
        );
        for row in &self.summary {
            let spread = row.sd.map_or_else(String::new, |sd| format!(" ± {sd:.2}"));
            let accuracy = format!("{:.2}{spread}", row.mean);
            let seeds: Vec<String> = row.accuracies.iter().map(|a| format!("{a:.2}")).collect();
            let diverged = match row.diverged {
                0 => String::new(),
                n => format!("  ({n} diverged)"),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(
                table,
                "{:<22}{:<36}{accuracy:>16}  {}{diverged}",
                row.condition.name(),
                row.condition.description(),
                seeds.join("  "),
            );
        }
        table
    }

    /// What it shows, in words.
    pub fn verdict(&self) -> String {
        if self.runs.iter().all(|run| run.outcome == Outcome::Diverged) {
            return "Every run diverged, so there is nothing to draw.".to_owned();
        }
        let Some(main) = self.gains.iter().find(|gain| gain.over == Condition::INorm) else {
            return self.sentences();
        };
        let claim = if main.points <= 0.0 {
            "Here normalizing errors as well as activity does not help."
        } else if main.seeds_higher == main.seeds {
            "Normalizing errors as well as activity helps, in every seed."
        } else {
            "Normalizing errors as well as activity helps on average, not in every seed."
        };
        format!("{claim}\n{}", self.sentences())
    }

    fn sentences(&self) -> String {
        let sentences = self.gains.iter().map(Gain::sentence);
        sentences.collect::<Vec<_>>().join("\n")
    }

    /// Writes `comparison.svg`, `.png`, `.csv` and `.json` into `folder`, and returns their paths. If
    /// every run diverged there is no figure, nor one of an earlier comparison.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] that names the file, or [`Error::Figure`].
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>, Error> {
        let path = |ending: &str| folder.join(format!("comparison.{ending}"));
        let [json, csv, svg, png] = ["json", "csv", "svg", "png"].map(path);
        // The numbers before the drawing, should the one fit on the disk and not the other.
        files::write(&json, &self.json(&json)?)?;
        files::write(&csv, &self.csv()?)?;
        let figure = match figure::comparison(&self.figure()) {
            Err(FigureError::NoFiniteValue) => {
                files::remove(&svg)?;
                files::remove(&png)?;
                return Ok(vec![csv, json]);
            }
            drawn => drawn?,
        };
        files::write(&svg, figure.svg.as_bytes())?;
        files::write(&png, &figure.png)?;
        Ok(vec![svg, png, csv, json])
    }

    /// The comparison as JSON: `runs`, `summary` and `gains`.
    ///
    /// # Errors
    ///
    /// If it cannot be encoded, which names `path`.
    pub fn json(&self, path: &Path) -> Result<Vec<u8>, Error> {
        let mut json = serde_json::to_vec_pretty(self).map_err(|e| Error::file(path, e))?;
        json.push(b'\n');
        Ok(json)
    }

    /// One row an epoch and run.
    fn csv(&self) -> Result<Vec<u8>, Error> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        let fail = |e: &dyn std::fmt::Display| Error::file(Path::new("comparison.csv"), e);
        csv.write_record([
            "condition",
            "epsilon",
            "seed",
            "epoch",
            "train_loss",
            "test_accuracy",
            "outcome",
        ])
        .map_err(|e| fail(&e))?;
        for run in &self.runs {
            for epoch in &run.history {
                csv.serialize((
                    run.config.condition,
                    run.config.epsilon,
                    run.config.seed,
                    epoch.epoch,
                    epoch.train_loss,
                    epoch.test_accuracy,
                    run.outcome,
                ))
                .map_err(|e| fail(&e))?;
            }
        }
        csv.into_inner().map_err(|e| fail(&e))
    }

    fn figure(&self) -> figure::Comparison<'static> {
        let series = self.summary.iter().map(|row| {
            let own = self.runs.iter();
            let own = own.filter(|run| run.config.condition == row.condition);
            let curve = |run: &RunRecord| {
                let epochs = run.history.iter();
                epochs.map(|epoch| 100.0 * epoch.test_accuracy).collect()
            };
            figure::Series {
                label: row.condition.name(),
                description: row.condition.description(),
                colour: Some(figure::Colour::Condition(row.condition as usize)),
                curves: own.map(curve).collect(),
            }
        });
        let title = self.runs.first().map_or_else(String::new, |run| {
            format!(
                "Fashion-MNIST under variable luminosity (ε = {})",
                run.config.epsilon
            )
        });
        figure::Comparison {
            title,
            series: series.collect(),
        }
    }
}
