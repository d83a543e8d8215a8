//! The recurrent layers as modules: initial weights, autapses, and training under Dale's law.

use crate::common::parameters::{paths as names, weights};
use crate::common::{Setup, assert_close, rng, row_means, setups, values};
use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams, SgdConfig};
use burn::tensor::{Device, Tensor};
use ei_norm::layer::Recurrent;
use ei_norm::{
    ColumnEiRnn, ColumnEiRnnConfig, EiInitializer, EiRnn, EiRnnConfig, GradNormMode, INormRnn,
    INormRnnConfig, NonNegativeActivation, RnnState, ShuntingLinearConfig, ShuntingRnn,
    ShuntingRnnConfig, dale,
};

/// Mean and variance.
fn moments(values: &[f64]) -> [f64; 2] {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    [mean, variance]
}

/// Checks the initial balance of a path: inhibition subtracts the mean excitatory current.
#[track_caller]
fn assert_balanced(w_ex: &[f64], w_ix: &[f64], w_ei: &[f64], n_i: usize, at: &str) {
    let d_output = w_ei.len() / n_i;
    let means = row_means(w_ex, d_output);
    let expected: Vec<f64> = means
        .iter()
        .flat_map(|mean| std::iter::repeat_n(*mean, n_i))
        .collect();
    assert_close(w_ix, &expected, 1e-6, at);
    let sums: Vec<f64> = (0..d_output)
        .map(|i| w_ei.iter().skip(i).step_by(d_output).sum())
        .collect();
    assert_close(&sums, &vec![1.0; d_output], 1e-6, at);
}

/// Checks that the mean is the standard deviation and that the variance follows the equations, within the
/// random error of this number of values with a heavy tail.
#[track_caller]
fn assert_moments(values: &[f64], variance: f64, at: &str) {
    let [mean, found] = moments(values);
    let (mean, found) = (mean / variance.sqrt(), found / variance);
    assert!((mean - 1.0).abs() < 0.02, "{at}: mean {mean}");
    assert!((found - 1.0).abs() < 0.12, "{at}: variance {found}");
}

/// W_ex, W_ix and W_ei of the inputs and of the neurons, which have separate inhibitory units: each unit
/// reads one of the two, and a mask ensures this.
fn paths(rnn: &EiRnn) -> [[Vec<f64>; 3]; 2] {
    let Recurrent {
        d_input, d_hidden, ..
    } = *rnn.geometry();
    let (w_ex, n_i) = (rnn.w_ex.val(), rnn.inhibitory_units() / 2);
    let w_ix = rnn.w_ix.as_ref().unwrap();
    let w_ei = rnn.w_ei.as_ref().unwrap().val();
    let exists = w_ix.mask().unwrap().float();
    let block = |of: &Tensor<2>, path: usize, unit: usize| {
        let (from, count) = [(0, d_input), (d_input, d_hidden)][path];
        values(&of.clone().narrow(0, from, count).narrow(1, unit * n_i, n_i))
    };
    [0, 1].map(|path| {
        assert!(
            block(&exists, path, path)
                .iter()
                .all(|exists| *exists == 1.0)
        );
        assert!(
            block(&exists, path, 1 - path)
                .iter()
                .all(|exists| *exists == 0.0)
        );
        assert!(block(&w_ix.val(), path, 1 - path).iter().all(|w| *w == 0.0));
        let (from, count) = [(0, d_input), (d_input, d_hidden)][path];
        [
            values(&w_ex.clone().narrow(0, from, count)),
            block(&w_ix.val(), path, path),
            values(&w_ei.clone().narrow(0, path * n_i, n_i)),
        ]
    })
}

#[test]
fn initial_weights_have_the_variances_of_the_equations() {
    let (d_input, d_hidden) = (150, 300);
    let n_e = d_hidden as f64;
    let of_input = n_e / (3.0 * d_input as f64 * (n_e - 1.0));
    let of_recurrent = 1.0 / (3.0 * (n_e - 1.0));
    let device = Device::flex();
    for initializer in [EiInitializer::Lognormal, EiInitializer::Exponential] {
        let config = EiRnnConfig::new(d_input, d_hidden).with_initializer(initializer);
        let rnn = config.try_init_with(&device, &mut rng(1)).unwrap();
        assert_eq!(rnn.inhibitory_units(), 60);
        for (path, variance) in paths(&rnn).into_iter().zip([of_input, of_recurrent]) {
            let at = format!("{initializer:?} {variance}");
            let [ex, ix, ei] = path;
            assert_moments(&ex, variance, &at);
            assert_balanced(&ex, &ix, &ei, 30, &at);
        }
        let config = INormRnnConfig::new(d_input, d_hidden)
            .with_initializer(initializer)
            .with_divisive(false);
        let rnn = config.try_init_with(&device, &mut rng(2)).unwrap();
        let [ex, ix, ei] = [&rnn.w_ex, &rnn.w_ix, &rnn.w_ei].map(|w| values(&w.val()));
        let (of_x, of_h) = ex.split_at(d_input * d_hidden);
        assert_moments(of_x, of_input, "rows of x");
        assert_moments(of_h, of_recurrent, "rows of h");
        assert_balanced(&ex, &ix, &ei, 30, "I-Norm");
    }
}

