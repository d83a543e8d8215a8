use burn::linalg::svd;
use burn::module::{Content, DisplaySettings, Module, ModuleDisplay};
use burn::tensor::{Tensor, assert_shape};

use super::i_norm_config::InhibitoryPlasticity;
use super::{InputCheck, bias_param, check_shape, excitatory};
use crate::dale::{Plasticity, Role, Sign, Weight};
use crate::functional::{self, DivisiveOperands, INorm, INormOperands, mean_square};
use crate::{Error, GradNorm, context, init};

/// Given weights of an [`INormLinear`], taken as they are.
#[derive(Debug, Clone)]
pub struct INormWeights {
    /// Excitatory weights, `[d_input, d_output]`.
    pub w_ex: Tensor<2>,
    /// From the inputs to the subtractive inhibitory units, `[d_input, n_i]`.
    pub w_ix: Tensor<2>,
    /// From those to the outputs, `[n_i, d_output]`.
    pub w_ei: Tensor<2>,
    /// U_ix `[d_input, n_d]`, from the inputs to the divisive inhibitory units, and U_ei
    /// `[n_d, d_output]`, from those to the outputs; none where inhibition only subtracts.
    pub divisive: Option<(Tensor<2>, Tensor<2>)>,
    /// `[d_output]`.
    pub bias: Option<Tensor<1>>,
}

impl INormWeights {
    /// Weights of a layer whose inhibition only subtracts.
    pub fn subtractive(
        w_ex: Tensor<2>,
        w_ix: Tensor<2>,
        w_ei: Tensor<2>,
        bias: Option<Tensor<1>>,
    ) -> Self {
        Self {
            w_ex,
            w_ix,
            w_ei,
            divisive: None,
            bias,
        }
    }

    /// Adds divisive inhibition that starts out normalizing exactly, so that a layer with balanced
    /// subtraction equals LayerNorm(x W_ex + b) up to ε: with the thin singular value decomposition
    /// V S Uᵀ of W_ex − W_ix W_ei, U_ix = V S and U_ei = 1/d_output, which makes
    /// (x U_ix)² U_ei = ‖x (W_ex − W_ix W_ei)‖²/d_output.
    ///
    /// # Shapes
    ///
    /// - `u_ix`: `[d_input, n_d]`, `u_ei`: `[n_d, d_output]`, n_d = min(d_input, d_output)
    ///
    /// # Panics
    ///
    /// If the shapes do not fit each other.
    pub fn balanced(
        w_ex: Tensor<2>,
        w_ix: Tensor<2>,
        w_ei: Tensor<2>,
        bias: Option<Tensor<1>>,
    ) -> Self {
        /// Far more than the QR iteration needs (2 or 3 sweeps a singular value).
        const SWEEPS: usize = 100;
        let [_, d_output] = w_ex.dims();
        let constant = |w: &Tensor<2>| w.clone().inner();
        let effective = constant(&w_ex) - constant(&w_ix).matmul(constant(&w_ei));
        let (v, s, _) = svd::<2, 1>(effective, SWEEPS);
        let u_ix = v * s.unsqueeze();
        let n_d = u_ix.dims()[1];
        let options = (&w_ex.device(), w_ex.dtype());
        let u_ei = Tensor::full([n_d, d_output], 1.0 / d_output as f64, options);
        Self {
            divisive: Some((context::associate(u_ix, &w_ex), u_ei)),
            ..Self::subtractive(w_ex, w_ix, w_ei, bias)
        }
    }
}

/// A linear layer of excitatory neurons that inhibition normalizes (Eyono et al. 2026, "I-Norm"):
///
// a = x W_ex + b, s = (x W_ix) W_ei, q = sqrt((x U_ix)² U_ei + ε), z = (a − s)/q
#[doc = include_str!("../../equations/i_norm.html")]
///
/// and the error that arrives at z is changed by the layer's [`GradNorm`].
///
/// The task's error sees s and q as constants and reaches W_ex, b and x only. The inhibitory weights
/// learn from a loss of their own, which
/// [`forward_with_local_loss`](Self::forward_with_local_loss) returns beside the output and which
/// reaches nothing else: with ẑ = (a − s)/q and a held constant, the batch mean of
/// mean(ẑ)² + (var(ẑ) − 1)². Without divisive inhibition q is 1 and the loss mean(ẑ)².
///
/// W_ex, W_ix, W_ei and U_ei are ≥ 0; U_ix and b are free. Which inhibitory matrices learn is part of
/// the configuration: no `unfreeze`, `train`, `fork` or record changes it.
///
/// Should be created with [`INormLinearConfig`](super::INormLinearConfig), or from given weights
/// with [`from_weights`](Self::from_weights).
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct INormLinear {
    /// Excitatory weights W_ex, `[d_input, d_output]`, ≥ 0.
    pub w_ex: Weight<2>,
    /// Weights W_ix of the subtractive inhibitory units, `[d_input, n_i]`, ≥ 0.
    pub w_ix: Weight<2>,
    /// Weights W_ei from those to the outputs, `[n_i, d_output]`, ≥ 0.
    pub w_ei: Weight<2>,
    /// Weights U_ix of the divisive inhibitory units, `[d_input, n_d]`, free.
    pub u_ix: Option<Weight<2>>,
    /// Weights U_ei from those to the outputs, `[n_d, d_output]`, ≥ 0.
    pub u_ei: Option<Weight<2>>,
    /// Bias b, `[d_output]`.
    pub bias: Option<Weight<1>>,
    /// Whether inputs are checked; off by default.
    #[module(skip)]
    pub input_check: InputCheck,
    /// Normalizes the error that arrives at the output.
    pub grad_norm: GradNorm,
    #[module(skip)]
    epsilon: f64,
}

