//! Batches without examples and sequences without steps, in every layer and every function on errors.

use crate::common::{Cast, Setup, rng, setups, values};
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Int, Tensor};
use ei_norm::functional::{
    BackwardRule, Normalization, inhibitory_loss, normalize, normalize_backward,
    smoothed_cross_entropy,
};
use ei_norm::grad::{self, GradNoise, GradProbe, GradSentinel};
use ei_norm::*;

fn empty<const D: usize>(setup: &Setup, shape: [usize; D]) -> Tensor<D> {
    assert_eq!(shape.iter().product::<usize>(), 0);
    setup.tensor(Vec::new(), shape).autodiff().require_grad()
}

/// A module with all float parameters in the dtype of the setup.
fn in_dtype<M: Module>(module: M, setup: &Setup) -> M {
    module.map(&mut Cast(setup.dtype))
}

fn all_values<M: Module>(module: &M) -> Vec<f64> {
    struct Collect(Vec<f64>);
    impl ModuleVisitor for Collect {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.extend(values(&param.val()));
        }
    }
    let mut collect = Collect(Vec::new());
    module.visit(&mut collect);
    collect.0
}

/// Checks that the output has no values, the loss is 0, and a step changes nothing.
fn check<M: Module, const I: usize, const O: usize>(
    layer: M,
    x: Tensor<I>,
    output: [usize; O],
    forward: impl Fn(&M, Tensor<I>) -> (Tensor<O>, Option<Tensor<1>>),
    at: &str,
) {
    let (z, local) = forward(&layer, x.clone());
    assert_eq!(z.dims(), output, "{at}");
    let loss = z.sum();
    assert_eq!(values(&loss), [0.0], "{at}");
    let loss = match local {
        Some(local) => {
            assert_eq!(values(&local), [0.0], "{at}: local loss");
            loss + local * 0.5
        }
        None => loss,
    };
    let grads = loss.backward();
    if let Some(dx) = x.grad(&grads) {
        assert_eq!(dx.dims(), x.dims(), "{at}");
    }
    let grads = GradientsParams::from_grads(grads, &layer);
    let before = all_values(&layer);
    let after = SgdConfig::new().init().step(0.5, layer, grads);
    assert_eq!(all_values(&after), before, "{at}");
    // Without autodiff.
    let (z, _) = forward(&after.valid(), x.inner());
    assert_eq!(z.dims(), output, "{at}: valid");
}

#[test]
fn dense_layers() {
    for setup in setups() {
        let device = &setup.device.clone().autodiff();
        let x = || empty(&setup, [0, 5]);
        for n_i in [0, 1, 2] {
            let config = EiLinearConfig::new(5, 4).with_inhibitory(Inhibitory::Count(n_i));
            let layer: EiLinear = in_dtype(config.init(device), &setup);
            let layer = layer.with_input_check("empty");
            let at = setup.at(("EiLinear", n_i));
            let forward = |layer: &EiLinear, x| (layer.forward(x), None);
            check(layer.clone(), x(), [0, 4], forward, &at);
            let forward = |layer: &EiLinear, x| (layer.forward(x), None);
            check(layer, empty(&setup, [3, 0, 5]), [3, 0, 4], forward, &at);
        }
        for mode in GradNormMode::ALL {
            for subtractive in [false, true] {
                let config = INormLinearConfig::new(5, 4)
                    .with_grad_norm(mode)
                    .with_divisive(!subtractive);
                let layer: INormLinear = in_dtype(config.init(device), &setup);
                let layer = layer.with_input_check("empty");
                let at = setup.at(("INormLinear", mode, subtractive));
                let forward = |layer: &INormLinear, x| {
                    let (z, local) = layer.forward_with_local_loss(x);
                    (z, Some(local))
                };
                check(layer.clone(), x(), [0, 4], forward, &at);
                let forward = |layer: &INormLinear, x: Tensor<2>| {
                    let currents = layer.currents(x);
                    (layer.output(&currents), Some(layer.local_loss(&currents)))
                };
                check(layer, x(), [0, 4], forward, &at);
            }
        }
        let layer: ShuntingLinear = in_dtype(ShuntingLinearConfig::new(5, 4).init(device), &setup);
        let forward = |layer: &ShuntingLinear, x| (layer.forward(x), None);
        let layer = layer.with_input_check("empty");
        check(layer, x(), [0, 4], forward, &setup.at("ShuntingLinear"));
        let layer: ColumnEiLinear = in_dtype(ColumnEiLinearConfig::new(5, 4).init(device), &setup);
        let forward = |layer: &ColumnEiLinear, x| (layer.forward(x), None);
        check(layer, x(), [0, 4], forward, &setup.at("ColumnEiLinear"));
    }
}

