//! A hidden layer, dense or convolutional, of any condition.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use ei_norm::circuit::{Circuit, NormalizedOver};
use ei_norm::functional::{BackwardRule, Normalization, normalize};
use ei_norm::layer::{Conv2d, Dense, Geometry, Layer, LayerConfig};
use ei_norm::metric::{self, Alignment};
use ei_norm::{
    EiLinear, GradNorm, GradNormMode, Inhibitory, LearnedLateral, LearnedLateralConfig, circuit,
    map_grad,
};
use rand::Rng;

use super::NetworkOption;
use crate::RunConfig;
use crate::condition::{ErrorRule, HiddenSpec};

/// ε of every normalization in the paper.
pub const EPSILON: f64 = 1e-5;
/// The learning rate of lateral weights, relative to the power of the errors.
pub const LATERAL_RATE: f64 = 0.5;

/// Whether the neurons of the hidden layers have a bias.
pub const BIAS: NetworkOption = NetworkOption {
    name: "bias",
    description: "0: the hidden layers have no bias",
    default: 1,
    range: [0, 1],
};

/// ε of the normalization in the hidden layers, in units of [`EPSILON`]; a rule of errors that is
/// [`ErrorRule::Custom`], as in `inorm+ln`, does not see it.
pub const NORM_EPSILON: NetworkOption = NetworkOption {
    name: "norm-epsilon",
    description: "ε of all normalizations but the errors of inorm+ln, in units of 0.00001",
    default: 1,
    range: [1, 10_000_000],
};

/// A function of the error at z and of z.
pub(super) type Custom = fn(Tensor<2>, Tensor<2>) -> Tensor<2>;

/// A layer as a network applies it: the layer of one network, or the layers of all networks of a population, whose
/// examples follow each other.
pub trait Stage {
    /// A batch of rows or of images, `Tensor<2>` or `Tensor<4>`.
    type Batch;

    /// The pre-activations and, for a layer that learns to normalize, its local losses.
    ///
    /// # Shapes
    ///
    /// - `x` and pre-activations: `[networks · batch, ...]`, losses: `[networks]`
    fn forward(&self, x: Self::Batch) -> (Self::Batch, Option<Tensor<1>>);

    /// The number of neurons or channels, of the widest network.
    fn outputs(&self) -> usize;
}

/// An EI layer, optionally followed by a fixed normalization.
#[derive(Module, Debug)]
pub struct NormalizedEi<E: Module> {
    /// The layer.
    pub layer: E,
    /// The normalization over the features, and its backward pass.
    #[module(skip)]
    pub normalization: Option<(Normalization, BackwardRule)>,
    /// The features that are normalized together.
    #[module(skip)]
    pub over: NormalizedOver,
    /// ε of the normalization.
    #[module(skip)]
    pub epsilon: f64,
}

/// A layer whose activity inhibition normalizes; at its output, errors inhibit each other by weights that
/// learn.
#[derive(Module, Debug)]
pub struct LateralINorm<I: Module> {
    /// The layer; it does not change errors.
    pub layer: I,
    /// The lateral inhibition of errors.
    pub lateral: LearnedLateral,
}

/// A layer whose activity inhibition normalizes; at its output, a function normalizes errors.
#[derive(Module, Debug)]
pub struct CustomINorm<I: Module> {
    /// The layer; it does not change errors.
    pub layer: I,
    /// See [`ErrorRule::Custom`].
    #[module(skip)]
    pub errors: Custom,
}

/// A hidden layer without its ReLU: of type `E`, an EI layer, or `I`, an I-Norm layer, of one geometry.
#[derive(Module, Debug)]
// A network has few of these, so boxing would not help.
#[allow(clippy::large_enum_variant)]
pub enum Hidden<E: Module, I: Module> {
    /// See [`HiddenSpec::Ei`].
    Ei(NormalizedEi<E>),
    /// See [`ErrorRule::GradNorm`].
    INorm(I),
    /// See [`ErrorRule::LearnedLateral`].
    LateralINorm(LateralINorm<I>),
    /// See [`ErrorRule::Custom`].
    CustomINorm(CustomINorm<I>),
}

/// A hidden layer of this geometry.
pub type HiddenIn<G> = Hidden<Layer<circuit::Ei, G>, Layer<circuit::INorm, G>>;
/// A dense hidden layer.
pub type DenseHidden = HiddenIn<Dense>;
/// A convolutional hidden layer.
pub type ConvHidden = HiddenIn<Conv2d>;

