//! A training step of every layer, as a table with one row for each layer.

use burn::module::{Module, ModuleMapper, Param};
use burn::nn::Relu;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use ei_norm::circuit::Options;
use ei_norm::layer::{Conv2d, Dense, Geometry, LayerConfig, Recurrent};
use ei_norm::optim::ProjectedSgd;
use ei_norm::*;

use super::circuits::{Output, Tried};
use super::parameters::{self, gradients};
use super::{ChaCha8Rng, Setup, leaf, rng, uniform, values};

/// A step of one layer.
pub struct Layer {
    /// The name of the layer and its variant.
    pub name: String,
    step: Step,
}

type Step = Box<dyn Fn(&Setup) -> Vec<Found> + Send>;

/// The numbers of a step and their name.
pub type Found = (String, Vec<f64>);

const OF_INPUT: &str = "gradient of the input";

/// The number of tensors that the library read from the device: in both passes, the step and the projection.
pub const READS: &str = "reads";

impl Layer {
    /// The output, the gradient of the input, the gradients of the weights and the weights after the step,
    /// always from the same weights, inputs and upstream error.
    pub fn step(&self, setup: &Setup) -> Vec<Found> {
        (self.step)(setup)
    }

    /// Whether it needs a custom node because it changes errors.
    #[allow(dead_code)] // For the test of backends that are not listed.
    pub fn changes_errors(&self) -> bool {
        let name = self.name.as_str();
        name == "map_grad" || (name.starts_with("INorm") && !name.ends_with("identity"))
    }
}

/// Every layer, and `map_grad`.
pub fn layers() -> Vec<Layer> {
    let [channels, kernel, stride] = [[2, 5], [3, 2], [2, 1]];
    // A continuous slope: near 0, rounding decides whether a rectifier passes an error.
    let smooth = NonNegativeActivation::Softplus;
    let two = Inhibitory::Count(2);
    let map = |_: &Relu, x: Tensor<2>| (map_grad(x, |e| e.square()), None);
    let mut layers = vec![
        layer("map_grad", ROWS, |_, _| Ok(Relu::new()), map),
        dense("EiLinear", EiLinearConfig::new(9, 6).with_inhibitory(two)),
        dense(
            "ShuntingLinear",
            ShuntingLinearConfig::new(9, 6).with_inhibitory(two),
        ),
        dense("ColumnEiLinear", ColumnEiLinearConfig::new(9, 6)),
        conv(
            "EiConv2d",
            EiConv2dConfig::new(channels, kernel).with_stride(stride),
        ),
        conv(
            "ShuntingConv2d",
            ShuntingConv2dConfig::new(channels, kernel).with_stride(stride),
        ),
        conv(
            "ColumnEiConv2d",
            ColumnEiConv2dConfig::new(channels, kernel).with_stride(stride),
        ),
        rnn("EiRnn", EiRnnConfig::new(3, 6).with_activation(smooth)),
        rnn(
            "ShuntingRnn",
            ShuntingRnnConfig::new(3, 6).with_activation(smooth),
        ),
        rnn(
            "ColumnEiRnn",
            ColumnEiRnnConfig::new(3, 6).with_activation(smooth),
        ),
    ];
    for mode in GradNormMode::ALL {
        let of_rows = INormLinearConfig::new(9, 6);
        let of_images = INormConv2dConfig::new(channels, kernel).with_stride(stride);
        let of_sequences = INormRnnConfig::new(3, 6).with_activation(smooth);
        layers.extend([
            dense(&format!("INormLinear {mode}"), of_rows.with_grad_norm(mode)),
            conv(
                &format!("INormConv2d {mode}"),
                of_images.with_grad_norm(mode),
            ),
            rnn(
                &format!("INormRnn {mode}"),
                of_sequences.with_grad_norm(mode),
            ),
        ]);
    }
    layers
}

/// The inputs of dense layers, of convolutions and of recurrent layers.
const ROWS: [usize; 2] = [5, 9];
const IMAGES: [usize; 4] = [3, 2, 7, 6];
const SEQUENCES: [usize; 3] = [4, 5, 3];

fn dense<O: Options<Circuit: Tried> + 'static>(name: &str, config: LayerConfig<O, Dense>) -> Layer {
    of(name, ROWS, config, O::Circuit::apply)
}

fn conv<O: Options<Circuit: Tried> + 'static>(name: &str, config: LayerConfig<O, Conv2d>) -> Layer {
    of(name, IMAGES, config, O::Circuit::convolve)
}

/// A row of the table for a recurrent layer.
pub fn rnn<O: Options<Circuit: Tried> + 'static>(
    name: &str,
    config: LayerConfig<O, Recurrent>,
) -> Layer {
    of(name, SEQUENCES, config, |layer, x| {
        let (states, _, local) = O::Circuit::run(layer, x, None, None);
        (states, local)
    })
}

/// A row of the table: a layer of this crate with this configuration.
fn of<O: Options + 'static, G: Geometry + 'static, const D: usize>(
    name: &str,
    shape: [usize; D],
    config: LayerConfig<O, G>,
    forward: impl Fn(&layer::Layer<O::Circuit, G>, Tensor<D>) -> Output<D> + Send + 'static,
) -> Layer {
    let create = move |device: &Device, rng: &mut ChaCha8Rng| config.try_init_with(device, rng);
    layer(name, shape, create, forward)
}

