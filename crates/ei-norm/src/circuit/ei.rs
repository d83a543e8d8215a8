use burn::backend::DispatchTensor;
use burn::module::{Content, Module};
use burn::tensor::{Device, Tensor};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::sealed::Computes;
use super::values::Values;
use super::{
    Circuit, Currents, Options, Wiring, bias_weight, check_bias, check_inhibition, of_one_type,
    tensors, val, weight, wired, zero_bias,
};
use crate::Error;
use crate::dale::{Role, Weight, mask};
use crate::functional::{excite, inhibit};
use crate::init::{EiInitializer, Inhibitory};
use crate::matmul::{add_product, product};
use crate::row_function::{RowFunction, Vector, add_bias, exactly};
use crate::statistics::Features;

/// A circuit of excitatory neurons with feed-forward inhibition (a DANN layer, Cornford et al. 2021):
///
/// ```text
/// z = x W_ex − (x W_ix) W_ei + b    W_ex, W_ix, W_ei ≥ 0
/// ```
///
/// The signs hold after initialization and after [`dale::project`](crate::dale::project); the bias may have
/// any sign.
///
/// In a recurrent layer x is [x_t, h_{t−1}]. The inputs and the neurons have separate inhibitory units: W_ix
/// has a mask, so that each unit reads only one of the two.
#[derive(Module, Debug)]
pub struct Ei {
    /// Excitatory weights W_ex, `[d_input, d_output]`, ≥ 0.
    pub w_ex: Weight<2>,
    /// Weights W_ix of the inhibitory units, `[d_input, n_i]`, ≥ 0.
    pub w_ix: Option<Weight<2>>,
    /// Weights W_ei from the inhibitory units to the outputs, `[n_i, d_output]`, ≥ 0.
    pub w_ei: Option<Weight<2>>,
    /// Bias b, `[d_output]`.
    pub bias: Option<Weight<1>>,
}

/// The weights of an [`Ei`] circuit.
#[derive(Debug, Clone)]
pub struct EiWeights {
    /// Excitatory weights, `[d_input, d_output]`.
    pub w_ex: Tensor<2>,
    /// W_ix `[d_input, n_i]`, from the inputs to the inhibitory units, and W_ei `[n_i, d_output]`, from the
    /// inhibitory units to the outputs; none in a purely excitatory circuit.
    pub inhibition: Option<(Tensor<2>, Tensor<2>)>,
    /// `[d_output]`.
    pub bias: Option<Tensor<1>>,
}

/// The options of an [`Ei`] circuit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EiOptions {
    /// The number of inhibitory units: a count, or a fraction of the outputs. 0 makes the layer purely
    /// excitatory. A recurrent layer has this number for its inputs and again for its neurons.
    pub inhibitory: Inhibitory,
    /// Whether there is a bias; it may have any sign and starts at 0.
    pub bias: bool,
    /// The distribution of the initial weights; in a recurrent layer lognormal or exponential.
    pub initializer: EiInitializer,
}

impl Default for EiOptions {
    fn default() -> Self {
        Self {
            inhibitory: Inhibitory::default(),
            bias: true,
            initializer: EiInitializer::default(),
        }
    }
}

impl Options for EiOptions {
    type Circuit = Ei;

    fn build(&self, wiring: &Wiring, device: &Device, rng: &mut impl Rng) -> Result<Ei, Error> {
        let n_i = self.inhibitory.units_of(wiring)?;
        let draw = self.initializer.draw(wiring, n_i, true, rng)?;
        let (w_ex, inhibition) = tensors(draw, wiring, device);
        let weights = EiWeights {
            w_ex,
            inhibition,
            bias: zero_bias(self.bias, wiring.outputs, device),
        };
        let mut circuit: Ei = wired(weights, wiring, device)?;
        if let (Some(w_ix), Some(_)) = (&mut circuit.w_ix, &wiring.recurrence) {
            let external = wiring.external();
            let exists = |(pre, unit)| (pre < external) == (unit < n_i);
            w_ix.set_mask(mask::from_fn(w_ix.dims(), exists, device))?;
        }
        Ok(circuit)
    }
}

