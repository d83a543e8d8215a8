use burn::config::Config;
use burn::module::{Content, DisplaySettings, Module, ModuleDisplay};
use burn::nn::PaddingConfig2d;
use burn::tensor::{Device, Tensor};
use rand::Rng;

use super::super::shunting_linear::ShuntingOperands;
use super::super::{
    InputCheck, ShuntingCurrents, ShuntingLinear, ShuntingLinearConfig, ShuntingWeights,
    check_shape,
};
use super::{ConvGeometry, assert_channels, check_sizes, display_windows, kernel_weight};
use crate::Error;
use crate::dale::Weight;
use crate::functional::{flatten, patches};
use crate::init::{self, Inhibitory};

/// Configuration of [`ShuntingConv2d`].
///
/// The initial weights are those of a [`ShuntingLinear`] of patches: see [`ShuntingLinearConfig`],
/// with d = channels_in · height · width of the kernel.
#[derive(Config, Debug)]
pub struct ShuntingConv2dConfig {
    /// The channels that come in and those that go out: the excitatory maps.
    pub channels: [usize; 2],
    /// The size of the kernels.
    pub kernel_size: [usize; 2],
    /// The stride.
    #[config(default = "[1, 1]")]
    pub stride: [usize; 2],
    /// The spacing between the elements of a kernel.
    #[config(default = "[1, 1]")]
    pub dilation: [usize; 2],
    /// The padding.
    #[config(default = "PaddingConfig2d::Valid")]
    pub padding: PaddingConfig2d,
    /// The inhibitory maps: a count, or a fraction of the channels that go out. At least 1.
    #[config(default = "Inhibitory::Fraction(0.1)")]
    pub inhibitory: Inhibitory,
    /// Whether there is a bias; it is free of sign and starts at 0.
    #[config(default = true)]
    pub bias: bool,
    /// Whether the inputs are data and not the activity of such a layer: then s = sqrt(1/(2d)).
    #[config(default = false)]
    pub first_layer: bool,
    /// Draws W_ix and W_ei independently, both from Exp(scale sqrt(s/n_i)).
    #[config(default = false)]
    pub iid_inhibition: bool,
    /// ε in γ. Where a patch is all zeros, it is what the currents and the errors are divided by.
    #[config(default = 1e-8)]
    pub epsilon: f64,
}

impl ShuntingConv2dConfig {
    /// Creates the layer with weights drawn by the seed of the device.
    ///
    /// # Panics
    ///
    /// Where [`try_init`](Self::try_init) returns an error.
    pub fn init(&self, device: &Device) -> ShuntingConv2d {
        init::or_panic(self.try_init(device))
    }

    /// Creates the layer with weights drawn by the seed of the device.
    ///
    /// # Errors
    ///
    /// As [`try_init_with`](Self::try_init_with).
    pub fn try_init(&self, device: &Device) -> Result<ShuntingConv2d, Error> {
        self.try_init_with(device, &mut init::device_rng(device))
    }

    /// Creates the layer with weights drawn from `rng`.
    ///
    /// # Errors
    ///
    /// If a size, a stride, a dilation or the number of inhibitory maps is 0, the inhibitory fraction
    /// is not in 0..=1, or ε is negative or not finite.
    pub fn try_init_with(
        &self,
        device: &Device,
        rng: &mut impl Rng,
    ) -> Result<ShuntingConv2d, Error> {
        let d_input = check_sizes(self.channels, self.kernel_size)?;
        let [_, channels_out] = self.channels;
        let of_patches = ShuntingLinearConfig::new(d_input, channels_out)
            .with_inhibitory(self.inhibitory)
            .with_bias(self.bias)
            .with_first_layer(self.first_layer)
            .with_iid_inhibition(self.iid_inhibition)
            .with_epsilon(self.epsilon)
            .try_init_with(device, rng)?;
        let geometry = ConvGeometry {
            stride: self.stride,
            dilation: self.dilation,
            padding: self.padding.clone(),
        };
        ShuntingConv2d::of_patches(of_patches, self.kernel_size, geometry)
    }
}

/// Given weights of a [`ShuntingConv2d`], taken as they are.
#[derive(Debug, Clone)]
pub struct ShuntingConv2dWeights {
    /// Excitatory kernels, `[channels_out, channels_in, height, width]`.
    pub w_ex: Tensor<4>,
    /// Kernels of the inhibitory maps, `[n_i, channels_in, height, width]`.
    pub w_ix: Tensor<4>,
    /// From those to the outputs, `[n_i, channels_out]`.
    pub w_ei: Tensor<2>,
    /// α, `[n_i]`.
    pub alpha: Tensor<1>,
    /// g, `[channels_out]`.
    pub gain: Tensor<1>,
    /// b, `[channels_out]`.
    pub bias: Option<Tensor<1>>,
}

