//! What a store was made for.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::atomic::{self, Existing};
use super::{FORMAT, Job, StoreError, claim, difference, holder, id_of, job, list, runs};

/// How long to wait for another process that is writing the manifest, which takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// The request that a store answers: written when it is made, compared whenever it is continued.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    program: String,
    asked: Value,
    jobs: Vec<String>,
}

/// All that manifests of every format have in common.
#[derive(Deserialize)]
struct Header {
    format: u32,
}

impl Manifest {
    /// The request `asked` to the program of this version, which amounts to `jobs`.
    ///
    /// # Errors
    ///
    /// Two jobs have the same name, or a name is not fit for a file.
    pub fn new<J: Job>(
        program: &str,
        asked: &impl Serialize,
        jobs: &[J],
    ) -> Result<Self, StoreError> {
        let jobs: Vec<String> = jobs.iter().map(Job::id).collect();
        let mut seen = HashSet::new();
        for id in &jobs {
            job::check_id(id)?;
            if !seen.insert(id.to_ascii_lowercase()) {
                let problem = format!("two runs are named {id}; allowed: different names");
                return Err(StoreError::Jobs { problem });
            }
        }
        let asked = serde_json::to_value(asked).map_err(|e| StoreError::Jobs {
            problem: format!("the request cannot be written down: {e}"),
        })?;
        Ok(Self {
            format: FORMAT,
            program: program.to_owned(),
            asked,
            jobs,
        })
    }

    /// The version of the program that made the store.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// What was asked for.
    pub fn asked(&self) -> &Value {
        &self.asked
    }

    /// The names of all runs.
    pub fn jobs(&self) -> &[String] {
        &self.jobs
    }

    /// Makes sure that `jobs` are different ones of the store's.
    pub(super) fn check<J: Job>(&self, jobs: &[J]) -> Result<(), StoreError> {
        let mut open: HashSet<&str> = self.jobs.iter().map(String::as_str).collect();
        match jobs
            .iter()
            .map(Job::id)
            .find(|id| !open.remove(id.as_str()))
        {
            None => Ok(()),
            Some(id) => Err(StoreError::Jobs {
                problem: format!(
                    "the run {id} is not one of the store's, or twice in the list; allowed: each \
                     of the store's {} runs once",
                    self.jobs.len()
                ),
            }),
        }
    }

    /// Reads a manifest; none if there is no file.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, StoreError> {
        let content = atomic::read(path).map_err(|e| StoreError::io("read", path, e))?;
        let Some(content) = content else {
            return Ok(None);
        };
        let damaged = |e| StoreError::file(path, format!("not the manifest of a store: {e}"));
        let Header { format } = serde_json::from_slice(&content).map_err(damaged)?;
        if format != FORMAT {
            let problem = format!("written in format {format}; allowed: format {FORMAT}");
            return Err(StoreError::file(path, problem));
        }
        serde_json::from_slice(&content).map(Some).map_err(damaged)
    }

    /// Makes sure that the folder has a manifest that is `compatible` with this one, and returns
    /// the one that holds from now on.
    pub(super) fn settle(
        self,
        folder: &Path,
        compatible: fn(&Self, &Self, &Path) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let path = path(folder);
        let settled = |stored: &Self| -> Result<bool, StoreError> {
            compatible(&self, stored, &path)?;
            Ok(stored.asked == self.asked && stored.jobs == self.jobs)
        };
        if let Some(stored) = Self::read(&path)?
            && settled(&stored)?
        {
            return Ok(stored);
        }
        let _claim = wait_for_claim(&folder.join("manifest.claim"))?;
        // Another process may have been faster.
        match Self::read(&path)? {
            Some(stored) if settled(&stored)? => return Ok(stored),
            Some(_) => {}
            None => refuse_orphans(folder, &path)?,
        }
        for left in list(folder)? {
            if atomic::temporary_for(&left).is_some() {
                atomic::remove(&left).map_err(|e| StoreError::io("remove", &left, e))?;
            }
        }
        let content = serde_json::to_vec_pretty(&self)
            .map_err(std::io::Error::from)
            .and_then(|content| atomic::write(&path, "manifest", &content, Existing::Replace));
        content.map_err(|e| StoreError::io("write", &path, e))?;
        Ok(self)
    }

    /// Whether the store was made for the same.
    pub(super) fn must_equal(&self, stored: &Self, path: &Path) -> Result<(), StoreError> {
        let request = |m: &Self| serde_json::json!({"asked": m.asked, "jobs": m.jobs});
        match difference::first(&request(stored), &request(self)) {
            None => Ok(()),
            Some(difference) => Err(StoreError::Request {
                path: path.to_owned(),
                key: difference.key,
                stored: difference.left,
                asked: difference.right,
            }),
        }
    }

    /// Whether all that is in the store is still wanted.
    pub(super) fn must_include(&self, stored: &Self, path: &Path) -> Result<(), StoreError> {
        let wanted: HashSet<&String> = self.jobs.iter().collect();
        match stored.jobs.iter().find(|id| !wanted.contains(id)) {
            None => Ok(()),
            Some(id) => Err(StoreError::file(
                path,
                format!(
                    "holds the run {id}, which is not among the {} asked for; allowed: all {} runs \
                     of the store and more, or another folder",
                    self.jobs.len(),
                    stored.jobs.len()
                ),
            )),
        }
    }
}

/// The file.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join("manifest.json")
}

/// Records whose request nobody knows must not be taken for those of this one.
fn refuse_orphans(folder: &Path, manifest: &Path) -> Result<(), StoreError> {
    let runs = runs(folder);
    match list(&runs)?.iter().find(|path| id_of(path).is_some()) {
        None => Ok(()),
        Some(record) => Err(StoreError::file(
            manifest,
            format!(
                "missing beside {}; allowed: an empty folder",
                record.display()
            ),
        )),
    }
}

fn wait_for_claim(path: &Path) -> Result<claim::Claim, StoreError> {
    let leases = holder::Leases::default();
    let started = Instant::now();
    loop {
        match claim::attempt(path, &leases).map_err(|e| StoreError::io("write", path, e))? {
            claim::Attempt::Mine(claim) => return Ok(claim),
            claim::Attempt::Busy(_) if started.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            claim::Attempt::Busy(holder) => {
                let whose = holder.map_or("another process".to_owned(), |h| h.to_string());
                let problem = format!("held by {whose}; if that has ended, remove the file");
                return Err(StoreError::file(path, problem));
            }
        }
    }
}
