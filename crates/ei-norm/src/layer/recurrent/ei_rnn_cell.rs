use burn::module::{Content, DisplaySettings, Module, ModuleDisplay};
use burn::tensor::{Tensor, assert_shape};

use super::EiState;
use crate::functional::NonNegativeActivation;
use crate::layer::EiLinear;
use crate::{Error, layer::check_shape};

/// One step of a recurrent network of excitatory neurons with feed-forward and recurrent inhibition
/// (the recurrent DANN, Cornford et al. 2021):
///
// h_t = φ(x_t U_ex − (x_t U_ix) U_ei + b + h_{t−1} W_ex − (h_{t−1} W_ix) W_ei)
#[doc = include_str!("../../../equations/ei_rnn.html")]
///
/// with all of U and W ≥ 0 and φ ≥ 0. Both paths have inhibitory units of their own. U are the
/// weights of the field [`input`](Self::input), with the bias b, W those of
/// [`recurrent`](Self::recurrent); each is an [`EiLinear`], so projection, currents and records are
/// those of that layer. (In [`INormLinear`](crate::INormLinear) U has another meaning, divisive
/// inhibition.)
///
/// Made as a part of [`EiRnn`](super::EiRnn), by
/// [`EiRnnConfig`](super::EiRnnConfig), or from given layers with [`from_layers`](Self::from_layers).
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct EiRnnCell {
    /// From the inputs to the neurons, U and b: `[d_input, d_hidden]`.
    pub input: EiLinear,
    /// From the neurons to themselves, W, without bias: `[d_hidden, d_hidden]`.
    pub recurrent: EiLinear,
    #[module(skip)]
    activation: NonNegativeActivation,
}

impl EiRnnCell {
    /// A cell of these two paths.
    ///
    /// # Errors
    ///
    /// If `recurrent` does not lead from the outputs of `input` to as many, or if it has a bias (the
    /// bias is that of `input`).
    pub fn from_layers(
        input: EiLinear,
        recurrent: EiLinear,
        activation: NonNegativeActivation,
    ) -> Result<Self, Error> {
        let [_, d_hidden] = input.w_ex.dims();
        check_shape("recurrent.w_ex", &recurrent.w_ex.val(), [d_hidden; 2])?;
        if recurrent.bias.is_some() {
            return Err(Error::config(
                "recurrent.bias",
                "given",
                "none; the bias is that of `input`",
            ));
        }
        Ok(Self {
            input,
            recurrent,
            activation,
        })
    }

    /// The state after a step, from the inputs and the state before it (0 if none).
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, d_input]`
    /// - state and result: `[batch, d_hidden]`
    ///
    /// # Panics
    ///
    /// If the shapes do not fit.
    pub fn forward(&self, x: Tensor<2>, state: Option<EiState>) -> EiState {
        let [d_input, d_hidden] = self.input.w_ex.dims();
        let [batch, _] = x.dims();
        assert_shape!(x, [batch, d_input]);
        let current = self.input.forward(x);
        let current = match state {
            Some(state) => current + self.recurrent.forward(state.of_batch(batch, d_hidden)),
            None => current,
        };
        EiState::trusted(self.activation.forward(current))
    }

    /// φ.
    pub fn activation(&self) -> NonNegativeActivation {
        self.activation
    }
}

impl ModuleDisplay for EiRnnCell {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new()
            .with_new_line_after_attribute(false)
            .optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let [d_input, d_hidden] = self.input.w_ex.dims();
        content
            .add("d_input", &d_input)
            .add("d_hidden", &d_hidden)
            .add("inhibitory_input", &self.input.inhibitory_units())
            .add("inhibitory_recurrent", &self.recurrent.inhibitory_units())
            .add("activation", self.activation.name())
            .add("bias", &self.input.bias.is_some())
            .optional()
    }
}
