//! Images of one shape, with their labels.

use std::fmt;

use crate::Error;

/// The largest number of rows, and of columns, of an image.
pub const MAX_SIDE: usize = 4096;
/// The largest number of channels of an image.
pub const MAX_CHANNELS: usize = 64;
/// The largest number of classes of a data set: a label is one byte.
pub(crate) const MAX_CLASSES: usize = 256;

/// The shape of an image; its `Display` is for example `1x28x28`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Channels: 1 for grey, 3 for colour.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Shape {
    /// The shape of these three sizes.
    pub const fn new(channels: usize, height: usize, width: usize) -> Self {
        Self {
            channels,
            height,
            width,
        }
    }

    /// The shape of a grey square image of this number of pixels.
    pub(crate) fn square(pixels: usize) -> Option<Self> {
        let side = pixels.isqrt();
        (side > 0 && side * side == pixels).then_some(Self::new(1, side, side))
    }

    /// The number of values of an image.
    pub fn pixels(self) -> usize {
        self.channels * self.height * self.width
    }

    /// Checks that this is the shape of a supported image.
    pub(crate) fn check(self) -> Result<Self, Error> {
        let sides = [self.height, self.width];
        match (1..=MAX_CHANNELS).contains(&self.channels)
            && sides.iter().all(|side| (1..=MAX_SIDE).contains(side))
        {
            true => Ok(self),
            false => Err(Error::Data(format!(
                "images of {self}; must be of 1 to {MAX_CHANNELS} channels and 1x1 to {MAX_SIDE}x{MAX_SIDE} \
                 pixels"
            ))),
        }
    }

    /// Height and width, after the number of channels if there are several.
    pub(super) fn short(self) -> String {
        match self.channels {
            1 => format!("{}x{}", self.height, self.width),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.channels, self.height, self.width)
    }
}

/// Images, each with the label of its class.
///
/// The pixels are stored as bytes, which need a quarter of the memory of `f32`; they are converted when a
/// batch is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    shape: Shape,
    classes: usize,
    images: Vec<u8>,
    labels: Vec<u8>,
}

impl Split {
    /// Joins images with their labels. `images` holds one image after the other, the channels of each image
    /// one after the other, each channel row by row.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if the shape or the number of classes is out of range, if there are no labels, if a label
    /// is not a class, or if the number of values does not match the labels.
    pub fn new(
        shape: Shape,
        classes: usize,
        images: Vec<u8>,
        labels: Vec<u8>,
    ) -> Result<Self, Error> {
        shape.check()?;
        if !(2..=MAX_CLASSES).contains(&classes) {
            return Err(Error::Data(format!(
                "{classes} classes; must be 2 to {MAX_CLASSES}"
            )));
        }
        let largest = labels.iter().copied().max();
        let fits = labels.len().checked_mul(shape.pixels()) == Some(images.len());
        match largest {
            Some(label) if usize::from(label) < classes && fits => Ok(Self {
                shape,
                classes,
                images,
                labels,
            }),
            _ => Err(Error::Data(format!(
                "{} values with {} labels, the largest {}; must be at least one label, all below {classes}, \
                 and {} values of {shape} for each",
                images.len(),
                labels.len(),
                largest.unwrap_or(0),
                shape.pixels()
            ))),
        }
    }

    /// The shape of an image.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images; always false for a split from [`new`](Self::new).
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The number of values of an image.
    pub fn pixels(&self) -> usize {
        self.shape.pixels()
    }

    /// The values of one image.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`len`](Self::len).
    pub fn image(&self, index: usize) -> &[u8] {
        let pixels = self.pixels();
        &self.images[index * pixels..(index + 1) * pixels]
    }

    /// The label of one image.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`len`](Self::len).
    pub fn label(&self, index: usize) -> u8 {
        self.labels[index]
    }

    /// The values of all images, one image after the other.
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

    const COLOUR: Shape = Shape::new(3, 2, 4);

    #[test]
    fn an_image_comes_with_its_label() {
        let images = [[7; 24], [9; 24]].concat();
        let split = Split::new(COLOUR, 12, images.clone(), vec![11, 0]).unwrap();
        assert_eq!((split.len(), split.is_empty()), (2, false));
        assert_eq!((split.image(0), split.label(0)), (&[7; 24][..], 11));
        assert_eq!((split.image(1), split.label(1)), (&[9; 24][..], 0));
        assert_eq!(split.images(), images);
        assert_eq!(split.labels(), [11, 0]);
        assert_eq!((split.shape(), split.classes()), (COLOUR, 12));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let bad = |values: usize, labels: &[u8], beginning: &str| {
            let error = Split::new(COLOUR, 5, vec![0; values], labels.to_vec()).unwrap_err();
            let allowed =
                "must be at least one label, all below 5, and 24 values of 3x2x4 for each";
            assert_eq!(error.to_string(), format!("{beginning}; {allowed}"));
        };
        bad(0, &[], "0 values with 0 labels, the largest 0");
        bad(23, &[4], "23 values with 1 labels, the largest 4");
        bad(48, &[4], "48 values with 1 labels, the largest 4");
        bad(48, &[1, 5], "48 values with 2 labels, the largest 5");

        let of = |shape, classes| {
            let error = Split::new(shape, classes, Vec::new(), Vec::new()).unwrap_err();
            error.to_string()
        };
        for (channels, height, width) in [(0, 1, 1), (1, 4097, 1), (1, 1, usize::MAX), (65, 1, 1)] {
            let message = of(Shape::new(channels, height, width), 2);
            let shape = format!("images of {channels}x{height}x{width}; must be");
            assert!(message.starts_with(&shape), "{message}");
        }
        for classes in [0, 1, 257] {
            let message = of(Shape::new(1, 1, 1), classes);
            assert_eq!(message, format!("{classes} classes; must be 2 to 256"));
        }
    }
}
