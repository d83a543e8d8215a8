//! The patches of an image for a convolution, as rows of a matrix.

#[cfg(feature = "flex")]
mod flex;

use burn::nn::PaddingConfig2d;
use burn::tensor::{Slice, Tensor};

use super::Conv2d;
use crate::autodiff::{attach, is_listed};
use crate::row_function::reshaped;

/// The windows on an image of one size: start, step and number along each axis.
pub(super) struct Windows {
    geometry: Conv2d,
    /// Zeros before and after, along each axis.
    pub padding: [(usize, usize); 2],
    /// The image without padding.
    image: [usize; 2],
    /// The image with padding.
    padded: [usize; 2],
    /// The number of windows along each axis.
    count: [usize; 2],
}

impl Conv2d {
    /// The windows on an image of this size.
    ///
    /// # Panics
    ///
    /// If the image has no pixels, or the window is larger than the padded image.
    #[track_caller]
    pub(super) fn windows(&self, image: [usize; 2]) -> Windows {
        assert!(
            !image.contains(&0),
            "the image is {image:?}; allowed: at least one pixel"
        );
        let kernel = self.kernel_size;
        let padding = match self.padding {
            PaddingConfig2d::Valid => [(0, 0); 2],
            PaddingConfig2d::Explicit(top, left, bottom, right) => [(top, bottom), (left, right)],
            PaddingConfig2d::Same => {
                std::array::from_fn(|axis| same(kernel[axis], self.stride[axis], image[axis]))
            }
        };
        let padded = std::array::from_fn(|axis| padding[axis].0 + image[axis] + padding[axis].1);
        let count = std::array::from_fn(|axis| {
            let extent = (kernel[axis] - 1) * self.dilation[axis] + 1;
            assert!(
                extent <= padded[axis],
                "a window of {kernel:?} with dilation {:?} does not fit into an image of {image:?} \
                 with padding {padding:?}",
                self.dilation
            );
            (padded[axis] - extent) / self.stride[axis] + 1
        });
        Windows {
            geometry: self.clone(),
            padding,
            image,
            padded,
            count,
        }
    }
}

/// Padding that gives ⌈size/stride⌉ windows, with an odd zero at the end; as in Burn, dilation is ignored.
fn same(kernel: usize, stride: usize, size: usize) -> (usize, usize) {
    let last = size.div_ceil(stride).saturating_sub(1) * stride;
    let total = (last + kernel).saturating_sub(size);
    (total / 2, total - total / 2)
}

impl Windows {
    /// The image within the padded image, channels last.
    fn inside(&self) -> [Slice; 4] {
        let [rows, columns] = std::array::from_fn(|axis| {
            let (before, _) = self.padding[axis];
            range(before, before + self.image[axis], 1)
        });
        [Slice::full(), rows, columns, Slice::full()]
    }

    /// For each element of a window: the part of the padded image that it covers over all windows.
    fn views(&self) -> impl Iterator<Item = [Slice; 4]> {
        let view = |axis: usize, element: usize| {
            let (stride, dilation) = (self.geometry.stride[axis], self.geometry.dilation[axis]);
            let start = element * dilation;
            let last = start + (self.count[axis] - 1) * stride;
            range(start, last + 1, stride)
        };
        let [height, width] = self.geometry.kernel_size;
        (0..height)
            .flat_map(move |row| (0..width).map(move |column| (row, column)))
            .map(move |(row, column)| [Slice::full(), view(0, row), view(1, column), Slice::full()])
    }

    /// The patches of an image ("im2col"), one row for each window, with the features in the order of
    /// [`flatten`]: row of the window, column of the window, channel.
    ///
    /// The backward pass adds the errors of overlapping windows (the adjoint of im2col, "col2im") in one
    /// buffer; plain autodiff would make an image for each element of the window.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, channels, height, width]`
    /// - result: `[batch, windows down, windows across, kernel height · kernel width · channels]`
    pub(super) fn patches(self, x: Tensor<4>) -> Tensor<4> {
        if !is_listed(&x) {
            return self.gather(x);
        }
        let value = self.gather(x.clone().inner());
        attach(value, vec![x.into_dispatch()], move |error, _| {
            vec![Some(self.scatter(error).into_dispatch())]
        })
    }

    fn gather(&self, x: Tensor<4>) -> Tensor<4> {
        #[cfg(feature = "flex")]
        if !x.is_autodiff()
            && let Some(patches) = flex::gather(self, &x)
        {
            return patches;
        }
        let [batch, channels, ..] = x.dims();
        let x = x.permute([0, 2, 3, 1]);
        let padded = match self.padded {
            same if same == self.image => x,
            [height, width] => {
                let options = (&x.device(), x.dtype());
                Tensor::zeros([batch, height, width, channels], options)
                    .slice_assign(self.inside(), x)
            }
        };
        let views = self.views().map(|view| padded.clone().slice(view));
        Tensor::cat(views.collect(), 3)
    }

    /// The adjoint of [`gather`](Self::gather).
    fn scatter(&self, patches: Tensor<4>) -> Tensor<4> {
        #[cfg(feature = "flex")]
        if let Some(images) = flex::scatter(self, &patches) {
            return images.permute([0, 3, 1, 2]);
        }
        let ([batch, ..], [channels, _]) = (patches.dims(), self.geometry.channels);
        let [height, width] = self.padded;
        let options = (&patches.device(), patches.dtype());
        let mut sum = Tensor::zeros([batch, height, width, channels], options);
        for (element, view) in self.views().enumerate() {
            let part = patches.clone().narrow(3, element * channels, channels);
            let seen = sum.clone().slice(view) + part;
            sum = sum.slice_assign(view, seen);
        }
        sum.slice(self.inside()).permute([0, 3, 1, 2])
    }
}

fn range(start: usize, end: usize, step: usize) -> Slice {
    Slice::new(start as isize, Some(end as isize), step as isize)
}

/// Kernels `[channels_out, channels_in, height, width]` as a matrix from patches to outputs,
/// `[height · width · channels_in, channels_out]`.
pub(super) fn flatten(kernels: Tensor<4>) -> Tensor<2> {
    let [outputs, channels, height, width] = kernels.dims();
    let kernels = kernels.permute([2, 3, 1, 0]);
    reshaped(kernels, [height * width * channels, outputs])
}

/// The inverse of [`flatten`].
pub(super) fn unflatten(matrix: Tensor<2>, [height, width]: [usize; 2]) -> Tensor<4> {
    let [features, outputs] = matrix.dims();
    let shape = [height, width, features / (height * width), outputs];
    reshaped(matrix, shape).permute([3, 2, 0, 1])
}
