//! The library on a GPU, or on the software Vulkan that stands in for one: with `--features wgpu`.
#![cfg(feature = "wgpu")]

use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::DType;
use ei_norm_suite::golden;
use luminosity::data::{Dataset, Selection};
use luminosity::{Condition, DeviceName, RunConfig, run};

#[test]
fn golden_cases_in_f32() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let cases = golden::read_folder(&folder).unwrap();
    let device = DeviceName::Wgpu.open().unwrap();
    let failed: Vec<_> = cases
        .iter()
        .map(|case| golden::run(case, &device, DType::F32, true))
        .filter(|verdict| !verdict.passed())
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn losses_follow_those_of_the_cpu() {
    let data = Dataset::load(&Selection::Default).unwrap();
    // Training amplifies every rounding, forward-only normalization most of all: there two CPU
    // backends part as early and as far as these two.
    for (condition, steps) in [
        (Condition::EOnlyLnPlus, 60),
        (Condition::INormFull, 60),
        (Condition::INorm, 10),
    ] {
        let config = RunConfig {
            max_steps: Some(steps),
            width: 50,
            lr: 0.003,
            lr_ix: 0.1,
            ..RunConfig::new(condition, 5)
        };
        let losses = |device| {
            run::run(&config, &data, device, &mut |_| ControlFlow::Continue(()))
                .unwrap()
                .losses
        };
        let (cpu, gpu) = (losses(DeviceName::Flex), losses(DeviceName::Wgpu));
        assert_eq!((cpu.len(), gpu.len()), (steps, steps));
        for (step, (cpu, gpu)) in cpu.iter().zip(&gpu).enumerate() {
            assert!(
                (cpu - gpu).abs() < 1e-2,
                "{condition}, step {step}: {cpu} and {gpu}"
            );
        }
    }
}
