use crate::named::named;

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

named! {
    GradNormMode, "mode", 9:
    Identity "identity", Full "full", Center "center", Scale "scale", Decorrelate "decorrelate",
    Lateral "lateral", CenterScale "center_scale", CenterDecorrelate "center_decorrelate",
    DecorrelateScale "decorrelate_scale"
}

impl GradNormMode {
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
