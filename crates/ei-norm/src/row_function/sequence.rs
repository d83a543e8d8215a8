//! A function of rows at every step of a sequence, and backpropagation through time.
//!
//! The function computes z_t from [x_t, h_{t−1}]; the state is h_t = φ(z_t). A sequence is one autodiff node.
//! With one node for each step, every step would add a gradient as large as the weights, and its slice a
//! gradient as large as the sequence; here the errors of all steps are collected, and the gradient of each
//! weight is one product.
//!
//! Sequences are `[steps, batch, features]`.

use burn::backend::{DispatchTensor, TensorMetadata};
use burn::tensor::{Bool, Shape, Tensor};

use super::{Pass, RowFunction, in_operations, rows, to_input, unrows, weights};
use crate::activation::NonNegativeActivation;
use crate::autodiff::{attach, is_listed};
use crate::context;
use crate::matmul::{add_product, product};

/// A sequence as the input of a function.
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
    let constant = function.clone().inner();
    let readers = constant.readers().into_iter();
    let readers: Vec<Split> = readers.map(|w| Split::new(w, d_input)).collect();
    let first = sequence.initial.clone().map(Tensor::inner);
    let inputs = rows(sequence.x.clone().inner());
    // The products with the inputs of all steps at once; then the states, one step after the other.
    let of_inputs: Vec<_> = readers
        .iter()
        .map(|w| product(inputs.clone(), w.of_x.clone()))
        .collect();
    let mut states: Vec<Tensor<2>> = Vec::with_capacity(steps);
    let mut kept: Vec<Vec<Tensor<2>>> = Vec::with_capacity(steps);
    for step in 0..steps {
        let before = states.last().or(first.as_ref());
        let drives = of_inputs.iter().zip(&readers).map(|(drive, w)| {
            let drive = drive.clone().narrow(0, step * batch, batch);
            match before {
                Some(h) => add_product(drive, 1.0, h.clone(), w.of_h.clone()),
                None => drive,
            }
        });
        let activity = constant.activate(drives.collect());
        let state = sequence.activation.forward(activity.z);
        states.push(sequence.held(step, state, before));
        kept.push(activity.kept);
    }
    let states = Tensor::cat(states, 0).reshape([steps, batch, sequence.d_hidden]);
    let way = Way {
        constant,
        readers,
        inputs,
        first,
        states,
        kept,
        sequence,
    };
    let pass = way.pass();
    let output = match is_listed(&way.sequence.x) {
        true => way.attach(&function),
        false => step_by_step(&function, &way.sequence),
    };
    (output, pass)
}

/// The values that backpropagation through time needs.
struct Way<F> {
    constant: F,
    readers: Vec<Split>,
    inputs: Tensor<2>,
    first: Option<Tensor<2>>,
    states: Tensor<3>,
    /// The values that the function kept at each step.
    kept: Vec<Vec<Tensor<2>>>,
    sequence: Sequence,
}

/// The errors of a sequence, over the rows of all steps.
struct Errors {
    /// At z.
    delta: Tensor<2>,
    /// At the drive of each open reader.
    at_drives: Vec<Option<Tensor<2>>>,
    /// At the initial state.
    initial: Option<Tensor<2>>,
}

impl<F: RowFunction> Way<F> {
    /// The values that the function kept, over the rows of all steps.
    fn all_kept(&self) -> Vec<Tensor<2>> {
        let count = self.kept.first().map_or(0, Vec::len);
        let over_steps = |k: usize| self.kept.iter().map(move |kept| kept[k].clone());
        (0..count)
            .map(|k| Tensor::cat(over_steps(k).collect(), 0))
            .collect()
    }

    /// The states before each step, as rows: the initial state (0 if none), then all states but the last.
    fn before(&self) -> Tensor<2> {
        let first = match &self.first {
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
            kept: self.all_kept(),
            counts: self.sequence.counts(),
        }
    }

    fn attach(self, function: &F) -> Tensor<3> {
        let x = self.sequence.x.clone();
        let shape = x.dims();
        let has_initial = self.sequence.initial.is_some();
        let mut parents = vec![x.into_dispatch()];
        parents.extend(self.sequence.initial.clone().map(Tensor::into_dispatch));
        parents.extend(weights(function));
        let way = Self {
            sequence: self.sequence.without_graph(),
            ..self
        };
        attach(way.states.clone(), parents, move |upstream, wanted| {
            let (of_x, of_weights) = (wanted[0], &wanted[1 + usize::from(has_initial)..]);
            let of_initial = has_initial && wanted[1];
            let (of_readers, of_others) = of_weights.split_at(way.readers.len());
            let errors = way.errors(upstream, of_initial);
            let readers: Vec<_> = way.readers.iter().map(|w| w.of_x.clone()).collect();
            let dx = of_x.then(|| unrows(to_input(&errors.at_drives, &readers), shape));
            let initial = has_initial.then(|| errors.initial.map(Tensor::into_dispatch));
            let before = way.before();
            let at_reader = |(k, wanted): (usize, &bool)| {
                let error = errors.at_drives.get(k)?.clone().filter(|_| *wanted)?;
                let of = |rows: &Tensor<2>| product(rows.clone().transpose(), error.clone());
                Some(Tensor::cat(vec![of(&way.inputs), of(&before)], 0).into_dispatch())
            };
            let kept = match of_others.contains(&true) {
                true => way.all_kept(),
                false => Vec::new(),
            };
            std::iter::once(dx.map(Tensor::into_dispatch))
                .chain(initial)
                .chain(of_readers.iter().enumerate().map(at_reader))
                .chain(
                    way.constant
                        .to_others(&kept, &errors.delta, &errors.at_drives, of_others),
                )
                .collect()
        })
    }

