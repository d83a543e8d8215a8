//! Functions of rows with their backward passes: what a circuit computes, in any geometry.
//!
//! A circuit sees each row x of its input through matrices ("readers", such as W_ex and W_ix) and makes its
//! output z from what they drive, x W_ex, x W_ix, …. So everything that is large is a product with x, and
//! that is written here once: for all rows at once ([`apply`]), and for the steps of a sequence, whose rows
//! hold the state before ([`sequence`]). The circuit adds what happens between drives and output.

pub(crate) mod sequence;

use burn::backend::DispatchTensor;
use burn::tensor::Tensor;

use crate::autodiff::{Errors, attach, is_listed};
use crate::map_grad::map_grad;
use crate::matmul::{add_product, product};

/// What a circuit computes of each row. All tensors hold a row for each row of the input.
pub trait RowFunction: Clone + Send + Sync + 'static {
    /// The matrices that read a row, `[d_input, ·]`. The task's error reaches the first
    /// [`open`](Self::open) of them, and x through these alone; the others are constants.
    fn readers(&self) -> Vec<Tensor<2>>;

    /// How many readers the task's error passes.
    fn open(&self) -> usize {
        self.readers().len()
    }

    /// The other weights that the task's error reaches.
    fn others(&self) -> Vec<DispatchTensor>;

    /// The same function outside of any graph.
    fn inner(self) -> Self;

    /// The output z, `[rows, d_output]`, from what each reader drives, and what the way back needs.
    fn activate(&self, drives: Vec<Tensor<2>>) -> Activity;

    /// The error that is used in place of the error `delta` that arrives at z.
    fn normalize_error(&self, kept: &[Tensor<2>], delta: Tensor<2>) -> Tensor<2> {
        let _ = kept;
        delta
    }

    /// Whether [`normalize_error`](Self::normalize_error) does anything.
    fn normalizes_errors(&self) -> bool {
        false
    }

    /// The errors at the drives of the open readers, where `wanted`, from the error at z.
    fn to_drives(
        &self,
        kept: &[Tensor<2>],
        delta: &Tensor<2>,
        wanted: &[bool],
    ) -> Vec<Option<Tensor<2>>>;

    /// The errors at the other weights, where `wanted`, from the errors at z and at the drives. Where none
    /// is wanted, `kept` may be empty.
    fn to_others(
        &self,
        kept: &[Tensor<2>],
        delta: &Tensor<2>,
        at_drives: &[Option<Tensor<2>>],
        wanted: &[bool],
    ) -> Errors;
}

/// An output of rows.
pub struct Activity {
    /// z, `[rows, d_output]`.
    pub z: Tensor<2>,
    /// What the way back needs, `[rows, ·]` each.
    pub kept: Vec<Tensor<2>>,
}

/// What a pass over rows leaves behind for a local loss, outside of any graph.
pub struct Pass {
    /// The rows that the readers saw.
    pub inputs: Tensor<2>,
    /// As in [`Activity`].
    pub kept: Vec<Tensor<2>>,
    /// 1 for the rows that count and 0 for the others, `[rows, 1]`; none if all count.
    pub counts: Option<Tensor<2>>,
}

