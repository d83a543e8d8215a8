//! The largest relative error over the values of a case.

use std::collections::BTreeMap;

use burn::tensor::Tensor;

use super::format::{Array, CaseError};

/// Arrays by the name of a parameter; none if the library gives none.
pub(super) type Found = BTreeMap<String, Option<Array>>;

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

    /// Compares the arrays of all parameters of a layer. An expected array comes with a label for messages and
    /// the name of its parameter.
    pub(super) fn arrays<'a>(
        &mut self,
        layer: &str,
        mut found: Found,
        expected: impl IntoIterator<Item = (String, &'a str, &'a Array)>,
    ) -> Result<(), CaseError> {
        for (label, name, expected) in expected {
            let lacks = || CaseError::Form(format!("the library gives no `{label}`"));
            let found = found.remove(name).flatten().ok_or_else(lacks)?;
            self.array(&label, &found, expected)?;
        }
        match found.keys().next() {
            Some(name) => Err(CaseError::Form(format!(
                "the case lacks `{name}` of {layer}"
            ))),
            None => Ok(()),
        }
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

    #[test]
    fn every_parameter_is_compared_once() {
        let one = || Array {
            shape: vec![1],
            data: vec![1.0],
        };
        let found = || {
            let of = |name: &str, array| (name.to_owned(), array);
            Found::from([of("w", Some(one())), of("bias", None)])
        };
        let message = |names: &[&str]| {
            let one = one();
            let expected = names.iter().map(|name| (format!("of {name}"), *name, &one));
            let compared = Comparison::default().arrays("layer 3", found(), expected);
            compared.unwrap_err().to_string()
        };
        assert_eq!(message(&["w"]), "the case lacks `bias` of layer 3");
        assert_eq!(message(&["w", "w"]), "the library gives no `of w`");
        assert_eq!(message(&["bias"]), "the library gives no `of bias`");
    }
}
