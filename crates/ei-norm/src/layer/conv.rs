use burn::module::Content;
use burn::nn::PaddingConfig2d;
use burn::tensor::Tensor;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use serde::{Deserialize, Serialize};

use super::patches::{Windows, flatten, unflatten};
use super::{Geometry, Layer, LayerConfig};
use crate::Error;
use crate::check::{check, check_shape, check_size, or_panic};
use crate::circuit::{Circuit, Currents, LearnsLocally, Options, Wiring};
use crate::row_function::{self, Pass};

/// The largest padding on one side.
const MAX_PADDING: usize = 1 << 16;

/// Positions of an image: the circuit reads the patch at each position. Stride, dilation and padding have the
/// same meaning as in Burn's `Conv2d`; there are no groups.
///
/// The weights of the circuit are matrices from patches, `[height · width · channels in, ·]`, with the
/// features of a patch in the order row, column, channel. [`matrix`](Self::matrix) and
/// [`kernels`](Self::kernels) convert between matrices and kernels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conv2d {
    /// The numbers of input channels and of output channels (excitatory maps).
    pub channels: [usize; 2],
    /// The size of the kernels.
    pub kernel_size: [usize; 2],
    /// The step from one window to the next, down and across.
    pub stride: [usize; 2],
    /// The step from one element of a window to the next.
    pub dilation: [usize; 2],
    /// The padding of the image with zeros.
    pub padding: PaddingConfig2d,
}

impl Conv2d {
    /// A geometry with stride 1, dilation 1 and no padding.
    pub fn new(channels: [usize; 2], kernel_size: [usize; 2]) -> Self {
        Self {
            channels,
            kernel_size,
            stride: [1, 1],
            dilation: [1, 1],
            padding: PaddingConfig2d::Valid,
        }
    }

    /// The patches of images, which a circuit reads as rows ("im2col"). The features of a patch are in the order: row
    /// of the kernel, column of the kernel, channel.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, channels in, height, width]`
    /// - result: `[batch, height out, width out, kernel height · kernel width · channels in]`
    ///
    /// # Panics
    ///
    /// If a size of the geometry is not allowed, the channels differ, the image has no pixels, or the kernel does not
    /// fit into the padded image.
    #[track_caller]
    #[must_use]
    pub fn patches(&self, x: Tensor<4>) -> Tensor<4> {
        or_panic(self.wiring());
        self.windows_on(&x).patches(x)
    }

    /// The windows on these images.
    #[track_caller]
    fn windows_on(&self, x: &Tensor<4>) -> Windows {
        let (found @ [_, channels, height, width], [inputs, _]) = (x.dims(), self.channels);
        assert!(
            channels == inputs,
            "the input has shape {found:?}, expected [batch, {inputs}, height, width]"
        );
        self.windows([height, width])
    }

    /// Converts kernels to the matrix from patches of a circuit.
    ///
    /// # Shapes
    ///
    /// - `kernels`: `[channels out, channels in, height, width]`, as in Burn's `Conv2d`
    /// - result: `[height · width · channels in, channels out]`
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the kernels have another size or number of input channels.
    pub fn matrix(&self, kernels: Tensor<4>) -> Result<Tensor<2>, Error> {
        let found @ [outputs, ..] = kernels.dims();
        let ([inputs, _], [height, width]) = (self.channels, self.kernel_size);
        check_shape("kernels", found, [outputs, inputs, height, width])?;
        Ok(flatten(kernels))
    }

    /// Converts a matrix from patches to kernels; the inverse of [`matrix`](Self::matrix).
    ///
    /// # Shapes
    ///
    /// - `matrix`: `[height · width · channels in, channels out]`
    /// - result: `[channels out, channels in, height, width]`
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if a size of the geometry is not allowed, [`Error::Shape`] if the matrix has another
    /// number of rows.
    pub fn kernels(&self, matrix: Tensor<2>) -> Result<Tensor<4>, Error> {
        self.wiring()?;
        let found @ [_, outputs] = matrix.dims();
        let patch = self.channels[0].saturating_mul(self.places());
        check_shape("matrix", found, [patch, outputs])?;
        Ok(unflatten(matrix, self.kernel_size))
    }

    fn places(&self) -> usize {
        let [height, width] = self.kernel_size;
        height.saturating_mul(width)
    }
}

impl Geometry for Conv2d {
    const NAME: &'static str = "Conv2d";

    fn wiring(&self) -> Result<Wiring, Error> {
        for (name, sizes) in [
            ("channels", self.channels),
            ("kernel_size", self.kernel_size),
            ("stride", self.stride),
            ("dilation", self.dilation),
        ] {
            sizes.iter().try_for_each(|size| check_size(name, *size))?;
        }
        if let PaddingConfig2d::Explicit(top, left, bottom, right) = self.padding {
            for size in [top, left, bottom, right] {
                check(size <= MAX_PADDING, "padding", size, "at most 65536")?;
            }
        }
        let [sources, outputs] = self.channels;
        Ok(Wiring {
            names: ["channels", "channels"],
            sources,
            places: self.places(),
            outputs,
            recurrence: None,
        })
    }

