//! The report of a sweep: the main result, the paper's claims, figures and tables on one HTML page.
//!
//! Data flows one way: records → `sample` → `effect`, `statistics`, `verdict`, `plot` → `page` → files.
//! Everything except [`write()`] is a pure function of the records: the same records give the same bytes.
//! Each figure is a row of `plot::SPECS`, each claim of the paper is a row of `claim::CLAIMS`, and `runs`
//! writes the records as tables.

mod claim;
mod effect;
mod page;
mod plot;
mod runs;
mod sample;
mod statistics;
mod table;
mod task;
mod text;
mod verdict;

pub(crate) use effect::{ALPHA, FEWEST};
pub(crate) use text::p_equals;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use effect::{Effect, MAIN};
use plot::Plot;
use runs::Row;
use sample::Samples;
use task::Task;
use verdict::Verdict;

use crate::record::SweepRecord;
use crate::sweep::SweepRun;
use crate::{Error, files};

const PAGE: &str = "report.html";
/// The tables and their descriptions.
const TABLES: [(&str, &str); 5] = [
    (
        "runs.csv",
        "a row a run, with every setting and result of its record",
    ),
    ("curves.csv", "a row an epoch"),
    ("statistics.csv", "the accuracies of every condition and ε"),
    (
        "effects.csv",
        "the differences between conditions, with their intervals and tests",
    ),
    ("verdicts.csv", "the paper's claims and our numbers"),
];

/// The result of [`write()`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The files; the page is the first.
    pub files: Vec<PathBuf>,
    /// The missing parts: requested runs without a record, figures without data.
    pub missing: Vec<String>,
    /// Warnings about the runs.
    pub notes: Vec<String>,
    /// The accuracies, the main effect and the verdicts, one line each.
    pub summary: String,
}

/// The complete report.
#[derive(Debug, Clone)]
pub struct Report {
    runs: Vec<Row>,
    epochs: Vec<Row>,
    task: Task,
    samples: Samples,
    effects: Vec<Effect>,
    verdicts: Vec<Verdict>,
    plots: Vec<Plot>,
    no_plots: Vec<String>,
}

/// Writes the report of `records` into `folder`: `report.html`, the figures as SVG and PNG, and the tables as
/// CSV. `expected` lists all requested runs; those without a record are named. Files of an earlier report
/// that this report does not have are removed.
///
/// # Errors
///
/// Like [`Report::new`], or [`Error::Io`] that names the file.
pub fn write(
    records: &[SweepRecord],
    expected: &[SweepRun],
    folder: &Path,
) -> Result<Written, Error> {
    let report = Report::new(records, expected)?;
    let files = report.files()?;
    files::prepare_folder(folder)?;
    for (name, content) in &files {
        files::write(&folder.join(name), content)?;
    }
    let stale = names().filter(|name| files.iter().all(|file| file.0 != *name));
    for name in stale {
        files::remove(&folder.join(name))?;
    }
    Ok(Written {
        files: files.iter().map(|file| folder.join(&file.0)).collect(),
        missing: report.missing(),
        notes: runs::pooled(&report.runs),
        summary: report.summary(),
    })
}

/// All possible names of files in a report, of this version and of earlier versions.
fn names() -> impl Iterator<Item = String> {
    let tables = TABLES.iter().map(|table| table.0);
    let others = tables.chain([PAGE, "gains.csv"]).map(str::to_owned);
    let endings = |spec: &plot::Spec| ["svg", "png", "csv"].map(|e| format!("{}.{e}", spec.name));
    others.chain(plot::SPECS.iter().flat_map(endings))
}

impl Report {
    /// Computes and draws everything.
    ///
    /// # Errors
    ///
    /// [`Error::NoRuns`] if no record can be used, [`Error::Figure`] if an image cannot be encoded.
    pub fn new(records: &[SweepRecord], expected: &[SweepRun]) -> Result<Self, Error> {
        let samples = Samples::new(records, expected);
        if samples.is_empty() {
            return Err(Error::NoRuns {
                expected: expected.len(),
            });
        }
        let task = Task::new(records);
        let effects = effect::effects(&samples);
        let (plots, no_plots) = plot::draw(&samples, &effects)?;
        let mut sorted = records.to_vec();
        sorted.sort_by_key(|r| {
            let c = &r.run.config;
            let place = (c.condition.index(), c.epsilon.to_bits(), c.lambda.to_bits());
            (place, r.setting, c.seed)
        });
        Ok(Self {
            runs: runs::runs(&sorted)?,
            epochs: runs::epochs(&sorted)?,
            verdicts: match task.is_the_papers {
                true => verdict::verdicts(&samples),
                false => Vec::new(),
            },
            task,
            samples,
            effects,
            plots,
            no_plots,
        })
    }

    /// The missing parts: requested runs without a record, then figures without data.
    pub fn missing(&self) -> Vec<String> {
        let plots = self.no_plots.iter().cloned();
        self.samples.missing().chain(plots).collect()
    }

    /// The accuracies, the main effect at each ε, then each verdict.
    pub fn summary(&self) -> String {
        let mut lines = statistics::lines(&self.samples);
        let effects: Vec<&Effect> = self.main_effects().collect();
        lines.push(effect::answer(&effects));
        lines.extend(effects.iter().map(|e| e.line(self.samples.unit)));
        let verdicts = self.verdicts.iter();
        lines.extend(verdicts.map(|v| format!("{:<13} {}", v.ruling.words(), v.claim.text)));
        lines.join("\n")
    }

    /// The names and contents of all files.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if a table cannot be encoded.
    pub fn files(&self) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let mut files = vec![(PAGE.to_owned(), page::html(self).into_bytes())];
        for (name, _) in TABLES {
            let content = match name {
                "runs.csv" => runs::table(&self.runs, name),
                "curves.csv" => runs::table(&self.epochs, name),
                "statistics.csv" => statistics::table(&self.samples).csv(name),
                "effects.csv" => effect::table(self.effects.iter()).csv(name),
                _ if self.verdicts.is_empty() => continue,
                _ => verdict::table(&self.verdicts).csv(name),
            };
            files.push((name.to_owned(), content?));
        }
        for plot in &self.plots {
            let name = |ending: &str| format!("{}.{ending}", plot.spec.name);
            files.push((name("svg"), plot.figure.svg.clone().into_bytes()));
            files.push((name("png"), plot.figure.png.clone()));
        }
        Ok(files)
    }

    fn main_effects(&self) -> impl Iterator<Item = &Effect> {
        let main = |e: &&Effect| (e.of.as_str(), e.over.as_str()) == MAIN;
        self.effects.iter().filter(main)
    }
}
