//! The computation of each kind of case with the library.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::module::Module;
use burn::tensor::{DType, Device, Gradients, Int, Tensor, TensorData};
use ei_norm::functional::normalize;
use ei_norm::grad::normalize_grad;
use ei_norm::metric::i_norm_alignment;
use ei_norm::{GradNormMode, INormLinear, INormWeights, InhibitoryPlasticity};
use luminosity::Learner;
use luminosity::optimizer::{LearningRates, Optimizer, OptimizerName};

use super::build::{parameters, parse_normalization, parse_rule, require};
use super::compare::Comparison;
use super::format::{Array, Case, CaseError, Value};

type Outcome = Result<(f64, String), CaseError>;

/// A case with its device and dtype.
pub(super) struct Scope<'a> {
    pub(super) case: &'a Case,
    plain: &'a Device,
    pub(super) autodiff: Device,
    dtype: DType,
    pub(super) epsilon: f64,
}

const EVERYTHING_LEARNS: InhibitoryPlasticity = InhibitoryPlasticity {
    w_ix: true,
    w_ei: true,
    u_ix: true,
    u_ei: true,
};

impl<'a> Scope<'a> {
    pub(super) fn new(case: &'a Case, device: &'a Device, dtype: DType) -> Self {
        Self {
            case,
            plain: device,
            autodiff: device.clone().autodiff(),
            dtype,
            epsilon: case.epsilon.unwrap_or(1e-5),
        }
    }

    pub(super) fn run(&self) -> Outcome {
        catch_unwind(AssertUnwindSafe(|| self.dispatch())).unwrap_or_else(|panic| {
            let message = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            Err(CaseError::Panic(message.unwrap_or_default()))
        })
    }

    fn dispatch(&self) -> Outcome {
        let rank = match self.case.inputs.get("x").or(self.case.inputs.get("z")) {
            Some(Value::Array(x)) => x.shape.len(),
            _ => return Err(CaseError::missing("x")),
        };
        match (self.case.op.as_str(), rank) {
            ("error_norm", 1) => self.error_norm::<1>(),
            ("error_norm", 2) => self.error_norm::<2>(),
            ("error_norm", 3) => self.error_norm::<3>(),
            ("error_norm", 4) => self.error_norm::<4>(),
            ("normalize", 2) => self.normalize::<2>(),
            ("normalize", 3) => self.normalize::<3>(),
            ("ei_linear", 1) => self.ei_linear::<1>(),
            ("ei_linear", 2) => self.ei_linear::<2>(),
            ("ei_linear", 3) => self.ei_linear::<3>(),
            ("i_norm" | "i_norm_subtractive", 2) => self.i_norm::<2>(),
            ("i_norm" | "i_norm_subtractive", 3) => self.i_norm::<3>(),
            ("i_norm_init", 2) => self.i_norm_init(),
            ("alignment", 2) => self.alignment(),
            ("train", 2) => self.train(),
            (op, rank) => Err(CaseError::Form(format!(
                "no such operation: `{op}` on a tensor of rank {rank}"
            ))),
        }
    }

    fn error_norm<const D: usize>(&self) -> Outcome {
        let mode: GradNormMode = require("mode", self.case.mode.as_deref())?.parse()?;
        let weights = self
            .input("lateral_weights")
            .map(|w| self.tensor(w, self.plain));
        let z = self.leaf::<D>("z")?;
        let out = normalize_grad(z.clone(), mode, weights, self.epsilon);
        let mut compare = Comparison::default();
        self.compare_output(&mut compare, (out, None), ("grad_z", &z))?;
        compare.worst()
    }

    fn normalize<const D: usize>(&self) -> Outcome {
        let kind = parse_normalization(require("kind", self.case.kind.as_deref())?)?;
        let rule = parse_rule(require("backward", self.case.backward.as_deref())?)?;
        let x = self.leaf::<D>("x")?;
        let out = normalize(x.clone(), kind, rule, self.epsilon);
        let mut compare = Comparison::default();
        self.compare_output(&mut compare, (out, None), ("grad_x", &x))?;
        compare.worst()
    }

    fn ei_linear<const D: usize>(&self) -> Outcome {
        let layer = self.build_ei(&|name| self.input(name))?;
        let x = self.leaf::<D>("x")?;
        let out = layer.forward(x.clone());
        let mut compare = Comparison::default();
        let grads = self.compare_output(&mut compare, (out, None), ("grad_x", &x))?;
        self.compare_gradients(&mut compare, &layer, &grads)?;
        compare.worst()
    }

