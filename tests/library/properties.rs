//! Code shared by the tests of properties: their runner, and random circuits, layers and passes, with any
//! shapes, masks and learning parameters.

use burn::module::{Module, ModuleMapper, Param};
use burn::nn::PaddingConfig2d;
use burn::tensor::{Int, Tensor};
use ei_norm::RnnState;
use ei_norm::dale::{Weight, mask};
use ei_norm::layer::{Layer, Recurrent};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use rand::RngExt;

use crate::common::circuits::{self, Output};
use crate::common::convolution::{Case, case};
use crate::common::equations::Tabled;
use crate::common::parameters::Pass;
use crate::common::{ChaCha8Rng, Setup, leaf, rng};

/// Runs a property on `cases` random cases, always the same ones. `PROPTEST_CASES`, 256 by default, scales
/// the number, and `PROPTEST_RNG_SEED` changes the cases.
pub fn holds<S: Strategy>(cases: u32, strategy: S, property: impl Fn(S::Value)) {
    let usual = Config::default();
    let config = Config {
        cases: (cases * usual.cases / 256).max(1),
        failure_persistence: None,
        rng_seed: match usual.rng_seed {
            RngSeed::Random => RngSeed::Fixed(1),
            given => given,
        },
        ..usual
    };
    let outcome = TestRunner::new(config).run(&strategy, |case| {
        property(case);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// Adds masks to some matrices: those for which a mask is requested.
pub fn masked<C: Tabled>(
    mut circuit: C,
    rng: &mut ChaCha8Rng,
    mut wanted: impl FnMut(&Weight<2>, &mut ChaCha8Rng) -> bool,
) -> C {
    for weight in circuit.all_matrices() {
        if wanted(weight, rng) {
            let density = [0.0, 0.3, 0.8, 1.0][rng.random_range(0..4)];
            let mask = mask::random(weight.dims(), density, &weight.device(), rng);
            weight.set_mask(mask.unwrap()).unwrap();
        }
    }
    circuit
}

/// A circuit with random masks and random learning parameters.
pub fn any_circuit<C: Tabled>(setup: &Setup, seed: u64, sizes: [usize; 2]) -> C {
    struct Freeze<'a>(&'a mut ChaCha8Rng);
    impl ModuleMapper for Freeze<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            match self.0.random_bool(0.3) {
                true => param.set_require_grad(false),
                false => param,
            }
        }
    }
    let rng = &mut rng(seed);
    let circuit = C::any(setup, rng, sizes);
    masked(circuit, rng, |_, rng| rng.random_bool(0.3)).map(&mut Freeze(rng))
}

/// A recurrent layer; each row of x has the sequence and then the initial state, `[batch, steps · d + n]`.
pub fn run<C: Tabled>(layer: &Layer<C, Recurrent>, x: Tensor<2>) -> Output<3> {
    let (x, state) = sequences(x, layer.geometry());
    let (states, _, local) = C::run(layer, x, Some(RnnState::new(state)), None);
    (states, local)
}

/// The sequence of each row, and the state after it in the row.
pub fn sequences(x: Tensor<2>, geometry: &Recurrent) -> (Tensor<3>, Tensor<2>) {
    let ([batch, width], d) = (x.dims(), geometry.d_input);
    let steps = (width - geometry.d_hidden) / d;
    let state = x.clone().narrow(1, steps * d, geometry.d_hidden).abs();
    let x = x.narrow(1, 0, steps * d);
    (x.reshape([batch, steps, d]), state)
}

/// A convolution with random sizes that fit together.
pub fn any_convolution(rng: &mut ChaCha8Rng) -> Case {
    let mut pair = |low: usize, high: usize| [0; 2].map(|_| rng.random_range(low..=high));
    let [channels, kernel, stride, dilation] = [pair(1, 3), pair(1, 2), pair(1, 2), pair(1, 2)];
    let [before, after, extra, [batch, _]] = [pair(0, 1), pair(0, 1), pair(0, 2), pair(0, 2)];
    let image = [0, 1].map(|i| (kernel[i] - 1) * dilation[i] + 1 + extra[i]);
    let padding = PaddingConfig2d::Explicit(before[0], before[1], after[0], after[1]);
    let pads = [[before[0], after[0]], [before[1], after[1]]];
    case(
        (batch, channels, image, kernel),
        (stride, dilation, padding),
        pads,
    )
}

