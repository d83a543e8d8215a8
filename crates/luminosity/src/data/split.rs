//! Images with their labels.

use super::error::DataError;
use super::{CLASSES, PIXELS};

/// Images of 28x28 bytes, each with the label of its class.
///
/// The pixels stay bytes, a quarter of the memory of `f32`; a batch is
/// converted when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    images: Vec<u8>,
    labels: Vec<u8>,
}

impl Split {
    /// Joins images, one after the other, with their labels.
    ///
    /// # Errors
    ///
    /// [`DataError::BadSplit`] where there are no labels, a label names no class,
    /// or there are not [`PIXELS`] pixels for each label.
    pub fn new(images: Vec<u8>, labels: Vec<u8>) -> Result<Self, DataError> {
        let largest = labels.iter().copied().max();
        let fits = labels.len().checked_mul(PIXELS) == Some(images.len());
        match largest {
            Some(label) if usize::from(label) < CLASSES && fits => Ok(Self { images, labels }),
            _ => Err(DataError::BadSplit {
                pixels: images.len(),
                labels: labels.len(),
                largest: largest.unwrap_or(0),
            }),
        }
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images; never so for a split that was made.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Values of an image.
    pub fn pixels(&self) -> usize {
        PIXELS
    }

    /// The pixels of one image, row by row.
    ///
    /// # Panics
    ///
    /// Where `index` is not below [`len`](Self::len).
    pub fn image(&self, index: usize) -> &[u8] {
        &self.images[index * PIXELS..(index + 1) * PIXELS]
    }

    /// The label of one image.
    ///
    /// # Panics
    ///
    /// Where `index` is not below [`len`](Self::len).
    pub fn label(&self, index: usize) -> u8 {
        self.labels[index]
    }

    /// The pixels of all images, one image after the other.
    pub fn images(&self) -> &[u8] {
        &self.images
    }

    /// The labels of all images.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_comes_with_its_label() {
        let images = [vec![7; PIXELS], vec![9; PIXELS]].concat();
        let split = Split::new(images.clone(), vec![3, 0]).unwrap();
        assert_eq!((split.len(), split.is_empty()), (2, false));
        assert_eq!((split.image(0), split.label(0)), (&[7; PIXELS][..], 3));
        assert_eq!((split.image(1), split.label(1)), (&[9; PIXELS][..], 0));
        assert_eq!(split.images(), images);
        assert_eq!(split.labels(), [3, 0]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let bad = |pixels, labels: &[u8], largest| {
            let error = Split::new(vec![0; pixels], labels.to_vec()).unwrap_err();
            let labels = labels.len();
            let expected = DataError::BadSplit {
                pixels,
                labels,
                largest,
            };
            assert_eq!(error, expected);
        };
        bad(0, &[], 0);
        bad(PIXELS - 1, &[4], 4);
        bad(2 * PIXELS, &[4], 4);
        bad(2 * PIXELS, &[1, 10], 10);
    }
}
