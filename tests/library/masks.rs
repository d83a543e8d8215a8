//! Connectivity masks: a weight without a connection is 0, gets no error, and stays so under every operation.

use crate::common::circuits::{self, Divisive, EPSILON, ei, pass};
use crate::common::parameters::assert_same_pass;
use crate::common::reparameterization::attach;
use crate::common::{
    ChaCha8Rng, Setup, assert_close, assert_same, assert_tensor_close, leaf, quantized, rng,
    setups, uniform, values,
};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{
    AdamConfig, GradientsParams, ModuleOptimizer, SgdConfig, decay::WeightDecayConfig,
    momentum::MomentumConfig,
};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::activation::softplus;
use burn::tensor::{Bool, DType, Device, Int, Tensor, TensorData};
use ei_norm::dale::{self, Plasticity, Sign, Weight, mask};
use ei_norm::optim::{
    CorrectedSgdConfig, ExponentiatedAdamConfig, ExponentiatedSgdConfig, Projected, ProjectedSgd,
};
use ei_norm::{EiLinear, EiWeights, Error, GradNormMode, INormLinear, InhibitoryPlasticity};

const SHAPE: [usize; 2] = [6, 4];

fn tensor<const D: usize>(exists: &[bool], shape: [usize; D], device: &Device) -> Tensor<D, Bool> {
    Tensor::from_data(TensorData::new(exists.to_vec(), shape), device)
}

/// Half of the connections, in irregular order.
fn pattern(seed: u64, count: usize) -> Vec<bool> {
    let draws = uniform(&mut rng(seed), [count], 0.0, 1.0);
    draws.iter().map(|u| *u < 0.5).collect()
}

fn masked(setup: &Setup, mask: &[bool], value: &Tensor<2>) -> Weight<2> {
    Weight::new(
        value.clone().autodiff(),
        Sign::NonNegative,
        Plasticity::Plastic,
    )
    .with_mask(tensor(mask, value.dims(), &setup.device))
    .unwrap()
}

fn exists<const D: usize>(weight: &Weight<D>) -> Vec<bool> {
    weight
        .mask()
        .expect("a mask")
        .to_data()
        .iter::<bool>()
        .collect()
}

/// `values` with 0 where there is no connection.
fn cut(values: &[f64], mask: &[bool]) -> Vec<f64> {
    let pairs = values.iter().zip(mask);
    pairs.map(|(v, m)| if *m { *v } else { 0.0 }).collect()
}

/// Checks that the weight is 0 where there is no connection, and not 0 everywhere else.
#[track_caller]
fn assert_cut<const D: usize>(weight: &Weight<D>, mask: &[bool], at: &str) {
    assert_eq!(exists(weight), mask, "{at}: mask");
    let found = values(&weight.val());
    assert_eq!(found, cut(&found, mask), "{at}");
    assert!(found.iter().any(|v| *v != 0.0), "{at}: all 0");
}

