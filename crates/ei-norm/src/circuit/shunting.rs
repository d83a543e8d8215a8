use burn::backend::DispatchTensor;
use burn::module::{Content, Module};
use burn::tensor::{DType, Device, Tensor};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::values::Values;
use super::{
    Circuit, Currents, Options, Wiring, bias_weight, check_bias, check_inhibition,
    check_inhibitory, no_inhibition, of_one_type, sealed, tensors, val, weight, wired, zero_bias,
};
use crate::Error;
use crate::check::{check_not_negative, check_shape};
use crate::dale::{Role, Weight};
use crate::functional::excite;
use crate::init::{Iclr, Inhibitory};
use crate::matmul::{add_product, product};
use crate::row_function::{RowFunction, Vector, add_bias, as_row, exactly};
use crate::statistics::Features;

/// A circuit of excitatory neurons whose inhibition subtracts and divides (the DANN layer with shunting
/// inhibition of Cornford et al. 2021):
///
/// ```text
/// h = x W_ix    γ = (h ⊙ e^α) W_ei + ε    z = g ⊙ (x W_ex − h W_ei)/γ + b
/// ```
///
/// with W_ex, W_ix, W_ei, g ≥ 0; α (one for each inhibitory unit) and b may have any sign. All parameters
/// learn from the task's error.
///
/// Inputs must be ≥ 0, otherwise γ can be 0 or negative; see `with_input_check`. For an input of zeros, z =
/// b, and the error at x is divided by ε (in f16 by at least 2⁻¹⁴). A ReLU before the layer stops this error:
/// where its output is 0, its derivative is 0.
#[derive(Module, Debug)]
pub struct Shunting {
    /// Excitatory weights W_ex, `[d_input, d_output]`, ≥ 0.
    pub w_ex: Weight<2>,
    /// Weights W_ix of the inhibitory units, `[d_input, n_i]`, ≥ 0.
    pub w_ix: Weight<2>,
    /// Weights W_ei from the inhibitory units to the outputs, `[n_i, d_output]`, ≥ 0.
    pub w_ei: Weight<2>,
    /// α, `[n_i]`, of any sign: e^α is the strength of a unit's division relative to its subtraction.
    pub alpha: Weight<1>,
    /// Gain g, `[d_output]`, ≥ 0.
    pub gain: Weight<1>,
    /// Bias b, `[d_output]`.
    pub bias: Option<Weight<1>>,
    #[module(skip)]
    epsilon: f64,
}

/// The weights of a [`Shunting`] circuit.
#[derive(Debug, Clone)]
pub struct ShuntingWeights {
    /// Excitatory weights, `[d_input, d_output]`.
    pub w_ex: Tensor<2>,
    /// From the inputs to the inhibitory units, `[d_input, n_i]`.
    pub w_ix: Tensor<2>,
    /// From the inhibitory units to the outputs, `[n_i, d_output]`.
    pub w_ei: Tensor<2>,
    /// α, `[n_i]`.
    pub alpha: Tensor<1>,
    /// g, `[d_output]`.
    pub gain: Tensor<1>,
    /// b, `[d_output]`.
    pub bias: Option<Tensor<1>>,
    /// ε in γ.
    pub epsilon: f64,
}

/// The options of a [`Shunting`] circuit.
///
/// The initial weights follow Cornford et al. 2021: W_ex from Exp(scale s) with s = sqrt(2π/(d(2π−1))) for d
/// inputs; W_ix from the same distribution and W_ei = 1/n_i or, with a single inhibitory unit, W_ix the mean
/// weight of each input and W_ei = 1; α = ln sqrt((2π−1)/d), g = 1 and b = 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShuntingOptions {
    /// The number of inhibitory units: a count, or a fraction of the outputs. At least 1.
    pub inhibitory: Inhibitory,
    /// Whether there is a bias; it may have any sign and starts at 0.
    pub bias: bool,
    /// Whether the inputs are data, not the activity of another layer; if so, s = sqrt(1/(2d)).
    pub first_layer: bool,
    /// Draws W_ix and W_ei independently, both from Exp(scale sqrt(s/n_i)).
    pub iid_inhibition: bool,
    /// ε in γ. For an input of zeros, the currents and the errors are divided by ε.
    pub epsilon: f64,
}

impl Default for ShuntingOptions {
    fn default() -> Self {
        Self {
            inhibitory: Inhibitory::default(),
            bias: true,
            first_layer: false,
            iid_inhibition: false,
            epsilon: 1e-8,
        }
    }
}

impl Options for ShuntingOptions {
    type Circuit = Shunting;

