//! Functions of rows with their backward passes: the computation of a circuit, in any geometry.
//!
//! A circuit multiplies each row x of its input with matrices ("readers", such as W_ex and W_ix) and computes
//! its output z from the products ("drives", x W_ex, x W_ix, …). The large operations, the products with x,
//! are written here once: for all rows at once ([`apply`]), and for the steps of a sequence, whose rows
//! include the previous state ([`sequence`]). The circuit defines the step from the drives to the output.
//!
//! Rows and weights may have leading axes of the same sizes: a population of networks, each with its own
//! weights, has rows `[networks, rows, features]` and weights `[networks, d_in, d_out]`. A single network has
//! no such axis; the code is the same in every rank `D`.

pub(crate) mod sequence;
mod vector;

use burn::backend::DispatchTensor;
use burn::tensor::Tensor;

use crate::autodiff::{Errors, attach, is_listed};
use crate::map_grad::map_grad;
use crate::matmul::{add_product, product};
use crate::statistics::Features;

pub(crate) use vector::Vector;
use vector::of_vectors;

/// The computation of a circuit for each row. All tensors have a row for each row of the input, and a matrix
/// for each network; vectors, such as a bias, are matrices of one row.
pub trait RowFunction<const D: usize = 2>: Clone + Send + Sync + 'static {
    /// The matrices that read a row, `[..., d_input, ·]`. The task's error reaches the first
    /// [`open`](Self::open) of these matrices, and through them x; the others are constants.
    fn readers(&self) -> Vec<Tensor<D>>;

    /// The number of readers that the task's error passes.
    fn open(&self) -> usize {
        self.readers().len()
    }

    /// The other weights that the task's error reaches.
    fn others(&self) -> Vec<DispatchTensor>;

    /// The same function outside of any graph.
    fn inner(self) -> Self;

    /// The same function, prepared for a number of rows in all (of each network), and of examples to which
    /// they belong.
    fn for_rows(self, _rows: usize, _examples: usize) -> Self {
        self
    }

    /// The output z, `[..., rows, d_output]`, from the drive of each reader; and the values that the backward
    /// pass needs ("kept"), `[..., rows, ·]` each.
    fn activate(&self, drives: Vec<Tensor<D>>) -> (Tensor<D>, Vec<Tensor<D>>);

    /// The outputs that exist.
    fn features(&self) -> &Features<D>;

    /// The error that replaces the error `delta` at z. Outputs that do not exist receive no error.
    fn normalize_error(&self, _kept: &[Tensor<D>], delta: Tensor<D>) -> Tensor<D> {
        self.features().only(delta)
    }

    /// Whether [`normalize_error`](Self::normalize_error) changes errors.
    fn normalizes_errors(&self) -> bool {
        self.features().are_some()
    }

    /// The errors at the drives of the open readers, where `wanted`, from the error at z.
    fn to_drives(
        &self,
        kept: &[Tensor<D>],
        delta: &Tensor<D>,
        wanted: &[bool],
    ) -> Vec<Option<Tensor<D>>>;

    /// The errors at the other weights, at a vector as a row, where `wanted`, from the errors at z and at the
    /// drives. If none is wanted, `kept` may be empty.
    fn to_others(
        &self,
        kept: &[Tensor<D>],
        delta: &Tensor<D>,
        at_drives: &[Option<Tensor<D>>],
        wanted: &[bool],
    ) -> Vec<Option<Tensor<D>>>;
}

/// The values of a pass over rows that a local loss needs, outside of any graph.
pub struct Pass<const D: usize = 2> {
    /// The rows that the readers saw.
    pub inputs: Tensor<D>,
    /// The values that the function kept; empty for an empty sequence.
    pub kept: Vec<Tensor<D>>,
    /// 1 for the rows that count and 0 for the others, `[..., rows, 1]`; none if all count.
    pub counts: Option<Tensor<D>>,
}

/// Applies a function of rank `R` to all rows over the last axis of `x`, as one autodiff node. The first R −
/// 2 axes of `x` are the axes of the networks, the next is the axis of the examples.
///
/// # Shapes
///
/// - `x`: `[..., d_input]`, result: `[..., d_output]`
pub(crate) fn apply<F: RowFunction<R>, const R: usize, const D: usize>(
    function: F,
    x: Tensor<D>,
) -> (Tensor<D>, Pass<R>) {
    let shape = x.dims();
    let inputs: Tensor<R> = rows(x.clone().inner());
    let examples = if D < R { 1 } else { shape[R - 2] };
    let function = function.for_rows(inputs.dims()[R - 2], examples);
    let constant = function.clone().inner();
    let readers = constant.readers();
    let drives = readers.iter().map(|w| product(inputs.clone(), w.clone()));
    let (z, kept) = constant.activate(drives.collect());
    let pass = Pass {
        inputs: inputs.clone(),
        kept: kept.clone(),
        counts: None,
    };
    if !is_listed(&x) {
        return (unrows(in_operations(&function, rows(x)), shape), pass);
    }
    let mut parents = vec![x.into_dispatch()];
    parents.extend(weights(&function));
    let value = unrows(z, shape);
    let output = attach(value, parents, move |delta: Tensor<D>, wanted| {
        let (of_x, of_weights) = (wanted[0], &wanted[1..]);
        let (of_readers, of_others) = of_weights.split_at(readers.len());
        let delta = constant.normalize_error(&kept, rows(delta));
        let of_drives: Vec<bool> = of_readers.iter().map(|wanted| *wanted || of_x).collect();
        let at_drives = constant.to_drives(&kept, &delta, &of_drives);
        let dx = of_x.then(|| unrows::<D, R>(to_input(&at_drives, &readers), shape));
        let at_reader = |(k, wanted): (usize, &bool)| {
            let error = at_drives.get(k)?.clone().filter(|_| *wanted)?;
            Some(product(inputs.clone().transpose(), error))
        };
        let at_readers = of_readers.iter().enumerate().map(at_reader);
        let at_others = constant.to_others(&kept, &delta, &at_drives, of_others);
        let at_others = of_vectors(at_others, constant.others());
        [dispatched([dx]), dispatched(at_readers), at_others].concat()
    });
    (output, pass)
}

