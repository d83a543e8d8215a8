//! The function of an I-Norm circuit, with the backward pass of the task's error.

use burn::backend::DispatchTensor;
use burn::tensor::Tensor;

use super::positions::{joined, pooled, spread};
use super::{INorm, NormalizedOver};
use crate::check::or_panic;
use crate::circuit::values::Values;
use crate::error_norm::{ErrorNorm, GradNormMode};
use crate::matmul::{add_product, product};
use crate::row_function::{RowFunction, Vector, add_bias, exactly};
use crate::statistics::{Features, mean_square};

/// z = (a − s)/q, with s and q as constants: the error δ at z becomes δ/q at a, and reaches x, W_ex and b
/// from there.
#[derive(Debug, Clone)]
pub struct INormFunction<const D: usize = 2> {
    pub(super) w_ex: Tensor<D>,
    pub(super) w_ix: Tensor<D>,
    pub(super) w_ei: Tensor<D>,
    pub(super) divisive: Option<Divisive<D>>,
    pub(super) bias: Option<Vector<D>>,
    pub(super) errors: ErrorNorm,
    /// The lateral weights of each network, `[..., 1, d_output]`, if the errors are normalized by them.
    pub(super) lateral: Option<Tensor<D>>,
    pub(super) epsilon: f64,
    /// The outputs that exist.
    features: Features<D>,
    /// The values that are normalized together: the outputs of [`positions`](Self::positions) rows.
    pub(super) joined: Features<D>,
    pub(super) over: NormalizedOver,
    /// The number of rows that are normalized together.
    pub(super) positions: usize,
}

/// The divisive inhibitory weights.
#[derive(Debug, Clone)]
pub(super) struct Divisive<const D: usize> {
    pub(super) u_ix: Tensor<D>,
    pub(super) u_ei: Tensor<D>,
    /// The value of every element of U_ei in each network, if all are equal and do not learn: then q is one
    /// number for each example.
    pub(super) uniform: Option<Vec<f64>>,
}

impl<const D: usize> Divisive<D> {
    /// d² U_ei for the drive d = x U_ix: `[..., rows, d_output]` or, if U_ei is uniform, `[..., rows, 1]`.
    fn power(&self, drive: Tensor<D>) -> Tensor<D> {
        let n_d = drive.dims()[D - 1] as f64;
        match &self.uniform {
            Some(u) => self.times(u, mean_square(drive), n_d),
            None => product(drive.square(), self.u_ei.clone()),
        }
    }

    /// `x` times the element u of a uniform U_ei, in each network, times `factor`.
    pub(super) fn times(&self, u: &[f64], x: Tensor<D>, factor: f64) -> Tensor<D> {
        if u.iter().all(|other| *other == u[0]) {
            return x * (u[0] * factor);
        }
        let of_networks = self.u_ei.clone().narrow(D - 2, 0, 1).narrow(D - 1, 0, 1);
        x * (of_networks * factor)
    }
}

impl<const D: usize> INormFunction<D> {
    /// The function of circuits of one form.
    pub(super) fn new(form: &INorm, mut values: Values<D>) -> Self {
        // The field may have been replaced.
        or_panic(form.grad_norm.check_features(form.w_ex.dims()[1]));
        Self {
            w_ex: values.matrix(),
            w_ix: values.matrix(),
            w_ei: values.matrix(),
            divisive: form.u_ix.is_some().then(|| {
                let u_ix = values.matrix();
                let (u_ei, uniform) = values.known_matrix();
                Divisive {
                    u_ix,
                    u_ei,
                    uniform,
                }
            }),
            bias: form.bias.is_some().then(|| values.vector()),
            errors: form.grad_norm.norm,
            lateral: (form.grad_norm.lateral_weights.as_ref())
                .map(|_| values.vector().inner().row()),
            joined: values.features.clone(),
            features: values.features,
            epsilon: form.epsilon,
            over: form.over,
            positions: 1,
        }
    }

