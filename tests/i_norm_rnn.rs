//! `INormRnn`: states, local loss and gradients against the equations in scalar arithmetic, against
//! `INormLinear` unrolled by hand, and step by step with the cell.

#![cfg(feature = "flex")]

mod common;

use burn::module::Module;
use burn::tensor::Tensor;
use common::recurrent::{Batch, derivatives, dot, phi, times};
use common::{
    ChaCha8Rng, Setup, assert_close, assert_same, assert_tensor_close, panic_of, rng, setups,
    values,
};
use ei_norm::dale::Weight;
use ei_norm::functional::{BackwardRule, Normalization, normalize};
use ei_norm::{
    EiState, Error, GradNormConfig, GradNormMode, INormLinear, INormRnn, INormRnnCell,
    INormRnnConfig, INormWeights, InhibitoryPlasticity, NonNegativeActivation,
};

const EPSILON: f64 = 0.03;
const EVERYTHING: InhibitoryPlasticity = InhibitoryPlasticity {
    w_ix: true,
    w_ei: true,
    u_ix: true,
    u_ei: true,
};

/// d_input, d_hidden, n_i, n_d.
const SIZES: [[usize; 4]; 3] = [[3, 4, 2, 5], [1, 2, 1, 1], [5, 3, 1, 2]];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Divisive {
    None,
    Uniform,
    Mixed,
}

const DIVISIVE: [Divisive; 3] = [Divisive::None, Divisive::Uniform, Divisive::Mixed];

fn cell(
    setup: &Setup,
    rng: &mut ChaCha8Rng,
    [d_input, d_hidden, n_i, n_d]: [usize; 4],
    (divisive, plasticity): (Divisive, Option<InhibitoryPlasticity>),
    mode: GradNormMode,
    activation: NonNegativeActivation,
) -> INormRnnCell {
    let inputs = d_input + d_hidden;
    let u_ei = match divisive {
        Divisive::Uniform => setup.tensor(vec![0.4; n_d * d_hidden], [n_d, d_hidden]),
        _ => setup.positive(rng, [n_d, d_hidden]),
    };
    let u_ix = setup.random(rng, [inputs, n_d]).autodiff();
    let weights = INormWeights {
        w_ex: setup.positive(rng, [inputs, d_hidden]).autodiff(),
        w_ix: setup.positive(rng, [inputs, n_i]).autodiff(),
        w_ei: setup.positive(rng, [n_i, d_hidden]).autodiff() * (1.0 / n_i as f64),
        divisive: (divisive != Divisive::None).then(|| (u_ix, u_ei.autodiff())),
        bias: Some(setup.random(rng, [d_hidden]).autodiff()),
    };
    let grad_norm = GradNormConfig::new(d_hidden)
        .with_mode(mode)
        .with_epsilon(EPSILON)
        .try_init_with(&weights.w_ex.device(), rng)
        .unwrap();
    let layer = INormLinear::from_weights(weights, grad_norm, plasticity, EPSILON).unwrap();
    INormRnnCell::from_layer(layer, activation).unwrap()
}

/// States, last state, local loss, and gradients: x, the initial state, W_ex, b, and those
/// inhibitory matrices that learn.
type Pass = Vec<(String, Vec<f64>)>;

#[track_caller]
fn assert_same_pass(found: &Pass, expected: &Pass, tolerance: f64, at: &str) {
    let names = |pass: &Pass| {
        pass.iter()
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(found), names(expected), "{at}");
    for ((name, found), (_, expected)) in found.iter().zip(expected) {
        assert_close(found, expected, tolerance, &format!("{at} {name}"));
    }
}

