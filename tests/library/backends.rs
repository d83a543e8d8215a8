//! The rows of docs/backends.md on every backend that is built: outputs, gradients and steps against Flex in
//! f64, from the same weights and inputs.

use crate::common::parameters::weights;
use crate::common::table::{Row, largest_error, layer, layers, rnn, scattered};
use crate::common::{ChaCha8Rng, everywhere, leaf, rng, values};
use burn::module::Module;
use burn::nn::Relu;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{DType, Device, Tensor};
use ei_norm::dale::{self, NonNegative, mask};
use ei_norm::grad::{
    GradNoise, GradProbe, GradSentinel, check_grad, clip_grad_norm, clip_grad_total_norm,
    clip_grad_value, noise_grad, reverse_grad, scale_grad,
};
use ei_norm::optim::{
    CorrectedSgdConfig, ExponentiatedAdamConfig, ExponentiatedSgdConfig, Projected, ProjectedSgd,
};
use ei_norm::*;

/// Fails unless the rows give nearly the same numbers on every backend.
fn same_everywhere(rows: Vec<Row>) {
    let all = everywhere();
    let precise = all.iter().find(|setup| setup.dtype == DType::F64).unwrap();
    for row in rows {
        let expected = row.compute(precise);
        for setup in &all {
            let (error, place) = largest_error(&row.compute(setup), &expected);
            let at = setup.at(&row.name);
            println!("{error:.1e} {at} {place}");
            assert!(error <= setup.tolerance, "{at}, {place}: {error:e}");
        }
    }
}

#[test]
fn every_layer() {
    same_everywhere(layers());
    same_everywhere(vec![
        rnn(
            "EiRnn without autapses",
            EiRnnConfig::new(3, 6).with_autapses(false),
        ),
        rnn("INormRnn with a rectifier", INormRnnConfig::new(3, 6)),
    ]);
}

#[test]
fn masks_and_reparameterized_weights() {
    same_everywhere(changed_layers());
}

/// Layers with a mask and with reparameterized weights.
pub fn changed_layers() -> Vec<Row> {
    let mut rows = vec![changed("mask", |layer, rng| {
        let exists = mask::random([9, 6], 0.5, &layer.w_ex.device(), rng).unwrap();
        layer.w_ex.set_mask(exists).unwrap();
    })];
    for form in [NonNegative::Softplus, NonNegative::Square, NonNegative::Abs] {
        rows.push(changed(&format!("{form:?}"), move |layer, _| {
            *layer = dale::reparameterize(layer.clone(), form);
        }));
    }
    rows
}

/// An EI layer whose weights are changed by `change`.
fn changed(name: &str, change: impl Fn(&mut EiLinear, &mut ChaCha8Rng) + Send + 'static) -> Row {
    let create = move |device: &Device, rng: &mut ChaCha8Rng| {
        let mut layer = ei_linear(device, rng)?;
        change(&mut layer, rng);
        Ok(layer)
    };
    let forward = |layer: &EiLinear, x| (layer.forward(x), None);
    layer(name, [5, 9], create, forward)
}

fn ei_linear(device: &Device, rng: &mut ChaCha8Rng) -> Result<EiLinear, Error> {
    let config = EiLinearConfig::new(9, 6).with_inhibitory(Inhibitory::Count(2));
    config.try_init_with(device, rng)
}

#[test]
fn gradient_toolbox() {
    same_everywhere(toolbox());
}

/// A tool for tensors.
type Tool = fn(Tensor<2>) -> Tensor<2>;

