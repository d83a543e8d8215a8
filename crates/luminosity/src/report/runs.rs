//! The records themselves as tables: a row a run, and a row an epoch.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::table::csv;
use crate::Error;
use crate::record::SweepRecord;

/// The columns that come first.
const LEADING: [&str; 7] = [
    "condition",
    "epsilon",
    "lambda",
    "setting",
    "seed",
    "epoch",
    "test_accuracy",
];

/// The fields of a row by their names in the record: `alignment.output`, `moments.0.mean`.
type Fields = BTreeMap<String, String>;

/// A row a run, with every field of its record but the history.
///
/// # Errors
///
/// If a record cannot be encoded, which names the file `name`.
pub fn runs(records: &[SweepRecord], name: &str) -> Result<Vec<u8>, Error> {
    let rows = records.iter().map(|record| {
        let mut value = json(record, name)?;
        if let Some(fields) = value.as_object_mut() {
            fields.remove("history");
        }
        Ok(flat(&value))
    });
    table(&rows.collect::<Result<Vec<_>, Error>>()?, name)
}

/// A row an epoch: what tells the run, then every field of the epoch that is no list.
///
/// # Errors
///
/// As [`runs`].
pub fn curves(records: &[SweepRecord], name: &str) -> Result<Vec<u8>, Error> {
    let mut rows = Vec::new();
    for record in records {
        let run = flat(&json(record, name)?);
        let run = run
            .into_iter()
            .filter(|(name, _)| LEADING[..5].contains(&name.as_str()));
        let run: Fields = run.collect();
        for epoch in &record.run.history {
            let mut row = run.clone();
            let fields = flat(&json(epoch, name)?).into_iter();
            row.extend(
                fields
                    .filter(|(name, _)| !name.split('.').any(|part| part.parse::<usize>().is_ok())),
            );
            rows.push(row);
        }
    }
    table(&rows, name)
}

fn json(value: &impl Serialize, name: &str) -> Result<Value, Error> {
    serde_json::to_value(value).map_err(|e| Error::file(std::path::Path::new(name), e))
}

fn flat(value: &Value) -> Fields {
    let mut fields = Fields::new();
    flatten(value, String::new(), &mut fields);
    fields
}

fn flatten(value: &Value, name: String, fields: &mut Fields) {
    let below = |key: &str| match name.is_empty() {
        true => key.to_owned(),
        false => format!("{name}.{key}"),
    };
    match value {
        Value::Object(object) => object
            .iter()
            .for_each(|(key, value)| flatten(value, below(key), fields)),
        Value::Array(values) => {
            let values = values.iter().enumerate();
            values.for_each(|(i, value)| flatten(value, below(&i.to_string()), fields));
        }
        Value::Null => drop(fields.insert(name, String::new())),
        Value::String(text) => drop(fields.insert(name, text.clone())),
        other => drop(fields.insert(name, other.to_string())),
    }
}

/// All columns that any row has; a row without one has an empty cell.
fn table(rows: &[Fields], name: &str) -> Result<Vec<u8>, Error> {
    let names: BTreeSet<&str> = rows
        .iter()
        .flat_map(|row| row.keys().map(String::as_str))
        .collect();
    let leading = LEADING.into_iter().filter(|name| names.contains(name));
    let others = names.iter().copied().filter(|name| !LEADING.contains(name));
    let columns: Vec<&str> = leading.chain(others).collect();
    let cells = rows.iter().map(|row| {
        let cell = |column: &&str| row.get(*column).map_or("", String::as_str);
        columns.iter().map(cell).collect()
    });
    csv(name, std::iter::once(columns.clone()).chain(cells))
}