    fn i_norm<const D: usize>(&self) -> Outcome {
        let grad_norm = self.build_grad_norm(self.case.error_norm.as_deref())?;
        let layer =
            self.build_i_norm(&|name| self.input(name), grad_norm, Some(EVERYTHING_LEARNS))?;
        let x = self.leaf::<D>("x")?;
        let (out, local) = layer.forward_with_local_loss(x.clone());
        let mut compare = Comparison::default();
        let expected_loss = self.expected_number("local_loss")?;
        let found_loss = local.clone().into_scalar();
        compare.numbers("local_loss", &[found_loss], &[expected_loss])?;
        // Task and local gradients come from one backward pass of the sum. That no parameter gets both is
        // part of the test.
        let grads = self.compare_output(&mut compare, (out, Some(local)), ("grad_x", &x))?;
        self.compare_gradients(&mut compare, &layer, &grads)?;
        compare.worst()
    }

    /// The initial divisive weights for the given excitatory and subtractive weights.
    fn i_norm_init(&self) -> Outcome {
        let w_ex = self.matrix(self.require_input("w_ex")?);
        let w_ix = self.matrix(self.require_input("w_ix")?);
        let w_ei = self.matrix(self.require_input("w_ei")?);
        let weights = INormWeights {
            epsilon: self.epsilon,
            ..INormWeights::balanced(w_ex, w_ix, w_ei, None)
        };
        let (u_ix, _) = weights
            .divisive
            .clone()
            .ok_or_else(|| CaseError::missing("divisive"))?;
        let layer = INormLinear::from_weights(weights)?;
        let x = self.tensor::<2>(self.require_input("x")?, self.plain);
        let (out, local) = layer.forward_with_local_loss(x);
        let mut compare = Comparison::default();
        let u_ix = u_ix.inner();
        let gram = u_ix.clone().matmul(u_ix.transpose());
        compare.tensor("gram", gram, self.expected("gram")?)?;
        compare.tensor("out", out, self.expected("out")?)?;
        let expected_loss = self.expected_number("local_loss")?;
        // The loss is the squared deviation of the variance from 1 due to ε, some 1e-5: it amplifies the
        // rounding of the 1 a hundred thousand times. So 1 is added before the comparison.
        let found: f64 = local.into_scalar();
        compare.numbers("local_loss", &[1.0 + found], &[1.0 + expected_loss])?;
        compare.worst()
    }

    fn alignment(&self) -> Outcome {
        let grad_norm = self.build_grad_norm(self.case.error_norm.as_deref())?;
        let layer = self.build_i_norm(&|name| self.input(name), grad_norm, None)?;
        let x = self.tensor::<2>(self.require_input("x")?, self.plain);
        let alignment = i_norm_alignment(&layer, x);
        let mut compare = Comparison::default();
        for (name, found) in [
            ("output_alignment", alignment.output),
            ("gradient_alignment", alignment.gradient),
        ] {
            compare.numbers(name, &[found], &[self.expected_number(name)?])?;
        }
        compare.worst()
    }

