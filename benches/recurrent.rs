//! The recurrent layers over a sequence, forward and backward, against Burn's `Rnn` of the same size and
//! against their cells in plain autodiff, step by step.
//!
//! Each measurement is a forward pass and a backward pass with the gradients of the inputs and of all
//! parameters. All on Flex in f32, one thread.

use burn::nn::RnnConfig;
use burn::nn::activation::ActivationConfig;
use burn::tensor::{Device, Tensor};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ei_norm::{EiRnnConfig, INormRnnConfig};
use ei_norm_suite::bench::{one_thread, random};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Batch, steps, input features, neurons.
const SHAPES: [[usize; 4]; 2] = [[32, 20, 50, 100], [32, 100, 50, 100]];

fn bench(criterion: &mut Criterion) {
    let _one_thread = one_thread();
    let device = Device::flex().autodiff();
    for [batch, steps, d_input, d_hidden] in SHAPES {
        let id = format!("{batch}x{steps}x{d_input}x{d_hidden}");
        let x = random([batch * steps, d_input], 1, &device).abs().detach();
        let x: Tensor<3> = x.reshape([batch, steps, d_input]);
        let x = x.require_grad();
        let upstream: Tensor<3> =
            random([batch * steps, d_hidden], 2, &device).reshape([batch, steps, d_hidden]);
        let loss = |states: Tensor<3>| (states * upstream.clone()).sum();
        let step = |index: usize| x.clone().narrow(1, index, 1).squeeze_dim(1);

        let mut group = criterion.benchmark_group("recurrent");
        group.sample_size(20);
        let rnn = RnnConfig::new(d_input, d_hidden, true)
            .with_hidden_activation(ActivationConfig::Relu)
            .init(&device);
        group.bench_function(BenchmarkId::new("burn Rnn", &id), |b| {
            b.iter(|| loss(rnn.forward(x.clone(), None).0).backward());
        });
        let ei = EiRnnConfig::new(d_input, d_hidden).init(&device);
        group.bench_function(BenchmarkId::new("EiRnn", &id), |b| {
            b.iter(|| loss(ei.forward(x.clone(), None).0).backward());
        });
        group.bench_function(BenchmarkId::new("EiRnn, step by step", &id), |b| {
            b.iter(|| {
                let mut state = None;
                let mut states = Vec::with_capacity(steps);
                for index in 0..steps {
                    let next = ei.step(step(index), state);
                    states.push(next.hidden());
                    state = Some(next);
                }
                loss(Tensor::stack(states, 1)).backward()
            });
        });
        let i_norm = INormRnnConfig::new(d_input, d_hidden).init(&device);
        group.bench_function(BenchmarkId::new("INormRnn", &id), |b| {
            b.iter(|| {
                let (states, _, local) = i_norm.forward_with_local_loss(x.clone(), None);
                (loss(states) + local).backward()
            });
        });
        group.bench_function(BenchmarkId::new("INormRnn, step by step", &id), |b| {
            b.iter(|| {
                let mut state = None;
                let (mut states, mut locals) = (Vec::new(), Vec::new());
                for index in 0..steps {
                    let (next, local) = i_norm.step_with_local_loss(step(index), state);
                    states.push(next.hidden());
                    locals.push(local);
                    state = Some(next);
                }
                (loss(Tensor::stack(states, 1)) + Tensor::cat(locals, 0).mean()).backward()
            });
        });
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
