use burn::config::Config;
use burn::module::{Content, DisplaySettings, Module, ModuleDisplay};
use burn::tensor::{Device, Tensor, assert_shape};
use rand::Rng;

use super::{EiState, INormRnnCell, exchanged, last, no_autapses};
use crate::InputCheck;
use crate::functional::{self, INormStates, LocalLossOfSteps, NonNegativeActivation};
use crate::init::{self, Inhibitory, Initializer, Path};
use crate::layer::{INormLinearConfig, InhibitoryPlasticity};
use crate::{Error, GradNormMode};

/// Configuration of [`INormRnn`] and of its cell.
#[derive(Config, Debug)]
pub struct INormRnnConfig {
    /// The size of the input features.
    pub d_input: usize,
    /// The number of recurrent excitatory neurons. At least 2.
    pub d_hidden: usize,
    /// The subtractive inhibitory units: a count, or a fraction of `d_hidden`. At least 1.
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
    /// Whether inhibition also divides; if not, it only subtracts (q = 1).
    #[config(default = true)]
    pub divisive: bool,
    /// How the error that arrives at each step's normalized activity is normalized.
    #[config(default = "GradNormMode::Full")]
    pub error_norm: GradNormMode,
    /// Which inhibitory matrices learn; none given = as in the paper
    /// ([`InhibitoryPlasticity::of_paper`]).
    #[config(default = "None")]
    pub plasticity: Option<InhibitoryPlasticity>,
    /// ε in q and in the normalization of errors.
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// Whether a neuron may excite itself. Without autapses W_ex has a mask, 0 for good
    /// from each neuron to itself ([`dale::mask`](crate::dale::mask)). Inhibition still passes from a neuron
    /// through the inhibitory units back to it, so the diagonal of the equivalent single matrix
    /// W_ex − W_ix W_ei is −(W_ix W_ei)_ii then, not 0.
    #[config(default = true)]
    pub autapses: bool,
    /// Whether the sequences are `[batch, steps, features]`; if not, `[steps, batch, features]`.
    #[config(default = true)]
    pub batch_first: bool,
}

impl INormRnnConfig {
    /// Creates the layer with weights drawn by the seed of the device.
    ///
    /// # Panics
    ///
    /// Where [`try_init`](Self::try_init) returns an error.
    pub fn init(&self, device: &Device) -> INormRnn {
        init::or_panic(self.try_init(device))
    }

    /// Creates the layer with weights drawn by the seed of the device.
    ///
    /// # Errors
    ///
    /// As [`try_init_with`](Self::try_init_with).
    pub fn try_init(&self, device: &Device) -> Result<INormRnn, Error> {
        self.try_init_with(device, &mut init::device_rng(device))
    }

    /// Creates the layer with weights drawn from `rng`.
    ///
    /// The rows of W_ex for the inputs and those for the neurons are drawn as the two paths of
    /// [`EiRnnConfig`](super::EiRnnConfig); W_ix, W_ei, U_ix and U_ei follow as in
    /// [`INormLinearConfig`], so that at first h_t = φ(LayerNorm(x_t W_x + h_{t−1} W_h + b)) up to ε.
    ///
    /// # Errors
    ///
    /// If `d_input` or the number of inhibitory units is 0, `d_hidden` less than 2, the inhibitory
    /// fraction not in 0..=1, ε negative or not finite, or the initializer neither lognormal nor
    /// exponential.
    pub fn try_init_with(&self, device: &Device, rng: &mut impl Rng) -> Result<INormRnn, Error> {
        let n_i = self.inhibitory.units(self.d_hidden)?;
        let mut draw = |path: Path| self.initializer.draw_path(&path, n_i, rng);
        let input = draw(Path::into_recurrent(self.d_input, self.d_hidden))?;
        let recurrent = draw(Path::recurrent(self.d_hidden, self.autapses))?;
        let i_norm = INormLinearConfig {
            d_input: self.d_input + self.d_hidden,
            d_output: self.d_hidden,
            inhibitory: self.inhibitory,
            bias: self.bias,
            initializer: self.initializer,
            divisive: self.divisive,
            error_norm: self.error_norm,
            plasticity: self.plasticity,
            epsilon: self.epsilon,
        };
        let mut i_norm = i_norm.init_from(input.beside(recurrent), device, rng)?;
        if !self.autapses {
            let mask = no_autapses(self.d_input, self.d_hidden, device);
            i_norm.w_ex.set_mask("i_norm.w_ex", mask)?;
        }
        let cell = INormRnnCell::from_layer(i_norm, self.activation)?;
        Ok(INormRnn::new(cell, self.batch_first))
    }
}

