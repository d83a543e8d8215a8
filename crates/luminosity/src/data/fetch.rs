//! Downloads the published Fashion-MNIST into a folder.
//!
//! The official mirror speaks plain HTTP only; it is the SHA-256 of the content
//! that is trusted. A file gets its final name only after that was checked.

use std::fs;
use std::io::{Read, Seek, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;
use ureq::Agent;

use super::contents::IdxContent;
use super::error::{DataError, one_line, shown};
use super::files::{IdxFile, list};
use super::verify::published_sha256;

/// The official mirror of Fashion-MNIST.
pub const MIRROR: &str = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/";

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the server may be silent; a slow download is no error.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(30);
/// More than twice the largest file: a server cannot fill the disk.
const MAX_DOWNLOAD: u64 = 64 << 20;
/// What the names of unfinished downloads begin with.
const TEMPORARY: &str = ".download-";
const CHUNK: usize = 64 << 10;

/// How far the download of one file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The name of the file.
    pub file: &'a str,
    /// The bytes received so far.
    pub received: u64,
    /// The bytes to receive, where the server says so.
    pub total: Option<u64>,
}

/// Hears how far a download is, and says whether to go on.
pub type Observer<'a> = dyn FnMut(Progress<'_>) -> ControlFlow<()> + 'a;

/// One file of the data set that is now in the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it was there already, with the right content.
    pub was_there: bool,
}

/// Downloads those of the four files that `folder` lacks, and reports on `progress`.
///
/// # Errors
///
/// [`DataError::Interrupted`] where `progress` says so;
/// [`DataError::Download`] where the network or the content fails,
/// [`DataError::Store`] where the folder does, and [`DataError::InTheWay`] where
/// the folder has a wrong file that would be preferred. No failure leaves a
/// temporary file, or a file with wrong content that was not there before.
pub fn fetch(
    base_url: &str,
    folder: &Path,
    progress: &mut Observer<'_>,
) -> Result<Vec<Fetched>, DataError> {
    let config = Agent::config_builder()
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_per_read(Some(SILENCE_TIMEOUT));
    let job = Job {
        agent: config.build().into(),
        base_url,
        folder,
        expected: IdxFile::ALL.map(published_sha256),
        limit: MAX_DOWNLOAD,
    };
    job.run(progress)
}

/// A download with everything that tests replace.
struct Job<'a> {
    agent: Agent,
    base_url: &'a str,
    folder: &'a Path,
    /// The digests, in the order of [`IdxFile::ALL`].
    expected: [&'a str; 4],
    /// The most bytes to take for one file.
    limit: u64,
}

