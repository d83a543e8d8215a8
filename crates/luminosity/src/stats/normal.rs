//! The tail of the normal distribution.

use std::f64::consts::SQRT_2;

use libm::erfc;

/// The doubled upper tail, 2 (1 − Φ(z)) = erfc(z / √2), at most 1.
///
/// Computed with the complementary error function, because the difference 1 − Φ(z) loses every digit beyond z
/// ≈ 8; the result is accurate to a few parts in 10¹⁶ down to p ≈ 1e-308, at z ≈ 37.5. (`erfc` of statrs
/// 0.19.1 is off by a part in 10¹⁰ for z between 0.7 and 1.1.)
pub(super) fn two_sided_p(z: f64) -> f64 {
    erfc(z / SQRT_2).min(1.0)
}
