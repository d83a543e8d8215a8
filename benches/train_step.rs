//! A whole training step of the experiment: batch 32, 784-500-500-10, losses, gradients, update and
//! projection, on Flex in f32, one thread. The baseline is the same network of Burn's `Linear` layers with
//! plain SGD. "products of" is what remains of a step without everything but its arithmetic on matrices: every
//! product by the kernel on matrices in memory, and one pass that updates the weights.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor};
use criterion::{Criterion, criterion_group, criterion_main};
use ei_norm::functional::smoothed_cross_entropy;
use ei_norm_suite::bench::{one_thread, random};
use luminosity::data::Shape;
use luminosity::network::{Mlp, Task};
use luminosity::optimizer::Optimizer;
use luminosity::random::{Purpose, generator};
use luminosity::{Learner, RunConfig, condition};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Module, Debug)]
struct Ordinary {
    layers: Vec<Linear>,
}

impl Ordinary {
    fn forward(&self, mut x: Tensor<2>) -> Tensor<2> {
        for (index, layer) in self.layers.iter().enumerate() {
            x = layer.forward(if index == 0 { x } else { relu(x) });
        }
        x
    }
}

/// A matrix of weights in a step, with its input, its gradient and the errors at its input and output.
struct Products {
    sizes: [usize; 2],
    /// Whether the error is needed at the input too.
    passes_error: bool,
    weights: Vec<f32>,
    gradient: Vec<f32>,
    input: [Vec<f32>; 2],
    output: [Vec<f32>; 2],
}

impl Products {
    const ROWS: usize = 32;

    fn new(sizes @ [inputs, outputs]: [usize; 2], passes_error: bool) -> Self {
        let fill = |count| {
            (0..count)
                .map(|i| (i % 13) as f32 * 1e-3)
                .collect::<Vec<_>>()
        };
        Self {
            sizes,
            passes_error,
            weights: fill(inputs * outputs),
            gradient: fill(inputs * outputs),
            input: [fill(Self::ROWS * inputs), fill(Self::ROWS * inputs)],
            output: [fill(Self::ROWS * outputs), fill(Self::ROWS * outputs)],
        }
    }

    /// The matrices of 784-500-500-10 with 50 inhibitory units a hidden layer. The inhibition of I-Norm has one
    /// large matrix more and passes no error.
    fn of_step(i_norm: bool) -> Vec<Self> {
        let hidden = |inputs, passes_error| {
            let divisive = i_norm.then(|| Self::new([inputs, 500], false));
            [
                Self::new([inputs, 500], passes_error),
                Self::new([inputs, 50], passes_error && !i_norm),
                Self::new([50, 500], true),
            ]
            .into_iter()
            .chain(divisive)
        };
        let output = Self::new([500, 10], true);
        let layers = hidden(784, false).chain(hidden(500, true));
        layers.chain([output]).collect()
    }

    fn run(&mut self) {
        let [inputs, outputs] = self.sizes;
        let rows = Self::ROWS;
        let [x, dx] = &mut self.input;
        let [y, dy] = &mut self.output;
        // As many columns as fill vectors are not copied by the kernel.
        let vectors = outputs / 16 * 16;
        for columns in [0..vectors, vectors..outputs] {
            let w = &self.weights[columns.start..];
            let y = &mut y[columns.start..];
            let shape = [rows, columns.len(), inputs];
            multiply(
                shape,
                (y, [outputs, 1]),
                (x, [inputs, 1]),
                (w, [outputs, 1]),
            );
        }
        let shape = [inputs, outputs, rows];
        let gradient = &mut self.gradient;
        multiply(
            shape,
            (gradient, [outputs, 1]),
            (x, [1, inputs]),
            (dy, [outputs, 1]),
        );
        if self.passes_error {
            // The transpose of the error, as the weights lie in memory.
            let shape = [inputs, rows, outputs];
            multiply(
                shape,
                (dx, [rows, 1]),
                (&self.weights, [outputs, 1]),
                (dy, [1, outputs]),
            );
        }
    }

