//! The circuits of many networks as one: a training step needs as many operations as for one network.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Bool, Device, Tensor, TensorData};

use super::values::Values;
use super::{Circuit, LearnsLocally, sealed};
use crate::check::{check, check_shape, or_panic};
use crate::dale::Weight;
#[cfg(doc)]
use crate::functional;
use crate::functional::{BackwardRule, Normalization, normalize_features};
use crate::row_function::{self, Pass, Vector};
use crate::statistics::Features;
use crate::{Error, context, read};

/// Circuits of one form that compute at once, each for its own rows and with its own weights: the circuits of
/// independent networks that are trained together.
///
/// The circuits may differ in all their sizes. Each is embedded in tensors of the largest sizes; the surplus
/// units are 0, have no connections, receive no errors, and are excluded from means and variances. The
/// results equal the results of the separate circuits, up to the order of sums. Of the forms of
/// [`dale::reparameterize`](crate::dale::reparameterize), [`Abs`](crate::dale::NonNegative::Abs) alone keeps surplus
/// units without connections.
///
/// ```
/// use burn::prelude::*;
/// use ei_norm::{EiLinearConfig, circuit::Population};
///
/// let device = Device::flex();
/// let narrow = EiLinearConfig::new(4, 3).init(&device);
/// let wide = EiLinearConfig::new(4, 5).init(&device);
/// let both = Population::stack(vec![narrow.circuit, wide.circuit])?;
/// assert_eq!(both.forward(Tensor::<3>::ones([2, 8, 4], &device)).dims(), [2, 8, 5]);
/// assert_eq!(both.unstack()[0].w_ex.dims(), [4, 3]);
/// # Ok::<(), ei_norm::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct Population<C: Circuit> {
    /// The matrices of all networks, `[networks, ·, ·]`, in the order of a circuit's fields.
    pub matrices: Vec<Weight<3>>,
    /// The vectors of all networks, `[networks, ·]`, in the order of a circuit's fields.
    pub vectors: Vec<Weight<2>>,
    /// The circuits before stacking; current values are only in the stacked weights.
    #[module(skip)]
    circuits: Vec<C>,
    /// The inputs of each network.
    #[module(skip)]
    inputs: Inputs,
    /// The outputs of each network, on the device and in the dtype in which the networks were stacked.
    #[module(skip)]
    features: Features<3>,
}

impl<C: Circuit> Population<C> {
    /// Stacks the circuits. Their signs, plasticity, roles and masks stay; the parameters are new, and a
    /// reparameterized weight is stacked as its computed value.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if there is no circuit, or if a circuit differs from the first in more than its
    /// sizes: in other options, its device, its dtype, or in what is frozen.
    pub fn stack(circuits: Vec<C>) -> Result<Self, Error> {
        let whole = circuits.iter().map(|circuit| vec![circuit.sizes()[0]]);
        let whole = whole.collect();
        Self::stack_in_parts(circuits, whole)
    }

    /// [`stack`](Self::stack) of circuits whose inputs have parts, one after the other: the places of a kernel, or the
    /// input and the state of a recurrent layer. In the population each part has the size that is the largest of any
    /// network, with zeros at its end.
    ///
    /// `parts` has the sizes of the parts for each circuit.
    ///
    /// # Errors
    ///
    /// As [`stack`](Self::stack), and if the circuits have different numbers of parts, or a sum of sizes is not a
    /// circuit's number of inputs.
    pub fn stack_in_parts(circuits: Vec<C>, parts: Vec<Vec<usize>>) -> Result<Self, Error> {
        let Some(first) = circuits.first() else {
            return Err(Error::config("networks", 0, "at least 1 network"));
        };
        if let Some(other) = circuits.iter().position(|other| !fits(first, other)) {
            let (other, allowed) = (
                format!("network {other}"),
                "circuits that differ in their sizes alone",
            );
            return Err(Error::config("networks", other, allowed));
        }
        check_parts(&circuits, &parts)?;
        let inputs = Inputs::new(parts);
        let (matrices, vectors): (Vec<_>, Vec<_>) = circuits.iter().map(C::weights).unzip();
        let matrices = all_stacked::<C, 2, 3>(&matrices, &inputs)?;
        let vectors = all_stacked::<C, 1, 2>(&vectors, &inputs)?;
        Ok(Self {
            features: features(&circuits, &matrices[0].val().inner()),
            matrices,
            vectors,
            circuits,
            inputs,
        })
    }

