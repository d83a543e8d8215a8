use std::sync::Arc;

use burn::tensor::Tensor;

use crate::{Error, dale, read};

/// A check that the input of a layer is ≥ 0, enabled for each layer separately. It is off by default and then
/// costs nothing.
///
/// Dale's law requires activities ≥ 0: a negative input silently turns excitation into inhibition, for
/// example after standardization of the data or without a ReLU. NaN counts as wrong too.
///
/// `layer.with_input_check("fc0")` makes the layer panic with an error that names it. For an error instead of
/// a panic, call the check before the layer:
///
/// ```
/// use burn::prelude::*;
/// use ei_norm::EiLinearConfig;
///
/// let device = Device::flex();
/// let layer = EiLinearConfig::new(2, 3).init(&device).with_input_check("fc0");
/// let x = Tensor::<2>::from_floats([[0.5, -0.25], [1.0, -2.0]], &device);
/// let error = layer.input_check.check(&x).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the input of `fc0` must be non-negative, but 2 of its 4 values are not; the worst is -2"
/// );
/// ```
///
/// A check waits for the values, which takes time on a GPU. It is not part of a record.
#[derive(Debug, Clone, Default)]
pub struct InputCheck {
    name: Option<Arc<str>>,
}

impl InputCheck {
    /// A check with this name for the layer.
    pub fn named(name: &str) -> Self {
        Self {
            name: Some(name.into()),
        }
    }

    /// Whether the check is on.
    pub fn is_on(&self) -> bool {
        self.name.is_some()
    }

    /// Checks an input, if the check is on.
    ///
    /// # Errors
    ///
    /// [`Error::NegativeInput`] if a value is negative or NaN.
    pub fn check<const D: usize>(&self, x: &Tensor<D>) -> Result<(), Error> {
        let Some(name) = &self.name else {
            return Ok(());
        };
        let values = x.shape().num_elements();
        let input = x.clone().inner();
        // Reads one boolean, and the values only in case of an error.
        if values == 0 || read::scalar(input.clone().greater_equal_elem(0.0).all()) {
            return Ok(());
        }
        let (count, worst) = dale::breaking(&read::data(input), |v| v >= 0.0);
        Err(Error::NegativeInput {
            place: name.to_string(),
            count,
            values,
            worst,
        })
    }
}
