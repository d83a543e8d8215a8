use burn::config::Config;
use burn::module::{Content, DisplaySettings, Module, ModuleDisplay};
use burn::nn::PaddingConfig2d;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};
use rand::Rng;

use super::super::{
    InputCheck, bias_param, check_shape, excitatory, inhibitory_in, inhibitory_out, tensors,
    zero_bias,
};
use super::{ConvGeometry, assert_channels, check_sizes, display_windows, kernels};
use crate::Error;
use crate::dale::Weight;
use crate::functional::{excite, flatten, patches, unflatten};
use crate::init::{self, Inhibitory, Initializer};

/// Configuration of [`EiConv2d`]; the options of Burn's `Conv2dConfig`, without groups.
#[derive(Config, Debug)]
pub struct EiConv2dConfig {
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
    /// The inhibitory maps: a count, or a fraction of the channels that go out. 0 makes the layer
    /// purely excitatory.
    #[config(default = "Inhibitory::Fraction(0.1)")]
    pub inhibitory: Inhibitory,
    /// Whether there is a bias; it is free of sign and starts at 0.
    #[config(default = true)]
    pub bias: bool,
    /// The distribution of the initial weights, with channels_in · height · width of the kernel as
    /// the number of inputs.
    #[config(default = "Initializer::Lognormal")]
    pub initializer: Initializer,
}

impl EiConv2dConfig {
    /// Creates the layer with weights drawn by the seed of the device.
    ///
    /// # Panics
    ///
    /// Where [`try_init`](Self::try_init) returns an error.
    pub fn init(&self, device: &Device) -> EiConv2d {
        init::or_panic(self.try_init(device))
    }

    /// Creates the layer with weights drawn by the seed of the device.
    ///
    /// # Errors
    ///
    /// As [`try_init_with`](Self::try_init_with).
    pub fn try_init(&self, device: &Device) -> Result<EiConv2d, Error> {
        self.try_init_with(device, &mut init::device_rng(device))
    }

    /// Creates the layer with weights drawn from `rng`.
    ///
    /// # Errors
    ///
    /// If a size, a stride or a dilation is 0, the inhibitory fraction is not in 0..=1, or there is
    /// one channel out with an initialization that needs two.
    pub fn try_init_with(&self, device: &Device, rng: &mut impl Rng) -> Result<EiConv2d, Error> {
        let d_input = check_sizes(self.channels, self.kernel_size)?;
        let [_, channels_out] = self.channels;
        let n_i = self.inhibitory.units(channels_out)?;
        let draw = self.initializer.draw(d_input, channels_out, n_i, rng)?;
        let (w_ex, inhibition) = tensors(draw, device);
        let weights = EiConv2dWeights {
            w_ex: kernels(w_ex, self.kernel_size),
            inhibition: inhibition.map(|(w_ix, w_ei)| (kernels(w_ix, self.kernel_size), w_ei)),
            bias: zero_bias(self.bias, channels_out, device),
        };
        let geometry = ConvGeometry {
            stride: self.stride,
            dilation: self.dilation,
            padding: self.padding.clone(),
        };
        EiConv2d::from_weights(weights, geometry)
    }
}

/// Given weights of an [`EiConv2d`], taken as they are.
#[derive(Debug, Clone)]
pub struct EiConv2dWeights {
    /// Excitatory kernels, `[channels_out, channels_in, height, width]`.
    pub w_ex: Tensor<4>,
    /// The kernels W_ix `[n_i, channels_in, height, width]` of the inhibitory maps, and W_ei
    /// `[n_i, channels_out]`, from those to the outputs at each position; none in a purely excitatory
    /// layer.
    pub inhibition: Option<(Tensor<4>, Tensor<2>)>,
    /// `[channels_out]`.
    pub bias: Option<Tensor<1>>,
}

