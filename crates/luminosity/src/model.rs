//! The network: hidden layers of one kind, ReLU behind each, and an EI readout.

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use ei_norm::functional::{BackwardRule, Normalization, normalize};
use ei_norm::metric::{self, Alignment};
use ei_norm::{
    EiInitializer, EiLinear, EiLinearConfig, GradNorm, GradNormMode, INormLinear,
    INormLinearConfig, Inhibitory, LearnedLateral, LearnedLateralConfig,
};
use rand::Rng;

use crate::condition::HiddenSpec;
use crate::learner::{add_losses, clip_errors};

/// ε of every normalization in the paper.
pub const EPSILON: f64 = 1e-5;
/// The learning rate of lateral weights, relative to the power of the errors.
pub const LATERAL_RATE: f64 = 0.5;

/// An EI layer with a hard-coded normalization behind it, if any.
#[derive(Module, Debug)]
pub struct NormalizedEi {
    /// The layer.
    pub linear: EiLinear,
    /// The normalization and its backward pass.
    #[module(skip)]
    pub normalization: Option<(Normalization, BackwardRule)>,
}

/// A layer that inhibition normalizes, behind which errors inhibit each other by weights that learn.
#[derive(Module, Debug)]
pub struct LateralINorm {
    /// The layer; it leaves errors as they are.
    pub layer: INormLinear,
    /// The inhibition of errors.
    pub lateral: LearnedLateral,
}

/// A hidden layer, without its ReLU.
#[derive(Module, Debug)]
// A network has a few of these; boxing would buy nothing.
#[allow(clippy::large_enum_variant)]
pub enum Hidden {
    /// See [`HiddenSpec::Ei`].
    Ei(NormalizedEi),
    /// See [`HiddenSpec::INorm`].
    INorm(INormLinear),
    /// See [`HiddenSpec::INormLearnedLateral`].
    LateralINorm(LateralINorm),
}

/// The sizes of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Input features.
    pub input: usize,
    /// Neurons in each hidden layer.
    pub width: usize,
    /// Hidden layers.
    pub depth: usize,
    /// Classes.
    pub classes: usize,
}

/// The network: `[batch, input]` to logits `[batch, classes]`.
#[derive(Module, Debug)]
pub struct Network {
    /// The hidden layers, from the input on.
    pub hidden: Vec<Hidden>,
    /// The last layer, with one inhibitory unit.
    pub readout: EiLinear,
    /// The largest norm of an example's error at the output of a hidden layer, if it has one.
    #[module(skip)]
    pub clip_errors: Option<f64>,
}

/// What one hidden layer did with a batch.
#[derive(Debug, Clone)]
pub struct Trace {
    /// What came in, `[batch, features]`.
    pub input: Tensor<2>,
    /// The output before the ReLU.
    pub pre_activation: Tensor<2>,
}

impl Hidden {
    fn init(
        spec: HiddenSpec,
        d_input: usize,
        d_output: usize,
        initializer: EiInitializer,
        device: &Device,
        rng: &mut impl Rng,
    ) -> Result<Self, ei_norm::Error> {
        let i_norm = |divisive, error_norm| {
            INormLinearConfig::new(d_input, d_output)
                .with_initializer(initializer)
                .with_divisive(divisive)
                .with_grad_norm(error_norm)
                .with_epsilon(EPSILON)
        };
        match spec {
            HiddenSpec::Ei {
                inhibition,
                normalization,
            } => {
                let inhibitory = match inhibition {
                    true => Inhibitory::default(),
                    false => Inhibitory::Count(0),
                };
                let linear = EiLinearConfig::new(d_input, d_output)
                    .with_inhibitory(inhibitory)
                    .with_initializer(initializer)
                    .try_init_with(device, rng)?;
                Ok(Self::Ei(NormalizedEi {
                    linear,
                    normalization,
                }))
            }
            HiddenSpec::INorm {
                divisive,
                error_norm,
            } => i_norm(divisive, error_norm)
                .try_init_with(device, rng)
                .map(Self::INorm),
            // Drawn in the order of `inorm+lateral`, so a seed gives both the same weights.
            HiddenSpec::INormLearnedLateral => Ok(Self::LateralINorm(LateralINorm {
                layer: i_norm(true, GradNormMode::Identity).try_init_with(device, rng)?,
                lateral: LearnedLateralConfig::new(d_output)
                    .with_rate(LATERAL_RATE)
                    .try_init_with(device, rng)?,
            })),
        }
    }

    /// The pre-activation and, from a layer that learns to normalize, its local loss.
    fn forward(&self, x: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>) {
        match self {
            Self::Ei(layer) => (layer.forward(x), None),
            Self::INorm(layer) => {
                let (z, local) = layer.forward_with_local_loss(x);
                (z, Some(local))
            }
            Self::LateralINorm(hidden) => {
                let (z, local) = hidden.layer.forward_with_local_loss(x);
                (hidden.lateral.forward(z), Some(local))
            }
        }
    }

