use burn::module::Content;
use burn::tensor::{Bool, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::{Geometry, Layer, LayerConfig, RnnState};
use crate::activation::NonNegativeActivation;
use crate::check::{check, check_last, check_shape, check_size, or_panic};
use crate::circuit::{Circuit, Currents, LearnsLocally, Options, Recurrence, Wiring};
use crate::row_function::sequence::{self, Sequence};
use crate::row_function::{Pass, rows, unrows};
use crate::{Error, context};

/// Steps of a sequence: at each step the circuit reads the inputs and the previous state, [x_t, h_{t−1}], and
/// h_t = φ(z_t). In matrices that read the input, the first `d_input` rows belong to x, the others to h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recurrent {
    /// The number of input features.
    pub d_input: usize,
    /// The number of recurrent excitatory neurons.
    pub d_hidden: usize,
    /// φ ≥ 0: with a negative activity an excitatory synapse would inhibit.
    pub activation: NonNegativeActivation,
    /// Whether a neuron may excite itself. Without autapses W_ex has a mask that keeps the weight from each
    /// neuron to itself at 0 ([`dale::mask`](crate::dale::mask)). A neuron can still inhibit itself through
    /// the inhibitory units.
    pub autapses: bool,
    /// Whether sequences are `[batch, steps, features]`; if not, `[steps, batch, features]`.
    pub batch_first: bool,
}

impl Recurrent {
    /// A geometry with ReLU, autapses and sequences `[batch, steps, features]`.
    pub fn new(d_input: usize, d_hidden: usize) -> Self {
        Self {
            d_input,
            d_hidden,
            activation: NonNegativeActivation::default(),
            autapses: true,
            batch_first: true,
        }
    }

    /// If batches come first, exchanges the first two axes, in either direction.
    fn exchanged(&self, sequence: Tensor<3>) -> Tensor<3> {
        match self.batch_first {
            true => sequence.swap_dims(0, 1),
            false => sequence,
        }
    }
}

impl Geometry for Recurrent {
    const NAME: &'static str = "Rnn";

    fn wiring(&self) -> Result<Wiring, Error> {
        check_size("d_input", self.d_input)?;
        check_size("d_hidden", self.d_hidden)?;
        Ok(Wiring {
            names: ["d_input", "d_hidden"],
            sources: self.d_input.saturating_add(self.d_hidden),
            places: 1,
            outputs: self.d_hidden,
            recurrence: Some(Recurrence {
                autapses: self.autapses,
            }),
        })
    }

    fn describe_sizes(&self, content: Content) -> Content {
        content
            .add("d_input", &self.d_input)
            .add("d_hidden", &self.d_hidden)
    }

    fn describe(&self, content: Content) -> Content {
        content
            .add("activation", self.activation.name())
            .add("autapses", &self.autapses)
            .add("batch_first", &self.batch_first)
    }
}

impl<O: Options> LayerConfig<O, Recurrent> {
    /// A layer of these sizes with ReLU, autapses, sequences `[batch, steps, features]` and the default
    /// options.
    pub fn new(d_input: usize, d_hidden: usize) -> Self {
        Self {
            geometry: Recurrent::new(d_input, d_hidden),
            circuit: O::default(),
        }
    }
}

impl<C: Circuit> Layer<C, Recurrent> {
    /// A layer with these weights of [x_t, h_{t−1}]. Their signs are not checked (see
    /// [`dale::check`](crate::dale::check)).
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the shapes do not fit each other or the geometry, [`Error::Config`] if a number is
    /// not allowed. Without autapses, the mask of W_ex is not set here.
    pub fn from_weights(weights: C::Weights, geometry: Recurrent) -> Result<Self, Error> {
        Self::new(C::from_weights(weights)?, geometry)
    }

    /// Applies the layer, starting from `state` (0 if none); returns the states of all steps, and the last
    /// state. An empty sequence leaves the state unchanged. This alone does not train the inhibition of an
    /// I-Norm layer; see [`forward_with_local_loss`](Self::forward_with_local_loss).
    ///
    /// The inputs of all steps are multiplied with each matrix in one product, and backpropagation through
    /// time is one autodiff node.
    ///
    /// # Shapes
    ///
    /// With batches first; otherwise the first two axes of a sequence are exchanged.
    ///
    /// - `x`: `[batch, steps, d_input]`
    /// - states of all steps: `[batch, steps, d_hidden]`
    /// - `state` and last state: `[batch, d_hidden]`
    ///
    /// # Panics
    ///
    /// If the shapes do not fit, or an [`InputCheck`](super::InputCheck) finds a negative input.
    #[track_caller]
    #[must_use]
    pub fn forward(&self, x: Tensor<3>, state: Option<RnnState>) -> (Tensor<3>, RnnState) {
        let (states, last, _) = self.apply(x, state, None);
        (states, last)
    }