/// The patches of images, each in one row, `[positions, features]`, in plain autodiff.
pub fn patches(case: &Case, images: Tensor<2>) -> Tensor<2> {
    let count = images.shape().num_elements();
    let numbers: Vec<f64> = (1..=count).map(|number| number as f64).collect();
    let index: Vec<i64> = case.unfold(&numbers).iter().map(|n| *n as i64).collect();
    let [features, _] = case.sizes();
    let positions = index.len() / features;
    let index = Tensor::<1, Int>::from_data(&index[..], &images.device());
    let zero = images.clone().reshape([count]).detach().sum() * 0.0;
    let all = Tensor::cat(vec![zero, images.reshape([count])], 0);
    all.select(0, index).reshape([positions, features])
}

/// The output, the local loss, and the gradients of the input, if it learns, and of all parameters, for
/// random errors at the output.
pub fn pass<const D: usize>(
    setup: &Setup,
    module: &impl Module,
    x: &Tensor<2>,
    learns: bool,
    forward: impl FnOnce(Tensor<2>) -> Output<D>,
) -> Pass {
    let x = match learns {
        true => leaf(x),
        false => x.clone().autodiff(),
    };
    let upstream = |shape| setup.random(&mut rng(5), shape);
    circuits::pass(module, x, upstream, forward)
}

/// Fails unless two computations have the same values up to rounding, relative to the largest value of a
/// tensor and to 1, and gradients for the same tensors; without rows, no gradient is equivalent to zeros.
#[track_caller]
pub fn assert_equal<C: Tabled, const D: usize>(
    setup: &Setup,
    (circuit, x, learns): (&C, &Tensor<2>, bool),
    found: impl FnOnce(Tensor<2>) -> Output<D>,
    expected: impl FnOnce(Tensor<2>) -> Output<D>,
    at: impl std::fmt::Debug,
) {
    let is_empty = x.dims()[0] == 0;
    // The equations use plain products, and NdArray's product panics for empty axes.
    if is_empty && setup.name == "ndarray" {
        return;
    }
    let found = pass(setup, circuit, x, learns, found);
    let expected = pass(setup, circuit, x, learns, expected);
    assert_eq!(found.len(), expected.len());
    // Exploding values cannot be compared because of rounding: in a shunting circuit with nothing to divide
    // by, and in errors through time along an activity without division.
    let mut all = expected.iter().flat_map(|(_, values)| values).flatten();
    if all.any(|value| value.is_nan() || value.abs() > 1e8) {
        return;
    }
    for ((name, found), (_, expected)) in found.iter().zip(expected) {
        let at = setup.at((C::NAME, &at, name));
        let tolerance = 10.0 * C::ROUNDING * setup.tolerance;
        match (found.clone(), expected) {
            (Some(found), Some(expected)) => assert_near(&found, &expected, tolerance, &at),
            (None, None) => (),
            (Some(one), None) | (None, Some(one)) if is_empty => {
                assert!(one.iter().all(|grad| *grad == 0.0), "{at}");
            }
            (found, _) => panic!("{at}: a gradient? {found:?}"),
        }
    }
}

/// Fails unless the values differ by at most `tolerance`, relative to the largest and to 1.
#[track_caller]
pub fn assert_near(found: &[f64], expected: &[f64], tolerance: f64, at: &str) {
    let size = expected.iter().fold(1.0_f64, |size, e| size.max(e.abs()));
    assert_eq!(found.len(), expected.len(), "{at}");
    for (found, expected) in found.iter().zip(expected) {
        let close = (found - expected).abs() <= tolerance * size;
        assert!(close, "{at}: {found}, expected {expected}, of {size}");
    }
}