    fn build(
        &self,
        wiring: &Wiring,
        device: &Device,
        rng: &mut impl Rng,
    ) -> Result<Shunting, Error> {
        let (d_input, d_output) = (wiring.inputs(), wiring.outputs);
        let n_i = self.inhibitory.units_of(wiring)?;
        let iclr = Iclr {
            first_layer: self.first_layer,
            iid: self.iid_inhibition,
        };
        let (w_ex, inhibition) = tensors(iclr.draw(wiring, n_i, rng)?, wiring, device);
        let (w_ix, w_ei) = inhibition.ok_or_else(no_inhibition)?;
        let alpha = 0.5 * ((std::f64::consts::TAU - 1.0) / d_input as f64).ln();
        let weights = ShuntingWeights {
            w_ex,
            w_ix,
            w_ei,
            alpha: Tensor::full([n_i], alpha, device),
            gain: Tensor::ones([d_output], device),
            bias: zero_bias(self.bias, d_output, device),
            epsilon: self.epsilon,
        };
        wired(weights, wiring, device)
    }
}

impl Circuit for Shunting {
    const NAME: &'static str = "Shunting";
    type Weights = ShuntingWeights;

    fn from_weights(weights: ShuntingWeights) -> Result<Self, Error> {
        check_not_negative("epsilon", weights.epsilon)?;
        let sizes @ [_, d_output] = weights.w_ex.dims();
        check_inhibition(["w_ix", "w_ei"], &weights.w_ix, &weights.w_ei, sizes)?;
        check_inhibitory(&weights.w_ix)?;
        check_shape("alpha", weights.alpha.dims(), [weights.w_ix.dims()[1]])?;
        check_shape("gain", weights.gain.dims(), [d_output])?;
        check_bias(&weights.bias, d_output)?;
        of_one_type(Self {
            w_ex: weight(Role::Excitatory, weights.w_ex),
            w_ix: weight(Role::InhibitoryIn, weights.w_ix),
            w_ei: weight(Role::InhibitoryOut, weights.w_ei),
            alpha: weight(Role::Shunting, weights.alpha),
            gain: weight(Role::Gain, weights.gain),
            bias: bias_weight(weights.bias),
            epsilon: weights.epsilon,
        })
    }

    fn currents<const D: usize>(&self, x: Tensor<D>) -> Currents<D> {
        let h = excite(x.clone(), self.w_ix.val(), None);
        let dividing = h.clone() * as_row(self.alpha.val().exp());
        let epsilon = representable(self.epsilon, dividing.dtype());
        Currents {
            excitatory: excite(x, self.w_ex.val(), None),
            subtractive: excite(h, self.w_ei.val(), None),
            divisive: Some(excite(dividing, self.w_ei.val(), None) + epsilon),
        }
    }

    /// z = g ⊙ (excitatory − subtractive)/divisive + b.
    fn output<const D: usize>(&self, currents: &Currents<D>) -> Tensor<D> {
        let balance = currents.excitatory.clone() - currents.subtractive.clone();
        let ratio = match &currents.divisive {
            Some(divisive) => balance / divisive.clone(),
            None => balance,
        };
        let z = ratio * as_row(self.gain.val());
        match val(&self.bias) {
            Some(bias) => z + as_row(bias),
            None => z,
        }
    }

    fn describe(&self, content: Content) -> Content {
        content
            .add("inhibitory", &self.inhibitory_units())
            .add("bias", &self.bias.is_some())
    }
}

impl Shunting {
    /// The number of inhibitory units.
    pub fn inhibitory_units(&self) -> usize {
        self.w_ix.dims()[1]
    }

    /// ε in γ.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }
}

impl sealed::Computes for Shunting {
    type Function<const D: usize> = ShuntingFunction<D>;

    fn function_of<const D: usize>(&self, mut values: Values<D>) -> ShuntingFunction<D> {
        ShuntingFunction {
            w_ex: values.matrix(),
            w_ix: values.matrix(),
            w_ei: values.matrix(),
            alpha: values.vector(),
            gain: values.vector(),
            bias: self.bias.is_some().then(|| values.vector()),
            features: values.features,
            epsilon: self.epsilon,
        }
    }

    weights!([w_ex, w_ix, w_ei], [alpha, gain, bias]);

    fn same_form(&self, other: &Self) -> bool {
        self.epsilon == other.epsilon
    }
}

/// z = g ⊙ r + b with r = (e − h W_ei)/γ, computed from the drives e = x W_ex and h = x W_ix.
///
/// The backward pass of an error δ at z: the error is d = δ ⊙ g/γ at e, −d at s = h W_ei and −d ⊙ r at γ.
/// With c = −(d ⊙ r) W_eiᵀ it is −d W_eiᵀ + c ⊙ e^α at h. dW_ei = −hᵀ d − (h ⊙ e^α)ᵀ (d ⊙ r), dα = Σ c ⊙ h ⊙
/// e^α, dg = Σ δ ⊙ r and db = Σ δ, with sums over rows.
#[derive(Debug, Clone)]
pub struct ShuntingFunction<const D: usize = 2> {
    w_ex: Tensor<D>,
    w_ix: Tensor<D>,
    w_ei: Tensor<D>,
    alpha: Vector<D>,
    gain: Vector<D>,
    bias: Option<Vector<D>>,
    /// The outputs that exist.
    features: Features<D>,
    epsilon: f64,
}