    fn describe_sizes(&self, content: Content) -> Content {
        let [inputs, outputs] = self.channels;
        content.add("ch_in", &inputs).add("ch_out", &outputs)
    }

    fn describe(&self, content: Content) -> Content {
        content
            .add_debug_attribute("kernel_size", &self.kernel_size)
            .add_debug_attribute("stride", &self.stride)
            .add_debug_attribute("dilation", &self.dilation)
            .add_debug_attribute("padding", &self.padding)
    }
}

impl<O: Options> LayerConfig<O, Conv2d> {
    /// A layer with these numbers of input and output channels, kernels of this size, stride 1, dilation 1,
    /// no padding and the default options.
    pub fn new(channels: [usize; 2], kernel_size: [usize; 2]) -> Self {
        Self {
            geometry: Conv2d::new(channels, kernel_size),
            circuit: O::default(),
        }
    }
}

impl<C: Circuit> Layer<C, Conv2d> {
    /// A layer with these weights of patches. Their signs are not checked (see
    /// [`dale::check`](crate::dale::check)).
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the shapes do not fit each other or the geometry, [`Error::Config`] if a number
    /// is not allowed.
    pub fn from_weights(weights: C::Weights, geometry: Conv2d) -> Result<Self, Error> {
        Self::new(C::from_weights(weights)?, geometry)
    }

    /// Applies the layer. This alone does not train the inhibition of an I-Norm layer; see
    /// [`forward_with_local_loss`](Self::forward_with_local_loss).
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, channels in, height, width]`
    /// - result: `[batch, channels out, height out, width out]`
    ///
    /// # Panics
    ///
    /// If the channels differ, the image has no pixels, the kernel does not fit into the padded image, or an
    /// [`InputCheck`](super::InputCheck) finds a negative input.
    #[track_caller]
    #[must_use]
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self.circuit.single_matrix() {
            // Burn's convolution does not support an empty batch.
            Some((matrix, bias)) if x.dims()[0] > 0 => {
                let (geometry, padding) = (&self.geometry, self.windows(&x).padding);
                let kernels = unflatten(matrix, geometry.kernel_size);
                let (stride, dilation) = (geometry.stride, geometry.dilation);
                let options = ConvOptions::new_with_padding(stride, padding, dilation, 1);
                conv2d(x, kernels, bias, options)
            }
            _ => self.apply(x).0,
        }
    }

    /// The currents of a batch at each position.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, channels in, height, width]`
    /// - currents: `[batch, channels out, height out, width out]`
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    #[track_caller]
    #[must_use]
    pub fn currents(&self, x: Tensor<4>) -> Currents<4> {
        let patches = self.windows(&x).patches(x);
        self.circuit.currents(patches).map(channels_first)
    }

    /// The output z for these currents, in plain tensor operations; errors are not normalized.
    #[must_use]
    pub fn output(&self, currents: &Currents<4>) -> Tensor<4> {
        channels_first(self.circuit.output(&channels_last(currents)))
    }

    /// The windows on images, after a check of the images.
    #[track_caller]
    fn windows(&self, x: &Tensor<4>) -> Windows {
        let windows = self.geometry.windows_on(x);
        or_panic(self.input_check.check(x));
        windows
    }

    #[track_caller]
    fn apply(&self, x: Tensor<4>) -> (Tensor<4>, Pass) {
        let patches = self.windows(&x).patches(x);
        let (output, pass) = row_function::apply(self.circuit.function(), patches);
        (channels_first(output), pass)
    }
}

impl<C: LearnsLocally> Layer<C, Conv2d> {
    /// The local loss for these currents, in plain tensor operations.
    ///
    /// # Shapes
    ///
    /// - result: `[1]`
    #[must_use]
    pub fn local_loss(&self, currents: &Currents<4>) -> Tensor<1> {
        self.circuit.local_loss(&channels_last(currents))
    }

    /// Applies the layer and returns, beside the output, the loss from which its inhibitory weights learn:
    /// the mean over examples and positions. Add it to the task's loss: `loss = task + lambda * local`. It is
    /// 0 if there are no examples.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, channels in, height, width]`
    /// - output: `[batch, channels out, height out, width out]`, local loss: `[1]`
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    #[track_caller]
    #[must_use]
    pub fn forward_with_local_loss(&self, x: Tensor<4>) -> (Tensor<4>, Tensor<1>) {
        let (output, pass) = self.apply(x);
        (output, self.circuit.local_loss_of(pass))
    }
}

/// The currents of an image with the channels last, as a circuit reads them.
fn channels_last(currents: &Currents<4>) -> Currents<4> {
    currents
        .clone()
        .map(|current| current.permute([0, 2, 3, 1]))
}

/// `[batch, height, width, channels]` as `[batch, channels, height, width]`.
fn channels_first(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 3, 1, 2])
}
