//! The weights of an I-Norm circuit, and the options for new circuits.

use burn::tensor::{Device, Tensor};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::INorm;
use crate::check::{check, check_elements, or_panic};
use crate::circuit::{Options, Wiring, check_inhibition, no_inhibition, tensors, wired, zero_bias};
use crate::init::{EiInitializer, Inhibitory};
use crate::{Error, GradNorm, GradNormConfig, GradNormMode, context};

/// The values that are normalized together where an example has more than one row: the positions of an image,
/// or other axes between the first and the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NormalizedOver {
    /// The features of each row alone: for an image, the channels of each position.
    #[default]
    Features,
    /// All rows of an example together, as LayerNorm over `[channels, height, width]`: for an image, the
    /// whole map. The inhibitory units then pool: s is computed from the mean of h = x W_ix over the
    /// positions, and q from the mean of (x U_ix)² U_ei. The steps of a recurrent layer are always normalized one
    /// by one. Initially q lacks the variance between the positions; the local loss teaches it.
    Example,
}

/// The weights of an [`INorm`] circuit.
#[derive(Debug, Clone)]
pub struct INormWeights {
    /// Excitatory weights, `[d_input, d_output]`.
    pub w_ex: Tensor<2>,
    /// From the inputs to the subtractive inhibitory units, `[d_input, n_i]`.
    pub w_ix: Tensor<2>,
    /// From the subtractive inhibitory units to the outputs, `[n_i, d_output]`.
    pub w_ei: Tensor<2>,
    /// U_ix `[d_input, n_d]`, from the inputs to the divisive inhibitory units, and U_ei `[n_d, d_output]`,
    /// from the divisive units to the outputs; none where inhibition only subtracts.
    pub divisive: Option<(Tensor<2>, Tensor<2>)>,
    /// `[d_output]`.
    pub bias: Option<Tensor<1>>,
    /// How the error at the output is normalized.
    pub grad_norm: GradNorm,
    /// Which inhibitory matrices learn.
    pub plasticity: InhibitoryPlasticity,
    /// ε in q.
    pub epsilon: f64,
    /// The values that are normalized together.
    pub over: NormalizedOver,
}

impl INormWeights {
    /// Weights of a circuit whose inhibition only subtracts. Errors are not normalized, inhibition learns as
    /// in the paper, and ε is 1e-5; change the fields for other settings.
    pub fn subtractive(
        w_ex: Tensor<2>,
        w_ix: Tensor<2>,
        w_ei: Tensor<2>,
        bias: Option<Tensor<1>>,
    ) -> Self {
        let [_, d_output] = w_ex.dims();
        Self {
            w_ex,
            w_ix,
            w_ei,
            divisive: None,
            bias,
            grad_norm: GradNorm::identity(d_output),
            plasticity: InhibitoryPlasticity::of_paper(false),
            epsilon: 1e-5,
            over: NormalizedOver::Features,
        }
    }

    /// Weights with divisive inhibition that initially normalizes exactly: U_ix = W_ex − W_ix W_ei and U_ei =
    /// 1/d_output, which make (x U_ix)² U_ei = ‖x (W_ex − W_ix W_ei)‖²/d_output. If subtraction balances x
    /// W_ex and the bias is constant, the output is therefore LayerNorm(x W_ex) up to ε.
    ///
    /// The paper decomposes the matrix W_ex − W_ix W_ei into V S Uᵀ (singular value decomposition) and takes
    /// V S for U_ix. This is the same U_ix in other coordinates of the inhibitory units; as long as U_ei is
    /// uniform, plain gradient descent learns the same in both.
    ///
    /// # Shapes
    ///
    /// - `u_ix`: `[d_input, d_output]`, `u_ei`: `[d_output, d_output]`
    ///
    /// # Panics
    ///
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn balanced(
        w_ex: Tensor<2>,
        w_ix: Tensor<2>,
        w_ei: Tensor<2>,
        bias: Option<Tensor<1>>,
    ) -> Self {
        let sizes @ [_, d_output] = w_ex.dims();
        or_panic(check_inhibition(["w_ix", "w_ei"], &w_ix, &w_ei, sizes));
        let constant = |w: &Tensor<2>| w.clone().inner();
        let u_ix = constant(&w_ex) - constant(&w_ix).matmul(constant(&w_ei));
        let options = (&w_ex.device(), w_ex.dtype());
        let u_ei = Tensor::full([d_output, d_output], 1.0 / d_output as f64, options);
        Self {
            divisive: Some((context::associate(u_ix, &w_ex), u_ei)),
            plasticity: InhibitoryPlasticity::of_paper(true),
            ..Self::subtractive(w_ex, w_ix, w_ei, bias)
        }
    }
}

