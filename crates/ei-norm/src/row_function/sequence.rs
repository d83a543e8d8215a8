//! A function of rows at every step of a sequence, and backpropagation through time.
//!
//! The function computes z_t from [x_t, h_{t−1}]; the state is h_t = φ(z_t). A sequence is one autodiff node.
//! With one node for each step, every step would add a gradient as large as the weights, and its slice a
//! gradient as large as the sequence; here the errors of all steps are collected, and the gradient of each
//! weight is one product.
//!
//! Sequences are `[steps, batch, features]`.

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Dispatch, DispatchTensor, TensorMetadata};
use burn::tensor::{Bool, Shape, Tensor};

use super::{
    Pass, RowFunction, dispatched, in_operations, of_vectors, rows, to_input, unrows, weights,
};
use crate::activation::NonNegativeActivation;
use crate::autodiff::{attach, is_listed};
use crate::context;
use crate::matmul::{add_product, product};

/// A sequence as the input of a function.
#[derive(Clone)]
pub(crate) struct Sequence {
    /// `[steps, batch, d_input]`.
    pub x: Tensor<3>,
    /// The state before the first step, `[batch, d_hidden]`; 0 if none.
    pub initial: Option<Tensor<2>>,
    /// True beyond the end of an example, `[steps, batch, 1]`; none if all examples have the same length.
    /// Beyond its end an example keeps its state, and nothing is learned.
    pub absent: Option<Tensor<3, Bool>>,
    /// φ.
    pub activation: NonNegativeActivation,
    /// The size of a state.
    pub d_hidden: usize,
}

/// The states h_t of a sequence, `[steps, batch, d_hidden]`.
///
/// With u_t the error that arrives at h_t, N the function's normalization of errors, and J its backward pass
/// from z to the drive of each reader: δ_t = N((u_t + e_{t+1}) φ'(z_t)), d_t = J δ_t for each reader, and e_t
/// = Σ d_t W_hᵀ with the rows W_h of the reader that belong to h. Over the rows of all steps, dx = Σ D W_xᵀ
/// and dW = [X, H]ᵀ D, with H the states before each step.
pub(crate) fn apply<F: RowFunction>(function: F, sequence: Sequence) -> (Tensor<3>, Pass) {
    let [steps, batch, d_input] = sequence.x.dims();
    if steps * batch == 0 {
        return nothing(function, sequence);
    }
    let function = function.for_rows(steps * batch, steps * batch);
    let (in_graph, sequence) = (sequence.clone(), sequence.without_graph());
    let constant = function.clone().inner();
    let part = |first, size| -> Vec<_> {
        let readers = constant.readers().into_iter();
        readers.map(|w| w.narrow(0, first, size)).collect()
    };
    let [of_x, of_h] = [part(0, d_input), part(d_input, sequence.d_hidden)];
    let inputs = rows(sequence.x.clone());
    // The products with the inputs of all steps at once; then the states, one step after the other.
    let of_inputs = of_x.iter().map(|w| product(inputs.clone(), w.clone()));
    let of_inputs: Vec<_> = of_inputs.collect();
    let mut states: Vec<Tensor<2>> = Vec::with_capacity(steps);
    let mut kept: Vec<Vec<Tensor<2>>> = Vec::with_capacity(steps);
    for step in 0..steps {
        let before = states.last().or(sequence.initial.as_ref());
        let drives = of_inputs.iter().zip(&of_h).map(|(drive, w)| {
            let drive = drive.clone().narrow(0, step * batch, batch);
            match before {
                Some(h) => add_product(drive, 1.0, h.clone(), w.clone()),
                None => drive,
            }
        });
        let (z, kept_at_step) = constant.activate(drives.collect());
        let state = sequence.activation.forward(z);
        states.push(sequence.held(step, state, before));
        kept.push(kept_at_step);
    }
    let states = Tensor::cat(states, 0).reshape([steps, batch, sequence.d_hidden]);
    let way = Way {
        constant,
        of_x,
        of_h,
        inputs,
        states,
        kept,
        sequence,
    };
    let pass = way.pass();
    let output = match is_listed(&in_graph.x) {
        true => way.attach(&function, in_graph),
        false => step_by_step(&function, in_graph),
    };
    (output, pass)
}

/// The values that backpropagation through time needs.
struct Way<F> {
    constant: F,
    /// The rows of each reader that read x, and that read h.
    of_x: Vec<Tensor<2>>,
    of_h: Vec<Tensor<2>>,
    inputs: Tensor<2>,
    states: Tensor<3>,
    /// The values that the function kept at each step.
    kept: Vec<Vec<Tensor<2>>>,
    /// Outside of any graph.
    sequence: Sequence,
}

