use burn::config::Config;
use burn::module::{Content, DisplaySettings, Module, ModuleDisplay};
use burn::tensor::{Device, Tensor, assert_shape};
use rand::Rng;

use super::{
    InputCheck, bias_param, check_shape, excitatory, free, inhibitory_in, inhibitory_out,
    non_negative, tensors, zero_bias,
};
use crate::dale::{Role, Weight};
use crate::init::{self, Iclr, Inhibitory};
use crate::{Error, functional};

/// Configuration of [`ShuntingLinear`].
///
/// The initial weights are those of Cornford et al. 2021: W_ex from Exp(scale s) with
/// s = sqrt(2π/(d(2π−1))) for d inputs, W_ix from the same and W_ei = 1/n_i, or with one inhibitory
/// unit the mean weight of each input and 1; α = ln sqrt((2π−1)/d), g = 1 and b = 0.
#[derive(Config, Debug)]
pub struct ShuntingLinearConfig {
    /// The size of the input features.
    pub d_input: usize,
    /// The size of the output features: the excitatory neurons.
    pub d_output: usize,
    /// The inhibitory units: a count, or a fraction of the outputs. At least 1.
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
    /// ε in γ. An input of zeros is divided by it, and so is the error there.
    #[config(default = 1e-8)]
    pub epsilon: f64,
}

impl ShuntingLinearConfig {
    /// Creates the layer with weights drawn by the seed of the device.
    ///
    /// # Panics
    ///
    /// Where [`try_init`](Self::try_init) returns an error.
    pub fn init(&self, device: &Device) -> ShuntingLinear {
        init::or_panic(self.try_init(device))
    }

    /// Creates the layer with weights drawn by the seed of the device.
    ///
    /// # Errors
    ///
    /// As [`try_init_with`](Self::try_init_with).
    pub fn try_init(&self, device: &Device) -> Result<ShuntingLinear, Error> {
        self.try_init_with(device, &mut init::device_rng(device))
    }

    /// Creates the layer with weights drawn from `rng`.
    ///
    /// # Errors
    ///
    /// If a size or the number of inhibitory units is 0, the inhibitory fraction is not in 0..=1, or
    /// ε is negative or not finite.
    pub fn try_init_with(
        &self,
        device: &Device,
        rng: &mut impl Rng,
    ) -> Result<ShuntingLinear, Error> {
        let n_i = self.inhibitory.units(self.d_output)?;
        let iclr = Iclr {
            first_layer: self.first_layer,
            iid: self.iid_inhibition,
        };
        let draw = iclr.draw(self.d_input, self.d_output, n_i, rng)?;
        let (w_ex, inhibition) = tensors(draw, device);
        let Some((w_ix, w_ei)) = inhibition else {
            return Err(Error::config("inhibitory", 0, "at least 1 inhibitory unit"));
        };
        let alpha = 0.5 * ((std::f64::consts::TAU - 1.0) / self.d_input as f64).ln();
        let weights = ShuntingWeights {
            w_ex,
            w_ix,
            w_ei,
            alpha: Tensor::full([n_i], alpha, device),
            gain: Tensor::ones([self.d_output], device),
            bias: zero_bias(self.bias, self.d_output, device),
        };
        ShuntingLinear::from_weights(weights, self.epsilon)
    }
}

/// Given weights of a [`ShuntingLinear`], taken as they are.
#[derive(Debug, Clone)]
pub struct ShuntingWeights {
    /// Excitatory weights, `[d_input, d_output]`.
    pub w_ex: Tensor<2>,
    /// From the inputs to the inhibitory units, `[d_input, n_i]`.
    pub w_ix: Tensor<2>,
    /// From those to the outputs, `[n_i, d_output]`.
    pub w_ei: Tensor<2>,
    /// α, `[n_i]`.
    pub alpha: Tensor<1>,
    /// g, `[d_output]`.
    pub gain: Tensor<1>,
    /// b, `[d_output]`.
    pub bias: Option<Tensor<1>>,
}

/// A linear layer of excitatory neurons whose inhibition subtracts and divides (the DANN layer with
/// shunting inhibition of Cornford et al. 2021):
///
// h = x W_ix, γ = (h ⊙ e^α) W_ei + ε, z = g ⊙ (x W_ex − h W_ei)/γ + b
#[doc = include_str!("../../equations/shunting.html")]
///
/// with W_ex, W_ix, W_ei, g ≥ 0; α, one for each inhibitory unit, and b are free. All of it learns
/// from the task's error.
///
/// Inputs must be ≥ 0, or γ can be 0 or negative; see
/// [`with_input_check`](Self::with_input_check).
///
/// Should be created with [`ShuntingLinearConfig`], or from given weights with
/// [`from_weights`](Self::from_weights).
///
/// ```
/// use burn::prelude::*;
/// use ei_norm::ShuntingLinearConfig;
///
/// let device = Device::flex();
/// let config = ShuntingLinearConfig::new(8, 20).with_first_layer(true);
/// let layer = config.init(&device).with_input_check("fc0");
/// assert_eq!(layer.forward(Tensor::<2>::ones([3, 8], &device)).dims(), [3, 20]);
/// ```
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct ShuntingLinear {
    /// Excitatory weights W_ex, `[d_input, d_output]`, ≥ 0.
    pub w_ex: Weight<2>,
    /// Weights W_ix of the inhibitory units, `[d_input, n_i]`, ≥ 0.
    pub w_ix: Weight<2>,
    /// Weights W_ei from those to the outputs, `[n_i, d_output]`, ≥ 0.
    pub w_ei: Weight<2>,
    /// α, `[n_i]`, free: e^α is how strongly a unit divides, relative to how strongly it subtracts.
    pub alpha: Weight<1>,
    /// Gain g, `[d_output]`, ≥ 0.
    pub gain: Weight<1>,
    /// Bias b, `[d_output]`.
    pub bias: Option<Weight<1>>,
    /// Whether inputs are checked; off by default.
    #[module(skip)]
    pub input_check: InputCheck,
    #[module(skip)]
    epsilon: f64,
}