fn pass(
    cell: &INormRnnCell,
    batch: &Batch,
    forward: impl FnOnce(Tensor<3>, Option<Tensor<2>>) -> (Tensor<3>, Tensor<2>, Tensor<1>),
) -> Pass {
    let (x, initial) = batch.leaves();
    let (states, last, local) = forward(x.clone(), initial.clone());
    assert_eq!(states.dims(), batch.upstream.dims());
    assert_eq!(states.dtype(), batch.upstream.dtype());
    assert_eq!((local.dims(), local.dtype()), ([1], states.dtype()));
    let mut pass: Pass = vec![
        ("states".into(), values(&states)),
        ("last".into(), values(&last)),
        ("local".into(), values(&local)),
    ];
    // One backward pass of the sum: the two kinds of gradient never meet in a parameter.
    let grads = (batch.loss(states, last) + local).backward();
    let mut add = |name: &str, grad: Vec<f64>| pass.push((name.to_owned(), grad));
    add("x", values(&x.grad(&grads).unwrap()));
    if let Some(initial) = initial {
        add("initial", values(&initial.grad(&grads).unwrap()));
    }
    let layer = &cell.i_norm;
    let bias = layer.bias.as_ref().map(Weight::value).unwrap();
    add("w_ex", values(&layer.w_ex.val().grad(&grads).unwrap()));
    add("bias", values(&bias.grad(&grads).unwrap()));
    for (name, w) in inhibitory(layer) {
        if let Some(grad) = w.grad(&grads) {
            add(name, values(&grad));
        }
    }
    pass
}

fn inhibitory(layer: &INormLinear) -> Vec<(&'static str, Tensor<2>)> {
    let mut all = vec![("w_ix", layer.w_ix.val()), ("w_ei", layer.w_ei.val())];
    all.extend(layer.u_ix.as_ref().map(|w| ("u_ix", w.val())));
    all.extend(layer.u_ei.as_ref().map(|w| ("u_ei", w.val())));
    all
}

fn pass_of_layer(cell: &INormRnnCell, batch: &Batch) -> Pass {
    let rnn = INormRnn::new(cell.clone(), true);
    pass(cell, batch, |x, initial| {
        let (states, last, local) = rnn.forward_with_local_loss(x, initial.map(EiState::new));
        (states, last.into_hidden(), local)
    })
}

/// The layer at each step, one step after the other.
fn pass_of_steps(
    cell: &INormRnnCell,
    batch: &Batch,
    step: impl Fn(Tensor<2>, Option<EiState>) -> (EiState, Tensor<1>),
) -> Pass {
    let [_, steps, _] = batch.x.dims();
    pass(cell, batch, |x, initial| {
        let mut locals = Vec::new();
        let (states, last) = Batch::unrolled(x, initial, |x, state| {
            let (next, local) = step(x, state);
            locals.push(local);
            next
        });
        // Not a quotient: the way back through one rounds 1/steps to f32 in Burn.
        let local = Tensor::cat(locals, 0).sum() * (1.0 / steps as f64);
        (states, last, local)
    })
}

/// `INormLinear` on [x_t, h_{t−1}], by hand.
fn pass_by_hand(cell: &INormRnnCell, batch: &Batch) -> Pass {
    let [examples, _, d_hidden] = batch.upstream.dims();
    pass_of_steps(cell, batch, |x, state| {
        let state = match state {
            Some(state) => state.into_hidden(),
            None => Tensor::zeros([examples, d_hidden], (&x.device(), x.dtype())).autodiff(),
        };
        let joint = Tensor::cat(vec![x, state], 1);
        let (z, local) = cell.i_norm.forward_with_local_loss(joint);
        (EiState::new(cell.activation().forward(z)), local)
    })
}

