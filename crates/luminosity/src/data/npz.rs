//! Reads NumPy's `.npz` with the arrays x_train, y_train, x_test and y_test.

use std::fmt::Debug;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

use npyz::{Deserialize, NpyFile, Order};
use zip::ZipArchive;

use super::Dataset;
use super::examples::Examples;
use super::identity::FileReport;
use super::input::{self, Fault, MAX_BYTES, file_sha256};
use super::split::Shape;
use crate::Error;
use crate::error::shown;
use crate::inflate::Inflated;

const ARRAYS: [&str; 4] = ["x_train", "y_train", "x_test", "y_test"];
/// The most channels of an image; a longer last axis means that the axes are in another order.
const MAX_CHANNELS: usize = 4;
/// The longest header of an array, with everything before it.
const MAX_HEADER: usize = 1 << 16;
/// The most opening brackets in a header, where an array of numbers has two: the time of the parser doubles with
/// each level of nesting.
const MAX_BRACKETS: usize = 8;

type Archive = ZipArchive<BufReader<File>>;

/// Reads the file.
pub(crate) fn read(path: &Path) -> Result<Dataset, Error> {
    let sha256 = file_sha256(path)?;
    let mut archive = open(input::open(path)?).map_err(|fault| fault.of(path))?;
    let wrong = |name: &str, fault| Fault::content(format!("{name}: {fault}")).of(path);
    let mut part = |x: &str, y: &str| {
        let (shape, images) = read_images(x, &mut archive).map_err(|fault| wrong(x, fault))?;
        let labels = read_labels(y, &mut archive).map_err(|fault| wrong(y, fault))?;
        let named = |name, values| (format!("{name} of {}", shown(path)), values);
        Examples::new(shape, named(x, images), named(y, labels), Vec::new())
    };
    let mut train = part("x_train", "y_train")?;
    let test = part("x_test", "y_test")?;
    let count = train.labels.len() + test.labels.len();
    train.files = vec![FileReport::of_examples(shown(path), count, sha256)];
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    Dataset::of_files(&name, train, test, None)
}

/// Opens an archive and checks that it has all arrays.
fn open(file: File) -> Result<Archive, Fault> {
    let archive = ZipArchive::new(BufReader::new(file));
    let archive = archive.map_err(|e| Fault::content(format!("not a .npz file: {e}")))?;
    let there: Vec<_> = archive.file_names().flatten().collect();
    let is_there = |name: &str| there.iter().any(|there| *there == format!("{name}.npy"));
    let missing: Vec<_> = ARRAYS.into_iter().filter(|name| !is_there(name)).collect();
    if missing.is_empty() {
        return Ok(archive);
    }
    let there = there.iter().take(8);
    let there: Vec<_> = there.map(|name| name.trim_end_matches(".npy")).collect();
    Err(Fault::content(format!(
        "no array {}; it holds {}, and must hold {}",
        missing.join(", "),
        there.join(", "),
        ARRAYS.join(", ")
    )))
}

/// The length of the header of an array with everything before it, from the first bytes of the file.
fn header_length(start: &[u8]) -> usize {
    match *start {
        [_, _, _, _, _, _, 1, _, a, b, ..] => 10 + usize::from(u16::from_le_bytes([a, b])),
        [_, _, _, _, _, _, _, _, a, b, c, d, ..] => {
            (u32::from_le_bytes([a, b, c, d]) as usize).saturating_add(12)
        }
        _ => start.len(),
    }
}

