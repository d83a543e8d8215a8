//! I-Norm (Eyono et al. 2026) with its two backward passes written out.

use burn::tensor::Tensor;

use super::product::{Affine, add_bias, rows, unrows};
use super::statistics::{mean, mean_or_zero, mean_square, variance};
use crate::grad::attach;
use crate::matmul::{add_product, product};

/// The weights of an I-Norm layer, shapes as in [`INormWeights`](crate::INormWeights).
#[derive(Debug, Clone)]
pub(crate) struct INormOperands {
    pub w_ex: Tensor<2>,
    pub w_ix: Tensor<2>,
    pub w_ei: Tensor<2>,
    pub divisive: Option<DivisiveOperands>,
    pub bias: Option<Tensor<1>>,
}

/// What divides.
#[derive(Debug, Clone)]
pub(crate) struct DivisiveOperands {
    pub u_ix: Tensor<2>,
    pub u_ei: Tensor<2>,
    /// The value of every element of U_ei if they are the same and do not learn: then q is one number
    /// an example.
    pub uniform: Option<f64>,
}

/// The output of an I-Norm layer, and its local loss for who wants it.
pub(crate) struct INorm<const D: usize> {
    /// z = (a − s)/q, `[..., d_output]`; errors reach x, W_ex and b.
    pub output: Tensor<D>,
    /// The loss of ẑ = (sg(a) − s)/q, which has the values of z.
    pub local: LocalLoss,
}

/// The local loss, not yet computed.
pub(crate) struct LocalLoss {
    pub(super) operands: INormOperands,
    pub(super) inputs: Tensor<2>,
    /// h = x W_ix.
    pub(super) subtractive: Tensor<2>,
    pub(super) divisive: Option<Divisive>,
    pub(super) z: Tensor<2>,
}

/// What is kept of the divisive inhibition of a batch.
#[derive(Debug, Clone)]
pub(super) struct Divisive {
    /// x U_ix.
    pub drive: Tensor<2>,
    /// `[batch, d_output]` or, if U_ei is uniform, `[batch, 1]`.
    pub q: Tensor<2>,
}

impl Divisive {
    /// From the drive x U_ix.
    pub fn new(drive: Tensor<2>, operands: &DivisiveOperands, epsilon: f64) -> Self {
        let [_, n_d] = drive.dims();
        let power = match operands.uniform {
            Some(u) => mean_square(drive.clone()) * (u * n_d as f64),
            None => product(drive.clone().square(), operands.u_ei.clone().inner()),
        };
        let q = (power + epsilon).sqrt();
        Self { drive, q }
    }
}

/// Applies an I-Norm layer.
///
/// # Shapes
///
/// - `x`: `[..., d_input]`
pub(crate) fn i_norm<const D: usize>(
    x: Tensor<D>,
    operands: INormOperands,
    epsilon: f64,
) -> INorm<D> {
    let shape = x.dims();
    let inputs = rows(x.clone().inner());
    let inner = |w: &Tensor<2>| w.clone().inner();
    let weights = inner(&operands.w_ex);
    let subtractive = product(inputs.clone(), inner(&operands.w_ix));
    let a = add_bias(product(inputs.clone(), weights.clone()), &operands.bias);
    let balance = add_product(a, -1.0, subtractive.clone(), inner(&operands.w_ei));
    let divisive = operands.divisive.as_ref();
    let divisive = divisive.map(|divisive| {
        let drive = product(inputs.clone(), inner(&divisive.u_ix));
        Divisive::new(drive, divisive, epsilon)
    });
    let q = divisive.as_ref().map(|divisive| divisive.q.clone());
    let divide = move |t: Tensor<2>| match &q {
        Some(q) => t / q.clone(),
        None => t,
    };
    let z = divide(balance);
    let parents = [
        Some(x.into_dispatch()),
        Some(operands.w_ex.clone().into_dispatch()),
        operands.bias.clone().map(Tensor::into_dispatch),
    ];
    let affine = Affine {
        inputs: inputs.clone(),
        weights,
    };
    let output = attach(
        unrows(z.clone(), shape),
        parents,
        move |delta: Tensor<D>, wanted| affine.errors(divide(rows(delta)), wanted, shape),
    );
    INorm {
        output,
        local: LocalLoss {
            operands,
            inputs,
            subtractive,
            divisive,
            z,
        },
    }
}

