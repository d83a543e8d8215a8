use burn::tensor::{Tensor, activation};

use crate::named::named;

/// An activation function φ ≥ 0, for neurons in recurrent networks: with a negative activity an excitatory
/// synapse would inhibit, against Dale's law.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NonNegativeActivation {
    /// max(x, 0).
    #[default]
    Relu,
    /// 1/(1 + e^−x).
    Sigmoid,
    /// ln(1 + e^x).
    Softplus,
    /// tanh(max(x, 0)): a rectifier that saturates at 1.
    RectifiedTanh,
}

named! {
    NonNegativeActivation, "activation", 4:
    Relu "relu", Sigmoid "sigmoid", Softplus "softplus", RectifiedTanh "rectified_tanh"
}

impl NonNegativeActivation {
    /// φ(x), element by element.
    #[must_use]
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        /// Where softplus is the identity to the last bit of f64.
        const LINEAR: f64 = 40.0;
        match self {
            Self::Relu => activation::relu(x),
            // Burn's sigmoid has single precision on some backends, for any dtype.
            Self::Sigmoid => (-activation::softplus_with_threshold(-x, 1.0, LINEAR)).exp(),
            Self::Softplus => activation::softplus_with_threshold(x, 1.0, LINEAR),
            Self::RectifiedTanh => activation::relu(x).tanh(),
        }
    }

    /// φ' as a function of the output `h`.
    pub(crate) fn slope<const D: usize>(self, h: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Relu => h.sign(),
            Self::Sigmoid => h.clone() * (-h + 1.0),
            // 1 − e^−h as a product, because the difference cancels for small h.
            Self::Softplus => (h.clone() * 0.5).tanh() * ((-h).exp() + 1.0),
            Self::RectifiedTanh => h.clone().sign() - h.square(),
        }
    }
}
