//! Dense layers of every circuit: output, local loss and gradients against the equations in plain autodiff,
//! at every rank, and in scalar arithmetic; empty batches, and errors.

use crate::common::circuits::{
    Divisive, EPSILON, EVERYTHING, Output, Tried, assert_empty, assert_same_as_scalars, i_norm,
    pass, pass_in_scalars,
};
use crate::common::equations::{Tabled, dense, for_every_circuit};
use crate::common::parameters::{assert_same_pass, gradients, value};
use crate::common::{
    Setup, assert_close, assert_same, assert_tensor_close, leaf, panic_of, rng, setups, values,
};
use burn::module::Module;
use burn::tensor::Tensor;
use ei_norm::GradNormMode;
use ei_norm::circuit::{Circuit, INorm, Shunting};

/// d_input, d_output.
const SIZES: [[usize; 2]; 9] = [
    [5, 7],
    [1, 4],
    [6, 1],
    [3, 2],
    [9, 10],
    [1, 1],
    [6, 5],
    [4, 11],
    [20, 17],
];

for_every_circuit! {
    output_loss_and_gradients_match_the_equations_at_every_rank;
    output_and_gradients_match_the_scalar_equations;
    a_batch_of_nothing_has_the_shape_of_an_output_and_teaches_nothing;
    other_inputs_are_refused;
}

/// A dense layer in another form.
type Form<'a> = &'a dyn Fn(Tensor<2>) -> Output<2>;

/// The output with one row for each example.
fn flat<const D: usize>((z, local): Output<D>) -> Output<2> {
    let width = z.dims()[D - 1] as i32;
    (z.reshape([-1, width]), local)
}

/// The rows of x on two axes.
fn leading(x: &Tensor<2>) -> [usize; 2] {
    let rows = x.dims()[0];
    if rows == 6 { [2, 3] } else { [1, rows] }
}

/// With a single input the output of a shunting circuit does not depend on the input: its gradient is 0 up to
/// rounding.
fn is_degenerate<C: Tried>([d, _]: [usize; 2]) -> bool {
    C::NAME == Shunting::NAME && d == 1
}

mod every {
    use super::*;

    pub fn output_loss_and_gradients_match_the_equations_at_every_rank<C: Tabled>(setup: &Setup) {
        for sizes @ [d, n] in SIZES {
            let rng = &mut rng(d as u64);
            let all = C::all(setup, rng, sizes).into_iter();
            for trial in all.filter(|_| !is_degenerate::<C>(sizes)) {
                let layer = dense(&trial.circuit);
                let ranks: [Form; 4] = [
                    &|x| flat(C::apply(&layer, x.reshape([d]))),
                    &|x| C::apply(&layer, x),
                    &|x| {
                        let [a, b] = leading(&x);
                        flat(C::apply(&layer, x.reshape([a, b, d])))
                    },
                    &|x| {
                        let [a, b] = leading(&x);
                        flat(C::apply(&layer, x.reshape([b, 1, a, d])))
                    },
                ];
                for rows in [1, 6] {
                    let x = C::input(setup, rng, [rows, d]);
                    let upstream: Tensor<2> = setup.random(rng, [rows, n]);
                    let of = |form: Form| pass(&layer, leaf(&x), |_| upstream.clone(), form);
                    let expected = of(&|x| layer.circuit.equations(x));
                    let tolerance = C::ROUNDING * setup.tolerance;
                    let out = layer.forward(x.clone()).inner();
                    let ranks = (1..).zip(ranks).skip(usize::from(rows > 1));
                    for (rank, forward) in ranks {
                        let at = setup.at((&trial.name, sizes, rows, rank));
                        assert_same_pass(&of(forward), &expected, tolerance, &at);
                        assert_same(&forward(x.clone()).0.inner(), &out, &at);
                    }
                    let at = setup.at((&trial.name, sizes, rows));
                    let found = of(&|x| layer.circuit.plain(x));
                    assert_same_pass(&found, &expected, tolerance, &at);
                    let currents = layer.currents(x.clone().reshape([rows, 1, d]));
                    assert_eq!(currents.excitatory.dims(), [rows, 1, n], "{at}");
                    assert_eq!(currents.subtractive.dims(), [rows, 1, n], "{at}");
                    if currents.divisive.is_none() {
                        let difference = values(&(currents.excitatory - currents.subtractive));
                        assert_close(&difference, value(&expected, "out"), tolerance, &at);
                    }
                    // Without negative inputs inhibition is not negative.
                    let inhibition = values(&layer.currents(x.clone().abs()).subtractive);
                    assert!(inhibition.iter().all(|s| *s >= 0.0), "{at}");
                    let plain = layer.valid().forward(x);
                    assert!(!plain.is_autodiff(), "{at}");
                    assert_same(&plain, &out, &at);
                }
            }
        }
    }