/// A convolution of excitatory maps with feed-forward inhibition: at each position an
/// [`EiLinear`](crate::EiLinear) of the patch (a DANN layer, Cornford et al. 2021),
///
// z = W_ex ∗ x − W_ei (W_ix ∗ x) + b, with W_ex, W_ix, W_ei ≥ 0.
#[doc = include_str!("../../../equations/ei_conv.html")]
///
/// with W_ex, W_ix, W_ei ≥ 0.
///
/// The inhibitory maps W_ix ∗ x have the excitatory kernels' size, stride and padding; W_ei mixes
/// them at each position. The signs hold after initialization and after
/// [`dale::project`](crate::dale::project); the bias is free.
///
/// ```
/// use burn::prelude::*;
/// use ei_norm::EiConv2dConfig;
///
/// # fn main() -> Result<(), ei_norm::Error> {
/// let device = Device::flex();
/// let layer = EiConv2dConfig::new([3, 16], [5, 5]).with_stride([2, 2]).try_init(&device)?;
/// let z = layer.forward(Tensor::<4>::ones([8, 3, 28, 28], &device));
/// assert_eq!(z.dims(), [8, 16, 12, 12]);
/// # Ok(())
/// # }
/// ```
///
/// Should be created with [`EiConv2dConfig`], or from given weights with
/// [`from_weights`](Self::from_weights).
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct EiConv2d {
    /// Excitatory kernels W_ex, `[channels_out, channels_in, height, width]`, ≥ 0.
    pub w_ex: Weight<4>,
    /// Kernels W_ix of the inhibitory maps, `[n_i, channels_in, height, width]`, ≥ 0.
    pub w_ix: Option<Weight<4>>,
    /// Weights W_ei from the inhibitory maps to the outputs, `[n_i, channels_out]`, ≥ 0.
    pub w_ei: Option<Weight<2>>,
    /// Bias b, `[channels_out]`.
    pub bias: Option<Weight<1>>,
    /// Whether inputs are checked; off by default.
    #[module(skip)]
    pub input_check: InputCheck,
    #[module(skip)]
    geometry: ConvGeometry,
}

impl EiConv2d {
    /// A layer with these weights, signs unchecked (see [`dale::check`](crate::dale::check)).
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the shapes do not fit each other, [`Error::Config`] if a size, a stride or
    /// a dilation is 0.
    pub fn from_weights(weights: EiConv2dWeights, geometry: ConvGeometry) -> Result<Self, Error> {
        geometry.validate()?;
        let [channels_out, channels_in, height, width] = weights.w_ex.dims();
        check_sizes([channels_in, channels_out], [height, width])?;
        if let Some((w_ix, w_ei)) = &weights.inhibition {
            let n_i = w_ix.dims()[0];
            check_shape("w_ix", w_ix, [n_i, channels_in, height, width])?;
            check_shape("w_ei", w_ei, [n_i, channels_out])?;
        }
        if let Some(bias) = &weights.bias {
            check_shape("bias", bias, [channels_out])?;
        }
        let (w_ix, w_ei) = weights.inhibition.unzip();
        Ok(Self {
            w_ex: excitatory(weights.w_ex),
            w_ix: w_ix.map(inhibitory_in),
            w_ei: w_ei.map(inhibitory_out),
            bias: bias_param(weights.bias),
            input_check: InputCheck::default(),
            geometry,
        })
    }

    /// Applies the layer, as one convolution with [`effective_kernels`](Self::effective_kernels): a
    /// batch has so many positions that forming these once costs less than inhibitory maps.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, channels_in, height, width]`
    /// - result: `[batch, channels_out, height out, width out]`
    ///
    /// # Panics
    ///
    /// If the channels differ, or the kernel does not fit into the padded image.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = self.w_ex.dims();
        assert_channels(&x, self.w_ex.dims());
        self.input_check.assert(&x);
        let [batch, _, rows, columns] = x.dims();
        let windows = self.geometry.windows([height, width], [rows, columns]);
        let bias = self.bias.as_ref().map(Weight::value);
        if batch == 0 {
            // Burn's convolution needs an image.
            let kernels = flatten(self.effective_kernels());
            return excite(patches(x, windows), kernels, bias).permute([0, 3, 1, 2]);
        }
        let options =
            ConvOptions::new_with_padding(windows.stride, windows.padding, windows.dilation, 1);
        conv2d(x, self.effective_kernels(), bias, options)
    }

    /// The kernels of the one convolution that the layer equals: W_ex − W_ei W_ix.
    ///
    /// # Shapes
    ///
    /// - result: `[channels_out, channels_in, height, width]`
    pub fn effective_kernels(&self) -> Tensor<4> {
        let w_ex = self.w_ex.value();
        let [_, _, height, width] = w_ex.dims();
        match (&self.w_ix, &self.w_ei) {
            (Some(w_ix), Some(w_ei)) => {
                let inhibition = flatten(w_ix.value()).matmul(w_ei.value());
                w_ex - unflatten(inhibition, [height, width])
            }
            _ => w_ex,
        }
    }

    /// The number of inhibitory maps.
    pub fn inhibitory_maps(&self) -> usize {
        self.w_ix.as_ref().map_or(0, |w_ix| w_ix.dims()[0])
    }

    /// The same layer, with a check that its inputs are ≥ 0; `name` is what an error calls it.
    pub fn with_input_check(self, name: &str) -> Self {
        Self {
            input_check: InputCheck::named(name),
            ..self
        }
    }

    /// Where the windows lie.
    pub fn geometry(&self) -> &ConvGeometry {
        &self.geometry
    }
}

impl ModuleDisplay for EiConv2d {
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
