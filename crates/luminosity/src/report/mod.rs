//! The report of a sweep: the main result, the paper's claims, figures and tables on one HTML page.
//!
//! Data flows one way: records → `sample` → `effect`, `statistics`, `verdict`, `plot` → `page` → files.
//! Everything except [`Report::write`] is a pure function of the records: the same records give the same bytes.
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

pub use effect::Effect;
pub use text::count;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use effect::MAIN;
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
        "a row a run, with every setting and the results at its end",
    ),
    ("curves.csv", "a row an epoch"),
    ("statistics.csv", "the accuracies of every condition and ε"),
    (
        "effects.csv",
        "the differences between conditions, with their intervals and tests",
    ),
    ("verdicts.csv", "the paper's claims and our numbers"),
];

/// The complete report.
#[derive(Debug, Clone)]
pub struct Report {
    runs: Vec<Row>,
    epochs: Vec<Row>,
    task: Task,
    samples: Samples,
    /// Every effect, including the effects that the terminal does not show.
    pub effects: Vec<Effect>,
    verdicts: Vec<Verdict>,
    plots: Vec<Plot>,
    no_plots: Vec<String>,
}

/// All possible names of files in a report.
fn names() -> impl Iterator<Item = String> {
    let tables = TABLES.iter().map(|table| table.0.to_owned());
    let endings = |spec: &plot::Spec| ["svg", "png"].map(|e| format!("{}.{e}", spec.name));
    tables.chain(plot::SPECS.iter().flat_map(endings))
}

impl Report {
    /// Computes and draws everything.
    ///
    /// # Errors
    ///
    /// [`Error::NoRuns`] without a record, [`Error::Figure`] if an image cannot be encoded.
    pub fn new(records: &[SweepRecord], expected: &[SweepRun]) -> Result<Self, Error> {
        if records.is_empty() {
            return Err(Error::NoRuns {
                expected: expected.len(),
            });
        }
        let samples = Samples::new(records, expected);
        let task = Task::new(records, samples.lambda);
        let effects = effect::effects(&samples);
        let (plots, no_plots) = plot::draw(&samples, &effects, &task.stimulus)?;
        let mut sorted: Vec<&SweepRecord> = records.iter().collect();
        sorted.sort_by_key(|r| (sample::place(&r.run.config), r.setting, r.run.config.seed));
        Ok(Self {
            runs: runs::runs(&sorted),
            epochs: runs::epochs(&sorted),
            verdicts: match task.differences.is_empty() {
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

    /// Writes the report into `folder`: `report.html`, which is the first of the returned paths, the figures
    /// as SVG and PNG, and the tables as CSV. Files of an earlier report that this report does not have are
    /// removed.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] that names the file.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>, Error> {
        let files = self.files();
        files::prepare_folder(folder)?;
        // The page is written last, so that a page that exists has its figures.
        for (name, content) in files.iter().rev() {
            files::write(&folder.join(name), content)?;
        }
        for stale in names().filter(|name| files.iter().all(|file| file.0 != *name)) {
            files::remove(&folder.join(stale))?;
        }
        Ok(files.iter().map(|file| folder.join(&file.0)).collect())
    }

    /// A row for each epoch of each run, as CSV.
    pub fn curves(&self) -> Vec<u8> {
        runs::table(&self.epochs)
    }

    /// The task in a few words.
    pub fn task(&self) -> String {
        self.task.words()
    }

    /// Warnings about the runs.
    pub fn notes(&self) -> Vec<String> {
        runs::pooled(&self.runs)
    }

    /// The missing parts: requested runs without a record, then figures without data.
    pub fn missing(&self) -> Vec<String> {
        let plots = self.no_plots.iter().cloned();
        self.samples.missing().chain(plots).collect()
    }

    /// The accuracies, then the main effect at each ε; with a single ε also the effects over the controls.
    pub fn results(&self) -> String {
        let mut lines = statistics::lines(&self.samples);
        let main: Vec<&Effect> = self.main_effects().collect();
        lines.extend([String::new(), effect::answer(&main)]);
        let epsilons = &self.samples.epsilons;
        let controls = match epsilons[..] {
            [epsilon] => effect::CONTROLS
                .iter()
                .filter_map(|(of, over)| Effect::new(&self.samples, of, over, epsilon))
                .collect(),
            _ => Vec::new(),
        };
        let effects = main.into_iter().chain(&controls);
        lines.extend(effects.map(|effect| effect.lines(self.samples.unit)));
        lines.join("\n")
    }

    /// The [results](Self::results), then each verdict.
    pub fn summary(&self) -> String {
        let line = |v: &Verdict| format!("\n{:<13} {}", v.ruling.words(), v.claim.text);
        self.results() + &self.verdicts.iter().map(line).collect::<String>()
    }

    /// The names and contents of all files.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = vec![(PAGE.to_owned(), page::html(self).into_bytes())];
        for (name, _) in TABLES {
            let content = match name {
                "runs.csv" => runs::table(&self.runs),
                "curves.csv" => self.curves(),
                "statistics.csv" => statistics::table(&self.samples).csv(),
                "effects.csv" => effect::table(self.effects.iter()).csv(),
                _ if self.verdicts.is_empty() => continue,
                _ => verdict::table(&self.verdicts).csv(),
            };
            files.push((name.to_owned(), content));
        }
        for plot in &self.plots {
            let name = |ending: &str| format!("{}.{ending}", plot.spec.name);
            files.push((name("svg"), plot.figure.svg.clone().into_bytes()));
            files.push((name("png"), plot.figure.png.clone()));
        }
        files
    }

    fn main_effects(&self) -> impl Iterator<Item = &Effect> {
        self.effects.iter().filter(|e| (e.of, e.over) == MAIN)
    }
}
