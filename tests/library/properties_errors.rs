//! The algebra of normalized errors, and extreme rows.

use crate::common::equations::{Tabled, dense, for_every_circuit};
use crate::common::{ChaCha8Rng, Setup, assert_same, formulas, gradient, rng, setups, values};
use crate::properties::{assert_near, holds, pass, run};
use burn::tensor::{DType, Int, Tensor};
use ei_norm::GradNormMode;
use ei_norm::circuit::{Circuit, INorm};
use ei_norm::layer::{Conv2d, Layer, Recurrent};
use proptest::prelude::{Strategy, any};
use rand::RngExt;
use rand::seq::SliceRandom;

/// The seed of all values; rows and features.
fn shapes() -> impl Strategy<Value = (u64, [usize; 2])> {
    let shape = (1..=6_usize, 1..=70_usize).prop_map(|(rows, features)| [rows, features]);
    (any::<u64>().no_shrink(), shape)
}

/// A mode with a dtype and a shape.
struct Trial<'a> {
    setup: &'a Setup,
    mode: GradNormMode,
    shape: [usize; 2],
}

impl Trial<'_> {
    /// Runs a property for every mode in every dtype.
    fn all(cases: u32, property: impl Fn(&Trial, &mut ChaCha8Rng)) {
        for setup in &setups() {
            for mode in GradNormMode::ALL {
                holds(cases, shapes(), |(seed, shape)| {
                    property(&Trial { setup, mode, shape }, &mut rng(seed));
                });
            }
        }
    }

    fn random(&self, rng: &mut ChaCha8Rng) -> Tensor<2> {
        self.setup.random(rng, self.shape)
    }

    /// δ'.
    fn apply(&self, z: &Tensor<2>, delta: &Tensor<2>) -> Tensor<2> {
        let w = formulas::weights(self.setup, self.shape[1]);
        let [z, delta] = [z, delta].map(Tensor::clone);
        formulas::apply(self.mode, z, delta, w)
    }

    #[track_caller]
    fn assert_near(&self, found: Tensor<2>, expected: Tensor<2>) {
        let (found, expected) = (values(&found), values(&expected));
        let tolerance = 10.0 * self.setup.tolerance;
        assert_near(&found, &expected, tolerance, &self.setup.at(self.mode));
    }
}

#[test]
fn every_mode_is_linear_in_the_error_and_center_is_idempotent() {
    Trial::all(60, |trial, rng| {
        let [z, one, other] = [(); 3].map(|_| trial.random(rng));
        let [a, b] = [(); 2].map(|_| rng.random_range(-2.0..2.0));
        let [of_one, of_other] = [&one, &other].map(|delta| trial.apply(&z, delta));
        let sum = trial.apply(&z, &(one * a + other * b));
        trial.assert_near(sum, of_one.clone() * a + of_other * b);
        if trial.mode == GradNormMode::Center {
            trial.assert_near(trial.apply(&z, &of_one), of_one);
        }
    });
}

#[test]
fn permuted_examples_have_permuted_errors() {
    Trial::all(60, |trial, rng| {
        let [z, delta] = [(); 2].map(|_| trial.random(rng));
        let mut order: Vec<i64> = (0..trial.shape[0] as i64).collect();
        order.shuffle(rng);
        let order = Tensor::<1, Int>::from_data(&order[..], &trial.setup.device);
        let permuted = |t: &Tensor<2>| t.clone().select(0, order.clone());
        let found = trial.apply(&permuted(&z), &permuted(&delta));
        let at = trial.setup.at(trial.mode);
        assert_same(&found, &permuted(&trial.apply(&z, &delta)), &at);
    });
}

#[test]
fn full_is_the_jacobian_of_layer_norm_where_the_activity_is_normalized() {
    for setup in &setups() {
        holds(120, shapes(), |(seed, [rows, features])| {
            // The Jacobian of fewer features is 0, and their variance may be 0.
            let shape = [rows, features + 2];
            let layer_norm = |x: Tensor<2>| {
                let x = x.clone() - x.mean_dim(1);
                x.clone() / x.square().mean_dim(1).sqrt()
            };
            let rng = &mut rng(seed);
            let [x, delta] = [(); 2].map(|_| setup.random(rng, shape));
            let (mode, z) = (GradNormMode::Full, layer_norm(x));
            let expected = gradient(&z, &delta, layer_norm);
            let found = mode.apply(z, delta, None, 0.0);
            Trial { setup, mode, shape }.assert_near(found, expected);
        });
    }
}

/// The rows of x, some constant or 0, with sizes from denormal numbers up to 10^`largest`.
fn extreme(setup: &Setup, rng: &mut ChaCha8Rng, x: Tensor<2>, largest: f64) -> Tensor<2> {
    let smallest = if setup.dtype == DType::F32 {
        -45.0
    } else {
        -323.0
    };
    let sizes = (0..x.dims()[0]).map(|_| match rng.random_range(0..5) {
        0 => 0.0,
        _ => 10.0_f64.powf(rng.random_range(smallest..largest)),
    });
    let sizes = setup.tensor(sizes.collect(), [x.dims()[0], 1]);
    match rng.random_bool(0.2) {
        true => x.ones_like() * sizes,
        false => x * sizes,
    }
}