#[test]
fn convolutions() {
    for setup in setups() {
        let device = &setup.device.clone().autodiff();
        let x = || empty(&setup, [0, 2, 6, 5]);
        let layer: EiConv2d = in_dtype(EiConv2dConfig::new([2, 3], [3, 3]).init(device), &setup);
        let layer = layer.with_input_check("empty");
        let forward = |layer: &EiConv2d, x| (layer.forward(x), None);
        check(layer, x(), [0, 3, 4, 3], forward, &setup.at("EiConv2d"));
        for mode in GradNormMode::ALL {
            let config = INormConv2dConfig::new([2, 3], [3, 3]).with_grad_norm(mode);
            let layer: INormConv2d = in_dtype(config.init(device), &setup);
            let forward = |layer: &INormConv2d, x| {
                let (z, local) = layer.forward_with_local_loss(x);
                (z, Some(local))
            };
            let at = setup.at(("INormConv2d", mode));
            check(layer, x(), [0, 3, 4, 3], forward, &at);
        }
    }
}

#[test]
fn recurrent_layers() {
    for setup in setups() {
        let device = &setup.device.clone().autodiff();
        // No examples; no steps; neither.
        for (steps, batch) in [(3, 0), (0, 2), (0, 0)] {
            for batch_first in [false, true] {
                let of = |features| match batch_first {
                    true => [batch, steps, features],
                    false => [steps, batch, features],
                };
                let x = || empty(&setup, of(5));
                let hidden = || {
                    let values = crate::common::uniform(&mut rng(1), [batch, 4], 0.0, 1.0);
                    setup.tensor(values, [batch, 4])
                };
                for with_state in [false, true] {
                    let at = setup.at((steps, batch, batch_first, with_state));
                    let state = |x: &Tensor<3>| {
                        let hidden = match x.is_autodiff() {
                            true => hidden().autodiff(),
                            false => hidden(),
                        };
                        with_state.then(|| RnnState::new(hidden))
                    };
                    let last = |x: &Tensor<3>, last: RnnState| {
                        let expected = match state(x) {
                            Some(state) if steps == 0 => values(&state.into_hidden()),
                            _ => vec![0.0; batch * 4],
                        };
                        assert_eq!(values(&last.hidden()), expected, "{at}: last state");
                        assert_eq!(last.hidden().dims(), [batch, 4], "{at}");
                    };
                    let config = EiRnnConfig::new(5, 4).with_batch_first(batch_first);
                    let layer: EiRnn = in_dtype(config.init(device), &setup);
                    let forward = |layer: &EiRnn, x: Tensor<3>| {
                        let (states, end) = layer.forward(x.clone(), state(&x));
                        last(&x, end);
                        (states, None)
                    };
                    check(layer, x(), of(4), forward, &at);
                    for mode in GradNormMode::ALL {
                        let config = INormRnnConfig::new(5, 4)
                            .with_batch_first(batch_first)
                            .with_grad_norm(mode);
                        let layer: INormRnn = in_dtype(config.init(device), &setup);
                        let forward = |layer: &INormRnn, x: Tensor<3>| {
                            let (states, end, local) =
                                layer.forward_with_local_loss(x.clone(), state(&x));
                            last(&x, end);
                            (states, Some(local))
                        };
                        check(layer, x(), of(4), forward, &at);
                    }
                }
            }
        }
        let x = || empty(&setup, [0, 5]);
        let layer: EiRnn = in_dtype(EiRnnConfig::new(5, 4).init(device), &setup);
        let forward = |rnn: &EiRnn, x: Tensor<2>| {
            let first = rnn.step(x.clone(), None);
            (rnn.step(x, Some(first)).into_hidden(), None)
        };
        check(layer, x(), [0, 4], forward, &setup.at("EiRnn, a step"));
        let layer: INormRnn = in_dtype(INormRnnConfig::new(5, 4).init(device), &setup);
        let forward = |rnn: &INormRnn, x: Tensor<2>| {
            let (first, _) = rnn.step_with_local_loss(x.clone(), None);
            let (state, local) = rnn.step_with_local_loss(x, Some(first));
            (state.into_hidden(), Some(local))
        };
        check(layer, x(), [0, 4], forward, &setup.at("INormRnn, a step"));
    }
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
    for kind in [
        Normalization::Layer,
        Normalization::Mean,
        Normalization::Divisive,
    ] {
        for rule in [
            BackwardRule::Exact,
            BackwardRule::Detached,
            BackwardRule::StraightThrough,
        ] {
            check_function(setup, shape, "normalize", |x| {
                normalize(x, kind, rule, 1e-5)
            });
            let x = empty(setup, shape).inner();
            let dx = normalize_backward(x.clone(), x, kind, rule, 1e-5);
            assert_eq!(dx.dims(), shape);
        }
    }
    let noise = GradNoise::new(1);
    check_function(setup, shape, "clip_grad_norm", |x| {
        grad::clip_grad_norm(x, 1.0)
    });
    check_function(setup, shape, "clip_grad_total_norm", |x| {
        grad::clip_grad_total_norm(x, 1.0)
    });
    check_function(setup, shape, "clip_grad_value", |x| {
        grad::clip_grad_value(x, 1.0)
    });
    check_function(setup, shape, "scale_grad", |x| grad::scale_grad(x, 2.0));
    check_function(setup, shape, "reverse_grad", |x| grad::reverse_grad(x, 2.0));
    check_function(setup, shape, "noise_grad", |x| {
        grad::noise_grad(x, 2.0, &noise)
    });
    check_function(setup, shape, "check_grad", |x| grad::check_grad(x, "here"));
    let sentinel = GradSentinel::new();
    check_function(setup, shape, "sentinel", |x| sentinel.watch(x, "here"));
    sentinel.check().unwrap();
    let probe = GradProbe::new();
    check_function(setup, shape, "probe", |x| probe.attach(x));
    assert_eq!(probe.take().unwrap().dims(), shape);
    let config = LearnedLateralConfig::new(features);
    let lateral: LearnedLateral = in_dtype(config.init(&setup.device.clone().autodiff()), setup);
    check_function(setup, shape, "learned lateral", |x| lateral.forward(x));
    let before = values(&lateral.weights.val());
    assert_eq!(values(&lateral.adapt().weights.val()), before);
    for divisive in [false, true] {
        let x = empty(setup, shape);
        let loss = inhibitory_loss(x.clone(), divisive);
        assert_eq!(values(&loss), [0.0], "{}", setup.at("inhibitory_loss"));
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
        let forward = |layer: &INormLinear, x: Tensor<3>| {
            let local = layer.local_loss(&layer.currents(x.clone()));
            assert_eq!(values(&local), [0.0]);
            let (z, local) = layer.forward_with_local_loss(x);
            (z, Some(local))
        };
        for [examples, rows] in [[2, 0], [0, 2], [0, 0]] {
            let x = empty(&setup, [examples, rows, 4]);
            check(
                layer(),
                x,
                [examples, rows, 3],
                forward,
                &setup.at((examples, rows)),
            );
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

#[test]
fn currents_of_an_empty_batch() {
    for setup in setups() {
        let device = &setup.device.clone().autodiff();
        for [batch, steps] in [[0, 2], [2, 0], [0, 0]] {
            let layer: EiRnn = in_dtype(EiRnnConfig::new(5, 4).init(device), &setup);
            let currents = layer.currents(empty(&setup, [batch, steps, 5]), None);
            assert_eq!(currents.excitatory.dims(), [batch, steps, 4]);
            assert_eq!(currents.subtractive.dims(), [batch, steps, 4]);
        }
    }
}
