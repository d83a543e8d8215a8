//! Code shared by the tests of every circuit: a runner of properties, and the table of circuits with their
//! equations in plain tensor operations, for any shapes, masks and learning parameters.

use burn::module::{Module, ModuleMapper, Param};
use burn::nn::PaddingConfig2d;
use burn::tensor::{Int, Tensor};
use ei_norm::RnnState;
use ei_norm::circuit::{ColumnEi, Ei, INorm, Shunting};
use ei_norm::dale::{Weight, mask};
use ei_norm::layer::{Dense, Layer, Recurrent};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use rand::RngExt;

use crate::common::circuits::{self, Output, Tried};
use crate::common::convolution::{Case, case};
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

/// Makes a test of each function of the module `every`, for every circuit in every dtype; of each property
/// on this number of cases of a strategy.
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

/// The circuit as a dense layer.
pub fn dense<C: Tabled>(circuit: &C) -> Layer<C, Dense> {
    let [d_input, d_output] = circuit.sizes();
    Layer::new(circuit.clone(), Dense { d_input, d_output }).unwrap()
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
    let positions = index.len() / case.features();
    let index = Tensor::<1, Int>::from_data(&index[..], &images.device());
    let zero = images.clone().reshape([count]).detach().sum() * 0.0;
    let all = Tensor::cat(vec![zero, images.reshape([count])], 0);
    all.select(0, index).reshape([positions, case.features()])
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
