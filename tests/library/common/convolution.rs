//! Reference convolutions: patches are extracted and put together again one number at a time.

use burn::nn::PaddingConfig2d;
use ei_norm::layer::Conv2d;

/// A convolution and an image.
#[derive(Debug, Clone)]
pub struct Case {
    pub batch: usize,
    pub image: [usize; 2],
    pub geometry: Conv2d,
    /// The number of zeros before and after: top, bottom; left, right.
    pub pads: [[usize; 2]; 2],
}

/// A case: batch, channels, image and kernel; stride, dilation and padding; and the padding's numbers of
/// zeros.
pub fn case(
    (batch, channels, image, kernel_size): (usize, [usize; 2], [usize; 2], [usize; 2]),
    (stride, dilation, padding): ([usize; 2], [usize; 2], PaddingConfig2d),
    pads: [[usize; 2]; 2],
) -> Case {
    let geometry = Conv2d {
        channels,
        kernel_size,
        stride,
        dilation,
        padding,
    };
    Case {
        batch,
        image,
        geometry,
        pads,
    }
}

/// Odd sizes, strides, dilations and paddings.
pub fn cases() -> Vec<Case> {
    use PaddingConfig2d::{Explicit, Same, Valid};
    let none = [[0, 0]; 2];
    let ones = [1, 1];
    vec![
        case((2, [3, 4], [5, 6], [2, 3]), (ones, ones, Valid), none),
        case(
            (1, [1, 3], [7, 5], [3, 2]),
            ([2, 3], ones, Explicit(1, 0, 2, 1)),
            [[1, 2], [0, 1]],
        ),
        case(
            (3, [2, 2], [6, 7], [3, 3]),
            ([2, 1], [1, 2], Explicit(1, 1, 1, 1)),
            [[1, 1], [1, 1]],
        ),
        case((2, [4, 5], [3, 3], [1, 1]), (ones, ones, Valid), none),
        case(
            (2, [2, 3], [5, 6], [4, 3]),
            ([2, 1], ones, Same),
            [[1, 2], [1, 1]],
        ),
        case((4, [2, 6], [3, 2], [3, 2]), ([5, 1], ones, Valid), none),
        // Some pixels are in no window.
        case((2, [1, 3], [6, 8], [2, 2]), ([3, 3], ones, Valid), none),
    ]
}

impl Case {
    /// d, the number of features of a patch, and the number of output channels.
    pub fn sizes(&self) -> [usize; 2] {
        let Conv2d {
            channels: [inputs, outputs],
            kernel_size: [height, width],
            ..
        } = self.geometry;
        [inputs * height * width, outputs]
    }

    /// The shape of an input.
    pub fn input(&self) -> [usize; 4] {
        let [height, width] = self.image;
        [self.batch, self.geometry.channels[0], height, width]
    }

    /// The number of windows, vertically and horizontally.
    pub fn count(&self) -> [usize; 2] {
        [0, 1].map(|axis| {
            let padded = self.image[axis] + self.pads[axis][0] + self.pads[axis][1];
            let extent = (self.geometry.kernel_size[axis] - 1) * self.geometry.dilation[axis] + 1;
            (padded - extent) / self.geometry.stride[axis] + 1
        })
    }

    /// The shape of an output.
    pub fn output(&self) -> [usize; 4] {
        let [rows, columns] = self.count();
        [self.batch, self.geometry.channels[1], rows, columns]
    }

    /// The index in the image, or none in the padding, of each feature (in the order row, column, channel) of
    /// each patch (in the order example, row, column).
    fn patches(&self) -> Vec<Option<usize>> {
        let ([rows, columns], [height, width]) = (self.count(), self.image);
        let [channels, _] = self.geometry.channels;
        let pairs = |[n, m]: [usize; 2]| (0..n).flat_map(move |i| (0..m).map(move |j| (i, j)));
        let mut all = Vec::new();
        for (example, (row, column)) in
            (0..self.batch).flat_map(|b| pairs([rows, columns]).map(move |at| (b, at)))
        {
            for (i, j) in pairs(self.geometry.kernel_size) {
                let place = |axis: usize, window: usize, element: usize| {
                    (window * self.geometry.stride[axis] + element * self.geometry.dilation[axis])
                        .checked_sub(self.pads[axis][0])
                        .filter(|at| *at < self.image[axis])
                };
                let at = place(0, row, i).zip(place(1, column, j));
                for channel in 0..channels {
                    let image = example * channels + channel;
                    all.push(at.map(|(y, x)| (image * height + y) * width + x));
                }
            }
        }
        all
    }

    /// The patches of an image, one for each row.
    pub fn unfold(&self, x: &[f64]) -> Vec<f64> {
        let patches = self.patches().into_iter();
        patches.map(|at| at.map_or(0.0, |at| x[at])).collect()
    }

    /// The adjoint of [`unfold`](Self::unfold).
    pub fn fold(&self, patches: &[f64]) -> Vec<f64> {
        let mut x = vec![0.0; self.input().iter().product()];
        for (at, value) in self.patches().into_iter().zip(patches) {
            if let Some(at) = at {
                x[at] += value;
            }
        }
        x
    }

    /// Converts `[batch, channels, rows, columns]` to one row for each position.
    pub fn to_rows(&self, maps: &[f64]) -> Vec<f64> {
        let [batch, channels, rows, columns] = self.output();
        let positions = rows * columns;
        let index = (0..batch).flat_map(|b| {
            (0..positions)
                .flat_map(move |p| (0..channels).map(move |c| (b * channels + c) * positions + p))
        });
        index.map(|i| maps[i]).collect()
    }
}
