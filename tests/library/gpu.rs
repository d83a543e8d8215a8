//! The library on a GPU, or on software Vulkan in place of a GPU: with `--features wgpu`.
#![cfg(feature = "wgpu")]

use crate::common::formulas::{self, apply, formula, pair, weights};
use crate::common::{Setup, assert_close, gpu, rng, values};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor, capture};
use ei_norm::optim::ProjectedSgd;
use ei_norm::prelude::*;
use luminosity::data::{Dataset, Selection};
use luminosity::{DeviceName, Network, RunConfig, condition, run};
use std::ops::ControlFlow;
use std::sync::Mutex;

#[test]
fn the_kernel_is_right_for_every_shape() {
    formulas::check_shapes(&gpu());
}

#[test]
fn the_kernel_is_right_for_every_layout() {
    formulas::check_layouts(&gpu());
    formulas::check_one_tensor_for_both(&gpu());
}

#[test]
fn the_kernel_rounds_no_more_than_the_formulas() {
    let precise = Setup {
        name: "flex",
        device: Device::flex(),
        dtype: DType::F64,
        tolerance: 1e-12,
    };
    for offset in [0.0, 1e4] {
        formulas::check_precision(&gpu(), &precise, offset);
    }
}

#[test]
fn the_kernel_takes_more_rows_than_a_launch_has_cubes_along_an_axis() {
    let gpu = gpu();
    let [z, delta] = pair(&gpu, &mut rng(1), [70_000, 129]);
    let weights = weights(&gpu, 129);
    let mode = GradNormMode::Full;
    let expected = formula(mode, z.clone(), delta.clone(), weights.clone());
    let found = apply(mode, z, delta, weights);
    assert_close(&values(&found), &values(&expected), gpu.tolerance, "full");
}

#[test]
fn the_kernel_takes_empty_tensors() {
    let gpu = gpu();
    for shape in [[0, 7], [3, 0]] {
        let [z, delta] = pair(&gpu, &mut rng(1), shape);
        let found = apply(GradNormMode::Full, z, delta, weights(&gpu, shape[1]));
        assert_eq!(found.dims(), shape);
    }
}

#[test]
fn half_precision_is_computed_in_single() {
    let gpu = gpu();
    if !gpu.device.supports_dtype(DType::F16) {
        println!("no F16 on this device");
        return;
    }
    let [z, delta] = pair(&gpu, &mut rng(2), [5, 300]);
    let (z, delta) = (z.cast(DType::F16), delta.cast(DType::F16));
    let weights = weights(&gpu, 300).cast(DType::F16);
    let single = |x: &burn::tensor::Tensor<2>| x.clone().cast(DType::F32);
    for mode in GradNormMode::ALL {
        let wide = weights.clone().cast(DType::F32);
        let expected = formula(mode, single(&z), single(&delta), wide);
        let found = apply(mode, z.clone(), delta.clone(), weights.clone());
        assert_eq!(found.dtype(), DType::F16);
        // Half a unit in the last place of F16's 11 bits, and a small margin.
        let tolerance = 1.1 * 2.0_f64.powi(-11);
        assert_close(&values(&found), &values(&expected), tolerance, mode.name());
    }
}

/// Checks that a training step can be recorded: a device records no read and no tensor from the host.
fn assert_recordable<M: Module>(name: &str, module: &M, loss: impl Fn(&M) -> Tensor<1>) {
    let recorded = capture(&gpu().device, || {
        let grads = GradientsParams::from_grads(loss(module).backward(), module);
        ProjectedSgd.init().step(0.1, module.clone(), grads)
    });
    assert!(recorded.is_hardware(), "{name}");
}

macro_rules! recordable {
    ($($config:ident ($($size:expr),*) $shape:expr, |$layer:ident, $x:ident| $loss:expr;)*) => {
        $({
            let device = gpu().device.autodiff();
            let layer = $config::new($($size),*).try_init_with(&device, &mut rng(1)).unwrap();
            let x = gpu().positive(&mut rng(2), $shape).autodiff();
            assert_recordable(stringify!($config), &layer, |$layer| {
                let $x = x.clone();
                $loss.square().sum()
            });
        })*
    };
}

#[test]
fn no_step_of_a_layer_reads_or_sends() {
    recordable! {
        EiLinearConfig(6, 5) [3, 6], |layer, x| layer.forward(x);
        ShuntingLinearConfig(6, 5) [3, 6], |layer, x| layer.forward(x);
        ColumnEiLinearConfig(6, 5) [3, 6], |layer, x| layer.forward(x);
        INormLinearConfig(6, 5) [3, 6], |layer, x| {
            let (z, local) = layer.forward_with_local_loss(x);
            z + local.unsqueeze()
        };
        EiConv2dConfig([3, 4], [2, 3]) [2, 3, 5, 4], |layer, x| layer.forward(x);
        ShuntingConv2dConfig([3, 4], [2, 3]) [2, 3, 5, 4], |layer, x| layer.forward(x);
        ColumnEiConv2dConfig([3, 4], [2, 3]) [2, 3, 5, 4], |layer, x| layer.forward(x);
        INormConv2dConfig([3, 4], [2, 3]) [2, 3, 5, 4], |layer, x| {
            let (z, local) = layer.forward_with_local_loss(x);
            z + local.unsqueeze()
        };
        EiRnnConfig(4, 5) [2, 3, 4], |layer, x| layer.forward(x, None).0;
        ShuntingRnnConfig(4, 5) [2, 3, 4], |layer, x| layer.forward(x, None).0;
        ColumnEiRnnConfig(4, 5) [2, 3, 4], |layer, x| layer.forward(x, None).0;
        INormRnnConfig(4, 5) [2, 3, 4], |layer, x| {
            let (states, _, local) = layer.forward_with_local_loss(x, None);
            states + local.unsqueeze()
        };
    }
}

