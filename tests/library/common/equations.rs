//! The equations of every circuit in plain tensor operations, and tests of all circuits.

use burn::tensor::Tensor;
use ei_norm::circuit::{ColumnEi, Ei, INorm, Shunting};
use ei_norm::dale::Weight;
use ei_norm::layer::{Dense, Layer};
use rand::RngExt;

use super::circuits::{Output, Tried};
use super::{ChaCha8Rng, Setup};

/// Makes a test for each function of the module `every` of the caller, with every circuit on every setup.
///
/// - `name;` calls `every::name::<C>(setup)`.
/// - `name: cases, strategy;` tests a property, and calls `every::name::<C>(setup, case)` for this number of
///   cases of the strategy.
macro_rules! for_every_circuit {
    ($($name:ident;)*) => {
        $(
            #[test]
            fn $name() {
                use ei_norm::circuit::{ColumnEi, Ei, INorm, Shunting};
                for setup in &$crate::common::setups() {
                    every::$name::<Ei>(setup);
                    every::$name::<INorm>(setup);
                    every::$name::<Shunting>(setup);
                    every::$name::<ColumnEi>(setup);
                }
            }
        )*
    };
    ($($name:ident: $cases:expr, $strategy:expr;)*) => {
        $(
            #[test]
            fn $name() {
                use ei_norm::circuit::{ColumnEi, Ei, INorm, Shunting};
                for setup in &$crate::common::setups() {
                    $crate::properties::holds($cases, $strategy, |case| {
                        every::$name::<Ei>(setup, case.clone());
                        every::$name::<INorm>(setup, case.clone());
                        every::$name::<Shunting>(setup, case.clone());
                        every::$name::<ColumnEi>(setup, case);
                    });
                }
            }
        )*
    };
}
pub(crate) use for_every_circuit;

/// A circuit of the table: random instances, their matrices, and their equations.
pub trait Tabled: Tried {
    /// A random variant with these sizes.
    fn any(setup: &Setup, rng: &mut ChaCha8Rng, sizes: [usize; 2]) -> Self {
        let mut all = Self::all(setup, rng, sizes);
        let index = rng.random_range(0..all.len());
        all.swap_remove(index).circuit
    }

    fn all_matrices(&mut self) -> Vec<&mut Weight<2>>;

    /// z of each row, and the local loss if there is one.
    fn equations(&self, x: Tensor<2>) -> Output<2>;
}

fn plus(z: Tensor<2>, bias: &Option<Weight<1>>) -> Tensor<2> {
    match bias {
        Some(bias) => z + bias.val().unsqueeze(),
        None => z,
    }
}

impl Tabled for Ei {
    fn all_matrices(&mut self) -> Vec<&mut Weight<2>> {
        let inhibition = self.w_ix.iter_mut().chain(&mut self.w_ei);
        inhibition.chain([&mut self.w_ex]).collect()
    }

    fn equations(&self, x: Tensor<2>) -> Output<2> {
        let a = plus(x.clone().matmul(self.w_ex.val()), &self.bias);
        let z = match self.w_ix.as_ref().zip(self.w_ei.as_ref()) {
            Some((w_ix, w_ei)) => a - x.matmul(w_ix.val()).matmul(w_ei.val()),
            None => a,
        };
        (z, None)
    }
}

impl Tabled for INorm {
    fn all_matrices(&mut self) -> Vec<&mut Weight<2>> {
        let divisive = self.u_ix.iter_mut().chain(&mut self.u_ei);
        let others = [&mut self.w_ex, &mut self.w_ix, &mut self.w_ei];
        divisive.chain(others).collect()
    }

    fn equations(&self, x: Tensor<2>) -> Output<2> {
        let [rows, n] = [x.dims()[0], self.w_ex.dims()[1]];
        let constant = x.clone().detach();
        let a = plus(x.matmul(self.w_ex.val()), &self.bias);
        let s = constant.clone().matmul(self.w_ix.val());
        let s = s.matmul(self.w_ei.val());
        let q = self.u_ix.as_ref().zip(self.u_ei.as_ref());
        let q = q.map(|(u_ix, u_ei)| {
            let drive = constant.matmul(u_ix.val());
            (drive.square().matmul(u_ei.val()) + self.epsilon()).sqrt()
        });
        let divided = |z: Tensor<2>, q: Option<Tensor<2>>| q.map_or(z.clone(), |q| z / q);
        let constant_q = q.clone().map(Tensor::detach);
        let z = divided(a.clone() - s.clone().detach(), constant_q);
        let z_hat = divided(a.detach() - s, q.clone());
        let mean = |t: Tensor<2>| t.sum_dim(1) * (1.0 / n as f64);
        let m = mean(z_hat.clone());
        let v = mean((z_hat - m.clone()).square());
        let loss = match q {
            Some(_) => m.square() + (v - 1.0).square(),
            None => m.square(),
        };
        let loss = loss.sum() * (1.0 / rows.max(1) as f64);
        (self.grad_norm.forward(z), Some(loss))
    }
}

impl Tabled for Shunting {
    fn all_matrices(&mut self) -> Vec<&mut Weight<2>> {
        vec![&mut self.w_ex, &mut self.w_ix, &mut self.w_ei]
    }

    fn equations(&self, x: Tensor<2>) -> Output<2> {
        let h = x.clone().matmul(self.w_ix.val());
        let dividing = h.clone() * self.alpha.val().exp().unsqueeze();
        let gamma = dividing.matmul(self.w_ei.val()) + self.epsilon();
        let balance = x.matmul(self.w_ex.val()) - h.matmul(self.w_ei.val());
        let z = balance / gamma * self.gain.val().unsqueeze();
        (plus(z, &self.bias), None)
    }
}

impl Tabled for ColumnEi {
    fn all_matrices(&mut self) -> Vec<&mut Weight<2>> {
        vec![&mut self.w_ex]
    }

    fn equations(&self, x: Tensor<2>) -> Output<2> {
        let signed = x * self.signs.val().unsqueeze();
        (plus(signed.matmul(self.w_ex.val()), &self.bias), None)
    }
}

/// The circuit as a dense layer.
pub fn dense<C: Tabled>(circuit: &C) -> Layer<C, Dense> {
    let [d_input, d_output] = circuit.sizes();
    Layer::new(circuit.clone(), Dense { d_input, d_output }).unwrap()
}
