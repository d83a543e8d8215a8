//! A folder of run records. Any number of processes fill it, one run at a time, and it survives any end of a
//! process.
//!
//! ```text
//! manifest.json                the request
//! runs/<id>.json               one finished run; appears complete, is never replaced
//! runs/<id>.claim              a process is making the run (a lock that ends with its process)
//! runs/<id>.json.damaged-<n>   a record that could not be used, kept for inspection
//! .lock                        held while the manifest is written
//! ```
//!
//! Runs are deterministic and an existing record is never replaced, so it does no harm if two processes make
//! the same run.

mod claim;
mod manifest;
mod pack;
pub(crate) mod record;

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

pub use claim::Claim;
pub use manifest::{Manifest, Open};
pub use pack::{pack, read, unpack};
pub use record::Contents;

use crate::record::SweepRecord;
use crate::{Error, files};

/// The version of the layout above and of the store's part of the file formats.
pub const FORMAT: u32 = 1;
/// The longest file of a store that is read.
const MOST_BYTES: u64 = 1 << 28;

/// A folder of records.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    manifest: Manifest,
}

/// The state of a run, as seen by a process that may make it.
#[derive(Debug)]
pub enum Turn {
    /// It has a record; nothing to do.
    Done,
    /// Another process is making it.
    Busy,
    /// Make it, and hold the claim until its record is published.
    Mine(Claim),
}

impl Store {
    /// Opens the store in `folder`, which must hold one. Writes nothing.
    ///
    /// # Errors
    ///
    /// There is no manifest, it is not readable, or it has another format.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        if folder.exists() && !folder.is_dir() {
            let problem = "not a folder; allowed: the folder of a store";
            return Err(Error::file(folder, problem));
        }
        let path = manifest_path(folder);
        let manifest = read_manifest(&path)?.ok_or_else(|| {
            let problem = "not there; allowed: the folder of a store (of a comparison: runs-* in its \
                           folder), or a packed store";
            Error::file(&path, problem)
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            manifest,
        })
    }

    /// The contents of the store in `folder`, as [`prepare`](Self::prepare) would open it for the request `asked`;
    /// none if there is no store. Writes nothing.
    ///
    /// # Errors
    ///
    /// The store was made for another request, or it cannot be read.
    pub fn look(folder: &Path, asked: &Manifest, open: Open) -> Result<Option<Contents>, Error> {
        let path = manifest_path(folder);
        let Some(stored) = read_manifest(&path)? else {
            return check_no_records(folder).map(|()| None);
        };
        let store = Self {
            folder: folder.to_owned(),
            manifest: asked.over(&stored, open, &path)?,
        };
        store.contents().map(Some)
    }

    /// Opens the store in `folder` for the request `asked`, or creates it. Files left by killed processes are
    /// removed.
    ///
    /// # Errors
    ///
    /// The store was made for another request, or the folder cannot be written to.
    pub fn prepare(folder: &Path, asked: &Manifest, open: Open) -> Result<Self, Error> {
        let runs = folder.join("runs");
        std::fs::create_dir_all(&runs).map_err(|e| Error::io("create", &runs, e))?;
        let store = Self {
            folder: folder.to_owned(),
            manifest: settle(folder, asked, open)?,
        };
        store.clear_leftovers()?;
        Ok(store)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Reads all records. A record that cannot be used is named and does not stop the others; nothing is
    /// changed.
    ///
    /// # Errors
    ///
    /// The folder cannot be listed.
    pub fn contents(&self) -> Result<Contents, Error> {
        let mut contents = Contents::new(self.manifest.clone());
        for path in files::list(&self.runs())? {
            let Some(id) = named(&path, ".json") else {
                continue;
            };
            let found = files::read(&path, MOST_BYTES).map_err(Error::without_file);
            if let Err(reason) = found.and_then(|content| contents.add(Some(id), &content)) {
                contents.problems.push(Error::file(&path, reason));
            }
        }
        Ok(contents)
    }

    /// Claims a run if it needs to be made. A damaged record is put aside. This never waits.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if this run cannot be made; [`Error::Io`] if a file cannot be written or read.
    pub fn begin(&self, id: &str) -> Result<Turn, Error> {
        if let Ok(true) = self.find(id)? {
            return Ok(Turn::Done);
        }
        let Some(claim) = claim::attempt(&self.file_of(id, ".claim"))? else {
            return Ok(Turn::Busy);
        };
        // The last holder of the claim may have published the record before this claim.
        match self.find(id)? {
            Ok(true) => return Ok(Turn::Done),
            Ok(false) => {}
            Err(_) => self.put_aside(id)?,
        }
        Ok(Turn::Mine(claim))
    }

    /// Writes the record of a run. An existing record is kept.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if it could not be read again, [`Error::Io`] if it cannot be written.
    pub fn publish(&self, _claim: &Claim, id: &str, record: &SweepRecord) -> Result<(), Error> {
        let path = self.file_of(id, ".json");
        let content = record::encode(&self.manifest, id, record);
        let content = content.map_err(|problem| Error::file(&path, problem))?;
        if !files::create(&path, &content)? && self.find(id)?.is_err() {
            let problem = "something that is no record took this place during the run";
            return Err(Error::file(&path, problem));
        }
        Ok(())
    }

    /// Whether a run has its record. The inner error is the fault of the record; the outer error is a failure
    /// to read it.
    fn find(&self, id: &str) -> Result<Result<bool, String>, Error> {
        let path = self.file_of(id, ".json");
        match read_if_there(&path) {
            Ok(Some(content)) => {
                Ok(record::decode(&self.manifest, Some(id), &content).map(|_| true))
            }
            Ok(None) if path.is_symlink() => {
                Err(Error::file(&path, "a symbolic link that leads nowhere"))
            }
            Ok(None) => Ok(Ok(false)),
            // For example a file of another user: this run fails, but no other.
            Err(Error::Io { source, .. }) => Err(Error::file(&path, source)),
            Err(Error::File { problem, .. }) => Ok(Err(problem)),
            Err(other) => Err(other),
        }
    }

    /// Renames a damaged record, so that its run can be made.
    fn put_aside(&self, id: &str) -> Result<(), Error> {
        let path = self.file_of(id, ".json");
        let aside = |n: u64| self.file_of(id, &format!(".json.damaged-{n}"));
        let free = (1..)
            .map(aside)
            .find(|path| path.symlink_metadata().is_err());
        let renamed = free.map_or(Ok(()), |free| std::fs::rename(&path, free));
        renamed.map_err(|e| Error::io("rename", &path, e))
    }

    fn runs(&self) -> PathBuf {
        self.folder.join("runs")
    }

    /// The path of a file of a run.
    fn file_of(&self, id: &str, ending: &str) -> PathBuf {
        self.runs().join(format!("{id}{ending}"))
    }

    /// Removes files left by killed processes: claims and temporary files of runs that no process is making.
    /// It does no harm if a file cannot be removed.
    fn clear_leftovers(&self) -> Result<(), Error> {
        for path in files::list(&self.runs())? {
            let temporary = files::temporary_of(&path).and_then(|name| name.strip_suffix(".json"));
            let Some(id) = temporary.or_else(|| named(&path, ".claim")) else {
                continue;
            };
            // Dropping the claim removes its file.
            if let Ok(Some(_claim)) = claim::attempt(&self.file_of(id, ".claim"))
                && temporary.is_some()
            {
                let _ = files::remove(&path);
            }
        }
        Ok(())
    }
}