    pub fn output_and_gradients_match_the_scalar_equations<C: Tabled>(setup: &Setup) {
        for sizes @ [d, n] in SIZES {
            let rng = &mut rng(d as u64);
            let all = C::all(setup, rng, sizes).into_iter();
            let all = all.filter(|trial| trial.in_scalars && !is_degenerate::<C>(sizes));
            for trial in all {
                let layer = dense(&trial.circuit);
                let x = C::input(setup, rng, [4, d]);
                let upstream: Tensor<2> = setup.random(rng, [4, n]);
                let forward = |x| C::apply(&layer, x);
                let found = pass(&layer, leaf(&x), |_| upstream.clone(), forward);
                let (x, upstream) = (values(&x), values(&upstream));
                let expected = pass_in_scalars(&layer.circuit, &x, &upstream, <[f64]>::to_vec);
                let at = setup.at((trial.name, sizes));
                assert_same_as_scalars(found, expected, C::ROUNDING * setup.tolerance, &at);
            }
        }
    }

    pub fn a_batch_of_nothing_has_the_shape_of_an_output_and_teaches_nothing<C: Tabled>(
        setup: &Setup,
    ) {
        for trial in C::all(setup, &mut rng(5), [5, 4]) {
            let layer = dense(&trial.circuit).with_input_check("empty");
            for [a, b] in [[1, 0], [3, 0], [0, 3]] {
                let at = setup.at((&trial.name, a, b));
                let x = leaf(&setup.tensor(vec![], [a, b, 5]));
                let currents = layer.currents(x.clone());
                assert_eq!(layer.output(&currents).dims(), [a, b, 4], "{at}");
                assert_eq!(
                    layer.valid().forward(x.clone().inner()).dims(),
                    [a, b, 4],
                    "{at}"
                );
                let rows = leaf(&setup.tensor(vec![], [0, 5]));
                let (_, local) = layer.circuit.plain(rows.clone());
                assert!(local.is_none_or(|local| values(&local) == [0.0]), "{at}");
                assert_empty(&layer, &rows, C::apply(&layer, rows.clone()), [0, 4], &at);
                assert_empty(&layer, &x, C::apply(&layer, x.clone()), [a, b, 4], &at);
                // The excitatory weights have a gradient of zeros and not none.
                let grads = layer.forward(rows).sum().backward();
                assert_eq!(value(&gradients(&layer, &grads), "w_ex").len(), 20, "{at}");
            }
        }
    }

    pub fn other_inputs_are_refused<C: Tabled>(setup: &Setup) {
        for trial in C::all(setup, &mut rng(1), [4, 3]) {
            let layer = dense(&trial.circuit);
            for size in [3, 5] {
                let x = || setup.positive(&mut rng(2), [2, size]).autodiff();
                let expected = format!("`x` has shape [2, {size}], expected [2, 4]");
                for panic in [
                    panic_of(|| drop(layer.forward(x()))),
                    panic_of(|| drop(C::apply(&layer, x()))),
                    panic_of(|| drop(layer.currents(x()))),
                ] {
                    assert!(panic.contains(&expected), "{}: {panic}", trial.name);
                }
            }
        }
    }
}

/// The gradient of a bias without division is the normalized error of the only row.
#[test]
fn i_norm_normalizes_errors_in_the_mode_and_with_the_epsilon_of_its_weights() {
    for setup in setups() {
        for mode in GradNormMode::ALL {
            let rng = &mut rng(3);
            let weights = i_norm(&setup, rng, [6, 5], Divisive::None, EVERYTHING, mode);
            let lateral = weights.grad_norm.lateral_weights.as_ref();
            let lateral = lateral.map(|weights| weights.val().inner());
            let layer = dense(&INorm::from_weights(weights).unwrap());
            let (x, delta) = (setup.positive(rng, [1, 6]), setup.random(rng, [1, 5]));
            let z: Tensor<2> = layer.forward(x);
            let grads = (z.clone() * delta.clone()).sum().backward();
            let found = layer.bias.as_ref().unwrap().grad(&grads).unwrap();
            let expected = mode.apply(z.inner(), delta, lateral, EPSILON);
            let (tolerance, at) = (10.0 * setup.tolerance, setup.at(mode));
            assert_tensor_close(&found.unsqueeze(), &expected, tolerance, &at);
        }
    }
}