    /// The pre-activation alone.
    fn infer(&self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Ei(layer) => layer.forward(x),
            Self::INorm(layer) => layer.forward(x),
            Self::LateralINorm(hidden) => hidden.lateral.forward(hidden.layer.forward(x)),
        }
    }

    /// How close the layer comes to LayerNorm on a batch.
    pub fn alignment(&self, x: Tensor<2>) -> Alignment {
        match self {
            Self::Ei(layer) => metric::ei_alignment(&layer.linear, layer.normalization, EPSILON, x),
            Self::INorm(layer) => metric::i_norm_alignment(layer, x),
            Self::LateralINorm(hidden) => {
                let weights = hidden.lateral.weights.val();
                let mut layer = hidden.layer.clone();
                layer.grad_norm = GradNorm::with_lateral_weights(weights);
                metric::i_norm_alignment(&layer, x)
            }
        }
    }

    /// The cosine between lateral weights that learn and equal ones, which center the error.
    pub fn lateral_cosine(&self) -> Option<f64> {
        match self {
            Self::LateralINorm(hidden) => {
                let weights = hidden.lateral.weights.val();
                Some(metric::cosine(weights.clone(), weights.ones_like()))
            }
            Self::Ei(_) | Self::INorm(_) => None,
        }
    }

    /// Lets what learns from errors alone learn from those of the last backward pass.
    fn adapt(self) -> Self {
        match self {
            Self::LateralINorm(hidden) => Self::LateralINorm(LateralINorm {
                lateral: hidden.lateral.adapt(),
                ..hidden
            }),
            other => other,
        }
    }
}

impl NormalizedEi {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let z = self.linear.forward(x);
        match self.normalization {
            Some((kind, backward)) => normalize(z, kind, backward, EPSILON),
            None => z,
        }
    }
}

impl Network {
    /// A network with fresh weights from `rng`.
    ///
    /// # Errors
    ///
    /// If a size does not allow it (a width of 1, say).
    pub fn init(
        spec: HiddenSpec,
        sizes: Sizes,
        initializer: EiInitializer,
        device: &Device,
        rng: &mut impl Rng,
    ) -> Result<Self, ei_norm::Error> {
        let inputs = std::iter::once(sizes.input).chain(std::iter::repeat(sizes.width));
        let hidden = inputs
            .take(sizes.depth)
            .map(|d_input| Hidden::init(spec, d_input, sizes.width, initializer, device, rng))
            .collect::<Result<Vec<_>, _>>()?;
        let d_input = if sizes.depth == 0 {
            sizes.input
        } else {
            sizes.width
        };
        let readout = EiLinearConfig::new(d_input, sizes.classes)
            .with_inhibitory(Inhibitory::Count(1))
            .with_initializer(initializer)
            .try_init_with(device, rng)?;
        Ok(Self {
            hidden,
            readout,
            clip_errors: None,
        })
    }

    /// The same network, whose hidden layers get errors of this norm at most.
    pub fn with_clipped_errors(self, norm: Option<f64>) -> Self {
        Self {
            clip_errors: norm,
            ..self
        }
    }

    /// The logits of a batch.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, input]`, result: `[batch, classes]`
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = self.hidden.iter().fold(x, |x, layer| relu(layer.infer(x)));
        self.readout.forward(x)
    }

    /// The logits of a batch and the sum of the local losses, if the network has any.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, input]`, logits: `[batch, classes]`, loss: `[1]`
    pub fn forward_with_local_loss(&self, mut x: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>) {
        let mut total: Option<Tensor<1>> = None;
        for layer in &self.hidden {
            let (z, local) = layer.forward(x);
            total = add_losses(total, local);
            x = relu(clip_errors(z, self.clip_errors));
        }
        (self.readout.forward(x), total)
    }

    /// The network after what its layers learn from errors alone; call it after each step.
    pub fn adapt(self) -> Self {
        let hidden = self.hidden.into_iter().map(Hidden::adapt).collect();
        Self { hidden, ..self }
    }

    /// The error dL/dz that `loss` of the logits sends back to each hidden layer's output z, before
    /// the layer's own normalization of errors. `traces` are those of the batch.
    ///
    /// # Shapes
    ///
    /// - logits: `[batch, classes]`, each error: `[batch, width]`
    pub fn errors(
        &self,
        traces: &[Trace],
        loss: impl Fn(Tensor<2>) -> Tensor<1>,
    ) -> Vec<Tensor<2>> {
        let error_at = |(index, trace): (usize, &Trace)| {
            let z = trace.pre_activation.clone().inner();
            let z = z.autodiff().require_grad();
            let above = self.hidden.iter().skip(index + 1);
            let x = above.fold(relu(z.clone()), |x, layer| relu(layer.infer(x)));
            let grads = loss(self.readout.forward(x)).backward();
            z.grad(&grads).unwrap_or_else(|| z.inner().zeros_like())
        };
        traces.iter().enumerate().map(error_at).collect()
    }

    /// The input and the pre-activation of each hidden layer.
    pub fn trace(&self, mut x: Tensor<2>) -> Vec<Trace> {
        self.hidden
            .iter()
            .map(|layer| {
                let input = x.clone();
                let pre_activation = layer.infer(input.clone());
                x = relu(pre_activation.clone());
                Trace {
                    input,
                    pre_activation,
                }
            })
            .collect()
    }
}