impl Job<'_> {
    fn run(&self, progress: &mut Observer<'_>) -> Result<Vec<Fetched>, DataError> {
        fs::create_dir_all(self.folder).map_err(|error| store_error(self.folder, &error))?;
        clear(self.folder);
        IdxFile::ALL
            .into_iter()
            .zip(self.expected)
            .map(|(file, expected)| self.get(file, expected, progress))
            .collect()
    }

    /// Makes sure that one file is there.
    fn get(
        &self,
        file: IdxFile,
        expected: &str,
        progress: &mut Observer<'_>,
    ) -> Result<Fetched, DataError> {
        let path = self.folder.join(file.gzipped_name());
        if let Some(present) = file.locate(self.folder) {
            let content = IdxContent::open(file, most(file), &present);
            if content.is_ok_and(|content| content.sha256 == expected) {
                return Ok(Fetched {
                    path: present,
                    was_there: true,
                });
            }
            if present != path {
                return Err(DataError::InTheWay {
                    path: shown(&present),
                });
            }
        }

        // In the same folder, so that the rename cannot cross a file system;
        // dropped, and with it deleted, on every way out but the last.
        let mut temporary =
            temporary(self.folder).map_err(|error| store_error(self.folder, &error))?;
        self.download(file, &mut temporary, progress)?;
        self.check(file, expected, &mut temporary)?;
        temporary
            .as_file()
            .sync_all()
            .map_err(|error| store_error(self.folder, &error))?;
        temporary
            .persist(&path)
            .map_err(|failed| store_error(&path, &failed.error))?;
        sync_folder(self.folder);
        Ok(Fetched {
            path,
            was_there: false,
        })
    }

    fn download(
        &self,
        file: IdxFile,
        target: &mut NamedTempFile,
        progress: &mut Observer<'_>,
    ) -> Result<(), DataError> {
        let response = self
            .agent
            .get(self.url(file))
            .call()
            .map_err(|error| self.download_error(file, &error))?;
        let body = response.into_body();
        let total = body.content_length();
        let mut reader = body.into_with_config().limit(self.limit).reader();

        let name = file.gzipped_name();
        let mut received = 0;
        let mut chunk = vec![0; CHUNK];
        loop {
            let so_far = Progress {
                file: &name,
                received,
                total,
            };
            if progress(so_far).is_break() {
                return Err(DataError::Interrupted);
            }
            let length = reader
                .read(&mut chunk)
                .map_err(|error| self.download_error(file, &error))?;
            // Never none: a reader returns no more than the buffer holds.
            let Some(bytes) = chunk.get(..length).filter(|bytes| !bytes.is_empty()) else {
                return Ok(());
            };
            target
                .as_file_mut()
                .write_all(bytes)
                .map_err(|error| store_error(self.folder, &error))?;
            received += length as u64;
        }
    }

    /// Unpacks what was stored and compares it with the digest.
    fn check(
        &self,
        file: IdxFile,
        expected: &str,
        stored: &mut NamedTempFile,
    ) -> Result<(), DataError> {
        stored
            .rewind()
            .map_err(|error| store_error(stored.path(), &error))?;
        let content = IdxContent::read(file, &self.url(file), most(file), stored).map_err(
            |error| match error {
                DataError::File { problem, .. } => self.download_error(file, &problem),
                other => other,
            },
        )?;
        if content.sha256 == expected {
            return Ok(());
        }
        let found = content.sha256;
        let reason = format!("SHA-256 of the content is {found}, must be {expected}");
        Err(self.download_error(file, &reason))
    }

    fn url(&self, file: IdxFile) -> String {
        let base = self.base_url.trim_end_matches('/');
        format!("{base}/{}", file.gzipped_name())
    }

    fn download_error(&self, file: IdxFile, reason: &dyn std::fmt::Display) -> DataError {
        DataError::Download {
            url: one_line(&self.url(file)),
            reason: one_line(&reason.to_string()),
        }
    }
}

/// The bytes of the published file after its header.
fn most(file: IdxFile) -> usize {
    match file {
        IdxFile::TrainImages => 60_000 * 28 * 28,
        IdxFile::TrainLabels => 60_000,
        IdxFile::TestImages => 10_000 * 28 * 28,
        IdxFile::TestLabels => 10_000,
    }
}

/// A file for a download, with a lock as long as this process has it.
fn temporary(folder: &Path) -> std::io::Result<NamedTempFile> {
    loop {
        let file = NamedTempFile::with_prefix_in(TEMPORARY, folder)?;
        // Without locks in this folder it is no worse off than without this one.
        let _ = file.as_file().lock();
        // Another process may have cleared it away before it was locked.
        if file.path().exists() {
            return Ok(file);
        }
    }
}

/// Removes what downloads left that were killed: those files that nobody has locked.
fn clear(folder: &Path) {
    for (name, path) in list(folder) {
        let left = || fs::File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
        if name.starts_with(TEMPORARY) && left() {
            let _ = fs::remove_file(path);
        }
    }
}

fn store_error(path: &Path, error: &std::io::Error) -> DataError {
    DataError::Store {
        path: shown(path),
        reason: one_line(&error.to_string()),
    }
}

/// Makes the rename survive a power failure. Some file systems refuse this,
/// and the file itself is already safe, so a failure is none of the download.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = fs::File::open(folder) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests;