#[test]
fn the_layer_equals_i_norm_linear_unrolled_and_steps_of_the_cell() {
    for setup in setups() {
        for (index, sizes) in SIZES.into_iter().enumerate() {
            let [d_input, d_hidden, ..] = sizes;
            for (divisive, plasticity) in DIVISIVE.into_iter().flat_map(|divisive| {
                [None, Some(EVERYTHING)].map(|plasticity| (divisive, plasticity))
            }) {
                for mode in GradNormMode::ALL {
                    for activation in NonNegativeActivation::ALL {
                        let shapes = [([3, 4], true), ([2, 3], false), ([2, 1], true)];
                        let (shape, initial) = shapes[(index + mode as usize) % 3];
                        let rng = &mut rng(index as u64);
                        let kind = (divisive, plasticity);
                        let cell = cell(&setup, rng, sizes, kind, mode, activation);
                        let size = [d_input, d_hidden];
                        let batch = Batch::random(&setup, rng, shape, size, initial);
                        let found = pass_of_layer(&cell, &batch);
                        let at = setup.at((sizes, divisive, mode, activation, shape, initial));
                        let tolerance = 100.0 * setup.tolerance;
                        let expected = pass_by_hand(&cell, &batch);
                        assert_same_pass(&found, &expected, tolerance, &at);
                        let steps = pass_of_steps(&cell, &batch, |x, state| {
                            cell.forward_with_local_loss(x, state)
                        });
                        assert_same_pass(&found, &steps, tolerance, &format!("{at} steps"));
                    }
                }
            }
        }
    }
}

/// What the scalar equations compute at each step of each example.
struct Step {
    /// v = [x, h].
    v: Vec<f64>,
    a: Vec<f64>,
    s: Vec<f64>,
    q: Vec<f64>,
    h: Vec<f64>,
}

/// s and q from the inhibitory weights W_ix, W_ei, U_ix, U_ei (the last two if there are).
fn inhibition(v: &[f64], weights: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
    let s = times(&times(v, &weights[0]), &weights[1]);
    let q = match weights {
        [_, _, u_ix, u_ei] => {
            let squares: Vec<f64> = times(v, u_ix).iter().map(|d| d * d).collect();
            let power = times(&squares, u_ei);
            power.iter().map(|p| (p + EPSILON).sqrt()).collect()
        }
        _ => vec![1.0; s.len()],
    };
    (s, q)
}

/// The scalar equations for parameters x, h_0, W_ex and b; where `constants` are given, s and q are
/// taken from there.
fn scalar_steps(
    [batch, steps, d_input]: [usize; 3],
    activation: NonNegativeActivation,
    task: &[Vec<f64>],
    weights: &[Vec<f64>],
    constants: Option<&[Step]>,
) -> Vec<Step> {
    let [x, initial, w_ex, bias] = task else {
        panic!("four parameters")
    };
    let d_hidden = bias.len();
    let mut all: Vec<Step> = Vec::new();
    for example in 0..batch {
        let mut h = initial[example * d_hidden..][..d_hidden].to_vec();
        for step in 0..steps {
            let index = example * steps + step;
            let v = [&x[index * d_input..][..d_input], &h].concat();
            let a = times(&v, w_ex);
            let a: Vec<f64> = a.iter().zip(bias).map(|(a, b)| a + b).collect();
            let (s, q) = match constants {
                Some(constants) => (constants[index].s.clone(), constants[index].q.clone()),
                None => inhibition(&v, weights),
            };
            let z = (0..d_hidden).map(|i| (a[i] - s[i]) / q[i]);
            h = z.map(|z| phi(activation, z)).collect();
            let h = h.clone();
            all.push(Step { v, a, s, q, h });
        }
    }
    all
}

/// The local loss for currents and inputs that are constants.
fn scalar_local_loss(steps: &[Step], weights: &[Vec<f64>]) -> f64 {
    let of_step = |step: &Step| {
        let (s, q) = inhibition(&step.v, weights);
        let n = s.len() as f64;
        let z: Vec<f64> = (0..s.len()).map(|i| (step.a[i] - s[i]) / q[i]).collect();
        let mean = z.iter().sum::<f64>() / n;
        let variance = z.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / n;
        match weights.len() {
            4 => mean.powi(2) + (variance - 1.0).powi(2),
            _ => mean.powi(2),
        }
    };
    steps.iter().map(of_step).sum::<f64>() / steps.len() as f64
}

