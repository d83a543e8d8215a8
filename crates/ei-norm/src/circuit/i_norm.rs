//! I-Norm (Eyono et al. 2026) with its two backward passes written out.

use burn::backend::DispatchTensor;
use burn::module::{Content, Module};
use burn::tensor::{Device, Tensor};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{
    Circuit, Currents, LearnsLocally, Options, Wiring, bias_weight, check_bias, check_inhibition,
    excitatory, no_inhibition, sealed, tensors, val, zero_bias,
};
use crate::autodiff::{Errors, attach, is_listed};
use crate::dale::{Plasticity, Role, Sign, Weight};
use crate::functional::{excite, inhibit, inhibitory_loss};
use crate::init::{self, EiInitializer, Inhibitory};
use crate::matmul::{add_product, product};
use crate::row_function::{Activity, Pass, RowFunction, add_bias, exactly, rows, sum_over_rows};
use crate::statistics::{mean, mean_square, variance};
use crate::{Error, GradNorm, GradNormConfig, GradNormMode, context};

/// A circuit of excitatory neurons that inhibition normalizes (Eyono et al. 2026, "I-Norm"):
///
/// ```text
/// a = x W_ex + b    s = (x W_ix) W_ei    q = sqrt((x U_ix)² U_ei + ε)    z = (a − s)/q
/// ```
///
/// and the error that arrives at z is changed by the circuit's [`GradNorm`]. Squares are element by
/// element.
///
/// The task's error sees s and q as constants and reaches W_ex, b and x only. The inhibitory weights
/// learn from a loss of their own, which the layer's `forward_with_local_loss` returns beside the output
/// and which reaches nothing else: with ẑ = (a − s)/q and a held constant, the mean over examples of
/// mean(ẑ)² + (var(ẑ) − 1)². Without divisive inhibition q is 1 and the loss mean(ẑ)².
///
/// W_ex, W_ix, W_ei and U_ei are ≥ 0; U_ix and b are free. Which inhibitory matrices learn is part of
/// the configuration: no `unfreeze`, `train`, `fork` or record changes it.
#[derive(Module, Debug)]
pub struct INorm {
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
    /// Normalizes the error that arrives at the output.
    pub grad_norm: GradNorm,
    #[module(skip)]
    epsilon: f64,
    #[module(skip)]
    over: NormalizedOver,
}

/// What is normalized together, where an example has more than one row: the positions of an image, or
/// other axes between the first and the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NormalizedOver {
    /// The features of each row by themselves: of an image the channels of each position.
    #[default]
    Features,
    /// All rows of an example together, as LayerNorm over `[channels, height, width]`: of an image the
    /// whole map. The inhibitory units then pool: s is that of the mean h = x W_ix over the positions,
    /// and q is made of the mean of (x U_ix)² U_ei over them. The steps of a recurrent layer are always
    /// normalized one by one. At the start q lacks the variance between the positions; the local loss
    /// teaches it.
    Example,
}

/// Given weights of an [`INorm`] circuit.
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
    /// What happens to the error at the output.
    pub grad_norm: GradNorm,
    /// Which inhibitory matrices learn.
    pub plasticity: InhibitoryPlasticity,
    /// ε in q.
    pub epsilon: f64,
    /// What is normalized together.
    pub over: NormalizedOver,
}

impl INormWeights {
    /// Weights of a circuit whose inhibition only subtracts. Errors pass as they are, inhibition learns as
    /// in the paper, and ε is 1e-5: change the fields where something else is wanted.
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

    /// The same with divisive inhibition that starts out normalizing exactly: U_ix = W_ex − W_ix W_ei and
    /// U_ei = 1/d_output, which make (x U_ix)² U_ei = ‖x (W_ex − W_ix W_ei)‖²/d_output. So where
    /// subtraction balances x W_ex and the bias is constant, the output is LayerNorm(x W_ex) up to ε.
    ///
    /// The paper takes the factor V S of the singular value decomposition V S Uᵀ of that matrix for U_ix.
    /// It is this U_ix in other coordinates of the inhibitory units; as long as U_ei is uniform, plain
    /// gradient descent learns the same in both.
    ///
    /// # Shapes
    ///
    /// - `u_ix`: `[d_input, d_output]`, `u_ei`: `[d_output, d_output]`
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
        let [_, d_output] = w_ex.dims();
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
    /// W_ei, from those to the outputs.
    pub w_ei: bool,
    /// U_ix, from the inputs to the divisive inhibitory units.
    pub u_ix: bool,
    /// U_ei, from those to the outputs.
    pub u_ei: bool,
}

