//! The layers, forward and backward, against Burn's `Linear` and `LayerNorm` of the same size.
//!
//! Each measurement is a forward pass and a backward pass with the gradients of the input and of all
//! parameters. All on Flex in f32, one thread.

use burn::nn::{LayerNormConfig, LinearConfig};
use burn::tensor::{Device, Tensor};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ei_norm::{EiLinearConfig, INormLinearConfig, InhibitoryPlasticity};
use ei_norm_suite::bench::{one_thread, random};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Batch, input and output features.
const SHAPES: [[usize; 3]; 3] = [[32, 64, 64], [32, 500, 500], [2048, 500, 500]];

fn bench(criterion: &mut Criterion) {
    let _one_thread = one_thread();
    let device = Device::flex().autodiff();
    for [batch, d_input, d_output] in SHAPES {
        let id = format!("{batch}x{d_input}x{d_output}");
        let x = random([batch, d_input], 1, &device).abs().detach();
        let x = x.require_grad();
        let upstream = random([batch, d_output], 2, &device);
        let step = |z: Tensor<2>| (z * upstream.clone()).sum().backward();

        let mut group = criterion.benchmark_group("layers");
        let linear = LinearConfig::new(d_input, d_output).init(&device);
        group.bench_function(BenchmarkId::new("burn Linear", &id), |b| {
            b.iter(|| step(linear.forward(x.clone())));
        });
        let norm = LayerNormConfig::new(d_output).init(&device);
        group.bench_function(BenchmarkId::new("burn Linear + LayerNorm", &id), |b| {
            b.iter(|| step(norm.forward(linear.forward(x.clone()))));
        });
        let ei = EiLinearConfig::new(d_input, d_output).init(&device);
        group.bench_function(BenchmarkId::new("EiLinear", &id), |b| {
            b.iter(|| step(ei.forward(x.clone())));
        });
        let general = InhibitoryPlasticity {
            u_ei: true,
            ..InhibitoryPlasticity::of_paper(true)
        };
        for (name, plasticity) in [
            ("INormLinear, uniform U_ei", None),
            ("INormLinear, U_ei that learns", Some(general)),
        ] {
            let layer = INormLinearConfig::new(d_input, d_output)
                .with_plasticity(plasticity)
                .init(&device);
            group.bench_function(BenchmarkId::new(name, &id), |b| {
                b.iter(|| {
                    let (z, local) = layer.forward_with_local_loss(x.clone());
                    ((z * upstream.clone()).sum() + local).backward()
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
