//! The layers as modules in a user's model: records, files, display, parameters, threads, configurations.

use crate::common::parameters::paths;
use crate::common::{assert_same, leaf, rng, setups, values};
use burn::config::Config;
use burn::module::Module;
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use ei_norm::circuit::{Ei, NormalizedOver};
use ei_norm::dale::{Plasticity, Sign, Weight, mask};
use ei_norm::functional::{BackwardRule, Normalization};
use ei_norm::grad::{GradNoise, GradProbe, GradSentinel};
use ei_norm::layer::Padded;
use ei_norm::metric::{Alignment, Moments};
use ei_norm::{
    ColumnEiRnn, Currents, EiInitializer, EiLinear, EiLinearConfig, EiRnn, EiRnnConfig, EiWeights,
    Error, GradNorm, GradNormConfig, GradNormMode, INormConv2dConfig, INormLinear,
    INormLinearConfig, INormRnn, INormRnnConfig, INormWeights, Inhibitory, InhibitoryPlasticity,
    NonNegativeActivation, RnnState, ShuntingRnn,
};

#[derive(Module, Debug)]
struct Model {
    hidden: Vec<INormLinear>,
    norm: GradNorm,
    readout: EiLinear,
}

impl Model {
    fn new(d_input: usize, device: &Device, seed: u64) -> Self {
        let rng = &mut rng(seed);
        let first = INormLinearConfig::new(d_input, 6).with_grad_norm(GradNormMode::Lateral);
        let second = INormLinearConfig::new(6, 5).with_divisive(false);
        let norm = GradNormConfig::new(5).with_mode(GradNormMode::Lateral);
        Self {
            hidden: vec![
                first.try_init_with(device, rng).unwrap(),
                second.try_init_with(device, rng).unwrap(),
            ],
            norm: norm.try_init_with(device, rng).unwrap(),
            readout: EiLinearConfig::new(5, 3)
                .try_init_with(device, rng)
                .unwrap(),
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = self
            .hidden
            .iter()
            .fold(x, |x, layer| relu(layer.forward(x)));
        self.readout.forward(self.norm.forward(x))
    }
}

/// The output of a model and the error at its input.
fn pass(model: &Model, d_input: usize) -> [Tensor<2>; 2] {
    let device = model.readout.w_ex.device().inner();
    let setup = setups().into_iter().find(|setup| setup.device == device);
    let setup = setup.unwrap();
    let x = leaf(&setup.positive(&mut rng(7), [4, d_input]));
    let out = model.forward(x.clone());
    let upstream = setup.random(&mut rng(8), [4, 3]);
    let grads = (out.clone() * upstream).sum().backward();
    [out.inner(), x.grad(&grads).unwrap()]
}

#[track_caller]
fn assert_same_model(found: &Model, expected: &Model) {
    let (found, expected) = (pass(found, 4), pass(expected, 4));
    assert_same(&found[0], &expected[0], "output");
    assert_same(&found[1], &expected[1], "error");
}

#[test]
fn a_record_and_a_file_restore_a_model_to_the_bit_on_every_backend() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.bpk");
    let devices = setups().into_iter().map(|setup| setup.device.autodiff());
    let devices: Vec<Device> = devices.collect();
    for (device, other) in devices
        .iter()
        .flat_map(|d| devices.iter().map(move |o| (d, o)))
    {
        let [expected, source] = [device, other].map(|device| Model::new(4, device, 1));
        let target = || Model::new(4, device, 2);
        let output = |model: &Model| values(&pass(model, 4)[0]);
        assert_ne!(output(&target()), output(&expected));
        source.clone().save_file(&file).unwrap();
        let bytes = source.clone().into_record().into_bytes().unwrap();
        for loaded in [
            target().load_record(source.clone().into_record()),
            target().load_record(ModuleRecord::from_bytes(bytes).unwrap()),
            target().try_load_file(&file).unwrap(),
            // Loaded into a model for inference, then converted back for training.
            target().valid().load_file(&file).train(),
        ] {
            assert_same_model(&loaded, &expected);
        }
    }
}

