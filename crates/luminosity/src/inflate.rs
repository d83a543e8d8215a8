//! Unpacks untrusted data, limited by the packed length.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

/// The number of bytes that may be unpacked whatever the packed length.
const FREE: u64 = 64 << 20;
/// The largest ratio of unpacked to packed bytes if more than [`FREE`] bytes are unpacked. Images, tables and
/// records of real runs unpack to 2 to 30 times their length; zeros to 1000 times their length.
const MOST: u64 = 100;

/// Unpacks gzip of one or several members; further data after them are an error.
pub(crate) fn gunzip<R: Read>(packed: R) -> Inflated<MultiGzDecoder<Counted<R>>> {
    let packed = Counted {
        bytes: packed,
        count: 0,
    };
    Inflated::new(MultiGzDecoder::new(packed), |gzip| gzip.get_ref().count)
}

/// A reader of unpacked bytes that returns an error when they exceed the limit.
pub(crate) struct Inflated<R> {
    unpacked: R,
    packed: fn(&R) -> u64,
    count: u64,
}

impl<R> Inflated<R> {
    /// Wraps `unpacked`; `packed` tells the number of packed bytes that it has read, or an upper bound.
    pub(crate) fn new(unpacked: R, packed: fn(&R) -> u64) -> Self {
        Self {
            unpacked,
            packed,
            count: 0,
        }
    }
}

impl<R: Read> Read for Inflated<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.unpacked.read(buffer)?;
        self.count += read as u64;
        match self.count > FREE && self.count / MOST > (self.packed)(&self.unpacked) {
            true => Err(io::Error::other(format!(
                "unpacks to more than {MOST} times its length"
            ))),
            false => Ok(read),
        }
    }
}

/// A reader that counts its bytes.
pub(crate) struct Counted<R> {
    bytes: R,
    count: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        self.count += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn packed(length: u64, byte: impl Fn(u64) -> u8) -> Vec<u8> {
        let bytes: Vec<u8> = (0..length).map(byte).collect();
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&bytes).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn much_from_little_is_refused_and_the_rest_is_unpacked() {
        let unpack = |bytes: &[u8]| gunzip(bytes).read_to_end(&mut Vec::new());
        assert_eq!(unpack(&packed(FREE, |_| 0)).unwrap() as u64, FREE);
        let noise = |i: u64| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 60) as u8;
        assert_eq!(unpack(&packed(FREE + 9, noise)).unwrap() as u64, FREE + 9);
        let message = unpack(&packed(2 * FREE, |_| 0)).unwrap_err().to_string();
        assert!(message.contains("more than 100 times"), "{message}");
    }
}
