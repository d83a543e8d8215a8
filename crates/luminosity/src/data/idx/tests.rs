use std::cell::Cell;
use std::io;

use super::*;
use crate::data::input::MAX_BYTES;
use crate::data::testing::{PIXELS, gzip, idx, images, labels};

fn read(file: &str, kind: Kind, input: impl Read) -> Result<Idx, Error> {
    super::read(file, kind, MAX_BYTES, input)
}

/// Checks that reading is refused with this message after the name of the file, in one line.
fn refused(kind: Kind, bytes: &[u8], expected: &str) {
    let message = read("x.idx", kind, bytes).unwrap_err().to_string();
    assert_eq!(message, format!("x.idx: {expected}"));
    assert!(!message.contains('\n'));
}

/// Checks that the bytes, raw and gzipped, are refused with this message.
fn both_refused(kind: Kind, bytes: &[u8], expected: &str) {
    refused(kind, bytes, expected);
    refused(kind, &gzip(bytes), expected);
}

/// Returns single bytes of an input, and counts them.
struct Single<'a, R>(R, &'a Cell<usize>);

impl<R: Read> Read for Single<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(1);
        let read = self.0.read(&mut buffer[..most])?;
        self.1.set(self.1.get() + read);
        Ok(read)
    }
}

#[test]
fn raw_and_gzipped_files_read_the_same() {
    let bytes = images(3);
    let content = read("x", Kind::Images, &bytes[..]).unwrap();
    assert_eq!(content.count, 3);
    assert_eq!(content.sha256, sha256([&bytes[..]]));
    assert_eq!(content.values, bytes[16..]);
    // Several gzip members are one file.
    let (first, second) = bytes.split_at(100);
    for packed in [gzip(&bytes), [gzip(first), gzip(second)].concat()] {
        assert_eq!(read("x", Kind::Images, &packed[..]).unwrap(), content);
    }

    let content = read("x", Kind::Labels, &labels(10)[..]).unwrap();
    assert_eq!(content.values, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn an_input_that_returns_single_bytes_is_recognised() {
    for bytes in [gzip(&labels(5)), labels(5)] {
        let taken = Cell::new(0);
        assert!(read("x", Kind::Labels, Single(&bytes[..], &taken)).is_ok());
        assert_eq!(taken.get(), bytes.len());
    }
}

#[test]
fn a_malformed_header_is_refused() {
    use Kind::{Images, Labels};
    for length in [0, 1, 3, 4, 15] {
        let expected = format!("{length} bytes are no whole IDX header, must be at least 16");
        both_refused(Images, &images(1)[..length], &expected);
    }
    let expected = "7 bytes are no whole IDX header, must be at least 8";
    both_refused(Labels, &labels(1)[..7], expected);
    let expected = "8 bytes are no whole IDX header, must be at least 12";
    both_refused(Labels, &idx(&[0x0C02, 1], &[]), expected);

    let expected = "magic number 2049, must be 2051 for images";
    both_refused(Images, &labels(1), expected);
    let expected = "magic number 2051, must be 2049 for labels";
    both_refused(Labels, &images(1), expected);
    let swapped = [2051u32, 1, 28, 28].map(u32::to_le_bytes).concat();
    let expected = "the header is in little-endian byte order, must be big-endian";
    both_refused(Images, &swapped, expected);

    for (rows, columns) in [(0, 0), (4097, 1), (1, 4097), (u32::MAX, u32::MAX)] {
        let bytes = idx(&[2051, 1, rows, columns], &[0; PIXELS]);
        let expected = format!("images of {rows}x{columns} pixels, must be 1x1 to 4096x4096");
        both_refused(Images, &bytes, &expected);
    }
    for count in [0, MAX_COUNT + 1, u32::MAX] {
        let expected = |kind| format!("{count} {kind}, must be 1 to 1000000");
        both_refused(
            Images,
            &idx(&[2051, count, 28, 28], &[]),
            &expected("images"),
        );
        both_refused(Labels, &idx(&[2049, count], &[]), &expected("labels"));
    }
    for columns in [0, 65] {
        let expected = format!("{columns} numbers for each label, must be 1 to 64");
        both_refused(Labels, &idx(&[0x0C02, 2, columns], &[]), &expected);
    }
    let most = 1 << 30;
    let expected = format!("65 images of 16777216 bytes, must be at most {most} bytes in all");
    both_refused(Images, &idx(&[2051, 65, 4096, 4096], &[]), &expected);
}

#[test]
fn another_length_than_in_the_header_is_refused() {
    for (kind, bytes, expected) in [
        (
            Kind::Images,
            &images(2)[..16 + 2 * PIXELS - 1],
            "truncated: 1567 bytes after the header, must be 1568 for its 2 images",
        ),
        (
            Kind::Labels,
            &labels(2)[..8],
            "truncated: 0 bytes after the header, must be 2 for its 2 labels",
        ),
        (
            // The largest count in a header, with no data after it.
            Kind::Images,
            &idx(&[2051, MAX_COUNT, 28, 28], &[]),
            "truncated: 0 bytes after the header, must be 784000000 for its 1000000 images",
        ),
        (
            Kind::Images,
            &[images(2), vec![0]].concat(),
            "more than 1568 bytes after the header, must be 1568 for its 2 images",
        ),
        (
            Kind::Labels,
            &[labels(2), vec![0; 1000]].concat(),
            "more than 2 bytes after the header, must be 2 for its 2 labels",
        ),
    ] {
        both_refused(kind, bytes, expected);
    }
}

#[test]
fn labels_may_be_the_first_of_several_numbers() {
    let extended = |rows: &[[u32; 2]]| {
        let words = rows.concat().into_iter();
        let values: Vec<u8> = words.flat_map(u32::to_be_bytes).collect();
        idx(&[0x0C02, 2, 2], &values)
    };
    let content = |rows| read("x", Kind::Labels, &extended(rows)[..]).unwrap();
    let labels = content(&[[7, 300], [255, 0]]).into_labels();
    assert_eq!(labels, Ok(vec![7, 255]));
    let refused = content(&[[7, 0], [256, 0]]).into_labels().unwrap_err();
    let problem = "label 256 at index 1, must be 0 to 255";
    assert_eq!(refused, Fault::Content(problem.to_owned()));
}

#[test]
fn what_is_no_data_is_said_in_words() {
    let page = "a web page (HTML) and not the data; get the file again";
    both_refused(Kind::Images, b"\n<!DOCTYPE html><html>", page);
    both_refused(Kind::Images, b"<html>", page);
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0";
    let expected = "a pointer of Git LFS and not the data; get it with `git lfs pull`";
    both_refused(Kind::Images, pointer, expected);
    let twice = gzip(&gzip(&images(1)));
    let expected = "gzipped twice; unpack it once with gunzip";
    refused(Kind::Images, &twice, expected);
}

#[test]
fn damaged_gzip_is_refused() {
    let whole = gzip(&images(2));
    let damaged = |bytes: &[u8]| {
        let text = read("x.idx", Kind::Images, bytes).unwrap_err().to_string();
        assert!(text.starts_with("x.idx: damaged gzip: "), "{text}");
    };
    for length in [2, 10, whole.len() / 2, whole.len() - 1] {
        damaged(&whole[..length]);
    }
    // A wrong checksum shows only when reading to the end.
    let mut wrong = whole.clone();
    let crc = wrong.len() - 8;
    wrong[crc] ^= 1;
    damaged(&wrong);
    damaged(&[whole, b"junk".to_vec()].concat());
}

#[test]
fn no_damage_of_a_single_byte_panics_or_passes_unseen() {
    let good = labels(20);
    let packed = gzip(&good);
    let expected = read("x", Kind::Labels, &good[..]).unwrap();
    for index in 0..packed.len() {
        for bit in 0..8 {
            let mut bytes = packed.clone();
            bytes[index] ^= 1 << bit;
            if let Ok(content) = read("x", Kind::Labels, &bytes[..]) {
                // Only bits of the gzip header without content may differ.
                assert_eq!(content, expected);
            }
        }
    }
}

#[test]
fn no_more_is_read_than_the_header_allows() {
    let (header, taken) = (idx(&[2049, 1000], &[]), Cell::new(0));
    let endless = (&header[..]).chain(Single(io::repeat(0), &taken));
    let error = read("x", Kind::Labels, endless).unwrap_err();
    assert!(error.to_string().contains("more than 1000 bytes"));
    assert_eq!(taken.get(), 1001);
}

#[test]
fn a_gzip_bomb_is_not_unpacked() {
    // It unpacks to a thousand times its size. The number of packed bytes read shows how much was unpacked.
    let bomb = gzip(&[idx(&[2049, 1], &[]), vec![0; 16 << 20]].concat());
    assert!(bomb.len() < 32 << 10);
    let taken = Cell::new(0);
    let error = read("x", Kind::Labels, Single(&bomb[..], &taken)).unwrap_err();
    assert!(error.to_string().contains("more than 1 bytes"));
    assert!(taken.get() < bomb.len() / 8, "{} bytes", taken.get());
}

#[test]
fn a_failing_input_is_reported() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("disk\ngone"))
        }
    }
    let error = read("x\ny", Kind::Labels, Failing).unwrap_err();
    assert_eq!(error.to_string(), "x\\ny: cannot be read: disk\\ngone");
}