#[test]
fn a_record_of_another_shape_is_an_error() {
    let device = Device::flex().autodiff();
    let wide = Model::new(9, &device, 1).into_record();
    let result = Model::new(4, &device, 2).try_load_record(wide);
    let Err(RecordError::Validation(message)) = result else {
        panic!("the record fits another model")
    };
    assert!(message.contains("hidden.0.w_ex"), "{message}");

    let record = EiLinearConfig::new(4, 3).init(&device).into_record();
    let wider = EiLinearConfig::new(4, 5).init(&device);
    assert!(wider.try_load_record(record.clone()).is_err());
    // Without inhibition there is no place for the weights of the inhibitory units.
    let excitatory = EiLinearConfig::new(4, 3).with_inhibitory(Inhibitory::Count(0));
    assert!(excitatory.init(&device).try_load_record(record).is_err());
    let record = INormLinearConfig::new(4, 3)
        .with_divisive(false)
        .init(&device)
        .into_record();
    let divisive = INormLinearConfig::new(4, 3).init(&device);
    assert!(divisive.try_load_record(record).is_err());
}

#[test]
fn a_damaged_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.bpk");
    let device = Device::flex();
    let load = || EiLinearConfig::new(4, 3).init(&device).try_load_file(&file);
    assert!(load().is_err());
    EiLinearConfig::new(4, 3)
        .init(&device)
        .save_file(&file)
        .unwrap();
    assert!(load().is_ok());
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    assert!(load().is_err());
}

#[test]
fn parameters_have_their_own_names() {
    let model = Model::new(4, &Device::flex(), 1);
    let expected = [
        "hidden.0.w_ex",
        "hidden.0.w_ix",
        "hidden.0.w_ei",
        "hidden.0.u_ix",
        "hidden.0.u_ei",
        "hidden.0.bias",
        "hidden.0.grad_norm.lateral_weights",
        "hidden.1.w_ex",
        "hidden.1.w_ix",
        "hidden.1.w_ei",
        "hidden.1.bias",
        "norm.lateral_weights",
        "readout.w_ex",
        "readout.w_ix",
        "readout.w_ei",
        "readout.bias",
    ];
    assert_eq!(paths(&model), expected);
    assert_eq!(model.clone().into_record().len(), expected.len());
    let first = 24 + 4 + 6 + 24 + 36 + 6 + 6;
    let second = 30 + 6 + 5 + 5;
    assert_eq!(model.num_params(), first + second + 5 + (15 + 5 + 3 + 3));
    assert_eq!(model.devices(), [Device::flex()]);
}

/// A module of a user's own with a weight.
#[derive(Module, Debug)]
struct Own {
    w: Weight<2>,
}

impl Own {
    fn new(device: &Device) -> Self {
        let value = Tensor::ones([2, 2], device);
        let mut w = Weight::new(value, Sign::NonNegative, Plasticity::Fixed);
        w.set_mask(mask::no_autapses(2, device)).unwrap();
        Self { w }
    }
}

#[test]
fn display_shows_sizes_and_options() {
    let device = Device::flex();
    let ei = EiLinearConfig::new(17, 29).with_inhibitory(Inhibitory::Count(3));
    let i_norm = INormLinearConfig::new(17, 29).with_inhibitory(Inhibitory::Count(3));
    let i_norm = i_norm.with_grad_norm(GradNormMode::Center);
    let norm = GradNormConfig::new(13).with_epsilon(0.5);
    let ei_rnn = EiRnnConfig::new(7, 20)
        .with_activation(NonNegativeActivation::Sigmoid)
        .with_batch_first(false);
    let i_norm_rnn = INormRnnConfig::new(7, 20).with_grad_norm(GradNormMode::Center);
    // The parts of each line.
    for (shown, lines) in [
        (
            ei.with_bias(false).init(&device).to_string(),
            "EiLinear; d_input: 17; d_output: 29; inhibitory: 3; bias: false; params: 631",
        ),
        (
            i_norm.init(&device).to_string(),
            "INormLinear; d_input: 17; d_output: 29; subtractive: 3; divisive: 29; center; \
             epsilon: 0.00001; bias: true",
        ),
        (
            norm.init(&device).to_string(),
            "GradNorm; features: 13; full; epsilon: 0.5",
        ),
        (
            Model::new(4, &device, 1).to_string(),
            "INormLinear / GradNorm / EiLinear",
        ),
        (
            ei_rnn.init(&device).to_string(),
            "EiRnn; d_input: 7; d_hidden: 20; inhibitory: 4; sigmoid; bias: true; batch_first: false; \
             masked: w_ix",
        ),
        (
            i_norm_rnn.with_bias(false).init(&device).to_string(),
            "INormRnn; d_input: 7; d_hidden: 20; subtractive: 2; divisive: 20; center; relu; \
             bias: false; batch_first: true",
        ),
        (
            INormConv2dConfig::new([2, 5], [3, 3])
                .with_over(NormalizedOver::Example)
                .init(&device)
                .to_string(),
            "INormConv2d; over: example",
        ),
        (
            Own::new(&device).to_string(),
            "Own / w: Weight {shape: [2, 2], non-negative, fixed, masked}",
        ),
    ] {
        for parts in lines.split(" / ") {
            let has = |line: &str| parts.split("; ").all(|part| line.contains(part));
            assert!(shown.lines().any(has), "{parts}: {shown}");
        }
    }
}