impl InhibitoryPlasticity {
    /// What the paper does: W_ix and U_ix learn; W_ix and W_ei where inhibition only subtracts.
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
    /// The subtractive inhibitory units: a count, or a fraction of the outputs. At least 1.
    pub inhibitory: Inhibitory,
    /// Whether there is a bias; it is free of sign and starts at 0.
    pub bias: bool,
    /// The distribution of the initial weights; in a recurrent layer lognormal or exponential.
    pub initializer: EiInitializer,
    /// Whether inhibition also divides; if not, it only subtracts (q = 1).
    pub divisive: bool,
    /// How the error that arrives at the output is normalized; in full if nothing else is said.
    pub grad_norm: GradNormMode,
    /// Which inhibitory matrices learn; none given = as in the paper
    /// ([`InhibitoryPlasticity::of_paper`]).
    pub plasticity: Option<InhibitoryPlasticity>,
    /// ε in q and in the normalization of errors.
    pub epsilon: f64,
    /// What is normalized together, activity and errors.
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
        let n_i = self.inhibitory.units(wiring.outputs)?;
        let draw = self.initializer.draw(wiring, n_i, rng)?;
        let (w_ex, inhibition) = tensors(draw.with_shared_inhibition(), device);
        let (w_ix, w_ei) = inhibition.ok_or_else(no_inhibition)?;
        let bias = zero_bias(self.bias, wiring.outputs, device);
        let weights = match self.divisive {
            true => INormWeights::balanced(w_ex, w_ix, w_ei, bias),
            false => INormWeights::subtractive(w_ex, w_ix, w_ei, bias),
        };
        let grad_norm = GradNormConfig::new(wiring.outputs)
            .with_mode(self.grad_norm)
            .with_epsilon(self.epsilon);
        let mut circuit = INorm::from_weights(INormWeights {
            grad_norm: grad_norm.try_init_with(device, rng)?,
            plasticity: self.plasticity.unwrap_or(weights.plasticity),
            epsilon: self.epsilon,
            over: self.over,
            ..weights
        })?;
        if let Some(mask) = wiring.without_autapses(device) {
            circuit.w_ex.set_mask(mask)?;
        }
        Ok(circuit)
    }
}

impl Circuit for INorm {
    const NAME: &'static str = "INorm";
    type Weights = INormWeights;

    fn from_weights(weights: INormWeights) -> Result<Self, Error> {
        init::check_not_negative("epsilon", weights.epsilon)?;
        let sizes @ [_, d_output] = weights.w_ex.dims();
        check_inhibition(["w_ix", "w_ei"], &weights.w_ix, &weights.w_ei, sizes)?;
        if let Some((u_ix, u_ei)) = &weights.divisive {
            check_inhibition(["u_ix", "u_ei"], u_ix, u_ei, sizes)?;
        }
        check_bias(&weights.bias, d_output)?;
        weights.grad_norm.check_features(d_output)?;
        let weight = |value, sign, role, learns| {
            let plasticity = match learns {
                true => Plasticity::Plastic,
                false => Plasticity::Fixed,
            };
            Weight::new(value, sign, plasticity).with_role(role)
        };
        const POSITIVE: Sign = Sign::NonNegative;
        let learns = weights.plasticity;
        let (u_ix, u_ei) = weights.divisive.unzip();
        Ok(Self {
            w_ex: excitatory(weights.w_ex),
            w_ix: weight(weights.w_ix, POSITIVE, Role::InhibitoryIn, learns.w_ix),
            w_ei: weight(weights.w_ei, POSITIVE, Role::InhibitoryOut, learns.w_ei),
            u_ix: u_ix.map(|u_ix| weight(u_ix, Sign::Free, Role::DivisiveIn, learns.u_ix)),
            u_ei: u_ei.map(|u_ei| weight(u_ei, POSITIVE, Role::DivisiveOut, learns.u_ei)),
            bias: bias_weight(weights.bias),
            grad_norm: weights.grad_norm,
            epsilon: weights.epsilon,
            over: weights.over,
        })
    }

    fn sizes(&self) -> [usize; 2] {
        self.w_ex.dims()
    }

