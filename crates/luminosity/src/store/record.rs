//! The records of finished runs: writing, and checks when reading.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::{FORMAT, Manifest};
use crate::Error;
use crate::record::{Outcome, SweepRecord};
use crate::sweep::SweepRun;

#[derive(Debug)]
pub struct Contents {
    pub manifest: Manifest,
    /// The records, by the names of their runs.
    pub records: BTreeMap<String, SweepRecord>,
    /// For each record that cannot be used, its file and fault. Its run counts as not done.
    pub problems: Vec<Error>,
    known: HashSet<String>,
}

impl Contents {
    pub(super) fn new(manifest: Manifest) -> Self {
        Self {
            known: manifest.jobs().iter().cloned().collect(),
            manifest,
            records: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    /// Adds an encoded record: of run `id`, if the id is known beforehand.
    ///
    /// # Errors
    ///
    /// The fault of the record.
    pub(super) fn add(&mut self, id: Option<&str>, content: &[u8]) -> Result<(), String> {
        let (id, record) = decode(&self.manifest, id, content)?;
        if !self.known.contains(&id) {
            return Err(format!("the store was not made for the run {id}"));
        }
        match self.records.entry(id) {
            Entry::Vacant(place) => {
                place.insert(record);
                Ok(())
            }
            Entry::Occupied(first) if first.get().same_result(&record) => Ok(()),
            Entry::Occupied(first) => Err(format!(
                "holds the run {} twice, with two results; the first is used",
                first.key()
            )),
        }
    }
}

#[derive(Serialize)]
struct Written<'a> {
    format: u32,
    id: &'a str,
    #[serde(flatten)]
    record: &'a SweepRecord,
}

impl<'a> Written<'a> {
    fn new(id: &'a str, record: &'a SweepRecord) -> Self {
        Self {
            format: FORMAT,
            id,
            record,
        }
    }
}

#[derive(Deserialize)]
struct Header {
    format: u32,
    id: String,
}

/// A record as one line of a packed store.
pub(crate) fn line(id: &str, record: &SweepRecord) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Written::new(id, record))
}

/// Encodes the file of a record.
///
/// # Errors
///
/// The fault for which the record would be refused when read again; found now, not at each read.
pub(super) fn encode(
    manifest: &Manifest,
    id: &str,
    record: &SweepRecord,
) -> Result<Vec<u8>, String> {
    let mut content =
        serde_json::to_vec_pretty(&Written::new(id, record)).map_err(|e| e.to_string())?;
    decode(manifest, Some(id), &content)?;
    content.push(b'\n');
    Ok(content)
}

/// Decodes the record of run `id` (or of any run); the error is its fault.
pub(crate) fn decode(
    manifest: &Manifest,
    id: Option<&str>,
    content: &[u8],
) -> Result<(String, SweepRecord), String> {
    let header: Header = serde_json::from_slice(content).map_err(|e| format!("damaged: {e}"))?;
    let Header { format, id: found } = header;
    if format != FORMAT {
        return Err(format!("in format {format}; allowed: format {FORMAT}"));
    }
    if let Some(id) = id.filter(|id| *id != found) {
        return Err(format!("holds the run {found}, not {id}"));
    }
    let record: SweepRecord =
        serde_json::from_slice(content).map_err(|e| format!("not a record: {e}"))?;
    record.run.validate()?;
    if record.run.outcome == Outcome::Interrupted {
        return Err("its run was interrupted; allowed: a run that ended".to_owned());
    }
    manifest.check(&record.run)?;
    let run = SweepRun {
        setting: record.setting,
        config: record.run.config.clone(),
    };
    let id = run.id();
    match id == found {
        true => Ok((id, record)),
        false => Err(format!("its values are those of {id}, not of {found}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeviceName;
    use crate::report::testing;
    use crate::sweep::Preset;

    #[test]
    fn of_two_results_of_a_run_the_first_is_used_and_the_other_named() {
        let request = Preset::Comparison.request();
        let run = &request.runs()[0];
        let manifest = Manifest::new(&request, testing::DATA, DeviceName::Cpu);
        let mut contents = Contents::new(manifest);
        let first = testing::with_correct(run, 7000);
        let mut later = first.clone();
        later.run.timing.seconds += 1.0;
        let mut add = |record: &SweepRecord| {
            let line = line(&run.id(), record).unwrap();
            contents.add(None, &line)
        };
        assert_eq!((add(&first), add(&later)), (Ok(()), Ok(())));
        let problem = add(&testing::with_correct(run, 8000)).unwrap_err();
        assert!(problem.contains("twice, with two results"), "{problem}");
        assert_eq!(contents.records[&run.id()], first);
    }
}
