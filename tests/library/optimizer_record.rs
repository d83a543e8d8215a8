//! Records of optimizers are loaded only with the right model.

use crate::common::circuits::ei;
use crate::common::parameters::bits;
use crate::common::{Setup, rng, setups};
use burn::module::{Module, Param};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Bytes, Tensor};
use ei_norm::dale::{self, NonNegative};
use ei_norm::optim::{
    CheckedRecord, CorrectedSgdConfig, ExponentiatedAdamConfig, ExponentiatedSgdConfig,
};
use ei_norm::{EiLinear, EiLinearConfig};

#[derive(Module, Debug)]
struct Model {
    first: EiLinear,
    scale: Option<Param<Tensor<1>>>,
}

fn model(setup: &Setup, seed: u64) -> Model {
    let weights = ei(setup, &mut rng(seed), [6, 2, 4]);
    Model {
        first: EiLinear::from_weights(weights).unwrap(),
        scale: None,
    }
}

fn step(setup: &Setup, model: Model, optimizer: &mut ModuleOptimizer, seed: u64) -> Model {
    let x = setup.positive(&mut rng(seed), [5, 6]).autodiff();
    let upstream = setup.random(&mut rng(seed + 100), [5, 4]).autodiff();
    let grads = (model.first.forward(x) * upstream).sum().backward();
    let grads = GradientsParams::from_grads(grads, &model);
    optimizer.step(0.01, model, grads)
}

fn momentum() -> Option<MomentumConfig> {
    Some(MomentumConfig::new())
}

fn trained(setup: &Setup, optimizer: &mut ModuleOptimizer) -> Model {
    (0..3).fold(model(setup, 1), |model, seed| {
        step(setup, model, optimizer, seed)
    })
}

