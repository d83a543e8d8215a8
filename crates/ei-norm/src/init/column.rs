//! The exponential initialization of networks whose inputs excite or inhibit ("column EI").

use std::f64::consts::TAU;

use rand::Rng;

use super::exponential;
use crate::Error;
use crate::check::check_positive;
use crate::circuit::Wiring;

/// The presynaptic units of a circuit; the last n_i inhibit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    pub n_e: usize,
    pub n_i: usize,
}

impl Column {
    /// n_i = ⌈N/(r+1)⌉ for r excitatory units per inhibitory unit. N counts inputs, channels, or the neurons
    /// of a recurrent layer, whose external inputs excite.
    pub(crate) fn new(wiring: &Wiring, ratio: f64) -> Result<Self, Error> {
        let external = match wiring.recurrence {
            Some(_) => wiring.external(),
            None => 0,
        };
        let units = wiring.sources - external;
        check_positive("ratio", ratio)?;
        // The small term keeps rounding from adding a unit.
        let n_i = ((units as f64 / (ratio + 1.0) - 1e-9).ceil() as usize).max(1);
        match units.checked_sub(n_i) {
            Some(n_e @ 1..) => Ok(Self {
                n_e: external + n_e,
                n_i,
            }),
            _ => Err(Error::config(
                match (&wiring.recurrence, wiring.names) {
                    (Some(_), [_, neurons]) => neurons,
                    (None, [inputs, _]) => inputs,
                },
                units,
                "at least 2, one that excites and one that inhibits; more for a ratio below 1",
            )),
        }
    }

    /// +1 for excitatory inputs, −1 for inhibitory inputs.
    pub(crate) fn signs(self, wiring: &Wiring) -> Vec<f64> {
        let signs = [vec![1.0; self.n_e], vec![-1.0; self.n_i]].concat();
        signs.repeat(wiring.places)
    }

    /// W₊ row-major, `[d_input, d_output]`: Exp(scale σ_e) and Exp(scale σ_i) with
    /// σ_e = [((2π−1)/2π)(n_e + n_e²/n_i)]^(−1/2) and σ_i = (n_e/n_i) σ_e, so that excitation and inhibition
    /// balance in the mean; here n_e and n_i count inputs.
    pub(crate) fn draw(self, wiring: &Wiring, rng: &mut impl Rng) -> Result<Vec<f64>, Error> {
        let inputs = |units: usize| (units * wiring.places) as f64;
        let (n_e, n_i) = (inputs(self.n_e), inputs(self.n_i));
        let scale = ((TAU - 1.0) / TAU * (n_e + n_e * n_e / n_i)).sqrt().recip();
        let excitatory = exponential(scale)?;
        let inhibitory = exponential(n_e / n_i * scale)?;
        let mut w = Vec::with_capacity(wiring.inputs() * wiring.outputs);
        for _ in 0..wiring.places {
            w.extend(excitatory.sample_n(self.n_e * wiring.outputs, rng));
            w.extend(inhibitory.sample_n(self.n_i * wiring.outputs, rng));
        }
        Ok(w)
    }
}
