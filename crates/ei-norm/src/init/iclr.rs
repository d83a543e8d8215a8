//! The exponential initialization of DANN layers (Cornford et al. 2021).

use std::f64::consts::TAU;

use rand::Rng;

use super::{EiDraw, exponential, input_means};
use crate::Error;
use crate::check::check_size;
use crate::circuit::Wiring;

/// W_ex from Exp(scale s), s = sqrt(2π/(d(2π−1))) for d inputs; the fields select the inhibition.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Iclr {
    /// If true, s = sqrt(1/(2d)), for inputs that are data and not the activity of another layer.
    pub first_layer: bool,
    /// If true, W_ix and W_ei are from Exp(scale sqrt(s/n_i)), so that their product has the mean of W_ex. If
    /// not, W_ix has the distribution of W_ex and W_ei = 1/n_i; with n_i = 1, W_ix is the mean weight of each
    /// input and W_ei = 1.
    pub iid: bool,
}

impl Iclr {
    fn scale(self, d_input: usize) -> f64 {
        let d = d_input as f64;
        match self.first_layer {
            true => (0.5 / d).sqrt(),
            false => (TAU / (d * (TAU - 1.0))).sqrt(),
        }
    }

    /// Draws the weights of a layer.
    pub(crate) fn draw(
        self,
        wiring: &Wiring,
        n_i: usize,
        rng: &mut impl Rng,
    ) -> Result<EiDraw, Error> {
        let (d_input, d_output) = (wiring.inputs(), wiring.outputs);
        check_size("d_input", d_input)?;
        check_size("d_output", d_output)?;
        let scale = self.scale(d_input);
        let excitatory = exponential(scale)?;
        let mut w_ex = excitatory.sample_n(d_input * d_output, rng);
        wiring.autapses(&mut w_ex).for_each(|w| *w = 0.0);
        let units = n_i as f64;
        let (w_ix, w_ei) = match n_i {
            0 => (Vec::new(), Vec::new()),
            _ if self.iid => {
                let inhibitory = exponential((scale / units).sqrt())?;
                let w_ix = inhibitory.sample_n(d_input * n_i, rng);
                (w_ix, inhibitory.sample_n(n_i * d_output, rng))
            }
            1 => (input_means(&w_ex, d_output).collect(), vec![1.0; d_output]),
            _ => {
                let w_ix = excitatory.sample_n(d_input * n_i, rng);
                (w_ix, vec![units.recip(); n_i * d_output])
            }
        };
        Ok(EiDraw { w_ex, w_ix, w_ei })
    }
}
