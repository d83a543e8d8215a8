//! A whole training step of the experiment: batch 32, 784-500-500-10, losses, gradients, update and
//! projection, on Flex in f32, one thread. The baseline is the same network of Burn's `Linear` layers with
//! plain SGD.

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
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
