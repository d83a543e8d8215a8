use burn::tensor::{DType, Tensor};

use crate::{
    functional,
    kernel::{self, Form, Offset},
};

/// A normalization of errors, with all that it looks at and nothing else.
#[derive(Debug, Clone)]
pub(super) enum Rule<const D: usize> {
    Identity,
    Full { z: Tensor<D>, epsilon: f64 },
    Center,
    Scale { z: Tensor<D>, epsilon: f64 },
    Decorrelate { z: Tensor<D> },
    Lateral { weights: Tensor<1> },
}

impl<const D: usize> Rule<D> {
    /// δ' of `delta`, by a kernel where there is one.
    pub(super) fn apply(&self, delta: Tensor<D>) -> Tensor<D> {
        if matches!(self, Self::Identity) {
            return delta;
        }
        match kernel::apply(self.form(), self.z(), self.weights(), delta) {
            Ok(delta) => delta,
            Err(delta) => self.apply_operations(delta),
        }
    }

    fn apply_operations(&self, delta: Tensor<D>) -> Tensor<D> {
        match delta.dtype() {
            half @ (DType::F16 | DType::BF16) => {
                let wide = self.cast(DType::F32);
                wide.apply(delta.cast(DType::F32)).cast(half)
            }
            dtype => self.cast(dtype).formula(delta),
        }
    }

    /// As plain tensor operations.
    fn formula(self, delta: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Identity => delta,
            Self::Full { z, epsilon } => functional::full(z, delta, epsilon),
            Self::Center => functional::center(delta),
            Self::Scale { z, epsilon } => functional::scale(z, delta, epsilon),
            Self::Decorrelate { z } => functional::decorrelate(z, delta),
            Self::Lateral { weights } => functional::lateral(delta, weights),
        }
    }

    /// As the kernels know it.
    fn form(&self) -> Form {
        let identity = Form::IDENTITY;
        match *self {
            Self::Identity => identity,
            Self::Full { epsilon, .. } => Form {
                offset: Offset::Mean,
                decorrelates: true,
                epsilon: Some(epsilon),
            },
            Self::Center => Form {
                offset: Offset::Mean,
                ..identity
            },
            Self::Scale { epsilon, .. } => Form {
                epsilon: Some(epsilon),
                ..identity
            },
            Self::Decorrelate { .. } => Form {
                decorrelates: true,
                ..identity
            },
            Self::Lateral { .. } => Form {
                offset: Offset::Weighted,
                ..identity
            },
        }
    }

    fn z(&self) -> Option<&Tensor<D>> {
        match self {
            Self::Full { z, .. } | Self::Scale { z, .. } | Self::Decorrelate { z } => Some(z),
            Self::Identity | Self::Center | Self::Lateral { .. } => None,
        }
    }

    fn weights(&self) -> Option<&Tensor<1>> {
        match self {
            Self::Lateral { weights } => Some(weights),
            _ => None,
        }
    }

    /// The rule with its tensors in this dtype.
    fn cast(&self, dtype: DType) -> Self {
        match self.clone() {
            Self::Full { z, epsilon } => Self::Full {
                z: z.cast(dtype),
                epsilon,
            },
            Self::Scale { z, epsilon } => Self::Scale {
                z: z.cast(dtype),
                epsilon,
            },
            Self::Decorrelate { z } => Self::Decorrelate { z: z.cast(dtype) },
            Self::Lateral { weights } => Self::Lateral {
                weights: weights.cast(dtype),
            },
            rule => rule,
        }
    }
}
