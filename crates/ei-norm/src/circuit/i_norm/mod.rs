//! I-Norm (Eyono et al. 2026) with explicit backward passes for the task's error and for the local loss.

mod function;
mod local_loss;
mod positions;
mod weights;

use burn::module::{Content, Module};
use burn::tensor::Tensor;

use super::values::Values;
use super::{
    Circuit, Currents, LearnsLocally, bias_weight, check_bias, check_inhibition, check_inhibitory,
    of_one_type, sealed, val, weight,
};
use crate::check::check_not_negative;
use crate::dale::{Plasticity, Role, Weight};
use crate::functional::{excite, inhibit, inhibitory_loss};
use crate::row_function::rows;
use crate::statistics::mean_square;
use crate::{Error, GradNorm};
use function::INormFunction;
use positions::joined;

pub use weights::{INormOptions, INormWeights, InhibitoryPlasticity, NormalizedOver};

/// A circuit of excitatory neurons that inhibition normalizes (Eyono et al. 2026, "I-Norm"):
///
/// ```text
/// a = x W_ex + b    s = (x W_ix) W_ei    q = sqrt((x U_ix)² U_ei + ε)    z = (a − s)/q
/// ```
///
/// The error that arrives at z is changed by the circuit's [`GradNorm`]. Squares are element by element; if
/// one overflows (x U_ix above 1.8e19 in f32), q is infinite and z is 0. If x is 0, z is b/sqrt(ε): where such
/// inputs are common, as the dark patches of images are, choose no bias or a larger ε.
///
/// The task's error treats s and q as constants and reaches only W_ex, b and x. The inhibitory weights learn
/// from a local loss, which the layer's `forward_with_local_loss` returns beside the output. With ẑ = (a −
/// s)/q and a held constant, this loss is the mean over examples of mean(ẑ)² + (var(ẑ) − 1)²; it reaches only
/// the inhibitory weights. Without divisive inhibition, q is 1 and the loss is the mean of mean(ẑ)².
///
/// W_ex, W_ix, W_ei and U_ei are ≥ 0; U_ix and b may have any sign. The choice of inhibitory matrices that
/// learn is part of the configuration: `unfreeze`, `train`, `fork` or a record do not change it.
#[derive(Module, Debug)]
pub struct INorm {
    /// Excitatory weights W_ex, `[d_input, d_output]`, ≥ 0.
    pub w_ex: Weight<2>,
    /// Weights W_ix of the subtractive inhibitory units, `[d_input, n_i]`, ≥ 0.
    pub w_ix: Weight<2>,
    /// Weights W_ei from the subtractive inhibitory units to the outputs, `[n_i, d_output]`, ≥ 0.
    pub w_ei: Weight<2>,
    /// Weights U_ix of the divisive inhibitory units, `[d_input, n_d]`, of any sign.
    pub u_ix: Option<Weight<2>>,
    /// Weights U_ei from the divisive inhibitory units to the outputs, `[n_d, d_output]`, ≥ 0.
    pub u_ei: Option<Weight<2>>,
    /// Bias b, `[d_output]`.
    pub bias: Option<Weight<1>>,
    /// Normalizes the error that arrives at the output.
    pub grad_norm: GradNorm,
    #[module(skip)]
    epsilon: f64,
    #[module(skip)]
    over: NormalizedOver,
}

impl Circuit for INorm {
    const NAME: &'static str = "INorm";
    type Weights = INormWeights;

    fn from_weights(weights: INormWeights) -> Result<Self, Error> {
        check_not_negative("epsilon", weights.epsilon)?;
        let sizes @ [_, d_output] = weights.w_ex.dims();
        let own_type = weights.w_ex.dtype();
        check_inhibition(["w_ix", "w_ei"], &weights.w_ix, &weights.w_ei, sizes)?;
        if let Some((u_ix, u_ei)) = &weights.divisive {
            check_inhibition(["u_ix", "u_ei"], u_ix, u_ei, sizes)?;
            check_inhibitory(u_ix)?;
        }
        check_inhibitory(&weights.w_ix)?;
        check_bias(&weights.bias, d_output)?;
        weights.grad_norm.check_features(d_output)?;
        let inhibitory = |role, value, learns| match learns {
            true => weight(role, value),
            false => weight(role, value).with_plasticity(Plasticity::Fixed),
        };
        let learns = weights.plasticity;
        let (u_ix, u_ei) = weights.divisive.unzip();
        of_one_type(Self {
            w_ex: weight(Role::Excitatory, weights.w_ex),
            w_ix: inhibitory(Role::InhibitoryIn, weights.w_ix, learns.w_ix),
            w_ei: inhibitory(Role::InhibitoryOut, weights.w_ei, learns.w_ei),
            u_ix: u_ix.map(|u_ix| inhibitory(Role::DivisiveIn, u_ix, learns.u_ix)),
            u_ei: u_ei.map(|u_ei| inhibitory(Role::DivisiveOut, u_ei, learns.u_ei)),
            bias: bias_weight(weights.bias),
            grad_norm: weights.grad_norm.in_type(own_type),
            epsilon: weights.epsilon,
            over: weights.over,
        })
    }