impl<G: Geometry> HiddenIn<G> {
    /// [`DenseHidden::dense`] or [`ConvHidden::convolution`]; `features` is the number of features that are
    /// normalized together.
    fn create(
        config: &RunConfig,
        geometry: G,
        (over, features): (NormalizedOver, usize),
        device: &Device,
        rng: &mut impl Rng,
    ) -> Result<Self, ei_norm::Error> {
        let epsilon = EPSILON * config.option(&NORM_EPSILON) as f64;
        let bias = config.option(&BIAS) == 1;
        match config.condition.hidden {
            HiddenSpec::Ei {
                inhibition,
                normalization,
            } => {
                let inhibitory = match inhibition {
                    true => Inhibitory::default(),
                    false => Inhibitory::Count(0),
                };
                let circuit = circuit::EiOptions::default();
                let layer = LayerConfig { geometry, circuit }
                    .with_inhibitory(inhibitory)
                    .with_bias(bias)
                    .with_initializer(config.init)
                    .try_init_with(device, rng)?;
                Ok(Self::Ei(NormalizedEi {
                    layer,
                    normalization,
                    over,
                    epsilon,
                }))
            }
            HiddenSpec::INorm { divisive, errors } => {
                let mode = match errors {
                    ErrorRule::GradNorm(mode) => mode,
                    ErrorRule::LearnedLateral | ErrorRule::Custom(_) => GradNormMode::Identity,
                };
                let circuit = circuit::INormOptions::default();
                let layer = LayerConfig { geometry, circuit }
                    .with_bias(bias)
                    .with_initializer(config.init)
                    .with_divisive(divisive)
                    .with_grad_norm(mode)
                    .with_epsilon(epsilon)
                    .with_over(over)
                    .try_init_with(device, rng)?;
                Ok(match errors {
                    ErrorRule::GradNorm(_) => Self::INorm(layer),
                    // Drawn in the same order as in `inorm+lateral`, so that a seed gives both the same
                    // weights.
                    ErrorRule::LearnedLateral => Self::LateralINorm(LateralINorm {
                        layer,
                        lateral: LearnedLateralConfig::new(features)
                            .with_rate(LATERAL_RATE)
                            .try_init_with(device, rng)?,
                    }),
                    ErrorRule::Custom(errors) => Self::CustomINorm(CustomINorm { layer, errors }),
                })
            }
        }
    }
}

impl<G: Geometry> HiddenIn<G> {
    /// The geometry.
    pub fn geometry(&self) -> G {
        self.layer(
            |ei| ei.geometry().clone(),
            |i_norm| i_norm.geometry().clone(),
        )
    }

    /// The normalization after an EI layer, its backward pass and ε, if there is one.
    pub fn normalization(&self) -> Option<(Normalization, BackwardRule, f64)> {
        let Self::Ei(hidden) = self else { return None };
        let (kind, backward) = hidden.normalization?;
        Some((kind, backward, hidden.epsilon))
    }

    /// The values that are normalized together.
    pub fn over(&self) -> NormalizedOver {
        match self {
            Self::Ei(hidden) => hidden.over,
            Self::INorm(layer)
            | Self::LateralINorm(LateralINorm { layer, .. })
            | Self::CustomINorm(CustomINorm { layer, .. }) => layer.over(),
        }
    }

    /// The number of neurons or channels.
    pub fn width(&self) -> usize {
        self.layer(|ei| ei.sizes()[1], |i_norm| i_norm.sizes()[1])
    }
}

impl<E: Module, I: Module> Hidden<E, I> {
    /// The normalization after the layer: of rows, or of their errors.
    ///
    /// # Shapes
    ///
    /// - `z` and result: `[rows, features]`
    fn behind(&self, z: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Ei(NormalizedEi {
                normalization: Some((kind, backward)),
                epsilon,
                ..
            }) => normalize(z, *kind, *backward, *epsilon),
            Self::Ei(_) | Self::INorm(_) => z,
            Self::LateralINorm(hidden) => hidden.lateral.forward(z),
            Self::CustomINorm(hidden) => customized(z, hidden.errors),
        }
    }

    /// Applies one of two functions to the layer inside.
    fn layer<T>(&self, of_ei: impl FnOnce(&E) -> T, of_i_norm: impl FnOnce(&I) -> T) -> T {
        match self {
            Self::Ei(hidden) => of_ei(&hidden.layer),
            Self::INorm(layer)
            | Self::LateralINorm(LateralINorm { layer, .. })
            | Self::CustomINorm(CustomINorm { layer, .. }) => of_i_norm(layer),
        }
    }

    /// The cosine between lateral weights that learn and equal weights, which center the error.
    pub fn lateral_cosine(&self) -> Option<f64> {
        let Self::LateralINorm(hidden) = self else {
            return None;
        };
        let weights = hidden.lateral.weights.val();
        Some(metric::cosine(weights.clone(), weights.ones_like()))
    }

    /// Updates the weights that learn from errors alone, with the errors of the last backward pass.
    pub fn adapt(self) -> Self {
        match self {
            Self::LateralINorm(hidden) => Self::LateralINorm(LateralINorm {
                lateral: hidden.lateral.adapt(),
                ..hidden
            }),
            other => other,
        }
    }
}