/// A name, and the function that makes the optimizer.
type Make = (&'static str, fn() -> ModuleOptimizer);

#[test]
fn training_goes_on_to_the_bit() {
    let optimizers: [Make; 4] = [
        ("plain", || ExponentiatedSgdConfig::new().init()),
        ("sgd", || {
            ExponentiatedSgdConfig::new()
                .with_momentum(momentum())
                .init()
        }),
        ("adam", || ExponentiatedAdamConfig::new().init()),
        ("descent", || SgdConfig::new().init()),
    ];
    for setup in setups() {
        for (name, new) in optimizers {
            for reparameterized in [false, true] {
                let at = setup.at((name, reparameterized));
                let fresh = |seed| match reparameterized {
                    true => {
                        let model = model(&setup, seed);
                        let first = dale::reparameterize(model.first, NonNegative::Softplus);
                        Model { first, ..model }
                    }
                    false => model(&setup, seed),
                };
                let mut optimizer = new();
                let mut expected = (0..3).fold(fresh(1), |m, s| step(&setup, m, &mut optimizer, s));
                let record = CheckedRecord::of(&optimizer, &expected);
                let bytes = record.into_bytes().unwrap();
                let weights = expected.clone().into_record();

                let mut found = fresh(2).load_record(weights);
                let mut loaded = new();
                let record = CheckedRecord::from_bytes(bytes).unwrap();
                record.load_into(&mut loaded, &found).unwrap();
                for seed in 10..13 {
                    expected = step(&setup, expected, &mut optimizer, seed);
                    found = step(&setup, found, &mut loaded, seed);
                    assert_eq!(bits(&found), bits(&expected), "{at}");
                }
            }
        }
    }
}

#[test]
fn another_model_is_refused_and_nothing_is_loaded() {
    let setup = &setups()[0];
    let new = || AdamConfig::new().init();
    let mut optimizer = new();
    let original = trained(setup, &mut optimizer);
    let load = |model: &Model| {
        let record = CheckedRecord::of(&optimizer, &original);
        let mut loaded = new();
        let error = record.load_into(&mut loaded, model).unwrap_err();
        assert!(loaded.to_record().is_empty(), "something was loaded");
        error.to_string()
    };
    let with = |change: fn(&mut Model, &Setup)| {
        let mut model = original.clone();
        change(&mut model, setup);
        model
    };
    let missing = with(|model, setup| {
        model.scale = Some(Param::from_tensor(setup.tensor(vec![1.0], [1]).autodiff()));
    });
    let extra = with(|model, _| model.first.bias = None);
    let misshapen = with(|model, setup| {
        let device = setup.device.clone().autodiff();
        model.first.w_ix = EiLinearConfig::new(6, 4).init(&device).w_ix.clone();
    });
    for (model, expected) in [
        (missing, "`scale` is missing"),
        (extra, "the model has no `first.bias`"),
        (misshapen, "`first.w_ix` has shape [6, 2] in it, and [6, 1]"),
        (model(setup, 1), "`first.w_ex` has another identity"),
    ] {
        let error = load(&model);
        assert!(error.contains(expected), "{error}");
    }
    // The correct case: the same model.
    let mut loaded = new();
    CheckedRecord::of(&optimizer, &original)
        .load_into(&mut loaded, &original)
        .unwrap();
    assert_eq!(loaded.to_record().len(), optimizer.to_record().len());
}

#[test]
fn the_state_of_another_optimizer_is_refused() {
    let setup = &setups()[0];
    let optimizers: [fn() -> ModuleOptimizer; 4] = [
        || AdamConfig::new().init(),
        || ExponentiatedAdamConfig::new().init(),
        || {
            ExponentiatedSgdConfig::new()
                .with_momentum(momentum())
                .init()
        },
        || SgdConfig::new().with_momentum(momentum()).init(),
    ];
    for (i, writer) in optimizers.iter().enumerate() {
        let mut writer = writer();
        let model = trained(setup, &mut writer);
        for (j, reader) in optimizers.iter().enumerate().filter(|(j, _)| *j != i) {
            let mut reader = reader();
            let record = CheckedRecord::of(&writer, &model);
            let error = record
                .load_into(&mut reader, &model)
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("another kind of optimizer"),
                "{i} {j}: {error}"
            );
            assert!(reader.to_record().is_empty());
        }
    }
    // A record without state can be loaded into another optimizer without state.
    let mut writer = CorrectedSgdConfig::new()
        .try_init(&model(setup, 1))
        .unwrap();
    let model = trained(setup, &mut writer);
    let record = CheckedRecord::of(&writer, &model);
    record
        .load_into(&mut SgdConfig::new().init(), &model)
        .unwrap();
}

#[test]
fn damaged_bytes_are_an_error() {
    let setup = &setups()[0];
    let mut optimizer = ExponentiatedAdamConfig::new().init();
    let model = trained(setup, &mut optimizer);
    let bytes = CheckedRecord::of(&optimizer, &model).into_bytes().unwrap();
    let read = |bytes: Vec<u8>| CheckedRecord::from_bytes(Bytes::from_bytes_vec(bytes));
    assert!(read(bytes.to_vec()).is_ok());
    let head = bytes.iter().position(|b| *b == b'\n').unwrap();
    for length in (0..bytes.len()).step_by(7).chain(0..200) {
        assert!(read(bytes[..length].to_vec()).is_err(), "{length} bytes");
    }
    let mut other = bytes.to_vec();
    for place in 0..other.len() {
        let flipped = 1 << (place % 8);
        other[place] ^= flipped;
        assert!(read(other.clone()).is_err(), "byte {place}");
        other[place] ^= flipped;
    }
    other.splice(head + 1..head + 2, *b"99999999999999999999");
    assert!(read(other).is_err());
    let longer = [&bytes[..], &[0; 10]].concat();
    assert!(read(longer).is_err());
    let burns = optimizer.into_bytes().unwrap();
    assert!(read(burns.to_vec()).is_err());
    let weights = model.into_record().into_bytes().unwrap();
    assert!(read(weights.to_vec()).is_err());
}