#[test]
fn configurations_go_through_json() {
    fn round_trip<C: Config>(config: C) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.json");
        config.save(&file).unwrap();
        let loaded = format!("{:?}", C::load(&file).unwrap());
        assert_eq!(loaded, format!("{config:?}"));
        loaded
    }
    let of_paper = Some(InhibitoryPlasticity::of_paper(true));
    let ei = EiLinearConfig::new(17, 29)
        .with_inhibitory(Inhibitory::Count(3))
        .with_bias(false)
        .with_initializer(EiInitializer::Iclr);
    let i_norm = INormLinearConfig::new(17, 29)
        .with_inhibitory(Inhibitory::Fraction(0.3))
        .with_divisive(false)
        .with_grad_norm(GradNormMode::Decorrelate)
        .with_plasticity(of_paper)
        .with_epsilon(1e-7);
    let norm = GradNormConfig::new(13)
        .with_mode(GradNormMode::Lateral)
        .with_epsilon(0.125);
    let ei_rnn = EiRnnConfig::new(17, 29)
        .with_inhibitory(Inhibitory::Count(3))
        .with_initializer(EiInitializer::Exponential)
        .with_activation(NonNegativeActivation::RectifiedTanh)
        .with_autapses(false)
        .with_batch_first(false);
    let i_norm_rnn = INormRnnConfig::new(17, 29)
        .with_divisive(false)
        .with_plasticity(of_paper)
        .with_autapses(false)
        .with_epsilon(1e-7);
    for (shown, parts) in [
        (round_trip(ei), "Count(3); Iclr"),
        (
            round_trip(i_norm),
            "Fraction(0.3); Decorrelate; 1e-7; u_ix: true; divisive: false",
        ),
        (round_trip(norm), "Lateral; 0.125"),
        (
            round_trip(ei_rnn),
            "Count(3); Exponential; RectifiedTanh; autapses: false",
        ),
        (
            round_trip(i_norm_rnn),
            "divisive: false; u_ix: true; 1e-7; autapses: false",
        ),
    ] {
        for part in parts.split("; ") {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
}

#[test]
fn everything_public_is_send_and_sync() {
    fn check<T: Send + Sync + 'static>() {}
    check::<EiLinear>();
    check::<EiLinearConfig>();
    check::<EiWeights>();
    check::<INormLinear>();
    check::<INormLinearConfig>();
    check::<INormWeights>();
    check::<Currents<2>>();
    check::<InhibitoryPlasticity>();
    check::<GradNorm>();
    check::<GradNormConfig>();
    check::<GradNormMode>();
    check::<Weight<2>>();
    check::<Sign>();
    check::<Plasticity>();
    check::<Inhibitory>();
    check::<EiInitializer>();
    check::<Normalization>();
    check::<BackwardRule>();
    check::<Moments>();
    check::<Alignment>();
    check::<Error>();
    check::<EiRnn>();
    check::<EiRnnConfig>();
    check::<INormRnn>();
    check::<INormRnnConfig>();
    check::<ShuntingRnn>();
    check::<ColumnEiRnn>();
    check::<RnnState>();
    check::<Padded<'static, Ei>>();
    check::<NonNegativeActivation>();
    check::<GradProbe<2>>();
    check::<GradSentinel>();
    check::<GradNoise>();
}
