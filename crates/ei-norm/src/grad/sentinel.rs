use std::sync::{Arc, Mutex};

use burn::tensor::Tensor;

use super::{lock, map_grad};
use crate::{Error, read};

/// Finds where in a network errors stop being finite.
///
/// Watch tensors under chosen names; after the backward pass [`check`](Self::check) names the first place, in
/// the order of that pass, at which a NaN or infinite value arrived. The cause lies between this place and
/// the next watched place towards the loss.
///
/// ```
/// use burn::prelude::*;
/// use ei_norm::grad::GradSentinel;
///
/// let device = Device::flex().autodiff();
/// let x = Tensor::<1>::from_floats([0.0, 4.0], &device).require_grad();
///
/// let sentinel = GradSentinel::new();
/// let input = sentinel.watch(x, "input");
/// let root = sentinel.watch(input.sqrt(), "root"); // the slope of a root is infinite at 0
/// root.sum().backward();
/// let error = sentinel.check().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the error at `input` is not finite: 0 NaN and 1 infinite among 2 values"
/// );
/// assert!(sentinel.check().is_ok()); // the next pass starts anew
/// ```
///
/// Clones share the result. A sentinel can be a field of a module with `#[module(skip)]`. Until a bad error
/// is found, each place waits in each backward pass for the device to tell whether all values are finite;
/// after that, the remaining places cost nothing.
#[derive(Debug, Clone, Default)]
pub struct GradSentinel {
    first: Arc<Mutex<Option<Error>>>,
}

impl GradSentinel {
    /// A sentinel without a result.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns `x`; in the backward pass its error is passed on unchanged, and if it is the first that is not
    /// finite, `place` is recorded.
    ///
    /// If `x` is not part of an autodiff graph, nothing changes.
    ///
    /// # Shapes
    ///
    /// - `x` and the result: the same shape
    #[must_use]
    pub fn watch<const D: usize>(&self, x: Tensor<D>, place: impl Into<String>) -> Tensor<D> {
        let (first, place) = (self.first.clone(), place.into());
        map_grad(x, move |error| {
            let mut first = lock(&first);
            if first.is_none() {
                *first = not_finite(&error, &place);
            }
            error
        })
    }

    /// Takes the result; call it after the backward pass.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] with the first place whose error was not finite since the last check.
    pub fn check(&self) -> Result<(), Error> {
        lock(&self.first).take().map_or(Ok(()), Err)
    }
}

/// Returns `x`; panics in the backward pass if its error is not finite, with the message of
/// [`Error::NotFinite`].
///
/// Use it for debugging, to stop the program at the first bad error; with [`GradSentinel`] the program
/// continues. If `x` is not part of an autodiff graph, nothing changes.
///
/// # Shapes
///
/// - `x` and the result: the same shape
///
/// # Panics
///
/// In the backward pass, if the error has a NaN or an infinite value.
#[must_use]
pub fn check_grad<const D: usize>(x: Tensor<D>, place: impl Into<String>) -> Tensor<D> {
    let place = place.into();
    map_grad(x, move |error| match not_finite(&error, &place) {
        Some(found) => panic!("{found}"),
        None => error,
    })
}

fn not_finite<const D: usize>(error: &Tensor<D>, place: &str) -> Option<Error> {
    if error.shape().num_elements() == 0 || read::scalar(error.clone().is_finite().all()) {
        return None;
    }
    let values: Vec<f64> = read::data(error.clone()).iter().collect();
    let count = |is: fn(&f64) -> bool| values.iter().copied().filter(is).count();
    Some(Error::NotFinite {
        place: place.to_owned(),
        nan: count(|value| value.is_nan()),
        infinite: count(|value| value.is_infinite()),
        values: values.len(),
    })
}
