use burn::config::Config;
use burn::module::{Content, DisplaySettings, Module, ModuleDisplay};
use burn::tensor::{Device, Tensor, assert_shape};
use rand::Rng;

use super::{EiCurrents, InputCheck, bias_param, check_shape, excitatory, zero_bias};
use crate::Error;
use crate::dale::{Plasticity, Sign, Weight};
use crate::functional::excite;
use crate::init::{self, Column};

/// Configuration of [`ColumnEiLinear`].
///
/// The last n_i = ⌈N/(r+1)⌉ of N inputs inhibit, r being `ratio`. The initial weights are exponential
/// with scale σ_e = [((2π−1)/2π)(n_e + n_e²/n_i)]^(−1/2) from the excitatory inputs and
/// σ_i = (n_e/n_i) σ_e from the inhibitory ones, so that the two balance in the mean.
#[derive(Config, Debug)]
pub struct ColumnEiLinearConfig {
    /// The size of the input features: at least one excitatory and one inhibitory neuron.
    pub d_input: usize,
    /// The size of the output features.
    pub d_output: usize,
    /// r, the excitatory inputs for each inhibitory one.
    #[config(default = 9.0)]
    pub ratio: f64,
    /// Whether there is a bias; it is free of sign and starts at 0.
    #[config(default = true)]
    pub bias: bool,
}

impl ColumnEiLinearConfig {
    /// Creates the layer with weights drawn by the seed of the device.
    ///
    /// # Panics
    ///
    /// Where [`try_init`](Self::try_init) returns an error.
    pub fn init(&self, device: &Device) -> ColumnEiLinear {
        init::or_panic(self.try_init(device))
    }

    /// Creates the layer with weights drawn by the seed of the device.
    ///
    /// # Errors
    ///
    /// As [`try_init_with`](Self::try_init_with).
    pub fn try_init(&self, device: &Device) -> Result<ColumnEiLinear, Error> {
        self.try_init_with(device, &mut init::device_rng(device))
    }

    /// Creates the layer with weights drawn from `rng`.
    ///
    /// # Errors
    ///
    /// If a size is 0, the ratio is not a positive number, or there are too few inputs for an
    /// excitatory and an inhibitory one.
    pub fn try_init_with(
        &self,
        device: &Device,
        rng: &mut impl Rng,
    ) -> Result<ColumnEiLinear, Error> {
        let column = Column::new(self.d_input, self.ratio)?;
        let w_plus = column.draw(self.d_output, rng)?;
        ColumnEiLinear::from_weights(ColumnEiWeights {
            w_plus: init::matrix(w_plus, [self.d_input, self.d_output], device),
            signs: Tensor::from_data(column.signs().as_slice(), device),
            bias: zero_bias(self.bias, self.d_output, device),
        })
    }
}

/// Given weights of a [`ColumnEiLinear`], taken as they are.
#[derive(Debug, Clone)]
pub struct ColumnEiWeights {
    /// W₊, `[d_input, d_output]`.
    pub w_plus: Tensor<2>,
    /// +1 for each input that excites, −1 for each that inhibits, `[d_input]`.
    pub signs: Tensor<1>,
    /// `[d_output]`.
    pub bias: Option<Tensor<1>>,
}