#[test]
fn values_are_cut_and_the_rest_keeps_its_bits() {
    for setup in setups() {
        let rng = &mut rng(1);
        let value = setup.random(rng, SHAPE);
        let mask = pattern(2, 24);
        let weight = masked(&setup, &mask, &value);
        let expected = cut(&values(&value), &mask);
        assert_eq!(values(&weight.val()), expected, "{}", setup.at("val"));
        assert_eq!(exists(&weight), mask);
        assert_eq!(weight.val().dtype(), setup.dtype);
        assert!(weight.is_require_grad() && weight.val().is_tracked());

        // NaN times 0 would be NaN.
        let mut odd = values(&value);
        odd[..3].copy_from_slice(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
        let none = [vec![false; 3], vec![true; 21]].concat();
        let weight = masked(&setup, &none, &setup.tensor(odd.clone(), SHAPE));
        assert_eq!(values(&weight.val()), cut(&odd, &none));

        // Only the new mask counts; the weights cut by the old mask are lost.
        let mut weight = masked(&setup, &mask, &value);
        let id = weight.id;
        let other = pattern(3, 24);
        weight
            .set_mask(tensor(&other, SHAPE, &setup.device))
            .unwrap();
        assert_eq!(exists(&weight), other);
        assert_eq!(values(&weight.val()), cut(&expected, &other));
        assert_eq!(weight.id, id);
        weight.set(value.clone()).unwrap();
        assert_eq!(values(&weight.val()), cut(&values(&value), &other));
        assert_eq!(exists(&weight), other);
        let weight = weight.without_mask();
        assert!(weight.mask().is_none());
        assert_eq!(values(&weight.val()), cut(&values(&value), &other));
    }
}

#[test]
fn a_mask_of_another_shape_is_an_error() {
    let setup = &setups()[0];
    let value: Tensor<2> = setup.random(&mut rng(1), SHAPE);
    let mut weight = Weight::new(value.clone(), Sign::Free, Plasticity::Plastic);
    for shape in [[4, 6], [6, 3], [1, 4], [0, 4]] {
        let mask = tensor(&vec![true; shape[0] * shape[1]], shape, &setup.device);
        let error = weight.set_mask(mask.clone()).unwrap_err();
        let expected = Error::Shape {
            parameter: "weight",
            found: shape.to_vec(),
            expected: vec![6, 4],
        };
        assert_eq!(error, expected);
        assert_eq!(weight.clone().with_mask(mask).unwrap_err(), expected);
    }
    assert!(weight.mask().is_none());
    assert_same(&weight.val(), &value, "the weight after an error");
}

/// A layer with masks on W_ex, W_ix and W_ei.
fn layer(setup: &Setup, rng: &mut ChaCha8Rng, masks: &[Vec<bool>; 3]) -> EiLinear {
    let [d_in, n_i, d_out] = SIZES;
    let mut layer = EiLinear::from_weights(ei(setup, rng, [d_in, n_i, d_out])).unwrap();
    set_masks(&mut layer, masks);
    layer
}

fn set_masks(layer: &mut EiLinear, masks: &[Vec<bool>; 3]) {
    for (weight, mask) in weights(layer).into_iter().zip(masks) {
        let mask = tensor(mask, weight.dims(), &weight.device());
        weight.set_mask(mask).unwrap();
    }
}

fn weights(layer: &mut EiLinear) -> [&mut Weight<2>; 3] {
    let circuit = &mut layer.circuit;
    [
        &mut circuit.w_ex,
        circuit.w_ix.as_mut().unwrap(),
        circuit.w_ei.as_mut().unwrap(),
    ]
}

/// Inputs, inhibitory units, outputs.
const SIZES: [usize; 3] = [5, 3, 7];

fn masks() -> [Vec<bool>; 3] {
    [pattern(11, 35), pattern(12, 15), pattern(13, 21)]
}

#[test]
fn a_masked_layer_computes_and_learns_like_a_layer_whose_missing_weights_are_0() {
    let [d_in, _, d_out] = SIZES;
    // Few rows use the factors, many rows use the single matrix.
    for (setup, rows) in setups().iter().flat_map(|s| [(s, 3), (s, 200)]) {
        let rng = &mut rng(5);
        let masks = masks();
        let mut layer = layer(setup, rng, &masks);
        let [w_ex, w_ix, w_ei] = weights(&mut layer).map(|weight| weight.val());
        let unmasked = EiLinear::from_weights(EiWeights {
            w_ex,
            inhibition: Some((w_ix, w_ei)),
            bias: layer.bias.as_ref().map(|bias| bias.val()),
        });
        let unmasked = unmasked.unwrap();
        let x = setup.random(rng, [rows, d_in]);
        let upstream: Tensor<2> = setup.random(rng, [rows, d_out]);
        let pass = |layer: &EiLinear| {
            let forward = |x| (layer.forward(x), None);
            pass(layer, leaf(&x), |_| upstream.clone(), forward)
        };
        let (found, mut expected) = (pass(&layer), pass(&unmasked));
        for (name, mask) in ["w_ex", "w_ix", "w_ei"].into_iter().zip(&masks) {
            let of_weight = |(path, _): &&mut (String, Option<Vec<f64>>)| path == name;
            let (_, gradient) = expected.iter_mut().find(of_weight).unwrap();
            *gradient = gradient.take().map(|gradient| cut(&gradient, mask));
            // Exactly 0 where there is no connection.
            let (_, found) = found.iter().find(|(path, _)| path == name).unwrap();
            let found = found.as_ref().unwrap();
            assert_eq!(*found, cut(found, mask), "{name}");
        }
        assert_same_pass(&found, &expected, 10.0 * setup.tolerance, &setup.at(rows));
    }
}

#[test]
fn an_error_that_is_not_finite_reaches_no_absent_connection() {
    for setup in setups() {
        let mask = pattern(2, 24);
        let weight = masked(&setup, &mask, &setup.positive(&mut rng(1), SHAPE));
        let upstream: Tensor<2> = setup.tensor(vec![f64::NAN; 24], SHAPE);
        let grads = (weight.val() * upstream).sum().backward();
        let found = values(&weight.grad(&grads).unwrap());
        let expected = cut(&[f64::NAN; 24], &mask);
        let (found, expected) = (format!("{found:?}"), format!("{expected:?}"));
        assert_eq!(found, expected, "{}", setup.name);
    }
}

/// An optimizer for a layer.
pub type Optimizer = fn(&EiLinear) -> ModuleOptimizer;

/// Name, optimizer and learning rate.
pub const OPTIMIZERS: [(&str, Optimizer, f64); 9] = [
    ("sgd", |_| SgdConfig::new().init(), 0.05),
    (
        "momentum",
        |_| {
            let momentum = MomentumConfig::new().with_momentum(0.9);
            SgdConfig::new().with_momentum(Some(momentum)).init()
        },
        0.02,
    ),
    (
        "decay",
        |_| {
            let decay = WeightDecayConfig::new(0.1);
            SgdConfig::new().with_weight_decay(Some(decay)).init()
        },
        0.05,
    ),
    ("adam", |_| AdamConfig::new().init(), 0.02),
    ("projected", |_| ProjectedSgd.init(), 0.05),
    (
        "projected adam",
        |_| Projected::new(AdamConfig::new().build()).init(),
        0.02,
    ),
    (
        "corrected",
        |layer| CorrectedSgdConfig::new().try_init(layer).unwrap(),
        0.05,
    ),
    (
        "exponentiated",
        |_| ExponentiatedSgdConfig::new().init(),
        0.05,
    ),
    (
        "exponentiated adam",
        |_| ExponentiatedAdamConfig::new().init(),
        0.02,
    ),
];

#[test]
fn no_optimizer_revives_a_connection() {
    for setup in setups() {
        for (name, optimizer, rate) in OPTIMIZERS {
            let rng = &mut rng(6);
            let masks = masks();
            // The optimizer already has state for every connection before the masks are set.
            let all = [35, 15, 21].map(|count| vec![true; count]);
            let mut layer = layer(&setup, rng, &all);
            let mut optimizer = optimizer(&layer);
            let x = setup.positive(rng, [8, SIZES[0]]).autodiff();
            let target = setup.random(rng, [8, SIZES[2]]).autodiff();
            let mut losses = Vec::new();
            for step in 0..20 {
                let at = setup.at((name, step));
                if step == 4 {
                    set_masks(&mut layer, &masks);
                }
                let loss = (layer.forward(x.clone()) - target.clone()).square().mean();
                losses.push(values(&loss)[0]);
                let grads = GradientsParams::from_grads(loss.backward(), &layer);
                layer = optimizer.step(rate, layer, grads);
                if step >= 4 {
                    // Checked before the projection too.
                    for (i, weight) in weights(&mut layer).into_iter().enumerate() {
                        assert_cut(weight, &masks[i], &at);
                    }
                }
                layer = dale::project(layer);
                dale::check(&layer).unwrap();
            }
            let at = setup.at((name, &losses));
            assert!(losses[19] < losses[4], "{at}");
        }
    }
}

/// An operation on a weight.
type Event = (&'static str, fn(Weight<2>, &Device) -> Weight<2>);

/// Fills every float parameter with ones, as a mapper could.
struct Fill;

impl ModuleMapper for Fill {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| value.ones_like().set_require_grad(true))
    }
}

