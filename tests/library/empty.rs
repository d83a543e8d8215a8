//! Batches without examples in every function on errors, and I-Norm over whole examples.

use crate::common::circuits::{Tried, assert_empty};
use crate::common::{Cast, NORMALIZATIONS, Setup, rng, setups, values};
use burn::module::Module;
use burn::tensor::{Int, Tensor};
use ei_norm::circuit::INorm;
use ei_norm::functional::{inhibitory_loss, normalize, normalize_backward, smoothed_cross_entropy};
use ei_norm::*;

fn empty<const D: usize>(setup: &Setup, shape: [usize; D]) -> Tensor<D> {
    assert_eq!(shape.iter().product::<usize>(), 0);
    setup.tensor(Vec::new(), shape).autodiff().require_grad()
}

/// A module with all float parameters in the dtype of the setup.
fn in_dtype<M: Module>(module: M, setup: &Setup) -> M {
    module.map(&mut Cast(setup.dtype))
}

/// Checks a function on a tensor: its result and the error at its input have the shape of the input.
fn check_function<const D: usize>(
    setup: &Setup,
    shape: [usize; D],
    what: &str,
    f: impl Fn(Tensor<D>) -> Tensor<D>,
) {
    let x = empty(setup, shape);
    let z = f(x.clone());
    assert_eq!(z.dims(), shape, "{}", setup.at(what));
    let grads = z.sum().backward();
    let dx = x.grad(&grads).expect(what);
    assert_eq!(dx.dims(), shape, "{}", setup.at(what));
    assert_eq!(f(x.inner()).dims(), shape, "{}", setup.at(what));
}

fn functions<const D: usize>(setup: &Setup, shape: [usize; D]) {
    let features = shape[D - 1];
    for mode in GradNormMode::ALL {
        let norm = GradNormConfig::new(features).with_mode(mode);
        let norm: GradNorm = in_dtype(norm.init(&setup.device.clone().autodiff()), setup);
        check_function(setup, shape, mode.name(), |x| match x.is_autodiff() {
            true => norm.forward(x),
            false => norm.valid().forward(x),
        });
        let delta = empty(setup, shape).inner();
        assert_eq!(norm.valid().apply(delta.clone(), delta).dims(), shape);
    }
    for (kind, rule) in NORMALIZATIONS {
        check_function(setup, shape, "normalize", |x| {
            normalize(x, kind, rule, 1e-5)
        });
        let x = empty(setup, shape).inner();
        let dx = normalize_backward(x.clone(), x, kind, rule, 1e-5);
        assert_eq!(dx.dims(), shape);
    }
    let config = LearnedLateralConfig::new(features);
    let lateral: LearnedLateral = in_dtype(config.init(&setup.device.clone().autodiff()), setup);
    check_function(setup, shape, "learned lateral", |x| lateral.forward(x));
    let before = values(&lateral.weights.val());
    assert_eq!(values(&lateral.adapt().weights.val()), before);
    for divisive in [false, true] {
        let x = empty(setup, shape);
        let loss = inhibitory_loss(x.clone(), divisive);
        let found = (values(&loss), loss.dtype());
        assert_eq!(found, (vec![0.0], setup.dtype), "inhibitory_loss");
        assert_eq!(x.grad(&loss.backward()).unwrap().dims(), shape);
    }
}

#[test]
fn functions_on_activity_and_errors() {
    for setup in setups() {
        functions(&setup, [0, 4]);
        functions(&setup, [3, 0, 4]);
        functions(&setup, [0, 3, 4]);
    }
}

#[test]
fn the_loss_of_no_example_is_zero() {
    for setup in setups() {
        for smoothing in [0.0, 0.1] {
            let logits = empty(&setup, [0, 3]);
            let targets = Tensor::<1, Int>::empty([0], &logits.device());
            let loss = smoothed_cross_entropy(logits.clone(), targets, smoothing);
            assert_eq!(values(&loss), [0.0], "{}", setup.at(smoothing));
            assert_eq!(logits.grad(&loss.backward()).unwrap().dims(), [0, 3]);
        }
    }
}

#[test]
fn measures_of_no_example_are_not_numbers() {
    let setup = &setups()[0];
    let empty = || empty(setup, [0, 4]).inner();
    let moments = metric::moments(empty());
    assert!(moments.mean.is_nan() && moments.variance.is_nan());
    assert!(metric::cosine(empty(), empty()).is_nan());
    assert!(metric::largest_covariance_eigenvalue(empty()).is_nan());
    let layer: INormLinear = INormLinearConfig::new(4, 4).init(&setup.device);
    let alignment = metric::i_norm_alignment(&layer, empty());
    assert!(alignment.output.is_nan() && alignment.gradient.is_nan());
}

/// An I-Norm layer over whole examples, whose examples have no rows, or whose input is one example.
#[test]
fn examples_without_rows_and_an_example_that_is_one_row() {
    for setup in setups() {
        let config = INormLinearConfig::new(4, 3).with_over(circuit::NormalizedOver::Example);
        let device = &setup.device.clone().autodiff();
        let layer = || -> INormLinear { in_dtype(config.init(device), &setup) };
        for shape @ [examples, rows, _] in [[2, 0, 4], [0, 2, 4], [0, 0, 4]] {
            let (layer, x, at) = (layer(), empty(&setup, shape), setup.at(shape));
            let local = layer.local_loss(&layer.currents(x.clone()));
            assert_eq!(values(&local), [0.0], "{at}");
            let plain = layer.valid().forward(x.clone().inner());
            assert_eq!(plain.dims(), [examples, rows, 3], "{at}");
            let output = INorm::apply(&layer, x.clone());
            assert_empty(&layer, &x, output, [examples, rows, 3], &at);
        }
        let layer = layer();
        let x = setup.positive(&mut rng(3), [1, 4]).autodiff();
        let row: Tensor<1> = x.clone().squeeze_dim(0);
        let [one, same] = [
            values(&layer.local_loss(&layer.currents(row))),
            values(&layer.local_loss(&layer.currents(x))),
        ];
        assert!(one[0].is_finite());
        assert_eq!(one, same, "{}", setup.at("one row"));
    }
}