/// Which inhibitory matrices of an [`INorm`] circuit learn from its local loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InhibitoryPlasticity {
    /// W_ix, from the inputs to the subtractive inhibitory units.
    pub w_ix: bool,
    /// W_ei, from the subtractive inhibitory units to the outputs.
    pub w_ei: bool,
    /// U_ix, from the inputs to the divisive inhibitory units.
    pub u_ix: bool,
    /// U_ei, from the divisive inhibitory units to the outputs.
    pub u_ei: bool,
}

impl InhibitoryPlasticity {
    /// The choice of the paper: W_ix and U_ix learn; where inhibition only subtracts, W_ix and W_ei learn.
    pub fn of_paper(divisive: bool) -> Self {
        Self {
            w_ix: true,
            w_ei: !divisive,
            u_ix: divisive,
            u_ei: false,
        }
    }
}

/// The options of an [`INorm`] circuit. By default inhibition divides and the error is normalized in full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct INormOptions {
    /// The number of subtractive inhibitory units: a count, or a fraction of the outputs. At least 1.
    pub inhibitory: Inhibitory,
    /// Whether there is a bias; it may have any sign and starts at 0.
    pub bias: bool,
    /// The distribution of the initial weights; in a recurrent layer lognormal or exponential.
    pub initializer: EiInitializer,
    /// Whether inhibition also divides; if not, it only subtracts (q = 1).
    pub divisive: bool,
    /// How the error that arrives at the output is normalized; by default in full.
    pub grad_norm: GradNormMode,
    /// Which inhibitory matrices learn; by default as in the paper ([`InhibitoryPlasticity::of_paper`]).
    pub plasticity: Option<InhibitoryPlasticity>,
    /// ε in q and in the normalization of errors.
    pub epsilon: f64,
    /// The values (activities and errors) that are normalized together.
    pub over: NormalizedOver,
}

impl Default for INormOptions {
    fn default() -> Self {
        Self {
            inhibitory: Inhibitory::default(),
            bias: true,
            initializer: EiInitializer::default(),
            divisive: true,
            grad_norm: GradNormMode::Full,
            plasticity: None,
            epsilon: 1e-5,
            over: NormalizedOver::Features,
        }
    }
}

impl Options for INormOptions {
    type Circuit = INorm;

    fn build(&self, wiring: &Wiring, device: &Device, rng: &mut impl Rng) -> Result<INorm, Error> {
        // A single output would be normalized to 0.
        let [_, name] = wiring.names;
        check(wiring.outputs != 1, name, 1, "at least 2")?;
        let n_i = self.inhibitory.units_of(wiring)?;
        // U_ei is a square matrix.
        check_elements(&[wiring.outputs; 2])?;
        let draw = self.initializer.draw(wiring, n_i, false, rng)?;
        let (w_ex, inhibition) = tensors(draw, wiring, device);
        let (w_ix, w_ei) = inhibition.ok_or_else(no_inhibition)?;
        let bias = zero_bias(self.bias, wiring.outputs, device);
        let weights = match self.divisive {
            true => INormWeights::balanced(w_ex, w_ix, w_ei, bias),
            false => INormWeights::subtractive(w_ex, w_ix, w_ei, bias),
        };
        let grad_norm = GradNormConfig::new(wiring.outputs)
            .with_mode(self.grad_norm)
            .with_epsilon(self.epsilon);
        let weights = INormWeights {
            grad_norm: grad_norm.try_init_with(device, rng)?,
            plasticity: self.plasticity.unwrap_or(weights.plasticity),
            epsilon: self.epsilon,
            over: self.over,
            ..weights
        };
        wired(weights, wiring, device)
    }
}
