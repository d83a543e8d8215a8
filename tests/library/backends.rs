//! The rows of docs/backends.md on every backend that is built: losses, gradients and steps against Flex in
//! f64, from the same weights and inputs.

use crate::common::parameters::weights;
use crate::common::table::{Found, Layer, layer, layers, rnn, scattered};
use crate::common::{ChaCha8Rng, Setup, assert_close, leaf, rng, setups, values};
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

/// All backends with all their dtypes.
fn everywhere() -> Vec<Setup> {
    #[allow(unused_mut)]
    let mut all = setups();
    #[cfg(feature = "wgpu")]
    all.push(Setup {
        name: "wgpu",
        device: luminosity::DeviceName::Wgpu.open().unwrap(),
        dtype: DType::F32,
        tolerance: 2e-5,
    });
    all
}

/// Fails unless a training step gives nearly the same numbers on every backend.
#[track_caller]
fn step_is_same(layer: Layer) {
    same_everywhere(&layer.name, |setup| layer.step(setup));
}

/// Fails unless `of` gives the same names, and nearly the same numbers for each, on every backend.
#[track_caller]
fn same_everywhere(what: &str, of: impl Fn(&Setup) -> Vec<Found>) {
    let all = everywhere();
    let precise = all.iter().find(|setup| setup.dtype == DType::F64).unwrap();
    let expected = of(precise);
    let mut numbers = expected.iter().flat_map(|(_, numbers)| numbers);
    assert!(numbers.any(|number| *number != 0.0), "{what}");
    for setup in all {
        let found = of(&setup);
        assert_eq!(found.len(), expected.len(), "{what}");
        for ((name, found), (expected_name, expected)) in found.iter().zip(&expected) {
            let at = setup.at((what, name));
            assert_eq!(name, expected_name, "{at}");
            assert_close(found, expected, 10.0 * setup.tolerance, &at);
        }
    }
}

#[test]
fn every_layer() {
    let more = [
        rnn(
            "EiRnn without autapses",
            EiRnnConfig::new(3, 6).with_autapses(false),
        ),
        rnn("INormRnn with a rectifier", INormRnnConfig::new(3, 6)),
    ];
    layers().into_iter().chain(more).for_each(step_is_same);
}

/// An EI layer whose weights are changed by `change`.
fn changed(name: &str, change: impl Fn(&mut EiLinear, &mut ChaCha8Rng) + Send + 'static) -> Layer {
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
fn masks_and_reparameterized_weights() {
    step_is_same(changed("mask", |layer, rng| {
        let exists = mask::random([9, 6], 0.5, &layer.w_ex.device(), rng).unwrap();
        layer.w_ex.set_mask(exists).unwrap();
    }));
    for form in [NonNegative::Softplus, NonNegative::Square, NonNegative::Abs] {
        step_is_same(changed(&format!("{form:?}"), move |layer, _| {
            *layer = dale::reparameterize(layer.clone(), form);
        }));
    }
}

/// A tool for tensors.
type Tool = fn(Tensor<2>) -> Tensor<2>;

#[test]
fn gradient_toolbox() {
    let tools: [(&str, Tool); 7] = [
        ("clip_grad_norm", |x| clip_grad_norm(x, 0.5)),
        ("clip_grad_total_norm", |x| clip_grad_total_norm(x, 0.5)),
        ("clip_grad_value", |x| clip_grad_value(x, 0.5)),
        ("scale_grad", |x| scale_grad(x, 0.3)),
        ("reverse_grad", |x| reverse_grad(x, 2.0)),
        ("noise_grad", |x| noise_grad(x, 0.1, &GradNoise::new(4))),
        ("check_grad", |x| check_grad(x, "x")),
    ];
    for (name, tool) in tools {
        let forward = move |_: &Relu, x| (tool(x), None);
        step_is_same(layer(name, [4, 6], |_, _| Ok(Relu::new()), forward));
    }
    let lateral = LearnedLateralConfig::new(6);
    let create = |device: &Device, rng: &mut ChaCha8Rng| {
        LearnedLateralConfig::new(6).try_init_with(device, rng)
    };
    let forward = |lateral: &LearnedLateral, x| (lateral.forward(x), None);
    step_is_same(layer("LearnedLateral", [4, 6], create, forward));
    same_everywhere("probe, sentinel and adapt", |setup| {
        let (probe, sentinel) = (GradProbe::new(), GradSentinel::new());
        let lateral = scattered(setup, |device, rng| lateral.try_init_with(device, rng));
        let z = leaf(&setup.random(&mut rng(2), [4, 6]));
        let out = lateral.forward(sentinel.watch(probe.attach(z), "z"));
        (out * setup.random(&mut rng(3), [4, 6])).sum().backward();
        sentinel.check().unwrap();
        let error = values(&probe.take().unwrap());
        let weights = values(&lateral.adapt().weights.val());
        vec![("error".to_owned(), error), ("weights".to_owned(), weights)]
    });
}

#[test]
fn optimizers() {
    let steps = |what: &str, lr: f64, optimizer: &dyn Fn(&EiLinear) -> ModuleOptimizer| {
        same_everywhere(what, |setup| {
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
        });
    };
    steps("ProjectedSgd", 0.02, &|_| ProjectedSgd.init());
    steps("Projected", 0.01, &|_| {
        Projected::new(AdamConfig::new().build()).init()
    });
    steps("CorrectedSgd", 0.02, &|layer| {
        CorrectedSgdConfig::new().try_init(layer).unwrap()
    });
    steps("ExponentiatedSgd", 0.1, &|_| {
        ExponentiatedSgdConfig::new().init()
    });
    steps("ExponentiatedAdam", 0.05, &|_| {
        ExponentiatedAdamConfig::new().init()
    });
}

#[test]
fn measures() {
    same_everywhere("metric", |setup| {
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
    });
}