    fn update(&mut self) {
        for (w, g) in self.weights.iter_mut().zip(&self.gradient) {
            *w = (*w - 1e-9 * g).max(0.0);
        }
    }
}

/// c = a b with a of shape [m, k] and b of shape [k, n]; each with its strides.
#[allow(unsafe_code)] // The kernel's interface.
fn multiply(
    [m, n, k]: [usize; 3],
    (c, c_strides): (&mut [f32], [usize; 2]),
    (a, a_strides): (&[f32], [usize; 2]),
    (b, b_strides): (&[f32], [usize; 2]),
) {
    let holds = |len: usize, [rows, columns]: [usize; 2], strides: [usize; 2]| {
        rows * columns == 0 || (rows - 1) * strides[0] + (columns - 1) * strides[1] < len
    };
    assert!(holds(c.len(), [m, n], c_strides));
    assert!(holds(a.len(), [m, k], a_strides) && holds(b.len(), [k, n], b_strides));
    let [c_strides, a_strides, b_strides] =
        [c_strides, a_strides, b_strides].map(|strides| strides.map(|s| s as isize));
    // SAFETY: every element lies in its slice.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            c_strides[1],
            c_strides[0],
            false,
            a.as_ptr(),
            a_strides[1],
            a_strides[0],
            b.as_ptr(),
            b_strides[1],
            b_strides[0],
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

fn bench(criterion: &mut Criterion) {
    let _one_thread = one_thread();
    let device = Device::flex().autodiff();
    let x = random([32, 784], 1, &device).abs().detach();
    let labels = Tensor::<1, Int>::arange(0..32, &device) % 10;
    let mut group = criterion.benchmark_group("train_step");

    group.bench_function("burn Linear, no inhibition", |b| {
        let sizes = [784, 500, 500, 10];
        let layers = sizes
            .windows(2)
            .map(|s| LinearConfig::new(s[0], s[1]).init(&device));
        let mut network = Some(Ordinary {
            layers: layers.collect(),
        });
        let mut sgd = SgdConfig::new().init();
        b.iter(|| {
            network = network.take().map(|network| {
                let logits = network.forward(x.clone());
                let loss = smoothed_cross_entropy(logits, labels.clone(), 0.1);
                let grads = GradientsParams::from_grads(loss.backward(), &network);
                sgd.step(0.01, network, grads)
            });
        });
    });

    for condition in [
        condition::NONE,
        condition::LN_PLUS,
        condition::INORM,
        condition::INORM_FULL,
    ] {
        let config = RunConfig {
            width: 500,
            ..RunConfig::new(condition, 0)
        };
        let task = Task {
            shape: Shape {
                channels: 1,
                height: 28,
                width: 28,
            },
            classes: 10,
        };
        let network = Mlp::create(&config, task, &device, &mut generator(0, Purpose::Weights));
        let mut network = match network {
            Ok(network) => Some(network),
            Err(error) => panic!("{error}"),
        };
        group.bench_function(condition.name(), |b| {
            let mut optimizer = network.as_ref().map(|n| {
                Optimizer::new(config.optimizer, n, config.learning_rates(), config.lambda)
            });
            b.iter(|| {
                network = network
                    .take()
                    .zip(optimizer.as_mut())
                    .map(|(network, sgd)| {
                        let (network, loss) = sgd.step(network, x.clone(), labels.clone());
                        std::hint::black_box(loss);
                        network
                    });
            });
        });
    }

    for (name, i_norm) in [("products of none", false), ("products of inorm", true)] {
        group.bench_function(name, |b| {
            let mut products = Products::of_step(i_norm);
            b.iter(|| {
                products.iter_mut().for_each(Products::run);
                products.iter_mut().for_each(Products::update);
                std::hint::black_box(&products);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