/// Tests rows of any size for which no sum of δ overflows, no sum of z, and, if the component along z is
/// removed, not z²δ, the size of δ' before the division by σ.
#[test]
fn no_mode_makes_nan_of_finite_rows_that_do_not_overflow() {
    Trial::all(150, |trial, rng| {
        let is_single = trial.setup.dtype == DType::F32;
        let (max, exponent) = if is_single {
            (f32::MAX.into(), 37.9)
        } else {
            (f64::MAX, 307.9)
        };
        let trial = Trial {
            shape: [1, trial.shape[1]],
            ..*trial
        };
        let [z, delta] = [(); 2].map(|_| {
            let row = trial.random(rng);
            extreme(trial.setup, rng, row, exponent)
        });
        let largest = |t: &Tensor<2>| values(t).iter().fold(0.0_f64, |size, v| size.max(v.abs()));
        let [of_z, of_delta] = [&z, &delta].map(|t| largest(t) * trial.shape[1] as f64);
        let along = ["decorrelate", "full"]
            .iter()
            .any(|part| trial.mode.name().contains(part));
        let along = if along {
            of_z * of_delta * largest(&z)
        } else {
            0.0
        };
        if [of_z, of_delta, along].iter().all(|size| *size < max) {
            let found = values(&trial.apply(&z, &delta));
            let at = trial.setup.at(trial.mode);
            assert!(
                !found.iter().any(|v| v.is_nan()),
                "{at}: {z} {delta} {found:?}"
            );
        }
    });
}

for_every_circuit! {
    no_layer_makes_nan_of_finite_rows: 40, any::<u64>().no_shrink();
    a_row_that_is_not_finite_spoils_itself_alone: 40, any::<u64>().no_shrink();
}

mod every {
    use super::*;

    /// Tests rows up to 1e30. I-Norm squares its activity, and without division the backward pass of an error
    /// multiplies by the activity twice at every step: in f32 its rows go up to 1e6, for two steps.
    pub fn no_layer_makes_nan_of_finite_rows<C: Tabled>(setup: &Setup, seed: u64) {
        let rng = &mut rng(seed);
        let [d, n] = [(); 2].map(|_| rng.random_range(1..6));
        let squares = C::NAME == INorm::NAME && setup.dtype == DType::F32;
        let circuit = C::any(setup, rng, [d + n, n]);
        let [rows, sequences] = [d + n, 2 * d + n].map(|width| {
            let x = C::input(setup, rng, [3, width]);
            extreme(setup, rng, x, if squares { 6.0 } else { 30.0 })
        });
        let layer = dense(&circuit);
        let convolution = Layer::new(circuit.clone(), Conv2d::new([d + n, n], [1, 1])).unwrap();
        let recurrent = Layer::new(circuit.clone(), Recurrent::new(d, n)).unwrap();
        let image = |x: Tensor<2>| x.reshape([3, d + n, 1, 1]);
        let passes = [
            pass(setup, &circuit, &rows, true, |x| C::apply(&layer, x)),
            pass(setup, &circuit, &rows, true, |x| {
                C::convolve(&convolution, image(x))
            }),
            pass(setup, &circuit, &sequences, true, |x| run(&recurrent, x)),
        ];
        for (name, found) in passes.iter().flatten() {
            let is_nan = found.iter().flatten().any(|v| v.is_nan());
            assert!(
                !is_nan,
                "{}: {rows} {sequences}",
                setup.at((C::NAME, seed, name))
            );
        }
    }

    pub fn a_row_that_is_not_finite_spoils_itself_alone<C: Tabled>(setup: &Setup, seed: u64) {
        let rng = &mut rng(seed);
        let [d, n] = [(); 2].map(|_| rng.random_range(1..6));
        let (circuit, x) = (C::one(setup, rng, [d, n]), C::input(setup, rng, [4, d]));
        let (layer, bad, mut spoilt) = (dense(&circuit), rng.random_range(0..4), values(&x));
        spoilt[bad * d] = [f64::NAN, f64::INFINITY][rng.random_range(0..2)];
        let [good, spoilt] = [x, setup.tensor(spoilt, [4, d])]
            .map(|x| pass(setup, &circuit, &x, true, |x| C::apply(&layer, x)));
        // The output, and the errors at the input.
        for (index, width) in [(0, n), (2, d)] {
            let [good, spoilt] = [&good, &spoilt].map(|pass| pass[index].1.as_ref().unwrap());
            for (row, (good, spoilt)) in good.chunks(width).zip(spoilt.chunks(width)).enumerate() {
                let at = setup.at((C::NAME, seed, index, row));
                match row == bad {
                    true => assert!(index == 2 || !spoilt.iter().any(|v| v.is_finite()), "{at}"),
                    false => assert_eq!(good, spoilt, "{at}"),
                }
            }
        }
    }
}
