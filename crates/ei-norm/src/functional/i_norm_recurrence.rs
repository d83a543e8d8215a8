//! I-Norm at every step of a recurrent network, with its backward pass through time written out.

use burn::tensor::Tensor;

use super::activation::NonNegativeActivation;
use super::i_norm::{Divisive, INormOperands, LocalLoss};
use super::loss::no_loss;
use super::product::{add_bias, excite, rows, sum_over_rows, unrows};
use super::recurrence::{errors_of, previous};
use crate::grad::attach;
use crate::matmul::{add_product, product};

/// The states of a sequence, and its local loss for who wants it.
pub(crate) struct INormStates {
    /// h_t, `[steps, batch, d_hidden]`; errors reach x, W_ex, b and the initial state.
    pub states: Tensor<3>,
    /// The loss of all steps.
    pub local: LocalLossOfSteps,
}

/// The local loss of a sequence, not yet computed.
pub(crate) struct LocalLossOfSteps {
    operands: INormOperands,
    inputs: Tensor<2>,
    states: Tensor<3>,
    initial: Option<Tensor<2>>,
    steps: Steps,
}

/// What was computed at each step, a matrix each.
#[derive(Default)]
struct Steps {
    subtractive: Vec<Tensor<2>>,
    divisive: Vec<Divisive>,
    z: Vec<Tensor<2>>,
}

/// The states h_t = φ(z_t), z_t = (a_t − s_t)/q_t, of an I-Norm layer that sees the inputs of a step
/// and the states before it, [x_t, h_{t−1}], from the initial state (0 if none) on.
///
/// s and q are constants to the errors. With u_t the error that arrives at h_t and N that of
/// `normalize` (from z and δ), the error of a_t is
/// δ_t = N(z_t, (u_t + δ_{t+1} W_hᵀ) φ'(z_t))/q_t, W_h the rows of W_ex that belong to h. Over the rows
/// of all steps, dx = Δ W_xᵀ, dW_ex = [X, H]ᵀ Δ and db = Σ δ.
///
/// # Shapes
///
/// - `x`: `[steps, batch, d_input]`; `initial`: `[batch, d_hidden]`
/// - `operands`: of a layer from `d_input + d_hidden` to `d_hidden`
pub(crate) fn i_norm_recurrence(
    x: Tensor<3>,
    operands: INormOperands,
    initial: Option<Tensor<2>>,
    activation: NonNegativeActivation,
    epsilon: f64,
    normalize: impl Fn(Tensor<2>, Tensor<2>) -> Tensor<2> + Send + Sync + 'static,
) -> INormStates {
    let shape @ [steps, batch, d_input] = x.dims();
    let inputs = rows(x.clone().inner());
    let first = initial.clone().map(Tensor::inner);
    if steps * batch == 0 {
        let w_ex = operands.w_ex.clone().narrow(0, 0, d_input);
        let states = excite(x, w_ex, operands.bias.clone());
        let known = states.clone().inner();
        return INormStates {
            states,
            local: LocalLossOfSteps {
                operands,
                inputs,
                states: known,
                initial: first,
                steps: Steps::default(),
            },
        };
    }
    let [ex, ix] = [&operands.w_ex, &operands.w_ix].map(|w| Split::new(w, d_input));
    let ei = operands.w_ei.clone().inner();
    let divisive = operands.divisive.as_ref();
    let u_ix = divisive.map(|divisive| Split::new(&divisive.u_ix, d_input));

    // The inputs of all steps at once; then the states, one step after the other.
    let a = add_bias(product(inputs.clone(), ex.of_x.clone()), &operands.bias);
    let subtractive = product(inputs.clone(), ix.of_x.clone());
    let drive = u_ix
        .as_ref()
        .map(|u_ix| product(inputs.clone(), u_ix.of_x.clone()));
    let mut kept = Steps::default();
    let mut states: Vec<Tensor<2>> = Vec::with_capacity(steps);
    for step in 0..steps {
        let h = states.last().or(first.as_ref()).cloned();
        let with_state = |sum: &Tensor<2>, weights: &Split| {
            let sum = sum.clone().narrow(0, step * batch, batch);
            match &h {
                Some(h) => add_product(sum, 1.0, h.clone(), weights.of_h.clone()),
                None => sum,
            }
        };
        let subtractive = with_state(&subtractive, &ix);
        let mut z = add_product(with_state(&a, &ex), -1.0, subtractive.clone(), ei.clone());
        if let (Some(operands), Some(drive), Some(u_ix)) = (divisive, &drive, &u_ix) {
            let divisive = Divisive::new(with_state(drive, u_ix), operands, epsilon);
            z = z / divisive.q.clone();
            kept.divisive.push(divisive);
        }
        kept.subtractive.push(subtractive);
        states.push(activation.forward(z.clone()));
        kept.z.push(z);
    }

    let [_, d_hidden] = ex.of_h.dims();
    let states: Tensor<3> = Tensor::cat(states, 0).reshape([steps, batch, d_hidden]);
    let z = kept.z.clone();
    let q: Vec<_> = kept
        .divisive
        .iter()
        .map(|divisive| divisive.q.clone())
        .collect();
    let local = LocalLossOfSteps {
        operands: operands.clone(),
        inputs: inputs.clone(),
        states: states.clone(),
        initial: first.clone(),
        steps: kept,
    };
    let known = states.clone();
    let parents = [
        Some(x.into_dispatch()),
        Some(operands.w_ex.clone().into_dispatch()),
        operands.bias.clone().map(Tensor::into_dispatch),
        initial.map(Tensor::into_dispatch),
    ];
    let states = attach(states, parents, move |upstream: Tensor<3>, wanted| {
        let errors = errors_of(
            upstream,
            activation.slope(known.clone()),
            wanted[3],
            |step, error| {
                let error = normalize(z[step].clone(), error);
                match q.get(step) {
                    Some(q) => error / q.clone(),
                    None => error,
                }
            },
            |error| product(error, ex.of_h.clone().transpose()),
        );
        let delta = errors.currents;
        let dx = || product(delta.clone(), ex.of_x.clone().transpose());
        let dw = || {
            let states = previous(&known, first.as_ref());
            let of = |m: Tensor<2>| product(m.transpose(), delta.clone());
            Tensor::cat(vec![of(inputs.clone()), of(states)], 0)
        };
        [
            wanted[0].then(|| unrows(dx(), shape).into_dispatch()),
            wanted[1].then(|| dw().into_dispatch()),
            wanted[2].then(|| sum_over_rows(delta.clone()).into_dispatch()),
            errors.initial.map(Tensor::into_dispatch),
        ]
    });
    INormStates { states, local }
}

