//! Burn's operations on modules, with every layer, with the other modules of the library and with Burn's
//! `Linear`: the same output and gradients, and a step to the same values of the same parameters.

use std::collections::BTreeMap;

use burn::module::{Lora, Module, ModuleDisplay, ModuleMapper, Param, ParamGroup, ParamId};
use burn::nn::Linear;
use burn::optim::{GradientsParams, SgdConfig};
use burn::store::ModuleRecord;
use burn::tensor::{DType, Device, Tensor, TensorData};
use ei_norm::circuit::{self, NormalizedOver, Population};
use ei_norm::dale::{Plasticity, Sign, Weight, mask};
use ei_norm::prelude::*;
use ei_norm::{LearnedLateral, LearnedLateralConfig};
use rand_chacha::ChaCha8Rng;

use crate::common::{Cast, parameters, quantized, rng, uniform};

fn device() -> Device {
    Device::flex().autodiff()
}

/// A module and the means to train it.
struct Subject<M> {
    name: &'static str,
    /// Whether an initialized module continues to learn after `to_device`. Burn's parameters do not.
    learns_after_a_move: bool,
    make: fn(u64) -> M,
    /// The loss of a fixed batch.
    loss: fn(&M, DType) -> Tensor<1>,
    /// What is done after the step of an optimizer.
    finish: fn(M) -> M,
}

fn subject<M: Send + Sync + 'static>(
    name: &'static str,
    make: fn(u64) -> M,
    loss: fn(&M, DType) -> Tensor<1>,
) -> Subject<M> {
    Subject {
        name,
        learns_after_a_move: true,
        make,
        loss,
        finish: |module| module,
    }
}

/// A batch of positive values.
fn batch<const D: usize>(shape: [usize; D], dtype: DType) -> Tensor<D> {
    let values = uniform(&mut rng(7), shape, 0.1, 1.0);
    Tensor::from_data(TensorData::new(values, shape), (&device(), dtype))
}

/// Σ z · u with a fixed u.
fn weighed<const D: usize>(z: Tensor<D>) -> Tensor<1> {
    let u = uniform(&mut rng(8), z.dims(), -1.0, 1.0);
    let u: Tensor<D> = Tensor::from_data(TensorData::new(u, z.dims()), (&device(), z.dtype()));
    match z.is_autodiff() {
        true => (z * u).sum(),
        false => (z * u.inner()).sum(),
    }
}

/// The same with the local loss.
fn both<const D: usize>((z, local): (Tensor<D>, Tensor<1>)) -> Tensor<1> {
    weighed(z) + local.sum()
}

/// The values of every parameter, and its identity.
fn parameters<M: Module>(module: &M) -> BTreeMap<String, (ParamId, Vec<f64>)> {
    let all = parameters::stored(module, None).into_iter();
    all.map(|found| (found.path, (found.id, found.values)))
        .collect()
}

/// The result of a training step.
#[derive(Debug, PartialEq)]
struct Step {
    loss: f64,
    with_gradient: usize,
    changed: Vec<String>,
    /// The values of every parameter after the step.
    after: Vec<Vec<f64>>,
}

impl<M: Module + ModuleDisplay> Subject<M> {
    fn step(&self, module: M) -> (Step, M) {
        let loss = (self.loss)(&module, DType::F32);
        let value = loss.clone().into_scalar::<f64>();
        let before = parameters(&module);
        let grads = match loss.is_tracked() {
            true => GradientsParams::from_grads(loss.backward(), &module),
            false => GradientsParams::new(),
        };
        let with_gradient = grads.len();
        let after = SgdConfig::new().init().step(0.01, module, grads);
        let now = parameters(&after);
        let changed = before.iter().filter(|(path, (_, v))| now[*path].1 != *v);
        let changed = changed.map(|(path, _)| path.clone()).collect();
        let after = (self.finish)(after);
        let values = parameters(&after).into_values();
        let step = Step {
            loss: value,
            with_gradient,
            changed,
            after: values.map(|(_, values)| values).collect(),
        };
        (step, after)
    }

