//! GradNorm in f32: on Flex forward, backward, and both in one step, with one thread and with all; on a GPU,
//! if one is compiled in and available, backward only.
//!
//! `forward/*` is the hook alone, compared with a copy of its bytes, which it does not make. `backward/*` is
//! the normalization of an error as in the hook, in the memory of an error with a single owner or in new
//! memory. The baselines are the same in plain tensor operations, and copies that move the minimum number of
//! bytes: z and δ are read and δ' is written, so copies of one and a half such tensors, into kept or new
//! memory. `modes/*` compares the modes, `step/*` a forward and a backward pass with and without the hook.

use std::hint::black_box;
use std::time::Instant;

use burn::tensor::{Device, Tensor};
use criterion::{
    BatchSize, BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main,
    measurement::WallTime,
};
use ei_norm::grad::normalize_grad;
use ei_norm::{GradNormMode, functional};
use ei_norm_suite::bench::{one_thread, random};
use luminosity::DeviceName;
use rayon::prelude::*;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SHAPES: [[usize; 2]; 2] = [[32, 500], [8192, 1024]];
const EPSILON: f64 = 1e-5;

/// z, δ and lateral weights of one shape.
struct Case {
    id: String,
    z: Tensor<2>,
    delta: Tensor<2>,
    weights: Tensor<1>,
}

impl Case {
    fn new(shape: [usize; 2], threads: &str) -> Self {
        Self::on(&Device::flex(), shape, threads)
    }

    fn on(device: &Device, shape: [usize; 2], by: &str) -> Self {
        let [rows, features] = shape;
        Self {
            id: format!("{rows}x{features}, {by}"),
            z: random(shape, 1, device),
            delta: random(shape, 2, device),
            weights: Tensor::full([features], 1.0 / features as f64, device),
        }
    }

    fn apply(&self, mode: GradNormMode, delta: Tensor<2>) -> Tensor<2> {
        mode.apply(self.z.clone(), delta, Some(self.weights.clone()), EPSILON)
    }

    fn values(&self) -> Vec<f32> {
        self.delta.to_data().iter::<f32>().collect()
    }

    /// δ in memory with a single owner.
    fn unshared(&self) -> Tensor<2> {
        self.delta.clone() * 1.0
    }
}

/// Times `f` on an unshared error.
fn in_place(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    case: &Case,
    f: impl Fn(Tensor<2>) -> Tensor<2>,
) {
    group.bench_function(BenchmarkId::new(name, &case.id), |b| {
        b.iter_batched(|| case.unshared(), &f, BatchSize::PerIteration);
    });
}

/// Copies `from` over the beginning of `to`, with all threads of the pool if it is large.
fn copy(from: &[f32], to: &mut [f32]) {
    const PIECE: usize = 1 << 18;
    if from.len() <= PIECE || rayon::current_num_threads() == 1 {
        to[..from.len()].copy_from_slice(from);
    } else {
        let pieces = to.par_chunks_mut(PIECE).zip(from.par_chunks(PIECE));
        pieces.for_each(|(to, from)| to[..from.len()].copy_from_slice(from));
    }
}

/// The mode `full` in plain tensor operations.
fn full(z: Tensor<2>, delta: Tensor<2>) -> Tensor<2> {
    let along = functional::mean(delta.clone() * z.clone());
    let offset = functional::mean(delta.clone());
    (delta - offset - z.clone() * along) / functional::row_std(z, EPSILON)
}

