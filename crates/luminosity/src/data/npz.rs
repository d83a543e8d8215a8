//! Reads NumPy's `.npz` with the arrays x_train, y_train, x_test and y_test.

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;

use npyz::{Deserialize, NpyFile, Order};
use zip::ZipArchive;

use super::contents::{Contents, Examples};
use super::input::{self, Fault, MAX_BYTES, file_sha256};
use super::split::Shape;
use super::table::square;
use super::verify::FileReport;
use crate::Error;
use crate::error::{one_line, shown};
use crate::inflate::Inflated;

const ARRAYS: [&str; 4] = ["x_train", "y_train", "x_test", "y_test"];
/// The most channels of an image; a longer last axis means that the axes are in another order.
const MAX_CHANNELS: usize = 4;
/// The longest header of an array, with everything before it.
const MAX_HEADER: usize = 1 << 16;
/// The most opening brackets in a header, where an array of numbers has two: the time of the parser doubles with
/// each level of nesting.
const MAX_BRACKETS: usize = 8;

/// Reads the file.
pub(crate) fn read(path: &Path) -> Result<Contents, Error> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let sha256 = file_sha256(path)?;
    let file = input::open(path)?;
    let wrong = |fault: Fault| fault.of(&shown(path));
    let (shape, train, test) = arrays(file, path).map_err(wrong)?;
    let count = train.labels.len() + test.labels.len();
    Ok(Contents {
        name: one_line(&name),
        shape,
        files: vec![FileReport::of_examples(shown(path), count, sha256)],
        train,
        test,
        sha256: None,
    })
}

fn arrays(file: File, path: &Path) -> Result<(Shape, Examples, Examples), Fault> {
    let archive = ZipArchive::new(BufReader::new(file));
    let mut archive = archive.map_err(|e| format(format!("not a .npz file: {e}")))?;
    let there: Vec<String> = archive
        .file_names()
        .flatten()
        .map(|name| one_line(&name))
        .collect();
    let is_there = |name: &str| there.contains(&format!("{name}.npy"));
    let missing: Vec<_> = ARRAYS.into_iter().filter(|name| !is_there(name)).collect();
    if !missing.is_empty() {
        let there: Vec<_> = there
            .iter()
            .take(8)
            .map(|name| name.trim_end_matches(".npy"))
            .collect();
        return Err(format(format!(
            "no array {}; it holds {}, and must hold {}",
            missing.join(", "),
            there.join(", "),
            ARRAYS.join(", ")
        )));
    }
    let mut part = |images: &str, labels: &str| {
        let (shape, images) = read_images(images, &mut archive)?;
        let examples = Examples {
            file: format!("{labels} of {}", shown(path)),
            images,
            labels: read_labels(labels, &mut archive)?,
        };
        match examples.labels.len().checked_mul(shape.pixels()) {
            Some(values) if values == examples.images.len() => Ok((shape, examples)),
            _ => Err(format(format!(
                "{} images but {} in {labels}; the counts must be equal",
                examples.images.len() / shape.pixels(),
                examples.labels.len()
            ))),
        }
    };
    let (shape, train) = part("x_train", "y_train")?;
    let (other, test) = part("x_test", "y_test")?;
    match shape == other {
        true => Ok((shape, train, test)),
        false => Err(format(format!(
            "images of {shape} in x_train but of {other} in x_test; must have the same shape"
        ))),
    }
}

