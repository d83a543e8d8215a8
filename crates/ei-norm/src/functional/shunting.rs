use burn::tensor::Tensor;

use super::excite;

/// The divisive current of shunting inhibition (Cornford et al. 2021): γ = (h ⊙ e^α) W_ei + ε, with
/// h = x W_ix the inhibitory units and α how strongly each of them divides, relative to how strongly
/// it subtracts.
///
/// # Shapes
///
/// - `h`: `[..., n_i]`, `w_ei`: `[n_i, d_output]`, `alpha`: `[n_i]`
/// - result: `[..., d_output]`
///
/// # Panics
///
/// If the shapes do not fit.
pub fn shunting_current<const D: usize>(
    h: Tensor<D>,
    w_ei: Tensor<2>,
    alpha: Tensor<1>,
    epsilon: f64,
) -> Tensor<D> {
    excite(h * alpha.exp().unsqueeze(), w_ei, None) + epsilon
}

/// Subtraction, division and gain: z = g ⊙ (a − s)/γ + b.
///
/// # Shapes
///
/// - `excitatory`, `subtractive`, `divisive`: `[..., d_output]`; `gain`, `bias`: `[d_output]`
/// - result: `[..., d_output]`
///
/// # Panics
///
/// If the shapes do not fit.
pub fn shunt<const D: usize>(
    excitatory: Tensor<D>,
    subtractive: Tensor<D>,
    divisive: Tensor<D>,
    gain: Tensor<1>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    let z = (excitatory - subtractive) / divisive * gain.unsqueeze();
    match bias {
        Some(bias) => z + bias.unsqueeze(),
        None => z,
    }
}