    /// Checks that a changed module behaves like a new one.
    #[track_caller]
    fn assert_as_fresh(&self, what: &str, changed: impl FnOnce(M) -> M) {
        let (expected, _) = self.step((self.make)(1));
        assert!(!expected.changed.is_empty(), "{} does not learn", self.name);
        let (found, _) = self.step(changed((self.make)(1)));
        assert_eq!(found, expected, "{}, {what}", self.name);
    }

    fn check(&self) {
        let name = self.name;
        self.assert_as_fresh("clone", |m| m.clone());
        if self.learns_after_a_move {
            self.assert_as_fresh("to_device", |m| m.to_device(&device()));
            self.assert_as_fresh("record and to_device", |m| {
                let loaded = (self.make)(2).load_record(m.into_record());
                loaded.to_device(&device())
            });
        }
        self.assert_as_fresh("fork", |m| m.fork(&device()));
        self.assert_as_fresh("valid and train", |m| m.valid().train());
        self.assert_as_fresh("freeze and unfreeze", |m| m.freeze().unfreeze());
        self.assert_as_fresh("no_grad and unfreeze", |m| m.no_grad().unfreeze());
        self.assert_as_fresh("materialize", |m| m.materialize());
        self.assert_as_fresh("map", |m| m.map(&mut Nothing));
        self.assert_as_fresh("record", |m| (self.make)(2).load_record(m.into_record()));
        self.assert_as_fresh("bytes", |m| {
            let bytes = m.into_record().into_bytes().unwrap();
            (self.make)(2).load_record(ModuleRecord::from_bytes(bytes).unwrap())
        });
        let folder = tempfile::tempdir().unwrap();
        self.assert_as_fresh("file", |m| {
            let file = folder.path().join("model");
            m.save_file(&file).unwrap();
            (self.make)(2).load_file(&file)
        });
        self.assert_as_fresh("a vector", |m| vec![m].fork(&device()).remove(0));
        self.assert_as_fresh("an option", |m| Some(m).valid().train().unwrap());
        self.assert_as_fresh("an array", |m| {
            let [m] = [m].valid().train();
            m
        });
        self.assert_as_fresh("a tuple", |m| (m.clone(), m).freeze().unfreeze().0);
        self.assert_as_fresh("an enum", |m| match Either::Layer(m).fork(&device()) {
            Either::Layer(m) => m,
            Either::Linear(_) => unreachable!(),
        });

        // Frozen, completely or in part.
        for (what, frozen) in [
            ("freeze", (self.make)(1).freeze()),
            ("no_grad", (self.make)(1).no_grad()),
        ] {
            let (step, _) = self.step(frozen);
            let found = (step.with_gradient, step.changed);
            assert_eq!(found, (0, vec![]), "{name}, {what}");
        }
        let fresh = (self.make)(1);
        let (expected, _) = self.step(fresh.clone());
        let frozen = &expected.changed[0];
        let (id, _) = parameters(&fresh)[frozen];
        let (step, _) = self.step(fresh.clone().freeze_group(ParamGroup::from_ids(vec![id])));
        assert_eq!(step.loss, expected.loss, "{name}, a part is frozen");
        let others = &expected.changed[1..];
        assert_eq!(step.changed, others, "{name}, a part is frozen");

        // Without autodiff.
        let valid = (self.loss)(&fresh.valid(), DType::F32);
        assert_eq!(valid.into_scalar::<f64>(), expected.loss, "{name}, valid");

        // The number of parameters.
        let sizes = parameters(&fresh);
        let count: usize = sizes.values().map(|(_, values)| values.len()).sum();
        assert_eq!(Module::num_params(&fresh), count, "{name}");
        assert_eq!(fresh.devices(), [device()], "{name}");

        // Another dtype.
        let near = |found: f64, expected: f64, tolerance: f64, what: &str| {
            let is_near = (found - expected).abs() < tolerance * expected.abs().max(1.0);
            assert!(is_near, "{name}, {what}: {found} for {expected}");
        };
        let wide = fresh.clone().map(&mut Cast(DType::F64));
        let loss: f64 = (self.loss)(&wide, DType::F64).into_scalar();
        near(loss, expected.loss, 1e-4, "cast");
        let other = (self.make)(2).map(&mut Cast(DType::F64));
        let loaded = other.load_record(fresh.clone().into_record().cast_to_module_dtype());
        let again: f64 = (self.loss)(&loaded, DType::F64).into_scalar();
        near(again, loss, 1e-6, "cast in a record");

        // Quantized weights are for inference, not for training.
        let quantized = quantized(fresh.valid());
        let loss: f64 = (self.loss)(&quantized, DType::F32).into_scalar();
        near(loss, expected.loss, 0.1, "quantized");

        // Adapters: the output does not change at first, and only they learn.
        let adapted = fresh.clone().apply_lora(Lora::new(2, 4.0));
        let (step, after) = self.step(adapted);
        near(step.loss, expected.loss, 1e-5, "adapters");
        assert!(!step.changed.is_empty(), "{name}, adapters");
        let of_adapters = step.changed.iter().all(|path| path.contains("lora"));
        assert!(of_adapters, "{name}: {step:?}");
        dale::check(&after).unwrap();
    }
}