#[test]
fn shunting_weights_are_those_of_the_dense_layer_of_inputs_and_neurons() {
    let device = Device::flex();
    let rnn = ShuntingRnnConfig::new(3, 20).try_init_with(&device, &mut rng(1));
    let dense = ShuntingLinearConfig::new(23, 20).try_init_with(&device, &mut rng(1));
    assert_eq!(weights(&rnn.unwrap()), weights(&dense.unwrap()));
}

#[test]
fn in_a_column_network_neurons_excite_or_inhibit_and_inputs_excite() {
    let config = ColumnEiRnnConfig::new(50, 200).with_ratio(3.0);
    let rnn = config.try_init_with(&Device::flex(), &mut rng(1)).unwrap();
    let signs = [[1.0; 200].to_vec(), [-1.0; 50].to_vec()].concat();
    assert_eq!(values(&rnn.signs.val()), signs);
    // σ_e and σ_i with n_e = 200 excitatory inputs and n_i = 50.
    let tau = std::f64::consts::TAU;
    let scale = ((tau - 1.0) / tau * (200.0 + 200.0 * 200.0 / 50.0)).powf(-0.5);
    let w_ex = values(&rnn.w_ex.val());
    let (excitatory, inhibitory) = w_ex.split_at(200 * 200);
    assert_moments(excitatory, scale.powi(2), "excitatory");
    assert_moments(inhibitory, (4.0 * scale).powi(2), "inhibitory");
}

/// The weights from the neurons to the neurons.
fn recurrent_ex(weights: &Tensor<2>) -> Vec<Vec<f64>> {
    let [inputs, d_hidden] = weights.dims();
    let rows = values(weights);
    let rows = rows.chunks_exact(d_hidden).skip(inputs - d_hidden);
    rows.map(<[f64]>::to_vec).collect()
}

#[track_caller]
fn assert_autapses(weights: &Tensor<2>, exist: bool) {
    for (pre, row) in recurrent_ex(weights).iter().enumerate() {
        for (post, w) in row.iter().enumerate() {
            let missing = !exist && pre == post;
            assert_eq!(*w == 0.0, missing, "from {pre} to {post}: {w}");
        }
    }
}

/// Checks the diagonal of trained weights, of which others may be 0 too.
#[track_caller]
fn assert_no_autapses(weights: &Tensor<2>) {
    for (pre, row) in recurrent_ex(weights).iter().enumerate() {
        assert_eq!(row[pre], 0.0, "from {pre} to itself");
    }
}

#[test]
fn without_autapses_no_neuron_excites_itself() {
    let device = Device::flex();
    for autapses in [true, false] {
        let config = EiRnnConfig::new(3, 8).with_autapses(autapses);
        let rnn = config.try_init_with(&device, &mut rng(1)).unwrap();
        assert_autapses(&rnn.w_ex.val(), autapses);
        assert_eq!(rnn.w_ex.mask().is_none(), autapses);
        for [ex, ix, ei] in paths(&rnn) {
            assert_balanced(&ex, &ix, &ei, 1, "without autapses");
        }
        // Inhibition still reaches the neuron that drives it.
        let inhibition = rnn.w_ix.as_ref().unwrap().val();
        let inhibition = inhibition.matmul(rnn.w_ei.as_ref().unwrap().val());
        let all = recurrent_ex(&inhibition);
        assert!(all.iter().flatten().all(|w| *w > 0.0));

        macro_rules! others {
            ($($config:ident)*) => {
                $(
                    let config = $config::new(3, 8).with_autapses(autapses);
                    let rnn = config.try_init_with(&device, &mut rng(1)).unwrap();
                    assert_autapses(&rnn.w_ex.val(), autapses);
                    assert_eq!(rnn.w_ex.mask().is_none(), autapses);
                    let of_inputs = values(&rnn.w_ex.val().narrow(0, 0, 3));
                    assert!(of_inputs.iter().all(|w| *w > 0.0));
                )*
            };
        }
        others!(INormRnnConfig ShuntingRnnConfig ColumnEiRnnConfig);
    }
    assert!(EiRnnConfig::new(3, 8).geometry.autapses);
}

/// A network with a readout of the last state, trained to tell which of two inputs came first.
#[derive(Module, Debug)]
struct Model {
    ei: EiRnn,
    i_norm: INormRnn,
}

impl Model {
    fn new(device: &Device, seed: u64) -> Self {
        let rng = &mut rng(seed);
        let ei = EiRnnConfig::new(2, 6).with_autapses(false);
        let i_norm = INormRnnConfig::new(6, 5)
            .with_autapses(false)
            .with_grad_norm(GradNormMode::Lateral)
            .with_activation(NonNegativeActivation::Softplus);
        Self {
            ei: ei.try_init_with(device, rng).unwrap(),
            i_norm: i_norm.try_init_with(device, rng).unwrap(),
        }
    }

