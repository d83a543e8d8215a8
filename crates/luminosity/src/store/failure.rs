//! How runs failed: kept apart from the records, because such a run is tried again.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::atomic::{self, Existing};
use super::{Claim, FORMAT, Job, Store, StoreError, failed, holder, id_of, list};

/// A run that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The run.
    pub id: String,
    /// How often it has failed so far.
    pub attempts: u32,
    /// How it failed last.
    pub message: String,
}

#[derive(Serialize)]
struct Written<'a, J> {
    format: u32,
    #[serde(flatten)]
    failure: &'a Failure,
    job: &'a J,
    timing: Timing,
}

#[derive(Serialize)]
struct Timing {
    host: &'static str,
    /// Seconds since 1970.
    at: u64,
}

impl<J: Job, R: Serialize + DeserializeOwned> Store<J, R> {
    /// The runs that failed when they were last tried, by name. A file that cannot be read is left
    /// out: its run is tried again anyhow.
    ///
    /// # Errors
    ///
    /// The folder cannot be listed.
    pub fn failures(&self) -> Result<Vec<Failure>, StoreError> {
        let paths = list(&failed(&self.folder))?;
        let ids = paths.iter().filter_map(|path| id_of(path));
        Ok(ids.filter_map(|id| self.failure(id)).collect())
    }

    pub(crate) fn failure(&self, id: &str) -> Option<Failure> {
        let content = std::fs::read(self.failure_path(id)).ok()?;
        serde_json::from_slice(&content).ok()
    }

    /// Writes down that a run failed.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn fail(&self, _claim: &Claim, job: &J, message: String) -> Result<Failure, StoreError> {
        let id = job.id();
        let before = self.failure(&id).map_or(0, |failure| failure.attempts);
        let failure = Failure {
            id,
            attempts: before.saturating_add(1),
            message,
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let written = Written {
            format: FORMAT,
            failure: &failure,
            job,
            timing: Timing {
                host: holder::host(),
                at: now.map_or(0, |now| now.as_secs()),
            },
        };
        let path = self.failure_path(&failure.id);
        let content = serde_json::to_vec_pretty(&written).map_err(std::io::Error::from);
        content
            .and_then(|content| atomic::write(&path, &failure.id, &content, Existing::Replace))
            .map_err(|e| StoreError::io("write", &path, e))?;
        Ok(failure)
    }
}