struct Nothing;

impl ModuleMapper for Nothing {}

#[derive(Module, Debug)]
enum Either<M: Module + ModuleDisplay> {
    Layer(M),
    #[allow(dead_code)]
    Linear(Linear),
}

/// A layer of every geometry with a loss on its output alone.
macro_rules! subjects {
    ($($layer:ident $config:ident ($($size:expr),*) |$m:ident, $dtype:ident| $loss:expr;)*) => {
        $(
            #[allow(non_snake_case)]
            #[test]
            fn $layer() {
                let make = |seed| -> $layer {
                    let config = $config::new($($size),*);
                    config.try_init_with(&device(), &mut rng(seed)).unwrap()
                };
                subject(stringify!($layer), make, |$m, $dtype| $loss).check();
            }
        )*
    };
}

/// The input of a dense layer.
fn rows(dtype: DType) -> Tensor<2> {
    batch([5, 6], dtype)
}

/// The input of a convolution.
fn images(dtype: DType) -> Tensor<4> {
    batch([2, 3, 5, 4], dtype)
}

/// The input of a recurrent layer.
fn sequences(dtype: DType) -> Tensor<3> {
    batch([2, 3, 4], dtype)
}

subjects! {
    EiLinear EiLinearConfig(6, 5) |m, dtype| weighed(m.forward(rows(dtype)));
    ShuntingLinear ShuntingLinearConfig(6, 5) |m, dtype| weighed(m.forward(rows(dtype)));
    ColumnEiLinear ColumnEiLinearConfig(6, 5) |m, dtype| weighed(m.forward(rows(dtype)));
    INormLinear INormLinearConfig(6, 5) |m, dtype| both(m.forward_with_local_loss(rows(dtype)));
    EiConv2d EiConv2dConfig([3, 4], [2, 3]) |m, dtype| weighed(m.forward(images(dtype)));
    ShuntingConv2d ShuntingConv2dConfig([3, 4], [2, 3]) |m, dtype| {
        weighed(m.forward(images(dtype)))
    };
    ColumnEiConv2d ColumnEiConv2dConfig([3, 4], [2, 3]) |m, dtype| {
        weighed(m.forward(images(dtype)))
    };
    INormConv2d INormConv2dConfig([3, 4], [2, 3]) |m, dtype| {
        both(m.forward_with_local_loss(images(dtype)))
    };
    EiRnn EiRnnConfig(4, 5) |m, dtype| weighed(m.forward(sequences(dtype), None).0);
    ShuntingRnn ShuntingRnnConfig(4, 5) |m, dtype| weighed(m.forward(sequences(dtype), None).0);
    ColumnEiRnn ColumnEiRnnConfig(4, 5) |m, dtype| weighed(m.forward(sequences(dtype), None).0);
    INormRnn INormRnnConfig(4, 5) |m, dtype| {
        let (states, _, local) = m.forward_with_local_loss(sequences(dtype), None);
        weighed(states) + local
    };
}

/// Layers with other options than the default.
macro_rules! variants {
    ($($name:ident $layer:ident |$rng:ident| $make:expr, |$m:ident, $dtype:ident| $loss:expr;)*) => {
        $(
            #[test]
            fn $name() {
                let make = |seed| -> $layer {
                    let $rng = &mut rng(seed);
                    $make.unwrap()
                };
                subject(stringify!($name), make, |$m, $dtype| $loss).check();
            }
        )*
    };
}

