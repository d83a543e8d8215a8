//! The conditions that are compared: the kinds of hidden layers in a network.

use burn::tensor::Tensor;
use ei_norm::GradNormMode;
use ei_norm::functional::{BackwardRule, Normalization, normalize_backward};

use crate::catalogue::{Named, entries};
use crate::chart::look::{BLACK, BLUE, GREEN, GREY, ORANGE, PINK, SKY_BLUE, VERMILION};
use crate::network::EPSILON;

pub use crate::chart::Look;

/// A condition of the experiment, by its name on the command line and in records.
pub type Condition = Named<ConditionSpec>;

/// The definition of a condition.
#[derive(Debug)]
pub struct ConditionSpec {
    /// The name.
    pub name: &'static str,
    /// A description in a few words.
    pub description: &'static str,
    /// Its colour and dash in figures; if there is none, those of the next of a palette.
    pub look: Option<Look>,
    /// The hidden layers of this condition.
    pub hidden: HiddenSpec,
}

/// The kind of the hidden layers.
#[derive(Debug, Clone, Copy)]
pub enum HiddenSpec {
    /// An EI layer, with or without inhibition, optionally followed by a fixed normalization.
    Ei {
        /// Whether there are inhibitory units.
        inhibition: bool,
        /// The normalization and its backward pass.
        normalization: Option<(Normalization, BackwardRule)>,
    },
    /// A layer whose activity inhibition normalizes.
    INorm {
        /// Whether inhibition divides as well as subtracts.
        divisive: bool,
        /// The rule for the errors at its output.
        errors: ErrorRule,
    },
}

impl HiddenSpec {
    /// Whether a rule of the library normalizes the errors, and does not learn.
    pub(crate) fn has_fixed_errors(&self) -> bool {
        match self {
            Self::Ei { .. } => true,
            Self::INorm { errors, .. } => matches!(errors, ErrorRule::GradNorm(_)),
        }
    }
}

/// The rule for the error dL/dz at a layer with output z.
#[derive(Debug, Clone, Copy)]
pub enum ErrorRule {
    /// A normalization of the library.
    GradNorm(GradNormMode),
    /// Errors inhibit each other by lateral weights that learn to center them.
    LearnedLateral,
    /// A function of the error and of z, both `[rows, features]`, that returns the error to pass on.
    Custom(fn(Tensor<2>, Tensor<2>) -> Tensor<2>),
}

const fn ei(inhibition: bool, layer_norm: bool) -> HiddenSpec {
    HiddenSpec::Ei {
        inhibition,
        normalization: match layer_norm {
            true => Some((Normalization::Layer, BackwardRule::Exact)),
            false => None,
        },
    }
}

const fn i_norm(errors: ErrorRule) -> HiddenSpec {
    HiddenSpec::INorm {
        divisive: true,
        errors,
    }
}

const fn mode(mode: GradNormMode) -> HiddenSpec {
    i_norm(ErrorRule::GradNorm(mode))
}