/// A row of the table: the shape of the input, the layer, and its output with its local loss.
pub fn layer<M: Module, const D: usize>(
    name: &str,
    shape: [usize; D],
    create: impl Fn(&Device, &mut ChaCha8Rng) -> Result<M, Error> + Send + 'static,
    forward: impl Fn(&M, Tensor<D>) -> Output<D> + Send + 'static,
) -> Layer {
    let step = move |setup: &Setup| {
        let module = scattered(setup, &create);
        let x = leaf(&exact(setup, &mut rng(2), shape, 0.0, 1.0));
        let before = device_reads();
        let (out, local) = forward(&module, x.clone());
        let upstream = exact(setup, &mut rng(3), out.dims(), -2.0, 2.0);
        let task = (out.clone() * upstream).sum();
        let loss = match local {
            Some(local) => task + local,
            None => task,
        };
        let mut grads = loss.backward();
        let of_x = x.grad_remove(&mut grads).expect("a gradient of the input");
        let in_passes = device_reads() - before;
        let mut found = vec![
            ("output".to_owned(), values(&out)),
            (OF_INPUT.to_owned(), values(&of_x)),
        ];
        let of_weights = gradients(&module, &grads).into_iter();
        found.extend(of_weights.map(|(path, grad)| {
            let name = format!("gradient {path}");
            (name, grad.unwrap_or_default())
        }));
        let grads = GradientsParams::from_grads(grads, &module);
        let module = ProjectedSgd.init().step(0.02, module, grads);
        let in_step = device_reads() - before - in_passes;
        let module = dale::project(module);
        let in_projection = device_reads() - before - in_passes - in_step;
        let reads = [in_passes, in_step, in_projection].map(|count| count as f64);
        found.push((READS.to_owned(), reads.to_vec()));
        let updated = parameters::stored(&module, None).into_iter();
        found.extend(updated.map(|weight| (format!("updated {}", weight.path), weight.values)));
        found
    };
    Layer {
        name: name.to_owned(),
        step: Box::new(step),
    }
}

/// A module with scattered weights; the weights are the same on every backend.
pub fn scattered<M: Module>(
    setup: &Setup,
    create: impl Fn(&Device, &mut ChaCha8Rng) -> Result<M, Error>,
) -> M {
    let module = create(&setup.device, &mut rng(1)).expect("a valid configuration");
    module.map(&mut Scatter(setup, rng(5))).train()
}

/// Random values that bf16, f16 and all wider types represent exactly, so that only the arithmetic differs.
fn exact<const D: usize>(
    setup: &Setup,
    rng: &mut ChaCha8Rng,
    shape: [usize; D],
    low: f64,
    high: f64,
) -> Tensor<D> {
    let steps = uniform(rng, shape, low * 64.0, high * 64.0);
    setup.tensor(
        steps.iter().map(|step| step.round() / 64.0).collect(),
        shape,
    )
}

/// Scales every stored value by a random factor, so that nothing is balanced, rounds it to a multiple of 2⁻⁸
/// in −1..=1, which every dtype represents exactly, and casts it. The base of a reparameterized weight is a
/// stored value.
struct Scatter<'a>(&'a Setup, ChaCha8Rng);

impl ModuleMapper for Scatter<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Self(setup, rng) = self;
        param.map(|tensor| {
            let factors = uniform(rng, tensor.dims(), 0.5, 1.5);
            let scattered = values(&tensor).into_iter().zip(factors);
            let scattered = scattered
                .map(|(w, factor)| ((w * factor * 256.0).round() / 256.0).clamp(-1.0, 1.0));
            let data = TensorData::new(scattered.collect(), tensor.dims());
            Tensor::from_data(data, (&setup.device, setup.dtype))
        })
    }
}

/// The largest error between two steps and its place. The error of each number is relative to the largest
/// number of its tensor (or to 1 if all are 0). A value that is not finite is an infinite error.
#[track_caller]
pub fn largest_error(found: &[Found], expected: &[Found]) -> (f64, String) {
    let names = |found: &[Found]| {
        found
            .iter()
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(found), names(expected));
    // Numbers that are all 0 or missing would agree with anything.
    let is_zero = |values: &[f64]| values.iter().all(|value| *value == 0.0);
    let of = |kind: &str| {
        let of_kind = expected.iter().filter(|(name, _)| name.starts_with(kind));
        of_kind.filter(|(_, values)| !is_zero(values)).count()
    };
    assert_eq!(of("output"), 1);
    assert_eq!(of(OF_INPUT), 1);
    assert!(of("gradient") > 1 || of("updated") == 0);
    let mut worst = (0.0, String::new());
    for ((name, found), (_, expected)) in found.iter().zip(expected) {
        assert_eq!(found.len(), expected.len(), "{name}: number of values");
        let size = expected.iter().fold(0.0_f64, |size, e| size.max(e.abs()));
        let size = if size > 0.0 { size } else { 1.0 };
        for (found, expected) in found.iter().zip(expected) {
            let error = match found.is_finite() && expected.is_finite() {
                true => (found - expected).abs() / size,
                false => f64::INFINITY,
            };
            if error > worst.0 {
                worst = (error, name.clone());
            }
        }
    }
    worst
}
