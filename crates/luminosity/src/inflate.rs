//! Unpacks untrusted data, limited by the packed length.

use std::io::{self, Read, Take};

use flate2::read::MultiGzDecoder;

/// The number of bytes that may be unpacked whatever the packed length.
const FREE: u64 = 64 << 20;
/// The largest ratio of unpacked to packed bytes if more than [`FREE`] bytes are unpacked. Images, tables and
/// records of real runs unpack to 2 to 30 times their length; zeros to 1000 times their length.
const MOST: u64 = 100;

/// Unpacks gzip of one or several members; further data after them are an error.
pub(crate) fn gunzip<R: Read>(packed: R) -> Inflated<MultiGzDecoder<Take<R>>> {
    // This counts the bytes and does not limit them.
    let packed = packed.take(u64::MAX);
    Inflated::new(MultiGzDecoder::new(packed), |gzip| {
        u64::MAX - gzip.get_ref().limit()
    })
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

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::data::testing::gzip;

    #[test]
    fn much_from_little_is_refused_and_the_rest_is_unpacked() {
        let unpack = |bytes: &[u8]| gunzip(&gzip(bytes)[..]).read_to_end(&mut Vec::new());
        let mut bytes = vec![0; 2 * FREE as usize];
        let message = unpack(&bytes).unwrap_err().to_string();
        assert!(message.contains("more than 100 times"), "{message}");
        bytes.truncate(FREE as usize);
        assert_eq!(unpack(&bytes).unwrap(), bytes.len());
        bytes.extend([0; 9]);
        // Bytes without a pattern.
        ChaCha8Rng::seed_from_u64(0).fill_bytes(&mut bytes);
        assert_eq!(unpack(&bytes).unwrap(), bytes.len());
    }
}
