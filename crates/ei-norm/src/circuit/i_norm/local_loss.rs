//! The loss from which the inhibitory weights of an I-Norm circuit learn, with its backward pass.

use burn::backend::DispatchTensor;
use burn::tensor::Tensor;

use super::INorm;
use super::function::{Divisive, INormFunction, PerNetwork};
use super::positions::{gathered, joined, pooled, shared};
use crate::autodiff::{attach, is_listed};
use crate::circuit::values::Values;
use crate::circuit::{Circuit, LearnsLocally, sealed};
use crate::context;
use crate::matmul::product;
use crate::row_function::{Pass, RowFunction};

impl sealed::HasLocalLoss for INorm {
    /// The [`local_loss`] of these rows.
    ///
    /// # Shapes
    ///
    /// - result: `[1]`
    fn local_loss_of(&self, pass: Pass) -> Tensor<1> {
        let Some(z) = pass.kept.first().filter(|z| z.dims()[0] > 0) else {
            let zero = Tensor::zeros([1], (&pass.inputs.device(), pass.inputs.dtype()));
            return context::associate(zero, &self.w_ix.base());
        };
        // x W_ix has a row for each example, so its size tells how many rows an example has.
        let [examples, _] = pass.kept[1].dims();
        let positions = z.dims()[0] / examples;
        match is_listed(&self.w_ix.base()) {
            true => local_loss(INormFunction::new(self, Values::of(self), positions), pass),
            false => self.local_loss_in_operations(pass.inputs, pass.counts, examples),
        }
    }

    fn local_losses<const D: usize>(
        circuits: &[Self],
        values: Values<D>,
        pass: Pass<D>,
    ) -> Tensor<1> {
        local_loss(INormFunction::new(&circuits[0], values, 1), pass)
    }
}

/// The mean over the rows that count of m² + (v − 1)², with m and v the mean and variance of a row of ẑ;
/// without divisive inhibition, the mean of m². The loss reaches only the inhibitory weights.
///
/// With D outputs, B rows and an upstream error λ, dL/dẑ = α + β ẑ where β = 4 λ (v − 1)/(B D) and α = 2 λ
/// m/(B D) − β m. The error at s is −(dL/dẑ)/q, the error at q is −(dL/dẑ) ẑ/q.
///
/// # Shapes
///
/// - result: `[networks]`
fn local_loss<const D: usize>(function: INormFunction<D>, pass: Pass<D>) -> Tensor<1> {
    let Pass {
        inputs,
        kept,
        counts,
    } = pass;
    let positions = function.positions;
    let examples = kept[1].dims()[D - 2];
    let z = joined(kept[0].clone(), examples);
    let (rows, features) = (z.dims()[D - 2], z.dims()[D - 1]);
    let first = function.features.mean(z.clone());
    let second = function.features.variance(z.clone());
    let loss = first.clone().square();
    let loss = match &function.divisive {
        Some(_) => loss + (second.clone() - 1.0).square(),
        None => loss,
    };
    // The weight of each row in the mean.
    let (loss, share) = match &counts {
        None => (mean_over_rows(loss), None),
        Some(counts) => {
            let total = sum_over_rows(counts.clone()).clamp_min(1.0);
            let share = counts.clone() / one_each(total);
            (sum_over_rows(loss * share.clone()), Some(share))
        }
    };
    let u = |of: fn(&Divisive<D>) -> &Tensor<D>| function.divisive.as_ref().map(of).cloned();
    let weights = [
        Some(function.w_ix.clone()),
        Some(function.w_ei.clone()),
        u(|d| &d.u_ix),
        u(|d| &d.u_ei),
    ];
    let parents = weights.into_iter().flatten().map(Tensor::into_dispatch);
    let function = function.inner();
    attach(
        loss,
        parents.collect(),
        move |upstream: Tensor<1>, wanted| {
            let scale = one_each(upstream);
            let scale = match &share {
                None => function.features.divide(scale, rows, features),
                Some(share) => function.features.divide(share.clone() * scale, 1, features),
            };
            let alpha = first.clone() * scale.clone() * 2.0;
            let back = |inputs| Back { inputs, wanted };
            let subtractive = |to_s: Tensor<D>| {
                let to_s = gathered(function.features.only(to_s), positions);
                let inputs = pooled(inputs.clone(), positions);
                back(inputs).subtractive(&kept[1], &function.w_ei, to_s)
            };
            let (Some(divisive), [_, _, drive, q]) = (&function.divisive, &kept[..]) else {
                return subtractive(-alpha.expand(z.dims())).into();
            };
            let q = match divisive.uniform {
                // q is as narrow as α and β, which saves one pass over ẑ.
                Some(_) => joined(q.clone(), examples).narrow(D - 1, 0, 1),
                None => joined(q.clone(), examples),
            };
            let beta = (second.clone() - 1.0) * scale * 4.0;
            let alpha = alpha - beta.clone() * first.clone();
            let to_s = match divisive.uniform {
                Some(_) => -(z.clone() * (beta.clone() / q.clone()) + alpha.clone() / q.clone()),
                None => -(z.clone() * beta.clone() + alpha.clone()) / q.clone(),
            };
            let of_u = match &divisive.uniform {
                Some(u) => {
                    let second_moment = second.clone() + first.clone().square();
                    let along = alpha * first.clone() + beta * second_moment;
                    let along = function.features.times(-along, features);
                    let to_power = along / q.square() * 0.5;
                    back(inputs.clone()).uniform(drive, u, shared(to_power, positions))
                }
                None => {
                    let to_power = gathered(to_s.clone() * z.clone() / q * 0.5, positions);
                    let to_power = shared(to_power, positions);
                    back(inputs.clone()).general(drive, &divisive.u_ei, to_power)
                }
            };
            subtractive(to_s).into_iter().chain(of_u).collect()
        },
    )
}