const EVENTS: [Event; 11] = [
    ("clone", |w, _| w.clone()),
    ("valid", |w, _| w.valid()),
    ("valid, train", |w, _| w.valid().train()),
    ("fork", |w, device| w.fork(device)),
    ("to_device", |w, device| w.to_device(device)),
    ("valid, to_device, train", |w, device| {
        w.valid().to_device(&device.clone().inner()).train()
    }),
    ("freeze, unfreeze", |w, _| w.freeze().unfreeze()),
    ("project", |w, _| dale::project(w)),
    ("materialize", |w, _| w.materialize()),
    ("filled", |w, _| w.map(&mut Fill)),
    ("plasticity", |w, _| {
        w.with_plasticity(Plasticity::Fixed)
            .with_plasticity(Plasticity::Plastic)
    }),
];

#[test]
fn whatever_happens_to_a_module_the_mask_holds() {
    for setup in setups() {
        let device = setup.device.clone().autodiff();
        let checkpointing = device.clone().gradient_checkpointing();
        for (device, (name, happen)) in [device, checkpointing]
            .iter()
            .flat_map(|d| EVENTS.map(|e| (d, e)))
        {
            let mask = pattern(2, 24);
            let value = setup.positive(&mut rng(1), SHAPE).into_data();
            let value = Tensor::<2>::from_data(value, (device, setup.dtype));
            let before = Weight::new(value, Sign::NonNegative, Plasticity::Plastic)
                .with_mask(tensor(&mask, SHAPE, device))
                .unwrap();
            let after = happen(before.clone(), device);
            let at = setup.at((name, device));
            assert_cut(&after, &mask, &at);
            assert_eq!(after.id, before.id, "{at}");
            if name != "filled" {
                assert_same(&after.val().inner(), &before.val().inner(), &at);
            }
            let trained = after.valid().train();
            let twice = trained.val() * 2.0;
            let grads = twice.sum().backward();
            let found = values(&trained.grad(&grads).unwrap());
            assert_eq!(found, cut(&[2.0; 24], &mask), "{at}");
        }
    }
}