/// Opens an array and checks its size.
fn array<'a>(
    name: &str,
    archive: &'a mut Archive,
) -> Result<(NpyFile<impl Read + 'a>, Vec<usize>), Fault> {
    let entry = archive.by_name(&format!("{name}.npy"));
    let entry = entry.map_err(io::Error::from)?;
    // A number has at most eight bytes; the rest is for the header.
    let entry = Inflated::new(entry, |entry| entry.compressed_size());
    let mut entry = BufReader::new(entry).take(8 * MAX_BYTES as u64 + MAX_HEADER as u64);
    let start = input::read_at_most(MAX_HEADER, &mut entry)?;
    let length = header_length(&start);
    let opening = |byte: &&u8| b"([{".contains(byte);
    let brackets = start.iter().take(length).filter(opening).count();
    if length > MAX_HEADER || brackets > MAX_BRACKETS {
        return Err(Fault::content(format!(
            "a header of {length} bytes with {brackets} opening brackets, must be at most {MAX_HEADER} \
             with {MAX_BRACKETS}"
        )));
    }
    let array = NpyFile::new(Cursor::new(start).chain(entry))?;
    let shape = array.shape();
    let size = shape
        .iter()
        .try_fold(1_u64, |size, &side| size.checked_mul(side));
    if !size.is_some_and(|size| (1..=MAX_BYTES as u64).contains(&size)) {
        return Err(Fault::content(format!(
            "shape {shape:?}, must be of 1 to {MAX_BYTES} values"
        )));
    }
    if array.order() == Order::Fortran && shape.len() > 1 {
        let problem = "in Fortran order, must be in C order; np.ascontiguousarray makes it so";
        return Err(Fault::content(problem));
    }
    let sides = shape.iter().map(|&side| side as usize).collect();
    Ok((array, sides))
}

/// The values of an array, each converted to a byte.
fn collect<T: Deserialize + Debug>(
    values: impl Iterator<Item = io::Result<T>>,
    byte: impl Fn(&T) -> Option<u8>,
    allowed: &str,
) -> Result<Vec<u8>, Fault> {
    let values = values.enumerate().map(|(index, value)| {
        let value = value?;
        byte(&value).ok_or_else(|| {
            Fault::content(format!(
                "value {value:?} at index {index}, must be {allowed}"
            ))
        })
    });
    values.collect()
}

/// Reads the array with the first matching type.
macro_rules! read_as {
    ($array:ident, $allowed:expr, $($type:ty => $byte:expr),+) => {{
        $(let $array = match $array.try_data::<$type>() {
            Ok(values) => return collect(values, $byte, $allowed),
            Err(other) => other,
        };)+
        let found = $array.dtype().descr();
        Err(Fault::content(format!("type {found}, must be {}", $allowed)))
    }};
}

fn image_bytes(array: NpyFile<impl Read>) -> Result<Vec<u8>, Fault> {
    let level = |value: f64| {
        let within = (0.0..=1.0).contains(&value);
        within.then(|| (255.0 * value).round() as u8)
    };
    read_as!(array, "uint8, or a float of 0 to 1",
        u8 => |&v| Some(v), f32 => |&v| level(v.into()), f64 => |&v| level(v))
}

fn label_bytes(array: NpyFile<impl Read>) -> Result<Vec<u8>, Fault> {
    read_as!(array, "a whole number of 0 to 255",
        u8 => |&v| Some(v), i64 => |&v| v.try_into().ok(), i32 => |&v| v.try_into().ok(),
        u64 => |&v| v.try_into().ok(), u32 => |&v| v.try_into().ok(),
        i16 => |&v| v.try_into().ok(), u16 => |&v| v.try_into().ok(), i8 => |&v| v.try_into().ok())
}

fn read_images(name: &str, archive: &mut Archive) -> Result<(Shape, Vec<u8>), Fault> {
    let (array, sides) = array(name, archive)?;
    let shape = match sides[..] {
        [_, pixels] => Shape::square(pixels),
        [_, height, width] => Some(Shape::new(1, height, width)),
        [_, height, width, channels] if channels <= MAX_CHANNELS => {
            Some(Shape::new(channels, height, width))
        }
        _ => None,
    };
    let shape = shape.and_then(|shape| shape.check().ok()).ok_or_else(|| {
        Fault::content(format!(
            "shape {sides:?}, must be [n, height, width], [n, height, width, channels] with up to \
             {MAX_CHANNELS} channels, or [n, pixels] of square images"
        ))
    })?;
    let values = image_bytes(array)?;
    if shape.channels == 1 {
        return Ok((shape, values));
    }
    // In NumPy images, the channels of a pixel are adjacent.
    let mut images = Vec::with_capacity(values.len());
    for image in values.chunks_exact(shape.pixels()) {
        for channel in 0..shape.channels {
            images.extend(image.iter().skip(channel).step_by(shape.channels));
        }
    }
    Ok((shape, images))
}

fn read_labels(name: &str, archive: &mut Archive) -> Result<Vec<u8>, Fault> {
    let (array, sides) = array(name, archive)?;
    match sides[..] {
        [_] | [_, 1] => label_bytes(array),
        _ => Err(Fault::content(format!("shape {sides:?}, must be [n]"))),
    }
}
