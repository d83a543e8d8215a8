//! The rows of docs/backends.md on every backend that is built: losses, gradients and steps against Flex in
//! f64, from the same weights and inputs.

use crate::common::{ChaCha8Rng, Setup, assert_close, leaf, rng, setups, uniform, values};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::nn::Relu;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{DType, Device, Tensor, TensorData};
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

/// Scales every weight by a random factor, so that nothing is balanced, and casts it.
struct Scatter<'a>(&'a Setup, ChaCha8Rng);

impl ModuleMapper for Scatter<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Self(setup, rng) = self;
        param.map(|tensor| {
            let factors = uniform(rng, tensor.dims(), 0.5, 1.5);
            let factors = TensorData::new(factors, tensor.dims());
            (tensor.clone() * Tensor::from_data(factors, (&setup.device, tensor.dtype())))
                .cast(setup.dtype)
        })
    }
}

/// The values of parameters, or of their gradients, in f64.
#[derive(Default)]
struct Collect<'a> {
    grads: Option<&'a GradientsParams>,
    found: Vec<Vec<f64>>,
}

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.push(match self.grads {
            None => values(&param.val()),
            Some(grads) => grads
                .get::<D>(param.id)
                .map_or_else(Vec::new, |g| values(&g)),
        });
    }
}

/// Fails unless `of` gives nearly the same numbers on every backend.
#[track_caller]
fn same_everywhere(what: &str, of: impl Fn(&Setup) -> Vec<Vec<f64>>) {
    let all = everywhere();
    let precise = all.iter().find(|setup| setup.dtype == DType::F64).unwrap();
    let expected = of(precise);
    assert!(
        expected.iter().flatten().any(|value| *value != 0.0),
        "{what}"
    );
    for setup in all {
        let found = of(&setup);
        assert_eq!(found.len(), expected.len(), "{what}");
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let at = setup.at((what, index));
            assert_close(found, expected, 10.0 * setup.tolerance, &at);
        }
    }
}

/// A module with the same weights on every backend, rounded to f32.
fn make<M: Module>(setup: &Setup, create: impl Fn(&Device, &mut ChaCha8Rng) -> M) -> M {
    let module = create(&setup.device, &mut rng(1));
    module.map(&mut Scatter(setup, rng(5))).train()
}

/// The output, the error of the input and the gradient of every parameter, for a random upstream error and
/// the local loss.
#[track_caller]
fn layer<M: Module, const D: usize, const O: usize>(
    what: &str,
    shape: [usize; D],
    create: impl Fn(&Device, &mut ChaCha8Rng) -> M,
    forward: impl Fn(&M, Tensor<D>) -> (Tensor<O>, Option<Tensor<1>>),
) {
    same_everywhere(what, |setup| {
        let module = make(setup, &create);
        let x = leaf(&setup.positive(&mut rng(2), shape));
        let (out, local) = forward(&module, x.clone());
        let upstream = setup.random(&mut rng(3), out.dims());
        let loss = (out.clone() * upstream).sum();
        let loss = local.map_or(loss.clone(), |local| loss + local);
        let mut grads = loss.backward();
        let of_x = x.grad_remove(&mut grads).unwrap();
        let grads = GradientsParams::from_grads(grads, &module);
        let mut collect = Collect {
            grads: Some(&grads),
            found: vec![values(&out), values(&of_x)],
        };
        module.visit(&mut collect);
        collect.found
    });
}

fn ei_linear(device: &Device, rng: &mut ChaCha8Rng) -> EiLinear {
    EiLinearConfig::new(9, 6)
        .with_inhibitory(Inhibitory::Count(2))
        .try_init_with(device, rng)
        .unwrap()
}

#[test]
fn dense_layers() {
    layer("EiLinear", [5, 9], ei_linear, |layer, x| {
        (layer.forward(x), None)
    });
    for mode in GradNormMode::ALL {
        let config = INormLinearConfig::new(9, 6).with_grad_norm(mode);
        layer(
            mode.name(),
            [5, 9],
            |device, rng| config.try_init_with(device, rng).unwrap(),
            |layer, x| {
                let (z, local) = layer.forward_with_local_loss(x);
                (z, Some(local))
            },
        );
    }
    let config = ShuntingLinearConfig::new(9, 6).with_inhibitory(Inhibitory::Count(2));
    layer(
        "ShuntingLinear",
        [5, 9],
        |device, rng| config.try_init_with(device, rng).unwrap(),
        |layer, x| (layer.forward(x), None),
    );
    layer(
        "ColumnEiLinear",
        [5, 9],
        |device, rng| {
            ColumnEiLinearConfig::new(9, 6)
                .try_init_with(device, rng)
                .unwrap()
        },
        |layer, x| (layer.forward(x), None),
    );
}