impl<F: RowFunction> Way<F> {
    /// The states before each step, as rows: the initial state (0 if none), then all states but the last.
    fn before(&self) -> Tensor<2> {
        let first = match &self.sequence.initial {
            Some(first) => first.clone(),
            None => at(&self.states, 0).zeros_like(),
        };
        match self.states.dims()[0] {
            1 => first,
            steps => {
                let others = rows(self.states.clone().narrow(0, 0, steps - 1));
                Tensor::cat(vec![first, others], 0)
            }
        }
    }

    fn pass(&self) -> Pass {
        Pass {
            inputs: Tensor::cat(vec![self.inputs.clone(), self.before()], 1),
            kept: over_steps(&self.kept),
            counts: self.sequence.counts(),
        }
    }

    fn attach(self, function: &F, sequence: Sequence) -> Tensor<3> {
        let (way, shape) = (self, sequence.x.dims());
        let has_initial = sequence.initial.is_some();
        let parents = parents(function, sequence);
        attach(way.states.clone(), parents, move |upstream, wanted| {
            let (of_x, of_weights) = (wanted[0], &wanted[1 + usize::from(has_initial)..]);
            let of_initial = has_initial && wanted[1];
            let (of_readers, of_others) = of_weights.split_at(way.of_x.len());
            let (delta, at_drives, at_initial) = way.errors(upstream, of_initial);
            let dx = of_x.then(|| unrows::<3, 2>(to_input(&at_drives, &way.of_x), shape));
            let before = way.before();
            let at_reader = |(k, wanted): (usize, &bool)| {
                let error = at_drives.get(k)?.clone().filter(|_| *wanted)?;
                let of = |rows: &Tensor<2>| product(rows.clone().transpose(), error.clone());
                Some(Tensor::cat(vec![of(&way.inputs), of(&before)], 0))
            };
            let at_readers = of_readers.iter().enumerate().map(at_reader);
            let kept = match of_others.contains(&true) {
                true => over_steps(&way.kept),
                false => Vec::new(),
            };
            let at_others = (way.constant).to_others(&kept, &delta, &at_drives, of_others);
            let at_initial = has_initial.then_some(at_initial).into_iter();
            let at_others = of_vectors(at_others, way.constant.others());
            let at_matrices = at_initial.chain(at_readers);
            [dispatched([dx]), dispatched(at_matrices), at_others].concat()
        })
    }

    /// Backpropagation through time, from the last step to the first: the errors at z and at the drive of
    /// each open reader, over the rows of all steps, and the error at the initial state.
    fn errors(
        &self,
        upstream: Tensor<3>,
        of_initial: bool,
    ) -> (Tensor<2>, Vec<Option<Tensor<2>>>, Option<Tensor<2>>) {
        let slopes = self.sequence.activation.slope(self.states.clone());
        let every = vec![true; self.of_h.len()];
        let (mut deltas, mut at_drives) = (Vec::new(), Vec::new());
        let mut from_next: Option<Tensor<2>> = None;
        for (step, kept) in self.kept.iter().enumerate().rev() {
            let error = sum(at(&upstream, step), from_next.take());
            // Beyond the end of an example the error is passed to the previous step unchanged.
            let (error, passed_on) = match self.sequence.absent_at(step) {
                Some(absent) => {
                    let own = error.clone().mask_fill(absent.clone(), 0.0);
                    (own, Some(error.mask_fill(absent.bool_not(), 0.0)))
                }
                None => (error, None),
            };
            let error = error * at(&slopes, step);
            let delta = self.constant.normalize_error(kept, error);
            let errors = self.constant.to_drives(kept, &delta, &every);
            if step > 0 || of_initial {
                let back = to_input(&errors, &self.of_h);
                from_next = Some(sum(back, passed_on));
            }
            deltas.push(delta);
            at_drives.push(errors.into_iter().flatten().collect());
        }
        deltas.reverse();
        at_drives.reverse();
        let at_drives = over_steps(&at_drives).into_iter().map(Some).collect();
        let at_initial = from_next.filter(|_| of_initial);
        (Tensor::cat(deltas, 0), at_drives, at_initial)
    }
}

impl Sequence {
    /// True where an example has no such step, `[batch, d_hidden]`; none if all examples have the same
    /// length.
    fn absent_at(&self, step: usize) -> Option<Tensor<2, Bool>> {
        let absent = self.absent.clone()?;
        let [_, batch, _] = absent.dims();
        let absent: Tensor<2, Bool> = absent.narrow(0, step, 1).squeeze_dim(0);
        Some(absent.expand([batch, self.d_hidden]))
    }