impl Circuit for Ei {
    const NAME: &'static str = "Ei";
    type Weights = EiWeights;

    fn from_weights(weights: EiWeights) -> Result<Self, Error> {
        let sizes @ [_, d_output] = weights.w_ex.dims();
        if let Some((w_ix, w_ei)) = &weights.inhibition {
            check_inhibition(["w_ix", "w_ei"], w_ix, w_ei, sizes)?;
        }
        check_bias(&weights.bias, d_output)?;
        let (w_ix, w_ei) = weights.inhibition.unzip();
        of_one_type(Self {
            w_ex: weight(Role::Excitatory, weights.w_ex),
            w_ix: w_ix.map(|w| weight(Role::InhibitoryIn, w)),
            w_ei: w_ei.map(|w| weight(Role::InhibitoryOut, w)),
            bias: bias_weight(weights.bias),
        })
    }

    fn currents<const D: usize>(&self, x: Tensor<D>) -> Currents<D> {
        let excitatory = excite(x.clone(), self.w_ex.val(), val(&self.bias));
        let subtractive = match (&self.w_ix, &self.w_ei) {
            (Some(w_ix), Some(w_ei)) => inhibit(x, w_ix.val(), w_ei.val()),
            _ => excitatory.zeros_like(),
        };
        Currents {
            excitatory,
            subtractive,
            divisive: None,
        }
    }

    fn describe(&self, content: Content) -> Content {
        content
            .add("inhibitory", &self.inhibitory_units())
            .add("bias", &self.bias.is_some())
    }
}

impl Ei {
    /// The number of inhibitory units.
    pub fn inhibitory_units(&self) -> usize {
        self.w_ix.as_ref().map_or(0, |w_ix| w_ix.dims()[1])
    }

    /// The single matrix that is equivalent to the circuit without its bias, W_ex − W_ix W_ei,
    /// `[d_input, d_output]`.
    #[must_use]
    pub fn effective_weights(&self) -> Tensor<2> {
        self.function().merged().w_ex
    }
}

impl Computes for Ei {
    type Function<const D: usize> = EiFunction<D>;

    fn function_of<const D: usize>(&self, mut values: Values<D>) -> EiFunction<D> {
        let inhibits = self.w_ix.is_some();
        EiFunction {
            w_ex: values.matrix(),
            inhibition: inhibits.then(|| (values.matrix(), values.matrix())),
            bias: self.bias.is_some().then(|| values.vector()),
            features: values.features,
        }
    }

    fn single_matrix(&self) -> Option<(Tensor<2>, Option<Tensor<1>>)> {
        Some((self.effective_weights(), val(&self.bias)))
    }

    weights!([w_ex, w_ix, w_ei], [bias]);
}

/// x W_ex − (x W_ix) W_ei + b.
///
/// With h = x W_ix and e = δ W_eiᵀ, the backward pass of an error δ at z: the error is δ at x W_ex and −e at
/// h; dW_ei = −hᵀ δ and db = Σ δ.
#[derive(Debug, Clone)]
pub struct EiFunction<const D: usize = 2> {
    pub(crate) w_ex: Tensor<D>,
    /// W_ix and W_ei.
    pub(crate) inhibition: Option<(Tensor<D>, Tensor<D>)>,
    pub(crate) bias: Option<Vector<D>>,
    /// The outputs that exist.
    pub(crate) features: Features<D>,
}

impl<const D: usize> EiFunction<D> {
    /// The function with the single matrix W_ex − W_ix W_ei.
    fn merged(self) -> Self {
        let w_ex = match self.inhibition {
            Some((w_ix, w_ei)) => self.w_ex - w_ix.matmul(w_ei),
            None => self.w_ex,
        };
        Self {
            w_ex,
            inhibition: None,
            ..self
        }
    }
}

impl<const D: usize> RowFunction<D> for EiFunction<D> {
    /// The function in its cheaper form: with the factors W_ix and W_ei, or with the single matrix.
    fn for_rows(self, rows: usize, _examples: usize) -> Self {
        let (d_input, d_output) = (self.w_ex.dims()[D - 2], self.w_ex.dims()[D - 1]);
        let n_i = (self.inhibition.as_ref()).map_or(0, |(w_ix, _)| w_ix.dims()[D - 1]);
        match prefers_single_matrix(rows, d_input, d_output, n_i) {
            true => self.merged(),
            false => self,
        }
    }