#[test]
fn convolutions() {
    let [channels, kernel, stride] = [[2, 5], [3, 2], [2, 1]];
    let ei = EiConv2dConfig::new(channels, kernel).with_stride(stride);
    layer(
        "EiConv2d",
        [3, 2, 7, 6],
        |device, rng| ei.try_init_with(device, rng).unwrap(),
        |layer, x| (layer.forward(x), None),
    );
    let i_norm = INormConv2dConfig::new(channels, kernel).with_stride(stride);
    layer(
        "INormConv2d",
        [3, 2, 7, 6],
        |device, rng| i_norm.try_init_with(device, rng).unwrap(),
        |layer, x| {
            let (z, local) = layer.forward_with_local_loss(x);
            (z, Some(local))
        },
    );
    let shunting = ShuntingConv2dConfig::new(channels, kernel).with_stride(stride);
    layer(
        "ShuntingConv2d",
        [3, 2, 7, 6],
        |device, rng| shunting.try_init_with(device, rng).unwrap(),
        |layer, x| (layer.forward(x), None),
    );
}

#[test]
fn recurrent_layers() {
    let ei = EiRnnConfig::new(3, 6).with_autapses(false);
    layer(
        "EiRnn",
        [4, 5, 3],
        |device, rng| ei.try_init_with(device, rng).unwrap(),
        |layer, x| (layer.forward(x, None).0, None),
    );
    let i_norm = INormRnnConfig::new(3, 6);
    layer(
        "INormRnn",
        [4, 5, 3],
        |device, rng| i_norm.try_init_with(device, rng).unwrap(),
        |layer, x| {
            let (states, _, local) = layer.forward_with_local_loss(x, None);
            (states, Some(local))
        },
    );
}

#[test]
fn masks_and_reparameterized_weights() {
    let masked = |device: &Device, rng: &mut ChaCha8Rng| {
        let mut layer = ei_linear(device, rng);
        let exists = mask::random([9, 6], 0.5, device, rng).unwrap();
        layer.w_ex.set_mask(exists).unwrap();
        layer
    };
    layer("mask", [5, 9], masked, |layer, x| (layer.forward(x), None));
    for form in [NonNegative::Softplus, NonNegative::Square, NonNegative::Abs] {
        layer(
            &format!("{form:?}"),
            [5, 9],
            |device, rng| dale::reparameterize(ei_linear(device, rng), form),
            |layer, x| (layer.forward(x), None),
        );
    }
}

#[test]
fn gradient_toolbox() {
    let tool = |what: &str, f: &dyn Fn(Tensor<2>) -> Tensor<2>| {
        layer(what, [4, 6], |_, _| Relu::new(), |_, x| (f(x), None));
    };
    tool("clip_grad_norm", &|x| clip_grad_norm(x, 0.5));
    tool("clip_grad_total_norm", &|x| clip_grad_total_norm(x, 0.5));
    tool("clip_grad_value", &|x| clip_grad_value(x, 0.5));
    tool("scale_grad", &|x| scale_grad(x, 0.3));
    tool("reverse_grad", &|x| reverse_grad(x, 2.0));
    tool("noise_grad", &|x| noise_grad(x, 0.1, &GradNoise::new(4)));
    tool("check_grad", &|x| check_grad(x, "x"));
    tool("map_grad", &|x| map_grad(x, |error| error.square()));
    let lateral = LearnedLateralConfig::new(6);
    layer(
        "LearnedLateral",
        [4, 6],
        |device, rng| lateral.try_init_with(device, rng).unwrap(),
        |lateral, x| (lateral.forward(x), None),
    );
    same_everywhere("probe, sentinel and adapt", |setup| {
        let (probe, sentinel) = (GradProbe::new(), GradSentinel::new());
        let lateral = make(setup, |device, rng| {
            lateral.try_init_with(device, rng).unwrap()
        });
        let z = leaf(&setup.random(&mut rng(2), [4, 6]));
        let out = lateral.forward(sentinel.watch(probe.attach(z), "z"));
        (out * setup.random(&mut rng(3), [4, 6])).sum().backward();
        sentinel.check().unwrap();
        vec![
            values(&probe.take().unwrap()),
            values(&lateral.adapt().weights.val()),
        ]
    });
}

#[test]
fn optimizers() {
    let steps = |what: &str, lr: f64, optimizer: &dyn Fn(&EiLinear) -> ModuleOptimizer| {
        same_everywhere(what, |setup| {
            let mut layer = make(setup, ei_linear);
            let mut optimizer = optimizer(&layer);
            for step in 0..3 {
                let x = setup.positive(&mut rng(10 + step), [5, 9]);
                let upstream = setup.random(&mut rng(20 + step), [5, 6]);
                let loss = (layer.forward(x) * upstream).sum();
                let grads = GradientsParams::from_grads(loss.backward(), &layer);
                layer = optimizer.step(lr, layer, grads);
            }
            dale::check(&layer).unwrap();
            let mut collect = Collect::default();
            layer.visit(&mut collect);
            collect.found
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
        let layer = make(setup, |device, rng| {
            INormLinearConfig::new(8, 6)
                .try_init_with(device, rng)
                .unwrap()
        });
        let moments = metric::moments(z.clone());
        let alignment = metric::i_norm_alignment(&layer.valid(), z.clone().abs());
        vec![
            vec![moments.mean, moments.variance],
            vec![alignment.output, alignment.gradient],
            vec![metric::largest_covariance_eigenvalue(z)],
        ]
    });
}