    /// The layer on sequences of different lengths, padded to the longest. Beyond its end an example keeps
    /// its state, so the last state is the state at its end. The values of `x` beyond the end change neither
    /// states nor gradients nor the local loss.
    ///
    /// ```
    /// use burn::prelude::*;
    /// use ei_norm::EiRnnConfig;
    ///
    /// let device = Device::flex();
    /// let rnn = EiRnnConfig::new(3, 20).init(&device);
    /// let x = Tensor::<3>::ones([2, 5, 3], &device);
    /// let (states, last) = rnn.padded(&[5, 2]).forward(x, None);
    /// let at_end = states.slice([1..2, 1..2]).reshape([1, 20]);
    /// assert_eq!(last.hidden().slice([1..2]).into_data(), at_end.into_data());
    /// ```
    pub fn padded<'a>(&'a self, lengths: &'a [usize]) -> Padded<'a, C> {
        Padded {
            layer: self,
            lengths,
        }
    }

    /// The state after one step, from the inputs and the previous state (0 if none).
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, d_input]`
    /// - state and result: `[batch, d_hidden]`
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    #[track_caller]
    #[must_use]
    pub fn step(&self, x: Tensor<2>, state: Option<RnnState>) -> RnnState {
        let (states, _) = self.forward(self.one_step(x), state);
        self.only_state(states)
    }

    /// A batch as a sequence of one step.
    #[track_caller]
    fn one_step(&self, x: Tensor<2>) -> Tensor<3> {
        or_panic(check_last("x", x.dims(), self.geometry.d_input));
        // Burn cannot insert an axis before the axis of an empty batch.
        self.geometry.exchanged(x.unsqueeze_dim(1).swap_dims(0, 1))
    }

    /// The state of a sequence of one step. Not the last state: Burn's slice of an empty batch has no graph.
    fn only_state(&self, states: Tensor<3>) -> RnnState {
        RnnState::trusted(self.geometry.exchanged(states).squeeze_dim(0))
    }

    /// The currents at every step. The inputs and the state before each step count as constants: an error at the
    /// currents reaches only the weights.
    ///
    /// # Shapes
    ///
    /// As [`forward`](Self::forward); currents as the states.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    #[track_caller]
    #[must_use]
    pub fn currents(&self, x: Tensor<3>, state: Option<RnnState>) -> Currents<3> {
        let [steps, batch, _] = self.geometry.exchanged(x.clone()).dims();
        let (_, _, pass) = self.apply(x, state, None);
        let (matrices, _) = self.circuit.weights();
        let currents = (self.circuit).currents(context::associate(pass.inputs, &matrices[0].val()));
        let unrows = |current| unrows(current, [steps, batch, 0]);
        currents.map(|current| self.geometry.exchanged(unrows(current)))
    }

    /// The output z for these currents, in plain tensor operations; errors are not normalized. The
    /// state after a step is φ(z).
    #[must_use]
    pub fn output(&self, currents: &Currents<3>) -> Tensor<3> {
        self.circuit.output(currents)
    }

    #[track_caller]
    fn apply(
        &self,
        x: Tensor<3>,
        state: Option<RnnState>,
        lengths: Option<&[usize]>,
    ) -> (Tensor<3>, RnnState, Pass) {
        let Recurrent {
            d_input, d_hidden, ..
        } = self.geometry;
        or_panic(check_last("x", x.dims(), d_input));
        let x = self.geometry.exchanged(x);
        let [steps, batch, _] = x.dims();
        let absent = lengths.map(|lengths| absent(lengths, &x));
        // Burn cannot expand empty tensors.
        let absent = absent.filter(|_| steps * batch > 0);
        let x = match &absent {
            // Not 0, because a circuit may divide by the inputs.
            Some(absent) => x.mask_fill(absent.clone().expand([steps, batch, d_input]), 1.0),
            None => x,
        };
        or_panic(self.input_check.check(&x));
        let initial = state.map(RnnState::into_hidden);
        if let Some(initial) = &initial {
            or_panic(check_shape("the state", initial.dims(), [batch, d_hidden]));
        }
        let sequence = Sequence {
            initial: initial.clone(),
            absent,
            x,
            activation: self.geometry.activation,
            d_hidden,
        };
        let (states, pass) = sequence::apply(self.circuit.function(), sequence);
        let last = match (steps.checked_sub(1), initial) {
            (Some(last), _) => states.clone().narrow(0, last, 1).squeeze_dim(0),
            (None, Some(initial)) => initial,
            (None, None) => Tensor::zeros([batch, d_hidden], (&states.device(), states.dtype())),
        };
        (
            self.geometry.exchanged(states),
            RnnState::trusted(last),
            pass,
        )
    }
}

impl<C: LearnsLocally> Layer<C, Recurrent> {
    /// The local loss for these currents, in plain tensor operations.
    ///
    /// # Shapes
    ///
    /// - result: `[1]`
    #[must_use]
    pub fn local_loss(&self, currents: &Currents<3>) -> Tensor<1> {
        // Each step is normalized by itself.
        self.circuit.local_loss(&currents.clone().map(rows::<3, 2>))
    }

    /// Applies the layer and returns, beside the states of all steps and the last state, the loss from which
    /// its inhibitory weights learn: the mean over steps and examples. Add it to the task's loss:
    /// `loss = task + lambda * local`. It is 0 if there are no steps or no examples.
    ///
    /// # Shapes
    ///
    /// As [`forward`](Self::forward); local loss: `[1]`
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    #[track_caller]
    #[must_use]
    pub fn forward_with_local_loss(
        &self,
        x: Tensor<3>,
        state: Option<RnnState>,
    ) -> (Tensor<3>, RnnState, Tensor<1>) {
        let (states, last, pass) = self.apply(x, state, None);
        (states, last, self.circuit.local_loss_of(pass))
    }

    /// The state after one step, and the loss from which the inhibitory weights learn.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, d_input]`
    /// - state and result: `[batch, d_hidden]`, local loss: `[1]`
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    #[track_caller]
    #[must_use]
    pub fn step_with_local_loss(
        &self,
        x: Tensor<2>,
        state: Option<RnnState>,
    ) -> (RnnState, Tensor<1>) {
        let (states, _, local) = self.forward_with_local_loss(self.one_step(x), state);
        (self.only_state(states), local)
    }
}

