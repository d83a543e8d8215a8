//! Random layers are equal to their equations in plain autodiff, and equivalent forms compute the same
//! values, local losses and gradients, for any shapes, masks and learning parameters.

use crate::common::circuits::{Output, Tried};
use crate::common::equations::{Tabled, dense, for_every_circuit};
use crate::common::{Setup, rng, setups};
use crate::properties::{
    any_circuit, any_convolution, assert_equal, holds, patches, run, sequences,
};
use burn::tensor::Tensor;
use ei_norm::NonNegativeActivation::{Sigmoid, Softplus};
use ei_norm::circuit::Ei;
use ei_norm::layer::{Layer, Recurrent};
use proptest::prelude::{Strategy, any};
use rand::RngExt;

/// The seed of all values; rows, inputs and outputs; whether the input learns.
type Case = (u64, [usize; 3], bool);

fn cases() -> impl Strategy<Value = Case> {
    let sizes = (0..=9_usize, 1..=8_usize, 1..=8_usize);
    let sizes = sizes.prop_map(|(rows, d, n)| [rows, d, n]);
    (any::<u64>().no_shrink(), sizes, any::<bool>())
}

for_every_circuit! {
    a_dense_layer_equals_its_equations: 80, cases();
    a_convolution_equals_the_equations_and_the_dense_layer_at_each_patch: 80, cases();
    a_recurrent_layer_equals_the_equations_and_the_dense_layer_at_each_step: 60, cases();
}

#[test]
fn an_ei_layer_is_a_single_matrix_by_whichever_route() {
    for setup in &setups() {
        holds(80, cases(), |(seed, [rows, d, n], learns)| {
            // Few rows use the factors, many rows use the matrix.
            let x = setup.random(&mut rng(seed), [rows * rows, d]);
            let circuit: Ei = any_circuit(setup, seed, [d, n]);
            let single = |x: Tensor<2>| {
                let z = x.matmul(circuit.effective_weights());
                let bias = circuit.bias.as_ref().map(|bias| bias.val().unsqueeze());
                (bias.map_or(z.clone(), |bias: Tensor<2>| z + bias), None)
            };
            let layer = dense(&circuit);
            let found = |x| Ei::apply(&layer, x);
            assert_equal(setup, (&circuit, &x, learns), found, single, seed);
        });
    }
}

/// A circuit in plain autodiff and as a dense layer.
type Rows<'a> = &'a dyn Fn(Tensor<2>) -> Output<2>;

mod every {
    use super::*;

    pub fn a_dense_layer_equals_its_equations<C: Tabled>(
        setup: &Setup,
        (seed, [rows, d, n], learns): Case,
    ) {
        let circuit: C = any_circuit(setup, seed, [d, n]);
        let (layer, x) = (dense(&circuit), C::input(setup, &mut rng(seed), [rows, d]));
        let found = |x| C::apply(&layer, x);
        let equations = |x| circuit.equations(x);
        assert_equal(setup, (&circuit, &x, learns), found, equations, seed);
    }

    pub fn a_convolution_equals_the_equations_and_the_dense_layer_at_each_patch<C: Tabled>(
        setup: &Setup,
        (seed, _, learns): Case,
    ) {
        let rng = &mut rng(seed);
        let case = any_convolution(rng);
        let [[batch, channels, rows, columns], input] = [case.output(), case.input()];
        let circuit: C = any_circuit(setup, seed, case.sizes());
        let layer = Layer::new(circuit.clone(), case.geometry.clone()).unwrap();
        let (x, dense) = (
            C::input(setup, rng, [batch, input[1] * input[2] * input[3]]),
            dense(&circuit),
        );
        let forms: [Rows; 2] = [&|x| circuit.equations(x), &|x| C::apply(&dense, x)];
        for at_patches in forms {
            let found = |x: Tensor<2>| C::convolve(&layer, x.reshape(input));
            let expected = |x| {
                let (z, local) = at_patches(patches(&case, x));
                let z: Tensor<4> = z.reshape([batch, rows, columns, channels]);
                (z.permute([0, 3, 1, 2]), local)
            };
            let at = (seed, &case);
            assert_equal(setup, (&circuit, &x, learns), found, expected, at);
        }
    }

    pub fn a_recurrent_layer_equals_the_equations_and_the_dense_layer_at_each_step<C: Tabled>(
        setup: &Setup,
        (seed, [batch, d, n], learns): Case,
    ) {
        let rng = &mut rng(seed);
        // Burn on Flex has no backward pass through slices of empty tensors.
        let steps = rng.random_range(1..=if batch > 0 { 5 } else { 1 });
        let circuit: C = any_circuit(setup, seed, [d + n, n]);
        let mut geometry = Recurrent::new(d, n);
        // Activations with a continuous slope; otherwise rounding would matter near the step.
        geometry.activation = [Softplus, Sigmoid][(seed % 2) as usize];
        let layer = Layer::new(circuit.clone(), geometry).unwrap();
        let (x, dense) = (
            C::input(setup, rng, [batch, steps * d + n]),
            dense(&circuit),
        );
        let forms: [Rows; 2] = [&|x| circuit.equations(x), &|x| C::apply(&dense, x)];
        for at_step in forms {
            let expected = |x| {
                let (x, mut h) = sequences(x, &geometry);
                let (mut states, mut losses) = (Vec::new(), Vec::new());
                for step in 0..steps {
                    let now = x.clone().narrow(1, step, 1).reshape([batch, d]);
                    let (z, local) = at_step(Tensor::cat(vec![now, h], 1));
                    h = geometry.activation.forward(z);
                    states.push(h.clone().reshape([batch, 1, n]));
                    losses.extend(local);
                }
                let mean = |all: Vec<_>| Tensor::cat(all, 0).sum() * (1.0 / steps as f64);
                let local = (!losses.is_empty()).then(|| mean(losses));
                (Tensor::cat(states, 1), local)
            };
            let found = |x| run(&layer, x);
            assert_equal(setup, (&circuit, &x, learns), found, expected, seed);
        }
    }
}
