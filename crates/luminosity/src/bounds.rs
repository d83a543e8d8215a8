//! Checks of values: each error names the value and the allowed values.

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::Error;

/// Checks that a value is in a range, including its ends.
pub(crate) fn within<T: PartialOrd + Display>(
    name: &str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), Error> {
    match range.contains(&value) {
        true => Ok(()),
        false => {
            let allowed = format!("{} to {}", range.start(), range.end());
            Err(Error::usage(name, value, &allowed))
        }
    }
}

/// Checks that a number is finite and not negative.
pub(crate) fn at_least_zero(name: &str, value: f64) -> Result<(), Error> {
    match value.is_finite() && value >= 0.0 {
        true => Ok(()),
        false => Err(Error::usage(name, value, "a finite number of at least 0")),
    }
}

/// Checks that a text is a SHA-256 digest.
pub(crate) fn digest(name: &str, text: &str) -> Result<(), Error> {
    let hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    match text.len() == 64 && text.chars().all(hex) {
        true => Ok(()),
        false => Err(Error::usage(name, text, "64 hexadecimal digits")),
    }
}