    fn readers(&self) -> Vec<Tensor<D>> {
        let w_ix = self.inhibition.iter().map(|(w_ix, _)| w_ix);
        std::iter::once(&self.w_ex).chain(w_ix).cloned().collect()
    }

    fn others(&self) -> Vec<DispatchTensor> {
        let w_ei = self
            .inhibition
            .clone()
            .map(|(_, w_ei)| w_ei.into_dispatch());
        let bias = self.bias.clone().map(Vector::into_dispatch);
        w_ei.into_iter().chain(bias).collect()
    }

    fn inner(self) -> Self {
        let inhibition = self.inhibition;
        Self {
            w_ex: self.w_ex.inner(),
            inhibition: inhibition.map(|(w_ix, w_ei)| (w_ix.inner(), w_ei.inner())),
            bias: self.bias.map(Vector::inner),
            ..self
        }
    }

    /// Keeps h.
    fn activate(&self, drives: Vec<Tensor<D>>) -> (Tensor<D>, Vec<Tensor<D>>) {
        let Some((_, w_ei)) = &self.inhibition else {
            let [excitation] = exactly(drives);
            return (add_bias(excitation, &self.bias), Vec::new());
        };
        let [excitation, h] = exactly(drives);
        let z = add_bias(excitation, &self.bias);
        (add_product(z, -1.0, h.clone(), w_ei.clone()), vec![h])
    }

    fn features(&self) -> &Features<D> {
        &self.features
    }

    fn to_drives(
        &self,
        _kept: &[Tensor<D>],
        delta: &Tensor<D>,
        wanted: &[bool],
    ) -> Vec<Option<Tensor<D>>> {
        let at_h = self.inhibition.as_ref().map(|(_, w_ei)| {
            let e = || product(delta.clone(), w_ei.clone().transpose());
            wanted[1].then(|| -e())
        });
        std::iter::once(Some(delta.clone())).chain(at_h).collect()
    }

    fn to_others(
        &self,
        kept: &[Tensor<D>],
        delta: &Tensor<D>,
        _at_drives: &[Option<Tensor<D>>],
        wanted: &[bool],
    ) -> Vec<Option<Tensor<D>>> {
        let of_w_ei = self
            .inhibition
            .as_ref()
            .map(|_| wanted[0].then(|| product(-kept[0].clone().transpose(), delta.clone())));
        let of_bias = self.bias.as_ref().map(|_| {
            let wanted = wanted.last() == Some(&true);
            wanted.then(|| delta.clone().sum_dim(D - 2))
        });
        of_w_ei.into_iter().chain(of_bias).collect()
    }
}

/// Whether forming W_ex − W_ix W_ei costs less than applying the factors to every row.
///
/// In multiply-adds, the factors cost rows·n_i·(d_input + d_output). The matrix costs d_input·n_i·d_output
/// once and additional passes over memory; on a CPU these cost as much as about 4 multiply-adds for each
/// element. The 4 is fitted to crossing points measured on Flex with AVX-512, forward and backward (784 → 500
/// at 300 rows, where this rule gives 330; 784 → 234 at 220; 64 → 64 at 50).
fn prefers_single_matrix(rows: usize, d_input: usize, d_output: usize, n_i: usize) -> bool {
    const PASS: usize = 4;
    let factors = rows * n_i * (d_input + d_output);
    let matrix = d_input * d_output * (n_i + PASS);
    // Burn's product of a matrix without rows is avoided.
    d_input > 0 && matrix < factors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_batches_use_the_factors_and_large_ones_the_matrix() {
        assert!(!prefers_single_matrix(32, 784, 500, 50));
        assert!(prefers_single_matrix(2000, 784, 500, 50));
        assert!(!prefers_single_matrix(0, 784, 500, 50));
        assert!(!prefers_single_matrix(usize::pow(2, 20), 500, 10, 0));
    }
}
