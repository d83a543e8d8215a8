//! Circuits of excitatory and inhibitory neurons: their weights and their computation for each row.
//!
//! A circuit is independent of geometry: a [`Layer`](crate::layer::Layer) applies it to images or sequences.
//! For example, [`Ei`] is [`EiLinear`](crate::EiLinear) on rows, [`EiConv2d`](crate::EiConv2d) on the patches
//! of an image and [`EiRnn`](crate::EiRnn) at the steps of a sequence.

/// Lists the weights of a circuit: its matrices, then its vectors, each in the order of the fields. A field
/// is a weight, or an option of one.
macro_rules! weights {
    ([$($matrix:ident),*], [$($($vector:ident).+),*]) => {
        fn matrices(&self) -> Vec<&Weight<2>> {
            let all = [$(Option::<&Weight<2>>::from(&self.$matrix)),*];
            all.into_iter().flatten().collect()
        }

        fn matrices_mut(&mut self) -> Vec<&mut Weight<2>> {
            let all = [$(Option::<&mut Weight<2>>::from(&mut self.$matrix)),*];
            all.into_iter().flatten().collect()
        }

        fn vectors(&self) -> Vec<&Weight<1>> {
            let all = [$(Option::<&Weight<1>>::from(&self.$($vector).+)),*];
            all.into_iter().flatten().collect()
        }

        fn vectors_mut(&mut self) -> Vec<&mut Weight<1>> {
            let all = [$(Option::<&mut Weight<1>>::from(&mut self.$($vector).+)),*];
            all.into_iter().flatten().collect()
        }
    };
}

mod column;
mod ei;
mod i_norm;
mod population;
mod shunting;
mod values;

use burn::module::{Content, Module};
use burn::tensor::{Device, Tensor};
use rand::Rng;

use crate::Error;
use crate::check::{check, check_shape};
use crate::dale::{Plasticity, Role, Sign, Weight, mask};
use crate::init::{EiDraw, matrix};
use crate::row_function::{Pass, RowFunction};

pub use column::{ColumnEi, ColumnEiOptions, ColumnEiWeights};
pub(crate) use ei::EiFunction;
pub use ei::{Ei, EiOptions, EiWeights};
pub use i_norm::{INorm, INormOptions, INormWeights, InhibitoryPlasticity, NormalizedOver};
pub use population::Population;
pub use shunting::{Shunting, ShuntingOptions, ShuntingWeights};

/// A circuit of excitatory and inhibitory neurons, which a [`Layer`](crate::layer::Layer) applies in a
/// geometry. Only the circuits of this crate implement the trait.
pub trait Circuit: Module + Sync + sealed::Computes {
    /// The first part of a layer's name.
    const NAME: &'static str;

    /// The weights from which a layer can be made.
    type Weights;

    /// A circuit with these weights. Their signs are not checked (see [`dale::check`](crate::dale::check)).
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the shapes do not fit each other, [`Error::Config`] if a number is not allowed.
    fn from_weights(weights: Self::Weights) -> Result<Self, Error>;

    /// The sizes of the input and of the output, `[d_input, d_output]`.
    fn sizes(&self) -> [usize; 2];

    /// The currents at the outputs for the rows of `x`.
    ///
    /// # Shapes
    ///
    /// - `x`: `[..., d_input]`; currents: `[..., d_output]`
    fn currents<const D: usize>(&self, x: Tensor<D>) -> Currents<D>;

    /// The output z for these currents, in plain tensor operations.
    fn output<const D: usize>(&self, currents: &Currents<D>) -> Tensor<D>;

    /// Adds the description of the circuit, without its sizes.
    fn describe(&self, content: Content) -> Content;
}

/// A circuit whose inhibition learns from a local loss, in addition to the task's loss.
pub trait LearnsLocally: Circuit + sealed::HasLocalLoss {
    /// The local loss for these currents, in plain tensor operations.
    ///
    /// # Shapes
    ///
    /// - result: `[1]`
    fn local_loss<const D: usize>(&self, currents: &Currents<D>) -> Tensor<1>;
}

/// The options of a circuit, without its sizes.
pub trait Options:
    std::fmt::Debug + Clone + Default + serde::Serialize + serde::de::DeserializeOwned + Send + Sync
{
    /// The circuit with these options.
    type Circuit: Circuit;

    /// A circuit with weights drawn from `rng`.
    ///
    /// # Errors
    ///
    /// If an option is not allowed.
    fn build(
        &self,
        wiring: &Wiring,
        device: &Device,
        rng: &mut impl Rng,
    ) -> Result<Self::Circuit, Error>;
}

