//! Files appear whole or not at all.

use std::io::{self, Write};
use std::path::Path;

/// What stands between the name of a run and the random end of a temporary file's name.
const MARK: &str = ".writing-";

/// What to do with a file of that name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// It stays, and nothing is written.
    Keep,
    /// It is replaced.
    Replace,
}

/// Writes `content` for run `id` under a temporary name, then gives it the name `path`. False if a
/// file of that name was kept.
pub(super) fn write(path: &Path, id: &str, content: &[u8], existing: Existing) -> io::Result<bool> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let prefix = format!(".{id}{MARK}");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix);
    // As a plain file would be created: the default of temporary files, readable by the owner
    // alone, would outlive the rename.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(content)?;
    // Before the rename, lest a power cut leave the name on an empty file.
    file.as_file().sync_all()?;
    let renamed = match existing {
        Existing::Keep => file.persist_noclobber(path),
        Existing::Replace => file.persist(path),
    };
    match renamed {
        Ok(_) => sync_folder(folder),
        Err(e) if existing == Existing::Keep && e.error.kind() == io::ErrorKind::AlreadyExists => {
            return Ok(false);
        }
        Err(e) => return Err(e.error),
    }
    Ok(true)
}

/// Makes a rename last through a power cut where the system can. Where it cannot, the file is still
/// whole or absent, so a failure changes nothing.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = std::fs::File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// The run that `path` is a temporary file of, if it is one.
pub(super) fn temporary_for(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_prefix('.')?;
    let (id, _) = name.rsplit_once(MARK)?;
    Some(id.to_owned())
}

/// Removes a file that may be gone already.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Reads a file that may not be there.
pub(super) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_kept_or_replaced_and_nothing_else_remains() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        assert!(write(&path, "a", b"one", Existing::Keep).unwrap());
        assert!(!write(&path, "a", b"two", Existing::Keep).unwrap());
        assert_eq!(read(&path).unwrap().unwrap(), b"one");
        assert!(write(&path, "a", b"two", Existing::Replace).unwrap());
        assert_eq!(read(&path).unwrap().unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_what_is_written() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("plain");
        std::fs::write(&plain, b"").unwrap();
        let path = folder.path().join("a.json");
        write(&path, "a", b"", Existing::Keep).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&plain));
    }

    #[test]
    fn a_temporary_file_names_its_run() {
        let of = |name: &str| temporary_for(Path::new(name));
        assert_eq!(of("runs/.a.b-1.writing-x7Yz").as_deref(), Some("a.b-1"));
        for other in ["runs/a.json", "runs/a.claim", ".hidden", "a.writing-x"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