    /// The inhibitory currents treat x as a constant; errors at them reach only the inhibitory weights.
    fn currents<const D: usize>(&self, x: Tensor<D>) -> Currents<D> {
        let constant = x.clone().detach();
        let divisive = self.u_ix.as_ref().zip(self.u_ei.as_ref());
        let excitatory = excite(x, self.w_ex.val(), val(&self.bias));
        let subtractive = inhibit(constant.clone(), self.w_ix.val(), self.w_ei.val());
        Currents {
            subtractive: self.pooled(subtractive),
            excitatory,
            divisive: divisive.map(|(u_ix, u_ei)| {
                let drive = excite(constant, u_ix.val(), None);
                let power = match u_ei.uniform_value() {
                    // Every output has the same q: one number for each example.
                    Some(u) => mean_square(drive) * (u * u_ix.dims()[1] as f64),
                    None => excite(drive.square(), u_ei.val(), None),
                };
                (self.pooled(power) + self.epsilon).sqrt()
            }),
        }
    }

    /// z = (a − sg(s))/sg(q), sg = stop-gradient: the task's error passes only through the excitatory
    /// current.
    fn output<const D: usize>(&self, currents: &Currents<D>) -> Tensor<D> {
        let z = currents.excitatory.clone() - currents.subtractive.clone().detach();
        match &currents.divisive {
            Some(q) => z / q.clone().detach(),
            None => z,
        }
    }

    fn describe(&self, content: Content) -> Content {
        let divisive = self.u_ix.as_ref().map_or(0, |u_ix| u_ix.dims()[1]);
        let content = content
            .add("subtractive", &self.w_ix.dims()[1])
            .add("divisive", &divisive)
            .add("grad_norm", self.grad_norm.mode().name())
            .add("epsilon", &self.epsilon)
            .add("bias", &self.bias.is_some());
        match self.over {
            NormalizedOver::Features => content,
            over => content.add("over", format!("{over:?}").to_lowercase().as_str()),
        }
    }
}

impl LearnsLocally for INorm {
    /// The loss of ẑ = (sg(a) − s)/q: it reaches only the inhibitory weights.
    fn local_loss<const D: usize>(&self, currents: &Currents<D>) -> Tensor<1> {
        let z_hat = currents.excitatory.clone().detach() - currents.subtractive.clone();
        let z_hat = match &currents.divisive {
            Some(q) => z_hat / q.clone(),
            None => z_hat,
        };
        let divisive = currents.divisive.is_some();
        let examples = if D == 1 { 1 } else { z_hat.dims()[0] };
        match self.over {
            NormalizedOver::Example if z_hat.shape().num_elements() > 0 => {
                inhibitory_loss(joined::<2>(rows(z_hat), examples), divisive)
            }
            _ => inhibitory_loss(z_hat, divisive),
        }
    }
}

impl INorm {
    /// ε in q.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// The values that are normalized together.
    pub fn over(&self) -> NormalizedOver {
        self.over
    }

    /// If the rows of an example are normalized together: their mean, repeated for each row.
    fn pooled<const D: usize>(&self, current: Tensor<D>) -> Tensor<D> {
        let shape = current.dims();
        if self.over == NormalizedOver::Features || shape.contains(&0) {
            return current;
        }
        let mean = (1..D - 1).fold(current, |current, axis| current.mean_dim(axis));
        mean.expand(shape)
    }
}

impl sealed::Computes for INorm {
    type Function<const D: usize> = INormFunction<D>;

    fn function_of<const D: usize>(&self, values: Values<D>) -> INormFunction<D> {
        INormFunction::new(self, values).of_task()
    }

    weights!(
        [w_ex, w_ix, w_ei, u_ix, u_ei],
        [bias, grad_norm.lateral_weights]
    );

    fn same_form(&self, other: &Self) -> bool {
        let form = |circuit: &Self| (circuit.grad_norm.norm, circuit.epsilon, circuit.over);
        form(self) == form(other)
    }
}