/// The layer, in which every third connection of W_ex is missing.
macro_rules! sparse {
    ($layer:expr) => {
        $layer.and_then(|mut layer| {
            let shape = layer.w_ex.dims();
            let mask = mask::from_fn(shape, |(pre, post)| (pre + post) % 3 != 0, &device());
            layer.w_ex.set_mask(mask)?;
            Ok(layer)
        })
    };
}

variants! {
    sparse_ei EiLinear
        |rng| sparse!(EiLinearConfig::new(6, 5).try_init_with(&device(), rng)),
        |m, dtype| weighed(m.forward(rows(dtype)));
    sparse_i_norm INormLinear
        |rng| sparse!(INormLinearConfig::new(6, 5).try_init_with(&device(), rng)),
        |m, dtype| both(m.forward_with_local_loss(rows(dtype)));
    sparse_conv EiConv2d
        |rng| sparse!(EiConv2dConfig::new([3, 4], [2, 3]).try_init_with(&device(), rng)),
        |m, dtype| weighed(m.forward(images(dtype)));
    without_inhibition_and_bias EiLinear
        |rng| EiLinearConfig::new(6, 5)
            .with_inhibitory(Inhibitory::Count(0))
            .with_bias(false)
            .try_init_with(&device(), rng),
        |m, dtype| weighed(m.forward(rows(dtype)));
    inhibition_that_only_subtracts INormLinear
        |rng| INormLinearConfig::new(6, 5).with_divisive(false).try_init_with(&device(), rng),
        |m, dtype| both(m.forward_with_local_loss(rows(dtype)));
    divisive_weights_that_learn INormLinear
        |rng| INormLinearConfig::new(6, 5).try_init_with(&device(), rng).map(|mut layer| {
            let u_ei = layer.circuit.u_ei.take();
            layer.circuit.u_ei = u_ei.map(|u_ei| u_ei.with_plasticity(Plasticity::Plastic));
            layer
        }),
        |m, dtype| both(m.forward_with_local_loss(rows(dtype)));
    lateral_errors INormLinear
        |rng| INormLinearConfig::new(6, 5)
            .with_grad_norm(GradNormMode::Lateral)
            .try_init_with(&device(), rng),
        |m, dtype| both(m.forward_with_local_loss(rows(dtype)));
    over_an_example INormConv2d
        |rng| INormConv2dConfig::new([3, 4], [2, 3])
            .with_over(NormalizedOver::Example)
            .try_init_with(&device(), rng),
        |m, dtype| both(m.forward_with_local_loss(images(dtype)));
    with_autapses ColumnEiRnn
        |rng| ColumnEiRnnConfig::new(4, 5).with_autapses(true).try_init_with(&device(), rng),
        |m, dtype| weighed(m.forward(sequences(dtype), None).0);
    without_autapses ColumnEiRnn
        |rng| ColumnEiRnnConfig::new(4, 5).with_autapses(false).try_init_with(&device(), rng),
        |m, dtype| weighed(m.forward(sequences(dtype), None).0);
    i_norm_without_autapses INormRnn
        |rng| INormRnnConfig::new(4, 5).with_autapses(false).try_init_with(&device(), rng),
        |m, dtype| {
            let (states, _, local) = m.forward_with_local_loss(sequences(dtype), None);
            weighed(states) + local
        };
}

/// A population of two networks of different widths, for every circuit.
macro_rules! populations {
    ($($name:ident $config:ident |$m:ident, $dtype:ident| $loss:expr;)*) => {
        $(
            #[test]
            fn $name() {
                let make = |seed| {
                    let rng = &mut rng(seed);
                    let mut circuit = |width| {
                        let config = $config::new(6, width);
                        config.try_init_with(&device(), rng).unwrap().circuit
                    };
                    Population::stack(vec![circuit(5), circuit(4)]).unwrap()
                };
                subject(stringify!($name), make, |$m, $dtype| $loss).check();
            }
        )*
    };
}

/// The inputs of two networks.
fn pair(dtype: DType) -> Tensor<3> {
    batch([2, 5, 6], dtype)
}