/// What an [`INormLinear`] computes its output from: z = (excitatory − subtractive)/divisive.
#[derive(Debug, Clone)]
pub struct INormCurrents<const D: usize> {
    /// a = x W_ex + b, `[..., d_output]`.
    pub excitatory: Tensor<D>,
    /// s = (x W_ix) W_ei, `[..., d_output]`.
    pub subtractive: Tensor<D>,
    /// q, `[..., d_output]`, or `[..., 1]` where it is one number an example; none where inhibition
    /// only subtracts.
    pub divisive: Option<Tensor<D>>,
}

impl<const D: usize> INormCurrents<D> {
    /// z = (a − sg(s))/sg(q): the task's error passes through the excitatory current only.
    ///
    /// # Shapes
    ///
    /// - result: `[..., d_output]`
    pub fn output(&self) -> Tensor<D> {
        let z = self.excitatory.clone() - self.subtractive.clone().detach();
        match &self.divisive {
            Some(q) => z / q.clone().detach(),
            None => z,
        }
    }

    /// The loss of ẑ = (sg(a) − s)/q: it reaches the inhibitory weights only.
    ///
    /// # Shapes
    ///
    /// - result: `[1]`
    pub fn local_loss(self) -> Tensor<1> {
        let z_hat = self.excitatory.detach() - self.subtractive;
        match self.divisive {
            Some(q) => functional::inhibitory_loss(z_hat / q, true),
            None => functional::inhibitory_loss(z_hat, false),
        }
    }
}

impl INormLinear {
    /// A layer with these weights, signs unchecked (see [`dale::check`](crate::dale::check)).
    ///
    /// # Errors
    ///
    /// If the shapes do not fit each other or `grad_norm`, or ε is negative or not finite.
    pub fn from_weights(
        weights: INormWeights,
        grad_norm: GradNorm,
        plasticity: Option<InhibitoryPlasticity>,
        epsilon: f64,
    ) -> Result<Self, Error> {
        init::check_not_negative("epsilon", epsilon)?;
        let [d_input, d_output] = weights.w_ex.dims();
        let n_i = weights.w_ix.dims()[1];
        check_shape("w_ix", &weights.w_ix, [d_input, n_i])?;
        check_shape("w_ei", &weights.w_ei, [n_i, d_output])?;
        if let Some((u_ix, u_ei)) = &weights.divisive {
            let n_d = u_ix.dims()[1];
            check_shape("u_ix", u_ix, [d_input, n_d])?;
            check_shape("u_ei", u_ei, [n_d, d_output])?;
        }
        if let Some(bias) = &weights.bias {
            check_shape("bias", bias, [d_output])?;
        }
        if grad_norm.features() != d_output {
            return Err(Error::Shape {
                parameter: "grad_norm",
                found: vec![grad_norm.features()],
                expected: vec![d_output],
            });
        }
        let learns = plasticity
            .unwrap_or_else(|| InhibitoryPlasticity::of_paper(weights.divisive.is_some()));
        let weight = |value, sign, role, plastic| {
            let plasticity = match plastic {
                true => Plasticity::Plastic,
                false => Plasticity::Fixed,
            };
            Weight::new(value, sign, plasticity).with_role(role)
        };
        const POSITIVE: Sign = Sign::NonNegative;
        let (u_ix, u_ei) = weights.divisive.unzip();
        Ok(Self {
            w_ex: excitatory(weights.w_ex),
            w_ix: weight(weights.w_ix, POSITIVE, Role::InhibitoryIn, learns.w_ix),
            w_ei: weight(weights.w_ei, POSITIVE, Role::InhibitoryOut, learns.w_ei),
            u_ix: u_ix.map(|u_ix| weight(u_ix, Sign::Free, Role::DivisiveIn, learns.u_ix)),
            u_ei: u_ei.map(|u_ei| weight(u_ei, POSITIVE, Role::DivisiveOut, learns.u_ei)),
            bias: bias_param(weights.bias),
            input_check: InputCheck::default(),
            grad_norm,
            epsilon,
        })
    }