/// Defines a constant for each condition, and their list; related conditions share a hue.
macro_rules! conditions {
    ($($(#[$doc:meta])* $constant:ident: $name:literal, $description:literal, $hue:ident $style:literal, $hidden:expr;)*) => {
        $($(#[$doc])* pub const $constant: Condition = Named::built_in(
            &ConditionSpec {
                name: $name,
                description: $description,
                look: Some(Look::new($hue, $style)),
                hidden: $hidden,
            }
        );)*
        static BUILT_IN: &[Condition] = &[$($constant,)*];
    };
}

conditions! {
    /// EI layers without any normalization.
    NONE: "none", "EI, no normalization", GREY 0, ei(true, false);
    /// EI layers with LayerNorm and its exact backward pass.
    LN_PLUS: "ln+", "EI, LayerNorm", BLACK 0, ei(true, true);
    /// Purely excitatory hidden layers with LayerNorm.
    E_ONLY_LN_PLUS: "e-only-ln+", "E only, LayerNorm", BLACK 1, ei(false, true);
    /// Inhibition normalizes the activity; errors pass unchanged.
    INORM: "inorm", "forward only", BLUE 0, mode(GradNormMode::Identity);
    /// Like `inorm`, with inhibition that only subtracts.
    INORM_SUB: "inorm-sub", "forward only, subtractive", BLUE 1, HiddenSpec::INorm {
        divisive: false,
        errors: ErrorRule::GradNorm(GradNormMode::Identity),
    };
    /// Inhibition normalizes the activity, and errors are normalized in full.
    INORM_FULL: "inorm+full", "forward + error", VERMILION 0, mode(GradNormMode::Full);
    /// Like `inorm`, with centered errors.
    INORM_CENTER: "inorm+center", "forward + centered error", GREEN 0, mode(GradNormMode::Center);
    /// Like `inorm`, with scaled errors.
    INORM_SCALE: "inorm+scale", "forward + scaled error", ORANGE 0, mode(GradNormMode::Scale);
    /// Like `inorm`, with errors decorrelated from the activity.
    INORM_DECORRELATE: "inorm+decorrelate", "forward + decorrelated error", PINK 0, mode(GradNormMode::Decorrelate);
    /// Like `inorm`, with errors that inhibit each other laterally by fixed random weights.
    INORM_LATERAL: "inorm+lateral", "forward + lateral error inhibition", SKY_BLUE 0, mode(GradNormMode::Lateral);
    /// Like `inorm+lateral`, with weights that learn to center the error; not a condition of the paper.
    INORM_LEARNED_LATERAL: "inorm+learned-lateral", "forward + learned lateral", SKY_BLUE 1, i_norm(ErrorRule::LearnedLateral);
    /// Like `inorm`, with the backward pass of LayerNorm at z. It equals `inorm+full` where inhibition normalizes
    /// exactly; elsewhere `inorm+full` takes z as if it were normalized. ε is [`EPSILON`]. Not a condition of the paper.
    INORM_LN: "inorm+ln", "forward + LayerNorm's error", VERMILION 1, i_norm(ErrorRule::Custom(layer_norm_backward));
}

fn layer_norm_backward(error: Tensor<2>, z: Tensor<2>) -> Tensor<2> {
    normalize_backward(z, error, Normalization::Layer, BackwardRule::Exact, EPSILON)
}

/// The paper's conditions: the default of a sweep.
pub const PAPER: [Condition; 10] = [
    NONE,
    LN_PLUS,
    E_ONLY_LN_PLUS,
    INORM,
    INORM_SUB,
    INORM_FULL,
    INORM_CENTER,
    INORM_SCALE,
    INORM_DECORRELATE,
    INORM_LATERAL,
];

impl Condition {
    /// Its own look, or one of the palette by its position among the conditions without their own.
    pub(crate) fn look(self) -> Look {
        let position = || {
            let all = Self::all().into_iter();
            let mut others = all.filter(|condition| condition.look.is_none());
            others.position(|condition| condition == self)
        };
        self.look
            .unwrap_or_else(|| Look::further(position().unwrap_or(0)))
    }
}

entries!(ConditionSpec, "condition", BUILT_IN);

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Int};
    use ei_norm::functional::normalize;

    use super::*;

    #[test]
    fn the_errors_of_inorm_ln_are_full_where_z_is_normalized_and_orthogonal_to_z_everywhere() {
        let device = Device::flex();
        let wave = |step: f32| {
            let steps = Tensor::<1, Int>::arange(0..3 * 16, &device).float();
            (steps * step).sin().reshape([3, 16])
        };
        let (z, error) = (wave(1.7) * 5.0 + 2.0, wave(0.9));
        let size = |t: Tensor<2>| t.abs().max().into_scalar::<f32>();
        let normalized = normalize(z.clone(), Normalization::Layer, BackwardRule::Exact, 0.0);
        let full = GradNormMode::Full.apply(normalized.clone(), error.clone(), None, EPSILON);
        let ours = layer_norm_backward(error.clone(), normalized.clone());
        assert!(size(full - ours) < 1e-5);
        let ours = layer_norm_backward(error, z);
        assert!(size(ours.clone()) > 0.05);
        assert!(size(ours.clone().sum_dim(1)) < 1e-5);
        assert!(size((ours * normalized).sum_dim(1)) < 1e-4);
    }
}