/// Everything in scalar arithmetic; none if a pre-activation is so near 0, the corner of a rectifier,
/// that differences would cross it.
fn pass_of_scalars(cell: &INormRnnCell, batch: &Batch) -> Option<Pass> {
    let shape @ [_, steps, _] = batch.x.dims();
    let layer = &cell.i_norm;
    let task = [
        values(&batch.x),
        values(batch.initial.as_ref().unwrap()),
        values(&layer.w_ex.val()),
        values(&layer.bias.as_ref().unwrap().val()),
    ];
    let (names, weights): (Vec<_>, Vec<_>) = inhibitory(layer)
        .into_iter()
        .map(|(name, w)| (name, values(&w)))
        .unzip();
    let run = |task: &[Vec<f64>], constants| {
        scalar_steps(shape, cell.activation(), task, &weights, constants)
    };
    let known = run(&task, None);
    let is_near = |s: &Step| (0..s.a.len()).any(|i| ((s.a[i] - s.s[i]) / s.q[i]).abs() < 0.03);
    if known.iter().any(is_near) {
        return None;
    }
    let all_of = |all: &[Step]| all.iter().flat_map(|s| s.h.clone()).collect::<Vec<f64>>();
    let last_of = |all: &[Step]| -> Vec<f64> {
        let sequences = all.chunks_exact(steps);
        sequences.flat_map(|s| s[steps - 1].h.clone()).collect()
    };
    let upstream = (values(&batch.upstream), values(&batch.upstream_last));
    let of_task = derivatives(&task, |task| {
        let all = run(task, Some(&known));
        dot(&all_of(&all), &upstream.0) + dot(&last_of(&all), &upstream.1)
    });
    let of_inhibition = derivatives(&weights, |weights| scalar_local_loss(&known, weights));
    let mut pass = vec![
        ("states".to_owned(), all_of(&known)),
        ("last".into(), last_of(&known)),
        ("local".into(), vec![scalar_local_loss(&known, &weights)]),
    ];
    let task_names = ["x", "initial", "w_ex", "bias"];
    let names = task_names.into_iter().chain(names).map(str::to_owned);
    pass.extend(names.zip(of_task.into_iter().chain(of_inhibition)));
    Some(pass)
}

#[test]
fn states_loss_and_gradients_match_the_scalar_equations() {
    for setup in setups() {
        for (divisive, activation) in DIVISIVE
            .into_iter()
            .flat_map(|divisive| NonNegativeActivation::ALL.map(|a| (divisive, a)))
        {
            let of_seed = |seed| {
                let rng = &mut rng(seed);
                let kind = (divisive, Some(EVERYTHING));
                let mode = GradNormMode::Identity;
                let cell = cell(&setup, rng, SIZES[0], kind, mode, activation);
                let batch = Batch::random(&setup, rng, [2, 3], [3, 4], true);
                let expected = pass_of_scalars(&cell, &batch)?;
                Some((pass_of_layer(&cell, &batch), expected))
            };
            let (found, expected) = (0..200).find_map(of_seed).unwrap();
            let at = setup.at((divisive, activation));
            let tolerance = 100.0 * setup.tolerance;
            assert_same_pass(&found, &expected, tolerance.max(1e-8), &at);
            assert_close(&found[0].1, &expected[0].1, tolerance, &at);
            let positive = found[0].1.iter().filter(|h| **h > 0.0).count();
            assert!(positive >= 6, "{at}: only {positive} neurons are active");
        }
    }
}

