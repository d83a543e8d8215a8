//! The loss from which the inhibitory weights of an I-Norm circuit learn, with its backward pass.

use burn::tensor::Tensor;

use super::INorm;
use super::function::INormFunction;
use super::positions::{gathered, joined, pooled, shared};
use crate::autodiff::{attach, is_listed};
use crate::circuit::values::Values;
use crate::circuit::{Circuit, LearnsLocally, sealed};
use crate::context;
use crate::matmul::product;
use crate::row_function::{Pass, RowFunction, dispatched, rows};
use crate::statistics::widened;

impl sealed::HasLocalLoss for INorm {
    /// The [`local_loss`] of these rows; 0 if there are none.
    fn local_losses<const D: usize>(&self, values: Values<D>, pass: Pass<D>) -> Tensor<1> {
        let count = pass.inputs.dims()[D - 2];
        // Kept is the mean of x W_ix over the rows that are normalized together: a row for each such group.
        let examples = pass.kept.get(1).map_or(0, |h| h.dims()[D - 2]);
        let function = INormFunction::new(self, values).for_rows(count, examples);
        if count == 0 {
            let networks = pass.inputs.dims()[..D - 2].iter().product::<usize>();
            let options = (&pass.inputs.device(), pass.inputs.dtype());
            return context::associate(Tensor::zeros([networks], options), &function.w_ix);
        }
        if D == 2 && !is_listed(&function.w_ix) {
            let (inputs, counts) = (rows(pass.inputs), pass.counts.map(rows));
            return self.local_loss_in_operations(inputs, counts, examples);
        }
        local_loss(function, pass)
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
    let first = function.joined.mean(z.clone());
    let second = function.joined.variance(z.clone());
    let loss = first.clone().square();
    let loss = match &function.divisive {
        Some(_) => loss + (second.clone() - 1.0).square(),
        None => loss,
    };
    // The weight of each row in the mean.
    let (loss, share) = match &counts {
        None => (mean_over_rows(loss), None),
        Some(counts) => {
            // In f16 a large number of rows would be infinite.
            let counts = widened(counts.clone());
            let total = sum_over_rows(counts.clone()).clamp_min(1.0);
            let share = (counts / one_each(total)).cast(loss.dtype());
            (sum_over_rows(loss * share.clone()), Some(share))
        }
    };
    let mut parents = vec![&function.w_ix, &function.w_ei];
    parents.extend((function.divisive.iter()).flat_map(|of| [&of.u_ix, &of.u_ei]));
    let parents = parents.into_iter().map(|w| w.clone().into_dispatch());
    let parents = parents.collect();
    let function = function.inner();
    attach(loss, parents, move |upstream: Tensor<1>, wanted| {
        let scale = one_each(upstream);
        let scale = match &share {
            None => function.joined.divide(scale, rows, features),
            Some(share) => function.joined.divide(share.clone() * scale, 1, features),
        };
        let alpha = first.clone() * scale.clone() * 2.0;
        let of_reader = |inputs: Tensor<D>, error| product(inputs.transpose(), error);
        // The errors at W_ix and W_ei from the error at s = h W_ei.
        let of_subtractive = |to_s: Tensor<D>| {
            let to_s = gathered(function.joined.only(to_s), positions);
            let of_w_ix = || {
                let to_h = product(to_s.clone(), function.w_ei.clone().transpose());
                of_reader(pooled(inputs.clone(), positions), to_h)
            };
            let of_w_ei = || product(kept[1].clone().transpose(), to_s.clone());
            vec![wanted[0].then(of_w_ix), wanted[1].then(of_w_ei)]
        };
        let (Some(divisive), [_, _, drive, q]) = (&function.divisive, &kept[..]) else {
            return dispatched(of_subtractive(-alpha.expand(z.dims())));
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
        // The errors at U_ix and U_ei from the error at the power d² U_ei, d the drive.
        let of_divisive = match &divisive.uniform {
            // The power is u Σ d², and U_ei is a constant.
            Some(u) => {
                let second_moment = second.clone() + first.clone().square();
                let along = alpha * first.clone() + beta * second_moment;
                let along = function.joined.times(-along, features);
                let to_power = shared(along / q.square() * 0.5, positions);
                let to_drive = || drive.clone() * divisive.times(u, to_power, 2.0);
                let of_u_ix = wanted[2].then(|| of_reader(inputs.clone(), to_drive()));
                [of_u_ix, None]
            }
            None => {
                let to_power = gathered(to_s.clone() * z.clone() / q * 0.5, positions);
                let to_power = shared(to_power, positions);
                let to_drive = || {
                    let to_square = product(to_power.clone(), divisive.u_ei.clone().transpose());
                    drive.clone() * to_square * 2.0
                };
                let of_u_ei = || product(drive.clone().square().transpose(), to_power.clone());
                let of_u_ix = wanted[2].then(|| of_reader(inputs.clone(), to_drive()));
                [of_u_ix, wanted[3].then(of_u_ei)]
            }
        };
        dispatched([of_subtractive(to_s), of_divisive.into()].concat())
    })
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
