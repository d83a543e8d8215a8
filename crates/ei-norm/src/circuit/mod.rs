//! Circuits of excitatory and inhibitory neurons: their weights and their computation for each row.
//!
//! A circuit is independent of geometry: a [`Layer`](crate::layer::Layer) applies it to images or sequences.
//! For example, [`Ei`] is [`EiLinear`](crate::EiLinear) on rows, [`EiConv2d`](crate::EiConv2d) on the patches
//! of an image and [`EiRnn`](crate::EiRnn) at the steps of a sequence.

/// Lists the weights of a circuit: its matrices, then its vectors, each in the order of the fields. A field
/// is a weight, or an option of one.
macro_rules! weights {
    ([$($matrix:ident),*], [$($($vector:ident).+),*]) => {
        fn weights(&self) -> (Vec<&Weight<2>>, Vec<&Weight<1>>) {
            let matrices = [$(Option::from(&self.$matrix)),*].into_iter();
            let vectors = [$(Option::from(&self.$($vector).+)),*].into_iter();
            (matrices.flatten().collect(), vectors.flatten().collect())
        }

        fn weights_mut(&mut self) -> (Vec<&mut Weight<2>>, Vec<&mut Weight<1>>) {
            let matrices = [$(Option::from(&mut self.$matrix)),*].into_iter();
            let vectors = [$(Option::from(&mut self.$($vector).+)),*].into_iter();
            (matrices.flatten().collect(), vectors.flatten().collect())
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
use crate::check::check_shape;
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

    /// The sizes of the input and of the output, `[d_input, d_output]`: the shape of the first matrix.
    fn sizes(&self) -> [usize; 2] {
        self.weights().0[0].dims()
    }

    /// The currents at the outputs for the rows of `x`.
    ///
    /// # Shapes
    ///
    /// - `x`: `[..., d_input]`; currents: `[..., d_output]`
    #[must_use]
    fn currents<const D: usize>(&self, x: Tensor<D>) -> Currents<D>;

    /// The output z for these currents, in plain tensor operations: by default excitatory − subtractive.
    #[must_use]
    fn output<const D: usize>(&self, currents: &Currents<D>) -> Tensor<D> {
        currents.excitatory.clone() - currents.subtractive.clone()
    }

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
    #[must_use]
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
    use super::{Pass, Role, RowFunction, Tensor, Weight};

    /// The computation of a circuit.
    pub trait Computes: Sized {
        /// The function of rows, of a single circuit (`D` = 2) or of a population (`D` = 3).
        type Function<const D: usize>: RowFunction<D>;

        /// The function of circuits of this form for the task's error. The weights have the values `values`,
        /// which are part of the graph.
        fn function_of<const D: usize>(&self, values: Values<D>) -> Self::Function<D>;

        /// The function of this circuit alone.
        fn function(&self) -> Self::Function<2> {
            self.function_of(Values::of(self))
        }

        /// The single matrix `[d_input, d_output]` and the bias that are equivalent to the circuit, if it is
        /// linear.
        fn single_matrix(&self) -> Option<(Tensor<2>, Option<Tensor<1>>)> {
            None
        }

        /// All matrices and all vectors, in the order of the fields.
        fn weights(&self) -> (Vec<&Weight<2>>, Vec<&Weight<1>>);

        /// [`weights`](Self::weights), mutable.
        fn weights_mut(&mut self) -> (Vec<&mut Weight<2>>, Vec<&mut Weight<1>>);

        /// Whether the first axis of the weights with this role counts the inputs.
        fn reads(role: Option<Role>) -> bool {
            let readers = [Role::Excitatory, Role::InhibitoryIn, Role::DivisiveIn];
            role.is_some_and(|role| readers.contains(&role))
        }

        /// Whether a circuit with weights of the same roles differs from this one only in its sizes.
        fn same_form(&self, _other: &Self) -> bool {
            true
        }
    }

    /// The local loss of a circuit.
    pub trait HasLocalLoss: Computes {
        /// The loss `[1]` of this circuit alone.
        fn local_loss_of(&self, pass: Pass) -> Tensor<1> {
            self.local_losses(Values::of(self), pass)
        }

        /// The losses `[networks]` of circuits of this form, each for its own rows.
        fn local_losses<const D: usize>(&self, values: Values<D>, pass: Pass<D>) -> Tensor<1>;
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
            Some(_) => self.sources.saturating_sub(self.outputs),
            None => self.sources,
        }
    }

    fn excludes_autapses(&self) -> bool {
        self.recurrence.as_ref().is_some_and(|r| !r.autapses)
    }

    /// The elements of W_ex that stay 0: from each neuron to itself, if autapses are not allowed. The last
    /// rows of W_ex belong to the neurons.
    pub(crate) fn autapses<'a>(&self, w_ex: &'a mut [f64]) -> impl Iterator<Item = &'a mut f64> {
        let excludes = self.excludes_autapses();
        let first = w_ex.len().saturating_sub(self.outputs * self.outputs);
        let autapses = w_ex.iter_mut().skip(first).step_by(self.outputs + 1);
        autapses.take(self.outputs).filter(move |_| excludes)
    }
}

