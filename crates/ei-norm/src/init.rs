//! Initial weights.
//!
//! All weights are drawn on the host in f64 from one generator. `try_init_with` therefore gives the same
//! weights for a seed on every backend, up to the rounding of its dtype. `init` and `try_init` seed the
//! generator from the device, which differs between backends.

mod column;
mod iclr;
mod signed;
mod spectral;

pub(crate) use column::Column;
pub(crate) use iclr::Iclr;
pub use signed::SignedLognormal;
pub use spectral::{rescale_to_norm, rescale_to_radius, spectral_norm, spectral_radius};

use burn::tensor::{Device, Distribution as TensorDistribution, Int, Tensor, TensorData};
use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp, LogNormal};

use crate::check::{check, check_elements, check_fraction, check_size};
use crate::circuit::Wiring;
use crate::{Error, read};

/// The number of inhibitory units of a layer.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Inhibitory {
    /// A fixed number.
    Count(usize),
    /// A fraction of the outputs, rounded down, but at least 1; a fraction of 0 means none.
    Fraction(f64),
}

impl Default for Inhibitory {
    /// One inhibitory unit for ten outputs.
    fn default() -> Self {
        Self::Fraction(0.1)
    }
}

impl Inhibitory {
    /// The number of inhibitory units for `d_output` outputs.
    ///
    /// # Errors
    ///
    /// If the fraction is not in 0..=1.
    pub fn units(self, d_output: usize) -> Result<usize, Error> {
        match self {
            Self::Count(count) => Ok(count),
            Self::Fraction(fraction) => {
                check_fraction("the fraction of inhibitory units", fraction)?;
                // The small addend keeps 0.29 · 100 from being 28.
                let units = (d_output as f64 * fraction + 1e-9) as usize;
                Ok(if fraction == 0.0 { 0 } else { units.max(1) })
            }
        }
    }

    /// The number of inhibitory units of a circuit; checks the sizes of the matrices to and from them.
    pub(crate) fn units_of(self, wiring: &Wiring) -> Result<usize, Error> {
        let n_i = self.units(wiring.outputs)?;
        check_elements(&[wiring.inputs(), n_i])?;
        check_elements(&[n_i, wiring.outputs])?;
        Ok(n_i)
    }
}

/// The distribution of the initial weights. Inhibition initially balances excitation: exactly with `Lognormal`
/// and `Exponential`, and with `Iclr` if there is a single inhibitory unit; otherwise in the mean over draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EiInitializer {
    /// W_ex and W_ei lognormal with mean and standard deviation σ* = sqrt(2 n_e / (n_in (n_e − 1))); in a
    /// recurrent layer for its inputs and for its neurons separately, with 1/3 in place of 2. W_ei is then
    /// normalized to sum 1 for each output, and W_ix is the mean excitatory weight of each input (Eyono et al.
    /// 2026). Needs at least 2 outputs.
    #[default]
    Lognormal,
    /// As `Lognormal`, but from Exp(scale σ*). Needs at least 2 outputs.
    Exponential,
    /// W_ex and W_ix from Exp(scale sqrt(2π/(n_in(2π−1)))), W_ei = 1/n_i; with a single inhibitory unit, W_ix
    /// is the mean excitatory weight of each input (Cornford et al. 2021).
    Iclr,
}

/// The weights of an EI layer on the host, row-major.
pub(crate) struct EiDraw {
    /// `[d_input, d_output]`
    pub w_ex: Vec<f64>,
    /// `[d_input, n_i]`
    pub w_ix: Vec<f64>,
    /// `[n_i, d_output]`
    pub w_ei: Vec<f64>,
}

impl EiInitializer {
    /// Draws the weights of a circuit. A recurrent layer has two paths, from its inputs and from its neurons.
    /// With `own_units` each path has `n_i` inhibitory units, with weights of 0 from the other path; if not,
    /// both have the same units.
    pub(crate) fn draw(
        self,
        wiring: &Wiring,
        n_i: usize,
        own_units: bool,
        rng: &mut impl Rng,
    ) -> Result<EiDraw, Error> {
        if wiring.recurrence.is_none() {
            return match self {
                Self::Iclr => Iclr::default().draw(wiring, n_i, rng),
                _ => self.draw_path(wiring, false, n_i, rng),
            };
        }
        let input = self.draw_path(wiring, false, n_i, rng)?;
        let neurons = self.draw_path(wiring, true, n_i, rng)?;
        let w_ex = [input.w_ex, neurons.w_ex].concat();
        let (w_ix, w_ei) = match own_units {
            true => {
                let none = &vec![0.0; n_i][..];
                let of_input = input.w_ix.chunks_exact(n_i.max(1));
                let of_neurons = neurons.w_ix.chunks_exact(n_i.max(1));
                let of_input = of_input.flat_map(|row| [row, none].concat());
                let w_ix = of_input.chain(of_neurons.flat_map(|row| [none, row].concat()));
                (w_ix.collect(), [input.w_ei, neurons.w_ei].concat())
            }
            false => ([input.w_ix, neurons.w_ix].concat(), input.w_ei),
        };
        Ok(EiDraw { w_ex, w_ix, w_ei })
    }

