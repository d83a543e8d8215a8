//! The recurrent layers as modules: initial weights, autapses, training under Dale's law, records,
//! display and configurations.

#![cfg(feature = "flex")]

mod common;

use burn::config::Config;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamConfig, GradientsParams, SgdConfig};
use burn::store::ModuleRecord;
use burn::tensor::{Device, Tensor};
use common::{assert_close, assert_same, rng, setups, values};
use ei_norm::{
    EiRnn, EiRnnCell, EiRnnConfig, EiState, Error, GradNormMode, INormRnn, INormRnnCell,
    INormRnnConfig, Inhibitory, InhibitoryPlasticity, Initializer, NonNegativeActivation, dale,
};

/// Mean and variance.
fn moments(values: &[f64]) -> [f64; 2] {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    [mean, variance]
}

/// The mean of each row of `columns` values.
fn row_means(values: &[f64], columns: usize) -> Vec<f64> {
    let rows = values.chunks_exact(columns);
    rows.map(|row| row.iter().sum::<f64>() / columns as f64)
        .collect()
}

/// What every path has at first: inhibition subtracts the mean excitatory current.
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

/// The mean is the standard deviation, and the variance that of the equations, within what chance
/// explains for so many values of a heavy tail.
#[track_caller]
fn assert_moments(values: &[f64], variance: f64, at: &str) {
    let [mean, found] = moments(values);
    let (mean, found) = (mean / variance.sqrt(), found / variance);
    assert!((mean - 1.0).abs() < 0.02, "{at}: mean {mean}");
    assert!((found - 1.0).abs() < 0.12, "{at}: variance {found}");
}

#[test]
fn initial_weights_have_the_variances_of_the_equations() {
    let (d_input, d_hidden) = (150, 300);
    let n_e = d_hidden as f64;
    let of_input = n_e / (3.0 * d_input as f64 * (n_e - 1.0));
    let of_recurrent = 1.0 / (3.0 * (n_e - 1.0));
    let device = Device::flex();
    for initializer in [Initializer::Lognormal, Initializer::Exponential] {
        let config = EiRnnConfig::new(d_input, d_hidden).with_initializer(initializer);
        let rnn = config.try_init_with(&device, &mut rng(1)).unwrap();
        for (layer, variance) in [
            (&rnn.cell.input, of_input),
            (&rnn.cell.recurrent, of_recurrent),
        ] {
            let at = format!("{initializer:?} {variance}");
            let [ex, ix, ei] = [
                &layer.w_ex,
                layer.w_ix.as_ref().unwrap(),
                layer.w_ei.as_ref().unwrap(),
            ]
            .map(|w| values(&w.val()));
            assert_eq!(layer.inhibitory_units(), 30);
            assert_moments(&ex, variance, &at);
            assert_balanced(&ex, &ix, &ei, 30, &at);
        }
        let config = INormRnnConfig::new(d_input, d_hidden)
            .with_initializer(initializer)
            .with_divisive(false);
        let rnn = config.try_init_with(&device, &mut rng(2)).unwrap();
        let layer = &rnn.cell.i_norm;
        let [ex, ix, ei] = [&layer.w_ex, &layer.w_ix, &layer.w_ei].map(|w| values(&w.val()));
        let (of_x, of_h) = ex.split_at(d_input * d_hidden);
        assert_moments(of_x, of_input, "rows of x");
        assert_moments(of_h, of_recurrent, "rows of h");
        assert_balanced(&ex, &ix, &ei, 30, "I-Norm");
    }
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

#[test]
fn without_autapses_no_neuron_excites_itself() {
    let device = Device::flex();
    for autapses in [true, false] {
        let config = EiRnnConfig::new(3, 8).with_autapses(autapses);
        let rnn = config.try_init_with(&device, &mut rng(1)).unwrap();
        let layer = &rnn.cell.recurrent;
        assert_autapses(&layer.w_ex.val(), autapses);
        assert_eq!(layer.w_ex.mask().is_none(), autapses);
        assert!(rnn.cell.input.w_ex.mask().is_none());
        let ix = layer.w_ix.as_ref().unwrap().val();
        let ei = layer.w_ei.as_ref().unwrap().val();
        let ex = values(&layer.w_ex.val());
        assert_balanced(&ex, &values(&ix), &values(&ei), 1, "without autapses");
        // Inhibition reaches the neuron that drives it all the same.
        assert!(
            recurrent_ex(&ix.matmul(ei))
                .iter()
                .flatten()
                .all(|w| *w > 0.0)
        );

        let config = INormRnnConfig::new(3, 8).with_autapses(autapses);
        let rnn = config.try_init_with(&device, &mut rng(1)).unwrap();
        assert_autapses(&rnn.cell.i_norm.w_ex.val(), autapses);
        assert_eq!(rnn.cell.i_norm.w_ex.mask().is_none(), autapses);
        let of_inputs = values(&rnn.cell.i_norm.w_ex.val().narrow(0, 0, 3));
        assert!(of_inputs.iter().all(|w| *w > 0.0));
    }
    assert!(EiRnnConfig::new(3, 8).autapses && INormRnnConfig::new(3, 8).autapses);
}

/// A readout of the last state, trained to tell which of two inputs came first.
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
            .with_error_norm(GradNormMode::Lateral)
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

    /// Every parameter by its name.
    fn parameters(&self) -> Vec<(String, Vec<f64>)> {
        #[derive(Default)]
        struct All(Vec<String>, Vec<(String, Vec<f64>)>);
        impl ModuleVisitor for All {
            fn enter_module(&mut self, name: &str, _container_type: &str) {
                self.0.push(name.to_owned());
            }
            fn exit_module(&mut self, _name: &str, _container_type: &str) {
                self.0.pop();
            }
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                self.1.push((self.0.join("."), values(&param.val())));
            }
        }
        let mut all = All::default();
        self.visit(&mut all);
        all.1
    }
}