#[derive(Module, Debug)]
struct Own {
    kernel: Weight<3>,
    fixed: Weight<1>,
    plain: Weight<1>,
}

fn own(setup: &Setup, seed: u64, masks: Option<u64>) -> Own {
    let rng = &mut rng(seed);
    let device = setup.device.clone().autodiff();
    let kernel = setup.positive(rng, [2, 3, 2]).autodiff();
    let fixed = setup.positive(rng, [8]).autodiff();
    let plain = setup.positive(rng, [4]).autodiff();
    let mut own = Own {
        kernel: Weight::new(kernel, Sign::NonNegative, Plasticity::Plastic),
        fixed: Weight::new(fixed, Sign::Free, Plasticity::Fixed),
        plain: Weight::new(plain, Sign::Free, Plasticity::Plastic),
    };
    if let Some(seed) = masks {
        let mask = tensor(&pattern(seed, 12), [2, 3, 2], &device);
        own.kernel.set_mask(mask).unwrap();
        let mask = tensor(&pattern(seed + 1, 8), [8], &device);
        own.fixed.set_mask(mask).unwrap();
    }
    own
}

#[derive(Default)]
struct Paths(Vec<String>, Vec<String>);

impl ModuleVisitor for Paths {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.0.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.0.pop();
    }

    fn visit_float<const D: usize>(&mut self, _param: &Param<Tensor<D>>) {
        self.1.push(self.0.join("."));
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        assert_eq!(param.val().dtype(), DType::I32);
        self.1.push(self.0.join("."));
    }
}

#[test]
fn a_mask_has_a_name_below_its_weight_and_is_no_weight() {
    for setup in setups() {
        let with = own(&setup, 1, Some(40));
        let mut paths = Paths::default();
        with.visit(&mut paths);
        assert!(paths.0.is_empty());
        let expected = ["kernel", "kernel.mask", "fixed", "fixed.mask", "plain"];
        assert_eq!(paths.1, expected);
        assert_eq!(with.num_params(), own(&setup, 1, None).num_params());
        assert_eq!(with.devices(), own(&setup, 1, None).devices());
        assert!(own(&setup, 1, None).kernel.mask().is_none());
    }
}

#[test]
fn a_record_restores_weights_and_mask() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.bpk");
    let setups = setups();
    for source_setup in &setups {
        for setup in setups.iter().filter(|s| s.dtype == source_setup.dtype) {
            let source = own(source_setup, 1, Some(40));
            source.clone().save_file(&file).unwrap();
            let bytes = source.clone().into_record().into_bytes().unwrap();
            let target = || own(setup, 2, Some(50));
            let loaded = [
                target().load_record(source.clone().into_record()),
                target().load_record(ModuleRecord::from_bytes(bytes).unwrap()),
                target().load_file(&file),
                target().valid().load_file(&file).train(),
            ];
            for (index, loaded) in loaded.iter().enumerate() {
                let at = setup.at((source_setup.name, index));
                assert_cut(&loaded.kernel, &pattern(40, 12), &at);
                assert_cut(&loaded.fixed, &pattern(41, 8), &at);
                let weights = |own: &Own| [values(&own.kernel.val()), values(&own.fixed.val())];
                assert_eq!(weights(loaded), weights(&source), "{at}");
                assert!(loaded.plain.mask().is_none(), "{at}");
                assert_eq!(loaded.kernel.id, source.kernel.id, "{at}");
                let grads = (loaded.kernel.val() * 3.0).sum().backward();
                let found = values(&loaded.kernel.grad(&grads).unwrap());
                assert_eq!(found, cut(&[3.0; 12], &pattern(40, 12)), "{at}");
            }
        }
    }
}

