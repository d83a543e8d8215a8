use burn::config::Config;
use burn::tensor::Device;
use rand::Rng;

use super::i_norm::{INormLinear, INormWeights};
use super::{tensors, zero_bias};
use crate::init::{self, EiDraw, Inhibitory, Initializer};
use crate::{Error, GradNormConfig, GradNormMode};

/// Which inhibitory matrices of an [`INormLinear`] learn from its local loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct InhibitoryPlasticity {
    /// W_ix, from the inputs to the subtractive inhibitory units.
    pub w_ix: bool,
    /// W_ei, from those to the outputs.
    pub w_ei: bool,
    /// U_ix, from the inputs to the divisive inhibitory units.
    pub u_ix: bool,
    /// U_ei, from those to the outputs.
    pub u_ei: bool,
}

impl InhibitoryPlasticity {
    /// What the paper does: W_ix and U_ix learn; W_ix and W_ei where inhibition only subtracts.
    pub fn of_paper(divisive: bool) -> Self {
        Self {
            w_ix: true,
            w_ei: !divisive,
            u_ix: divisive,
            u_ei: false,
        }
    }
}

/// Configuration of [`INormLinear`].
#[derive(Config, Debug)]
pub struct INormLinearConfig {
    /// The size of the input features.
    pub d_input: usize,
    /// The size of the output features: the excitatory neurons.
    pub d_output: usize,
    /// The subtractive inhibitory units: a count, or a fraction of the outputs. At least 1.
    #[config(default = "Inhibitory::Fraction(0.1)")]
    pub inhibitory: Inhibitory,
    /// Whether there is a bias; it is free of sign and starts at 0.
    #[config(default = true)]
    pub bias: bool,
    /// The distribution of the initial weights.
    #[config(default = "Initializer::Lognormal")]
    pub initializer: Initializer,
    /// Whether inhibition also divides; if not, it only subtracts (q = 1).
    #[config(default = true)]
    pub divisive: bool,
    /// How the error that arrives at the output is normalized.
    #[config(default = "GradNormMode::Full")]
    pub error_norm: GradNormMode,
    /// Which inhibitory matrices learn; none given = as in the paper
    /// ([`InhibitoryPlasticity::of_paper`]).
    #[config(default = "None")]
    pub plasticity: Option<InhibitoryPlasticity>,
    /// ε in q and in the normalization of errors.
    #[config(default = 1e-5)]
    pub epsilon: f64,
}

impl INormLinearConfig {
    /// Creates the layer with weights drawn by the seed of the device.
    ///
    /// # Panics
    ///
    /// Where [`try_init`](Self::try_init) returns an error.
    pub fn init(&self, device: &Device) -> INormLinear {
        init::or_panic(self.try_init(device))
    }

    /// Creates the layer with weights drawn by the seed of the device.
    ///
    /// # Errors
    ///
    /// As [`try_init_with`](Self::try_init_with).
    pub fn try_init(&self, device: &Device) -> Result<INormLinear, Error> {
        self.try_init_with(device, &mut init::device_rng(device))
    }

    /// Creates the layer with weights drawn from `rng`.
    ///
    /// The divisive weights are such that the layer starts out as LayerNorm(x W_ex + b) up to ε: with
    /// the thin SVD V S Uᵀ of W_ex − W_ix W_ei, U_ix = V S, and U_ei = 1/d_output.
    ///
    /// # Errors
    ///
    /// If a size or the number of inhibitory units is 0, the inhibitory fraction is not in 0..=1, ε
    /// is negative or not finite, or there is one output with an initialization that needs two.
    pub fn try_init_with(&self, device: &Device, rng: &mut impl Rng) -> Result<INormLinear, Error> {
        let n_i = self.inhibitory.units(self.d_output)?;
        let draw = self
            .initializer
            .draw(self.d_input, self.d_output, n_i, rng)?;
        self.init_from(draw, device, rng)
    }

    /// A layer of these weights; the divisive ones follow from them.
    pub(super) fn init_from(
        &self,
        draw: EiDraw,
        device: &Device,
        rng: &mut impl Rng,
    ) -> Result<INormLinear, Error> {
        let (w_ex, inhibition) = tensors(draw, device);
        let Some((w_ix, w_ei)) = inhibition else {
            return Err(Error::config("inhibitory", 0, "at least 1 inhibitory unit"));
        };
        let bias = zero_bias(self.bias, self.d_output, device);
        let weights = match self.divisive {
            true => INormWeights::balanced(w_ex, w_ix, w_ei, bias),
            false => INormWeights::subtractive(w_ex, w_ix, w_ei, bias),
        };
        let grad_norm = GradNormConfig::new(self.d_output)
            .with_mode(self.error_norm)
            .with_epsilon(self.epsilon)
            .try_init_with(device, rng)?;
        INormLinear::from_weights(weights, grad_norm, self.plasticity, self.epsilon)
    }
}
