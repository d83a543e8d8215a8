//! Files are written completely or not at all, and read up to a limit.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::Error;

/// The text between the name of a file and the random suffix of its temporary file's name.
const MARK: &str = ".writing-";
/// The maximum number of symbolic links to follow from one name.
const MOST_LINKS: usize = 40;

/// Creates a folder and checks that files can be written to it, before long work.
///
/// # Errors
///
/// [`Error::Io`] that names the folder.
pub fn prepare_folder(folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, e))?;
    let probe = temporary(&folder.join("probe")).and_then(|mut file| file.write_all(b"writable?"));
    probe.map_err(|e| Error::io("write to", folder, e))
}

/// Checks that [`write()`] can write a file, without changing the file.
///
/// # Errors
///
/// [`Error::Io`] that names the file.
pub fn prepare_file(path: &Path) -> Result<(), Error> {
    let probe = match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(ErrorKind::IsADirectory.into()),
        // Opening a FIFO would wait for a reader.
        Ok(found) if !found.is_file() => Ok(()),
        _ => followed(path).and_then(|path| temporary(&path).map(drop)),
    };
    probe.map_err(|e| Error::io("write", path, e))
}

/// Writes files under temporary names in their folders and renames them when all are complete: if the disk
/// fills up, no file changes. A symbolic link is kept, and its target gets the new content. Anything but a
/// regular file, such as `/dev/null` or a FIFO, is written to directly; a FIFO must have a reader.
///
/// # Errors
///
/// [`Error::Io`] that names the file; the old content remains.
pub fn write_all(files: &[(impl AsRef<Path>, impl AsRef<[u8]>)]) -> Result<(), Error> {
    let fail = |path: &Path, e| Error::io("write", path, e);
    let special = |found: Metadata| !found.is_file() && !found.is_dir();
    let mut complete = Vec::with_capacity(files.len());
    for (path, content) in files {
        let (path, content) = (path.as_ref(), content.as_ref());
        if std::fs::metadata(path).is_ok_and(special) {
            let written = open_special(path).and_then(|mut file| file.write_all(content));
            written.map_err(|e| fail(path, e))?;
        } else {
            let file = followed(path).and_then(|target| Ok((filled(&target, content)?, target)));
            complete.push((path, file.map_err(|e| fail(path, e))?));
        }
    }
    for (path, (file, target)) in complete {
        file.persist(&target).map_err(|e| fail(path, e.error))?;
        sync_folder(&target);
    }
    Ok(())
}

/// Writes one file like [`write_all()`].
///
/// # Errors
///
/// [`Error::Io`] that names the file; the old content remains.
pub fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    write_all(&[(path, content)])
}

/// Opens a file that is not a regular file; a FIFO without a reader is an error.
fn open_special(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
        if std::fs::metadata(path)?.file_type().is_fifo() {
            let mut at_once = options.clone();
            at_once.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
            let probe = at_once.open(path);
            // While this writer is open, the reader sees no end of the FIFO and stays, so opening it again does
            // not wait.
            let _writer = probe.map_err(|e| match e.raw_os_error() {
                Some(code) if code == rustix::io::Errno::NXIO.raw_os_error() => {
                    io::Error::other("a FIFO that nobody reads")
                }
                _ => e,
            })?;
            return options.open(path);
        }
    }
    options.open(path)
}

/// Like [`write()`], but keeps an existing file or link of this name; returns false if there was one.
///
/// # Errors
///
/// [`Error::Io`] that names the file.
pub fn create(path: &Path, content: &[u8]) -> Result<bool, Error> {
    let created = filled(path, content).and_then(|file| match file.persist_noclobber(path) {
        Ok(_) => {
            sync_folder(path);
            Ok(true)
        }
        Err(e) if e.error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e.error),
    });
    created.map_err(|e| Error::io("write", path, e))
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
///
/// [`Error::Io`] if it cannot be read; [`Error::File`] if it is longer, or not a regular file, which might
/// have no end or make the program wait.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let file = open(path).map_err(|e| Error::io("read", path, e))?;
    let file = file.ok_or_else(|| Error::file(path, "not a regular file"))?;
    let too_long = || Error::file(path, format!("longer than {limit} bytes"));
    // Checked before reading; the file may still grow, and some files report no length.
    if file.metadata().is_ok_and(|found| found.len() > limit) {
        return Err(too_long());
    }
    let mut content = Vec::new();
    let read = file.take(limit.saturating_add(1)).read_to_end(&mut content);
    let length = read.map_err(|e| Error::io("read", path, e))?;
    match length as u64 > limit {
        true => Err(too_long()),
        false => Ok(content),
    }
}

/// Opens a regular file; none if it is not a regular file.
pub(crate) fn open(path: &Path) -> io::Result<Option<File>> {
    // Checked before opening: opening a FIFO waits for a writer.
    match std::fs::metadata(path)?.is_file() {
        true => File::open(path).map(Some),
        false => Ok(None),
    }
}

/// Removes a file if it exists.
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

/// The files of a folder, sorted.
pub(crate) fn list(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = std::fs::read_dir(folder).and_then(|entries| {
        let paths = entries.map(|entry| Ok(entry?.path()));
        paths.collect::<io::Result<Vec<_>>>()
    });
    let mut paths = entries.map_err(|e| Error::io("list", folder, e))?;
    paths.sort();
    Ok(paths)
}

