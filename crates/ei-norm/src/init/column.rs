//! The exponential initialization of networks whose inputs excite or inhibit ("column EI").

use std::f64::consts::TAU;

use rand::Rng;

use super::{check_positive, check_size, exponential};
use crate::Error;

/// N inputs, of which the last n_i inhibit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    pub n_e: usize,
    pub n_i: usize,
}

impl Column {
    /// n_i = ⌈N/(r+1)⌉ for r excitatory inputs to an inhibitory one.
    pub(crate) fn new(d_input: usize, ratio: f64) -> Result<Self, Error> {
        check_size("d_input", d_input)?;
        check_positive("ratio", ratio)?;
        // The small term keeps rounding from adding a unit.
        let n_i = ((d_input as f64 / (ratio + 1.0) - 1e-9).ceil() as usize).max(1);
        match d_input.checked_sub(n_i) {
            Some(n_e @ 1..) => Ok(Self { n_e, n_i }),
            _ => Err(Error::config(
                "d_input",
                d_input,
                "enough for an excitatory and an inhibitory input at this ratio",
            )),
        }
    }

    /// +1 for the excitatory inputs, −1 for the inhibitory ones.
    pub(crate) fn signs(self) -> Vec<f64> {
        [vec![1.0; self.n_e], vec![-1.0; self.n_i]].concat()
    }

    /// W₊ row-major, `[d_input, d_output]`: Exp(scale σ_e) and Exp(scale σ_i) with
    /// σ_e = [((2π−1)/2π)(n_e + n_e²/n_i)]^(−1/2) and σ_i = (n_e/n_i) σ_e, which balance in the mean.
    pub(crate) fn draw(self, d_output: usize, rng: &mut impl Rng) -> Result<Vec<f64>, Error> {
        check_size("d_output", d_output)?;
        let (n_e, n_i) = (self.n_e as f64, self.n_i as f64);
        let scale = ((TAU - 1.0) / TAU * (n_e + n_e * n_e / n_i)).sqrt().recip();
        let excitatory = exponential(scale)?;
        let inhibitory = exponential(n_e / n_i * scale)?;
        let mut w = excitatory.sample_n(self.n_e * d_output, rng);
        w.extend(inhibitory.sample_n(self.n_i * d_output, rng));
        Ok(w)
    }
}