#[test]
fn masked_and_unmasked_records_do_not_mix_unasked() {
    for setup in setups() {
        let (with, without) = (own(&setup, 1, Some(40)), own(&setup, 2, None));
        let refused =
            |target: &Own, record: ModuleRecord| match target.clone().try_load_record(record) {
                Err(RecordError::Validation(message)) => message,
                other => panic!("{other:?}"),
            };
        let message = refused(&with, without.clone().into_record());
        assert!(
            message.contains("Missing") && message.contains("kernel.mask"),
            "{message}"
        );
        let message = refused(&without, with.clone().into_record());
        assert!(
            message.contains("Unused") && message.contains("kernel.mask"),
            "{message}"
        );

        // With the option, unmasked weights are cut to the mask of the other layer.
        let record = without.clone().into_record().allow_partial(true);
        let loaded = with.clone().try_load_record(record).unwrap();
        assert_cut(&loaded.kernel, &pattern(40, 12), &setup.at("partial"));
        let expected = cut(&values(&without.kernel.val()), &pattern(40, 12));
        assert_eq!(values(&loaded.kernel.val()), expected);
        let record = with.clone().into_record().allow_unused(true);
        let loaded = without.try_load_record(record).unwrap();
        assert!(loaded.kernel.mask().is_none());
        assert_eq!(values(&loaded.kernel.val()), values(&with.kernel.val()));
    }
}

#[test]
fn a_reparameterized_weight_is_cut_in_its_value() {
    for setup in setups() {
        let mask = pattern(2, 24);
        let before = masked(&setup, &mask, &setup.random(&mut rng(1), SHAPE));
        let before = before.apply_reparameterization(attach("", 0.0));
        let base = before.base();
        let expected = cut(&values(&softplus(base.clone().inner(), 1.0)), &mask);
        for (at, weight) in [
            ("attached", before.clone()),
            ("projected", dale::project(before.clone())),
            ("masked after", {
                let mut weight = before.clone();
                weight
                    .set_mask(tensor(&mask, SHAPE, &setup.device))
                    .unwrap();
                weight
            }),
        ] {
            let at = setup.at(at);
            assert_same(&weight.base(), &base, &at);
            let found = values(&weight.val());
            assert_close(&found, &expected, setup.tolerance, &at);
            assert_eq!(found, cut(&found, &mask), "{at}");
            let grads = weight.val().sum().backward();
            let found = values(&weight.base().grad(&grads).unwrap());
            assert_eq!(found, cut(&found, &mask), "{at}");
        }
        let merged = before.clone().materialize();
        assert_cut(&merged, &mask, &setup.at("materialized"));

        // Zeros here and the same positive number elsewhere are not uniform.
        let uniform: Tensor<2> = setup.tensor(vec![0.5; 24], SHAPE);
        let fixed = masked(&setup, &mask, &uniform).with_plasticity(Plasticity::Fixed);
        assert_eq!(fixed.uniform_value(), None);
        assert_eq!(
            fixed
                .apply_reparameterization(attach("", 0.0))
                .uniform_value(),
            None
        );
    }
}

#[test]
fn a_mask_ends_and_keeps_uniformity() {
    for setup in setups() {
        let value = setup.tensor(vec![0.25; 24], SHAPE).autodiff();
        let fixed = || Weight::new(value.clone(), Sign::NonNegative, Plasticity::Fixed);
        let mut weight = fixed();
        assert_eq!(weight.uniform_value(), Some(0.25));
        let all = tensor(&[true; 24], SHAPE, &setup.device);
        weight.set_mask(all.clone()).unwrap();
        assert_eq!(weight.uniform_value(), Some(0.25));
        weight
            .set_mask(tensor(&pattern(2, 24), SHAPE, &setup.device))
            .unwrap();
        assert_eq!(weight.uniform_value(), None);
        assert!(!weight.val().is_tracked());
        weight.set_mask(all.bool_not()).unwrap();
        assert_eq!(weight.uniform_value(), Some(0.0));
    }
}

/// I-Norm with the same number everywhere in U_ei, masked.
fn i_norm(setup: &Setup, mask: &[bool]) -> INormLinear {
    let (of_paper, mode) = (InhibitoryPlasticity::of_paper(true), GradNormMode::Lateral);
    let rng = &mut rng(9);
    let weights = circuits::i_norm(setup, rng, [5, 4], Divisive::Uniform, of_paper, mode);
    let mut layer = INormLinear::from_weights(weights).unwrap();
    let u_ei = layer.u_ei.as_mut().unwrap();
    let mask = tensor(mask, u_ei.dims(), &setup.device);
    u_ei.set_mask(mask).unwrap();
    layer
}

