//! What an I-Norm circuit computes of rows, with the task's error on its way back.

use burn::backend::DispatchTensor;
use burn::tensor::Tensor;

use super::positions::{joined, pooled, spread};
use crate::autodiff::Errors;
use crate::matmul::{add_product, product};
use crate::row_function::{Activity, RowFunction, add_bias, exactly, sum_over_rows};
use crate::statistics::mean_square;
use crate::{GradNorm, GradNormMode};

/// z = (a − s)/q, with s and q as constants: the error δ at z sends back δ/q to a, and from there to x,
/// W_ex and b.
#[derive(Debug, Clone)]
pub struct INormFunction {
    pub(super) w_ex: Tensor<2>,
    pub(super) w_ix: Tensor<2>,
    pub(super) w_ei: Tensor<2>,
    pub(super) divisive: Option<Divisive>,
    pub(super) bias: Option<Tensor<1>>,
    pub(super) grad_norm: GradNorm,
    pub(super) epsilon: f64,
    /// The rows that are normalized together.
    pub(super) positions: usize,
}

/// What divides.
#[derive(Debug, Clone)]
pub(super) struct Divisive {
    pub(super) u_ix: Tensor<2>,
    pub(super) u_ei: Tensor<2>,
    /// The value of every element of U_ei if they are the same and do not learn: then q is one number
    /// an example.
    pub(super) uniform: Option<f64>,
}

impl Divisive {
    /// d² U_ei of the drive d = x U_ix: `[rows, d_output]` or, if U_ei is uniform, `[rows, 1]`.
    fn power(&self, drive: Tensor<2>) -> Tensor<2> {
        let [_, n_d] = drive.dims();
        match self.uniform {
            Some(u) => mean_square(drive) * (u * n_d as f64),
            None => product(drive.square(), self.u_ei.clone()),
        }
    }
}

impl RowFunction for INormFunction {
    fn readers(&self) -> Vec<Tensor<2>> {
        let u_ix = self.divisive.as_ref().map(|divisive| divisive.u_ix.clone());
        [self.w_ex.clone(), self.w_ix.clone()]
            .into_iter()
            .chain(u_ix)
            .collect()
    }

    fn open(&self) -> usize {
        1
    }

    fn others(&self) -> Vec<DispatchTensor> {
        let bias = self.bias.clone().map(Tensor::into_dispatch);
        bias.into_iter().collect()
    }

    fn inner(self) -> Self {
        Self {
            w_ex: self.w_ex.inner(),
            w_ix: self.w_ix.inner(),
            w_ei: self.w_ei.inner(),
            divisive: self.divisive.map(|divisive| Divisive {
                u_ix: divisive.u_ix.inner(),
                u_ei: divisive.u_ei.inner(),
                ..divisive
            }),
            bias: self.bias.map(Tensor::inner),
            ..self
        }
    }

    /// Keeps z, x W_ix and, where inhibition divides, x U_ix and q. Where rows are normalized together,
    /// x W_ix is their mean, and q the same for all of them.
    fn activate(&self, drives: Vec<Tensor<2>>) -> Activity {
        let positions = self.positions;
        let balance = |a, h: &Tensor<2>| {
            let a = add_bias(a, &self.bias);
            match positions {
                1 => add_product(a, -1.0, h.clone(), self.w_ei.clone()),
                _ => a - spread(product(h.clone(), self.w_ei.clone()), positions),
            }
        };
        match &self.divisive {
            Some(divisive) => {
                let [a, h, drive] = exactly(drives);
                let h = pooled(h, positions);
                let power = pooled(divisive.power(drive.clone()), positions);
                let q = spread((power + self.epsilon).sqrt(), positions);
                let z = balance(a, &h) / q.clone();
                Activity {
                    z: z.clone(),
                    kept: vec![z, h, drive, q],
                }
            }
            None => {
                let [a, h] = exactly(drives);
                let h = pooled(h, positions);
                let z = balance(a, &h);
                Activity {
                    z: z.clone(),
                    kept: vec![z, h],
                }
            }
        }
    }

    fn normalize_error(&self, kept: &[Tensor<2>], delta: Tensor<2>) -> Tensor<2> {
        let z = kept[0].clone();
        let (shape, positions) = (delta.dims(), self.positions);
        if positions == 1 {
            return self.grad_norm.apply(z, delta);
        }
        let join = |rows| joined(rows, shape[0] / positions);
        let delta = self.grad_norm.apply_joined(join(z), join(delta), positions);
        delta.reshape(shape)
    }

    fn normalizes_errors(&self) -> bool {
        self.grad_norm.mode() != GradNormMode::Identity
    }

    fn to_drives(
        &self,
        kept: &[Tensor<2>],
        delta: &Tensor<2>,
        _wanted: &[bool],
    ) -> Vec<Option<Tensor<2>>> {
        let delta = delta.clone();
        vec![Some(match kept.get(3) {
            Some(q) => delta / q.clone(),
            None => delta,
        })]
    }

    fn to_others(
        &self,
        _kept: &[Tensor<2>],
        _delta: &Tensor<2>,
        at_drives: &[Option<Tensor<2>>],
        wanted: &[bool],
    ) -> Errors {
        let at_a = at_drives[0].clone();
        let bias = |wanted: &bool| {
            let at_a = at_a.clone().filter(|_| *wanted)?;
            Some(sum_over_rows(at_a).into_dispatch())
        };
        wanted.iter().map(bias).collect()
    }
}