    /// The separate circuits, with their current weights and masks. The parameters are new. Fixed weights and masks are
    /// read from the device.
    #[must_use]
    pub fn unstack(&self) -> Vec<C> {
        let mut circuits = self.circuits.clone();
        for (network, circuit) in circuits.iter_mut().enumerate() {
            let (matrices, vectors) = circuit.weights_mut();
            for (weight, all) in matrices.into_iter().zip(&self.matrices) {
                *weight = taken(weight, all, network, self.inputs.read_by::<C, 2>(weight));
            }
            for (weight, all) in vectors.into_iter().zip(&self.vectors) {
                *weight = taken(weight, all, network, self.inputs.read_by::<C, 1>(weight));
            }
        }
        circuits
    }

    /// The number of networks.
    pub fn networks(&self) -> usize {
        self.circuits.len()
    }

    /// The largest sizes of input and output, `[d_input, d_output]`.
    pub fn sizes(&self) -> [usize; 2] {
        let outputs = self.circuits.iter().map(|circuit| circuit.sizes()[1]);
        [self.inputs.widest.iter().sum(), outputs.max().unwrap_or(0)]
    }

    /// Applies each circuit to its own rows. The second axis of `x` counts examples; an example has one row, or several
    /// along further axes.
    ///
    /// # Shapes
    ///
    /// - `x`: `[networks, examples, ..., d_input]`, 0 beyond the inputs of a network
    /// - result: `[networks, examples, ..., d_output]`, 0 beyond the outputs of a network
    ///
    /// # Panics
    ///
    /// If `x` has another shape. On a backend whose feature is not enabled in this crate, also if the networks
    /// have different numbers of outputs or, in a graph, if they normalize errors.
    #[track_caller]
    #[must_use]
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.apply(x).0
    }

    #[track_caller]
    fn apply<const D: usize>(&self, x: Tensor<D>) -> (Tensor<D>, Pass<3>) {
        const { assert!(D > 2, "axes of networks, examples and inputs") }
        let mut expected = x.dims();
        (expected[0], expected[D - 1]) = (self.networks(), self.sizes()[0]);
        or_panic(check_shape("x", x.dims(), expected));
        let function = self.circuits[0].function_of(self.values());
        row_function::apply(function, x)
    }

    /// [`functional::normalize`] of the output of each network, over its own outputs; `places` rows may be joined, to be
    /// normalized together.
    ///
    /// # Shapes
    ///
    /// - `z` and result: `[networks, rows, places · d_output]`, 0 beyond the outputs of a network
    ///
    /// # Panics
    ///
    /// If `z` has another shape.
    #[track_caller]
    #[must_use]
    pub fn normalize(
        &self,
        z: Tensor<3>,
        normalization: Normalization,
        backward: BackwardRule,
        epsilon: f64,
    ) -> Tensor<3> {
        let ([_, rows, width], [_, d_output]) = (z.dims(), self.sizes());
        let places = width.checked_div(d_output).unwrap_or(0).max(1);
        let expected = [self.networks(), rows, places * d_output];
        or_panic(check_shape("z", z.dims(), expected));
        let features = self.features().repeated(places);
        normalize_features(&features, z, normalization, backward, epsilon)
    }

    fn values(&self) -> Values<3> {
        let matrices = self.matrices.iter().enumerate().map(|(k, weight)| {
            let circuits = self.circuits.iter();
            let shapes = circuits.map(|circuit| circuit.weights().0[k].dims());
            (weight.val(), weight.uniform_values(shapes))
        });
        let vectors = self.vectors.iter();
        let vectors = vectors.map(|weight| Vector::new(weight.val()));
        Values::new(matrices.collect(), vectors.collect(), self.features())
    }

    fn features(&self) -> Features<3> {
        let like = self.matrices[0].val().inner();
        match self.features.are_on(&like.device(), like.dtype()) {
            true => self.features.clone(),
            // The weights have moved or have another type since they were stacked.
            false => features(&self.circuits, &like),
        }
    }
}

