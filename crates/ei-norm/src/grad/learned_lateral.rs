use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use burn::config::Config;
use burn::module::{
    Content, Devices, DisplaySettings, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper,
    ModuleVisitor,
};
use burn::tensor::{Device, Tensor};
use rand::Rng;

use super::{lock, map_grad, norm};
use crate::check::{check, check_last, check_size, or_panic};
use crate::dale::{self, Weight};
use crate::functional::{lateral, lateral_update};
use crate::row_function::rows;
use crate::{Error, init};

/// Configuration of [`LearnedLateral`].
#[derive(Config, Debug)]
pub struct LearnedLateralConfig {
    /// The number of features D, the size of the last axis.
    pub features: usize,
    /// The learning rate η of the weights, in 0..2; 0 leaves the weights unchanged.
    #[config(default = 0.5)]
    pub rate: f64,
}

impl LearnedLateralConfig {
    init::seeded_by_device!(LearnedLateral);

    /// Creates the module with the weights that [`GradNormMode::Lateral`](super::GradNormMode::Lateral)
    /// draws from the same `rng`: w_j = u_j / Σ u, u_j uniform.
    ///
    /// # Errors
    ///
    /// If there are no features, or the rate is not at least 0 and less than 2.
    pub fn try_init_with(
        &self,
        device: &Device,
        rng: &mut impl Rng,
    ) -> Result<LearnedLateral, Error> {
        check_size("features", self.features)?;
        let weights = norm::draw_lateral(self.features, device, rng);
        LearnedLateral::with_weights(weights, self.rate)
    }
}

/// Lateral inhibition between errors that learns to center them: the identity in the forward pass, δ' = δ −
/// Σ_j w_j δ_j in the backward pass. The weights w ≥ 0 learn by a local rule ([`lateral_update`]) when
/// [`adapt`](Self::adapt) is called.
///
/// The rule uses only the errors that arrived in backward passes since the last call. Optimizers do not
/// change the weights. Call `adapt` after each training step:
///
/// ```
/// use burn::prelude::*;
/// use ei_norm::{LearnedLateral, LearnedLateralConfig};
///
/// let device = Device::flex().autodiff();
/// let mut lateral: LearnedLateral = LearnedLateralConfig::new(2).with_rate(1.0).init(&device);
/// for step in 0..20 {
///     let z = Tensor::<2>::zeros([1, 2], &device).require_grad();
///     let errors = [[[1.0, 0.0]], [[0.0, 1.0]]][step % 2];
///     (lateral.forward(z) * Tensor::from_floats(errors, &device)).sum().backward();
///     lateral = lateral.adapt();
/// }
/// let w: Vec<f32> = lateral.weights.val().into_data().iter().collect();
/// assert!((w[0] - 0.5).abs() < 1e-6 && (w[1] - 0.5).abs() < 1e-6); // 1/D: the error is centered
/// ```
///
/// The weights are part of the record; errors that wait for `adapt` are not, so save after calling it. Clones
/// share the waiting errors; a `fork` and a module on another device (`to_device`) start without waiting
/// errors, so that each replica learns from its own. At most 16 million values (2²⁴) wait; beyond this limit
/// the errors of the oldest uses are dropped, but the latest use always counts. A module without autodiff
/// (after `valid`) inhibits errors but does not collect them, so evaluation does not change training.
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct LearnedLateral {
    /// The weights w, `[features]`, never negative.
    pub weights: Weight<1>,
    #[module(skip)]
    rate: f64,
    waiting: Waiting,
}

/// Errors, keyed by the number of their forward pass: backward passes may come in any order.
#[derive(Debug, Default)]
struct Errors {
    passes: u64,
    errors: BTreeMap<u64, Tensor<2>>,
    /// The number of values in all errors.
    values: usize,
}

impl Errors {
    /// The maximal number of values that wait.
    const LIMIT: usize = 1 << 24;

    fn keep(&mut self, pass: u64, errors: Tensor<2>) {
        let values = |errors: &Tensor<2>| errors.shape().num_elements();
        self.values += values(&errors);
        if let Some(earlier) = self.errors.insert(pass, errors) {
            self.values -= values(&earlier);
        }
        while self.values > Self::LIMIT && self.errors.len() > 1 {
            let oldest = self.errors.pop_first();
            self.values -= oldest.map_or(0, |(_, errors)| values(&errors));
        }
    }