/// `z`, whose error a custom function normalizes.
pub(super) fn customized(z: Tensor<2>, errors: Custom) -> Tensor<2> {
    let value = z.clone().inner();
    map_grad(z, move |error| errors(error, value.clone()))
}

impl DenseHidden {
    /// A layer for the condition of a configuration and its options [`BIAS`] and [`NORM_EPSILON`], with new weights
    /// from `rng`.
    ///
    /// # Errors
    ///
    /// If a size is not allowed (for example one output).
    pub fn dense(
        config: &RunConfig,
        [d_input, d_output]: [usize; 2],
        device: &Device,
        rng: &mut impl Rng,
    ) -> Result<Self, ei_norm::Error> {
        let geometry = Dense { d_input, d_output };
        let over = (NormalizedOver::Features, d_output);
        Self::create(config, geometry, over, device, rng)
    }

    /// The pre-activation and, for a layer that learns to normalize, its local loss.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, d_input]`, pre-activation: `[batch, d_output]`, loss: `[1]`
    pub fn forward(&self, x: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>) {
        let (z, local) = self.layer(
            |ei| (ei.forward(x.clone()), None),
            |i_norm| {
                let (z, local) = i_norm.forward_with_local_loss(x.clone());
                (z, Some(local))
            },
        );
        (self.behind(z), local)
    }

    /// The pre-activation alone.
    pub fn infer(&self, x: Tensor<2>) -> Tensor<2> {
        let z = self.layer(
            |ei| ei.forward(x.clone()),
            |i_norm| i_norm.forward(x.clone()),
        );
        self.behind(z)
    }

    /// The similarity of the layer to LayerNorm on a batch.
    pub fn alignment(&self, x: Tensor<2>) -> Alignment {
        match self {
            Self::Ei(hidden) => {
                metric::ei_alignment(&hidden.layer, hidden.normalization, hidden.epsilon, x)
            }
            Self::INorm(layer) => metric::i_norm_alignment(layer, x),
            Self::LateralINorm(hidden) => {
                let mut layer = hidden.layer.clone();
                layer.grad_norm = GradNorm::with_lateral_weights(hidden.lateral.weights.val());
                metric::i_norm_alignment(&layer, x)
            }
            Self::CustomINorm(hidden) => {
                metric::i_norm_alignment_with(&hidden.layer, x, hidden.errors)
            }
        }
    }
}

impl ConvHidden {
    /// A layer for the condition of a configuration and its options [`BIAS`] and [`NORM_EPSILON`], with new weights
    /// from `rng`. It normalizes the channels of each position or, if its rows and columns are given, the whole map.
    ///
    /// # Errors
    ///
    /// If a size is not allowed (for example one output channel).
    pub fn convolution(
        config: &RunConfig,
        geometry: Conv2d,
        map: Option<[usize; 2]>,
        device: &Device,
        rng: &mut impl Rng,
    ) -> Result<Self, ei_norm::Error> {
        let channels = geometry.channels[1];
        let over = match map {
            Some([rows, columns]) => {
                let features = channels.saturating_mul(rows.saturating_mul(columns));
                (NormalizedOver::Example, features)
            }
            None => (NormalizedOver::Features, channels),
        };
        Self::create(config, geometry, over, device, rng)
    }

    /// The pre-activation and, for a layer that learns to normalize, its local loss.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, channels in, height, width]`, pre-activation: `[batch, channels out, …]`
    pub fn forward(&self, x: Tensor<4>) -> (Tensor<4>, Option<Tensor<1>>) {
        let (z, local) = self.layer(
            |ei| (ei.forward(x.clone()), None),
            |i_norm| {
                let (z, local) = i_norm.forward_with_local_loss(x.clone());
                (z, Some(local))
            },
        );
        (self.behind_channels(z), local)
    }

    /// [`behind`](Self::behind) for the rows of a map; without a normalization there, the map unchanged.
    fn behind_channels(&self, z: Tensor<4>) -> Tensor<4> {
        if matches!(self, Self::INorm(_) | Self::Ei(_)) && self.normalization().is_none() {
            return z;
        }
        let last = z.permute([0, 2, 3, 1]);
        let [batch, height, width, channels] = last.dims();
        let rows = match self.over() {
            NormalizedOver::Example => [batch, height * width * channels],
            _ => [batch * height * width, channels],
        };
        let rows = self.behind(last.reshape(rows));
        rows.reshape([batch, height, width, channels])
            .permute([0, 3, 1, 2])
    }
}

impl Stage for EiLinear {
    type Batch = Tensor<2>;

    fn forward(&self, x: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>) {
        (self.forward(x), None)
    }

    fn outputs(&self) -> usize {
        self.sizes()[1]
    }
}
