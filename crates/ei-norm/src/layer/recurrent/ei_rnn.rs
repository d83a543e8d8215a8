use burn::config::Config;
use burn::module::{Content, DisplaySettings, Module, ModuleDisplay};
use burn::tensor::{Device, Tensor, assert_shape};
use rand::Rng;

use super::{EiRnnCell, EiState, exchanged, last, no_autapses};
use crate::Error;
use crate::InputCheck;
use crate::functional::{self, NonNegativeActivation};
use crate::init::{self, Inhibitory, Initializer, Path};
use crate::layer::{EiLinear, EiWeights, tensors, zero_bias};

/// Configuration of [`EiRnn`] and of its cell.
#[derive(Config, Debug)]
pub struct EiRnnConfig {
    /// The size of the input features.
    pub d_input: usize,
    /// The number of recurrent excitatory neurons. At least 2.
    pub d_hidden: usize,
    /// The inhibitory units of each of the two paths: a count, or a fraction of `d_hidden`. 0 makes
    /// the network purely excitatory.
    #[config(default = "Inhibitory::Fraction(0.1)")]
    pub inhibitory: Inhibitory,
    /// Whether there is a bias; it is free of sign and starts at 0.
    #[config(default = true)]
    pub bias: bool,
    /// The distribution of the initial weights, lognormal or exponential.
    #[config(default = "Initializer::Lognormal")]
    pub initializer: Initializer,
    /// φ.
    #[config(default = "NonNegativeActivation::Relu")]
    pub activation: NonNegativeActivation,
    /// Whether a neuron may excite itself. Without autapses W_ex of the recurrent path has a mask, 0 on
    /// the diagonal for good ([`dale::mask`](crate::dale::mask)). Inhibition still passes from a neuron
    /// through the inhibitory units back to it, so the diagonal of the equivalent single matrix
    /// W_ex − W_ix W_ei is −(W_ix W_ei)_ii then, not 0.
    #[config(default = true)]
    pub autapses: bool,
    /// Whether the sequences are `[batch, steps, features]`; if not, `[steps, batch, features]`.
    #[config(default = true)]
    pub batch_first: bool,
}

impl EiRnnConfig {
    /// Creates the layer with weights drawn by the seed of the device.
    ///
    /// # Panics
    ///
    /// Where [`try_init`](Self::try_init) returns an error.
    pub fn init(&self, device: &Device) -> EiRnn {
        init::or_panic(self.try_init(device))
    }

    /// Creates the layer with weights drawn by the seed of the device.
    ///
    /// # Errors
    ///
    /// As [`try_init_with`](Self::try_init_with).
    pub fn try_init(&self, device: &Device) -> Result<EiRnn, Error> {
        self.try_init_with(device, &mut init::device_rng(device))
    }

    /// Creates the layer with weights drawn from `rng`.
    ///
    /// U_ex and W_ex have mean and standard deviation σ, with σ² = n_e / (3 n_in (n_e − 1)) for U_ex
    /// and 1 / (3 (n_e − 1)) for W_ex, where n_in is `d_input` and n_e `d_hidden`; the rest is as in
    /// [`Initializer`], so that in both paths inhibition starts out subtracting the mean excitatory
    /// current (of the connections that exist, where there are no autapses).
    ///
    /// # Errors
    ///
    /// If `d_input` is 0, `d_hidden` less than 2, the inhibitory fraction not in 0..=1, or the
    /// initializer neither lognormal nor exponential.
    pub fn try_init_with(&self, device: &Device, rng: &mut impl Rng) -> Result<EiRnn, Error> {
        let n_i = self.inhibitory.units(self.d_hidden)?;
        let mut layer = |path: Path, bias: bool| {
            let draw = self.initializer.draw_path(&path, n_i, rng)?;
            let (w_ex, inhibition) = tensors(draw, device);
            EiLinear::from_weights(EiWeights {
                w_ex,
                inhibition,
                bias: zero_bias(bias, self.d_hidden, device),
            })
        };
        let input = layer(Path::into_recurrent(self.d_input, self.d_hidden), self.bias)?;
        let mut recurrent = layer(Path::recurrent(self.d_hidden, self.autapses), false)?;
        if !self.autapses {
            let mask = no_autapses(0, self.d_hidden, device);
            recurrent.w_ex.set_mask("recurrent.w_ex", mask)?;
        }
        let cell = EiRnnCell::from_layers(input, recurrent, self.activation)?;
        Ok(EiRnn::new(cell, self.batch_first))
    }
}