    /// The function for the task's error: inhibition is a constant.
    pub(super) fn of_task(self) -> Self {
        Self {
            w_ex: self.w_ex.clone(),
            bias: self.bias.clone(),
            ..self.inner()
        }
    }
}

impl<const D: usize> RowFunction<D> for INormFunction<D> {
    fn for_rows(self, rows: usize, examples: usize) -> Self {
        let positions = match self.over {
            NormalizedOver::Example if rows > 0 => rows / examples,
            _ => 1,
        };
        Self {
            joined: self.features.repeated(positions),
            positions,
            ..self
        }
    }

    fn readers(&self) -> Vec<Tensor<D>> {
        let u_ix = self.divisive.iter().map(|divisive| &divisive.u_ix);
        let matrices = [&self.w_ex, &self.w_ix].into_iter();
        matrices.chain(u_ix).cloned().collect()
    }

    fn open(&self) -> usize {
        1
    }

    fn others(&self) -> Vec<DispatchTensor> {
        let bias = self.bias.clone().map(Vector::into_dispatch);
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
            bias: self.bias.map(Vector::inner),
            ..self
        }
    }

    /// Keeps z, x W_ix and, if inhibition divides, x U_ix and q. If rows are normalized together, x W_ix is
    /// averaged over them, and they share the same q.
    fn activate(&self, drives: Vec<Tensor<D>>) -> (Tensor<D>, Vec<Tensor<D>>) {
        let positions = self.positions;
        let balance = |a, h| {
            let (a, h) = (add_bias(a, &self.bias), pooled(h, positions));
            let balance = match positions {
                1 => add_product(a, -1.0, h.clone(), self.w_ei.clone()),
                _ => a - spread(product(h.clone(), self.w_ei.clone()), positions),
            };
            (balance, h)
        };
        let Some(divisive) = &self.divisive else {
            let [a, h] = exactly(drives);
            let (z, h) = balance(a, h);
            return (z.clone(), vec![z, h]);
        };
        let [a, h, drive] = exactly(drives);
        let (balance, h) = balance(a, h);
        let power = pooled(divisive.power(drive.clone()), positions);
        let q = spread((power + self.epsilon).sqrt(), positions);
        let q = self.features.divisor(q);
        let z = balance / q.clone();
        (z.clone(), vec![z, h, drive, q])
    }

    fn features(&self) -> &Features<D> {
        &self.features
    }

    fn normalize_error(&self, kept: &[Tensor<D>], delta: Tensor<D>) -> Tensor<D> {
        let (z, lateral) = (&kept[0], self.lateral.as_ref());
        let (shape, positions) = (delta.dims(), self.positions);
        if positions == 1 {
            return self.errors.apply(&self.features, Some(z), lateral, delta);
        }
        let [z, delta] = [z.clone(), delta].map(|rows| joined(rows, shape[D - 2] / positions));
        let repeated = |w: &Tensor<D>| Tensor::cat(vec![w.clone(); positions], D - 1);
        let lateral = lateral.map(|w| repeated(w) / positions as f64);
        let delta = (self.errors).apply(&self.joined, Some(&z), lateral.as_ref(), delta);
        delta.reshape(shape)
    }

    fn normalizes_errors(&self) -> bool {
        self.errors.mode != GradNormMode::Identity || self.features.are_some()
    }

    fn to_drives(
        &self,
        kept: &[Tensor<D>],
        delta: &Tensor<D>,
        _wanted: &[bool],
    ) -> Vec<Option<Tensor<D>>> {
        let delta = delta.clone();
        vec![Some(match kept.get(3) {
            Some(q) => delta / q.clone(),
            None => delta,
        })]
    }

    fn to_others(
        &self,
        _kept: &[Tensor<D>],
        _delta: &Tensor<D>,
        at_drives: &[Option<Tensor<D>>],
        wanted: &[bool],
    ) -> Vec<Option<Tensor<D>>> {
        let of_bias = |wanted: &bool| {
            let at_a = at_drives[0].clone().filter(|_| *wanted)?;
            Some(at_a.sum_dim(D - 2))
        };
        wanted.iter().map(of_bias).collect()
    }
}
