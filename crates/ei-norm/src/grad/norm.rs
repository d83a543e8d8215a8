use burn::config::Config;
use burn::module::{Content, DisplaySettings, Module, ModuleDisplay};
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::Rng;
use rand_distr::{Distribution, OpenClosed01};

use crate::check::{check_last, check_not_negative, check_shape, check_size, or_panic};
use crate::dale::{Plasticity, Sign, Weight};
use crate::error_norm::{ErrorNorm, GradNormMode};
use crate::init;
use crate::row_function::as_row;
use crate::statistics::Features;
use crate::{Error, map_grad};

impl GradNormMode {
    /// The error δ' after normalization, from the output `z` and the error `delta`.
    ///
    /// Half-precision values are computed in f32 and cast back. ε is not checked.
    ///
    /// # Shapes
    ///
    /// - `z`, `delta`, result: `[..., features]`; `lateral_weights`: `[features]`
    ///
    /// # Panics
    ///
    /// If the shapes differ, or if the mode is [`Lateral`](Self::Lateral) and there are no weights.
    #[track_caller]
    #[must_use]
    pub fn apply<const D: usize>(
        self,
        z: Tensor<D>,
        delta: Tensor<D>,
        lateral_weights: Option<Tensor<1>>,
        epsilon: f64,
    ) -> Tensor<D> {
        or_panic(check_shape("delta", delta.dims(), z.dims()));
        self.check_weights(z.dims(), lateral_weights.as_ref());
        let (norm, weights) = (self.with(epsilon), lateral_weights.map(as_row));
        norm.apply(&Features::All, Some(&z), weights.as_ref(), delta)
    }

    #[track_caller]
    fn check_weights<const D: usize>(self, z: [usize; D], lateral_weights: Option<&Tensor<1>>) {
        match (self, lateral_weights) {
            (Self::Lateral, Some(weights)) => {
                or_panic(check_last("z", z, weights.dims()[0]));
            }
            (Self::Lateral, None) => panic!("GradNormMode::Lateral needs lateral weights"),
            _ => {}
        }
    }
}

/// Normalizes the error at `z` in the backward pass; the identity in the forward pass.
///
/// `z` may have any rank; each row over the last axis is one example.
///
/// # Shapes
///
/// - `z` and the result: `[..., features]`
/// - `lateral_weights`: `[features]`, needed only by [`GradNormMode::Lateral`]
///
/// # Panics
///
/// If the mode is lateral and the weights are missing or of another length, or ε is negative or not finite.
#[track_caller]
#[must_use]
pub fn normalize_grad<const D: usize>(
    z: Tensor<D>,
    mode: GradNormMode,
    lateral_weights: Option<Tensor<1>>,
    epsilon: f64,
) -> Tensor<D> {
    mode.check_weights(z.dims(), lateral_weights.as_ref());
    or_panic(check_not_negative("epsilon", epsilon));
    if mode == GradNormMode::Identity || !z.is_tracked() {
        return z;
    }
    // The kept tensors hold no graph.
    let weights = lateral_weights.map(|weights| as_row(weights.inner()));
    let activity = mode.looks_at_activity().then(|| z.clone().inner());
    let norm = mode.with(epsilon);
    map_grad(z, move |delta: Tensor<D>| {
        norm.apply(&Features::All, activity.as_ref(), weights.as_ref(), delta)
    })
}

/// Configuration of [`GradNorm`].
#[derive(Config, Debug)]
pub struct GradNormConfig {
    /// The number of features D, the size of the last axis.
    pub features: usize,
    /// How the error is normalized.
    #[config(default = "GradNormMode::Full")]
    pub mode: GradNormMode,
    /// ε in σ = sqrt(var(z) + ε).
    #[config(default = 1e-5)]
    pub epsilon: f64,
}

impl GradNormConfig {
    init::seeded_by_device!(GradNorm);

    /// Creates the module; lateral weights are drawn from `rng`.
    ///
    /// # Errors
    ///
    /// If there are no features, or ε is negative or not finite.
    pub fn try_init_with(&self, device: &Device, rng: &mut impl Rng) -> Result<GradNorm, Error> {
        check_size("features", self.features)?;
        check_not_negative("epsilon", self.epsilon)?;
        let lateral_weights = (self.mode == GradNormMode::Lateral)
            .then(|| fixed(draw_lateral(self.features, device, rng)));
        Ok(GradNorm {
            lateral_weights,
            norm: self.mode.with(self.epsilon),
            features: self.features,
        })
    }
}

