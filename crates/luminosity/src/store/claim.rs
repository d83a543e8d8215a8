//! The right to work on a run: a file that one process holds.
//!
//! An advisory lock on the file decides, because it dies with its process. The file is removed by
//! its holder only, while locked; who gets a lock must therefore make sure that the path still leads
//! to the file that was locked. Where locks do not reach (another machine, some network folders),
//! the one that created the file holds it for as long as it keeps refreshing it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::atomic;
use super::holder::{Holder, Leases};

/// How often claims may vanish between two steps before that counts as a failure.
const TRIES: usize = 1000;

/// The right to work on a run. It ends when this is dropped.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    file: File,
}

/// What came of an attempt to get a claim.
#[derive(Debug)]
pub(super) enum Attempt {
    Mine(Claim),
    /// Somebody else has it, who may be known.
    Busy(Option<Holder>),
}

impl Claim {
    /// Tells those who cannot see the lock that its holder is alive.
    pub(crate) fn refresh(&self) {
        // Who cannot write this has lost no more than a promise to the other machines.
        let _ = self.file.set_modified(SystemTime::now());
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Before the lock goes with the file. A claim that cannot be removed is taken over later.
        let _ = atomic::remove(&self.path);
    }
}

/// The run that `path` is the claim of, if it is one.
pub(super) fn run_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    name.strip_suffix(".claim").map(str::to_owned)
}

/// Tries once to get the claim `path`. Never waits.
pub(super) fn attempt(path: &Path, leases: &Leases) -> io::Result<Attempt> {
    for _ in 0..TRIES {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let (mut file, created) = match options.clone().create_new(true).open(path) {
            Ok(file) => (file, true),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => match options.open(path) {
                Ok(file) => (file, false),
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(e),
            },
            Err(e) => return Err(e),
        };
        let locked = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => return Ok(Attempt::Busy(holder(&mut file).0)),
            // No locks in this folder.
            Err(TryLockError::Error(_)) => false,
        };
        // Its holder may have finished and removed it since it was opened.
        if !leads_to(path, &file)? {
            continue;
        }
        if !created {
            let (holder, content) = holder(&mut file);
            // Unreadable under a lock: its maker died, or lost the race, before it had written.
            let dead = locked && holder.as_ref().is_none_or(Holder::locks_like_me);
            let modified = || file.metadata().and_then(|m| m.modified()).ok();
            if !dead && !leases.expired(path, &content, modified()) {
                return Ok(Attempt::Busy(holder));
            }
        }
        let written = sign(&mut file, locked);
        let claim = Claim {
            path: path.to_owned(),
            file,
        };
        return written.map(|()| Attempt::Mine(claim));
    }
    Err(io::Error::other("the file keeps vanishing"))
}

/// Whether `path` is the name of `file`.
fn leads_to(path: &Path, file: &File) -> io::Result<bool> {
    let held = same_file::Handle::from_file(file.try_clone()?)?;
    match same_file::Handle::from_path(path) {
        Ok(named) => Ok(named == held),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

fn holder(file: &mut File) -> (Option<Holder>, Vec<u8>) {
    let mut content = Vec::new();
    let read = file.rewind().and_then(|()| file.read_to_end(&mut content));
    let holder = read.ok().and(serde_json::from_slice(&content).ok());
    (holder, content)
}

fn sign(file: &mut File, locked: bool) -> io::Result<()> {
    let content = serde_json::to_vec(&Holder::me(locked))?;
    file.rewind()?;
    file.set_len(0)?;
    file.write_all(&content)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    fn mine(path: &Path, leases: &Leases) -> Option<Claim> {
        match attempt(path, leases).unwrap() {
            Attempt::Mine(claim) => Some(claim),
            Attempt::Busy(_) => None,
        }
    }

    #[test]
    fn a_claim_excludes_others_until_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.claim");
        let leases = Leases::default();
        let claim = mine(&path, &leases).unwrap();
        match attempt(&path, &leases).unwrap() {
            Attempt::Busy(Some(holder)) => assert_eq!(holder.pid, std::process::id()),
            other => panic!("{other:?}"),
        }
        drop(claim);
        assert!(!path.exists());
        assert!(mine(&path, &leases).is_some());
    }

    #[test]
    fn a_claim_without_a_lock_is_taken_over_on_this_machine() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.claim");
        let dead = Holder {
            pid: 1,
            ..Holder::me(true)
        };
        for left in [
            serde_json::to_vec(&dead).unwrap(),
            b"{\"ho".to_vec(),
            Vec::new(),
        ] {
            std::fs::write(&path, left).unwrap();
            assert!(mine(&path, &Leases::default()).is_some());
        }
    }

    #[test]
    fn a_claim_of_another_machine_is_respected_while_it_is_refreshed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.claim");
        let elsewhere = Holder {
            machine: "another".to_owned(),
            ..Holder::me(true)
        };
        let unlocked = Holder::me(false);
        for holder in [elsewhere, unlocked] {
            std::fs::write(&path, serde_json::to_vec(&holder).unwrap()).unwrap();
            let file = File::options().write(true).open(&path).unwrap();
            let leases = Leases::new(Duration::from_millis(40));
            for second in 1..6 {
                let at = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
                file.set_modified(at).unwrap();
                assert!(mine(&path, &leases).is_none(), "{second}");
                std::thread::sleep(Duration::from_millis(50));
            }
            assert!(mine(&path, &leases).is_some());
        }
    }

    #[test]
    fn many_who_take_and_release_never_hold_it_together() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.claim");
        let (inside, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let leases = Leases::default();
                    while taken.load(Ordering::SeqCst) < 300 {
                        if let Some(claim) = mine(&path, &leases) {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                            taken.fetch_add(1, Ordering::SeqCst);
                            std::thread::yield_now();
                            assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                            drop(claim);
                        }
                    }
                });
            }
        });
        assert!(!path.exists());
    }
}