/// A recurrent network of excitatory neurons with feed-forward and recurrent inhibition, over a
/// sequence: [`EiRnnCell`] at each step.
///
// h_t = φ(x_t U_ex − (x_t U_ix) U_ei + b + h_{t−1} W_ex − (h_{t−1} W_ix) W_ei)
#[doc = include_str!("../../../equations/ei_rnn.html")]
///
/// The currents of the inputs of all steps are one product, and the recurrence is one autodiff node:
/// errors go back through time in it, and each weight gets its gradient from all steps at once.
///
/// ```
/// use burn::prelude::*;
/// use ei_norm::{EiRnn, EiRnnConfig};
///
/// let device = Device::flex();
/// let rnn: EiRnn = EiRnnConfig::new(3, 20).init(&device);
/// let x = Tensor::<3>::ones([8, 5, 3], &device); // 8 sequences of 5 steps
/// let (states, last) = rnn.forward(x.clone(), None);
/// assert_eq!(states.dims(), [8, 5, 20]);
/// // Go on where the sequence ended; or step by step.
/// let (states, _) = rnn.forward(x, Some(last.clone()));
/// assert_eq!(states.dims(), [8, 5, 20]);
/// let next = rnn.cell.forward(Tensor::ones([8, 3], &device), Some(last));
/// assert_eq!(next.hidden().dims(), [8, 20]);
/// ```
///
/// Should be created with [`EiRnnConfig`], or from a cell with [`new`](Self::new).
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct EiRnn {
    /// One step, with all parameters.
    pub cell: EiRnnCell,
    #[module(skip)]
    batch_first: bool,
}

impl EiRnn {
    /// A layer that applies `cell` at each step of sequences `[batch, steps, features]` if
    /// `batch_first`, or `[steps, batch, features]` if not.
    pub fn new(cell: EiRnnCell, batch_first: bool) -> Self {
        Self { cell, batch_first }
    }

    /// The same layer, with a check that its inputs are ≥ 0; `name` is what an error calls it.
    pub fn with_input_check(mut self, name: &str) -> Self {
        self.cell.input.input_check = InputCheck::named(name);
        self
    }

    /// Applies the layer from `state` (0 if none) on; returns the states of all steps, and the last.
    /// An empty sequence leaves the state as it is.
    ///
    /// # Shapes
    ///
    /// Where `batch_first`; if not, the first two axes of a sequence are exchanged.
    ///
    /// - `x`: `[batch, steps, d_input]`
    /// - states of all steps: `[batch, steps, d_hidden]`
    /// - `state` and last state: `[batch, d_hidden]`
    ///
    /// # Panics
    ///
    /// If the shapes do not fit.
    pub fn forward(&self, x: Tensor<3>, state: Option<EiState>) -> (Tensor<3>, EiState) {
        let EiRnnCell {
            input, recurrent, ..
        } = &self.cell;
        let [d_input, d_hidden] = input.w_ex.dims();
        let x = exchanged(x, self.batch_first);
        let [steps, batch, _] = x.dims();
        assert_shape!(x, [steps, batch, d_input]);
        let initial = state.clone().map(|state| state.of_batch(batch, d_hidden));
        let activation = self.cell.activation();
        let currents = input.forward(x);
        let states = functional::ei_recurrence(currents, recurrent.matrices(), initial, activation);
        let last = last(&states, state);
        (exchanged(states, self.batch_first), last)
    }

    /// Whether sequences are `[batch, steps, features]`.
    pub fn batch_first(&self) -> bool {
        self.batch_first
    }
}

impl ModuleDisplay for EiRnn {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new()
            .with_new_line_after_attribute(false)
            .optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let content = self.cell.custom_content(content)?;
        content.add("batch_first", &self.batch_first).optional()
    }
}
