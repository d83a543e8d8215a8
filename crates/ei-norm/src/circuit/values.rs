//! The values of the weights of a circuit, or of the circuits of a population.

use std::vec;

use burn::tensor::Tensor;

use super::sealed::Computes;
use crate::row_function::Vector;
use crate::statistics::Features;

/// The values of the weights, to be taken in the order of a circuit's fields.
pub struct Values<const D: usize> {
    matrices: vec::IntoIter<Matrix<D>>,
    vectors: vec::IntoIter<Vector<D>>,
    /// The outputs that exist.
    pub(super) features: Features<D>,
}

/// The values of a matrix; and if it is fixed and uniform in every network, its elements' value in each.
pub(super) type Matrix<const D: usize> = (Tensor<D>, Option<Vec<f64>>);

impl<const D: usize> Values<D> {
    pub(super) fn new(
        matrices: Vec<Matrix<D>>,
        vectors: Vec<Vector<D>>,
        features: Features<D>,
    ) -> Self {
        Self {
            matrices: matrices.into_iter(),
            vectors: vectors.into_iter(),
            features,
        }
    }

    pub(super) fn matrix(&mut self) -> Tensor<D> {
        self.known_matrix().0
    }

    pub(super) fn known_matrix(&mut self) -> Matrix<D> {
        (self.matrices.next()).expect("a circuit has as many matrices as it lists")
    }

    pub(super) fn vector(&mut self) -> Vector<D> {
        (self.vectors.next()).expect("a circuit has as many vectors as it lists")
    }
}

impl Values<2> {
    /// The values of a single circuit.
    pub(super) fn of(circuit: &impl Computes) -> Self {
        let (matrices, vectors) = circuit.weights();
        let matrices = matrices.into_iter().map(|weight| {
            let uniform = weight.uniform_value().map(|value| vec![value]);
            (weight.val(), uniform)
        });
        let vectors = vectors.into_iter().map(|weight| Vector::new(weight.val()));
        Self::new(matrices.collect(), vectors.collect(), Features::All)
    }
}