#[test]
fn i_norm_divides_by_what_is_connected() {
    for setup in setups() {
        let mask = pattern(3, 12);
        let layer = i_norm(&setup, &mask);
        let x = setup.positive(&mut rng(10), [3, 5]);
        let u_ix = layer.u_ix.as_ref().unwrap().val().inner();
        let whole = layer.u_ei.as_ref().unwrap().val().inner().full_like(0.4);
        let u_ei = setup.tensor(cut(&values(&whole), &mask), whole.dims());
        let power = x.clone().matmul(u_ix).square().matmul(u_ei);
        let expected = (power + EPSILON).sqrt();
        let found = layer.currents(x.clone()).divisive.unwrap().inner();
        let tolerance = 10.0 * setup.tolerance;
        assert_tensor_close(&found, &expected, tolerance, &setup.at("q"));
        let expected = layer.output(&layer.currents(x.clone()));
        let z = layer.forward(x.clone());
        assert_tensor_close(&z, &expected, tolerance, &setup.at("z"));

        // Learning from the local loss does not change it.
        let mut layer = i_norm(&setup, &mask);
        let learns = InhibitoryPlasticity::of_paper(true);
        assert!(learns.u_ix && !learns.u_ei);
        let u_ei = layer.u_ei.take().unwrap();
        layer.u_ei = Some(u_ei.with_plasticity(Plasticity::Plastic));
        let mut optimizer = SgdConfig::new().init();
        let before = values(&layer.u_ei.as_ref().unwrap().val());
        for _ in 0..3 {
            let (_, local) = layer.forward_with_local_loss(x.clone());
            let grads = GradientsParams::from_grads(local.backward(), &layer);
            layer = dale::project(optimizer.step(0.1, layer, grads));
        }
        let u_ei = layer.u_ei.as_ref().unwrap();
        assert_cut(u_ei, &mask, &setup.at("u_ei"));
        assert_ne!(values(&u_ei.val()), before);
    }
}

#[test]
fn no_autapses_is_all_but_the_diagonal() {
    let device = Device::flex();
    let found = mask::no_autapses(3, &device).into_data();
    let expected = [
        [false, true, true],
        [true, false, true],
        [true, true, false],
    ];
    assert_eq!(found, TensorData::from(expected));
    assert_eq!(
        mask::no_autapses(1, &device).into_data(),
        TensorData::from([[false]])
    );
}

#[test]
fn a_random_mask_has_its_density() {
    let device = Device::flex();
    let share = |density: f64, seed| {
        let mask = mask::random([100, 4, 50], density, &device, &mut rng(seed)).unwrap();
        assert_eq!(mask.dims(), [100, 4, 50]);
        mask.int().sum().into_scalar::<i64>() as f64 / 20_000.0
    };
    assert_eq!(share(0.0, 1), 0.0);
    assert_eq!(share(1.0, 1), 1.0);
    for (density, seed) in [(0.1, 1), (0.5, 2), (0.83, 3)] {
        let deviation = (density * (1.0 - density) / 20_000.0_f64).sqrt();
        assert!((share(density, seed) - density).abs() < 4.0 * deviation);
    }
    let draw = |seed| {
        mask::random([9, 9], 0.5, &device, &mut rng(seed))
            .unwrap()
            .into_data()
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
    for density in [-0.1, 1.1, f64::NAN] {
        let error = mask::random([2], density, &device, &mut rng(1)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("density is {density}; allowed: 0 to 1")
        );
    }
}

#[test]
fn a_masked_weight_can_be_quantized() {
    let setup = &setups()[0];
    let masks = masks();
    let layer = layer(setup, &mut rng(4), &masks).valid();
    let x = setup.positive(&mut rng(5), [3, SIZES[0]]);
    let expected = values(&layer.forward(x.clone()));
    let quantized = quantized(layer);
    assert_close(&values(&quantized.forward(x)), &expected, 0.05, "output");
    let w_ex = values(&quantized.w_ex.val());
    let absent = w_ex.iter().zip(&masks[0]).filter(|(_, exists)| !**exists);
    assert!(absent.into_iter().all(|(w, _)| *w == 0.0), "{w_ex:?}");
    dale::check(&quantized).unwrap();
}
