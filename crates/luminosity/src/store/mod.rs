//! A folder of run records that any number of processes fill, one run at a time, and that survives
//! whatever ends them.
//!
//! ```text
//! manifest.json          what was asked for; never changed except by `Store::extend`
//! runs/<id>.json         one finished run; appears complete, is never replaced
//! runs/<id>.claim        somebody is at it (an advisory lock that dies with its process)
//! runs/<id>.json.damaged-<n>   a record that could not be used, kept to be looked at
//! failed/<id>.json       how a run failed last; gone once it succeeds
//! ```
//!
//! One rule keeps the store right: only the holder of a run's claim touches the files of that run,
//! and it looks for the record once more after it got the claim.

mod atomic;
mod claim;
mod difference;
mod error;
mod failure;
mod holder;
mod job;
mod manifest;
mod record;
mod turn;

use std::marker::PhantomData;
use std::path::{Path, PathBuf};

pub use claim::Claim;
pub use error::StoreError;
pub use failure::Failure;
pub use holder::Holder;
pub use job::Job;
pub use manifest::Manifest;
pub use record::{Completed, Problem};
pub use turn::Turn;

pub(crate) use holder::BEAT;
pub(crate) use job::cost;

/// The version of the layout above and of what the store itself writes into its files.
pub const FORMAT: u32 = 1;

/// A folder of records `R`, one for each job `J`.
///
/// A record is a JSON object that holds the fields of its job at the top level, and under `timing`
/// everything that depends on the clock or the machine. The store adds `format` and `id`.
#[derive(Debug)]
pub struct Store<J, R> {
    folder: PathBuf,
    manifest: Manifest,
    leases: holder::Leases,
    types: PhantomData<fn() -> (J, R)>,
}

impl<J: Job, R: serde::Serialize + serde::de::DeserializeOwned> Store<J, R> {
    /// Opens the store in `folder`, which must hold one. Writes nothing.
    ///
    /// # Errors
    ///
    /// There is no manifest, or it is not readable, or of another format.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, StoreError> {
        let folder = folder.as_ref();
        let path = manifest::path(folder);
        match Manifest::read(&path)? {
            Some(manifest) => Ok(Self::new(folder, manifest)),
            None => Err(StoreError::file(
                &path,
                "not there; allowed: the folder of a store",
            )),
        }
    }

    /// Opens the store in `folder`, or makes one there for what `manifest` asks. What other
    /// processes left half-written is cleared away.
    ///
    /// # Errors
    ///
    /// The store there was made for another request, or the folder cannot be written to.
    pub fn open_or_create(
        folder: impl AsRef<Path>,
        manifest: Manifest,
    ) -> Result<Self, StoreError> {
        Self::prepare(folder.as_ref(), manifest, Manifest::must_equal)
    }

    /// As [`Store::open_or_create`], but the request may differ from that of the store if it names
    /// all of the store's jobs, and maybe more. It becomes that of the store. Jobs are told apart by
    /// their names alone: whatever changes a result has to change the name.
    ///
    /// # Errors
    ///
    /// A job of the store is missing from `manifest`, or the folder cannot be written to.
    pub fn extend(folder: impl AsRef<Path>, manifest: Manifest) -> Result<Self, StoreError> {
        Self::prepare(folder.as_ref(), manifest, Manifest::must_include)
    }

    fn prepare(
        folder: &Path,
        manifest: Manifest,
        compatible: fn(&Manifest, &Manifest, &Path) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        for folder in [folder, &runs(folder), &failed(folder)] {
            std::fs::create_dir_all(folder).map_err(|e| StoreError::io("create", folder, e))?;
        }
        let manifest = manifest.settle(folder, compatible)?;
        let store = Self::new(folder, manifest);
        store.clear_leftovers()?;
        Ok(store)
    }

    fn new(folder: &Path, manifest: Manifest) -> Self {
        Self {
            folder: folder.to_owned(),
            manifest,
            leases: holder::Leases::default(),
            types: PhantomData,
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the store was made for.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(crate) fn check_jobs(&self, jobs: &[J]) -> Result<(), StoreError> {
        self.manifest.check(jobs)
    }

    /// The file of a run's record.
    pub fn record_path(&self, id: &str) -> PathBuf {
        runs(&self.folder).join(format!("{id}.json"))
    }

    fn claim_path(&self, id: &str) -> PathBuf {
        runs(&self.folder).join(format!("{id}.claim"))
    }

    fn failure_path(&self, id: &str) -> PathBuf {
        failed(&self.folder).join(format!("{id}.json"))
    }

    /// Removes what killed processes left: temporary files and claims of runs that nobody is at.
    /// What cannot be removed does no harm.
    pub(crate) fn clear_leftovers(&self) -> Result<(), StoreError> {
        for folder in [runs(&self.folder), failed(&self.folder)] {
            for path in list(&folder)? {
                let temporary = atomic::temporary_for(&path);
                let Some(id) = temporary.or_else(|| claim::run_of(&path)) else {
                    continue;
                };
                let claimed = claim::attempt(&self.claim_path(&id), &self.leases);
                // A claim that is ours goes when it is dropped.
                if let Ok(claim::Attempt::Mine(_claim)) = claimed
                    && atomic::temporary_for(&path).is_some()
                {
                    let _ = atomic::remove(&path);
                }
            }
        }
        Ok(())
    }
}

fn runs(folder: &Path) -> PathBuf {
    folder.join("runs")
}

fn failed(folder: &Path) -> PathBuf {
    folder.join("failed")
}

/// The files of a folder, sorted.
fn list(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = std::fs::read_dir(folder).and_then(|entries| {
        entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()
    });
    let mut paths = entries.map_err(|e| StoreError::io("list", folder, e))?;
    paths.sort();
    Ok(paths)
}

/// The `id` of `<id>.json`.
fn id_of(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()?.strip_suffix(".json")
}
