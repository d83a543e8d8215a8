//! Patches in the memory of Flex: Burn's slices of a view, joined, take several times as long.

use std::ops::Range;

use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Tensor, TensorData};

use super::Windows;
use crate::storage::{Real, on_host};

/// [`Windows::gather`], if the images are on Flex in single or double precision.
pub(super) fn gather(windows: &Windows, x: &Tensor<4>) -> Option<Tensor<4>> {
    let ([batch, channels, ..], [down, across]) = (x.dims(), windows.count);
    let [height, width] = windows.geometry.kernel_size;
    let shape = [batch, down, across, height * width * channels];
    let images = on_host(x)?;
    let data = match images.dtype() {
        DType::F32 => TensorData::new(gathered::<f32>(windows, &images, shape)?, shape),
        DType::F64 => TensorData::new(gathered::<f64>(windows, &images, shape)?, shape),
        _ => return None,
    };
    Some(Tensor::from_data(data, (&x.device(), x.dtype())))
}

/// [`Windows::scatter`] with the channels last, under the same conditions.
pub(super) fn scatter(windows: &Windows, patches: &Tensor<4>) -> Option<Tensor<4>> {
    let ([batch, ..], [height, width]) = (patches.dims(), windows.image);
    let shape = [batch, height, width, windows.geometry.channels[0]];
    let rows = on_host(patches)?.to_contiguous();
    let data = match rows.dtype() {
        DType::F32 => TensorData::new(scattered::<f32>(windows, rows.as_slice()?, shape), shape),
        DType::F64 => TensorData::new(scattered::<f64>(windows, rows.as_slice()?, shape), shape),
        _ => return None,
    };
    Some(Tensor::from_data(
        data,
        (&patches.device(), patches.dtype()),
    ))
}

fn gathered<T: Real>(windows: &Windows, images: &FlexTensor, shape: [usize; 4]) -> Option<Vec<T>> {
    let [batch, down, across, size] = shape;
    let [height, width] = windows.geometry.kernel_size;
    let channels = size / (height * width);
    let mut strides = [0; 4];
    for (stride, step) in strides.iter_mut().zip(images.layout().strides()) {
        *stride = usize::try_from(*step).ok()?;
    }
    let [of_image, of_channel, of_row, of_column] = strides;
    let values = images
        .storage::<T>()
        .get(images.layout().start_offset()..)?;
    // Whether the part of an image row that a window covers is one piece of memory.
    let in_one_piece = windows.geometry.dilation[1] == 1
        && of_column == channels
        && (of_channel == 1 || channels == 1);
    let mut patches = vec![T::default(); shape.iter().product()];
    let mut rows = patches.chunks_exact_mut(size.max(1));
    for image in 0..batch {
        for at_row in 0..down {
            for at_column in 0..across {
                let patch = rows.next()?;
                let inside = windows.inside_of(1, at_column);
                for element in windows.inside_of(0, at_row) {
                    let row = windows.pixel(0, at_row, element);
                    let first = image * of_image + row * of_row;
                    let source =
                        |column: usize| first + windows.pixel(1, at_column, column) * of_column;
                    let target = |column: usize| (element * width + column) * channels;
                    if in_one_piece && !inside.is_empty() {
                        let values = &values[source(inside.start)..][..inside.len() * channels];
                        patch[target(inside.start)..][..values.len()].copy_from_slice(values);
                        continue;
                    }
                    for column in inside.clone() {
                        for channel in 0..channels {
                            let value = values[source(column) + channel * of_channel];
                            patch[target(column) + channel] = value;
                        }
                    }
                }
            }
        }
    }
    Some(patches)
}

/// The sums over the windows, always in the order of the elements of a window.
fn scattered<T: Real>(windows: &Windows, patches: &[T], shape: [usize; 4]) -> Vec<T> {
    let ([_, height, width, channels], [down, across]) = (shape, windows.count);
    let [kernel_height, kernel_width] = windows.geometry.kernel_size;
    let size = kernel_height * kernel_width * channels;
    let mut images = vec![T::default(); shape.iter().product()];
    let of_image = images.chunks_exact_mut((height * width * channels).max(1));
    for (image, patches) in of_image.zip(patches.chunks_exact((down * across * size).max(1))) {
        for element in 0..kernel_height * kernel_width {
            let (row, column) = (element / kernel_width, element % kernel_width);
            for at_row in (0..down).filter(|at| windows.inside_of(0, *at).contains(&row)) {
                let first = windows.pixel(0, at_row, row) * width;
                for at_column in 0..across {
                    if !windows.inside_of(1, at_column).contains(&column) {
                        continue;
                    }
                    let pixel = first + windows.pixel(1, at_column, column);
                    let patch = (at_row * across + at_column) * size + element * channels;
                    let sums = &mut image[pixel * channels..][..channels];
                    let parts = &patches[patch..][..channels];
                    sums.iter_mut()
                        .zip(parts)
                        .for_each(|(sum, part)| *sum += *part);
                }
            }
        }
    }
    images
}

impl Windows {
    /// The elements of a window along an axis that are inside the image, not in the padding.
    fn inside_of(&self, axis: usize, at: usize) -> Range<usize> {
        let dilation = self.geometry.dilation[axis];
        let (start, before) = (at * self.geometry.stride[axis], self.padding[axis].0);
        let until = |pixel: usize| pixel.saturating_sub(start).div_ceil(dilation);
        let elements = self.geometry.kernel_size[axis];
        let end = until(before + self.image[axis]).min(elements);
        until(before).min(end)..end
    }

    /// The pixel under an element that is inside the image.
    fn pixel(&self, axis: usize, at: usize, element: usize) -> usize {
        let [stride, dilation] = [self.geometry.stride[axis], self.geometry.dilation[axis]];
        at * stride + element * dilation - self.padding[axis].0
    }
}