    fn forward(&self, x: Tensor<3>) -> (Tensor<3>, Tensor<1>) {
        let (states, _) = self.ei.forward(x, None);
        let (states, _, local) = self.i_norm.forward_with_local_loss(states, None);
        (states, local)
    }
}

/// The other two circuits.
#[derive(Module, Debug)]
struct Others {
    shunting: ShuntingRnn,
    column: ColumnEiRnn,
}

impl Others {
    fn new(device: &Device, seed: u64) -> Self {
        let rng = &mut rng(seed);
        let shunting = ShuntingRnnConfig::new(2, 6).with_autapses(false);
        let column = ColumnEiRnnConfig::new(6, 5)
            .with_autapses(false)
            .with_activation(NonNegativeActivation::Softplus);
        Self {
            shunting: shunting.try_init_with(device, rng).unwrap(),
            column: column.try_init_with(device, rng).unwrap(),
        }
    }
}

/// Trains towards random states and fails unless Dale's law holds after every step, a projection was needed,
/// the loss falls, and exactly the `fixed` parameters do not change.
fn trains<M: Module>(
    setup: &Setup,
    model: M,
    forward: impl Fn(&M, Tensor<3>) -> (Tensor<3>, Option<Tensor<1>>),
    fixed: &[&str],
    after_training: impl Fn(&M, Tensor<3>),
) {
    for (name, mut optimizer, rate) in [
        ("sgd", SgdConfig::new().init(), 0.02),
        ("adam", AdamConfig::new().init(), 0.01),
    ] {
        let mut model = model.clone();
        let before = weights(&model);
        let rng = &mut rng(4);
        // Layers have the default dtype of the device.
        let dtype = Tensor::<1>::zeros([1], &setup.device).dtype();
        let x = setup.positive(rng, [8, 6, 2]).cast(dtype).autodiff();
        let target = setup.positive(rng, [8, 6, 5]).cast(dtype).autodiff();
        let mut losses = Vec::new();
        let mut was_negative = false;
        for _ in 0..60 {
            let (states, local) = forward(&model, x.clone());
            let task = (states - target.clone()).square().mean();
            losses.push(values(&task)[0]);
            let loss = local
                .into_iter()
                .fold(task, |task, local| task + local * 0.1);
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            model = optimizer.step(rate, model, grads);
            was_negative |= dale::check(&model).is_err();
            model = dale::project(model);
            dale::check(&model).unwrap();
        }
        // Not the last loss: a small q makes single steps jump.
        let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
        let at = setup.at((name, losses[0], best));
        assert!(was_negative, "{at}: nothing was ever projected");
        assert!(best < 0.8 * losses[0], "{at}");
        after_training(&model, x);
        for ((name, before), (_, after)) in before.iter().zip(weights(&model)) {
            assert_eq!(
                *before == after,
                fixed.contains(&name.as_str()),
                "{at} {name}"
            );
        }
    }
}

#[test]
fn training_keeps_dales_law_and_the_missing_connections() {
    for setup in setups() {
        let device = setup.device.clone().autodiff();
        let forward = |model: &Model, x| {
            let (states, local) = model.forward(x);
            (states, Some(local))
        };
        let fixed = [
            "i_norm.w_ei",
            "i_norm.u_ei",
            "i_norm.grad_norm.lateral_weights",
        ];
        trains(
            &setup,
            Model::new(&device, 3),
            forward,
            &fixed,
            |model, x| {
                assert_no_autapses(&model.ei.w_ex.val());
                assert_no_autapses(&model.i_norm.w_ex.val());
                // Each inhibitory unit still reads either the inputs or the neurons.
                paths(&model.ei);
                // States stay non-negative.
                let (states, last) = model.ei.forward(x, None);
                assert!(values(&states).iter().all(|h| *h >= 0.0));
                assert!(RnnState::try_new(last.into_hidden()).is_ok());
            },
        );
        let forward = |model: &Others, x| {
            let (states, _) = model.shunting.forward(x, None);
            (model.column.forward(states, None).0, None)
        };
        let others = Others::new(&device, 3);
        trains(&setup, others, forward, &["column.signs"], |model, _| {
            assert_no_autapses(&model.shunting.w_ex.val());
            assert_no_autapses(&model.column.w_ex.val());
        });
    }
}

#[test]
fn parameters_have_their_own_names() {
    let expected = [
        "ei.w_ex",
        "ei.w_ix",
        "ei.w_ei",
        "ei.bias",
        "i_norm.w_ex",
        "i_norm.w_ix",
        "i_norm.w_ei",
        "i_norm.u_ix",
        "i_norm.u_ei",
        "i_norm.bias",
        "i_norm.grad_norm.lateral_weights",
    ];
    assert_eq!(names(&Model::new(&Device::flex(), 1)), expected);
}