/// A recurrent layer with the lengths of the sequences of a batch; see `padded`.
#[derive(Debug)]
pub struct Padded<'a, C> {
    layer: &'a Layer<C, Recurrent>,
    lengths: &'a [usize],
}

impl<C: Circuit> Padded<'_, C> {
    /// As [`Layer::forward`].
    ///
    /// # Panics
    ///
    /// If the shapes do not fit, the number of lengths is not the number of examples, a length exceeds the
    /// number of steps, or an [`InputCheck`](super::InputCheck) finds a negative input.
    #[track_caller]
    #[must_use]
    pub fn forward(&self, x: Tensor<3>, state: Option<RnnState>) -> (Tensor<3>, RnnState) {
        let (states, last, _) = self.layer.apply(x, state, Some(self.lengths));
        (states, last)
    }
}

impl<C: LearnsLocally> Padded<'_, C> {
    /// As [`Layer::forward_with_local_loss`]; the local loss is the mean over the steps that exist.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    #[track_caller]
    #[must_use]
    pub fn forward_with_local_loss(
        &self,
        x: Tensor<3>,
        state: Option<RnnState>,
    ) -> (Tensor<3>, RnnState, Tensor<1>) {
        let (states, last, pass) = self.layer.apply(x, state, Some(self.lengths));
        (states, last, self.layer.circuit.local_loss_of(pass))
    }
}

/// True beyond the end of each example, `[steps, batch, 1]`.
#[track_caller]
fn absent(lengths: &[usize], x: &Tensor<3>) -> Tensor<3, Bool> {
    let [steps, batch, _] = x.dims();
    or_panic(check_shape("lengths", [lengths.len()], [batch]));
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let allowed = "at most the number of steps of the input";
    or_panic(check(longest <= steps, "lengths", longest, allowed));
    let absent: Vec<bool> = (0..steps)
        .flat_map(|step| lengths.iter().map(move |length| step >= *length))
        .collect();
    let absent = TensorData::new(absent, [steps, batch, 1]);
    Tensor::from_data(absent, &x.device().inner())
}
