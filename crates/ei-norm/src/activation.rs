use burn::tensor::{Tensor, activation};

use crate::Error;

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

impl NonNegativeActivation {
    /// All activation functions.
    pub const ALL: [Self; 4] = [
        Self::Relu,
        Self::Sigmoid,
        Self::Softplus,
        Self::RectifiedTanh,
    ];

    /// The name in configurations and on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::Sigmoid => "sigmoid",
            Self::Softplus => "softplus",
            Self::RectifiedTanh => "rectified_tanh",
        }
    }

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

impl std::fmt::Display for NonNegativeActivation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for NonNegativeActivation {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|activation| activation.name() == name)
            .ok_or_else(|| {
                Error::config(
                    "activation",
                    name,
                    "relu, sigmoid, softplus, rectified_tanh",
                )
            })
    }
}