/// A linear layer whose inputs excite or inhibit ("column EI", Cornford et al. 2021):
///
// z = x D W₊ + b, with W₊ ≥ 0 and D = diag(+1, …, +1, −1, …, −1) fixed.
#[doc = include_str!("../../equations/column_ei.html")]
///
/// with W₊ ≥ 0 and D fixed.
///
/// It is what most other code calls a network with Dale's law, and the control of the layers with
/// inhibitory units of their own, next to which it learns badly. Its inputs must be ≥ 0, else an
/// inhibitory neuron excites; see [`with_input_check`](Self::with_input_check).
///
/// Variants of it elsewhere, and where they are here:
///
/// - |W| D in place of a projection: [`dale::reparameterize`](crate::dale::reparameterize) with
///   [`NonNegative::Abs`](crate::dale::NonNegative::Abs);
/// - signs in another order: `signs` of [`ColumnEiWeights`]. A ±1 for every single weight is Dale's
///   law only if it is the same for all weights of an input, and then it is `signs`;
/// - missing connections, such as those of a unit to itself:
///   [`Weight::set_mask`](crate::dale::Weight::set_mask);
/// - another distribution, scaled to a spectral radius: any non-negative `w_plus`, and
///   [`init::rescale_to_radius`](crate::init::rescale_to_radius).
///
/// Should be created with [`ColumnEiLinearConfig`], or from given weights with
/// [`from_weights`](Self::from_weights).
///
/// ```
/// use burn::prelude::*;
/// use ei_norm::ColumnEiLinearConfig;
///
/// let device = Device::flex();
/// let layer = ColumnEiLinearConfig::new(10, 4).with_ratio(4.0).init(&device);
/// assert_eq!(layer.inhibitory_inputs(), 2);
/// assert_eq!(layer.forward(Tensor::<2>::ones([3, 10], &device)).dims(), [3, 4]);
/// ```
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct ColumnEiLinear {
    /// W₊, `[d_input, d_output]`, ≥ 0.
    pub w_plus: Weight<2>,
    /// The diagonal of D, `[d_input]`. It never learns, and is part of the record.
    pub signs: Weight<1>,
    /// Bias b, `[d_output]`.
    pub bias: Option<Weight<1>>,
    /// Whether inputs are checked; off by default.
    #[module(skip)]
    pub input_check: InputCheck,
}

impl ColumnEiLinear {
    /// A layer with these weights, the sign of `w_plus` unchecked (see
    /// [`dale::check`](crate::dale::check)).
    ///
    /// # Errors
    ///
    /// If the shapes do not fit each other, or `signs` has other values than 1 and −1.
    pub fn from_weights(weights: ColumnEiWeights) -> Result<Self, Error> {
        let [d_input, d_output] = weights.w_plus.dims();
        check_shape("signs", &weights.signs, [d_input])?;
        if let Some(bias) = &weights.bias {
            check_shape("bias", bias, [d_output])?;
        }
        let signs = weights.signs.to_data();
        if let Some(other) = signs.iter::<f64>().find(|sign| sign.abs() != 1.0) {
            let allowed = "1 (an input that excites) and -1 (one that inhibits)";
            return Err(Error::config("signs", other, allowed));
        }
        Ok(Self {
            w_plus: excitatory(weights.w_plus),
            signs: Weight::new(weights.signs, Sign::Free, Plasticity::Fixed),
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
        self.check_input(&x);
        let x = x * self.signs.value().unsqueeze();
        excite(
            x,
            self.w_plus.value(),
            self.bias.as_ref().map(Weight::value),
        )
    }

    /// What the excitatory and the inhibitory inputs contribute; their difference is what
    /// [`forward`](Self::forward) returns. The bias counts as excitatory.
    ///
    /// # Shapes
    ///
    /// - `x`: `[..., d_input]`
    /// - both currents: `[..., d_output]`
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn currents<const D: usize>(&self, x: Tensor<D>) -> EiCurrents<D> {
        self.check_input(&x);
        let (signs, w_plus) = (self.signs.value(), self.w_plus.value());
        let of = |sign: f64| {
            x.clone()
                * signs
                    .clone()
                    .equal_elem(sign)
                    .float()
                    .cast(x.dtype())
                    .unsqueeze()
        };
        let bias = self.bias.as_ref().map(Weight::value);
        EiCurrents {
            excitatory: excite(of(1.0), w_plus.clone(), bias),
            inhibitory: excite(of(-1.0), w_plus, None),
        }
    }

    fn check_input<const D: usize>(&self, x: &Tensor<D>) {
        let [d_input, _] = self.w_plus.dims();
        assert_shape!(x, [.., d_input]);
        self.input_check.assert(x);
    }

    /// The number of inputs that inhibit.
    pub fn inhibitory_inputs(&self) -> usize {
        let signs = self.signs.val().to_data();
        signs.iter::<f64>().filter(|sign| *sign < 0.0).count()
    }
}

impl ModuleDisplay for ColumnEiLinear {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new()
            .with_new_line_after_attribute(false)
            .optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let [d_input, d_output] = self.w_plus.dims();
        content
            .add("d_input", &d_input)
            .add("d_output", &d_output)
            .add("inhibitory", &self.inhibitory_inputs())
            .add("bias", &self.bias.is_some())
            .optional()
    }
}
