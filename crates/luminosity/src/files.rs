//! Files are written whole or not at all.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::Error;

/// Creates a folder and makes sure that files can be written to it, before hours of work depend on
/// it.
///
/// # Errors
///
/// [`Error::Io`] that names the folder.
pub fn prepare_folder(folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, e))?;
    let probe = temporary(folder).and_then(|mut file| file.write_all(b"writable?"));
    probe.map_err(|e| Error::io("write to", folder, e))
}

/// Writes a file under a temporary name beside it and renames it when it is complete.
///
/// # Errors
///
/// [`Error::Io`] that names the file; nothing is left behind then.
pub fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let written = temporary(&folder).and_then(|mut file| {
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|e| e.error)
    });
    written.map(drop).map_err(|e| Error::io("write", path, e))
}

/// Reads a file.
///
/// # Errors
///
/// [`Error::Io`] that names the file.
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|e| Error::io("read", path, e))
}

/// Removes a file, if it is there.
///
/// # Errors
///
/// [`Error::Io`] that names the file.
pub fn remove(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io("remove", path, e)),
        _ => Ok(()),
    }
}

fn temporary(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".writing-");
    // As a plain file would be created: the default of temporary files, readable by the owner
    // alone, would outlive the rename.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_names_the_file_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("folder");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("x"), b"").unwrap();
        let message = write(&path, b"one").unwrap_err().to_string();
        assert!(message.contains("folder"), "{message}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

        let missing = folder.path().join("missing/a.txt");
        let message = write(&missing, b"").unwrap_err().to_string();
        assert!(message.contains("missing/a.txt"), "{message}");
    }
}
