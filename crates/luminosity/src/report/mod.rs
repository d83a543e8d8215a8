//! The report of a sweep: the figures of the paper, statistics, verdicts and one page of HTML.
//!
//! Data flows one way: records → `sample` → `statistics`, `gain`, `verdict`, `plot` → `page` →
//! files. Everything but [`write()`] is a pure function of the records, and the same records give the
//! same bytes. A figure is a row of `plot::SPECS`, a claim of the paper a row of `claim::CLAIMS`.

mod claim;
mod coverage;
mod facts;
mod gain;
mod page;
mod plot;
mod sample;
mod statistics;
mod table;
mod text;
mod verdict;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use coverage::Coverage;
use facts::Facts;
use gain::Gain;
use plot::Plot;
use sample::Samples;
use statistics::Row;
use verdict::Verdict;

use crate::condition;
use crate::record::SweepRecord;
use crate::sweep::SweepRun;
use crate::{Error, files};

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The files; the page is the first.
    pub files: Vec<PathBuf>,
    /// What is not there: runs that were asked for, figures without data.
    pub missing: Vec<String>,
    /// The gain and the verdicts, a line each.
    pub summary: String,
}

/// All that the records say.
#[derive(Debug, Clone)]
pub struct Report {
    facts: Facts,
    samples: Samples,
    coverage: Coverage,
    rows: Vec<Row>,
    gains: Vec<Gain>,
    verdicts: Vec<Verdict>,
    plots: Vec<Plot>,
    no_plots: Vec<String>,
}

/// Writes the report of `records` into `folder`: `report.html`, the figures as SVG, PNG and CSV, and
/// the tables as CSV. `expected` is all that was asked for; what of it is not there yet is named.
///
/// # Errors
///
/// As [`Report::new`], or [`Error::Io`] that names the file.
pub fn write(
    records: &[SweepRecord],
    expected: &[SweepRun],
    folder: &Path,
) -> Result<Written, Error> {
    let report = Report::new(records, expected)?;
    let files = report.files()?;
    files::prepare_folder(folder)?;
    let mut paths = Vec::new();
    for (name, content) in files {
        let path = folder.join(name);
        files::write(&path, &content)?;
        paths.push(path);
    }
    Ok(Written {
        files: paths,
        missing: report.missing(),
        summary: report.summary(),
    })
}

impl Report {
    /// Computes and draws everything.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if there is no record that can be used, [`Error::Figure`] if an image cannot
    /// be encoded.
    pub fn new(records: &[SweepRecord], expected: &[SweepRun]) -> Result<Self, Error> {
        let samples = Samples::new(records, expected);
        if samples.is_empty() {
            let name = "the number of finished runs that can be used";
            return Err(Error::usage(name, 0, "at least 1"));
        }
        let coverage = Coverage::new(records, expected);
        let rows = statistics::rows(&samples, &coverage);
        let (plots, no_plots) = plot::draw(&samples, &rows)?;
        Ok(Self {
            facts: Facts::new(records, expected, &samples, &coverage),
            gains: gain::gains(&samples),
            verdicts: verdict::verdicts(&samples),
            samples,
            coverage,
            rows,
            plots,
            no_plots,
        })
    }

    /// What is not there: runs that were asked for, then figures without data.
    pub fn missing(&self) -> Vec<String> {
        let runs = self.coverage.lines().into_iter();
        runs.chain(self.no_plots.iter().cloned()).collect()
    }

    /// The gain of full error normalization at each ε, then each verdict.
    pub fn summary(&self) -> String {
        let mut lines: Vec<String> = self.main_gains().map(Gain::sentence).collect();
        let verdicts = self.verdicts.iter();
        lines.extend(verdicts.map(|v| format!("{:<13} {}", v.ruling.words(), v.claim.text)));
        lines.join("\n")
    }

    /// Every file: its name and content.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if a table cannot be encoded.
    pub fn files(&self) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let mut files = vec![("report.html".to_owned(), page::html(self).into_bytes())];
        let tables = [
            ("statistics.csv", statistics::table(&self.rows)),
            ("gains.csv", gain::table(&self.gains)),
            ("verdicts.csv", verdict::table(&self.verdicts)),
        ];
        for (name, table) in tables {
            files.push((name.to_owned(), table.csv(name)?));
        }
        for plot in &self.plots {
            let name = |ending: &str| format!("{}.{ending}", plot.spec.name);
            files.push((name("svg"), plot.figure.svg.clone().into_bytes()));
            files.push((name("png"), plot.figure.png.clone()));
            files.push((name("csv"), plot.table.csv(&name("csv"))?));
        }
        Ok(files)
    }

    fn main_gains(&self) -> impl Iterator<Item = &Gain> {
        let full = |gain: &&Gain| gain.of == condition::INORM_FULL;
        self.gains.iter().filter(full)
    }
}
