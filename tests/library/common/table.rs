//! What docs/backends.md compares between backends, as a table: a training step of every layer, and more rows
//! of the same form.

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

/// A computation whose numbers are the same on every backend.
pub struct Row {
    /// The name of the layer and its variant, or of what else is computed.
    pub name: String,
    compute: Compute,
}

type Compute = Box<dyn Fn(&Setup) -> Vec<Found> + Send>;

/// Numbers and their name.
pub type Found = (String, Vec<f64>);

const OF_INPUT: &str = "error of the input";

/// The number of tensors that the library read from the device: in both passes, the step and the projection.
pub const READS: &str = "reads";

impl Row {
    /// A row with this name and these numbers.
    pub fn new(name: &str, compute: impl Fn(&Setup) -> Vec<Found> + Send + 'static) -> Self {
        Self {
            name: name.to_owned(),
            compute: Box::new(compute),
        }
    }

    /// The numbers, always from the same weights, inputs and upstream error. Of a layer: the output, the
    /// gradient of the input, the gradients of the weights and the weights after a step.
    pub fn compute(&self, setup: &Setup) -> Vec<Found> {
        (self.compute)(setup)
    }

    /// Whether it needs a custom node because it changes errors.
    #[allow(dead_code)] // For the test of backends that are not listed.
    pub fn changes_errors(&self) -> bool {
        let name = self.name.as_str();
        name == "map_grad" || (name.starts_with("INorm") && !name.ends_with("identity"))
    }
}

/// Every layer, and `map_grad`.
pub fn layers() -> Vec<Row> {
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
    // Without division; with U_ei that learns, because a uniform U_ei that does not is one number; and over all
    // positions of an example.
    let all = Some(super::circuits::EVERYTHING);
    let image = || INormConv2dConfig::new(channels, kernel).with_stride(stride);
    layers.extend([
        dense(
            "INormLinear, subtractive",
            INormLinearConfig::new(9, 6).with_divisive(false),
        ),
        dense(
            "INormLinear, U_ei learns",
            INormLinearConfig::new(9, 6).with_plasticity(all),
        ),
        conv("INormConv2d, U_ei learns", image().with_plasticity(all)),
        conv(
            "INormConv2d over the map",
            (image().with_stride([4, 3])).with_over(circuit::NormalizedOver::Example),
        ),
        rnn(
            "INormRnn, U_ei learns",
            INormRnnConfig::new(3, 6)
                .with_activation(smooth)
                .with_plasticity(all),
        ),
    ]);
    layers
}

/// The inputs of dense layers, of convolutions and of recurrent layers.
const ROWS: [usize; 2] = [5, 9];
const IMAGES: [usize; 4] = [3, 2, 7, 6];
const SEQUENCES: [usize; 3] = [4, 5, 3];

fn dense<O: Options<Circuit: Tried> + 'static>(name: &str, config: LayerConfig<O, Dense>) -> Row {
    of(name, ROWS, config, O::Circuit::apply)
}

fn conv<O: Options<Circuit: Tried> + 'static>(name: &str, config: LayerConfig<O, Conv2d>) -> Row {
    of(name, IMAGES, config, O::Circuit::convolve)
}

/// A row of the table for a recurrent layer.
pub fn rnn<O: Options<Circuit: Tried> + 'static>(
    name: &str,
    config: LayerConfig<O, Recurrent>,
) -> Row {
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
) -> Row {
    let create = move |device: &Device, rng: &mut ChaCha8Rng| config.try_init_with(device, rng);
    let row = layer(name, shape, create, forward);
    Row::new(name, move |setup| {
        let found = row.compute(setup);
        assert!(is_some(&found, "gradient") && is_some(&found, "updated"));
        found
    })
}

/// A row of the table: the shape of the input, the layer, and its output with its local loss.
pub fn layer<M: Module, const D: usize>(
    name: &str,
    shape: [usize; D],
    create: impl Fn(&Device, &mut ChaCha8Rng) -> Result<M, Error> + Send + 'static,
    forward: impl Fn(&M, Tensor<D>) -> Output<D> + Send + 'static,
) -> Row {
    Row::new(name, move |setup| {
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
        assert_eq!([out.dtype(), of_x.dtype()], [setup.dtype; 2]);
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
        assert!(is_some(&found, "output") && is_some(&found, OF_INPUT));
        found
    })
}

/// Whether numbers of this kind are neither missing nor all 0: such numbers would agree with anything.
fn is_some(found: &[Found], kind: &str) -> bool {
    let mut of_kind = found.iter().filter(|(name, _)| name.starts_with(kind));
    of_kind.any(|(_, numbers)| numbers.iter().any(|number| *number != 0.0))
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
/// in −1..=1, which every dtype represents exactly, and casts it. A matrix of equal values is scaled as a whole.
/// The base of a reparameterized weight is a stored value.
struct Scatter<'a>(&'a Setup, ChaCha8Rng);

impl ModuleMapper for Scatter<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Self(setup, rng) = self;
        param.map(|tensor| {
            let mut factors = uniform(rng, tensor.dims(), 0.5, 1.5);
            let stored = values(&tensor);
            if D == 2 && stored.iter().all(|value| *value == stored[0]) {
                let first = factors[0];
                factors.fill(first);
            }
            let scattered = stored.into_iter().zip(factors);
            let scattered = scattered
                .map(|(w, factor)| ((w * factor * 256.0).round() / 256.0).clamp(-1.0, 1.0));
            let data = TensorData::new(scattered.collect(), tensor.dims());
            Tensor::from_data(data, (&setup.device, setup.dtype))
        })
    }
}

/// The largest error between the numbers of a row and its place. The error of each number is relative to the
/// largest number under its name (or to 1 if all are 0). A number that is not finite is an infinite error.
#[track_caller]
pub fn largest_error(found: &[Found], expected: &[Found]) -> (f64, String) {
    assert!(is_some(expected, ""));
    assert_eq!(found.len(), expected.len());
    let mut worst = (0.0, String::new());
    for ((name, found), (expected_name, expected)) in found.iter().zip(expected) {
        assert_eq!(name, expected_name);
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
