//! Images with labels, as in data files of any format, before they become a data set.

use super::identity::FileReport;
use super::mismatch;
use super::split::{Shape, Split};
use crate::Error;

/// The images of one shape for training or testing, with labels.
pub(crate) struct Examples {
    shape: Shape,
    images: Vec<u8>,
    pub(crate) labels: Vec<u8>,
    /// The names of the array of images and of the array of labels, for messages.
    names: [String; 2],
    pub(crate) files: Vec<FileReport>,
}

impl Examples {
    /// Joins an array of images with an array of labels, each after its name.
    pub(crate) fn new(
        shape: Shape,
        (images_name, images): (String, Vec<u8>),
        (labels_name, labels): (String, Vec<u8>),
        files: Vec<FileReport>,
    ) -> Result<Self, Error> {
        if labels.len().checked_mul(shape.pixels()) != Some(images.len()) {
            return Err(Error::Data(format!(
                "{images_name} holds {} images but {labels_name} holds {} labels; the counts must be equal",
                images.len() / shape.pixels(),
                labels.len()
            )));
        }
        Ok(Self {
            shape,
            images,
            labels,
            names: [images_name, labels_name],
            files,
        })
    }
}

/// The splits for training and testing. The labels of training determine the number of classes.
pub(crate) fn splits(train: Examples, test: Examples) -> Result<[Split; 2], Error> {
    if train.shape != test.shape {
        let text = |of: &Examples| format!("{} images in {}", of.shape.short(), of.names[0]);
        return Err(mismatch(&text(&train), &text(&test), "shape"));
    }
    let range = |of: &Examples| {
        let (least, most) = (of.labels.iter().min(), of.labels.iter().max());
        (least.copied().unwrap_or(0), most.copied().unwrap_or(0))
    };
    let (of_train, of_test) = (range(&train), range(&test));
    if of_test.0 < of_train.0 || of_test.1 > of_train.1 {
        let text = |(least, most), of: &Examples| format!("{least} to {most} in {}", of.names[1]);
        return Err(Error::Data(format!(
            "label {} but {}; must be 0 to K - 1 for K classes, and those of the test also in training",
            text(of_train, &train),
            text(of_test, &test)
        )));
    }
    let classes = usize::from(of_train.1) + 1;
    if classes < 2 {
        return Err(Error::Data(format!(
            "only label 0 in {}; must be 0 to K - 1 for K classes, at least 2",
            train.names[1]
        )));
    }
    let split = |of: Examples| Split::new(of.shape, classes, of.images, of.labels);
    Ok([split(train)?, split(test)?])
}
