//! Spectral radius and spectral norm of matrices, and scaling to them.

use burn::tensor::Tensor;

use crate::check::{check_positive, check_shape};
use crate::{Error, read};

/// The spectral radius of a square matrix: the largest absolute value of its eigenvalues.
///
/// Computed from ρ(W) = lim ‖W^k‖^(1/k) (Gelfand) by repeated squaring: after 40 squarings the relative error
/// is less than 1e-10, apart from rounding. NaN and infinite values give NaN.
///
/// # Shapes
///
/// - `w`: `[n, n]`
///
/// # Errors
///
/// [`Error::Shape`] if the matrix is not square.
pub fn spectral_radius(w: &Tensor<2>) -> Result<f64, Error> {
    const SQUARES: i32 = 40;
    let [rows, columns] = w.dims();
    check_shape("w", [rows, columns], [rows, rows])?;
    if rows == 0 {
        return Ok(0.0);
    }
    // Invariant: W^(2^j) = exp(2^j log) · power.
    let (mut power, mut log) = (w.clone().inner(), 0.0);
    for j in 0..=SQUARES {
        let size = largest(&power);
        if size == 0.0 || !size.is_finite() {
            return Ok(if size == 0.0 { 0.0 } else { f64::NAN });
        }
        log += size.ln() / 2_f64.powi(j);
        let unit = power / size;
        power = unit.clone().matmul(unit);
    }
    Ok(log.exp())
}

/// The spectral norm of a matrix: its largest singular value.
///
/// # Shapes
///
/// - `w`: `[rows, columns]`
pub fn spectral_norm(w: &Tensor<2>) -> f64 {
    let w = w.clone().inner();
    let size = largest(&w);
    if w.shape().num_elements() == 0 || size == 0.0 {
        return 0.0;
    }
    // Scaled, so that squares neither overflow nor underflow.
    let unit = w / size;
    let gram = unit.clone().transpose().matmul(unit);
    spectral_radius(&gram).map_or(f64::NAN, |square| size * square.sqrt())
}

/// `w` scaled to this [`spectral_radius`], a common initialization of recurrent networks.
///
/// # Shapes
///
/// - `w`, result: `[n, n]`
///
/// # Errors
///
/// If `radius` is not positive, the matrix is not square, or its spectral radius is 0 or not finite.
pub fn rescale_to_radius(w: Tensor<2>, radius: f64) -> Result<Tensor<2>, Error> {
    check_positive("radius", radius)?;
    let found = spectral_radius(&w)?;
    check_positive("the spectral radius of the matrix", found)?;
    Ok(w * (radius / found))
}

/// `w` scaled to this [`spectral_norm`].
///
/// # Shapes
///
/// - `w`, result: `[rows, columns]`
///
/// # Errors
///
/// If `norm` is not positive, or the spectral norm of the matrix is 0 or not finite.
pub fn rescale_to_norm(w: Tensor<2>, norm: f64) -> Result<Tensor<2>, Error> {
    check_positive("norm", norm)?;
    let found = spectral_norm(&w);
    check_positive("the spectral norm of the matrix", found)?;
    Ok(w * (norm / found))
}

/// max |w|; NaN if a value is NaN, 0 for an empty matrix.
fn largest(w: &Tensor<2>) -> f64 {
    let sum = |sum: f64, v: f64| {
        if sum.is_nan() || v.abs() <= sum {
            sum
        } else {
            v.abs()
        }
    };
    read::data(w.clone()).iter::<f64>().fold(0.0, sum)
}