#[test]
fn the_task_and_the_local_loss_do_not_reach_each_other() {
    for setup in setups() {
        for divisive in DIVISIVE {
            let rng = &mut rng(1);
            let kind = (divisive, Some(EVERYTHING));
            let activation = NonNegativeActivation::Sigmoid;
            let cell = cell(&setup, rng, SIZES[0], kind, GradNormMode::Full, activation);
            let batch = Batch::random(&setup, rng, [2, 3], [3, 4], true);
            let rnn = INormRnn::new(cell, true);
            let run = || {
                let (x, initial) = batch.leaves();
                let start = initial.clone().map(EiState::new);
                let (states, _, local) = rnn.forward_with_local_loss(x.clone(), start);
                (x, initial.unwrap(), states, local)
            };
            let layer = &rnn.cell.i_norm;
            let at = setup.at(divisive);
            let (x, initial, states, _) = run();
            let task = (states * batch.upstream.clone()).sum().backward();
            let all = inhibitory(layer);
            assert!(all.iter().all(|(_, w)| w.grad(&task).is_none()), "{at}");
            assert!(layer.w_ex.val().grad(&task).is_some(), "{at}");
            assert!(x.grad(&task).is_some() && initial.grad(&task).is_some());
            let (x, initial, _, local) = run();
            let local = local.backward();
            assert!(all.iter().all(|(_, w)| w.grad(&local).is_some()), "{at}");
            assert!(layer.w_ex.val().grad(&local).is_none(), "{at}");
            assert!(x.grad(&local).is_none() && initial.grad(&local).is_none());
        }
    }
}

#[test]
fn both_forward_passes_and_both_layouts_agree() {
    for setup in setups() {
        let rng = &mut rng(2);
        let kind = (Divisive::Mixed, None);
        let mode = GradNormMode::Lateral;
        let cell = cell(
            &setup,
            rng,
            SIZES[0],
            kind,
            mode,
            NonNegativeActivation::Relu,
        );
        let batch = Batch::random(&setup, rng, [2, 5], [3, 4], true);
        let expected = pass_of_layer(&cell, &batch);
        let first = INormRnn::new(cell.clone(), false);
        assert!(!first.batch_first());
        let found = pass(&cell, &batch, |x, initial| {
            let start = initial.map(EiState::new);
            let (states, last, local) = first.forward_with_local_loss(x.swap_dims(0, 1), start);
            assert_eq!(states.dims(), [5, 2, 4]);
            (states.swap_dims(0, 1), last.into_hidden(), local)
        });
        assert_same_pass(&found, &expected, setup.tolerance, &setup.at("time first"));

        let rnn = INormRnn::new(cell.clone(), true);
        let start = || batch.initial.clone().map(EiState::new);
        let (states, last) = rnn.forward(batch.x.clone(), start());
        let (with_loss, last_with_loss, _) = rnn.forward_with_local_loss(batch.x.clone(), start());
        assert_same(&states.clone().inner(), &with_loss.inner(), "states");
        assert_same(
            &last.hidden().inner(),
            &last_with_loss.hidden().inner(),
            "last",
        );
        let plain = rnn.valid().forward(batch.x.clone(), start());
        assert!(!plain.0.is_autodiff());
        assert_same(&plain.0, &states.inner(), "valid");

        let step = batch.x.clone().narrow(1, 0, 1).squeeze_dim(1);
        let next = cell.forward(step.clone(), None);
        let (same, _) = cell.forward_with_local_loss(step, None);
        assert_same(&next.hidden().inner(), &same.hidden().inner(), "cell");
    }
}

