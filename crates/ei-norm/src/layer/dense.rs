use burn::module::Content;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::{Geometry, Layer, LayerConfig};
use crate::Error;
use crate::check::{check_last, check_size, or_panic};
use crate::circuit::{Circuit, Currents, LearnsLocally, Options, Wiring};
use crate::row_function::{self, Pass};

/// Rows: the last axis of the input holds the features, all other axes hold rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dense {
    /// The number of input features.
    pub d_input: usize,
    /// The number of output features: the excitatory neurons.
    pub d_output: usize,
}

impl Geometry for Dense {
    const NAME: &'static str = "Linear";

    fn wiring(&self) -> Result<Wiring, Error> {
        check_size("d_input", self.d_input)?;
        check_size("d_output", self.d_output)?;
        Ok(Wiring {
            names: ["d_input", "d_output"],
            sources: self.d_input,
            places: 1,
            outputs: self.d_output,
            recurrence: None,
        })
    }

    fn describe_sizes(&self, content: Content) -> Content {
        content
            .add("d_input", &self.d_input)
            .add("d_output", &self.d_output)
    }
}

impl<O: Options> LayerConfig<O, Dense> {
    /// A layer of these sizes, with the default options.
    pub fn new(d_input: usize, d_output: usize) -> Self {
        Self {
            geometry: Dense { d_input, d_output },
            circuit: O::default(),
        }
    }
}

impl<C: Circuit> Layer<C, Dense> {
    /// A layer with these weights. Their signs are not checked (see [`dale::check`](crate::dale::check)).
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the shapes do not fit each other, [`Error::Config`] if a number is not allowed.
    pub fn from_weights(weights: C::Weights) -> Result<Self, Error> {
        let circuit = C::from_weights(weights)?;
        let [d_input, d_output] = circuit.sizes();
        Self::new(circuit, Dense { d_input, d_output })
    }

    /// Applies the layer. The inhibition of an EI layer is applied as two thin products or as the single
    /// matrix W_ex − W_ix W_ei, whichever costs less for this batch. This alone does not train the inhibition
    /// of an I-Norm layer; see [`forward_with_local_loss`](Self::forward_with_local_loss).
    ///
    /// # Shapes
    ///
    /// - `x`: `[..., d_input]`
    /// - result: `[..., d_output]`
    ///
    /// # Panics
    ///
    /// If the last axis of `x` is not `d_input`, or an [`InputCheck`](super::InputCheck) finds a negative
    /// input.
    #[track_caller]
    #[must_use]
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.apply(x).0
    }

    /// The currents of a batch, for studies of E/I balance. [`Layer::output`] computes the result of
    /// [`forward`](Self::forward) from them.
    ///
    /// # Shapes
    ///
    /// - `x`: `[..., d_input]`
    /// - currents: `[..., d_output]`
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    #[track_caller]
    #[must_use]
    pub fn currents<const D: usize>(&self, x: Tensor<D>) -> Currents<D> {
        self.check_input(&x);
        self.circuit.currents(x)
    }

    /// The output z for these currents, in plain tensor operations; errors are not normalized.
    #[must_use]
    pub fn output<const D: usize>(&self, currents: &Currents<D>) -> Tensor<D> {
        self.circuit.output(currents)
    }

    #[track_caller]
    fn check_input<const D: usize>(&self, x: &Tensor<D>) {
        let d_input = self.geometry.d_input;
        or_panic(check_last("x", x.dims(), d_input));
        or_panic(self.input_check.check(x));
    }

    #[track_caller]
    fn apply<const D: usize>(&self, x: Tensor<D>) -> (Tensor<D>, Pass) {
        self.check_input(&x);
        row_function::apply(self.circuit.function(), x)
    }
}

impl<C: LearnsLocally> Layer<C, Dense> {
    /// The local loss for these currents, in plain tensor operations.
    ///
    /// # Shapes
    ///
    /// - result: `[1]`
    #[must_use]
    pub fn local_loss<const D: usize>(&self, currents: &Currents<D>) -> Tensor<1> {
        self.circuit.local_loss(currents)
    }

    /// Applies the layer and returns, beside the output, the loss from which its inhibitory weights learn.
    /// Add it to the task's loss: `loss = task + lambda * local`. It is 0 if there are no examples.
    ///
    /// # Shapes
    ///
    /// - `x`: `[..., d_input]`
    /// - output: `[..., d_output]`, local loss: `[1]`
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    #[track_caller]
    #[must_use]
    pub fn forward_with_local_loss<const D: usize>(&self, x: Tensor<D>) -> (Tensor<D>, Tensor<1>) {
        let (output, pass) = self.apply(x);
        (output, self.circuit.local_loss_of(pass))
    }
}
