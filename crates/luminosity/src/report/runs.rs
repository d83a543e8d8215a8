//! The records as tables: a row for each run, and a row for each epoch.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use super::table::csv;
use crate::machine;
use crate::record::{Outcome, SweepRecord};

/// The fields of a row by their names in the record: `alignment.output`, `moments.0.mean`.
pub type Row = BTreeMap<String, String>;

/// The first columns; the first five identify the run.
const LEADING: [&str; 7] = [
    "condition",
    "epsilon",
    "lambda",
    "setting",
    "seed",
    "epoch",
    "test_accuracy",
];
/// The fields that are results; all other fields describe the run.
const RESULTS: [&str; 9] = [
    "alignment",
    "lambda_max",
    "lateral_cosine",
    "measures",
    "moments",
    "outcome",
    "test_accuracy",
    "timing",
    "train_loss",
];
/// The result that describes the run: its processor.
const MACHINE: &str = "timing.machine";
/// The largest number of values of a field that are listed.
const LISTED: usize = 12;

/// The measures of layers that are in the history alone.
const FURTHER: [&str; 2] = ["lateral_cosine", "measures"];

/// A row for each run, with every field of its record and every setting; the history is left out, except the
/// [further](FURTHER) measures of the last epoch.
pub fn runs(records: &[&SweepRecord]) -> Vec<Row> {
    let run = |record: &&SweepRecord| {
        let (run, config) = (&record.run, &record.run.config);
        let options = config.network.options.iter();
        let options: BTreeMap<_, _> = options.map(|o| (o.name, config.option(o))).collect();
        let mut row = self::row(record);
        // A record leaves these out where they are the default.
        row.extend(self::row(&json!({
            "network": config.network,
            "options": options,
            "stimulus": config.stimulus,
            "optimizer": config.optimizer,
            "patience": config.patience,
            "clip_errors": config.clip_errors,
            "classes": run.classes,
        })));
        let last = run.history.last();
        if let Some(last) = last.filter(|_| run.outcome != Outcome::Diverged) {
            let last = self::row(last).into_iter();
            row.extend(last.filter(|(name, _)| FURTHER.contains(&whole(name))));
        }
        row
    };
    records.iter().map(run).collect()
}

/// A row for each epoch: the columns that identify the run, then every field of the epoch except lists; the lists of
/// [further](FURTHER) measures have a column for each layer.
pub fn epochs(records: &[&SweepRecord]) -> Vec<Row> {
    let of_a_list = |name: &str| name.split('.').any(|part| part.parse::<usize>().is_ok());
    let mut rows = Vec::new();
    for record in records {
        let mut run = row(record);
        run.retain(|name, _| LEADING[..5].contains(&name.as_str()));
        for epoch in &record.run.history {
            let mut epoch = row(epoch);
            epoch.retain(|name, _| FURTHER.contains(&whole(name)) || !of_a_list(name));
            epoch.extend(run.clone());
            rows.push(epoch);
        }
    }
    rows
}

/// A description of the runs: the name and the values of every field that is not a result.
pub fn facts(rows: &[Row]) -> Vec<(&str, String)> {
    let is_fact = |name: &&str| *name == MACHINE || !RESULTS.contains(&whole(name));
    let fact = |name| match values(rows, name) {
        values if values.len() <= LISTED => (name, values.join(", ")),
        values => (name, format!("{} different ones", values.len())),
    };
    let facts = names(rows).into_iter().filter(is_fact).map(fact);
    facts.filter(|(_, value)| !value.is_empty()).collect()
}

/// Warnings if the runs were made on different devices or processors, or by different versions.
pub fn pooled(rows: &[Row]) -> Vec<String> {
    let machines = values(rows, MACHINE).into_iter();
    let machines: BTreeSet<&str> = machines.map(machine::without_cores).collect();
    let warning = |how: &str, fields: Vec<Vec<&str>>| {
        let differ = fields.iter().any(|values| values.len() > 1);
        let values = fields.concat().join("; ");
        differ.then(|| format!("These runs were made {how}: {values}."))
    };
    let together = |row: &&Row| row.contains_key("timing.population");
    let (how, kinds) = match rows.iter().filter(together).count() {
        n if n == 0 || n == rows.len() => ("on different devices or processors", vec![]),
        _ => (
            "on different devices or processors, or alone and in populations",
            vec!["alone", "in populations"],
        ),
    };
    let places = warning(
        &format!("{how}, which round differently"),
        vec![
            values(rows, "device"),
            machines.into_iter().collect(),
            kinds,
        ],
    );
    let versions = warning(
        "by different versions of the program, whose numbers are the same bits",
        vec![values(rows, "version")],
    );
    places.into_iter().chain(versions).collect()
}

/// The names of all fields.
fn names(rows: &[Row]) -> BTreeSet<&str> {
    rows.iter()
        .flat_map(Row::keys)
        .map(String::as_str)
        .collect()
}

/// The distinct values of a field.
fn values<'a>(rows: &'a [Row], name: &str) -> Vec<&'a str> {
    let values = rows.iter().filter_map(|row| Some(row.get(name)?.as_str()));
    let distinct: BTreeSet<&str> = values.filter(|value| !value.is_empty()).collect();
    distinct.into_iter().collect()
}

/// The rows as CSV with all columns; a row without a value has an empty cell.
pub fn table(rows: &[Row]) -> Vec<u8> {
    let names = names(rows);
    let leading = LEADING.into_iter().filter(|name| names.contains(name));
    let others = names.iter().copied().filter(|name| !LEADING.contains(name));
    let columns: Vec<&str> = leading.chain(others).collect();
    let cells = rows.iter().map(|row| {
        let cell = |column: &&str| row.get(*column).map_or("", String::as_str);
        columns.iter().map(cell).collect()
    });
    csv(std::iter::once(columns.clone()).chain(cells))
}

/// The field that a column is of or is a part of.
fn whole(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}

fn row(value: &impl Serialize) -> Row {
    let mut value = serde_json::to_value(value).expect("the fields of a record have names");
    if let Some(object) = value.as_object_mut() {
        object.remove("history");
    }
    let mut row = Row::new();
    flatten(&value, String::new(), &mut row);
    row
}

fn flatten(value: &Value, name: String, row: &mut Row) {
    let below = |key: &str| match name.is_empty() {
        true => key.to_owned(),
        false => format!("{name}.{key}"),
    };
    match value {
        Value::Object(object) => object
            .iter()
            .for_each(|(key, v)| flatten(v, below(key), row)),
        Value::Array(values) => {
            let values = values.iter().enumerate();
            values.for_each(|(i, v)| flatten(v, below(&i.to_string()), row));
        }
        Value::Null => drop(row.insert(name, String::new())),
        Value::String(text) => drop(row.insert(name, text.clone())),
        other => drop(row.insert(name, other.to_string())),
    }
}