#[test]
fn empty_batches_and_sequences_give_empty_states_and_no_loss() {
    for setup in setups() {
        let rng = &mut rng(3);
        let kind = (Divisive::Mixed, None);
        let mode = GradNormMode::Full;
        let cell = cell(
            &setup,
            rng,
            SIZES[0],
            kind,
            mode,
            NonNegativeActivation::Relu,
        );
        let rnn = INormRnn::new(cell, true);
        for [batch, steps] in [[0, 3], [2, 0], [0, 0]] {
            let x = setup.random(rng, [batch, steps, 3]);
            let initial = setup.positive(rng, [batch, 4]);
            for start in [None, Some(EiState::new(initial.clone()))] {
                let is_given = start.is_some();
                let (states, last, local) = rnn.forward_with_local_loss(x.clone(), start);
                assert_eq!(states.dims(), [batch, steps, 4]);
                assert_eq!(states.dtype(), setup.dtype);
                assert_eq!((values(&local), local.dtype()), (vec![0.0], setup.dtype));
                match is_given && steps == 0 {
                    true => assert_same(&last.into_hidden(), &initial, "nothing happened"),
                    false => assert_eq!(values(&last.hidden()), vec![0.0; batch * 4]),
                }
                // It can stand in the loss of a training loop.
                let other = rnn.cell.i_norm.w_ex.val().sum();
                assert!(values(&(other + local))[0].is_finite());
            }
        }
    }
}

#[test]
fn at_first_every_step_is_layer_norm() {
    let device = burn::tensor::Device::flex();
    let config = INormRnnConfig::new(3, 6).with_epsilon(1e-5);
    let rnn = config.try_init_with(&device, &mut rng(4)).unwrap();
    let setup = &setups()[0];
    let batch = Batch::random(setup, &mut rng(5), [2, 4], [3, 6], true);
    let (states, _) = rnn.forward(batch.x.clone(), batch.initial.clone().map(EiState::new));
    let (expected, _) = Batch::unrolled(batch.x, batch.initial, |x, state| {
        let joint = Tensor::cat(vec![x, state.unwrap().into_hidden()], 1);
        let a = joint.matmul(rnn.cell.i_norm.w_ex.val());
        let z = normalize(a, Normalization::Layer, BackwardRule::Exact, 1e-5);
        EiState::new(rnn.cell.activation().forward(z))
    });
    assert_tensor_close(&states, &expected, 1e-3, "LayerNorm");
}

#[test]
fn layers_and_shapes_that_do_not_fit_are_refused() {
    let setup = &setups()[0];
    let rng = &mut rng(6);
    let layer = |inputs: usize| {
        let rng = &mut common::rng(7);
        let weights = INormWeights::subtractive(
            setup.positive(rng, [inputs, 4]),
            setup.positive(rng, [inputs, 1]),
            setup.positive(rng, [1, 4]),
            None,
        );
        let grad_norm = ei_norm::GradNorm::identity(4);
        INormLinear::from_weights(weights, grad_norm, None, EPSILON).unwrap()
    };
    let of = |inputs| INormRnnCell::from_layer(layer(inputs), NonNegativeActivation::Relu);
    assert!(of(5).is_ok());
    for inputs in [3, 4] {
        let expected = Error::Shape {
            parameter: "i_norm.w_ex",
            found: vec![inputs, 4],
            expected: vec![5, 4],
        };
        assert_eq!(of(inputs).unwrap_err(), expected);
    }

    let rnn = INormRnn::new(of(7).unwrap(), true);
    let x = setup.random(rng, [2, 5, 4]);
    let panic = panic_of(|| drop(rnn.forward(x, None)));
    assert!(panic.contains("axis 2 expected 3, got 4"), "{panic}");
    let x = setup.random(rng, [2, 4]);
    let panic = panic_of(|| drop(rnn.cell.forward(x, None)));
    assert!(panic.contains("axis 1 expected 3, got 4"), "{panic}");
    let state = || Some(EiState::new(setup.positive(&mut common::rng(1), [3, 4])));
    let x = setup.random(rng, [2, 5, 3]);
    let panic = panic_of(|| drop(rnn.forward(x, state())));
    assert!(panic.contains("axis 0 expected 2, got 3"), "{panic}");
    let x = setup.random(rng, [2, 3]);
    let panic = panic_of(|| drop(rnn.cell.forward(x, state())));
    assert!(panic.contains("axis 0 expected 2, got 3"), "{panic}");
}