/// The name of the file for which `path` is a temporary file, if it is a temporary file.
pub(crate) fn temporary_of(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?.strip_prefix('.')?;
    name.rsplit_once(MARK).map(|(name, _)| name)
}

/// The target of a chain of links, whether it exists or not.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match std::fs::read_link(&path) {
            // Relative to the folder of the link, unless it is absolute.
            Ok(target) => path = folder_of(&path).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

/// The folder of the file to which [`write()`] would write, if the folder exists.
pub(crate) fn folder_behind(path: &Path) -> Option<PathBuf> {
    folder_of(&followed(path).ok()?).canonicalize().ok()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A temporary file for `path` with the complete content, synced to the disk.
fn filled(path: &Path, content: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    let mut file = temporary(path)?;
    file.write_all(content)?;
    // Before the rename, so that after a power failure the name is not on an empty file.
    file.as_file().sync_all()?;
    Ok(file)
}

fn temporary(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!(".{name}{MARK}");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix);
    // The permissions of a file that is created as usual; a temporary file is for its owner alone.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.tempfile_in(folder_of(path))?;
    // The new file has the same permissions as the old one.
    if let Ok(found) = std::fs::metadata(path) {
        file.as_file().set_permissions(found.permissions())?;
    }
    Ok(file)
}

/// Makes the rename to `path` survive a power failure where the system supports it. Elsewhere the file is still
/// complete or absent.
fn sync_folder(path: &Path) {
    if let Ok(folder) = File::open(folder_of(path)) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 100;

    #[test]
    fn a_file_is_replaced_whole_or_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        assert!(create(&path, b"one").unwrap());
        assert!(!create(&path, b"two").unwrap());
        assert_eq!(read(&path, 3).unwrap(), b"one");
        write(&path, b"three").unwrap();
        prepare_file(&path).unwrap();
        assert!(prepare_file(folder.path()).is_err());
        assert_eq!(read(&path, LIMIT).unwrap(), b"three");
        let message = read(&path, 4).unwrap_err().to_string();
        assert!(message.contains("a.txt") && message.contains("4 bytes"));
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
        assert!(read(&path, LIMIT).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

        let missing = folder.path().join("missing/a.txt");
        let message = write(&missing, b"").unwrap_err().to_string();
        assert!(message.contains("missing/a.txt"), "{message}");
        assert!(!message.contains(MARK), "{message}");
    }

    #[test]
    fn of_several_files_all_are_written_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let all = |second: &Path| write_all(&[(path("a").as_path(), b"new"), (second, b"new")]);
        write(&path("a"), b"old").unwrap();
        assert!(all(&path("missing/b")).is_err());
        assert_eq!(read(&path("a"), LIMIT).unwrap(), b"old");
        all(&path("b")).unwrap();
        assert_eq!(read(&path("a"), LIMIT).unwrap(), b"new");
        assert_eq!(read(&path("b"), LIMIT).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn a_fifo_is_written_to_if_somebody_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        let message = write(&path, b"one").unwrap_err().to_string();
        assert!(message.contains("nobody reads"), "{message}");
        let reading = path.clone();
        let reader = std::thread::spawn(move || std::fs::read(reading).unwrap());
        // Until the reader exists.
        while write(&path, b"two").is_err() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert_eq!(reader.join().unwrap(), b"two");
    }

    #[test]
    fn a_temporary_file_names_its_file() {
        let path = Path::new("runs/.a.b-1.json.writing-x7Yz");
        assert_eq!(temporary_of(path), Some("a.b-1.json"));
        for other in ["runs/a.json", ".hidden", "a.writing-x"] {
            assert_eq!(temporary_of(Path::new(other)), None, "{other}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_devices_are_written_to_and_others_may_read() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
        std::fs::create_dir(path("below")).unwrap();
        symlink("below/target", path("link")).unwrap();
        // First with a dangling link, then with its target.
        for content in [b"one", b"two"] {
            write(&path("link"), content).unwrap();
            assert_eq!(read(&path("below/target"), LIMIT).unwrap(), content);
            assert!(path("link").is_symlink());
        }
        std::fs::write(path("plain"), b"").unwrap();
        assert_eq!(mode(&path("plain")), mode(&path("below/target")));
        symlink("loop", path("loop")).unwrap();
        assert!(write(&path("loop"), b"").is_err());
        symlink("nothing", path("dangling")).unwrap();
        assert!(!create(&path("dangling"), b"").unwrap());

        std::fs::set_permissions(path("plain"), PermissionsExt::from_mode(0o600)).unwrap();
        write(&path("plain"), b"new").unwrap();
        assert_eq!(mode(&path("plain")) & 0o777, 0o600);

        let null = Path::new("/dev/null");
        write(null, b"one").unwrap();
        assert!(!std::fs::metadata(null).unwrap().is_file());
        for endless in ["/dev/null", "/dev/zero"] {
            let message = read(Path::new(endless), LIMIT).unwrap_err().to_string();
            assert!(message.contains("regular file"), "{message}");
        }
    }
}
