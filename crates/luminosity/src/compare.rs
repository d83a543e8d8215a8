//! The comparison: a sweep of one setting, drawn as one figure.

mod plot;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::record::{RunRecord, SweepRecord};
use crate::report::{Effect, Report};
use crate::{Condition, Error, files};

/// The content of `comparison.json`.
#[derive(Serialize)]
struct Content<'a> {
    /// Every run, by condition, then by seed.
    runs: Vec<&'a RunRecord>,
    /// The effects of every condition over the references of the report.
    effects: &'a [Effect],
}

/// The records and the effects as JSON.
pub fn json(records: &[SweepRecord], report: &Report) -> Vec<u8> {
    let content = Content {
        runs: records.iter().map(|record| &record.run).collect(),
        effects: &report.effects,
    };
    let mut json = serde_json::to_vec_pretty(&content).expect("all fields have names");
    json.push(b'\n');
    json
}

/// Writes `comparison.json`, `.csv` (a row for each epoch of each run), `.svg` and `.png` into `folder`, and
/// returns their paths. If every run diverged, it draws no figure and removes the figure of an earlier
/// comparison.
///
/// # Errors
///
/// [`Error::Io`] that names the file, or [`Error::Figure`].
pub fn write(
    conditions: &[Condition],
    records: &[SweepRecord],
    report: &Report,
    folder: &Path,
) -> Result<Vec<PathBuf>, Error> {
    let path = |ending: &str| folder.join(format!("comparison.{ending}"));
    let [json, csv, svg, png] = ["json", "csv", "svg", "png"].map(path);
    // The numbers first, in case the disk has space for only one of the two.
    files::write(&json, &self::json(records, report))?;
    files::write(&csv, &report.curves())?;
    let Some(chart) = plot::chart(&report.task(), conditions, records) else {
        files::remove(&svg)?;
        files::remove(&png)?;
        return Ok(vec![csv, json]);
    };
    let figure = chart.draw()?;
    files::write(&svg, figure.svg.as_bytes())?;
    files::write(&png, &figure.png)?;
    Ok(vec![svg, png, csv, json])
}
