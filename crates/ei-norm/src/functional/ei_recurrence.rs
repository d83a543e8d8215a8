//! The recurrence of an EI network with its backward pass through time written out.

use burn::tensor::Tensor;

use super::activation::NonNegativeActivation;
use super::product::{EiMatrices, unrows};
use super::recurrence::{at, errors_of, previous};
use crate::grad::attach;
use crate::matmul::{add_product, product};

/// The states h_t = φ(c_t + h_{t−1} W_ex − (h_{t−1} W_ix) W_ei) of a sequence of input currents c,
/// from the initial state (0 if none) on.
///
/// With a_t the argument of φ, u_t the error that arrives at h_t and W = W_ex − W_ix W_ei, the error
/// of a_t is δ_t = (u_t + δ_{t+1} Wᵀ) φ'(a_t). It is that of c_t too, and with H the states before
/// each step and Δ the errors, both a row for each step and example, dW_ex = Hᵀ Δ,
/// dW_ix = −Hᵀ (Δ W_eiᵀ) and dW_ei = −(H W_ix)ᵀ Δ.
///
/// # Shapes
///
/// - `currents` and result: `[steps, batch, d_hidden]`
/// - `initial`: `[batch, d_hidden]`
/// - `matrices`: of a layer from `d_hidden` to `d_hidden`
pub(crate) fn ei_recurrence(
    currents: Tensor<3>,
    matrices: EiMatrices,
    initial: Option<Tensor<2>>,
    activation: NonNegativeActivation,
) -> Tensor<3> {
    let shape @ [steps, batch, _] = currents.dims();
    let matrices = matrices.for_rows(steps * batch);
    if currents.shape().num_elements() == 0 {
        return currents;
    }
    let source = currents.clone().inner();
    let first = initial.clone().map(Tensor::inner);
    let weights = Constants::of(&matrices);
    let mut states: Vec<Tensor<2>> = Vec::with_capacity(steps);
    for step in 0..steps {
        let current = at(&source, step);
        let current = match states.last().or(first.as_ref()) {
            Some(h) => weights.add(current, h.clone()),
            None => current,
        };
        states.push(activation.forward(current));
    }
    let states: Tensor<3> = Tensor::cat(states, 0).reshape(shape);
    let (w_ix, w_ei) = matrices.inhibition.unzip();
    let parents = [
        Some(currents.into_dispatch()),
        Some(matrices.w_ex.into_dispatch()),
        w_ix.map(Tensor::into_dispatch),
        w_ei.map(Tensor::into_dispatch),
        initial.map(Tensor::into_dispatch),
    ];
    let known = states.clone();
    attach(states, parents, move |upstream: Tensor<3>, wanted| {
        let errors = errors_of(
            upstream,
            activation.slope(known.clone()),
            wanted[4],
            |_, error| error,
            |error| weights.back(error),
        );
        let delta = errors.currents;
        let [dw_ex, dw_ix, dw_ei] = match wanted[1..4].contains(&true) {
            true => weights.errors(previous(&known, first.as_ref()), &delta, wanted),
            false => [None, None, None],
        };
        [
            wanted[0].then(|| unrows(delta, shape).into_dispatch()),
            dw_ex.map(Tensor::into_dispatch),
            dw_ix.map(Tensor::into_dispatch),
            dw_ei.map(Tensor::into_dispatch),
            errors.initial.map(Tensor::into_dispatch),
        ]
    })
}

/// The recurrent weights, outside of any graph.
struct Constants {
    ex: Tensor<2>,
    inhibition: Option<(Tensor<2>, Tensor<2>)>,
}

impl Constants {
    fn of(matrices: &EiMatrices) -> Self {
        let inner = |w: &Tensor<2>| w.clone().inner();
        let inhibition = matrices.inhibition.as_ref();
        Self {
            ex: inner(&matrices.w_ex),
            inhibition: inhibition.map(|(ix, ei)| (inner(ix), inner(ei))),
        }
    }

    /// `sum` + h W_ex − (h W_ix) W_ei.
    fn add(&self, sum: Tensor<2>, h: Tensor<2>) -> Tensor<2> {
        let sum = add_product(sum, 1.0, h.clone(), self.ex.clone());
        match &self.inhibition {
            Some((ix, ei)) => add_product(sum, -1.0, product(h, ix.clone()), ei.clone()),
            None => sum,
        }
    }

    /// δ Wᵀ = δ W_exᵀ − (δ W_eiᵀ) W_ixᵀ.
    fn back(&self, delta: Tensor<2>) -> Tensor<2> {
        let error = product(delta.clone(), self.ex.clone().transpose());
        match &self.inhibition {
            Some((ix, ei)) => {
                let e = product(delta, ei.clone().transpose());
                add_product(error, -1.0, e, ix.clone().transpose())
            }
            None => error,
        }
    }

    /// At W_ex, W_ix and W_ei, where `wanted`, from the second on, says so.
    fn errors(&self, h: Tensor<2>, delta: &Tensor<2>, wanted: &[bool]) -> [Option<Tensor<2>>; 3] {
        let turned = h.clone().transpose();
        let inhibition = self.inhibition.as_ref();
        [
            wanted[1].then(|| product(turned.clone(), delta.clone())),
            inhibition
                .filter(|_| wanted[2])
                .map(|(_, ei)| product(turned, -product(delta.clone(), ei.clone().transpose()))),
            inhibition
                .filter(|_| wanted[3])
                .map(|(ix, _)| product(-product(h, ix.clone()).transpose(), delta.clone())),
        ]
    }
}