populations! {
    population_of_ei EiLinearConfig |m, dtype| weighed(m.forward(pair(dtype)));
    population_of_shunting ShuntingLinearConfig |m, dtype| weighed(m.forward(pair(dtype)));
    population_of_column_ei ColumnEiLinearConfig |m, dtype| weighed(m.forward(pair(dtype)));
    population_of_i_norm INormLinearConfig |m, dtype| both(m.forward_with_local_loss(pair(dtype)));
}

#[test]
fn population_of_sparse() {
    let make = |seed| {
        let rng = &mut rng(seed);
        let mut circuit = |width| {
            let layer = INormLinearConfig::new(6, width).try_init_with(&device(), rng);
            sparse!(layer).unwrap().circuit
        };
        Population::stack(vec![circuit(5), circuit(4)]).unwrap()
    };
    let loss = |m: &Population<circuit::INorm>, dtype| both(m.forward_with_local_loss(pair(dtype)));
    subject("population_of_sparse", make, loss).check();
}

/// A layer, and behind it a module that changes the layer's errors.
#[derive(Module, Debug)]
struct Followed<M: Module + ModuleDisplay> {
    layer: EiLinear,
    follower: M,
}

impl<M: Module + ModuleDisplay> Followed<M> {
    fn new(seed: u64, follower: impl FnOnce(&mut ChaCha8Rng) -> M) -> Self {
        let rng = &mut rng(seed);
        let layer = EiLinearConfig::new(6, 5).try_init_with(&device(), rng);
        Self {
            layer: layer.unwrap(),
            follower: follower(rng),
        }
    }

    /// The output of the layer as a constant, and errors at it.
    fn constants(&self, dtype: DType) -> [Tensor<2>; 2] {
        let z = self.layer.forward(rows(dtype)).detach();
        [z.clone(), z.square()]
    }
}

#[test]
fn grad_norm() {
    let make = |seed| {
        Followed::new(seed, |rng| {
            let config = GradNormConfig::new(5).with_mode(GradNormMode::Lateral);
            config.try_init_with(&device(), rng).unwrap()
        })
    };
    let loss = |m: &Followed<GradNorm>, dtype| {
        let z = m.follower.forward(m.layer.forward(rows(dtype)));
        let [constant, error] = m.constants(dtype);
        weighed(z) + weighed(m.follower.apply(constant, error))
    };
    subject("GradNorm", make, loss).check();
}

#[test]
fn learned_lateral() {
    let make = |seed| {
        Followed::new(seed, |rng| {
            let config = LearnedLateralConfig::new(5);
            config.try_init_with(&device(), rng).unwrap()
        })
    };
    let loss = |m: &Followed<LearnedLateral>, dtype| {
        let z = m.follower.forward(m.layer.forward(rows(dtype)));
        let [_, error] = m.constants(dtype);
        weighed(z) + weighed(m.follower.apply(error))
    };
    let mut subject = subject("LearnedLateral", make, loss);
    subject.finish = |m| Followed {
        follower: m.follower.adapt(),
        ..m
    };
    subject.check();
}

#[test]
fn weight() {
    let make = |seed| {
        let values = TensorData::new(uniform(&mut rng(seed), [6, 5], 0.0, 1.0), [6, 5]);
        let values = Tensor::<2>::from_data(values, &device());
        Weight::new(values, Sign::NonNegative, Plasticity::Plastic)
    };
    let loss = |m: &Weight<2>, dtype| weighed(rows(dtype).matmul(m.val()));
    subject("Weight", make, loss).check();
}

/// The reference: Burn's layer, initialized, like a trained layer.
#[test]
fn linear() {
    let make = |seed| {
        let value = |shape: [usize; 2]| uniform(&mut rng(seed), shape, -1.0, 1.0);
        let weight = TensorData::new(value([6, 5]), [6, 5]);
        let bias = TensorData::new(value([1, 5]), [5]);
        Linear {
            weight: Param::from_data(weight.convert::<f32>(), &device()),
            bias: Some(Param::from_data(bias.convert::<f32>(), &device())),
        }
    };
    let mut subject = subject("Linear", make, |m, dtype| weighed(m.forward(rows(dtype))));
    subject.learns_after_a_move = false;
    subject.check();
}