    /// Backpropagation through time, from the last step to the first.
    fn errors(&self, upstream: Tensor<3>, of_initial: bool) -> Errors {
        let slopes = self.sequence.activation.slope(self.states.clone());
        let every = vec![true; self.readers.len()];
        let readers: Vec<_> = self.readers.iter().map(|w| w.of_h.clone()).collect();
        let (mut deltas, mut at_drives) = (Vec::new(), Vec::new());
        let mut from_next: Option<Tensor<2>> = None;
        for (step, kept) in self.kept.iter().enumerate().rev() {
            let error = at(&upstream, step);
            let error = match from_next.take() {
                Some(from_next) => error + from_next,
                None => error,
            };
            // Beyond the end of an example the error is passed to the previous step unchanged.
            let absent = self.sequence.absent_at(step);
            let passed_on = absent.clone().map(|absent| {
                let exists = absent.bool_not();
                error.clone().mask_fill(exists, 0.0)
            });
            let error = match absent {
                Some(absent) => error.mask_fill(absent, 0.0),
                None => error,
            };
            let error = error * at(&slopes, step);
            let delta = self.constant.normalize_error(kept, error);
            let errors = self.constant.to_drives(kept, &delta, &every);
            if step > 0 || of_initial {
                let back = to_input(&errors, &readers);
                from_next = Some(match passed_on {
                    Some(passed_on) => back + passed_on,
                    None => back,
                });
            }
            deltas.push(delta);
            at_drives.push(errors);
        }
        deltas.reverse();
        at_drives.reverse();
        let over_steps = |k: usize| {
            let steps = at_drives.iter().map(|errors| errors[k].clone());
            steps.collect::<Option<Vec<_>>>()
        };
        Errors {
            delta: Tensor::cat(deltas, 0),
            at_drives: (0..self.constant.open())
                .map(|k| over_steps(k).map(|steps| Tensor::cat(steps, 0)))
                .collect(),
            initial: from_next.filter(|_| of_initial),
        }
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
    let Sequence { x, d_hidden, .. } = sequence;
    let [steps, batch, d_input] = x.dims();
    let (device, dtype) = (x.device().inner(), x.dtype());
    let zeros = |width| Tensor::<2>::zeros([0, width], (&device, dtype));
    let pass = Pass {
        inputs: zeros(d_input + d_hidden),
        kept: Vec::new(),
        counts: None,
    };
    let states = Tensor::zeros([steps, batch, d_hidden], (&device, dtype));
    if !is_listed(&x) {
        return (context::associate(states, &x), pass);
    }
    let mut parents = vec![x.into_dispatch()];
    parents.extend(sequence.initial.map(Tensor::into_dispatch));
    parents.extend(weights(&function));
    let shapes: Vec<_> = parents.iter().map(TensorMetadata::shape).collect();
    let states = attach(states, parents, move |_: Tensor<3>, wanted| {
        let zeros = |shape: &Shape| -> DispatchTensor {
            let options = (&device, dtype);
            match shape.num_dims() {
                1 => Tensor::<1>::zeros(shape.clone(), options).into_dispatch(),
                2 => Tensor::<2>::zeros(shape.clone(), options).into_dispatch(),
                _ => Tensor::<3>::zeros(shape.clone(), options).into_dispatch(),
            }
        };
        let parents = shapes.iter().zip(wanted);
        parents
            .map(|(shape, wanted)| wanted.then(|| zeros(shape)))
            .collect()
    });
    (states, pass)
}

/// [`apply`] step by step in plain autodiff, for a backend without our nodes.
fn step_by_step<F: RowFunction>(function: &F, sequence: &Sequence) -> Tensor<3> {
    let [steps, batch, _] = sequence.x.dims();
    let zeros = || {
        let options = (&sequence.x.device().inner(), sequence.x.dtype());
        Tensor::zeros([batch, sequence.d_hidden], options)
    };
    let initial = sequence.initial.clone().unwrap_or_else(zeros);
    let [x, initial] = [rows(sequence.x.clone()), initial];
    let [x, mut state] = context::together([x, initial]);
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

/// The batch at one step.
fn at(sequence: &Tensor<3>, step: usize) -> Tensor<2> {
    sequence.clone().narrow(0, step, 1).squeeze_dim(0)
}

/// A matrix that sees [x, h], outside of any graph.
struct Split {
    of_x: Tensor<2>,
    of_h: Tensor<2>,
}

impl Split {
    fn new(weights: Tensor<2>, d_input: usize) -> Self {
        let [rows, _] = weights.dims();
        Self {
            of_x: weights.clone().narrow(0, 0, d_input),
            of_h: weights.narrow(0, d_input, rows - d_input),
        }
    }
}