pub(crate) mod sealed {
    use super::values::Values;
    use super::{Pass, RowFunction, Tensor, Weight};

    /// The computation of a circuit.
    pub trait Computes: Sized {
        /// The function of rows, of a single circuit (`D` = 2) or of a population (`D` = 3).
        type Function<const D: usize>: RowFunction<D>;

        /// The function of circuits of one form for the task's error, for `rows` rows of `examples` examples
        /// each. The weights have the values `values`, which are part of the graph.
        fn function_of<const D: usize>(
            circuits: &[Self],
            values: Values<D>,
            rows: usize,
            examples: usize,
        ) -> Self::Function<D>;

        /// The function of this circuit alone.
        fn function(&self, rows: usize, examples: usize) -> Self::Function<2> {
            Self::function_of(std::slice::from_ref(self), Values::of(self), rows, examples)
        }

        /// The single matrix `[d_input, d_output]` and the bias that are equivalent to the circuit, if it is
        /// linear.
        fn single_matrix(&self) -> Option<(Tensor<2>, Option<Tensor<1>>)> {
            None
        }

        /// All matrices, in the order of the fields.
        fn matrices(&self) -> Vec<&Weight<2>>;

        /// All matrices, mutable, in the order of the fields.
        fn matrices_mut(&mut self) -> Vec<&mut Weight<2>>;

        /// All vectors, in the order of the fields.
        fn vectors(&self) -> Vec<&Weight<1>>;

        /// All vectors, mutable, in the order of the fields.
        fn vectors_mut(&mut self) -> Vec<&mut Weight<1>>;

        /// Whether a circuit with the same number of weights differs from this one only in its sizes.
        fn same_form(&self, other: &Self) -> bool;
    }

    /// The local loss of a circuit.
    pub trait HasLocalLoss: Computes {
        /// The loss of the rows of a pass.
        fn local_loss_of(&self, pass: Pass) -> Tensor<1>;

        /// The losses `[networks]` of circuits of one form, each for its own rows.
        fn local_losses<const D: usize>(
            circuits: &[Self],
            values: Values<D>,
            pass: Pass<D>,
        ) -> Tensor<1>;
    }
}

/// The currents at the outputs of a circuit.
#[derive(Debug, Clone)]
pub struct Currents<const D: usize> {
    /// The excitatory current, `[..., d_output]`; includes the bias if the circuit adds it to this current.
    pub excitatory: Tensor<D>,
    /// The subtractive inhibitory current, `[..., d_output]`; zeros in a circuit without inhibition.
    pub subtractive: Tensor<D>,
    /// The divisive inhibitory current, `[..., d_output]`, or `[..., 1]` if it is one number for each
    /// example; none in a circuit whose inhibition only subtracts.
    pub divisive: Option<Tensor<D>>,
}

impl<const D: usize> Currents<D> {
    /// Applies `f` to every current.
    pub(crate) fn map<const E: usize>(self, f: impl Fn(Tensor<D>) -> Tensor<E>) -> Currents<E> {
        Currents {
            excitatory: f(self.excitatory),
            subtractive: f(self.subtractive),
            divisive: self.divisive.map(f),
        }
    }
}

/// The connections between inputs and outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wiring {
    /// The names of the sources and of the outputs in the configuration, for messages.
    pub names: [&'static str; 2],
    /// The presynaptic units: features, channels, or the inputs and the neurons of a recurrent layer.
    pub sources: usize,
    /// The number of inputs for each source: 1, or the number of places of a kernel. Inputs are in the order
    /// place, source.
    pub places: usize,
    /// The number of outputs.
    pub outputs: usize,
    /// Given if the last sources are the outputs themselves, one step before.
    pub recurrence: Option<Recurrence>,
}

/// The wiring of a recurrent layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recurrence {
    /// Whether a neuron may excite itself.
    pub autapses: bool,
}

impl Wiring {
    /// The number of inputs.
    pub fn inputs(&self) -> usize {
        self.sources.saturating_mul(self.places)
    }

    /// The number of sources that are not the layer's own neurons.
    pub(crate) fn external(&self) -> usize {
        match self.recurrence {
            Some(_) => self.sources - self.outputs,
            None => self.sources,
        }
    }