/// A recurrent network that inhibition normalizes at every step, over a sequence: [`INormRnnCell`] at
/// each step.
///
// a_t = v_t W_ex + b, s_t = (v_t W_ix) W_ei, q_t = sqrt((v_t U_ix)² U_ei + ε)
// z_t = (a_t − sg(s_t))/sg(q_t), h_t = φ(N(z_t))
#[doc = include_str!("../../../equations/i_norm_rnn.html")]
///
/// The local losses of the steps are averaged. Of each sequence, the inputs of all steps go through
/// one product for each matrix, and errors go back through time in one autodiff node.
///
/// ```
/// use burn::prelude::*;
/// use ei_norm::{INormRnn, INormRnnConfig};
///
/// let device = Device::flex().autodiff();
/// let rnn: INormRnn = INormRnnConfig::new(3, 20).init(&device);
/// let x = Tensor::<3>::ones([8, 5, 3], &device); // 8 sequences of 5 steps
/// let (states, last, local) = rnn.forward_with_local_loss(x, None);
/// assert_eq!((states.dims(), last.hidden().dims()), ([8, 5, 20], [8, 20]));
/// let task = states.square().mean();
/// let grads = (task + local * 0.01).backward();
/// assert!(rnn.cell.i_norm.w_ix.val().grad(&grads).is_some());
/// ```
///
/// Should be created with [`INormRnnConfig`], or from a cell with [`new`](Self::new).
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct INormRnn {
    /// One step, with all parameters.
    pub cell: INormRnnCell,
    #[module(skip)]
    batch_first: bool,
}

impl INormRnn {
    /// A layer that applies `cell` at each step of sequences `[batch, steps, features]` if
    /// `batch_first`, or `[steps, batch, features]` if not.
    pub fn new(cell: INormRnnCell, batch_first: bool) -> Self {
        Self { cell, batch_first }
    }

    /// The same layer, with a check that its inputs are ≥ 0; `name` is what an error calls it.
    pub fn with_input_check(mut self, name: &str) -> Self {
        self.cell.i_norm.input_check = InputCheck::named(name);
        self
    }

    /// Applies the layer from `state` (0 if none) on; returns the states of all steps, and the last.
    /// An empty sequence leaves the state as it is. Inhibition does not learn from this alone; see
    /// [`forward_with_local_loss`](Self::forward_with_local_loss).
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
        let (states, last, _) = self.apply(x, state);
        (states, last)
    }

    /// Applies the layer and returns, beside the states of all steps and the last, the loss that its
    /// inhibitory weights learn from, the mean over the steps: to be added to the task's,
    /// `loss = task + lambda * local`. It is 0 if there are no steps or no examples.
    ///
    /// # Shapes
    ///
    /// As [`forward`](Self::forward); local loss: `[1]`
    ///
    /// # Panics
    ///
    /// If the shapes do not fit.
    pub fn forward_with_local_loss(
        &self,
        x: Tensor<3>,
        state: Option<EiState>,
    ) -> (Tensor<3>, EiState, Tensor<1>) {
        let (states, last, local) = self.apply(x, state);
        (states, last, local.compute())
    }

    fn apply(
        &self,
        x: Tensor<3>,
        state: Option<EiState>,
    ) -> (Tensor<3>, EiState, LocalLossOfSteps) {
        let i_norm = &self.cell.i_norm;
        let [d_input, d_hidden] = self.cell.sizes();
        let x = exchanged(x, self.batch_first);
        let [steps, batch, _] = x.dims();
        assert_shape!(x, [steps, batch, d_input]);
        i_norm.input_check.assert(&x);
        let initial = state.clone().map(|state| state.of_batch(batch, d_hidden));
        let grad_norm = i_norm.grad_norm.valid();
        let INormStates { states, local } = functional::i_norm_recurrence(
            x,
            i_norm.operands(),
            initial,
            self.cell.activation(),
            i_norm.epsilon(),
            move |z, delta| grad_norm.apply(z, delta),
        );
        let last = last(&states, state);
        (exchanged(states, self.batch_first), last, local)
    }

    /// Whether sequences are `[batch, steps, features]`.
    pub fn batch_first(&self) -> bool {
        self.batch_first
    }
}

impl ModuleDisplay for INormRnn {
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