    /// Draws the weights of one balanced path into a circuit: from its neurons, or from its other inputs.
    fn draw_path(
        self,
        wiring: &Wiring,
        from_neurons: bool,
        n_i: usize,
        rng: &mut impl Rng,
    ) -> Result<EiDraw, Error> {
        let d_output = wiring.outputs;
        let d_input = match from_neurons {
            true => d_output,
            false => wiring.external().saturating_mul(wiring.places),
        };
        let scale = scale(wiring, d_input)?;
        let distribution = match self {
            Self::Lognormal => lognormal(scale)?,
            Self::Exponential => exponential(scale)?,
            Self::Iclr => {
                let allowed = "Lognormal or Exponential in a recurrent layer";
                return Err(Error::config("initializer", "Iclr", allowed));
            }
        };
        let mut w_ex = distribution.sample_n(d_input * d_output, rng);
        if from_neurons {
            wiring.autapses(&mut w_ex).for_each(|w| *w = 0.0);
        }
        let mut w_ei = distribution.sample_n(n_i * d_output, rng);
        normalize_columns(&mut w_ei, d_output);
        let w_ix = input_means(&w_ex, d_output)
            .flat_map(|mean| std::iter::repeat_n(mean, n_i))
            .collect();
        Ok(EiDraw { w_ex, w_ix, w_ei })
    }
}

/// The mean and standard deviation of W_ex for a path of `d_input` inputs, σ* = sqrt(c n_e / (n_in (n_e − 1))),
/// c = 2 or, for a path into a recurrent population, 1/3.
fn scale(wiring: &Wiring, d_input: usize) -> Result<f64, Error> {
    let [_, output] = wiring.names;
    let (c, at_least) = match wiring.recurrence {
        Some(_) => (1.0 / 3.0, "at least 2"),
        None => (
            2.0,
            "at least 2 with the lognormal and the exponential initialization (Iclr takes 1)",
        ),
    };
    check_size("d_input", d_input)?;
    check_size(output, wiring.outputs)?;
    check(wiring.outputs != 1, output, 1, at_least)?;
    let (n_in, n_e) = (d_input as f64, wiring.outputs as f64);
    Ok((c * n_e / (n_in * (n_e - 1.0))).sqrt())
}

/// The mean weight of each input over the outputs.
fn input_means(w_ex: &[f64], d_output: usize) -> impl Iterator<Item = f64> {
    w_ex.chunks_exact(d_output)
        .map(move |row| row.iter().sum::<f64>() / d_output as f64)
}

/// The distribution of a positive weight.
enum Positive {
    Lognormal(LogNormal<f64>),
    Exponential(Exp<f64>),
}

impl Positive {
    fn sample_n(&self, n: usize, rng: &mut impl Rng) -> Vec<f64> {
        match self {
            Self::Lognormal(d) => d.sample_iter(rng).take(n).collect(),
            Self::Exponential(d) => d.sample_iter(rng).take(n).collect(),
        }
    }
}

/// Lognormal with this mean and standard deviation.
fn lognormal(scale: f64) -> Result<Positive, Error> {
    LogNormal::from_mean_cv(scale, 1.0)
        .map(Positive::Lognormal)
        .map_err(|_| Error::config("the scale of the lognormal", scale, "a positive number"))
}

fn exponential(scale: f64) -> Result<Positive, Error> {
    Exp::new(scale.recip())
        .map(Positive::Exponential)
        .map_err(|_| Error::config("the scale of Exp", scale, "a positive number"))
}

/// Divides each column by its sum.
fn normalize_columns(w: &mut [f64], columns: usize) {
    let mut sums = vec![0.0; columns];
    for row in w.chunks_exact(columns) {
        sums.iter_mut().zip(row).for_each(|(sum, w)| *sum += w);
    }
    for row in w.chunks_exact_mut(columns) {
        row.iter_mut().zip(&sums).for_each(|(w, sum)| *w /= sum);
    }
}

/// A generator seeded from the device's generator, which `Device::seed` sets.
pub(crate) fn device_rng(device: &Device) -> ChaCha8Rng {
    // 2^24 is the largest range that every backend draws evenly.
    let words = Tensor::<1, Int>::random(
        [8],
        TensorDistribution::Uniform(0.0, f64::from(1 << 24)),
        &device.clone().inner(),
    );
    let seed = read::data(words)
        .iter::<i64>()
        .fold(0u64, |seed, word| seed.rotate_left(24) ^ word as u64);
    ChaCha8Rng::seed_from_u64(seed)
}

/// `init` and `try_init` of a configuration, from its `try_init_with`.
macro_rules! seeded_by_device {
    ($made:ty) => {
        /// Creates the module with weights drawn by the seed of the device. A seed gives the same weights only
        /// on the same backend; with [`try_init_with`](Self::try_init_with) they are the same on all backends.
        ///
        /// # Panics
        ///
        /// Where [`try_init`](Self::try_init) returns an error.
        #[track_caller]
        pub fn init(&self, device: &Device) -> $made {
            crate::check::or_panic(self.try_init(device))
        }

        /// Creates the module with weights drawn by the seed of the device.
        ///
        /// # Errors
        ///
        /// As [`try_init_with`](Self::try_init_with).
        pub fn try_init(&self, device: &Device) -> Result<$made, Error> {
            self.try_init_with(device, &mut crate::init::device_rng(device))
        }
    };
}
pub(crate) use seeded_by_device;

/// A matrix on a device, in the device's default float dtype.
pub(crate) fn matrix(values: Vec<f64>, shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), device)
}
