//! The comparison: several conditions, several seeds, one figure.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::figure::{self, FigureError};
use crate::record::{Outcome, RunRecord};
use crate::report::{ALPHA, FEWEST};
use crate::summary::{ConditionSummary, Gain};
use crate::{Condition, Error, condition, files};

/// The finished comparison.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// Every run, by condition, then by seed.
    pub runs: Vec<RunRecord>,
    /// The summary of every condition.
    pub summary: Vec<ConditionSummary>,
    /// The gain of forward + error over forward only, then over the controls that were run.
    pub gains: Vec<Gain>,
    #[serde(skip)]
    data: String,
}

impl Comparison {
    /// The comparison of these runs on the data with this name.
    pub fn new(conditions: &[Condition], runs: Vec<RunRecord>, data: &str) -> Self {
        let summary: Vec<ConditionSummary> = conditions
            .iter()
            .map(|condition| {
                let own = runs.iter().filter(|run| run.config.condition == *condition);
                ConditionSummary::new(*condition, &own.collect::<Vec<_>>())
            })
            .collect();
        let find = |condition| summary.iter().find(|s| s.condition == condition);
        let gains = find(condition::INORM_FULL).map_or_else(Vec::new, |full| {
            [condition::INORM, condition::LN_PLUS, condition::NONE]
                .into_iter()
                .filter_map(|other| find(other).map(|other| Gain::new(full, other)))
                .collect()
        });
        Self {
            runs,
            summary,
            gains,
            data: data.to_owned(),
        }
    }

    /// The table for a terminal, at most 80 columns wide.
    pub fn table(&self) -> String {
        let mut table = format!(
            "{:<22}{:>16}  {:>15}  {:>5}\n",
            "condition", "accuracy (%)", "range", "seeds"
        );
        for row in &self.summary {
            let spread = row.sd.map_or_else(String::new, |sd| format!(" ± {sd:.2}"));
            let accuracy = format!("{:.2}{spread}", row.mean);
            let lowest = row.accuracies.iter().copied().fold(f64::INFINITY, f64::min);
            let highest = row.accuracies.iter().copied().fold(0.0, f64::max);
            let range = format!("{lowest:.2} to {highest:.2}");
            let diverged = match row.diverged {
                0 => String::new(),
                n => format!("  ({n} diverged)"),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(
                table,
                "{:<22}{accuracy:>16}  {range:>15}  {:>5}{diverged}",
                row.condition.name(),
                row.accuracies.len(),
            );
        }
        table
    }

    /// The result in words.
    pub fn verdict(&self) -> String {
        if self.runs.iter().all(|run| run.outcome == Outcome::Diverged) {
            return "Every run diverged, so there is nothing to draw.".to_owned();
        }
        let Some(main) = self.gains.iter().find(|gain| gain.over == condition::INORM) else {
            return self.sentences();
        };
        let claim = match main.p {
            Some(p) if p < ALPHA && main.points > 0.0 => {
                "Normalizing errors as well as activity helps."
            }
            Some(p) if p < ALPHA => "Normalizing errors as well as activity does harm here.",
            _ if main.seeds < FEWEST => {
                "Whether normalizing errors as well as activity helps is undecided: too few seeds."
            }
            _ => "Whether normalizing errors as well as activity helps is undecided.",
        };
        format!("{claim}\n{}", self.sentences())
    }

    fn sentences(&self) -> String {
        let sentences = self.gains.iter().map(Gain::sentence);
        sentences.collect::<Vec<_>>().join("\n")
    }

    /// Writes `comparison.svg`, `.png`, `.csv` and `.json` into `folder`, and returns their paths. If every
    /// run diverged, it draws no figure and removes the figure of an earlier comparison.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] that names the file, or [`Error::Figure`].
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>, Error> {
        let path = |ending: &str| folder.join(format!("comparison.{ending}"));
        let [json, csv, svg, png] = ["json", "csv", "svg", "png"].map(path);
        // The numbers first, in case the disk has space for only one of the two.
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
    /// If it cannot be encoded; the error names `path`.
    pub fn json(&self, path: &Path) -> Result<Vec<u8>, Error> {
        let mut json = serde_json::to_vec_pretty(self).map_err(|e| Error::file(path, e))?;
        json.push(b'\n');
        Ok(json)
    }

    /// One row for each epoch of each run.
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
                description: row.condition.description,
                colour: Some(figure::Colour::Condition(row.condition.index())),
                curves: own.map(curve).collect(),
            }
        });
        let title = self.runs.first().map_or_else(String::new, |run| {
            let config = &run.config;
            format!(
                "{} under variable {} (ε = {})",
                self.data, config.stimulus, config.epsilon
            )
        });
        figure::Comparison {
            title,
            series: series.collect(),
        }
    }
}
