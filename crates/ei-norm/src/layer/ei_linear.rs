use burn::config::Config;
use burn::module::{Content, DisplaySettings, Module, ModuleDisplay};
use burn::tensor::{Device, Tensor, assert_shape};
use rand::Rng;

use super::{
    InputCheck, bias_param, check_shape, excitatory, inhibitory_in, inhibitory_out, tensors,
    zero_bias,
};
use crate::dale::Weight;
use crate::functional::EiMatrices;
use crate::init::{self, Inhibitory, Initializer};
use crate::{Error, functional};

/// Configuration of [`EiLinear`].
#[derive(Config, Debug)]
pub struct EiLinearConfig {
    /// The size of the input features.
    pub d_input: usize,
    /// The size of the output features: the excitatory neurons.
    pub d_output: usize,
    /// The inhibitory units: a count, or a fraction of the outputs. 0 makes the layer purely
    /// excitatory.
    #[config(default = "Inhibitory::Fraction(0.1)")]
    pub inhibitory: Inhibitory,
    /// Whether there is a bias; it is free of sign and starts at 0.
    #[config(default = true)]
    pub bias: bool,
    /// The distribution of the initial weights.
    #[config(default = "Initializer::Lognormal")]
    pub initializer: Initializer,
}

impl EiLinearConfig {
    /// Creates the layer with weights drawn by the seed of the device.
    ///
    /// # Panics
    ///
    /// Where [`try_init`](Self::try_init) returns an error.
    pub fn init(&self, device: &Device) -> EiLinear {
        init::or_panic(self.try_init(device))
    }

    /// Creates the layer with weights drawn by the seed of the device.
    ///
    /// # Errors
    ///
    /// As [`try_init_with`](Self::try_init_with).
    pub fn try_init(&self, device: &Device) -> Result<EiLinear, Error> {
        self.try_init_with(device, &mut init::device_rng(device))
    }

    /// Creates the layer with weights drawn from `rng`.
    ///
    /// # Errors
    ///
    /// If a size is 0, the inhibitory fraction is not in 0..=1, or there is one output with an
    /// initialization that needs two.
    pub fn try_init_with(&self, device: &Device, rng: &mut impl Rng) -> Result<EiLinear, Error> {
        let n_i = self.inhibitory.units(self.d_output)?;
        let draw = self
            .initializer
            .draw(self.d_input, self.d_output, n_i, rng)?;
        let (w_ex, inhibition) = tensors(draw, device);
        EiLinear::from_weights(EiWeights {
            w_ex,
            inhibition,
            bias: zero_bias(self.bias, self.d_output, device),
        })
    }
}

/// Given weights of an [`EiLinear`], taken as they are.
#[derive(Debug, Clone)]
pub struct EiWeights {
    /// Excitatory weights, `[d_input, d_output]`.
    pub w_ex: Tensor<2>,
    /// W_ix `[d_input, n_i]`, from the inputs to the inhibitory units, and W_ei `[n_i, d_output]`,
    /// from those to the outputs; none in a purely excitatory layer.
    pub inhibition: Option<(Tensor<2>, Tensor<2>)>,
    /// `[d_output]`.
    pub bias: Option<Tensor<1>>,
}

/// A linear layer of excitatory neurons with feed-forward inhibition (a DANN layer, Cornford et al.
/// 2021):
///
// z = x W_ex − (x W_ix) W_ei + b, with W_ex, W_ix, W_ei ≥ 0.
#[doc = include_str!("../../equations/ei_linear.html")]
///
/// with W_ex, W_ix, W_ei ≥ 0.
///
/// The signs hold after initialization and after [`dale::project`](crate::dale::project); the bias
/// is free.
///
/// Should be created with [`EiLinearConfig`], or from given weights with
/// [`from_weights`](Self::from_weights).
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct EiLinear {
    /// Excitatory weights W_ex, `[d_input, d_output]`, ≥ 0.
    pub w_ex: Weight<2>,
    /// Weights W_ix of the inhibitory units, `[d_input, n_i]`, ≥ 0.
    pub w_ix: Option<Weight<2>>,
    /// Weights W_ei from the inhibitory units to the outputs, `[n_i, d_output]`, ≥ 0.
    pub w_ei: Option<Weight<2>>,
    /// Bias b, `[d_output]`.
    pub bias: Option<Weight<1>>,
    /// Whether inputs are checked; off by default.
    #[module(skip)]
    pub input_check: InputCheck,
}