impl<const D: usize> ShuntingFunction<D> {
    /// e^α, `[..., 1, n_i]`.
    fn strength(&self) -> Tensor<D> {
        self.alpha.row().exp()
    }

    /// c, from d and r.
    fn at_dividing(&self, d: &Tensor<D>, ratio: &Tensor<D>) -> Tensor<D> {
        let to_gamma = -(d.clone() * ratio.clone());
        product(to_gamma, self.w_ei.clone().transpose())
    }
}

/// ε, raised to the smallest normal number of f16 if that is the type: smaller ones could become 0 there.
fn representable(epsilon: f64, dtype: DType) -> f64 {
    /// 2⁻¹⁴.
    const SMALLEST_F16: f64 = 6.103515625e-5;
    match dtype {
        DType::F16 if epsilon > 0.0 => epsilon.max(SMALLEST_F16),
        _ => epsilon,
    }
}

impl<const D: usize> RowFunction<D> for ShuntingFunction<D> {
    fn readers(&self) -> Vec<Tensor<D>> {
        vec![self.w_ex.clone(), self.w_ix.clone()]
    }

    fn others(&self) -> Vec<DispatchTensor> {
        let vectors = [&self.alpha, &self.gain].into_iter().chain(&self.bias);
        let vectors = vectors.cloned().map(Vector::into_dispatch);
        std::iter::once(self.w_ei.clone().into_dispatch())
            .chain(vectors)
            .collect()
    }

    fn inner(self) -> Self {
        Self {
            w_ex: self.w_ex.inner(),
            w_ix: self.w_ix.inner(),
            w_ei: self.w_ei.inner(),
            alpha: self.alpha.inner(),
            gain: self.gain.inner(),
            bias: self.bias.map(Vector::inner),
            ..self
        }
    }

    /// Keeps h, r and γ.
    fn activate(&self, drives: Vec<Tensor<D>>) -> (Tensor<D>, Vec<Tensor<D>>) {
        let [e, h] = exactly(drives);
        let balance = add_product(e, -1.0, h.clone(), self.w_ei.clone());
        let epsilon = representable(self.epsilon, h.dtype());
        let gamma = product(h.clone() * self.strength(), self.w_ei.clone()) + epsilon;
        let gamma = self.features.divisor(gamma);
        let ratio = balance / gamma.clone();
        let z = ratio.clone() * self.gain.row();
        (add_bias(z, &self.bias), vec![h, ratio, gamma])
    }

    fn features(&self) -> &Features<D> {
        &self.features
    }

    fn to_drives(
        &self,
        kept: &[Tensor<D>],
        delta: &Tensor<D>,
        wanted: &[bool],
    ) -> Vec<Option<Tensor<D>>> {
        let (ratio, gamma) = (&kept[1], &kept[2]);
        let d = delta.clone() * self.gain.row() / gamma.clone();
        let at_h = wanted[1].then(|| {
            let dividing = self.at_dividing(&d, ratio) * self.strength();
            add_product(dividing, -1.0, d.clone(), self.w_ei.clone().transpose())
        });
        vec![Some(d), at_h]
    }

    fn to_others(
        &self,
        kept: &[Tensor<D>],
        delta: &Tensor<D>,
        at_drives: &[Option<Tensor<D>>],
        wanted: &[bool],
    ) -> Vec<Option<Tensor<D>>> {
        let ([h, ratio, _], Some(Some(d))) = (kept, at_drives.first()) else {
            return vec![None; wanted.len()];
        };
        let of_w_ei = || {
            let subtracting = product(-h.clone().transpose(), d.clone());
            let dividing = (h.clone() * self.strength()).transpose();
            add_product(subtracting, -1.0, dividing, d.clone() * ratio.clone())
        };
        let of_alpha = || {
            let along = self.at_dividing(d, ratio) * h.clone();
            along.sum_dim(D - 2) * self.strength()
        };
        let of_gain = || (delta.clone() * ratio.clone()).sum_dim(D - 2);
        let of_bias = || delta.clone().sum_dim(D - 2);
        let errors: [&dyn Fn() -> _; 4] = [&of_w_ei, &of_alpha, &of_gain, &of_bias];
        let errors = wanted.iter().zip(errors);
        errors.map(|(wanted, error)| wanted.then(error)).collect()
    }
}