    /// The elements of W_ex that stay 0: from each neuron to itself, if autapses are not allowed. The last
    /// rows of W_ex belong to the neurons.
    pub(crate) fn autapses<'a>(&self, w_ex: &'a mut [f64]) -> impl Iterator<Item = &'a mut f64> {
        let allowed = self.recurrence.as_ref().is_none_or(|r| r.autapses);
        let count = if allowed { 0 } else { self.outputs };
        let first = w_ex.len().saturating_sub(self.outputs * self.outputs);
        w_ex.iter_mut()
            .skip(first)
            .step_by(self.outputs + 1)
            .take(count)
    }
}

/// The circuit with a mask of W_ex that excludes autapses, unless they are allowed.
fn with_autapses_of<C: Circuit>(
    mut circuit: C,
    wiring: &Wiring,
    device: &Device,
) -> Result<C, Error> {
    let allowed = wiring.recurrence.as_ref().is_none_or(|r| r.autapses);
    let (external, shape) = (wiring.external(), [wiring.sources, wiring.outputs]);
    if let [w_ex, ..] = &mut circuit.matrices_mut()[..]
        && !allowed
    {
        let exists = |(pre, post)| pre != external + post;
        w_ex.set_mask(mask::from_fn(shape, exists, device))?;
    }
    Ok(circuit)
}

fn excitatory(value: Tensor<2>) -> Weight<2> {
    non_negative(value, Role::Excitatory)
}

/// A parameter ≥ 0 that learns.
fn non_negative<const D: usize>(value: Tensor<D>, role: Role) -> Weight<D> {
    Weight::new(value, Sign::NonNegative, Plasticity::Plastic).with_role(role)
}

/// A parameter of any sign that learns.
fn free<const D: usize>(value: Tensor<D>, role: Role) -> Weight<D> {
    Weight::new(value, Sign::Free, Plasticity::Plastic).with_role(role)
}

fn bias_weight(bias: Option<Tensor<1>>) -> Option<Weight<1>> {
    bias.map(|bias| free(bias, Role::Bias))
}

fn zero_bias(bias: bool, d_output: usize, device: &Device) -> Option<Tensor<1>> {
    bias.then(|| Tensor::zeros([d_output], device))
}

pub(crate) fn check_bias(bias: &Option<Tensor<1>>, d_output: usize) -> Result<(), Error> {
    match bias {
        Some(bias) => check_shape("bias", bias.dims(), [d_output]),
        None => Ok(()),
    }
}

/// Checks W_ix and W_ei (or U_ix and U_ei) of a circuit with these sizes.
pub(crate) fn check_inhibition(
    names: [&'static str; 2],
    into: &Tensor<2>,
    out: &Tensor<2>,
    [d_input, d_output]: [usize; 2],
) -> Result<(), Error> {
    let [_, units] = into.dims();
    check_shape(names[0], into.dims(), [d_input, units])?;
    check_shape(names[1], out.dims(), [units, d_output])
}

/// Fails if these weights `[d_input, units]` into inhibitory units have no unit.
fn check_inhibitory(into: &Tensor<2>) -> Result<(), Error> {
    let [_, units] = into.dims();
    check(units > 0, "inhibitory", units, "at least 1 inhibitory unit")
}

/// The circuit, if all its weights have the same floating-point type.
fn of_one_type<C: sealed::Computes>(circuit: C) -> Result<C, Error> {
    let matrices = circuit.matrices().into_iter().map(|w| w.dtype());
    let mut types = matrices.chain(circuit.vectors().into_iter().map(|w| w.dtype()));
    let first = types.next();
    match types.find(|other| Some(*other) != first) {
        Some(other) => {
            let found = format!("{other:?} beside {:?}", first.unwrap_or(other));
            Err(Error::config(
                "the type of the weights",
                found,
                "the same for all weights",
            ))
        }
        None => Ok(circuit),
    }
}

fn val<const D: usize>(weight: &Option<Weight<D>>) -> Option<Tensor<D>> {
    weight.as_ref().map(Weight::val)
}

/// W_ex of a draw, and W_ix with W_ei if there is inhibition.
fn tensors(draw: EiDraw, device: &Device) -> (Tensor<2>, Option<(Tensor<2>, Tensor<2>)>) {
    let (d_input, d_output, n_i) = (draw.d_input, draw.d_output, draw.n_i);
    let w_ex = matrix(draw.w_ex, [d_input, d_output], device);
    let inhibition = (n_i > 0).then(|| {
        (
            matrix(draw.w_ix, [d_input, n_i], device),
            matrix(draw.w_ei, [n_i, d_output], device),
        )
    });
    (w_ex, inhibition)
}

fn no_inhibition() -> Error {
    Error::config("inhibitory", 0, "at least 1 inhibitory unit")
}