/// The two currents that an [`EiLinear`] adds up: z = excitatory − inhibitory.
#[derive(Debug, Clone)]
pub struct EiCurrents<const D: usize> {
    /// x W_ex + b, `[..., d_output]`.
    pub excitatory: Tensor<D>,
    /// (x W_ix) W_ei, `[..., d_output]`; zeros in a purely excitatory layer.
    pub inhibitory: Tensor<D>,
}

impl EiLinear {
    /// A layer with these weights, signs unchecked (see [`dale::check`](crate::dale::check)).
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the shapes do not fit each other.
    pub fn from_weights(weights: EiWeights) -> Result<Self, Error> {
        let [d_input, d_output] = weights.w_ex.dims();
        if let Some((w_ix, w_ei)) = &weights.inhibition {
            let n_i = w_ix.dims()[1];
            check_shape("w_ix", w_ix, [d_input, n_i])?;
            check_shape("w_ei", w_ei, [n_i, d_output])?;
        }
        if let Some(bias) = &weights.bias {
            check_shape("bias", bias, [d_output])?;
        }
        let (w_ix, w_ei) = weights.inhibition.unzip();
        Ok(Self {
            w_ex: excitatory(weights.w_ex),
            w_ix: w_ix.map(inhibitory_in),
            w_ei: w_ei.map(inhibitory_out),
            bias: bias_param(weights.bias),
            input_check: InputCheck::default(),
        })
    }

    /// The same layer, with a check that its inputs are ≥ 0; `name` is what an error calls it.
    pub fn with_input_check(self, name: &str) -> Self {
        Self {
            input_check: InputCheck::named(name),
            ..self
        }
    }

    /// Applies the layer. The inhibition is applied as two thin products or as one matrix
    /// W_ex − W_ix W_ei, whichever costs less for the batch at hand.
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
        let [d_input, _] = self.w_ex.dims();
        assert_shape!(x, [.., d_input]);
        self.input_check.assert(&x);
        let bias = self.bias.as_ref().map(Weight::value);
        self.matrices().apply(x, bias)
    }

    /// The matrices to compute with.
    pub(crate) fn matrices(&self) -> EiMatrices {
        let inhibition = self.w_ix.as_ref().zip(self.w_ei.as_ref());
        EiMatrices {
            w_ex: self.w_ex.value(),
            inhibition: inhibition.map(|(w_ix, w_ei)| (w_ix.value(), w_ei.value())),
        }
    }

    /// The excitatory and the inhibitory current of a batch, for the study of E/I balance; their
    /// difference is what [`forward`](Self::forward) returns.
    ///
    /// # Shapes
    ///
    /// - `x`: `[..., d_input]`
    /// - both currents: `[..., d_output]`
    ///
    /// # Panics
    ///
    /// If the last axis of `x` is not `d_input`, or a [check](InputCheck) finds a negative input.
    pub fn currents<const D: usize>(&self, x: Tensor<D>) -> EiCurrents<D> {
        let [d_input, _] = self.w_ex.dims();
        assert_shape!(x, [.., d_input]);
        self.input_check.assert(&x);
        let bias = self.bias.as_ref().map(Weight::value);
        let excitatory = functional::excite(x.clone(), self.w_ex.value(), bias);
        let inhibitory = match (&self.w_ix, &self.w_ei) {
            (Some(w_ix), Some(w_ei)) => functional::inhibit(x, w_ix.value(), w_ei.value()),
            _ => excitatory.zeros_like(),
        };
        EiCurrents {
            excitatory,
            inhibitory,
        }
    }

    /// The number of inhibitory units.
    pub fn inhibitory_units(&self) -> usize {
        self.w_ix.as_ref().map_or(0, |w_ix| w_ix.dims()[1])
    }
}

impl ModuleDisplay for EiLinear {
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