    /// The same layer, with a check that its inputs are ≥ 0; `name` is what an error calls it.
    pub fn with_input_check(self, name: &str) -> Self {
        Self {
            input_check: InputCheck::named(name),
            ..self
        }
    }

    /// Applies the layer. Inhibition does not learn from this alone; see
    /// [`forward_with_local_loss`](Self::forward_with_local_loss).
    ///
    /// # Shapes
    ///
    /// - `x`: `[..., d_input]`
    /// - result: `[..., d_output]`
    ///
    /// # Panics
    ///
    /// If the last axis of `x` is not `d_input`, or a [check](InputCheck) finds a negative input.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.grad_norm.forward(self.apply(x).output)
    }

    /// Applies the layer and returns, beside the output, the loss that its inhibitory weights learn
    /// from, to be added to the task's: `loss = task + lambda * local`. It is 0 if there are no
    /// examples.
    ///
    /// # Shapes
    ///
    /// - `x`: `[..., d_input]`
    /// - output: `[..., d_output]`, local loss: `[1]`
    ///
    /// # Panics
    ///
    /// If the last axis of `x` is not `d_input`, or a [check](InputCheck) finds a negative input.
    pub fn forward_with_local_loss<const D: usize>(&self, x: Tensor<D>) -> (Tensor<D>, Tensor<1>) {
        let INorm { output, local } = self.apply(x);
        (self.grad_norm.forward(output), local.compute())
    }

    fn apply<const D: usize>(&self, x: Tensor<D>) -> INorm<D> {
        let [d_input, _] = self.w_ex.dims();
        assert_shape!(x, [.., d_input]);
        self.input_check.assert(&x);
        functional::i_norm(x, self.operands(), self.epsilon)
    }

    /// The weights to compute with.
    pub(crate) fn operands(&self) -> INormOperands {
        let divisive = self.u_ix.as_ref().zip(self.u_ei.as_ref());
        INormOperands {
            w_ex: self.w_ex.value(),
            w_ix: self.w_ix.value(),
            w_ei: self.w_ei.value(),
            divisive: divisive.map(|(u_ix, u_ei)| DivisiveOperands {
                u_ix: u_ix.value(),
                u_ei: u_ei.value(),
                uniform: u_ei.uniform_value(),
            }),
            bias: self.bias.as_ref().map(Weight::value),
        }
    }

    /// The excitatory current and the two kinds of inhibition for a batch. The inhibitory ones
    /// depend on the inhibitory weights alone: x counts as a constant there.
    ///
    /// # Shapes
    ///
    /// - `x`: `[..., d_input]`
    /// - currents: `[..., d_output]`
    ///
    /// # Panics
    ///
    /// If the last axis of `x` is not `d_input`, or a [check](InputCheck) finds a negative input.
    pub fn currents<const D: usize>(&self, x: Tensor<D>) -> INormCurrents<D> {
        let [d_input, _] = self.w_ex.dims();
        assert_shape!(x, [.., d_input]);
        self.input_check.assert(&x);
        let constant = x.clone().detach();
        let bias = self.bias.as_ref().map(Weight::value);
        let divisive = self.u_ix.as_ref().zip(self.u_ei.as_ref());
        INormCurrents {
            excitatory: functional::excite(x, self.w_ex.value(), bias),
            subtractive: functional::inhibit(
                constant.clone(),
                self.w_ix.value(),
                self.w_ei.value(),
            ),
            divisive: divisive.map(|(u_ix, u_ei)| {
                let drive = functional::excite(constant, u_ix.value(), None);
                let n_d = u_ix.dims()[1];
                let power = match u_ei.uniform_value() {
                    // Every output has the same q: one number an example.
                    Some(u) => mean_square(drive) * (u * n_d as f64),
                    None => functional::excite(drive.square(), u_ei.value(), None),
                };
                (power + self.epsilon).sqrt()
            }),
        }
    }

    /// ε.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }
}

impl ModuleDisplay for INormLinear {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new()
            .with_new_line_after_attribute(false)
            .optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let [d_input, d_output] = self.w_ex.dims();
        let divisive = self.u_ix.as_ref().map_or(0, |u_ix| u_ix.dims()[1]);
        content
            .add("d_input", &d_input)
            .add("d_output", &d_output)
            .add("subtractive", &self.w_ix.dims()[1])
            .add("divisive", &divisive)
            .add("error_norm", self.grad_norm.mode().name())
            .add("bias", &self.bias.is_some())
            .optional()
    }
}