    fn take(&mut self) -> Vec<Tensor<2>> {
        self.values = 0;
        std::mem::take(&mut self.errors).into_values().collect()
    }
}

/// The waiting errors, as a part of the module without parameters.
#[derive(Debug, Clone, Default)]
struct Waiting(Arc<Mutex<Errors>>);

impl Module for Waiting {
    fn collect_devices(&self, devices: Devices) -> Devices {
        devices
    }

    fn visit<V: ModuleVisitor>(&self, _visitor: &mut V) {}

    fn map<M: ModuleMapper>(self, _mapper: &mut M) -> Self {
        self
    }

    fn fork(self, _device: &Device) -> Self {
        Self::default()
    }

    fn to_device(self, _device: &Device) -> Self {
        Self::default()
    }

    fn valid(&self) -> Self {
        self.clone()
    }

    fn train(self) -> Self {
        self
    }

    fn materialize(self) -> Self {
        self
    }
}

impl ModuleDisplayDefault for Waiting {
    fn content(&self, content: Content) -> Option<Content> {
        Some(content)
    }
}

impl ModuleDisplay for Waiting {}

impl LearnedLateral {
    /// A module with these weights, `[features]`, and the rate η.
    ///
    /// # Errors
    ///
    /// If there are no weights, one is negative or not finite, or the rate is not at least 0 and less than 2.
    pub fn with_weights(weights: Tensor<1>, rate: f64) -> Result<Self, Error> {
        check_size("features", weights.dims()[0])?;
        let allowed = "at least 0 and less than 2";
        check((0.0..2.0).contains(&rate), "rate", rate, allowed)?;
        let weights = norm::fixed(weights);
        dale::check(&weights)?;
        Ok(Self {
            weights,
            rate,
            waiting: Waiting::default(),
        })
    }

    /// Returns `z`; in the backward pass its error is inhibited, and collected if the module has autodiff.
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
        or_panic(check_last("z", z.dims(), self.features()));
        let weights = self.weights.val();
        let pass = (self.rate > 0.0 && weights.is_autodiff() && z.is_tracked()).then(|| {
            let mut waiting = lock(&self.waiting.0);
            waiting.passes += 1;
            (waiting.passes, self.waiting.0.clone())
        });
        let weights = weights.inner();
        map_grad(z, move |delta: Tensor<D>| {
            if let Some((pass, waiting)) = &pass {
                lock(waiting).keep(*pass, rows(delta.clone()));
            }
            lateral(delta, weights.clone())
        })
    }

    /// Updates the weights in one step of [`lateral_update`] by the errors that arrived since the last call;
    /// without errors they stay unchanged.
    ///
    /// The errors of several uses of the module count as one batch, in the order of their forward passes; of
    /// several backward passes through one use, the last counts.
    #[must_use]
    pub fn adapt(self) -> Self {
        let errors = lock(&self.waiting.0).take();
        if errors.is_empty() {
            return self;
        }
        let rate = self.rate;
        let update = |w| lateral_update(w, Tensor::cat(errors, 0), rate);
        Self {
            weights: self.weights.map_value(update),
            ..self
        }
    }

    /// The error after inhibition, for the error `delta`, as a plain computation.
    ///
    /// # Shapes
    ///
    /// - `delta`, result: `[..., features]`
    ///
    /// # Panics
    ///
    /// If the last axis of `delta` is not `features`.
    #[track_caller]
    #[must_use]
    pub fn apply<const D: usize>(&self, delta: Tensor<D>) -> Tensor<D> {
        lateral(delta, self.weights.val())
    }

    /// The number of features D.
    pub fn features(&self) -> usize {
        self.weights.dims()[0]
    }

    /// The learning rate η.
    pub fn rate(&self) -> f64 {
        self.rate
    }
}

impl ModuleDisplay for LearnedLateral {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new()
            .with_new_line_after_attribute(false)
            .optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        content
            .add("features", &self.features())
            .add("rate", &self.rate)
            .optional()
    }
}
