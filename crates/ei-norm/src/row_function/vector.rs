//! Vectors among the weights: a bias, a gain.

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Dispatch, DispatchTensor, TensorMetadata};
use burn::tensor::Tensor;

use crate::autodiff::Errors;

/// The vector `[features]` of a network, or the vectors `[networks, features]` of a population, for rows
/// `[..., rows, features]` of rank `D`.
///
/// It keeps its own rank, so that the parameter itself is the parent of a node. Otherwise every use of a parameter would
/// add a node to the graph, and its errors would be summed in another order.
#[derive(Debug, Clone)]
pub struct Vector<const D: usize>(DispatchTensor);

impl<const D: usize> Vector<D> {
    /// `E` is `D` − 1.
    pub(crate) fn new<const E: usize>(vector: Tensor<E>) -> Self {
        assert_eq!(E + 1, D, "a vector has one axis less than the rows");
        Self(vector.into_dispatch())
    }

    /// The vector as a row, `[..., 1, features]`.
    pub(crate) fn row(&self) -> Tensor<D> {
        let mut shape = self.0.shape().to_vec();
        shape.insert(D - 2, 1);
        Tensor::from_dispatch(Dispatch::float_reshape(self.0.clone(), shape.into()))
    }

    /// The vector outside of any graph.
    pub(crate) fn inner(self) -> Self {
        // `inner` does not depend on the rank.
        Self(Tensor::<D>::from_dispatch(self.0).inner().into_dispatch())
    }

    pub(crate) fn into_dispatch(self) -> DispatchTensor {
        self.0
    }
}

/// The errors in the shapes of the weights: the error at a row is the error at its vector.
pub(super) fn of_vectors<const D: usize>(
    errors: Vec<Option<Tensor<D>>>,
    weights: Vec<DispatchTensor>,
) -> Errors {
    let errors = errors.into_iter().zip(weights).map(|(error, weight)| {
        let error = error?.into_dispatch();
        match weight.rank() == D {
            true => Some(error),
            false => Some(Dispatch::float_reshape(error, weight.shape())),
        }
    });
    errors.collect()
}