impl<C: LearnsLocally> Population<C> {
    /// Applies each circuit to its own rows and returns, beside the output, the loss from which its
    /// inhibitory weights learn. The loss of a network does not depend on the others.
    ///
    /// # Shapes
    ///
    /// - `x` and output: as [`forward`](Self::forward); local losses: `[networks]`
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), and on a backend whose feature is not enabled in this crate.
    #[track_caller]
    #[must_use]
    pub fn forward_with_local_loss<const D: usize>(&self, x: Tensor<D>) -> (Tensor<D>, Tensor<1>) {
        let (output, pass) = self.apply(x);
        (output, self.circuits[0].local_losses(self.values(), pass))
    }
}

/// The outputs that exist in these networks, on the device and in the type of `like`, outside of any graph.
fn features<C: Circuit>(circuits: &[C], like: &Tensor<3>) -> Features<3> {
    let widths: Vec<usize> = circuits.iter().map(|circuit| circuit.sizes()[1]).collect();
    let widest = widths.iter().copied().max().unwrap_or(0);
    if widths.iter().all(|width| *width == widest) {
        return Features::All;
    }
    let exists = widths
        .iter()
        .flat_map(|width| (0..widest).map(move |k| f64::from(k < *width)));
    let data = TensorData::new(exists.collect::<Vec<f64>>(), [widths.len(), 1, widest]);
    Features::where_one(Tensor::from_data(data, (&like.device(), like.dtype())))
}

/// Fails unless each circuit's inputs have as many parts as those of the first.
fn check_parts<C: Circuit>(circuits: &[C], parts: &[Vec<usize>]) -> Result<(), Error> {
    let (number, allowed) = (parts.len(), "a list for each circuit");
    check(number == circuits.len(), "parts", number, allowed)?;
    for (own, circuit) in parts.iter().zip(circuits) {
        let sum = own.iter().copied().fold(0, usize::saturating_add);
        let fits = own.len() == parts[0].len() && sum == circuit.sizes()[0];
        let allowed = "as many sizes as for the first circuit, whose sum is the number of inputs";
        check(fits, "parts", format!("{own:?}"), allowed)?;
    }
    Ok(())
}

/// Whether two circuits differ only in their sizes.
fn fits<C: sealed::Computes>(one: &C, other: &C) -> bool {
    fn same<const D: usize>(one: Vec<&Weight<D>>, other: Vec<&Weight<D>>) -> bool {
        let form = |w: &Weight<D>| -> (_, _, Device) {
            let (value, law) = (w.val().inner(), (w.sign(), w.plasticity(), w.role()));
            ((law, w.is_frozen()), value.dtype(), value.device())
        };
        one.len() == other.len() && one.into_iter().zip(other).all(|(a, b)| form(a) == form(b))
    }
    let ((matrices, vectors), others) = (one.weights(), other.weights());
    one.same_form(other) && same(matrices, others.0) && same(vectors, others.1)
}

/// The sizes of the parts of the inputs.
#[derive(Debug, Clone)]
struct Inputs {
    /// Of each network.
    of: Vec<Vec<usize>>,
    /// The largest of any network.
    widest: Vec<usize>,
}

impl Inputs {
    fn new(of: Vec<Vec<usize>>) -> Self {
        let parts = of.first().map_or(0, Vec::len);
        let largest = |part: usize| of.iter().map(move |own| own[part]).max();
        let widest = (0..parts).filter_map(largest).collect();
        Self { of, widest }
    }

    /// The inputs, if the first axis of this weight counts them.
    fn read_by<C: Circuit, const D: usize>(&self, weight: &Weight<D>) -> Option<&Self> {
        C::reads(weight.role()).then_some(self)
    }

    /// For each part of one network: its place there, and in the population.
    fn places(&self, network: usize) -> impl Iterator<Item = [Range<usize>; 2]> {
        let (mut own, mut wide) = (0, 0);
        let sizes = self.of[network].iter().zip(&self.widest);
        sizes.map(move |(size, widest)| {
            let places = [own, wide].map(|start| start..start + size);
            (own, wide) = (own + size, wide + widest);
            places
        })
    }
}