    fn train(&self) -> Outcome {
        let spec = self
            .case
            .spec
            .as_ref()
            .ok_or_else(|| CaseError::missing("spec"))?;
        let steps = self.case.steps.ok_or_else(|| CaseError::missing("steps"))?;
        let rate = |name: &str| {
            let rate = self.case.learning_rates.get(name).copied();
            rate.ok_or_else(|| CaseError::missing(name))
        };
        let rates = LearningRates {
            excitatory: rate("w_ex")?,
            bias: rate("bias")?,
            inhibitory_in: rate("w_ix")?,
            inhibitory_out: rate("w_ei")?,
        };
        let (Some(Value::Layers(layers)), Some(Value::Numbers(labels))) = (
            self.case.inputs.get("layers"),
            self.case.inputs.get("labels"),
        ) else {
            return Err(CaseError::missing("layers and labels"));
        };
        let mut network = self.build_network(spec, layers)?;
        let lambda = spec.lambda.unwrap_or(0.0);
        let mut optimizer = Optimizer::new(OptimizerName::Sgd, &network, rates, lambda);
        let x = self.tensor::<2>(self.require_input("x")?, &self.autodiff);
        let labels: Vec<i64> = labels.iter().map(|label| *label as i64).collect();
        let labels = Tensor::<1, Int>::from_data(labels.as_slice(), &self.autodiff);
        let mut losses = Vec::new();
        for _ in 0..steps {
            let (next, loss) = optimizer.step(network, x.clone(), labels.clone());
            network = next;
            losses.push(loss.into_scalar::<f64>());
        }

        let mut compare = Comparison::default();
        match self.case.expected.get("losses") {
            Some(Value::Numbers(expected)) => compare.numbers("losses", &losses, expected)?,
            _ => return Err(CaseError::missing("losses")),
        }
        compare.tensor("logits", network.logits(x), self.expected("logits")?)?;
        let Some(Value::Layers(expected)) = self.case.expected.get("layers") else {
            return Err(CaseError::missing("layers"));
        };
        let hidden = network.hidden.iter().map(|layer| parameters(layer, None));
        let found = hidden.chain([parameters(&network.readout, None)]);
        for (index, (found, expected)) in found.zip(expected).enumerate() {
            let layer = format!("layers.{index}");
            let expected = expected.iter().map(|(name, expected)| {
                let label = format!("{layer}.{name}");
                (label, name.as_str(), expected)
            });
            compare.arrays(&layer, found, expected)?;
        }
        compare.worst()
    }

    pub(super) fn tensor<const D: usize>(&self, array: &Array, device: &Device) -> Tensor<D> {
        let data = TensorData::new(array.data.clone(), array.shape.clone());
        Tensor::from_data(data, (device, self.dtype))
    }

    /// A weight, converted from post × pre to pre × post.
    pub(super) fn matrix(&self, array: &Array) -> Tensor<2> {
        self.tensor::<2>(array, &self.autodiff).transpose()
    }

    fn leaf<const D: usize>(&self, name: &str) -> Result<Tensor<D>, CaseError> {
        let array = self.require_input(name)?;
        Ok(self.tensor(array, &self.autodiff).require_grad())
    }

    /// Compares the gradients of a layer, `grad_<name>` or `local_grad_<name>`; `grad_x` is that of the input.
    fn compare_gradients(
        &self,
        compare: &mut Comparison,
        layer: &impl Module,
        grads: &Gradients,
    ) -> Result<(), CaseError> {
        let gradients = self.case.expected.iter().filter_map(|(key, value)| {
            let name = key.strip_prefix("local_").unwrap_or(key);
            let name = name.strip_prefix("grad_").filter(|name| *name != "x")?;
            match value {
                Value::Array(expected) => Some((key.clone(), name, expected)),
                _ => None,
            }
        });
        let found = parameters(layer, Some(grads));
        compare.arrays("the gradients", found, gradients)
    }

    /// Compares the output and the gradient of the input, and returns all gradients.
    fn compare_output<const D: usize>(
        &self,
        compare: &mut Comparison,
        (out, local): (Tensor<D>, Option<Tensor<1>>),
        (name, x): (&str, &Tensor<D>),
    ) -> Result<Gradients, CaseError> {
        let upstream = self.tensor::<D>(self.require_input("upstream")?, &self.autodiff);
        let task = (out.clone() * upstream).sum();
        let loss = local.into_iter().fold(task, Tensor::add);
        let grads = loss.backward();
        compare.tensor("out", out, self.expected("out")?)?;
        let gradient = x.grad(&grads);
        let gradient = gradient.ok_or_else(|| CaseError::missing(name))?;
        compare.tensor(name, gradient, self.expected(name)?)?;
        Ok(grads)
    }

    pub(super) fn input(&self, name: &str) -> Option<&'a Array> {
        match self.case.inputs.get(name) {
            Some(Value::Array(array)) => Some(array),
            _ => None,
        }
    }

    pub(super) fn require_input(&self, name: &str) -> Result<&'a Array, CaseError> {
        self.input(name).ok_or_else(|| CaseError::missing(name))
    }

    fn expected(&self, name: &str) -> Result<&'a Array, CaseError> {
        match self.case.expected.get(name) {
            Some(Value::Array(array)) => Ok(array),
            _ => Err(CaseError::missing(name)),
        }
    }

    fn expected_number(&self, name: &str) -> Result<f64, CaseError> {
        match self.case.expected.get(name) {
            Some(Value::Number(number)) => Ok(*number),
            _ => Err(CaseError::missing(name)),
        }
    }
}