    /// The inhibitory currents depend on the inhibitory weights alone: x counts as a constant there.
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
                    // Every output has the same q: one number an example.
                    Some(u) => mean_square(drive) * (u * u_ix.dims()[1] as f64),
                    None => excite(drive.square(), u_ei.val(), None),
                };
                (self.pooled(power) + self.epsilon).sqrt()
            }),
        }
    }

    /// z = (a − sg(s))/sg(q): the task's error passes through the excitatory current only.
    fn output<const D: usize>(&self, currents: &Currents<D>) -> Tensor<D> {
        let z = currents.excitatory.clone() - currents.subtractive.clone().detach();
        match &currents.divisive {
            Some(q) => z / q.clone().detach(),
            None => z,
        }
    }

    fn describe(&self, content: Content) -> Content {
        let divisive = self.u_ix.as_ref().map_or(0, |u_ix| u_ix.dims()[1]);
        content
            .add("subtractive", &self.w_ix.dims()[1])
            .add("divisive", &divisive)
            .add("grad_norm", self.grad_norm.mode().name())
            .add("bias", &self.bias.is_some())
    }
}

impl LearnsLocally for INorm {
    /// The loss of ẑ = (sg(a) − s)/q: it reaches the inhibitory weights only.
    fn local_loss<const D: usize>(&self, currents: &Currents<D>) -> Tensor<1> {
        let z_hat = currents.excitatory.clone().detach() - currents.subtractive.clone();
        let (z_hat, divisive) = match &currents.divisive {
            Some(q) => (z_hat / q.clone(), true),
            None => (z_hat, false),
        };
        match (self.over, z_hat.dims()[0]) {
            (NormalizedOver::Example, examples @ 1..) => {
                inhibitory_loss(joined(rows(z_hat), examples), divisive)
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

    /// What is normalized together.
    pub fn over(&self) -> NormalizedOver {
        self.over
    }

    /// For each row the mean over the rows of its example, where these are normalized together.
    fn pooled<const D: usize>(&self, current: Tensor<D>) -> Tensor<D> {
        let shape = current.dims();
        if self.over == NormalizedOver::Features || shape.contains(&0) {
            return current;
        }
        let mean = (1..D - 1).fold(current, |current, axis| current.mean_dim(axis));
        mean.expand(shape)
    }

    /// For rows of which so many belong to an example.
    fn function_of(&self, positions: usize) -> INormFunction {
        let divisive = self.u_ix.as_ref().zip(self.u_ei.as_ref());
        INormFunction {
            w_ex: self.w_ex.val(),
            w_ix: self.w_ix.val(),
            w_ei: self.w_ei.val(),
            divisive: divisive.map(|(u_ix, u_ei)| Divisive {
                u_ix: u_ix.val(),
                u_ei: u_ei.val(),
                uniform: u_ei.uniform_value(),
            }),
            bias: val(&self.bias),
            grad_norm: self.grad_norm.valid(),
            epsilon: self.epsilon,
            positions,
        }
    }
}

impl sealed::Computes for INorm {
    type Function = INormFunction;

    fn function(&self, rows: usize, examples: usize) -> INormFunction {
        let positions = match self.over {
            NormalizedOver::Example if examples > 0 => rows / examples,
            _ => 1,
        };
        let function = self.function_of(positions);
        // Inhibition is a constant to the task's error.
        INormFunction {
            w_ex: function.w_ex.clone(),
            bias: function.bias.clone(),
            ..function.inner()
        }
    }
}

/// z = (a − s)/q, with s and q as constants: the error δ at z sends back δ/q to a, and from there to x,
/// W_ex and b.
#[derive(Debug, Clone)]
pub struct INormFunction {
    w_ex: Tensor<2>,
    w_ix: Tensor<2>,
    w_ei: Tensor<2>,
    divisive: Option<Divisive>,
    bias: Option<Tensor<1>>,
    grad_norm: GradNorm,
    epsilon: f64,
    /// The rows that are normalized together.
    positions: usize,
}

/// What divides.
#[derive(Debug, Clone)]
struct Divisive {
    u_ix: Tensor<2>,
    u_ei: Tensor<2>,
    /// The value of every element of U_ei if they are the same and do not learn: then q is one number
    /// an example.
    uniform: Option<f64>,
}

impl Divisive {
    /// d² U_ei of the drive d = x U_ix: `[rows, d_output]` or, if U_ei is uniform, `[rows, 1]`.
    fn power(&self, drive: Tensor<2>) -> Tensor<2> {
        let [_, n_d] = drive.dims();
        match self.uniform {
            Some(u) => mean_square(drive) * (u * n_d as f64),
            None => product(drive.square(), self.u_ei.clone()),
        }
    }
}

impl RowFunction for INormFunction {
    fn readers(&self) -> Vec<Tensor<2>> {
        let u_ix = self.divisive.as_ref().map(|divisive| divisive.u_ix.clone());
        [self.w_ex.clone(), self.w_ix.clone()]
            .into_iter()
            .chain(u_ix)
            .collect()
    }

    fn open(&self) -> usize {
        1
    }

    fn others(&self) -> Vec<DispatchTensor> {
        let bias = self.bias.clone().map(Tensor::into_dispatch);
        bias.into_iter().collect()
    }

    fn inner(self) -> Self {
        Self {
            w_ex: self.w_ex.inner(),
            w_ix: self.w_ix.inner(),
            w_ei: self.w_ei.inner(),
            divisive: self.divisive.map(|divisive| Divisive {
                u_ix: divisive.u_ix.inner(),
                u_ei: divisive.u_ei.inner(),
                ..divisive
            }),
            bias: self.bias.map(Tensor::inner),
            ..self
        }
    }

    /// Keeps z, x W_ix and, where inhibition divides, x U_ix and q. Where rows are normalized together,
    /// x W_ix is their mean, and q the same for all of them.
    fn activate(&self, drives: Vec<Tensor<2>>) -> Activity {
        let positions = self.positions;
        let balance = |a, h: &Tensor<2>| {
            let a = add_bias(a, &self.bias);
            match positions {
                1 => add_product(a, -1.0, h.clone(), self.w_ei.clone()),
                _ => a - spread(product(h.clone(), self.w_ei.clone()), positions),
            }
        };
        match &self.divisive {
            Some(divisive) => {
                let [a, h, drive] = exactly(drives);
                let h = pooled(h, positions);
                let power = pooled(divisive.power(drive.clone()), positions);
                let q = spread((power + self.epsilon).sqrt(), positions);
                let z = balance(a, &h) / q.clone();
                Activity {
                    z: z.clone(),
                    kept: vec![z, h, drive, q],
                }
            }
            None => {
                let [a, h] = exactly(drives);
                let h = pooled(h, positions);
                let z = balance(a, &h);
                Activity {
                    z: z.clone(),
                    kept: vec![z, h],
                }
            }
        }
    }

    fn normalize_error(&self, kept: &[Tensor<2>], delta: Tensor<2>) -> Tensor<2> {
        let z = kept[0].clone();
        let (shape, positions) = (delta.dims(), self.positions);
        if positions == 1 {
            return self.grad_norm.apply(z, delta);
        }
        let join = |rows| joined(rows, shape[0] / positions);
        let delta = self.grad_norm.apply_joined(join(z), join(delta), positions);
        delta.reshape(shape)
    }

    fn normalizes_errors(&self) -> bool {
        self.grad_norm.mode() != GradNormMode::Identity
    }

    fn to_drives(
        &self,
        kept: &[Tensor<2>],
        delta: &Tensor<2>,
        _wanted: &[bool],
    ) -> Vec<Option<Tensor<2>>> {
        let delta = delta.clone();
        vec![Some(match kept.get(3) {
            Some(q) => delta / q.clone(),
            None => delta,
        })]
    }

    fn to_others(
        &self,
        _kept: &[Tensor<2>],
        _delta: &Tensor<2>,
        at_drives: &[Option<Tensor<2>>],
        wanted: &[bool],
    ) -> Errors {
        let at_a = at_drives[0].clone();
        let bias = |wanted: &bool| {
            let at_a = at_a.clone().filter(|_| *wanted)?;
            Some(sum_over_rows(at_a).into_dispatch())
        };
        wanted.iter().map(bias).collect()
    }
}

impl sealed::HasLocalLoss for INorm {
    /// The mean over the rows that count of m² + (v − 1)², m and v the mean and variance of a row of ẑ, or
    /// of m² where nothing divides; 0 if there are no rows. It reaches the inhibitory weights only.
    ///
    /// With D outputs, B rows and an upstream error λ, dL/dẑ = α + β ẑ where β = 4 λ (v − 1)/(B D) and
    /// α = 2 λ m/(B D) − β m. From there it goes to s by −1/q and to q by −ẑ/q.
    ///
    /// # Shapes
    ///
    /// - result: `[1]`
    fn local_loss_of(&self, pass: Pass) -> Tensor<1> {
        let Pass {
            inputs,
            kept,
            counts,
        } = pass;
        let Some(z) = kept.first().filter(|z| z.dims()[0] > 0).cloned() else {
            let zero = Tensor::zeros([1], (&inputs.device(), inputs.dtype()));
            return context::associate(zero, &self.w_ix.base());
        };
        // What the rows of a pass were made with is seen from x W_ix.
        let positions = z.dims()[0] / kept[1].dims()[0];
        let function = self.function_of(positions);
        let [examples, _] = kept[1].dims();
        let z = joined(z, examples);
        let is_divisive = function.divisive.is_some();
        let (first, second) = (mean(z.clone()), variance(z.clone()));
        let loss = first.clone().square();
        let loss = match is_divisive {
            true => loss + (second.clone() - 1.0).square(),
            false => loss,
        };
        let [rows, features] = z.dims();
        // The weight of each row in the mean.
        let (loss, share) = match &counts {
            None => (loss.mean(), None),
            Some(counts) => {
                let total = counts.clone().sum().clamp_min(1.0).unsqueeze::<2>();
                let share = counts.clone() / total;
                ((loss * share.clone()).sum(), Some(share))
            }
        };
        let u = |of: fn(&Divisive) -> &Tensor<2>| function.divisive.as_ref().map(of).cloned();
        let weights = [
            Some(function.w_ix.clone()),
            Some(function.w_ei.clone()),
            u(|d| &d.u_ix),
            u(|d| &d.u_ei),
        ];
        if !is_listed(&function.w_ix) {
            return self.local_loss_in_operations(inputs, counts, examples);
        }
        let parents = weights.into_iter().flatten().map(Tensor::into_dispatch);
        let function = function.inner();
        attach(
            loss,
            parents.collect(),
            move |upstream: Tensor<1>, wanted| {
                let scale = upstream.unsqueeze::<2>();
                let scale = match &share {
                    None => scale / (rows * features) as f64,
                    Some(share) => share.clone() * scale / features as f64,
                };
                let alpha = first.clone() * scale.clone() * 2.0;
                let back = |inputs| Back { inputs, wanted };
                let subtractive = |to_s: Tensor<2>| {
                    let to_s = gathered(to_s, positions);
                    let inputs = pooled(inputs.clone(), positions);
                    back(inputs).subtractive(&kept[1], &function.w_ei, to_s)
                };
                let (Some(divisive), [_, _, drive, q]) = (&function.divisive, &kept[..]) else {
                    return subtractive(-alpha.expand([rows, features])).into();
                };
                let q = match divisive.uniform {
                    // q is as narrow as α and β: one pass over ẑ less.
                    Some(_) => joined(q.clone(), examples).narrow(1, 0, 1),
                    None => joined(q.clone(), examples),
                };
                let beta = (second.clone() - 1.0) * scale * 4.0;
                let alpha = alpha - beta.clone() * first.clone();
                let to_s = match divisive.uniform {
                    Some(_) => {
                        -(z.clone() * (beta.clone() / q.clone()) + alpha.clone() / q.clone())
                    }
                    None => -(z.clone() * beta.clone() + alpha.clone()) / q.clone(),
                };
                let of_u = match divisive.uniform {
                    Some(u) => {
                        let second_moment = second.clone() + first.clone().square();
                        let along = alpha * first.clone() + beta * second_moment;
                        let to_power = -along * features as f64 / q.square() * 0.5;
                        back(inputs.clone()).uniform(drive, u, shared(to_power, positions))
                    }
                    None => {
                        let to_power = gathered(to_s.clone() * z.clone() / q * 0.5, positions);
                        let to_power = shared(to_power, positions);
                        back(inputs.clone()).general(drive, &divisive.u_ei, to_power)
                    }
                };
                subtractive(to_s).into_iter().chain(of_u).collect()
            },
        )
    }
}

/// Rows of so many examples, those of an example joined: `[examples, rows of an example · features]`.
fn joined(rows: Tensor<2>, examples: usize) -> Tensor<2> {
    match rows.dims() {
        [count, _] if count == examples => rows,
        [count, features] => rows.reshape([examples, count / examples * features]),
    }
}

/// The mean over the positions of each example, `[examples, features]`.
fn pooled(rows: Tensor<2>, positions: usize) -> Tensor<2> {
    match (positions, rows.dims()) {
        (1, _) => rows,
        (_, [count, _]) => gathered(joined(rows, count / positions), positions) / positions as f64,
    }
}

/// The sum over the positions of joined rows, `[examples, features]`.
fn gathered(joined: Tensor<2>, positions: usize) -> Tensor<2> {
    match (positions, joined.dims()) {
        (1, _) => joined,
        (_, [examples, width]) => {
            let parts = joined.reshape([examples, positions, width / positions]);
            parts.sum_dim(1).squeeze_dim(1)
        }
    }
}

/// The same row for each position of an example, `[examples · positions, features]`.
fn spread(rows: Tensor<2>, positions: usize) -> Tensor<2> {
    match (positions, rows.dims()) {
        (1, _) => rows,
        (_, [examples, features]) => {
            let wide = rows.unsqueeze_dim::<3>(1);
            let wide = wide.expand([examples, positions, features]);
            wide.reshape([examples * positions, features])
        }
    }
}

/// An equal share for each position of an example.
fn shared(rows: Tensor<2>, positions: usize) -> Tensor<2> {
    match positions {
        1 => rows,
        _ => spread(rows, positions) / positions as f64,
    }
}

impl INorm {
    /// The local loss of the rows of so many examples in plain autodiff.
    fn local_loss_in_operations(
        &self,
        inputs: Tensor<2>,
        counts: Option<Tensor<2>>,
        examples: usize,
    ) -> Tensor<1> {
        let [count, features] = inputs.dims();
        let inputs = context::associate(inputs, &self.w_ix.base());
        let Some(counts) = counts else {
            let inputs = inputs.reshape([examples, count / examples, features]);
            return self.local_loss(&self.currents(inputs));
        };
        let currents = self.currents(inputs);
        let loss_of = |row: usize| {
            let currents = currents.clone().map(|current| current.narrow(0, row, 1));
            self.local_loss(&currents)
        };
        let losses = Tensor::cat((0..count).map(loss_of).collect(), 0);
        let counts = counts.squeeze_dim::<1>(1);
        (losses * counts.clone()).sum() / counts.sum().clamp_min(1.0)
    }
}

/// The last part of the way back, to the weights that want an error: W_ix, W_ei, U_ix, U_ei.
struct Back<'a> {
    inputs: Tensor<2>,
    wanted: &'a [bool],
}

impl Back<'_> {
    fn to_readers(&self, error: Tensor<2>) -> DispatchTensor {
        product(self.inputs.clone().transpose(), error).into_dispatch()
    }

    /// From the error at s = h W_ei.
    fn subtractive(
        &self,
        h: &Tensor<2>,
        w_ei: &Tensor<2>,
        to_s: Tensor<2>,
    ) -> [Option<DispatchTensor>; 2] {
        let to_h = || product(to_s.clone(), w_ei.clone().transpose());
        let to_w_ei = || product(h.clone().transpose(), to_s.clone()).into_dispatch();
        [
            self.wanted[0].then(|| self.to_readers(to_h())),
            self.wanted[1].then(to_w_ei),
        ]
    }

    /// From the error at the power u Σ d², d the drive; U_ei is a constant.
    fn uniform(
        &self,
        drive: &Tensor<2>,
        u: f64,
        to_power: Tensor<2>,
    ) -> [Option<DispatchTensor>; 2] {
        let to_u_ix = || self.to_readers(drive.clone() * (to_power * (2.0 * u)));
        [self.wanted[2].then(to_u_ix), None]
    }

    /// From the error at the power d² U_ei.
    fn general(
        &self,
        drive: &Tensor<2>,
        u_ei: &Tensor<2>,
        to_power: Tensor<2>,
    ) -> [Option<DispatchTensor>; 2] {
        let to_drive = || {
            let to_square = product(to_power.clone(), u_ei.clone().transpose());
            drive.clone() * to_square * 2.0
        };
        let to_u_ei =
            || product(drive.clone().square().transpose(), to_power.clone()).into_dispatch();
        [
            self.wanted[2].then(|| self.to_readers(to_drive())),
            self.wanted[3].then(to_u_ei),
        ]
    }
}
