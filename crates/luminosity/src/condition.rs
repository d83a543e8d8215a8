//! The conditions that are compared: what the hidden layers of a network are.

use ei_norm::GradNormMode;
use ei_norm::functional::{BackwardRule, Normalization};
use serde::{Deserialize, Serialize};

use crate::Error;

/// A condition of the experiment, with its name on the command line and in records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Condition {
    /// EI layers without any normalization.
    #[serde(rename = "none")]
    None,
    /// EI layers with LayerNorm and its exact backward pass.
    #[serde(rename = "ln+")]
    LnPlus,
    /// Purely excitatory hidden layers with LayerNorm.
    #[serde(rename = "e-only-ln+")]
    EOnlyLnPlus,
    /// Inhibition normalizes the activity; errors pass as they are.
    #[serde(rename = "inorm")]
    INorm,
    /// The same, with inhibition that only subtracts.
    #[serde(rename = "inorm-sub")]
    INormSub,
    /// Inhibition normalizes the activity, and errors are normalized in full.
    #[serde(rename = "inorm+full")]
    INormFull,
    /// ... and errors are centered.
    #[serde(rename = "inorm+center")]
    INormCenter,
    /// ... and errors are scaled.
    #[serde(rename = "inorm+scale")]
    INormScale,
    /// ... and errors are decorrelated from the activity.
    #[serde(rename = "inorm+decorrelate")]
    INormDecorrelate,
    /// ... and errors inhibit each other laterally, by fixed random weights.
    #[serde(rename = "inorm+lateral")]
    INormLateral,
    /// ... by weights that learn to center the error; not one of the paper's.
    #[serde(rename = "inorm+learned-lateral")]
    INormLearnedLateral,
}

/// What a condition makes of a hidden layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HiddenSpec {
    /// An EI layer, with or without inhibition, perhaps with a hard-coded normalization behind it.
    Ei {
        /// Whether there are inhibitory units.
        inhibition: bool,
        /// The normalization and its backward pass.
        normalization: Option<(Normalization, BackwardRule)>,
    },
    /// A layer that inhibition normalizes.
    INorm {
        /// Whether inhibition divides as well as subtracts.
        divisive: bool,
        /// The normalization of errors.
        error_norm: GradNormMode,
    },
    /// The same with errors that inhibit each other by weights that learn.
    INormLearnedLateral,
}

impl Condition {
    /// All conditions, in the order in which they are listed and drawn.
    pub const ALL: [Self; 11] = [
        Self::None,
        Self::LnPlus,
        Self::EOnlyLnPlus,
        Self::INorm,
        Self::INormSub,
        Self::INormFull,
        Self::INormCenter,
        Self::INormScale,
        Self::INormDecorrelate,
        Self::INormLateral,
        Self::INormLearnedLateral,
    ];

    /// Those of the paper: what a sweep runs unless told otherwise.
    pub const PAPER: [Self; 10] = [
        Self::None,
        Self::LnPlus,
        Self::EOnlyLnPlus,
        Self::INorm,
        Self::INormSub,
        Self::INormFull,
        Self::INormCenter,
        Self::INormScale,
        Self::INormDecorrelate,
        Self::INormLateral,
    ];

    /// Everything that makes this condition what it is; a new one is a new row here.
    fn row(self) -> (&'static str, &'static str, HiddenSpec) {
        const LAYER_NORM: Option<(Normalization, BackwardRule)> =
            Some((Normalization::Layer, BackwardRule::Exact));
        let ei = |inhibition, normalization| HiddenSpec::Ei {
            inhibition,
            normalization,
        };
        let i_norm = |error_norm| HiddenSpec::INorm {
            divisive: true,
            error_norm,
        };
        match self {
            Self::None => ("none", "EI, no normalization", ei(true, None)),
            Self::LnPlus => ("ln+", "EI, LayerNorm", ei(true, LAYER_NORM)),
            Self::EOnlyLnPlus => ("e-only-ln+", "E only, LayerNorm", ei(false, LAYER_NORM)),
            Self::INorm => ("inorm", "forward only", i_norm(GradNormMode::Identity)),
            Self::INormSub => (
                "inorm-sub",
                "forward only, subtractive",
                HiddenSpec::INorm {
                    divisive: false,
                    error_norm: GradNormMode::Identity,
                },
            ),
            Self::INormFull => ("inorm+full", "forward + error", i_norm(GradNormMode::Full)),
            Self::INormCenter => (
                "inorm+center",
                "forward + centered error",
                i_norm(GradNormMode::Center),
            ),
            Self::INormScale => (
                "inorm+scale",
                "forward + scaled error",
                i_norm(GradNormMode::Scale),
            ),
            Self::INormDecorrelate => (
                "inorm+decorrelate",
                "forward + decorrelated error",
                i_norm(GradNormMode::Decorrelate),
            ),
            Self::INormLateral => (
                "inorm+lateral",
                "forward + lateral error inhibition",
                i_norm(GradNormMode::Lateral),
            ),
            Self::INormLearnedLateral => (
                "inorm+learned-lateral",
                "forward + learned lateral",
                HiddenSpec::INormLearnedLateral,
            ),
        }
    }

    /// The name on the command line and in records.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// What it is, in a few words.
    pub fn description(self) -> &'static str {
        self.row().1
    }

    /// The hidden layers.
    pub fn hidden(self) -> HiddenSpec {
        self.row().2
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Condition {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|condition| condition.name() == name)
            .ok_or_else(|| Error::usage("condition", name, &Self::ALL.map(Self::name).join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_match_the_records() {
        for (index, condition) in Condition::ALL.into_iter().enumerate() {
            assert_eq!(condition as usize, index, "figures colour by this number");
        }
        for condition in Condition::ALL {
            assert_eq!(condition.name().parse::<Condition>().unwrap(), condition);
            let json = serde_json::to_string(&condition).unwrap();
            assert_eq!(json, format!("\"{}\"", condition.name()));
        }
    }

    #[test]
    fn a_sweep_has_the_conditions_of_the_paper_alone() {
        let asked = crate::sweep::Request::default().conditions;
        assert_eq!(asked, Condition::ALL[..10]);
        assert!(!asked.contains(&Condition::INormLearnedLateral));
    }

    #[test]
    fn an_unknown_name_is_named_with_what_is_allowed() {
        let message = "inorm+ful".parse::<Condition>().unwrap_err().to_string();
        assert!(message.contains("inorm+ful"), "{message}");
        assert!(message.contains("inorm+full, inorm+center"), "{message}");
    }
}
