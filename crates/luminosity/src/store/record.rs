//! The records of finished runs: what is written, and what counts as one when read.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{FORMAT, Job, Store, StoreError, id_of, list, runs};

/// A record file that cannot be used. Its run counts as not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

/// What a store holds.
#[derive(Debug)]
pub struct Completed<R> {
    /// The records, by the names of their runs.
    pub records: BTreeMap<String, R>,
    /// The files that could not be used.
    pub problems: Vec<Problem>,
}

/// What is found at the place of a record.
#[derive(Debug)]
pub(super) enum Found<R> {
    Nothing,
    Complete(R),
    Damaged(Problem),
}

#[derive(Serialize)]
struct Written<'a, R> {
    format: u32,
    id: &'a str,
    #[serde(flatten)]
    record: &'a R,
}

#[derive(Deserialize)]
struct Header {
    format: u32,
    id: String,
}

impl<J: Job, R: Serialize + DeserializeOwned> Store<J, R> {
    /// Reads all records. One that cannot be used is reported and does not stop the rest; nothing
    /// is changed.
    ///
    /// # Errors
    ///
    /// The folder cannot be listed.
    pub fn completed(&self) -> Result<Completed<R>, StoreError> {
        let mut completed = Completed {
            records: BTreeMap::new(),
            problems: Vec::new(),
        };
        let known: std::collections::HashSet<&str> =
            self.manifest.jobs().iter().map(String::as_str).collect();
        for path in list(&runs(&self.folder))? {
            let Some(id) = id_of(&path) else {
                continue;
            };
            let found = if known.contains(id) {
                self.find(id)
            } else {
                let reason = "of a run that this store was not made for".to_owned();
                Ok(Found::Damaged(Problem {
                    path: path.clone(),
                    reason,
                }))
            };
            match found {
                Ok(Found::Nothing) => {}
                Ok(Found::Complete(record)) => {
                    completed.records.insert(id.to_owned(), record);
                }
                Ok(Found::Damaged(problem)) => completed.problems.push(problem),
                Err(error) => completed.problems.push(Problem {
                    reason: error.to_string(),
                    path: path.clone(),
                }),
            }
        }
        Ok(completed)
    }

    /// Whether a run has a record that can be used.
    pub fn is_done(&self, id: &str) -> bool {
        matches!(self.find(id), Ok(Found::Complete(_)))
    }

    /// Looks for the record of a run. An error is one of the disk, which says nothing of the record.
    pub(super) fn find(&self, id: &str) -> Result<Found<R>, StoreError> {
        let path = self.record_path(id);
        let reason = match super::atomic::read(&path) {
            Ok(None) => return Ok(Found::Nothing),
            Ok(Some(content)) => match decode::<J, R>(id, &content) {
                Ok(record) => return Ok(Found::Complete(record)),
                Err(reason) => reason,
            },
            Err(e) if of_the_file(e.kind()) => e.to_string(),
            Err(e) => return Err(StoreError::io("read", &path, e)),
        };
        Ok(Found::Damaged(Problem { path, reason }))
    }
}

/// Whether an error will stay as long as the file does.
fn of_the_file(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::IsADirectory | ErrorKind::PermissionDenied)
}

/// The file of a record.
///
/// # Errors
///
/// [`StoreError::Record`] if it would not be understood when read again: better now than each time.
pub(super) fn encode<J, R>(id: &str, record: &R) -> Result<Vec<u8>, StoreError>
where
    J: Job,
    R: Serialize + DeserializeOwned,
{
    let written = Written {
        format: FORMAT,
        id,
        record,
    };
    let content = serde_json::to_vec_pretty(&written).map_err(|e| e.to_string());
    let checked = content.and_then(|mut content| {
        decode::<J, R>(id, &content)?;
        content.push(b'\n');
        Ok(content)
    });
    checked.map_err(|problem| StoreError::Record {
        id: id.to_owned(),
        problem,
    })
}

/// The record of run `id` in the content of its file, or what is wrong with it.
fn decode<J: Job, R: DeserializeOwned>(id: &str, content: &[u8]) -> Result<R, String> {
    let header: Header = serde_json::from_slice(content).map_err(|e| format!("damaged: {e}"))?;
    if header.format != FORMAT {
        let found = header.format;
        return Err(format!("in format {found}; allowed: format {FORMAT}"));
    }
    if header.id != id {
        return Err(format!("holds the run {}, not {id}", header.id));
    }
    let job: J = serde_json::from_slice(content).map_err(|e| format!("not of a job: {e}"))?;
    if job.id() != id {
        return Err(format!("its values are those of {}, not of {id}", job.id()));
    }
    serde_json::from_slice(content).map_err(|e| format!("not a record: {e}"))
}

/// A name for a damaged record that no file has yet.
pub(super) fn name_aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".damaged-");
    let numbered = |n: u64| {
        let mut name = name.clone();
        name.push(n.to_string());
        PathBuf::from(name)
    };
    let mut n = 1;
    while numbered(n).symlink_metadata().is_ok() {
        n += 1;
    }
    numbered(n)
}