/// The weights of a function, in the order of the flags of its backward pass.
fn weights<const D: usize>(function: &impl RowFunction<D>) -> impl Iterator<Item = DispatchTensor> {
    let readers = function.readers().into_iter();
    readers.map(Tensor::into_dispatch).chain(function.others())
}

/// Errors at the parents of a node.
pub(crate) fn dispatched<const D: usize>(
    errors: impl IntoIterator<Item = Option<Tensor<D>>>,
) -> Errors {
    let dispatched = |error: Option<Tensor<D>>| error.map(Tensor::into_dispatch);
    errors.into_iter().map(dispatched).collect()
}

/// [`apply`] in plain autodiff, for a backend without our nodes.
fn in_operations<F: RowFunction<D>, const D: usize>(function: &F, x: Tensor<D>) -> Tensor<D> {
    let open = function.open();
    let readers = function.readers().into_iter().enumerate();
    let drives = readers.map(|(k, w)| match k < open {
        true => x.clone().matmul(w),
        false => x.clone().inner().matmul(w),
    });
    let (z, _) = function.activate(drives.collect());
    match function.normalizes_errors() {
        // Panics in a graph, with the feature that this needs.
        true => map_grad(z, |error| error),
        false => z,
    }
}

/// The error at the rows: Σ d Wᵀ over the drives that have an error d, each with its matrix W.
fn to_input<const D: usize>(at_drives: &[Option<Tensor<D>>], readers: &[Tensor<D>]) -> Tensor<D> {
    let errors = at_drives.iter().zip(readers);
    let errors = errors.filter_map(|(error, w)| Some((error.clone()?, w.clone().transpose())));
    let sum = errors.fold(None, |sum, (error, w)| match sum {
        Some(sum) => Some(add_product(sum, 1.0, error, w)),
        None => Some(product(error, w)),
    });
    sum.expect("a circuit reads its input")
}

/// The drives as an array, one for each reader.
pub(crate) fn exactly<const N: usize, const D: usize>(drives: Vec<Tensor<D>>) -> [Tensor<D>; N] {
    drives.try_into().expect("a drive for each reader")
}

/// Joins all axes between the first R − 2 and the last.
pub(crate) fn rows<const D: usize, const R: usize>(x: Tensor<D>) -> Tensor<R> {
    let mut shape = [1; R];
    if let Some((features, leading)) = x.dims().split_last() {
        let (networks, others) = leading.split_at(R - 2);
        shape[..R - 2].copy_from_slice(networks);
        shape[R - 2] = others.iter().product();
        shape[R - 1] = *features;
    }
    reshaped(x, shape)
}

/// The inverse of [`rows`]: restores the axes of `shape`, except that the last axis keeps its size in `x`.
pub(crate) fn unrows<const D: usize, const R: usize>(x: Tensor<R>, shape: [usize; D]) -> Tensor<D> {
    let mut shape = shape;
    shape[D - 1] = x.dims()[R - 1];
    reshaped(x, shape)
}

/// `x` in this shape. An empty `x` is a special case because Burn's `reshape` takes a size of 0 for "keep
/// this size".
pub(crate) fn reshaped<const D: usize, const E: usize>(
    x: Tensor<D>,
    shape: [usize; E],
) -> Tensor<E> {
    match x.shape().num_elements() {
        0 => Tensor::zeros(shape, (&x.device(), x.dtype())),
        _ => x.reshape(shape),
    }
}

/// A vector as a row, `[..., 1, features]`.
pub(crate) fn as_row<const D: usize>(vector: Tensor<1>) -> Tensor<D> {
    let mut shape = [1; D];
    shape[D - 1] = vector.dims()[0];
    reshaped(vector, shape)
}

pub(crate) fn add_bias<const D: usize>(z: Tensor<D>, bias: &Option<Vector<D>>) -> Tensor<D> {
    match bias {
        Some(bias) => z + bias.row(),
        None => z,
    }
}
