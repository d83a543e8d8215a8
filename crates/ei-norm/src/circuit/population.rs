//! The circuits of many networks as one: a training step needs as many operations as for one network.

use burn::module::Module;
use burn::tensor::{Bool, Device, Tensor, TensorData};

use super::values::Values;
use super::{Circuit, LearnsLocally, sealed};
use crate::check::{check_shape, or_panic};
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
/// assert_eq!(both.forward(Tensor::ones([2, 8, 4], &device)).dims(), [2, 8, 5]);
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
        let (matrices, vectors): (Vec<_>, Vec<_>) = circuits.iter().map(C::weights).unzip();
        let (matrices, vectors) = (all_stacked(&matrices)?, all_stacked(&vectors)?);
        Ok(Self {
            features: features(&circuits, &matrices[0].val().inner()),
            matrices,
            vectors,
            circuits,
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
                *weight = taken(weight, all, network);
            }
            for (weight, all) in vectors.into_iter().zip(&self.vectors) {
                *weight = taken(weight, all, network);
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
        let sizes = self.circuits.iter().map(Circuit::sizes);
        sizes.fold([0, 0], |[a, b], [c, d]| [a.max(c), b.max(d)])
    }

    /// Applies each circuit to its own rows.
    ///
    /// # Shapes
    ///
    /// - `x`: `[networks, rows, d_input]`, 0 beyond the inputs of a network
    /// - result: `[networks, rows, d_output]`, 0 beyond the outputs of a network
    ///
    /// # Panics
    ///
    /// If `x` has another shape. On a backend whose feature is not enabled in this crate, also if the networks
    /// have different numbers of outputs or, in a graph, if they normalize errors.
    #[track_caller]
    #[must_use]
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.apply(x).0
    }

    #[track_caller]
    fn apply(&self, x: Tensor<3>) -> (Tensor<3>, Pass<3>) {
        let ([_, rows, _], [d_input, _]) = (x.dims(), self.sizes());
        or_panic(check_shape("x", x.dims(), [self.networks(), rows, d_input]));
        let function = self.circuits[0].function_of(self.values());
        row_function::apply(function, x)
    }

    /// [`functional::normalize`] of the output of each network, over its own outputs.
    ///
    /// # Shapes
    ///
    /// - `z` and result: `[networks, rows, d_output]`, 0 beyond the outputs of a network
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
        let ([_, rows, _], [_, d_output]) = (z.dims(), self.sizes());
        let expected = [self.networks(), rows, d_output];
        or_panic(check_shape("z", z.dims(), expected));
        normalize_features(&self.features(), z, normalization, backward, epsilon)
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
    pub fn forward_with_local_loss(&self, x: Tensor<3>) -> (Tensor<3>, Tensor<1>) {
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

/// Each weight of all networks, from the weights of each network.
fn all_stacked<const D: usize, const E: usize>(
    circuits: &[Vec<&Weight<D>>],
) -> Result<Vec<Weight<E>>, Error> {
    let of_all = |k| circuits.iter().map(move |weights| weights[k]).collect();
    let weights = (0..circuits[0].len()).map(|k| -> Vec<_> { of_all(k) });
    weights.map(|each| stacked(&each)).collect()
}

/// One weight of all networks, each padded with zeros to the largest shape.
fn stacked<const D: usize, const E: usize>(weights: &[&Weight<D>]) -> Result<Weight<E>, Error> {
    let shape = weights.iter().fold([0; D], |shape, weight| {
        let dims = weight.dims();
        std::array::from_fn(|axis| shape[axis].max(dims[axis]))
    });
    let all = |of: &dyn Fn(&Weight<D>) -> Tensor<D>| {
        let each = weights.iter().map(|weight| padded(of(weight), shape));
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

/// `x` padded with zeros at the end of every axis.
fn padded<const D: usize>(x: Tensor<D>, shape: [usize; D]) -> Tensor<D> {
    if x.dims() == shape {
        return x;
    }
    let place = x.dims().map(|size| 0..size);
    Tensor::zeros(shape, (&x.device(), x.dtype())).slice_assign(place, x)
}

/// The weight of one network, of the shape that `before` had before stacking.
fn taken<const D: usize, const E: usize>(
    before: &Weight<D>,
    all: &Weight<E>,
    network: usize,
) -> Weight<D> {
    let place = before.dims().map(|size| 0..size);
    let own = all.val().inner().narrow(0, network, 1);
    let weight = of_form(all, own.squeeze_dim::<D>(0).slice(place.clone()));
    let Some(exists) = all.mask() else {
        return weight;
    };
    let exists = exists
        .narrow(0, network, 1)
        .squeeze_dim::<D>(0)
        .slice(place);
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