fn manifest_path(folder: &Path) -> PathBuf {
    folder.join("manifest.json")
}

/// The content of a file of a store; none if there is no file of this name.
fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match files::read(path, MOST_BYTES) {
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        content => content.map(Some),
    }
}

fn read_manifest(path: &Path) -> Result<Option<Manifest>, Error> {
    let content = read_if_there(path)?;
    let manifest = content
        .map(|content| Manifest::decode(&content))
        .transpose();
    manifest.map_err(|problem| Error::file(path, problem))
}

/// Makes sure that the folder has a matching manifest, and returns it.
fn settle(folder: &Path, asked: &Manifest, open: Open) -> Result<Manifest, Error> {
    let path = manifest_path(folder);
    let united = || match read_manifest(&path)? {
        Some(stored) => {
            let united = asked.over(&stored, open, &path)?;
            Ok::<_, Error>((stored == united, united))
        }
        None => Ok((false, asked.clone())),
    };
    // A store that needs no change may be read-only.
    if let (true, manifest) = united()? {
        return Ok(manifest);
    }
    let lock = folder.join(".lock");
    // Held until the end. In a folder without locks, the last writer wins.
    let locked = lock_file(&lock)?;
    let _ = locked.lock();
    let (settled, manifest) = united()?;
    if settled {
        return Ok(manifest);
    }
    if !path.exists() {
        check_no_records(folder)?;
    }
    for left in files::list(folder)? {
        if files::temporary_of(&left).is_some() {
            files::remove(&left)?;
        }
    }
    let content = serde_json::to_vec_pretty(&manifest).map_err(|e| Error::file(&path, e))?;
    files::write(&path, &content)?;
    Ok(manifest)
}

/// Checks that a folder without a manifest has no records: they must not be assigned to another request.
fn check_no_records(folder: &Path) -> Result<(), Error> {
    let runs = folder.join("runs");
    let found = match runs.is_dir() {
        true => files::list(&runs)?,
        false => Vec::new(),
    };
    match found.iter().find(|path| named(path, ".json").is_some()) {
        Some(record) => {
            let record = record.display();
            let problem = format!("missing beside {record}; allowed: an empty folder");
            Err(Error::file(&manifest_path(folder), problem))
        }
        None => Ok(()),
    }
}

fn lock_file(path: &Path) -> Result<File, Error> {
    // Opening a FIFO would wait for a reader.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(Error::file(path, "not a regular file"));
    }
    let mut options = File::options();
    let opened = options.create(true).truncate(false).write(true).open(path);
    opened.map_err(|e| Error::io("write", path, e))
}

/// The name of a file without this ending.
fn named<'a>(path: &'a Path, ending: &str) -> Option<&'a str> {
    path.file_name()?.to_str()?.strip_suffix(ending)
}