/// Each weight of all networks, from the weights of each network.
fn all_stacked<C: Circuit, const D: usize, const E: usize>(
    circuits: &[Vec<&Weight<D>>],
    inputs: &Inputs,
) -> Result<Vec<Weight<E>>, Error> {
    let of_all = |k| circuits.iter().map(move |weights| weights[k]).collect();
    let weights = (0..circuits[0].len()).map(|k| -> Vec<_> { of_all(k) });
    weights
        .map(|each| stacked(&each, inputs.read_by::<C, D>(each[0])))
        .collect()
}

/// One weight of all networks, each padded with zeros to the largest shape; `inputs` if its first axis counts them.
fn stacked<const D: usize, const E: usize>(
    weights: &[&Weight<D>],
    inputs: Option<&Inputs>,
) -> Result<Weight<E>, Error> {
    let mut shape = weights.iter().fold([0; D], |shape, weight| {
        let dims = weight.dims();
        std::array::from_fn(|axis| shape[axis].max(dims[axis]))
    });
    if let Some(inputs) = inputs {
        shape[0] = inputs.widest.iter().sum();
    }
    let all = |of: &dyn Fn(&Weight<D>) -> Tensor<D>| {
        let each = weights.iter().enumerate();
        let each = each.map(|(network, weight)| {
            let own = of(weight);
            if own.dims() == shape {
                return own;
            }
            let zeros = Tensor::zeros(shape, (&own.device(), own.dtype()));
            let places = places(own.dims(), inputs, network);
            places.fold(zeros, |wide, [place, into]| {
                wide.slice_assign(into, own.clone().slice(place))
            })
        });
        Tensor::<D>::stack::<E>(each.collect(), 0)
    };
    let weight = of_form(weights[0], all(&|weight| weight.val().inner()));
    if weights.iter().all(|weight| weight.mask().is_none()) {
        return Ok(weight);
    }
    let exists = all(&|weight| match weight.mask() {
        Some(mask) => mask.float(),
        None => Tensor::<D, Bool>::full(weight.dims(), true, &weight.device().inner()).float(),
    });
    let exists: Tensor<E, Bool> = exists.greater_elem(0.5);
    weight.with_mask(exists)
}

/// The place of each part of a weight of this shape, in one network and in the population.
fn places<const D: usize>(
    shape: [usize; D],
    inputs: Option<&Inputs>,
    network: usize,
) -> impl Iterator<Item = [[Range<usize>; D]; 2]> {
    let whole = shape.map(|size| 0..size);
    let parts = match inputs {
        Some(inputs) => inputs.places(network).collect(),
        None => vec![[0..shape[0], 0..shape[0]]],
    };
    let is_there = move |[own, _]: &[Range<usize>; 2]| !own.is_empty() || shape[0] == 0;
    parts.into_iter().filter(is_there).map(move |part| {
        part.map(|rows| {
            let mut place = whole.clone();
            place[0] = rows;
            place
        })
    })
}

/// The weight of one network, of the shape that `before` had before stacking; `inputs` if its first axis counts them.
fn taken<const D: usize, const E: usize>(
    before: &Weight<D>,
    all: &Weight<E>,
    network: usize,
    inputs: Option<&Inputs>,
) -> Weight<D> {
    let own = |all: Tensor<E>| {
        let all = all.narrow(0, network, 1).squeeze_dim::<D>(0);
        let parts = places(before.dims(), inputs, network);
        Tensor::cat(parts.map(|[_, from]| all.clone().slice(from)).collect(), 0)
    };
    let weight = of_form(all, own(all.val().inner()));
    let Some(exists) = all.mask() else {
        return weight;
    };
    let exists = own(exists.float()).greater_elem(0.5);
    // Beside networks with a mask, a network without one has a mask of all connections.
    match before.mask().is_none() && read::scalar(exists.clone().all()) {
        true => weight,
        false => or_panic(weight.with_mask(exists)),
    }
}

/// A weight with this value, and with all else as in `form` except its mask.
fn of_form<const D: usize, const E: usize>(form: &Weight<D>, value: Tensor<E>) -> Weight<E> {
    let value = context::associate(value, &form.base());
    let weight = Weight::new(value, form.sign(), form.plasticity()).frozen_if(form.is_frozen());
    match form.role() {
        Some(role) => weight.with_role(role),
        None => weight,
    }
}