/// The tools that change or watch an error, and the layer that learns to.
pub fn toolbox() -> Vec<Row> {
    let tools: [(&str, Tool); 7] = [
        ("clip_grad_norm", |x| clip_grad_norm(x, 0.5)),
        ("clip_grad_total_norm", |x| clip_grad_total_norm(x, 0.5)),
        ("clip_grad_value", |x| clip_grad_value(x, 0.5)),
        ("scale_grad", |x| scale_grad(x, 0.3)),
        ("reverse_grad", |x| reverse_grad(x, 2.0)),
        ("noise_grad", |x| noise_grad(x, 0.1, &GradNoise::new(4))),
        ("check_grad", |x| check_grad(x, "x")),
    ];
    let mut rows: Vec<Row> = tools
        .into_iter()
        .map(|(name, tool)| {
            let forward = move |_: &Relu, x| (tool(x), None);
            layer(name, [4, 6], |_, _| Ok(Relu::new()), forward)
        })
        .collect();
    let lateral = |device: &Device, rng: &mut ChaCha8Rng| {
        LearnedLateralConfig::new(6).try_init_with(device, rng)
    };
    let forward = |lateral: &LearnedLateral, x| (lateral.forward(x), None);
    rows.push(layer("LearnedLateral", [4, 6], lateral, forward));
    rows.push(Row::new("probe, sentinel and adapt", move |setup| {
        let (probe, sentinel) = (GradProbe::new(), GradSentinel::new());
        let lateral = scattered(setup, lateral);
        let z = leaf(&setup.random(&mut rng(2), [4, 6]));
        let out = lateral.forward(sentinel.watch(probe.attach(z), "z"));
        (out * setup.random(&mut rng(3), [4, 6])).sum().backward();
        sentinel.check().unwrap();
        let error = values(&probe.take().unwrap());
        let weights = values(&lateral.adapt().weights.val());
        vec![("error".to_owned(), error), ("weights".to_owned(), weights)]
    }));
    rows
}

#[test]
fn optimizers() {
    same_everywhere(three_steps());
}

/// The weights after three steps of each optimizer.
pub fn three_steps() -> Vec<Row> {
    vec![
        steps("ProjectedSgd", 0.02, |_| ProjectedSgd.init()),
        steps("Projected", 0.01, |_| {
            Projected::new(AdamConfig::new().build()).init()
        }),
        steps("CorrectedSgd", 0.02, |layer| {
            CorrectedSgdConfig::new().try_init(layer).unwrap()
        }),
        steps("ExponentiatedSgd", 0.1, |_| {
            ExponentiatedSgdConfig::new().init()
        }),
        steps("ExponentiatedAdam", 0.05, |_| {
            ExponentiatedAdamConfig::new().init()
        }),
    ]
}

fn steps(name: &str, lr: f64, optimizer: fn(&EiLinear) -> ModuleOptimizer) -> Row {
    Row::new(name, move |setup| {
        let mut layer = scattered(setup, ei_linear);
        let mut optimizer = optimizer(&layer);
        for step in 0..3 {
            let x = setup.positive(&mut rng(10 + step), [5, 9]);
            let upstream = setup.random(&mut rng(20 + step), [5, 6]);
            let loss = (layer.forward(x) * upstream).sum();
            let grads = GradientsParams::from_grads(loss.backward(), &layer);
            layer = optimizer.step(lr, layer, grads);
        }
        dale::check(&layer).unwrap();
        weights(&layer)
    })
}

#[test]
fn measures() {
    same_everywhere(vec![metrics()]);
}

/// The measures of a layer and of its activity.
pub fn metrics() -> Row {
    Row::new("metric", |setup| {
        let z = setup.random(&mut rng(1), [6, 8]);
        let config = INormLinearConfig::new(8, 6);
        let layer = scattered(setup, |device, rng| config.try_init_with(device, rng));
        let moments = metric::moments(z.clone());
        let alignment = metric::i_norm_alignment(&layer.valid(), z.clone().abs());
        let eigenvalue = metric::largest_covariance_eigenvalue(z);
        vec![
            ("moments".to_owned(), vec![moments.mean, moments.variance]),
            (
                "alignment".to_owned(),
                vec![alignment.output, alignment.gradient],
            ),
            ("eigenvalue".to_owned(), vec![eigenvalue]),
        ]
    })
}