/// The circuit with these weights, and with a mask of W_ex that excludes autapses, unless they are allowed.
fn wired<C: Circuit>(weights: C::Weights, wiring: &Wiring, device: &Device) -> Result<C, Error> {
    let mut circuit = C::from_weights(weights)?;
    if wiring.excludes_autapses() {
        let external = wiring.external();
        let exists = |(pre, post)| pre != external + post;
        let mask = mask::from_fn([wiring.sources, wiring.outputs], exists, device);
        circuit.weights_mut().0[0].set_mask(mask)?;
    }
    Ok(circuit)
}

/// A parameter that learns, with the sign of its role.
fn weight<const D: usize>(role: Role, value: Tensor<D>) -> Weight<D> {
    let sign = match role {
        Role::DivisiveIn | Role::Shunting | Role::Bias => Sign::Free,
        _ => Sign::NonNegative,
    };
    Weight::new(value, sign, Plasticity::Plastic).with_role(role)
}

fn bias_weight(bias: Option<Tensor<1>>) -> Option<Weight<1>> {
    bias.map(|bias| weight(Role::Bias, bias))
}

fn zero_bias(bias: bool, d_output: usize, device: &Device) -> Option<Tensor<1>> {
    bias.then(|| Tensor::zeros([d_output], device))
}

pub(crate) fn check_bias(bias: &Option<Tensor<1>>, d_output: usize) -> Result<(), Error> {
    let bias = bias.as_ref();
    bias.map_or(Ok(()), |bias| check_shape("bias", bias.dims(), [d_output]))
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
    match into.dims() {
        [_, 0] => Err(no_inhibition()),
        _ => Ok(()),
    }
}

/// The circuit, if all its weights have the same floating-point type.
fn of_one_type<C: sealed::Computes>(circuit: C) -> Result<C, Error> {
    let (matrices, vectors) = circuit.weights();
    let first = matrices[0].dtype();
    let matrices = matrices.into_iter().map(|w| w.dtype());
    let mut types = matrices.chain(vectors.into_iter().map(|w| w.dtype()));
    if let Some(other) = types.find(|other| *other != first) {
        let found = format!("{other:?} beside {first:?}");
        let allowed = "the same for all weights";
        return Err(Error::config("the type of the weights", found, allowed));
    }
    Ok(circuit)
}

fn val<const D: usize>(weight: &Option<Weight<D>>) -> Option<Tensor<D>> {
    weight.as_ref().map(Weight::val)
}

/// W_ex of a draw, and W_ix with W_ei if there is inhibition.
fn tensors(
    draw: EiDraw,
    wiring: &Wiring,
    device: &Device,
) -> (Tensor<2>, Option<(Tensor<2>, Tensor<2>)>) {
    let (d_input, d_output) = (wiring.inputs(), wiring.outputs);
    let n_i = draw.w_ei.len() / d_output;
    let w_ex = matrix(draw.w_ex, [d_input, d_output], device);
    let w_ix = || matrix(draw.w_ix, [d_input, n_i], device);
    let w_ei = || matrix(draw.w_ei, [n_i, d_output], device);
    (w_ex, (n_i > 0).then(|| (w_ix(), w_ei())))
}

fn no_inhibition() -> Error {
    Error::config("inhibitory", 0, "at least 1 inhibitory unit")
}
