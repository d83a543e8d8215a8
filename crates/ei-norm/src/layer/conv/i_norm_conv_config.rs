use burn::config::Config;
use burn::nn::PaddingConfig2d;
use burn::tensor::Device;
use rand::Rng;

use super::super::{INormLinearConfig, InhibitoryPlasticity};
use super::{ConvGeometry, INormConv2d, check_sizes};
use crate::init::{self, Inhibitory, Initializer};
use crate::{Error, GradNormMode};

/// Configuration of [`INormConv2d`].
#[derive(Config, Debug)]
pub struct INormConv2dConfig {
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
    /// The subtractive inhibitory maps: a count, or a fraction of the channels that go out. At
    /// least 1.
    #[config(default = "Inhibitory::Fraction(0.1)")]
    pub inhibitory: Inhibitory,
    /// Whether there is a bias; it is free of sign and starts at 0.
    #[config(default = true)]
    pub bias: bool,
    /// The distribution of the initial weights, with channels_in · height · width of the kernel as
    /// the number of inputs.
    #[config(default = "Initializer::Lognormal")]
    pub initializer: Initializer,
    /// Whether inhibition also divides; if not, it only subtracts (q = 1).
    #[config(default = true)]
    pub divisive: bool,
    /// How the error that arrives at the output is normalized.
    #[config(default = "GradNormMode::Full")]
    pub error_norm: GradNormMode,
    /// Which inhibitory weights learn; none given = as in the paper
    /// ([`InhibitoryPlasticity::of_paper`]).
    #[config(default = "None")]
    pub plasticity: Option<InhibitoryPlasticity>,
    /// ε in q and in the normalization of errors.
    #[config(default = 1e-5)]
    pub epsilon: f64,
}

impl INormConv2dConfig {
    /// Creates the layer with weights drawn by the seed of the device.
    ///
    /// # Panics
    ///
    /// Where [`try_init`](Self::try_init) returns an error.
    pub fn init(&self, device: &Device) -> INormConv2d {
        init::or_panic(self.try_init(device))
    }

    /// Creates the layer with weights drawn by the seed of the device.
    ///
    /// # Errors
    ///
    /// As [`try_init_with`](Self::try_init_with).
    pub fn try_init(&self, device: &Device) -> Result<INormConv2d, Error> {
        self.try_init_with(device, &mut init::device_rng(device))
    }

    /// Creates the layer with weights drawn from `rng`: those of an
    /// [`INormLinear`](crate::INormLinear) of patches. It starts out as LayerNorm over the channels
    /// of W_ex ∗ x + b, up to ε.
    ///
    /// # Errors
    ///
    /// If a size, a stride, a dilation or the number of inhibitory maps is 0, the inhibitory fraction
    /// is not in 0..=1, ε is negative or not finite, or there is one channel out with an
    /// initialization that needs two.
    pub fn try_init_with(&self, device: &Device, rng: &mut impl Rng) -> Result<INormConv2d, Error> {
        let d_input = check_sizes(self.channels, self.kernel_size)?;
        let [_, channels_out] = self.channels;
        let of_patches = INormLinearConfig::new(d_input, channels_out)
            .with_inhibitory(self.inhibitory)
            .with_bias(self.bias)
            .with_initializer(self.initializer)
            .with_divisive(self.divisive)
            .with_error_norm(self.error_norm)
            .with_plasticity(self.plasticity)
            .with_epsilon(self.epsilon)
            .try_init_with(device, rng)?;
        let geometry = ConvGeometry {
            stride: self.stride,
            dilation: self.dilation,
            padding: self.padding.clone(),
        };
        INormConv2d::of_patches(of_patches, self.kernel_size, geometry)
    }
}