/// Held by a test that trains: a step is recorded only if there is one run on a GPU.
static TRAINS: Mutex<()> = Mutex::new(());

#[test]
fn losses_follow_those_of_the_cpu() {
    let _alone = TRAINS.lock();
    let data = Dataset::load(&Selection::Default).unwrap();
    let networks = ["mlp", "conv", "rnn"].map(|name| name.parse::<Network>().unwrap());
    let [mlp, conv, rnn] = networks;
    // Training amplifies rounding, most of all with forward-only normalization: there two CPU backends
    // diverge as early and as far as these two.
    for (network, width, lr_ix, condition, steps) in [
        (mlp, 50, 0.1, condition::E_ONLY_LN_PLUS, 60),
        (mlp, 50, 0.1, condition::INORM_FULL, 60),
        (mlp, 50, 0.1, condition::INORM, 10),
        (conv, 6, 1e-3, condition::INORM_FULL, 12),
        (rnn, 40, 1e-3, condition::INORM_FULL, 12),
        (rnn, 40, 1e-3, condition::LN_PLUS, 12),
    ] {
        let config = RunConfig {
            max_steps: Some(steps),
            width,
            lr: 0.003,
            lr_ix,
            ..RunConfig::of(network, condition, 5)
        };
        let trained =
            |device| run::run(&config, &data, device, &mut |_| ControlFlow::Continue(())).unwrap();
        let (cpu, gpu) = (trained(DeviceName::Flex), trained(DeviceName::Wgpu));
        assert_eq!(
            gpu.record.timing.replayed,
            Some(steps - 8),
            "{network}, {condition}"
        );
        assert_eq!((cpu.losses.len(), gpu.losses.len()), (steps, steps));
        for (step, (cpu, gpu)) in cpu.losses.iter().zip(&gpu.losses).enumerate() {
            assert!(
                (cpu - gpu).abs() < 1e-2,
                "{network}, {condition}, step {step}: {cpu} and {gpu}"
            );
        }
    }
}

#[test]
fn a_population_learns_as_on_the_cpu() {
    let _alone = TRAINS.lock();
    let data = Dataset::load(&Selection::Default).unwrap();
    // The other conditions amplify rounding too much for two epochs and for learning rates like these.
    let stable = [condition::INORM_FULL, condition::LN_PLUS];
    // Rules that learn or are custom are not recorded.
    let anew = [condition::INORM_LEARNED_LATERAL, condition::INORM_LN];
    let [mlp, conv, rnn] = ["mlp", "conv", "rnn"].map(|name| name.parse::<Network>().unwrap());
    let of_mlp = condition::PAPER.into_iter().chain(anew);
    let others = [conv, rnn].into_iter().flat_map(|n| stable.map(|c| (n, c)));
    for (network, condition) in of_mlp.map(|c| (mlp, c)).chain(others) {
        // The first eight steps are not replayed, nor is the 34th, whose batch is smaller.
        let (steps, replayed, epochs, lr) = match network == mlp && stable.contains(&condition) {
            true => (50, 41, 2, 0.003),
            false => (12, 4, 1, 0.0003),
        };
        let replayed = (!anew.contains(&condition)).then_some(replayed);
        let config = |seed, width| RunConfig {
            max_steps: Some(steps),
            batch_size: if network == mlp { 300 } else { 30 },
            epochs,
            width,
            lr,
            lr_ei: lr,
            lr_ix: if network == mlp { 30.0 * lr } else { lr },
            ..RunConfig::of(network, condition, seed)
        };
        let configs = match network == conv {
            true => [config(0, 6), config(1, 4)],
            false => [config(0, 30), config(1, 17)],
        };
        let records = |device| {
            let configs: Vec<&RunConfig> = configs.iter().collect();
            run::run_population(&configs, &data, device, &mut |_| ControlFlow::Continue(()))
                .unwrap()
        };
        let (gpu, cpu) = (records(DeviceName::Wgpu), records(DeviceName::Flex));
        for (gpu, cpu) in gpu.iter().zip(&cpu) {
            assert_eq!((gpu.steps, gpu.timing.replayed), (steps, replayed));
            assert_eq!((gpu.history.len(), cpu.timing.replayed), (epochs, None));
            for (gpu, cpu) in gpu.history.iter().zip(&cpu.history) {
                let (gpu, cpu) = (gpu.train_loss, cpu.train_loss);
                let at = format!("{network}, {condition}");
                assert!((gpu - cpu).abs() < 2e-3, "{at}: {gpu} and {cpu}");
            }
        }
    }
}
