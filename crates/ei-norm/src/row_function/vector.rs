//! Vectors among the weights: a bias, a gain.

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Dispatch, DispatchTensor, TensorMetadata};
use burn::tensor::{Shape, Tensor};

/// A vector `[..., features]` for rows `[..., rows, features]` of rank `D`: one for each network. It keeps
/// its own rank, so that it can be the parent of a node.
#[derive(Debug, Clone)]
pub struct Vector<const D: usize>(DispatchTensor);

impl Vector<2> {
    /// The vector of a single network.
    pub(crate) fn of_one(vector: Tensor<1>) -> Self {
        Self(vector.into_dispatch())
    }
}

impl Vector<3> {
    /// The vectors `[networks, features]` of a population.
    pub(crate) fn of_each(vectors: Tensor<2>) -> Self {
        Self(vectors.into_dispatch())
    }
}

impl<const D: usize> Vector<D> {
    /// The vector as a row, `[..., 1, features]`.
    pub(crate) fn row(&self) -> Tensor<D> {
        self.with_axis(D - 2)
    }

    /// The vector as a column, `[..., features, 1]`.
    pub(crate) fn column(&self) -> Tensor<D> {
        self.with_axis(D - 1)
    }

    fn with_axis(&self, axis: usize) -> Tensor<D> {
        let mut shape = self.0.shape().to_vec();
        shape.insert(axis, 1);
        Tensor::from_dispatch(reshaped(self.0.clone(), shape))
    }

    /// The error at the vector, from the error at its row.
    pub(crate) fn error(row: Tensor<D>) -> DispatchTensor {
        let mut shape = row.shape().to_vec();
        shape.remove(D - 2);
        reshaped(row.into_dispatch(), shape)
    }

    pub(crate) fn into_dispatch(self) -> DispatchTensor {
        self.0
    }

    /// The vector outside of any graph.
    pub(crate) fn inner(self) -> Self {
        // `inner` does not depend on the rank.
        Self(Tensor::<D>::from_dispatch(self.0).inner().into_dispatch())
    }
}

fn reshaped(tensor: DispatchTensor, shape: Vec<usize>) -> DispatchTensor {
    Dispatch::float_reshape(tensor, Shape::from(shape))
}