impl LocalLoss {
    /// The batch mean of m² + (v − 1)², m and v the mean and variance of an example's ẑ, or of m²
    /// where nothing divides; 0 for an empty batch. It reaches the inhibitory weights only.
    ///
    /// With D outputs, B examples and an upstream error λ, dL/dẑ = α + β ẑ where
    /// β = 4 λ (v − 1)/(B D) and α = 2 λ m/(B D) − β m. From there it goes to s by −1/q and to q by
    /// −ẑ/q.
    ///
    /// # Shapes
    ///
    /// - result: `[1]`
    pub fn compute(self) -> Tensor<1> {
        let Self {
            operands,
            inputs,
            subtractive,
            divisive,
            z,
        } = self;
        let (first, second) = (mean(z.clone()), variance(z.clone()));
        let loss = first.clone().square();
        let loss = match divisive {
            Some(_) => loss + (second.clone() - 1.0).square(),
            None => loss,
        };
        let of_divisive = |of: fn(DivisiveOperands) -> Tensor<2>| {
            operands.divisive.clone().map(|d| of(d).into_dispatch())
        };
        let parents = [
            Some(operands.w_ix.clone().into_dispatch()),
            Some(operands.w_ei.clone().into_dispatch()),
            of_divisive(|d| d.u_ix),
            of_divisive(|d| d.u_ei),
        ];
        let w_ei = operands.w_ei.inner();
        let divisive_operands = operands.divisive.map(|d| (d.u_ei.inner(), d.uniform));
        attach(
            mean_or_zero(loss),
            parents,
            move |upstream: Tensor<1>, wanted| {
                let [batch, features] = z.dims();
                let scale = upstream.unsqueeze::<2>() / (batch * features) as f64;
                let alpha = first.clone() * scale.clone() * 2.0;
                let back = Back {
                    inputs: inputs.clone(),
                    wanted: [wanted[0], wanted[1], wanted[2], wanted[3]],
                };
                match divisive.clone().zip(divisive_operands.clone()) {
                    None => {
                        // Burn cannot expand to a batch of 0.
                        let to_s = match batch {
                            0 => z.zeros_like(),
                            _ => -alpha.expand([batch, features]),
                        };
                        let [dw_ix, dw_ei] = back.subtractive(&subtractive, &w_ei, to_s);
                        [dw_ix, dw_ei, None, None]
                    }
                    Some((Divisive { drive, q }, (u_ei, uniform))) => {
                        let beta = (second.clone() - 1.0) * scale * 4.0;
                        let alpha = alpha - beta.clone() * first.clone();
                        let to_s = match uniform {
                            // q is as narrow as α and β: one pass over ẑ less.
                            Some(_) => {
                                -(z.clone() * (beta.clone() / q.clone())
                                    + alpha.clone() / q.clone())
                            }
                            None => -(z.clone() * beta.clone() + alpha.clone()) / q.clone(),
                        };
                        let [du_ix, du_ei] = match uniform {
                            Some(u) => {
                                let second_moment = second.clone() + first.clone().square();
                                let along = alpha * first.clone() + beta * second_moment;
                                let to_power = -along * features as f64 / q.square() * 0.5;
                                back.uniform(drive, u, to_power)
                            }
                            None => {
                                let to_power = to_s.clone() * z.clone() / q * 0.5;
                                back.general(drive, u_ei, to_power)
                            }
                        };
                        let [dw_ix, dw_ei] = back.subtractive(&subtractive, &w_ei, to_s);
                        [dw_ix, dw_ei, du_ix, du_ei]
                    }
                }
                .map(|error| error.map(Tensor::into_dispatch))
            },
        )
    }
}

/// The last part of the way back, to the weights that want an error: W_ix, W_ei, U_ix, U_ei.
struct Back {
    inputs: Tensor<2>,
    wanted: [bool; 4],
}

impl Back {
    fn to_weights(&self, error: Tensor<2>) -> Tensor<2> {
        product(self.inputs.clone().transpose(), error)
    }

    /// From the error at s = h W_ei.
    fn subtractive(
        &self,
        h: &Tensor<2>,
        w_ei: &Tensor<2>,
        to_s: Tensor<2>,
    ) -> [Option<Tensor<2>>; 2] {
        let [w_ix, w_ei_wanted, ..] = self.wanted;
        let to_h = || product(to_s.clone(), w_ei.clone().transpose());
        [
            w_ix.then(|| self.to_weights(to_h())),
            w_ei_wanted.then(|| product(h.clone().transpose(), to_s.clone())),
        ]
    }

    /// From the error at the power u Σ d², d the drive; U_ei is a constant.
    fn uniform(&self, drive: Tensor<2>, u: f64, to_power: Tensor<2>) -> [Option<Tensor<2>>; 2] {
        let [.., u_ix, _] = self.wanted;
        [
            u_ix.then(|| self.to_weights(drive * (to_power * (2.0 * u)))),
            None,
        ]
    }

    /// From the error at the power d² U_ei.
    fn general(
        &self,
        drive: Tensor<2>,
        u_ei: Tensor<2>,
        to_power: Tensor<2>,
    ) -> [Option<Tensor<2>>; 2] {
        let [.., u_ix, u_ei_wanted] = self.wanted;
        let to_drive = || {
            let to_square = product(to_power.clone(), u_ei.transpose());
            drive.clone() * to_square * 2.0
        };
        [
            u_ix.then(|| self.to_weights(to_drive())),
            u_ei_wanted.then(|| product(drive.clone().square().transpose(), to_power.clone())),
        ]
    }
}
