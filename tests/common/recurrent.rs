//! Recurrent networks in plain f64 arithmetic, written from their equations, with derivatives by
//! differences.

use burn::tensor::Tensor;
use ei_norm::{EiState, NonNegativeActivation};

use super::leaf;

/// φ(x).
pub fn phi(activation: NonNegativeActivation, x: f64) -> f64 {
    match activation {
        NonNegativeActivation::Relu => x.max(0.0),
        NonNegativeActivation::Sigmoid => x.exp() / (1.0 + x.exp()),
        NonNegativeActivation::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        NonNegativeActivation::RectifiedTanh => {
            let x = x.max(0.0);
            (1.0 - (-2.0 * x).exp()) / (1.0 + (-2.0 * x).exp())
        }
    }
}

/// A row times a matrix that is stored row by row.
pub fn times(row: &[f64], matrix: &[f64]) -> Vec<f64> {
    let columns = matrix.len().checked_div(row.len()).unwrap_or(0);
    let mut sum = vec![0.0; columns];
    for (index, matrix_row) in matrix.chunks_exact(columns.max(1)).enumerate() {
        for (sum, weight) in sum.iter_mut().zip(matrix_row) {
            *sum += row[index] * weight;
        }
    }
    sum
}

/// Σ a b.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The derivatives of `f` with respect to every element of every parameter, by differences of fourth
/// order.
pub fn derivatives(parameters: &[Vec<f64>], f: impl Fn(&[Vec<f64>]) -> f64) -> Vec<Vec<f64>> {
    const STEP: f64 = 1e-3;
    let mut moved = parameters.to_vec();
    let mut all = Vec::new();
    for (index, parameter) in parameters.iter().enumerate() {
        let of_element = |element: usize| {
            let mut at = |steps: f64| {
                moved[index][element] = parameter[element] + steps * STEP;
                f(&moved)
            };
            let near = at(1.0) - at(-1.0);
            let far = at(2.0) - at(-2.0);
            moved[index][element] = parameter[element];
            (8.0 * near - far) / (12.0 * STEP)
        };
        all.push((0..parameter.len()).map(of_element).collect());
    }
    all
}

/// Inputs, an initial state, and the errors that arrive at the states and at the last one:
/// `[batch, steps, ...]` and `[batch, d_hidden]`.
pub struct Batch {
    pub x: Tensor<3>,
    pub initial: Option<Tensor<2>>,
    pub upstream: Tensor<3>,
    pub upstream_last: Tensor<2>,
}

impl Batch {
    /// A random one.
    pub fn random(
        setup: &super::Setup,
        rng: &mut super::ChaCha8Rng,
        [batch, steps]: [usize; 2],
        [d_input, d_hidden]: [usize; 2],
        initial: bool,
    ) -> Self {
        Self {
            x: setup.random(rng, [batch, steps, d_input]),
            initial: initial.then(|| setup.positive(rng, [batch, d_hidden])),
            upstream: setup.random(rng, [batch, steps, d_hidden]),
            upstream_last: setup.random(rng, [batch, d_hidden]),
        }
    }

    /// x and the initial state as leaves.
    pub fn leaves(&self) -> (Tensor<3>, Option<Tensor<2>>) {
        (leaf(&self.x), self.initial.as_ref().map(leaf))
    }

    /// Σ states·upstream + Σ last·upstream_last.
    pub fn loss(&self, states: Tensor<3>, last: Tensor<2>) -> Tensor<1> {
        (states * self.upstream.clone()).sum() + (last * self.upstream_last.clone()).sum()
    }

    /// The states of all steps and the last one, one step after the other.
    pub fn unrolled(
        x: Tensor<3>,
        initial: Option<Tensor<2>>,
        mut step: impl FnMut(Tensor<2>, Option<EiState>) -> EiState,
    ) -> (Tensor<3>, Tensor<2>) {
        let [_, steps, _] = x.dims();
        let mut state = initial.map(EiState::new);
        let mut states = Vec::new();
        for index in 0..steps {
            let x = x.clone().narrow(1, index, 1).squeeze_dim(1);
            let next = step(x, state);
            states.push(next.hidden());
            state = Some(next);
        }
        (Tensor::stack(states, 1), state.unwrap().into_hidden())
    }
}
