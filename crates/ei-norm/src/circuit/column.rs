use burn::module::{Content, Module};
use burn::tensor::{Device, Tensor};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::values::Values;
use super::{
    Circuit, Currents, EiFunction, Options, Wiring, bias_weight, check_bias, of_one_type, sealed,
    val, weight, wired, zero_bias,
};
use crate::check::{check_last, check_shape, or_panic};
use crate::dale::{Plasticity, Role, Sign, Weight};
use crate::functional::excite;
use crate::init::{self, Column};
use crate::{Error, read};

/// A circuit whose inputs excite or inhibit ("column EI", Cornford et al. 2021):
///
/// ```text
/// z = x D W₊ + b    W₊ ≥ 0, D = diag(+1, …, +1, −1, …, −1)
/// ```
///
/// D is fixed.
///
/// Most other code uses this circuit as "a network with Dale's law". Here it is the control for the circuits
/// with separate inhibitory units; it learns worse than they do. Its inputs must be ≥ 0, otherwise an
/// inhibitory neuron excites; see `with_input_check`. In a convolution the channels have the signs; in a
/// recurrent layer the neurons have the signs, and the layer's input excites.
///
/// Variants of this circuit in other code, and their equivalents here:
///
/// - |W| D in place of a projection: [`dale::reparameterize`](crate::dale::reparameterize) with
///   [`NonNegative::Abs`](crate::dale::NonNegative::Abs);
/// - signs in another order: `signs` of [`ColumnEiWeights`]. A ±1 for every single weight obeys Dale's law
///   only if it is the same for all weights of an input; then it is `signs`;
/// - missing connections, such as from a unit to itself: [`Weight::set_mask`](crate::dale::Weight::set_mask);
/// - another distribution, scaled to a spectral radius: any non-negative `w_ex`, and
///   [`init::rescale_to_radius`](crate::init::rescale_to_radius).
#[derive(Module, Debug)]
pub struct ColumnEi {
    /// W₊, `[d_input, d_output]`, ≥ 0.
    pub w_ex: Weight<2>,
    /// The diagonal of D, `[d_input]`. It never learns, and is part of the record.
    pub signs: Weight<1>,
    /// Bias b, `[d_output]`.
    pub bias: Option<Weight<1>>,
}

/// The weights of a [`ColumnEi`] circuit.
#[derive(Debug, Clone)]
pub struct ColumnEiWeights {
    /// W₊, `[d_input, d_output]`.
    pub w_ex: Tensor<2>,
    /// +1 for each excitatory input, −1 for each inhibitory input, `[d_input]`.
    pub signs: Tensor<1>,
    /// `[d_output]`.
    pub bias: Option<Tensor<1>>,
}

/// The options of a [`ColumnEi`] circuit.
///
/// The last n_i = ⌈N/(r+1)⌉ of N inputs inhibit, where r is `ratio`. The initial weights are exponential with
/// scale σ_e = [((2π−1)/2π)(n_e + n_e²/n_i)]^(−1/2) from the excitatory inputs and σ_i = (n_e/n_i) σ_e from
/// the inhibitory inputs, so that excitation and inhibition balance in the mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ColumnEiOptions {
    /// r, the number of excitatory inputs for each inhibitory input.
    pub ratio: f64,
    /// Whether there is a bias; it may have any sign and starts at 0.
    pub bias: bool,
}

impl Default for ColumnEiOptions {
    fn default() -> Self {
        Self {
            ratio: 9.0,
            bias: true,
        }
    }
}

impl Options for ColumnEiOptions {
    type Circuit = ColumnEi;

    fn build(
        &self,
        wiring: &Wiring,
        device: &Device,
        rng: &mut impl Rng,
    ) -> Result<ColumnEi, Error> {
        let column = Column::new(wiring, self.ratio)?;
        let w_ex = column.draw(wiring, rng)?;
        let weights = ColumnEiWeights {
            w_ex: init::matrix(w_ex, [wiring.inputs(), wiring.outputs], device),
            signs: Tensor::from_data(column.signs(wiring).as_slice(), device),
            bias: zero_bias(self.bias, wiring.outputs, device),
        };
        wired(weights, wiring, device)
    }
}

impl Circuit for ColumnEi {
    const NAME: &'static str = "ColumnEi";
    type Weights = ColumnEiWeights;

    fn from_weights(weights: ColumnEiWeights) -> Result<Self, Error> {
        let [d_input, d_output] = weights.w_ex.dims();
        check_shape("signs", weights.signs.dims(), [d_input])?;
        check_bias(&weights.bias, d_output)?;
        let signs = read::data(weights.signs.clone());
        if let Some(other) = signs.iter::<f64>().find(|sign| sign.abs() != 1.0) {
            let allowed = "1 (an input that excites) and -1 (one that inhibits)";
            return Err(Error::config("signs", other, allowed));
        }
        let signs = weights.signs.cast(weights.w_ex.dtype());
        of_one_type(Self {
            w_ex: weight(Role::Excitatory, weights.w_ex),
            signs: Weight::new(signs, Sign::Free, Plasticity::Fixed),
            bias: bias_weight(weights.bias),
        })
    }

    fn currents<const D: usize>(&self, x: Tensor<D>) -> Currents<D> {
        or_panic(check_last("x", x.dims(), self.sizes()[0]));
        let signs = self.signs.val();
        let of = |sign: f64| {
            let chosen = signs.clone().equal_elem(sign).float().cast(x.dtype());
            x.clone() * chosen.unsqueeze()
        };
        Currents {
            excitatory: excite(of(1.0), self.w_ex.val(), val(&self.bias)),
            subtractive: excite(of(-1.0), self.w_ex.val(), None),
            divisive: None,
        }
    }

    fn describe(&self, content: Content) -> Content {
        content
            .add("inhibitory", &self.inhibitory_inputs())
            .add("bias", &self.bias.is_some())
    }
}

impl ColumnEi {
    /// The number of inhibitory inputs. Their signs are read from the device.
    pub fn inhibitory_inputs(&self) -> usize {
        let signs = read::data(self.signs.val());
        signs.iter::<f64>().filter(|sign| *sign < 0.0).count()
    }

    /// The single matrix that is equivalent to the circuit without its bias, D W₊, `[d_input, d_output]`.
    #[must_use]
    pub fn effective_weights(&self) -> Tensor<2> {
        self.w_ex.val() * self.signs.val().unsqueeze_dim(1)
    }
}

impl sealed::Computes for ColumnEi {
    type Function<const D: usize> = EiFunction<D>;

    fn function_of<const D: usize>(&self, mut values: Values<D>) -> EiFunction<D> {
        EiFunction {
            w_ex: values.matrix() * values.vector().row().transpose(),
            inhibition: None,
            bias: self.bias.is_some().then(|| values.vector()),
            features: values.features,
        }
    }

    fn single_matrix(&self) -> Option<(Tensor<2>, Option<Tensor<1>>)> {
        Some((self.effective_weights(), val(&self.bias)))
    }

    weights!([w_ex], [signs, bias]);

    fn reads(role: Option<Role>) -> bool {
        role != Some(Role::Bias)
    }
}
