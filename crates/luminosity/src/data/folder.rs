//! Recognizes and reads the data in a folder or file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::files::{self, IdxFile, complete, find, list};
use super::input::MAX_BYTES;
use super::{DataSet, Dataset, cifar, idx, npz, table};
use crate::Error;
use crate::error::{one_line, shown};

/// The possible contents of a data folder, for messages.
const READ: &str = "four IDX files with the names of MNIST, EMNIST or QMNIST, the binary batches of \
    CIFAR-10, or NAME_train.csv and NAME_test.csv";

/// The reader of a data set that was found.
type Reader<'a> = Box<dyn FnOnce() -> Result<Dataset, Error> + 'a>;

/// The largest number of folders of a level in which data are looked for.
const MOST_FOLDERS: usize = 200;

/// Reads the data at a path: a folder of a known format, or a folder with such a folder up to two levels below. A data
/// set that is there in part is not passed over for another one at a lower level.
pub(crate) fn read(path: &Path) -> Result<Dataset, Error> {
    if !path.is_dir() {
        return read_file(path);
    }
    for level in levels(path) {
        let mut found = Vec::new();
        for folder in &level {
            if let Some(read) = recognize(folder)? {
                found.push((folder, read));
            }
        }
        if found.len() > 1 {
            let names: Vec<_> = found.iter().map(|(folder, _)| shown(folder)).collect();
            return Err(several(path, &names.join(", ")));
        }
        if let Some((_, read)) = found.pop() {
            return read();
        }
        if let Some(error) = level.iter().find_map(|folder| in_part(folder)) {
            return Err(error);
        }
    }
    Err(lacks(path, "no data"))
}

/// The folders in which data are looked for, by level. torchvision puts the files of a data set into a folder `raw`.
fn levels(path: &Path) -> [Vec<PathBuf>; 4] {
    let below = |folders: &[PathBuf]| -> Vec<PathBuf> {
        let inner = folders.iter().flat_map(|folder| list(folder).into_values());
        inner
            .filter(|path| path.is_dir())
            .take(MOST_FOLDERS)
            .collect()
    };
    let with_raw = |folders: Vec<PathBuf>| -> Vec<PathBuf> {
        let raw: Vec<_> = folders.iter().map(|folder| folder.join("raw")).collect();
        [folders, raw].concat()
    };
    let first = below(&[path.to_owned()]);
    let second = below(&first);
    [
        vec![path.to_owned()],
        vec![path.join("raw")],
        with_raw(first),
        with_raw(second),
    ]
}

/// Reads a path that is not a folder: a file, or a folder with the prefix of one of its data sets, such as
/// `emnist/emnist-letters`.
fn read_file(path: &Path) -> Result<Dataset, Error> {
    let ending = path.extension().unwrap_or_default();
    if path.exists() && ending.eq_ignore_ascii_case("npz") {
        return npz::read(path);
    }
    if path.exists() {
        return Err(Error::file(
            path,
            "neither a folder nor a .npz file; for files in a folder, name the folder",
        ));
    }
    if let (Some(folder), Some(name)) = (path.parent(), path.file_name()) {
        let name = name.to_string_lossy().into_owned();
        if let Some(files) = find(folder).remove(&format!("{name}-")).and_then(complete) {
            return read_idx(&name, &files);
        }
    }
    let defined = match DataSet::names() {
        names if names.is_empty() => String::new(),
        names => format!(", or one of the data sets {names}"),
    };
    let allowed = format!(
        "must be a folder of data, a folder with the prefix of its files, or a .npz file{defined}; no data are \
         downloaded by their name, and only Fashion-MNIST by `luminosity data --fetch`"
    );
    Err(Error::file(
        path,
        format!("no such file or folder; {allowed}"),
    ))
}

fn read_idx(name: &str, paths: &[PathBuf]) -> Result<Dataset, Error> {
    files::read(name, |file| {
        idx::open(&paths[file as usize], file.kind(), MAX_BYTES)
    })
}

/// The reader of the data set in a folder, if it is complete.
fn recognize(folder: &Path) -> Result<Option<Reader<'_>>, Error> {
    let found = find(folder).into_iter();
    let mut sets: BTreeMap<String, Vec<PathBuf>> = found
        .filter_map(|(prefix, four)| Some((prefix, complete(four)?)))
        .collect();
    if let Some(files) = sets.remove("") {
        return Ok(Some(Box::new(move || read_idx(&name_of(folder), &files))));
    }
    if sets.len() > 1 {
        let names = sets
            .keys()
            .map(|prefix| shown(&folder.join(prefix.trim_end_matches('-'))));
        return Err(several(folder, &names.collect::<Vec<_>>().join(", ")));
    }
    if let Some((prefix, files)) = sets.pop_first() {
        return Ok(Some(Box::new(move || {
            read_idx(prefix.trim_end_matches('-'), &files)
        })));
    }
    let there = list(folder);
    let is_there =
        |name: &&str| there.contains_key(*name) || there.contains_key(&format!("{name}.gz"));
    if cifar::TRAIN.iter().chain([&cifar::TEST]).any(is_there) {
        return Ok(Some(Box::new(|| cifar::read(folder))));
    }
    let mut tables = there.iter().filter_map(|(name, train)| {
        let test = there.get(&format!("{}_test.csv", name.strip_suffix("_train.csv")?))?;
        Some((train.clone(), test.clone()))
    });
    match (tables.next(), tables.next()) {
        (None, _) => Ok(None),
        (Some((train, test)), None) => Ok(Some(Box::new(move || {
            table::read(&name_of(folder), &train, &test)
        }))),
        (Some(_), Some(_)) => Err(several(folder, "a folder for each pair of CSV files")),
    }
}

/// The name of a folder, or of its parent if the folder is called `raw`.
pub(crate) fn name_of(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let named = match (whole.file_name(), whole.parent()) {
        (Some(name), Some(above)) if name == "raw" => above.file_name(),
        (name, _) => name,
    };
    named.map_or_else(|| "data".into(), |name| name.to_string_lossy().into_owned())
}

/// The error for a folder with a part of a data set; it names the first missing file.
fn in_part(folder: &Path) -> Option<Error> {
    find(folder).into_iter().find_map(|(prefix, four)| {
        let mut files = IdxFile::ALL.into_iter().zip(four);
        let (file, _) = files.find(|(_, found)| found.is_none())?;
        Some(missing(folder, &format!("{prefix}{}", file.name())))
    })
}

/// The error that names a file missing from a folder.
pub(crate) fn missing(folder: &Path, name: &str) -> Error {
    lacks(folder, &format!("no file {name} or {name}.gz"))
}

/// The error for a folder that lacks its data; `what` says which.
fn lacks(folder: &Path, what: &str) -> Error {
    let found = contents_of(folder);
    Error::file(
        folder,
        format!("{what}; it holds {found}, and must hold {READ}"),
    )
}

/// The error for a folder with several data sets.
fn several(folder: &Path, names: &str) -> Error {
    Error::file(
        folder,
        format!("several data sets; allowed: one of {names}"),
    )
}

/// The first names in a folder, for messages.
fn contents_of(folder: &Path) -> String {
    const SHOWN: usize = 6;
    let names: Vec<String> = list(folder)
        .into_keys()
        .map(|name| one_line(&name))
        .collect();
    match names.get(..SHOWN) {
        _ if names.is_empty() => "no files".to_owned(),
        Some(first) if names.len() > SHOWN => {
            format!("{} and {} more", first.join(", "), names.len() - SHOWN)
        }
        _ => names.join(", "),
    }
}
