//! GradNorm, forward and backward, against plain tensor operations and a copy of its bytes.
//!
//! `backward/*` times the normalization of an error as the hook runs it; `step/*` a forward and a
//! backward pass through one hook, against the same without it. All on Flex in f32, one thread.

use std::hint::black_box;

use burn::tensor::{Device, Tensor, TensorData};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ei_norm::GradNormMode;
use ei_norm::grad::grad_norm;
use ei_norm_suite::bench::{one_thread, random};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SHAPES: [[usize; 2]; 2] = [[32, 500], [8192, 1024]];
const EPSILON: f64 = 1e-5;

/// As a user would write LayerNorm's backward pass in tensor operations.
fn plain(z: Tensor<2>, delta: Tensor<2>) -> Tensor<2> {
    let (var, _) = z.clone().var_mean_bias(1);
    let sigma = (var + EPSILON).sqrt();
    let mean = delta.clone().mean_dim(1);
    let along = (delta.clone() * z.clone()).mean_dim(1);
    (delta - mean - z * along) / sigma
}

fn bench(criterion: &mut Criterion) {
    let _one_thread = one_thread();
    let device = Device::flex();
    for shape in SHAPES {
        let id = format!("{}x{}", shape[0], shape[1]);
        let (z, delta) = (random(shape, 1, &device), random(shape, 2, &device));
        let weights = Tensor::<1>::full([shape[1]], 1.0 / shape[1] as f64, &device);

        let mut group = criterion.benchmark_group("backward");
        for mode in GradNormMode::ALL {
            group.bench_function(BenchmarkId::new(mode.name(), &id), |b| {
                b.iter(|| {
                    mode.apply(
                        z.clone(),
                        black_box(delta.clone()),
                        Some(weights.clone()),
                        EPSILON,
                    )
                });
            });
        }
        group.bench_function(
            BenchmarkId::new("plain tensor operations (full)", &id),
            |b| {
                b.iter(|| plain(z.clone(), black_box(delta.clone())));
            },
        );
        group.bench_function(BenchmarkId::new("three copies", &id), |b| {
            let data: Vec<f32> = delta.to_data().iter::<f32>().collect();
            b.iter(|| {
                for _ in 0..3 {
                    black_box(TensorData::new(black_box(&data).clone(), shape));
                }
            });
        });
        group.finish();

        let mut group = criterion.benchmark_group("step");
        let leaf = z.clone().autodiff().require_grad();
        for mode in [GradNormMode::Identity, GradNormMode::Full] {
            group.bench_function(BenchmarkId::new(mode.name(), &id), |b| {
                b.iter(|| {
                    let out = grad_norm(leaf.clone() * 2.0, mode, None, EPSILON);
                    out.sum().backward()
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
