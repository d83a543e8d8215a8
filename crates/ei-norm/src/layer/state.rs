use burn::tensor::Tensor;

use crate::check::{check, or_panic};
use crate::{Error, read};

/// The activity h ≥ 0 of a recurrent layer at one step, `[batch, d_hidden]`.
///
/// With a negative activity an excitatory synapse would inhibit, so a state is checked once when it is made
/// from a tensor. States that a layer returns need no check.
///
/// ```
/// use burn::prelude::*;
/// use ei_norm::RnnState;
///
/// let device = Device::flex();
/// assert!(RnnState::try_new(Tensor::from_floats([[0.0, 0.5]], &device)).is_ok());
/// let error = RnnState::try_new(Tensor::from_floats([[-1.0, 0.5]], &device)).unwrap_err();
/// assert_eq!(error.to_string(), "state is -1; allowed: no negative value");
/// ```
#[derive(Debug, Clone)]
pub struct RnnState {
    hidden: Tensor<2>,
}

impl RnnState {
    /// A state with these activities, `[batch, d_hidden]`. Their values are read from the device.
    ///
    /// # Panics
    ///
    /// If an activity is negative.
    #[track_caller]
    pub fn new(hidden: Tensor<2>) -> Self {
        or_panic(Self::try_new(hidden))
    }

    /// A state with these activities, `[batch, d_hidden]`. Their values are read from the device.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if an activity is negative. NaN passes, so that a diverged network is not hidden.
    pub fn try_new(hidden: Tensor<2>) -> Result<Self, Error> {
        let values = read::data(hidden.clone().inner());
        let lowest = values.iter::<f64>().fold(0.0, f64::min);
        check(lowest >= 0.0, "state", lowest, "no negative value")?;
        Ok(Self::trusted(hidden))
    }

    /// A state that is known to be non-negative.
    pub(super) fn trusted(hidden: Tensor<2>) -> Self {
        Self { hidden }
    }

    /// The activities, `[batch, d_hidden]`.
    pub fn hidden(&self) -> Tensor<2> {
        self.hidden.clone()
    }

    /// The activities, `[batch, d_hidden]`.
    pub fn into_hidden(self) -> Tensor<2> {
        self.hidden
    }

    /// The same activities as constants: errors do not pass to earlier steps (truncated backpropagation
    /// through time).
    #[must_use]
    pub fn detach(self) -> Self {
        Self::trusted(self.hidden.detach())
    }
}
