use burn::module::{Content, DisplaySettings, Module, ModuleDisplay};
use burn::tensor::{Tensor, assert_shape};

use super::EiState;
use crate::functional::{NonNegativeActivation, excite};
use crate::layer::INormLinear;
use crate::{Error, context};

/// One step of a recurrent network that inhibition normalizes: an [`INormLinear`] that sees the
/// inputs of the step and the state before it, v_t = [x_t, h_{t−1}]:
///
// a_t = v_t W_ex + b, s_t = (v_t W_ix) W_ei, q_t = sqrt((v_t U_ix)² U_ei + ε)
// z_t = (a_t − sg(s_t))/sg(q_t), h_t = φ(N(z_t))
#[doc = include_str!("../../../equations/i_norm_rnn.html")]
///
/// where N is the layer's [`GradNorm`](crate::GradNorm), the identity but for errors, sg stops
/// gradients, and φ ≥ 0. The first `d_input` rows of W_ex, W_ix and U_ix belong to x, the others to h;
/// the inhibitory units are driven by both. So the sum of what comes from outside and from the network
/// itself is normalized, at every step anew.
///
/// The local loss of a step is that of [`INormLinear`] with v_t as constants: it reaches the
/// inhibitory weights only, and no earlier step.
///
/// Made as a part of [`INormRnn`](super::INormRnn), by [`INormRnnConfig`](super::INormRnnConfig), or
/// from a given layer with [`from_layer`](Self::from_layer).
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct INormRnnCell {
    /// From inputs and neurons to the neurons, `[d_input + d_hidden, d_hidden]`.
    pub i_norm: INormLinear,
    #[module(skip)]
    activation: NonNegativeActivation,
}

impl INormRnnCell {
    /// A cell of this layer, whose last inputs are its own outputs.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the layer has not more inputs than outputs.
    pub fn from_layer(
        i_norm: INormLinear,
        activation: NonNegativeActivation,
    ) -> Result<Self, Error> {
        let [inputs, d_hidden] = i_norm.w_ex.dims();
        if inputs <= d_hidden {
            return Err(Error::Shape {
                parameter: "i_norm.w_ex",
                found: vec![inputs, d_hidden],
                expected: vec![1 + d_hidden, d_hidden],
            });
        }
        Ok(Self { i_norm, activation })
    }

    /// The state after a step, from the inputs and the state before it (0 if none). Inhibition does
    /// not learn from this alone; see [`forward_with_local_loss`](Self::forward_with_local_loss).
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
        let z = self.i_norm.forward(self.joint(x, state));
        EiState::trusted(self.activation.forward(z))
    }

    /// The state after a step, and the loss that the inhibitory weights learn from.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, d_input]`
    /// - state and result: `[batch, d_hidden]`, local loss: `[1]`
    ///
    /// # Panics
    ///
    /// If the shapes do not fit.
    pub fn forward_with_local_loss(
        &self,
        x: Tensor<2>,
        state: Option<EiState>,
    ) -> (EiState, Tensor<1>) {
        let (z, local) = self.i_norm.forward_with_local_loss(self.joint(x, state));
        (EiState::trusted(self.activation.forward(z)), local)
    }

    /// v_t = [x_t, h_{t−1}].
    fn joint(&self, x: Tensor<2>, state: Option<EiState>) -> Tensor<2> {
        let [d_input, d_hidden] = self.sizes();
        let [batch, _] = x.dims();
        assert_shape!(x, [batch, d_input]);
        let state = match state {
            Some(state) => state.of_batch(batch, d_hidden),
            None => {
                let options = (&x.device(), x.dtype());
                Tensor::zeros([batch, d_hidden], options)
            }
        };
        let [x, state] = context::together([x, state]);
        if batch == 0 {
            // Flex has no way back through the parts of an empty tensor.
            let options = (&x.device(), x.dtype());
            let widen = |t: Tensor<2>| {
                let zeros = Tensor::zeros([t.dims()[1], d_input + d_hidden], options);
                excite(t, zeros, None)
            };
            return widen(x) + widen(state);
        }
        Tensor::cat(vec![x, state], 1)
    }

    /// `d_input` and `d_hidden`.
    pub(super) fn sizes(&self) -> [usize; 2] {
        let [inputs, d_hidden] = self.i_norm.w_ex.dims();
        [inputs - d_hidden, d_hidden]
    }

    /// φ.
    pub fn activation(&self) -> NonNegativeActivation {
        self.activation
    }
}

impl ModuleDisplay for INormRnnCell {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new()
            .with_new_line_after_attribute(false)
            .optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let [d_input, d_hidden] = self.sizes();
        let divisive = self.i_norm.u_ix.as_ref().map_or(0, |u_ix| u_ix.dims()[1]);
        content
            .add("d_input", &d_input)
            .add("d_hidden", &d_hidden)
            .add("subtractive", &self.i_norm.w_ix.dims()[1])
            .add("divisive", &divisive)
            .add("error_norm", self.i_norm.grad_norm.mode().name())
            .add("activation", self.activation.name())
            .add("bias", &self.i_norm.bias.is_some())
            .optional()
    }
}