/// What a [`ShuntingLinear`] computes its output from:
/// z = g ⊙ (excitatory − subtractive)/divisive + b.
#[derive(Debug, Clone)]
pub struct ShuntingCurrents<const D: usize> {
    /// x W_ex, `[..., d_output]`.
    pub excitatory: Tensor<D>,
    /// h W_ei, `[..., d_output]`.
    pub subtractive: Tensor<D>,
    /// γ, `[..., d_output]`.
    pub divisive: Tensor<D>,
}

/// What the currents are made with; matrices as in [`ShuntingWeights`].
pub(super) struct ShuntingOperands {
    pub w_ex: Tensor<2>,
    pub w_ix: Tensor<2>,
    pub w_ei: Tensor<2>,
    pub alpha: Tensor<1>,
    pub epsilon: f64,
}

impl<const D: usize> ShuntingCurrents<D> {
    /// The currents of inputs `[..., d_input]`.
    pub(super) fn new(x: Tensor<D>, operands: ShuntingOperands) -> Self {
        let ShuntingOperands {
            w_ex,
            w_ix,
            w_ei,
            alpha,
            epsilon,
        } = operands;
        let h = functional::excite(x.clone(), w_ix, None);
        Self {
            excitatory: functional::excite(x, w_ex, None),
            subtractive: functional::excite(h.clone(), w_ei.clone(), None),
            divisive: functional::shunting_current(h, w_ei, alpha, epsilon),
        }
    }

    /// z = g ⊙ (excitatory − subtractive)/divisive + b.
    ///
    /// # Shapes
    ///
    /// - `gain`, `bias`: `[d_output]`
    /// - result: `[..., d_output]`
    pub(super) fn output(self, gain: Tensor<1>, bias: Option<Tensor<1>>) -> Tensor<D> {
        functional::shunt(self.excitatory, self.subtractive, self.divisive, gain, bias)
    }
}

impl ShuntingLinear {
    /// A layer with these weights, signs unchecked (see [`dale::check`](crate::dale::check)).
    ///
    /// # Errors
    ///
    /// If the shapes do not fit each other, or ε is negative or not finite.
    pub fn from_weights(weights: ShuntingWeights, epsilon: f64) -> Result<Self, Error> {
        init::check_not_negative("epsilon", epsilon)?;
        let [d_input, d_output] = weights.w_ex.dims();
        let n_i = weights.w_ix.dims()[1];
        check_shape("w_ix", &weights.w_ix, [d_input, n_i])?;
        check_shape("w_ei", &weights.w_ei, [n_i, d_output])?;
        check_shape("alpha", &weights.alpha, [n_i])?;
        check_shape("gain", &weights.gain, [d_output])?;
        if let Some(bias) = &weights.bias {
            check_shape("bias", bias, [d_output])?;
        }
        Ok(Self {
            w_ex: excitatory(weights.w_ex),
            w_ix: inhibitory_in(weights.w_ix),
            w_ei: inhibitory_out(weights.w_ei),
            alpha: free(weights.alpha, Role::Shunting),
            gain: non_negative(weights.gain, Role::Gain),
            bias: bias_param(weights.bias),
            input_check: InputCheck::default(),
            epsilon,
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
    /// - `x`: `[..., d_input]`
    /// - result: `[..., d_output]`
    ///
    /// # Panics
    ///
    /// If the last axis of `x` is not `d_input`, or a [check](InputCheck) finds a negative input.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let bias = self.bias.as_ref().map(Weight::value);
        self.currents(x).output(self.gain.value(), bias)
    }

    /// The excitatory current of a batch and the two kinds of inhibition.
    ///
    /// # Shapes
    ///
    /// - `x`: `[..., d_input]`
    /// - currents: `[..., d_output]`
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn currents<const D: usize>(&self, x: Tensor<D>) -> ShuntingCurrents<D> {
        let [d_input, _] = self.w_ex.dims();
        assert_shape!(x, [.., d_input]);
        self.input_check.assert(&x);
        ShuntingCurrents::new(x, self.operands())
    }

    /// The weights to compute with.
    fn operands(&self) -> ShuntingOperands {
        ShuntingOperands {
            w_ex: self.w_ex.value(),
            w_ix: self.w_ix.value(),
            w_ei: self.w_ei.value(),
            alpha: self.alpha.value(),
            epsilon: self.epsilon,
        }
    }

    /// The number of inhibitory units.
    pub fn inhibitory_units(&self) -> usize {
        self.w_ix.dims()[1]
    }

    /// ε.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }
}

impl ModuleDisplay for ShuntingLinear {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new()
            .with_new_line_after_attribute(false)
            .optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let [d_input, d_output] = self.w_ex.dims();
        content
            .add("d_input", &d_input)
            .add("d_output", &d_output)
            .add("inhibitory", &self.inhibitory_units())
            .add("bias", &self.bias.is_some())
            .optional()
    }
}
