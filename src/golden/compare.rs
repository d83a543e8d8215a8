//! The largest relative error over the values of a case.

use std::collections::BTreeMap;

use burn::tensor::Tensor;

use super::format::{Array, CaseError};

/// Collects relative errors and keeps the largest.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    worst: Option<(f64, String)>,
}

impl Comparison {
    /// Compares a tensor.
    pub(super) fn tensor<const D: usize>(
        &mut self,
        name: &str,
        found: Tensor<D>,
        expected: &Array,
    ) -> Result<(), CaseError> {
        self.array(name, &Array::of(found), expected)
    }

    /// Compares arrays: max|a − b| / max|b|, or max|a − b| if b is all zeros.
    fn array(&mut self, name: &str, found: &Array, expected: &Array) -> Result<(), CaseError> {
        if found.shape != expected.shape {
            return Err(CaseError::Form(format!(
                "`{name}` has shape {:?}, expected {:?}",
                found.shape, expected.shape
            )));
        }
        self.numbers(name, &found.data, &expected.data)
    }

    /// Compares arrays by name; each expected array has a label for messages. There must be no others.
    pub(super) fn arrays(
        &mut self,
        found: &BTreeMap<String, Array>,
        expected: Vec<(String, &str, &Array)>,
    ) -> Result<(), CaseError> {
        if found.len() > expected.len() {
            let names: Vec<_> = found.keys().collect();
            return Err(CaseError::Form(format!("the case lacks one of {names:?}")));
        }
        for (label, name, expected) in expected {
            let found = found.get(name).ok_or_else(|| CaseError::missing(&label))?;
            self.array(&label, found, expected)?;
        }
        Ok(())
    }

    /// Compares plain numbers in the same way.
    pub(super) fn numbers(
        &mut self,
        name: &str,
        found: &[f64],
        expected: &[f64],
    ) -> Result<(), CaseError> {
        if found.len() != expected.len() {
            return Err(CaseError::Form(format!(
                "`{name}` has {} values, expected {}",
                found.len(),
                expected.len()
            )));
        }
        // `f64::max` would ignore a NaN.
        let largest = |values: &mut dyn Iterator<Item = f64>| {
            values.fold(0.0, |a: f64, b| if b.is_nan() || b > a { b } else { a })
        };
        let difference = largest(&mut found.iter().zip(expected).map(|(a, b)| (a - b).abs()));
        let size = largest(&mut expected.iter().map(|b| b.abs()));
        let error = if size > 0.0 {
            difference / size
        } else {
            difference
        };
        let is_worse = match &self.worst {
            Some((worst, _)) => !worst.is_nan() && (error.is_nan() || error > *worst),
            None => true,
        };
        if is_worse {
            self.worst = Some((error, name.to_owned()));
        }
        Ok(())
    }

    /// The largest error and the name of its value.
    pub(super) fn worst(self) -> Result<(f64, String), CaseError> {
        self.worst
            .ok_or_else(|| CaseError::Form("nothing was compared".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_and_differences_are_found() {
        let error = |found: &[f64], expected: &[f64]| {
            let mut comparison = Comparison::default();
            comparison.numbers("x", found, expected).unwrap();
            comparison.worst().unwrap().0
        };
        assert_eq!(error(&[1.0, 2.0], &[1.0, 4.0]), 0.5);
        assert_eq!(error(&[0.5], &[0.0]), 0.5);
        assert!(error(&[f64::NAN, 1.0], &[1.0, 1.0]).is_nan());
        assert!(Comparison::default().worst().is_err());
    }
}
