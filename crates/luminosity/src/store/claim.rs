//! The exclusive right to work on a run: a lock on a file, which the system releases when its process ends.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use crate::{Error, files};

/// The exclusive right to work on a run, until it is dropped. It only saves work: two processes that make the
/// same run do no harm.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    _locked: File,
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Removed while the lock is held. A claim that cannot be removed does no harm.
        let _ = files::remove(&self.path);
    }
}

/// Tries once to get the claim `path`; none if another process has it. This never waits.
pub(super) fn attempt(path: &Path) -> Result<Option<Claim>, Error> {
    let file = super::lock_file(path)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(None),
        // In a folder without locks, the work goes on without them.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(Claim {
            path: path.to_owned(),
            _locked: file,
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_excludes_others_until_dropped_and_is_nobodys_without_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.claim");
        std::fs::write(&path, "left behind").unwrap();
        let claim = attempt(&path).unwrap();
        assert!(claim.is_some());
        assert!(attempt(&path).unwrap().is_none());
        drop(claim);
        assert!(!path.exists());
        assert!(attempt(&path).unwrap().is_some());
    }
}
