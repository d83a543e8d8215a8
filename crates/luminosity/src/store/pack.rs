//! Packed stores: a gzip file of JSON lines, first the manifest, then one record in each line.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

use flate2::write::GzEncoder;

use super::{Contents, Manifest, Open, Store, Turn, record};
use crate::{Error, files, inflate};

/// The longest packed store that is read.
const MOST_BYTES: u64 = 1 << 32;
/// The longest line that is read.
const MOST_OF_A_LINE: u64 = 1 << 28;

/// Writes the store in `folder` into one file. Returns the number of records in the file, and the records
/// that could not be used.
///
/// # Errors
///
/// There is no store, or the file cannot be written.
pub fn pack(folder: &Path, path: &Path) -> Result<(usize, Vec<Error>), Error> {
    let store = Store::open(folder)?;
    // The packed file must not replace one of the store's own files.
    let target = files::folder_behind(path);
    let within = |own: &Path| own.canonicalize().is_ok_and(|own| Some(own) == target);
    if within(folder) || within(&store.runs()) {
        let problem = "in the folder of the store; allowed: a file beside it";
        return Err(Error::file(path, problem));
    }
    let contents = store.contents()?;
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::best());
    let manifest = serde_json::to_vec(&contents.manifest);
    let records = contents.records.iter();
    let records = records.map(|(id, record)| record::line(id, record));
    let packed = std::iter::once(manifest)
        .chain(records)
        .try_for_each(|line| {
            let mut line = line?;
            line.push(b'\n');
            gzip.write_all(&line)
        });
    let packed = packed.and_then(|()| gzip.finish());
    files::write(path, &packed.map_err(|e| Error::file(path, e))?)?;
    Ok((contents.records.len(), contents.problems))
}

#[derive(Debug, Default)]
pub struct Unpacked {
    /// The number of records that were added.
    pub added: usize,
    /// The number of records that were left out, because another process is making their runs.
    pub busy: usize,
    /// The records that could not be used.
    pub problems: Vec<Error>,
}

/// Adds the records of a packed store, or of another store, to the store in `folder`, which is made if it is
/// not there. Records of the same runs that are there already are kept.
///
/// # Errors
///
/// Like [`read`]; the store in `folder` was not made for all of these runs; or it cannot be written.
pub fn unpack(path: &Path, folder: &Path) -> Result<Unpacked, Error> {
    let contents = read(path)?;
    let store = Store::prepare(folder, &contents.manifest, Open::Within)?;
    let (mut added, mut busy, mut problems) = (0, 0, contents.problems);
    for (id, record) in &contents.records {
        match store.begin(id) {
            Ok(Turn::Done) => {}
            Ok(Turn::Busy) => busy += 1,
            Ok(Turn::Mine(claim)) => match store.publish(&claim, id, record) {
                Err(problem @ Error::File { .. }) => problems.push(problem),
                published => {
                    published?;
                    added += 1;
                }
            },
            Err(problem @ Error::File { .. }) => problems.push(problem),
            Err(other) => return Err(other),
        }
    }
    Ok(Unpacked {
        added,
        busy,
        problems,
    })
}

/// Reads a store from its folder or from a packed file.
///
/// # Errors
///
/// There is no store, or the packed file is damaged.
pub fn read(path: &Path) -> Result<Contents, Error> {
    if !path.is_file() {
        return Store::open(path)?.contents();
    }
    let packed = files::read(path, MOST_BYTES)?;
    let mut lines = BufReader::new(inflate::gunzip(packed.as_slice()));
    let refuse = |problem: &str| Error::file(path, problem);
    let first = line(&mut lines).map_err(|_| refuse("not a packed store"))?;
    let first = first.ok_or_else(|| refuse("an empty file, not a packed store"))?;
    let manifest = Manifest::decode(&first).map_err(|problem| refuse(&problem))?;
    let mut contents = Contents::new(manifest);
    for number in 2.. {
        let whole = contents.records.len();
        let next = line(&mut lines)
            .map_err(|()| refuse(&format!("cut off or damaged after {whole} whole records")))?;
        let Some(line) = next else { break };
        if let Err(reason) = contents.add(None, &line) {
            let reason = format!("line {number}: {reason}");
            contents.problems.push(Error::file(path, reason));
        }
    }
    Ok(contents)
}

/// The next line, or none at the end; an error if the line is too long.
fn line(lines: &mut impl BufRead) -> Result<Option<Vec<u8>>, ()> {
    let mut line = Vec::new();
    let mut bounded = lines.take(MOST_OF_A_LINE);
    let read = bounded.read_until(b'\n', &mut line).map_err(|_| ())?;
    match (read, line.ends_with(b"\n")) {
        (0, _) => Ok(None),
        (_, true) => Ok(Some(line)),
        (_, false) => Err(()),
    }
}