impl LocalLossOfSteps {
    /// The mean of [`LocalLoss`] over the steps, whose batches are of one size; 0 if there are none.
    ///
    /// # Shapes
    ///
    /// - result: `[1]`
    pub fn compute(self) -> Tensor<1> {
        let Steps {
            subtractive,
            divisive,
            z,
        } = self.steps;
        if z.is_empty() {
            return no_loss(&self.operands.w_ix);
        }
        let joined = |steps: Vec<Tensor<2>>| Tensor::cat(steps, 0);
        let (drive, q): (Vec<_>, Vec<_>) = divisive.into_iter().map(|d| (d.drive, d.q)).unzip();
        let states = previous(&self.states, self.initial.as_ref());
        LocalLoss {
            operands: self.operands,
            inputs: Tensor::cat(vec![self.inputs, states], 1),
            subtractive: joined(subtractive),
            divisive: (!drive.is_empty()).then(|| Divisive {
                drive: joined(drive),
                q: joined(q),
            }),
            z: joined(z),
        }
        .compute()
    }
}

/// A matrix that sees [x, h], outside of any graph.
struct Split {
    of_x: Tensor<2>,
    of_h: Tensor<2>,
}

impl Split {
    fn new(weights: &Tensor<2>, d_input: usize) -> Self {
        let weights = weights.clone().inner();
        let [rows, _] = weights.dims();
        Self {
            of_x: weights.clone().narrow(0, 0, d_input),
            of_h: weights.narrow(0, d_input, rows - d_input),
        }
    }
}
