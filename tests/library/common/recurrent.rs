//! Recurrent networks: the results and gradients of a layer, the same step by step in plain autodiff, and
//! derivatives by finite differences.

use burn::tensor::Tensor;
use ei_norm::layer::{Layer, Recurrent};
use ei_norm::{NonNegativeActivation, RnnState};

use super::circuits::Tried;
use super::parameters::{Pass, gradients};
use super::{ChaCha8Rng, Setup, leaf, values};

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
        other => panic!("no formula for {other}"),
    }
}

/// The product of a row and a row-major matrix.
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

/// The derivatives of `f` with respect to every element of every parameter, by sixth-order finite
/// differences.
pub fn derivatives(parameters: &[Vec<f64>], f: impl Fn(&[Vec<f64>]) -> f64) -> Vec<Vec<f64>> {
    const STEP: f64 = 5e-5;
    let mut moved = parameters.to_vec();
    let mut all = Vec::new();
    for (index, parameter) in parameters.iter().enumerate() {
        let of_element = |element: usize| {
            let mut at = |steps: f64| {
                moved[index][element] = parameter[element] + steps * STEP;
                f(&moved)
            };
            let [near, middle, far] = [1.0, 2.0, 3.0].map(|steps| at(steps) - at(-steps));
            moved[index][element] = parameter[element];
            (45.0 * near - 9.0 * middle + far) / (60.0 * STEP)
        };
        all.push((0..parameter.len()).map(of_element).collect());
    }
    all
}

/// Inputs, an initial state, and the upstream errors at the states and at the last state: `[batch, steps,
/// ...]` and `[batch, d_hidden]`.
pub struct Batch {
    pub x: Tensor<3>,
    pub initial: Option<Tensor<2>>,
    pub upstream: Tensor<3>,
    pub upstream_last: Tensor<2>,
}

impl Batch {
    /// A random batch.
    pub fn random(
        setup: &Setup,
        rng: &mut ChaCha8Rng,
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

    /// The states of all steps and the last state, computed step by step.
    pub fn unrolled(
        x: Tensor<3>,
        initial: Option<Tensor<2>>,
        mut step: impl FnMut(Tensor<2>, Option<RnnState>) -> RnnState,
    ) -> (Tensor<3>, Tensor<2>) {
        let [_, steps, _] = x.dims();
        let mut state = initial.map(RnnState::new);
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

/// The weight of the local loss in the total loss.
pub const LAMBDA: f64 = 0.7;

/// States, last state and local loss.
pub type Outcome = (Tensor<3>, Tensor<2>, Option<Tensor<1>>);

/// A batch for a circuit.
pub fn batch<C: Tried>(
    setup: &Setup,
    rng: &mut ChaCha8Rng,
    [batch, steps]: [usize; 2],
    [d_input, d_hidden]: [usize; 2],
    initial: bool,
) -> Batch {
    Batch {
        x: C::input(setup, rng, [batch, steps, d_input]),
        ..Batch::random(setup, rng, [batch, steps], [d_input, d_hidden], initial)
    }
}

/// States, last state, local loss, and the gradients of x, the initial state and all parameters, with the
/// batch axis first.
pub fn pass<C: Tried>(
    circuit: &C,
    batch: &Batch,
    forward: impl FnOnce(Tensor<3>, Option<Tensor<2>>) -> Outcome,
) -> Pass {
    let (x, initial) = batch.leaves();
    let (states, last, local) = forward(x.clone(), initial.clone());
    assert_eq!(states.dims(), batch.upstream.dims());
    assert_eq!(states.dtype(), batch.upstream.dtype());
    let mut pass: Pass = vec![
        ("states".into(), Some(values(&states))),
        ("last".into(), Some(values(&last))),
        ("local".into(), local.as_ref().map(values)),
    ];
    let mut loss = batch.loss(states, last);
    if let Some(local) = local {
        assert_eq!((local.dims(), local.dtype()), ([1], loss.dtype()));
        loss = loss + local * LAMBDA;
    }
    let grads = loss.backward();
    pass.push(("x".into(), x.grad(&grads).map(|g| values(&g))));
    if let Some(initial) = initial {
        let grad = initial.grad(&grads).map(|g| values(&g));
        pass.push(("initial".into(), grad));
    }
    pass.extend(gradients(circuit, &grads));
    pass
}

/// The pass of a layer with the batch axis first.
pub fn of_layer<C: Tried>(layer: &Layer<C, Recurrent>, batch: &Batch) -> Pass {
    pass(&layer.circuit, batch, |x, initial| {
        let (states, last, local) = C::run(layer, x, initial.map(RnnState::new), None);
        (states, last.into_hidden(), local)
    })
}

/// The pass of these steps, one after the other; the local loss is the mean over steps.
pub fn of_steps<C: Tried>(
    circuit: &C,
    batch: &Batch,
    step: impl Fn(Tensor<2>, Option<RnnState>) -> (RnnState, Option<Tensor<1>>),
) -> Pass {
    let [_, steps, _] = batch.x.dims();
    pass(circuit, batch, |x, initial| {
        let mut locals = Vec::new();
        let (states, last) = Batch::unrolled(x, initial, |x, state| {
            let (next, local) = step(x, state);
            locals.extend(local);
            next
        });
        // A product, because the backward pass of a quotient rounds 1/steps to f32 in Burn.
        let mean = |all: Vec<_>| Tensor::cat(all, 0).sum() * (1.0 / steps as f64);
        let local = (!locals.is_empty()).then(|| mean(locals));
        (states, last, local)
    })
}

/// The pass of the circuit at [x_t, h_{t−1}], in plain autodiff.
pub fn in_autodiff<C: Tried>(layer: &Layer<C, Recurrent>, batch: &Batch) -> Pass {
    let [examples, _, d_hidden] = batch.upstream.dims();
    of_steps(&layer.circuit, batch, |x, state| {
        let state = match state {
            Some(state) => state.into_hidden(),
            None => Tensor::zeros([examples, d_hidden], (&x.device(), x.dtype())).autodiff(),
        };
        let (z, local) = layer.circuit.plain(Tensor::cat(vec![x, state], 1));
        (RnnState::new(layer.geometry().activation.forward(z)), local)
    })
}
