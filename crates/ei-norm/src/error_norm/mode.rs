use crate::Error;

/// How [`GradNorm`](crate::GradNorm) changes the error δ that arrives at a layer's output z (Eyono et al.
/// 2026).
///
/// ```text
/// δ' = (δ − a − z b) / c    a = mean δ   if the mode centers, w·δ if it is lateral
///                           b = (δ·z)/D  if it decorrelates
///                           c = σ        if it scales, σ = sqrt(var(z) + ε)
/// ```
///
/// and otherwise a = b = 0, c = 1. D is the number of features; w are fixed weights ≥ 0, by default random
/// with sum 1. The paper has the modes identity, full, center, scale, decorrelate and lateral; each other
/// mode is `full` without one of its three parts.
///
/// Modes that decorrelate or scale multiply with z: if z² or δ·z overflows (|z| above 1.8e19 in f32, 1e154 in
/// f64), δ' may be NaN.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GradNormMode {
    /// δ, unchanged.
    Identity,
    /// (δ − mean δ − z (δ·z)/D) / σ: LayerNorm's Jacobian where z has mean 0 and variance 1.
    #[default]
    Full,
    /// δ − mean δ.
    Center,
    /// δ / σ.
    Scale,
    /// δ − z (δ·z)/D: removes the component of the error along the activity.
    Decorrelate,
    /// δ − Σ_j w_j δ_j with fixed weights w: lateral inhibition between errors.
    Lateral,
    /// (δ − mean δ) / σ.
    CenterScale,
    /// δ − mean δ − z (δ·z)/D.
    CenterDecorrelate,
    /// (δ − z (δ·z)/D) / σ.
    DecorrelateScale,
}

/// The number a that is subtracted from every element of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Offset {
    Zero,
    /// mean δ.
    Mean,
    /// w·δ.
    Weighted,
}

impl GradNormMode {
    /// All modes.
    pub const ALL: [Self; 9] = [
        Self::Identity,
        Self::Full,
        Self::Center,
        Self::Scale,
        Self::Decorrelate,
        Self::Lateral,
        Self::CenterScale,
        Self::CenterDecorrelate,
        Self::DecorrelateScale,
    ];

    /// The name in configurations, records and on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Full => "full",
            Self::Center => "center",
            Self::Scale => "scale",
            Self::Decorrelate => "decorrelate",
            Self::Lateral => "lateral",
            Self::CenterScale => "center_scale",
            Self::CenterDecorrelate => "center_decorrelate",
            Self::DecorrelateScale => "decorrelate_scale",
        }
    }

    pub(crate) fn offset(self) -> Offset {
        match self {
            Self::Lateral => Offset::Weighted,
            Self::Full | Self::Center | Self::CenterScale | Self::CenterDecorrelate => Offset::Mean,
            Self::Identity | Self::Scale | Self::Decorrelate | Self::DecorrelateScale => {
                Offset::Zero
            }
        }
    }

    pub(crate) fn decorrelates(self) -> bool {
        matches!(
            self,
            Self::Full | Self::Decorrelate | Self::CenterDecorrelate | Self::DecorrelateScale
        )
    }

    pub(crate) fn scales(self) -> bool {
        matches!(
            self,
            Self::Full | Self::Scale | Self::CenterScale | Self::DecorrelateScale
        )
    }

    /// Whether δ' depends on z.
    pub(crate) fn looks_at_activity(self) -> bool {
        self.decorrelates() || self.scales()
    }
}

impl std::fmt::Display for GradNormMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for GradNormMode {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.name() == name)
            .ok_or_else(|| {
                Error::config(
                    "mode",
                    name,
                    "identity, full, center, scale, decorrelate, lateral, center_scale, \
                     center_decorrelate, decorrelate_scale",
                )
            })
    }
}