fn backward(criterion: &mut Criterion, case: &Case) {
    let mut group = criterion.benchmark_group("backward");
    let kernel = |delta| case.apply(GradNormMode::Full, delta);
    let plain = |delta| full(case.z.clone(), delta);
    in_place(&mut group, "kernel, in place", case, kernel);
    in_place(&mut group, "plain tensor operations, in place", case, plain);
    group.bench_function(BenchmarkId::new("kernel", &case.id), |b| {
        b.iter(|| kernel(case.delta.clone()))
    });
    group.bench_function(BenchmarkId::new("plain tensor operations", &case.id), |b| {
        b.iter(|| plain(case.delta.clone()))
    });
    let values = case.values();
    let half = &values[..values.len() / 2];
    group.bench_function(
        BenchmarkId::new("copies of 3x bytes, kept", &case.id),
        |b| {
            let mut to = values.clone();
            b.iter(|| {
                copy(black_box(&values), &mut to);
                copy(black_box(half), black_box(&mut to));
            });
        },
    );
    group.bench_function(
        BenchmarkId::new("copies of 3x bytes, fresh", &case.id),
        |b| {
            b.iter(|| {
                let mut to = vec![0.0; values.len()];
                copy(black_box(&values), &mut to);
                let mut rest = vec![0.0; half.len()];
                copy(black_box(half), &mut rest);
                (to, rest)
            });
        },
    );
    group.finish();
}

fn modes(criterion: &mut Criterion, case: &Case) {
    let mut group = criterion.benchmark_group("modes");
    for mode in GradNormMode::ALL {
        in_place(&mut group, mode.name(), case, |delta| {
            case.apply(mode, delta)
        });
    }
    group.finish();
}

fn forward(criterion: &mut Criterion, case: &Case) {
    let mut group = criterion.benchmark_group("forward");
    let leaf = case.z.clone().autodiff().require_grad();
    group.bench_function(BenchmarkId::new("full", &case.id), |b| {
        b.iter(|| normalize_grad(leaf.clone(), GradNormMode::Full, None, EPSILON))
    });
    let values = case.values();
    group.bench_function(BenchmarkId::new("a copy", &case.id), |b| {
        let mut to = values.clone();
        b.iter(|| copy(black_box(&values), black_box(&mut to)));
    });
    group.finish();
}

fn step(criterion: &mut Criterion, case: &Case) {
    let mut group = criterion.benchmark_group("step");
    let leaf = case.z.clone().autodiff().require_grad();
    for mode in [GradNormMode::Identity, GradNormMode::Full] {
        group.bench_function(BenchmarkId::new(mode.name(), &case.id), |b| {
            b.iter(|| {
                let out = normalize_grad(leaf.clone() * 2.0, mode, None, EPSILON);
                (out * case.delta.clone()).sum().backward()
            });
        });
    }
    group.finish();
}

/// Times the kernel and plain tensor operations, many calls at a time, because a launch does not wait for its
/// end.
fn on_gpu(criterion: &mut Criterion, device: &Device, case: &Case) {
    const LAUNCHES: u32 = 100;
    let mut group = criterion.benchmark_group("on a GPU");
    let mut time = |name: &str, f: &dyn Fn() -> Tensor<2>| {
        group.bench_function(BenchmarkId::new(name, &case.id), |b| {
            b.iter_custom(|times| {
                let started = Instant::now();
                for _ in 0..times * u64::from(LAUNCHES) {
                    black_box(f());
                }
                if let Err(error) = device.sync() {
                    panic!("{error:?}");
                }
                started.elapsed() / LAUNCHES
            });
        });
    };
    time("kernel", &|| {
        case.apply(GradNormMode::Full, case.delta.clone())
    });
    time("plain tensor operations", &|| {
        full(case.z.clone(), case.delta.clone())
    });
    group.finish();
}

fn bench(criterion: &mut Criterion) {
    let gpus = DeviceName::ALL.map(|(device, _)| device).into_iter();
    let gpus = gpus.filter(|name| name.is_gpu());
    for (name, device) in gpus.filter_map(|name| Some((name, name.open().ok()?))) {
        for shape in SHAPES {
            on_gpu(criterion, &device, &Case::on(&device, shape, name.name()));
        }
    }
    let all = format!("{} threads", rayon::current_num_threads());
    for shape in SHAPES {
        backward(criterion, &Case::new(shape, &all));
    }
    let _one_thread = one_thread();
    for shape in SHAPES {
        let case = Case::new(shape, "1 thread");
        forward(criterion, &case);
        backward(criterion, &case);
        modes(criterion, &case);
        step(criterion, &case);
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