/// Random lateral weights: w_j = u_j / Σ u with u_j uniform in (0, 1].
pub(super) fn draw_lateral(features: usize, device: &Device, rng: &mut impl Rng) -> Tensor<1> {
    let u: Vec<f64> = OpenClosed01.sample_iter(rng).take(features).collect();
    let sum: f64 = u.iter().sum();
    let w: Vec<f64> = u.iter().map(|u| u / sum).collect();
    Tensor::from_data(TensorData::new(w, [features]), device)
}

/// Lateral weights as a parameter that never learns.
pub(super) fn fixed(lateral_weights: Tensor<1>) -> Weight<1> {
    Weight::new(lateral_weights, Sign::NonNegative, Plasticity::Fixed)
}

/// Normalizes back-propagated errors: the identity in the forward pass, [`GradNormMode`] in the backward
/// pass.
///
/// It can follow any layer of any Burn model:
///
/// ```
/// use burn::prelude::*;
/// use ei_norm::{GradNorm, GradNormConfig, GradNormMode};
///
/// let device = Device::flex();
/// let norm: GradNorm = GradNormConfig::new(100).with_mode(GradNormMode::Center).init(&device);
/// let z = Tensor::<2>::ones([32, 100], &device);
/// assert_eq!(norm.forward(z).dims(), [32, 100]);
/// ```
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct GradNorm {
    /// The weights w of the lateral mode, `[features]`; drawn weights sum to 1. They are part of the record
    /// and never learn.
    pub lateral_weights: Option<Weight<1>>,
    #[module(skip)]
    pub(crate) norm: ErrorNorm,
    #[module(skip)]
    features: usize,
}

impl GradNorm {
    /// A module that does not change errors.
    pub fn identity(features: usize) -> Self {
        Self {
            lateral_weights: None,
            norm: GradNormMode::Identity.with(0.0),
            features,
        }
    }

    /// The lateral mode with these weights, `[features]`, which are read from the device once. Their values are not
    /// checked; [`dale::check`](crate::dale::check) finds a negative weight.
    pub fn with_lateral_weights(weights: Tensor<1>) -> Self {
        Self {
            features: weights.dims()[0],
            lateral_weights: Some(fixed(weights)),
            norm: GradNormMode::Lateral.with(0.0),
        }
    }

    /// Returns `z`; in the backward pass its error is normalized.
    ///
    /// # Shapes
    ///
    /// - `z` and the result: `[..., features]`
    ///
    /// # Panics
    ///
    /// If the last axis of `z` is not `features`.
    #[track_caller]
    #[must_use]
    pub fn forward<const D: usize>(&self, z: Tensor<D>) -> Tensor<D> {
        or_panic(check_last("z", z.dims(), self.features));
        let weights = self.lateral_weights.as_ref().map(Weight::val);
        normalize_grad(z, self.norm.mode, weights, self.norm.epsilon)
    }

    /// The error after normalization, for the output `z` and the error `delta`: the backward pass of
    /// [`forward`](Self::forward) as a plain computation.
    ///
    /// # Shapes
    ///
    /// - `z`, `delta`, result: `[..., features]`
    ///
    /// # Panics
    ///
    /// If the last axis of `z` is not `features`, or `delta` has another shape than `z`.
    #[track_caller]
    #[must_use]
    pub fn apply<const D: usize>(&self, z: Tensor<D>, delta: Tensor<D>) -> Tensor<D> {
        or_panic(check_last("z", z.dims(), self.features));
        let weights = self.lateral_weights.as_ref().map(Weight::val);
        self.norm.mode.apply(z, delta, weights, self.norm.epsilon)
    }

    /// The same module with lateral weights of this floating-point type.
    pub(crate) fn in_type(self, dtype: DType) -> Self {
        let other = |weights: &Weight<1>| weights.dtype() != dtype;
        match self.lateral_weights {
            Some(weights) if other(&weights) => Self {
                lateral_weights: Some(weights.map_value(|weights| weights.cast(dtype))),
                ..self
            },
            _ => self,
        }
    }

    /// Fails unless the module has this number of features.
    pub(crate) fn check_features(&self, features: usize) -> Result<(), Error> {
        let weights = self.lateral_weights.as_ref().map(|weights| weights.dims());
        check_shape("grad_norm", [self.features], [features])?;
        check_shape("grad_norm", weights.unwrap_or([features]), [features])
    }

    /// The number of features D.
    pub fn features(&self) -> usize {
        self.features
    }

    /// The mode.
    pub fn mode(&self) -> GradNormMode {
        self.norm.mode
    }
}

impl ModuleDisplay for GradNorm {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new()
            .with_new_line_after_attribute(false)
            .optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        content
            .add("features", &self.features)
            .add("mode", self.norm.mode.name())
            .add("epsilon", &self.norm.epsilon)
            .optional()
    }
}