#[test]
fn training_keeps_dales_law_and_the_missing_connections() {
    for setup in setups() {
        let device = setup.device.clone().autodiff();
        for (name, mut optimizer, rate) in [
            ("sgd", SgdConfig::new().init(), 0.02),
            ("adam", AdamConfig::new().init(), 0.01),
        ] {
            let mut model = Model::new(&device, 3);
            let before = model.parameters();
            let rng = &mut rng(4);
            let like = &model.ei.cell.input.w_ex.val().inner();
            let cast = |tensor: Tensor<3>| tensor.cast(like.dtype());
            let x = cast(setup.positive(rng, [8, 6, 2])).autodiff();
            let target = cast(setup.positive(rng, [8, 6, 5])).autodiff();
            let mut losses = Vec::new();
            let mut was_negative = false;
            for _ in 0..60 {
                let (states, local) = model.forward(x.clone());
                let task = (states - target.clone()).square().mean();
                losses.push(values(&task)[0]);
                let loss = task + local * 0.1;
                let grads = GradientsParams::from_grads(loss.backward(), &model);
                model = optimizer.step(rate, model, grads);
                was_negative |= dale::check(&model).is_err();
                model = dale::project(model);
                dale::check(&model).unwrap();
            }
            // Not the last: a small q makes single steps jump.
            let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
            let at = setup.at((name, losses[0], best));
            assert!(was_negative, "{at}: nothing was ever projected");
            assert!(best < 0.8 * losses[0], "{at}");
            let (ei, i_norm) = (&model.ei.cell.recurrent, &model.i_norm.cell.i_norm);
            for weights in [ei.w_ex.val(), i_norm.w_ex.val()] {
                for (pre, row) in recurrent_ex(&weights).iter().enumerate() {
                    assert_eq!(row[pre], 0.0, "{at}");
                }
            }
            // States stay excitatory.
            let (states, last) = model.ei.forward(x.clone(), None);
            assert!(values(&states).iter().all(|h| *h >= 0.0), "{at}");
            assert!(EiState::try_new(last.into_hidden()).is_ok(), "{at}");
            for ((name, before), (_, after)) in before.iter().zip(model.parameters()) {
                let fixed = name.contains("lateral") || name == "i_norm.cell.i_norm.w_ei";
                let fixed = fixed || name == "i_norm.cell.i_norm.u_ei";
                assert_eq!(*before == after, fixed, "{at} {name}");
            }
        }
    }
}