/// Applies a function to all rows over the last axis of `x`, as one autodiff node.
///
/// # Shapes
///
/// - `x`: `[..., d_input]`, result: `[..., d_output]`
pub(crate) fn apply<F: RowFunction, const D: usize>(
    function: F,
    x: Tensor<D>,
) -> (Tensor<D>, Pass) {
    let shape = x.dims();
    let inputs = rows(x.clone().inner());
    let constant = function.clone().inner();
    let readers = constant.readers();
    let drives = readers.iter().map(|w| product(inputs.clone(), w.clone()));
    let Activity { z, kept } = constant.activate(drives.collect());
    let pass = Pass {
        inputs: inputs.clone(),
        kept: kept.clone(),
        counts: None,
    };
    if !is_listed(&x) {
        return (unrows(in_operations(&function, rows(x)), shape), pass);
    }
    let mut parents = vec![x.into_dispatch()];
    parents.extend(function.readers().into_iter().map(Tensor::into_dispatch));
    parents.extend(function.others());
    let output = attach(
        unrows(z, shape),
        parents,
        move |delta: Tensor<D>, wanted| {
            let (of_x, of_weights) = (wanted[0], &wanted[1..]);
            let (of_readers, of_others) = of_weights.split_at(readers.len());
            let delta = constant.normalize_error(&kept, rows(delta));
            let of_drives: Vec<bool> = of_readers.iter().map(|wanted| *wanted || of_x).collect();
            let at_drives = constant.to_drives(&kept, &delta, &of_drives);
            let dx = of_x.then(|| unrows(to_input(&at_drives, &readers), shape).into_dispatch());
            let at_reader = |(k, wanted): (usize, &bool)| {
                let error = at_drives.get(k)?.clone().filter(|_| *wanted)?;
                Some(product(inputs.clone().transpose(), error).into_dispatch())
            };
            std::iter::once(dx)
                .chain(of_readers.iter().enumerate().map(at_reader))
                .chain(constant.to_others(&kept, &delta, &at_drives, of_others))
                .collect()
        },
    );
    (output, pass)
}

/// The same in plain autodiff, for a backend on which there is no node.
fn in_operations<F: RowFunction>(function: &F, x: Tensor<2>) -> Tensor<2> {
    let open = function.open();
    let readers = function.readers().into_iter().enumerate();
    let drives = readers.map(|(k, w)| match k < open {
        true => x.clone().matmul(w),
        false => x.clone().inner().matmul(w),
    });
    let Activity { z, kept } = function.activate(drives.collect());
    if !function.normalizes_errors() {
        return z;
    }
    let constant = function.clone().inner();
    let kept: Vec<_> = kept.into_iter().map(Tensor::inner).collect();
    map_grad(z, move |delta| constant.normalize_error(&kept, delta))
}

/// The error at the rows, Σ d Wᵀ over the drives with an error d and their matrices W.
fn to_input(at_drives: &[Option<Tensor<2>>], readers: &[Tensor<2>]) -> Tensor<2> {
    let mut errors = at_drives.iter().zip(readers).filter_map(|(error, w)| {
        let error = error.clone()?;
        Some((error, w.clone().transpose()))
    });
    let first = errors.next().map(|(error, w)| product(error, w));
    match first {
        Some(first) => errors.fold(first, |sum, (error, w)| add_product(sum, 1.0, error, w)),
        None => unreachable!("a circuit reads its input"),
    }
}

/// As many drives as there are readers.
pub(crate) fn exactly<const N: usize>(drives: Vec<Tensor<2>>) -> [Tensor<2>; N] {
    let drives = <[Tensor<2>; N]>::try_from(drives);
    drives.unwrap_or_else(|drives| unreachable!("{} drives for {N} readers", drives.len()))
}

/// All axes but the last as one.
pub(crate) fn rows<const D: usize>(x: Tensor<D>) -> Tensor<2> {
    let [count, features] = match x.dims().split_last() {
        Some((features, leading)) => [leading.iter().product(), *features],
        None => [1, 1],
    };
    reshaped(x, [count, features])
}

/// The axes of `shape` again, but for the last, which is that of `x`.
pub(crate) fn unrows<const D: usize>(x: Tensor<2>, shape: [usize; D]) -> Tensor<D> {
    let mut shape = shape;
    shape[D - 1] = x.dims()[1];
    reshaped(x, shape)
}

/// `x` in this shape; Burn takes a size of 0 for one that is to be kept.
fn reshaped<const D: usize, const E: usize>(x: Tensor<D>, shape: [usize; E]) -> Tensor<E> {
    match x.shape().num_elements() {
        0 => Tensor::zeros(shape, (&x.device(), x.dtype())),
        _ => x.reshape(shape),
    }
}

/// z + b.
pub(crate) fn add_bias(z: Tensor<2>, bias: &Option<Tensor<1>>) -> Tensor<2> {
    match bias {
        Some(bias) => z + bias.clone().unsqueeze(),
        None => z,
    }
}

/// The error at a vector that was added to every row.
pub(crate) fn sum_over_rows(delta: Tensor<2>) -> Tensor<1> {
    delta.sum_dim(0).squeeze_dim(0)
}