fn format(text: String) -> Fault {
    Fault::Content(one_line(&text))
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
fn open<'a>(
    name: &str,
    archive: &'a mut ZipArchive<BufReader<File>>,
) -> Result<(NpyFile<impl Read + 'a>, Vec<usize>), Fault> {
    let wrong = |e: &dyn std::fmt::Display| format(format!("{name}: cannot be read: {e}"));
    let entry = archive
        .by_name(&format!("{name}.npy"))
        .map_err(|e| wrong(&e))?;
    // A number has at most eight bytes; the rest is for the header.
    let entry = Inflated::new(entry, |entry| entry.compressed_size());
    let mut entry = BufReader::new(entry).take(8 * MAX_BYTES as u64 + MAX_HEADER as u64);
    let start = input::read_at_most(MAX_HEADER, &mut entry)?;
    let length = header_length(&start);
    let opening = |byte: &&u8| b"([{".contains(byte);
    let brackets = start.iter().take(length).filter(opening).count();
    if length > MAX_HEADER || brackets > MAX_BRACKETS {
        return Err(format(format!(
            "{name}: a header of {length} bytes with {brackets} opening brackets, must be at most {MAX_HEADER} \
             with {MAX_BRACKETS}"
        )));
    }
    let array = NpyFile::new(Cursor::new(start).chain(entry)).map_err(|e| wrong(&e))?;
    let sides = array.shape().iter().map(|&side| usize::try_from(side).ok());
    let sides: Option<Vec<usize>> = sides.collect();
    let size = |sides: &[usize]| {
        sides
            .iter()
            .try_fold(1_usize, |all, &side| all.checked_mul(side))
    };
    let sides =
        sides.filter(|sides| size(sides).is_some_and(|size| (1..=MAX_BYTES).contains(&size)));
    let sides = sides.ok_or_else(|| {
        let shape = array.shape();
        format(format!(
            "{name}: shape {shape:?}, must be of 1 to {MAX_BYTES} values"
        ))
    })?;
    match array.order() == Order::C || sides.len() == 1 {
        true => Ok((array, sides)),
        false => Err(format(format!(
            "{name}: in Fortran order, must be in C order; np.ascontiguousarray makes it so"
        ))),
    }
}

/// The values of an array, each converted to a byte.
fn collect<T: Deserialize + std::fmt::Debug>(
    name: &str,
    values: impl Iterator<Item = std::io::Result<T>>,
    byte: impl Fn(&T) -> Option<u8>,
    allowed: &str,
) -> Result<Vec<u8>, Fault> {
    let values = values.enumerate().map(|(index, value)| {
        let value = value.map_err(|e| format(format!("{name}: cannot be read: {e}")))?;
        byte(&value).ok_or_else(|| {
            format(format!(
                "{name}: value {value:?} at index {index}, must be {allowed}"
            ))
        })
    });
    values.collect()
}

/// Reads the array with the first matching type.
macro_rules! read_as {
    ($name:ident, $array:ident, $allowed:expr, $($type:ty => $byte:expr),+) => {{
        $(let $array = match $array.try_data::<$type>() {
            Ok(values) => return collect($name, values, $byte, $allowed),
            Err(other) => other,
        };)+
        let found = $array.dtype().descr();
        Err(format(format!("{}: type {found}, must be {}", $name, $allowed)))
    }};
}

fn image_bytes(name: &str, array: NpyFile<impl Read>) -> Result<Vec<u8>, Fault> {
    fn level(value: f64) -> Option<u8> {
        (0.0..=1.0)
            .contains(&value)
            .then(|| (255.0 * value).round() as u8)
    }
    read_as!(name, array, "uint8, or a float of 0 to 1",
        u8 => |&v| Some(v), f32 => |&v| level(v.into()), f64 => |&v| level(v))
}

fn label_bytes(name: &str, array: NpyFile<impl Read>) -> Result<Vec<u8>, Fault> {
    read_as!(name, array, "a whole number of 0 to 255",
        u8 => |&v| Some(v), i64 => |&v| v.try_into().ok(), i32 => |&v| v.try_into().ok(),
        u64 => |&v| v.try_into().ok(), u32 => |&v| v.try_into().ok(),
        i16 => |&v| v.try_into().ok(), u16 => |&v| v.try_into().ok(), i8 => |&v| v.try_into().ok())
}

fn read_images(
    name: &str,
    archive: &mut ZipArchive<BufReader<File>>,
) -> Result<(Shape, Vec<u8>), Fault> {
    let (array, sides) = open(name, archive)?;
    let shape = match sides[..] {
        [_, pixels] => square(pixels),
        [_, height, width] => Some(Shape {
            channels: 1,
            height,
            width,
        }),
        [_, height, width, channels] if channels <= MAX_CHANNELS => Some(Shape {
            channels,
            height,
            width,
        }),
        _ => None,
    };
    let shape = shape.and_then(|shape| shape.check().ok()).ok_or_else(|| {
        format(format!(
            "{name}: shape {sides:?}, must be [n, height, width], [n, height, width, channels] with up \
             to {MAX_CHANNELS} channels, or [n, pixels] of square images"
        ))
    })?;
    let values = image_bytes(name, array)?;
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

fn read_labels(name: &str, archive: &mut ZipArchive<BufReader<File>>) -> Result<Vec<u8>, Fault> {
    let (array, sides) = open(name, archive)?;
    match sides[..] {
        [_] | [_, 1] => label_bytes(name, array),
        _ => Err(format(format!("{name}: shape {sides:?}, must be [n]"))),
    }
}