#[test]
fn parameters_have_their_own_names() {
    let found = Model::new(&Device::flex(), 1).parameters();
    let found: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "ei.cell.input.w_ex",
        "ei.cell.input.w_ix",
        "ei.cell.input.w_ei",
        "ei.cell.input.bias",
        "ei.cell.recurrent.w_ex",
        "ei.cell.recurrent.w_ix",
        "ei.cell.recurrent.w_ei",
        "i_norm.cell.i_norm.w_ex",
        "i_norm.cell.i_norm.w_ix",
        "i_norm.cell.i_norm.w_ei",
        "i_norm.cell.i_norm.u_ix",
        "i_norm.cell.i_norm.u_ei",
        "i_norm.cell.i_norm.bias",
        "i_norm.cell.i_norm.grad_norm.lateral_weights",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_record_restores_a_model_to_the_bit() {
    for setup in setups() {
        let device = setup.device.clone().autodiff();
        let (source, other) = (Model::new(&device, 1), Model::new(&device, 2));
        assert_ne!(source.parameters(), other.parameters());
        let bytes = source.clone().into_record().into_bytes().unwrap();
        let loaded = other.load_record(ModuleRecord::from_bytes(bytes).unwrap());
        assert_eq!(source.parameters(), loaded.parameters());
        let like = source.ei.cell.input.w_ex.val().inner();
        let x = setup.positive(&mut rng(5), [2, 3, 2]).cast(like.dtype());
        let run = |model: &Model| model.forward(x.clone());
        let ((found, local), (expected, expected_local)) = (run(&loaded), run(&source));
        assert_same(&found.inner(), &expected.inner(), &setup.at("states"));
        assert_same(&local.inner(), &expected_local.inner(), &setup.at("local"));
        assert_autapses(&loaded.ei.cell.recurrent.w_ex.val(), false);
    }
}

#[test]
fn display_shows_sizes_and_options() {
    let device = Device::flex();
    let config = EiRnnConfig::new(7, 20).with_activation(NonNegativeActivation::Sigmoid);
    let rnn = config.with_batch_first(false).init(&device);
    let parts = [
        "d_input: 7",
        "d_hidden: 20",
        "inhibitory_input: 2",
        "inhibitory_recurrent: 2",
        "sigmoid",
        "bias: true",
    ];
    for (shown, own) in [
        (rnn.to_string(), "EiRnn"),
        (rnn.cell.to_string(), "EiRnnCell"),
    ] {
        for part in parts.iter().chain([&own]) {
            assert!(shown.contains(part), "{shown}");
        }
    }
    assert!(rnn.to_string().contains("batch_first: false"));
    let config = INormRnnConfig::new(7, 20).with_error_norm(GradNormMode::Center);
    let rnn = config.with_bias(false).init(&device);
    let parts = [
        "d_input: 7",
        "d_hidden: 20",
        "subtractive: 2",
        "divisive: 20",
        "center",
        "relu",
        "bias: false",
    ];
    for (shown, own) in [
        (rnn.to_string(), "INormRnn"),
        (rnn.cell.to_string(), "INormRnnCell"),
    ] {
        for part in parts.iter().chain([&own]) {
            assert!(shown.contains(part), "{shown}");
        }
    }
    assert!(rnn.to_string().contains("batch_first: true"));
}

#[test]
fn configurations_go_through_json() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    fn round_trip<C: Config>(config: &C, file: &std::path::Path) -> String {
        config.save(file).unwrap();
        let loaded = format!("{:?}", C::load(file).unwrap());
        assert_eq!(loaded, format!("{config:?}"));
        loaded
    }
    let ei = EiRnnConfig::new(17, 29)
        .with_inhibitory(Inhibitory::Count(3))
        .with_initializer(Initializer::Exponential)
        .with_activation(NonNegativeActivation::RectifiedTanh)
        .with_autapses(false)
        .with_batch_first(false);
    let shown = round_trip(&ei, &file);
    for part in [
        "Count(3)",
        "Exponential",
        "RectifiedTanh",
        "autapses: false",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    let i_norm = INormRnnConfig::new(17, 29)
        .with_divisive(false)
        .with_plasticity(Some(InhibitoryPlasticity::of_paper(true)))
        .with_autapses(false)
        .with_epsilon(1e-7);
    let shown = round_trip(&i_norm, &file);
    for part in ["divisive: false", "u_ix: true", "1e-7", "autapses: false"] {
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn wrong_configurations_name_the_value_and_what_is_allowed() {
    let device = Device::flex();
    let ei = |config: EiRnnConfig| {
        let error = config.try_init_with(&device, &mut rng(1)).unwrap_err();
        assert!(matches!(error, Error::Config { .. }));
        error.to_string()
    };
    let i_norm = |config: INormRnnConfig| {
        let error = config.try_init_with(&device, &mut rng(1)).unwrap_err();
        assert!(matches!(error, Error::Config { .. }));
        error.to_string()
    };
    let (new_ei, new_i_norm) = (EiRnnConfig::new, INormRnnConfig::new);
    for (d_input, d_hidden, expected) in [
        (0, 4, "d_input is 0; allowed: at least 1"),
        (3, 0, "d_hidden is 0; allowed: at least 1"),
        (3, 1, "d_hidden is 1; allowed: at least 2"),
    ] {
        assert_eq!(ei(new_ei(d_input, d_hidden)), expected);
        assert_eq!(i_norm(new_i_norm(d_input, d_hidden)), expected);
    }
    let expected = "initializer is Iclr; allowed: Lognormal or Exponential in a recurrent layer";
    let iclr = Initializer::Iclr;
    assert_eq!(ei(new_ei(3, 4).with_initializer(iclr)), expected);
    assert_eq!(i_norm(new_i_norm(3, 4).with_initializer(iclr)), expected);
    let expected = "the fraction of inhibitory units is 1.5; allowed: 0 to 1";
    let inhibitory = Inhibitory::Fraction(1.5);
    assert_eq!(ei(new_ei(3, 4).with_inhibitory(inhibitory)), expected);
    assert_eq!(
        i_norm(new_i_norm(3, 4).with_inhibitory(inhibitory)),
        expected
    );
    let none = new_i_norm(3, 4).with_inhibitory(Inhibitory::Count(0));
    let expected = "inhibitory is 0; allowed: at least 1 inhibitory unit";
    assert_eq!(i_norm(none), expected);
    let message = i_norm(new_i_norm(3, 4).with_epsilon(-1.0));
    assert!(message.starts_with("epsilon is -1; allowed:"), "{message}");

    let excitatory = new_ei(3, 4).with_inhibitory(Inhibitory::Count(0));
    let rnn = excitatory.init(&device);
    assert!(rnn.cell.input.w_ix.is_none() && rnn.cell.recurrent.w_ix.is_none());
}

#[test]
fn everything_public_is_send_and_sync() {
    fn check<T: Send + Sync + 'static>() {}
    check::<EiRnn>();
    check::<EiRnnCell>();
    check::<EiRnnConfig>();
    check::<EiState>();
    check::<INormRnn>();
    check::<INormRnnCell>();
    check::<INormRnnConfig>();
    check::<NonNegativeActivation>();
}
