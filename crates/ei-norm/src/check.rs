//! Checks of the values that a user supplies.

use crate::Error;

/// Panics with the message of an error, for functions that return no `Result`.
#[track_caller]
pub(crate) fn or_panic<T>(result: Result<T, Error>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

/// The maximal number of elements of a parameter: GPU kernels count with 32 bits.
const MAX_ELEMENTS: usize = u32::MAX as usize;

pub(crate) fn check_size(name: &'static str, size: usize) -> Result<(), Error> {
    check(size > 0, name, size, "at least 1")?;
    check(size <= MAX_ELEMENTS, name, size, "at most 4294967295")
}

/// The number of elements of a parameter of this shape.
pub(crate) fn check_elements(shape: &[usize]) -> Result<usize, Error> {
    let elements = shape.iter().copied().reduce(usize::saturating_mul);
    let (elements, allowed) = (elements.unwrap_or(1), "up to 4294967295 elements");
    let is_allowed = elements <= MAX_ELEMENTS;
    check(
        is_allowed,
        "the shape of a parameter",
        format!("{shape:?}"),
        allowed,
    )?;
    Ok(elements)
}

/// Fails unless the value is allowed.
pub(crate) fn check(
    is_allowed: bool,
    name: &'static str,
    value: impl ToString,
    allowed: &'static str,
) -> Result<(), Error> {
    match is_allowed {
        true => Ok(()),
        false => Err(Error::config(name, value, allowed)),
    }
}

pub(crate) fn check_finite(name: &'static str, value: f64) -> Result<(), Error> {
    check(value.is_finite(), name, value, "a finite number")
}

pub(crate) fn check_not_negative(name: &'static str, value: f64) -> Result<(), Error> {
    let is_allowed = value.is_finite() && value >= 0.0;
    check(is_allowed, name, value, "a finite number of at least 0")
}

pub(crate) fn check_positive(name: &'static str, value: f64) -> Result<(), Error> {
    let is_allowed = value.is_finite() && value > 0.0;
    check(is_allowed, name, value, "a finite number above 0")
}

pub(crate) fn check_fraction(name: &'static str, value: f64) -> Result<(), Error> {
    check((0.0..=1.0).contains(&value), name, value, "0 to 1")
}

#[cfg(feature = "optim")]
pub(crate) fn check_below_one(name: &'static str, value: f64) -> Result<(), Error> {
    let allowed = "0 up to, but not including, 1";
    check((0.0..1.0).contains(&value), name, value, allowed)
}

/// Checks the shape of a tensor that a user supplies.
pub(crate) fn check_shape<const D: usize>(
    parameter: &'static str,
    found: [usize; D],
    expected: [usize; D],
) -> Result<(), Error> {
    if found == expected {
        return Ok(());
    }
    Err(Error::Shape {
        parameter,
        found: found.to_vec(),
        expected: expected.to_vec(),
    })
}

/// Checks the last axis of a tensor that a user supplies.
pub(crate) fn check_last<const D: usize>(
    parameter: &'static str,
    found: [usize; D],
    last: usize,
) -> Result<(), Error> {
    let mut expected = found;
    expected[D - 1] = last;
    check_shape(parameter, found, expected)
}
