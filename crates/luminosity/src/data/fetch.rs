//! Downloads the published Fashion-MNIST into a folder.
//!
//! The official mirror supports only plain HTTP, so the SHA-256 of the content is checked. A download stays in
//! memory until this check, so nothing else is ever stored.

use std::fmt::Display;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::Agent;

use super::files::IdxFile;
use super::identity::PUBLISHED_SHA256;
use super::idx::{self, Idx};
use crate::error::one_line;
use crate::{Error, files};

/// The official mirror of Fashion-MNIST.
pub const MIRROR: &str = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/";

/// The timeout of a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// The longest silence of the server; a slow download is not an error.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest download, more than twice the largest file, so that a server cannot fill the memory.
const MAX_DOWNLOAD: u64 = 64 << 20;
/// The number of bytes after the header of each published file, in the order of [`IdxFile::ALL`].
const PUBLISHED_BYTES: [usize; 4] = [60_000 * 28 * 28, 60_000, 10_000 * 28 * 28, 10_000];
/// The bytes between two calls for the progress.
const CHUNK: u64 = 64 << 10;

/// The progress of the download of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The name of the file.
    pub file: &'a str,
    /// The bytes received so far.
    pub received: u64,
    /// The number of bytes to receive, if the server tells it.
    pub total: Option<u64>,
}

/// A callback for the progress of a download; it returns whether to go on.
pub type Observer<'a> = dyn FnMut(Progress<'_>) -> ControlFlow<()> + 'a;

/// One file of the data set that is now in the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its path.
    pub path: PathBuf,
    /// Whether it existed before, with the right content.
    pub was_there: bool,
}

/// Downloads each of the four files that `folder` lacks, and calls `progress` while the bytes arrive.
///
/// # Errors
///
/// [`Error::Interrupted`] if `progress` breaks; [`Error::File`] with the address if the network or the content
/// is at fault, with a path if the folder has a wrong file that takes precedence; [`Error::Io`] if the folder
/// cannot be written. After an error there is no new file but those that were complete.
pub fn fetch(
    base_url: &str,
    folder: &Path,
    progress: &mut Observer<'_>,
) -> Result<Vec<Fetched>, Error> {
    let config = Agent::config_builder()
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_per_read(Some(SILENCE_TIMEOUT));
    let agent = config.build().into();
    let expected = PUBLISHED_SHA256;
    fetch_with(&agent, base_url, folder, expected, MAX_DOWNLOAD, progress)
}

/// [`fetch`] of up to `limit` bytes of each file, whose digests have the order of [`IdxFile::ALL`].
fn fetch_with(
    agent: &Agent,
    base_url: &str,
    folder: &Path,
    expected: [&str; 4],
    limit: u64,
    progress: &mut Observer<'_>,
) -> Result<Vec<Fetched>, Error> {
    files::prepare_folder(folder)?;
    let files = IdxFile::ALL.into_iter().zip(expected);
    let fetched = files.map(|(file, expected)| {
        let download = Download {
            agent,
            url: format!("{}/{}", base_url.trim_end_matches('/'), file.gzipped_name()),
            folder,
            file,
            expected,
            limit,
        };
        download.get(progress)
    });
    fetched.collect()
}

/// The download of one file.
struct Download<'a> {
    agent: &'a Agent,
    url: String,
    folder: &'a Path,
    file: IdxFile,
    /// The digest of the content.
    expected: &'a str,
    /// The most bytes to download.
    limit: u64,
}

impl Download<'_> {
    /// Finds the file in the folder, or downloads it.
    fn get(&self, progress: &mut Observer<'_>) -> Result<Fetched, Error> {
        let file = self.file;
        let path = self.folder.join(file.gzipped_name());
        if let Some(present) = file.locate(self.folder) {
            let content = idx::open(&present, file.kind(), PUBLISHED_BYTES[file as usize]);
            if content.is_ok_and(|content| content.sha256 == self.expected) {
                return Ok(Fetched {
                    path: present,
                    was_there: true,
                });
            }
            if present != path {
                return Err(Error::file(
                    &present,
                    "not the published file, but would be used instead of it; move it away first",
                ));
            }
        }

        let bytes = self.download(progress)?;
        self.check(&bytes)?;
        files::write(&path, &bytes)?;
        Ok(Fetched {
            path,
            was_there: false,
        })
    }

    fn download(&self, progress: &mut Observer<'_>) -> Result<Vec<u8>, Error> {
        let response = self.agent.get(&self.url).call();
        let body = response.map_err(|e| self.failed(&e))?.into_body();
        let total = body.content_length();
        let mut reader = body.into_with_config().limit(self.limit).reader();

        let name = self.file.gzipped_name();
        let mut bytes = Vec::new();
        loop {
            let so_far = Progress {
                file: &name,
                received: bytes.len() as u64,
                total,
            };
            if progress(so_far).is_break() {
                return Err(Error::Interrupted);
            }
            let read = reader.by_ref().take(CHUNK).read_to_end(&mut bytes);
            if read.map_err(|e| self.failed(&e))? == 0 {
                return Ok(bytes);
            }
        }
    }

    /// Unpacks the file and compares its content with the digest.
    fn check(&self, bytes: &[u8]) -> Result<(), Error> {
        let (file, expected) = (self.file, self.expected);
        let most = PUBLISHED_BYTES[file as usize];
        let problem = match idx::read(&self.url, file.kind(), most, bytes) {
            Ok(content) if content.sha256 == expected => return Ok(()),
            Ok(Idx { sha256, .. }) => {
                format!("SHA-256 of the content is {sha256}, must be {expected}")
            }
            Err(Error::File { problem, .. }) => problem,
            Err(other) => return Err(other),
        };
        Err(self.failed(&problem))
    }

    fn failed(&self, reason: &dyn Display) -> Error {
        let other = "instead of a download, `apt-get install dataset-fashion-mnist` or name a folder that \
            has the data with --data DIR";
        let problem = format!("{}; {other}", one_line(&reason.to_string()));
        Error::file(Path::new(&self.url), problem)
    }
}

#[cfg(test)]
mod tests;