    /// The state after a step; beyond the end of an example the previous state (0 if none).
    fn held(&self, step: usize, state: Tensor<2>, before: Option<&Tensor<2>>) -> Tensor<2> {
        match (self.absent_at(step), before) {
            (None, _) => state,
            (Some(absent), Some(before)) => state.mask_where(absent, before.clone()),
            (Some(absent), None) => state.mask_fill(absent, 0.0),
        }
    }

    /// 1 for the rows of steps that exist, 0 for the others, `[rows, 1]`; none if all exist.
    fn counts(&self) -> Option<Tensor<2>> {
        let exists = self.absent.clone()?.bool_not();
        let [steps, batch, _] = exists.dims();
        let counts = exists.float().cast(self.x.dtype());
        Some(counts.reshape([steps * batch, 1]))
    }

    fn without_graph(self) -> Self {
        Self {
            x: self.x.inner(),
            initial: self.initial.map(Tensor::inner),
            ..self
        }
    }
}

/// The result for no steps or no examples: an empty tensor that is part of the graph.
fn nothing<F: RowFunction>(function: F, sequence: Sequence) -> (Tensor<3>, Pass) {
    let (x, d_hidden) = (&sequence.x, sequence.d_hidden);
    let [steps, batch, d_input] = x.dims();
    let (device, dtype) = (x.device().inner(), x.dtype());
    let zeros = |width| Tensor::<2>::zeros([0, width], (&device, dtype));
    let pass = Pass {
        inputs: zeros(d_input + d_hidden),
        kept: Vec::new(),
        counts: None,
    };
    let states = Tensor::zeros([steps, batch, d_hidden], (&device, dtype));
    if !is_listed(x) {
        return (context::associate(states, x), pass);
    }
    let parents = parents(&function, sequence);
    let shapes: Vec<Shape> = parents.iter().map(TensorMetadata::shape).collect();
    let states = attach(states, parents, move |error: Tensor<3>, wanted| {
        let device = error.into_dispatch().device();
        let zeros = |shape: &Shape| Dispatch::float_zeros(shape.clone(), &device, dtype.into());
        let parents = shapes.iter().zip(wanted);
        parents
            .map(|(shape, wanted)| wanted.then(|| zeros(shape)))
            .collect()
    });
    (states, pass)
}

/// The parents of the states: the inputs, the initial state if there is one, and the weights.
fn parents(function: &impl RowFunction, sequence: Sequence) -> Vec<DispatchTensor> {
    let mut parents = vec![sequence.x.into_dispatch()];
    parents.extend(sequence.initial.map(Tensor::into_dispatch));
    parents.extend(weights(function));
    parents
}

/// [`apply`] step by step in plain autodiff, for a backend without our nodes.
fn step_by_step<F: RowFunction>(function: &F, sequence: Sequence) -> Tensor<3> {
    let [steps, batch, _] = sequence.x.dims();
    let zeros = || {
        let options = (&sequence.x.device().inner(), sequence.x.dtype());
        Tensor::zeros([batch, sequence.d_hidden], options)
    };
    let initial = sequence.initial.clone().unwrap_or_else(zeros);
    let [x, mut state] = context::together([rows(sequence.x.clone()), initial]);
    let mut states = Vec::with_capacity(steps);
    for step in 0..steps {
        let row = x.clone().narrow(0, step * batch, batch);
        let z = in_operations(function, Tensor::cat(vec![row, state.clone()], 1));
        let next = sequence.activation.forward(z);
        state = sequence.held(step, next, Some(&state));
        states.push(state.clone().unsqueeze_dim(0));
    }
    Tensor::cat(states, 0)
}

/// Each of several values over the rows of all steps.
fn over_steps(steps: &[Vec<Tensor<2>>]) -> Vec<Tensor<2>> {
    let of_all = |k: usize| steps.iter().map(|values| values[k].clone()).collect();
    let count = steps.first().map_or(0, Vec::len);
    (0..count).map(|k| Tensor::cat(of_all(k), 0)).collect()
}

/// `x`, plus `other` if there is one.
fn sum(x: Tensor<2>, other: Option<Tensor<2>>) -> Tensor<2> {
    match other {
        Some(other) => x + other,
        None => x,
    }
}

/// The batch at one step.
fn at(sequence: &Tensor<3>, step: usize) -> Tensor<2> {
    sequence.clone().narrow(0, step, 1).squeeze_dim(0)
}