/// A convolution of excitatory maps whose inhibition subtracts and divides: at each position a
/// [`ShuntingLinear`] of the patch (the DANN layer with shunting inhibition, Cornford et al. 2021),
///
// h = W_ix ∗ x, γ = W_ei (e^α ⊙ h) + ε, z = g ⊙ (W_ex ∗ x − W_ei h)/γ + b
#[doc = include_str!("../../../equations/shunting_conv.html")]
///
/// with W_ex, W_ix, W_ei, g ≥ 0; α, one for each inhibitory map, and b are free. All of it learns from
/// the task's error.
///
/// The inhibitory maps h have the excitatory kernels' size, stride, padding and dilation; W_ei mixes
/// them at each position; g and b are one number for each channel that goes out.
///
/// Inputs must be ≥ 0, or γ can be 0 or negative; see
/// [`with_input_check`](Self::with_input_check). Where a patch is all zeros, z = b and the error at x
/// is divided by ε. A ReLU before the layer stops that error, for where its output is 0 it has the
/// derivative 0.
///
/// Should be created with [`ShuntingConv2dConfig`], or from given weights with
/// [`from_weights`](Self::from_weights).
///
/// ```
/// use burn::nn::PaddingConfig2d;
/// use burn::prelude::*;
/// use ei_norm::ShuntingConv2dConfig;
///
/// let device = Device::flex();
/// let layer = ShuntingConv2dConfig::new([3, 16], [5, 5])
///     .with_padding(PaddingConfig2d::Same)
///     .with_first_layer(true)
///     .init(&device)
///     .with_input_check("conv0");
/// let z = layer.forward(Tensor::<4>::ones([8, 3, 28, 28], &device));
/// assert_eq!(z.dims(), [8, 16, 28, 28]);
/// ```
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct ShuntingConv2d {
    /// Excitatory kernels W_ex, `[channels_out, channels_in, height, width]`, ≥ 0.
    pub w_ex: Weight<4>,
    /// Kernels W_ix of the inhibitory maps, `[n_i, channels_in, height, width]`, ≥ 0.
    pub w_ix: Weight<4>,
    /// Weights W_ei from the inhibitory maps to the outputs, `[n_i, channels_out]`, ≥ 0.
    pub w_ei: Weight<2>,
    /// α, `[n_i]`, free: e^α is how strongly a map divides, relative to how strongly it subtracts.
    pub alpha: Weight<1>,
    /// Gain g, `[channels_out]`, ≥ 0.
    pub gain: Weight<1>,
    /// Bias b, `[channels_out]`.
    pub bias: Option<Weight<1>>,
    /// Whether inputs are checked; off by default.
    #[module(skip)]
    pub input_check: InputCheck,
    #[module(skip)]
    epsilon: f64,
    #[module(skip)]
    geometry: ConvGeometry,
}

impl ShuntingConv2d {
    /// A layer with these weights, signs unchecked (see [`dale::check`](crate::dale::check)).
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the shapes do not fit each other; [`Error::Config`] if a size, a stride or a
    /// dilation is 0, or ε is negative or not finite.
    pub fn from_weights(
        weights: ShuntingConv2dWeights,
        geometry: ConvGeometry,
        epsilon: f64,
    ) -> Result<Self, Error> {
        let [channels_out, channels_in, height, width] = weights.w_ex.dims();
        check_sizes([channels_in, channels_out], [height, width])?;
        let n_i = weights.w_ix.dims()[0];
        check_shape("w_ix", &weights.w_ix, [n_i, channels_in, height, width])?;
        let of_patches = ShuntingWeights {
            w_ex: flatten(weights.w_ex),
            w_ix: flatten(weights.w_ix),
            w_ei: weights.w_ei,
            alpha: weights.alpha,
            gain: weights.gain,
            bias: weights.bias,
        };
        let of_patches = ShuntingLinear::from_weights(of_patches, epsilon)?;
        Self::of_patches(of_patches, [height, width], geometry)
    }

    /// The convolution that applies `layer` to every patch.
    fn of_patches(
        layer: ShuntingLinear,
        kernel_size: [usize; 2],
        geometry: ConvGeometry,
    ) -> Result<Self, Error> {
        geometry.validate()?;
        let epsilon = layer.epsilon();
        Ok(Self {
            w_ex: kernel_weight(&layer.w_ex, kernel_size),
            w_ix: kernel_weight(&layer.w_ix, kernel_size),
            w_ei: layer.w_ei,
            alpha: layer.alpha,
            gain: layer.gain,
            bias: layer.bias,
            input_check: layer.input_check,
            epsilon,
            geometry,
        })
    }

    /// The same layer, with a check that its inputs are ≥ 0; `name` is what an error calls it.
    pub fn with_input_check(self, name: &str) -> Self {
        Self {
            input_check: InputCheck::named(name),
            ..self
        }
    }

    /// Applies the layer.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, channels_in, height, width]`
    /// - result: `[batch, channels_out, height out, width out]`
    ///
    /// # Panics
    ///
    /// If the channels differ, the kernel does not fit into the padded image, or a
    /// [check](InputCheck) finds a negative input.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let kernels = self.w_ex.dims();
        assert_channels(&x, kernels);
        self.input_check.assert(&x);
        let ([.., height, width], [.., rows, columns]) = (kernels, x.dims());
        let windows = self.geometry.windows([height, width], [rows, columns]);
        let operands = ShuntingOperands {
            w_ex: flatten(self.w_ex.value()),
            w_ix: flatten(self.w_ix.value()),
            w_ei: self.w_ei.value(),
            alpha: self.alpha.value(),
            epsilon: self.epsilon,
        };
        let bias = self.bias.as_ref().map(Weight::value);
        // Channels last, and then in their place.
        ShuntingCurrents::new(patches(x, windows), operands)
            .output(self.gain.value(), bias)
            .permute([0, 3, 1, 2])
    }

    /// The number of inhibitory maps.
    pub fn inhibitory_maps(&self) -> usize {
        self.w_ix.dims()[0]
    }

    /// ε.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Where the windows lie.
    pub fn geometry(&self) -> &ConvGeometry {
        &self.geometry
    }
}

impl ModuleDisplay for ShuntingConv2d {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new()
            .with_new_line_after_attribute(false)
            .optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let [ch_out, ch_in, ..] = self.w_ex.dims();
        let content = content
            .add("ch_in", &ch_in)
            .add("ch_out", &ch_out)
            .add("inhibitory", &self.inhibitory_maps());
        display_windows(content, self.w_ex.dims(), &self.geometry)
            .add("bias", &self.bias.is_some())
            .optional()
    }
}