/// A number for each network, `[networks, 1, 1]`; for a single network `[1, 1]`.
fn one_each<const D: usize>(numbers: Tensor<1>) -> Tensor<D> {
    let mut shape = [1; D];
    shape[0] = numbers.dims()[0];
    numbers.reshape(shape)
}

/// The mean of `[..., rows, 1]` for each network.
fn mean_over_rows<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    match D {
        2 => x.mean(),
        _ => x.mean_dim(D - 2).flatten(0, D - 1),
    }
}

/// The sum of `[..., rows, 1]` for each network.
fn sum_over_rows<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    match D {
        2 => x.sum(),
        _ => x.sum_dim(D - 2).flatten(0, D - 1),
    }
}

impl INorm {
    /// The local loss for the rows of `examples` examples, in plain autodiff.
    fn local_loss_in_operations(
        &self,
        inputs: Tensor<2>,
        counts: Option<Tensor<2>>,
        examples: usize,
    ) -> Tensor<1> {
        let [count, features] = inputs.dims();
        let inputs = context::associate(inputs, &self.w_ix.base());
        let Some(counts) = counts else {
            let inputs = inputs.reshape([examples, count / examples, features]);
            return self.local_loss(&self.currents(inputs));
        };
        let currents = self.currents(inputs);
        let loss_of = |row: usize| {
            let currents = currents.clone().map(|current| current.narrow(0, row, 1));
            self.local_loss(&currents)
        };
        let losses = Tensor::cat((0..count).map(loss_of).collect(), 0);
        let counts = counts.squeeze_dim::<1>(1);
        (losses * counts.clone()).sum() / counts.sum().clamp_min(1.0)
    }
}

/// The last part of the backward pass, to the wanted weights among W_ix, W_ei, U_ix, U_ei.
struct Back<'a, const D: usize> {
    inputs: Tensor<D>,
    wanted: &'a [bool],
}

impl<const D: usize> Back<'_, D> {
    fn to_readers(&self, error: Tensor<D>) -> DispatchTensor {
        product(self.inputs.clone().transpose(), error).into_dispatch()
    }

    /// The errors at W_ix and W_ei from the error at s = h W_ei.
    fn subtractive(
        &self,
        h: &Tensor<D>,
        w_ei: &Tensor<D>,
        to_s: Tensor<D>,
    ) -> [Option<DispatchTensor>; 2] {
        let to_h = || product(to_s.clone(), w_ei.clone().transpose());
        let to_w_ei = || product(h.clone().transpose(), to_s.clone()).into_dispatch();
        [
            self.wanted[0].then(|| self.to_readers(to_h())),
            self.wanted[1].then(to_w_ei),
        ]
    }

    /// The errors at U_ix and U_ei from the error at the power u Σ d², d the drive; U_ei is a constant.
    fn uniform(
        &self,
        drive: &Tensor<D>,
        u: &PerNetwork<D>,
        to_power: Tensor<D>,
    ) -> [Option<DispatchTensor>; 2] {
        let to_u_ix = || self.to_readers(drive.clone() * u.times(to_power, 2.0));
        [self.wanted[2].then(to_u_ix), None]
    }

    /// The errors at U_ix and U_ei from the error at the power d² U_ei.
    fn general(
        &self,
        drive: &Tensor<D>,
        u_ei: &Tensor<D>,
        to_power: Tensor<D>,
    ) -> [Option<DispatchTensor>; 2] {
        let to_drive = || {
            let to_square = product(to_power.clone(), u_ei.clone().transpose());
            drive.clone() * to_square * 2.0
        };
        let to_u_ei =
            || product(drive.clone().square().transpose(), to_power.clone()).into_dispatch();
        [
            self.wanted[2].then(|| self.to_readers(to_drive())),
            self.wanted[3].then(to_u_ei),
        ]
    }
}
