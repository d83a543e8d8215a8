use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, RngExt};
use rand_distr::{Distribution, LogNormal};

use crate::Error;
use crate::check::{check_elements, check_positive, check_size};

/// Initial weights for networks in which each weight keeps a random sign, as under exponentiated gradient:
/// lognormal × random sign.
///
/// With fan-in n, the absolute values have standard deviation std = gain/√n/√(1 + r²) and mean r·std, so that
/// the mean square of a weight is gain²/n.
///
/// ```
/// use burn::module::Param;
/// use burn::nn::LinearConfig;
/// use burn::prelude::*;
/// use ei_norm::init::SignedLognormal;
/// use rand::SeedableRng;
///
/// # fn main() -> Result<(), ei_norm::Error> {
/// let device = Device::flex();
/// let rng = &mut rand_chacha::ChaCha8Rng::seed_from_u64(1);
/// let mut linear = LinearConfig::new(64, 32).init(&device);
/// let weight = SignedLognormal::default().draw([64, 32], 64, &device, rng)?;
/// linear.weight = Param::from_tensor(weight);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SignedLognormal {
    /// Factor of all weights; 1 keeps the variance of activity.
    pub gain: f64,
    /// r, the mean of the absolute values divided by their standard deviation; larger r, more similar values.
    pub ratio: f64,
}

impl Default for SignedLognormal {
    /// gain 1, r = 1.5.
    fn default() -> Self {
        Self {
            gain: 1.0,
            ratio: 1.5,
        }
    }
}

impl SignedLognormal {
    /// A tensor of weights, in the device's default float dtype. `fan_in` is the number of inputs of a unit:
    /// `d_input` for Burn's `Linear`, channels × kernel size for a convolution.
    ///
    /// # Shapes
    ///
    /// - result: `shape`
    ///
    /// # Errors
    ///
    /// If the fan-in is 0, the gain or the ratio is not positive, or there are more than 4294967295
    /// elements.
    pub fn draw<const D: usize>(
        &self,
        shape: [usize; D],
        fan_in: usize,
        device: &Device,
        rng: &mut impl Rng,
    ) -> Result<Tensor<D>, Error> {
        check_size("fan_in", fan_in)?;
        check_positive("gain", self.gain)?;
        check_positive("ratio", self.ratio)?;
        let std = self.gain / (fan_in as f64).sqrt() / self.ratio.hypot(1.0);
        let size = LogNormal::from_mean_cv(self.ratio * std, self.ratio.recip())
            .map_err(|_| Error::config("ratio", self.ratio, "a ratio with finite weights"))?;
        let mut weight = || {
            let size = size.sample(rng);
            if rng.random_bool(0.5) { size } else { -size }
        };
        let count = check_elements(&shape)?;
        let values: Vec<f64> = (0..count).map(|_| weight()).collect();
        Ok(Tensor::from_data(TensorData::new(values, shape), device))
    }
}
