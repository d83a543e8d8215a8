//! Reads from the device, each of which waits for it: there are none in the two passes, an optimizer's step
//! and the projection.

use std::collections::BTreeSet;
use std::path::Path;

use crate::common::table::{READS, layers};
use crate::common::{leaf, rng, setups};
use crate::masks::OPTIMIZERS;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use ei_norm::dale::{self, NonNegative, Plasticity, mask};
use ei_norm::grad::GradSentinel;
use ei_norm::{EiLinearConfig, INormLinear, INormLinearConfig, LearnedLateralConfig, device_reads};

/// The reads of this thread while `f` runs.
fn reads<T>(f: impl FnOnce() -> T) -> (usize, T) {
    let before = device_reads();
    let value = f();
    (device_reads() - before, value)
}

#[test]
fn no_layer_reads_in_its_passes_or_its_projection_nor_what_learns_in_a_step() {
    for setup in setups() {
        for row in layers() {
            let found = row.compute(&setup);
            let (_, reads) = found.iter().find(|(name, _)| name == READS).unwrap();
            assert_eq!(*reads, [0.0; 3], "{}", setup.at(&row.name));
        }
    }
}

/// A layer with a mask on a fixed matrix.
fn masked() -> INormLinear {
    let device = setups()[0].device.clone().autodiff();
    let mut layer = INormLinearConfig::new(5, 4).init(&device);
    let circuit = &mut layer.circuit;
    for weight in [&mut circuit.w_ex, &mut circuit.w_ei] {
        let mask = mask::random(weight.dims(), 0.9, &device, &mut rng(1)).unwrap();
        weight.set_mask(mask).unwrap();
    }
    layer.w_ei = layer.w_ei.clone().with_plasticity(Plasticity::Fixed);
    layer
}

#[test]
fn no_optimizer_reads_what_learns() {
    for setup in setups() {
        let device = setup.device.clone().autodiff();
        let mut plain = EiLinearConfig::new(5, 4).init(&device);
        let mask = mask::random([5, 4], 0.9, &device, &mut rng(1)).unwrap();
        plain.w_ex.set_mask(mask).unwrap();
        let square = dale::reparameterize(plain.clone(), NonNegative::Square);
        let x = setup.positive(&mut rng(2), [3, 5]);
        let x = x.cast(plain.w_ex.dtype()).autodiff();
        for (name, optimizer, rate) in OPTIMIZERS {
            for mut layer in [plain.clone(), square.clone()] {
                let mut optimizer = optimizer(&layer);
                let (found, _) = reads(|| {
                    // At the second step the optimizer has state.
                    for _ in 0..2 {
                        let grads = layer.forward(x.clone()).square().sum().backward();
                        let grads = GradientsParams::from_grads(grads, &layer);
                        layer = dale::project(optimizer.step(rate, layer.clone(), grads));
                    }
                });
                assert_eq!(found, 0, "{}", setup.at(name));
            }
        }
    }
}

#[test]
fn lateral_weights_that_learn_are_not_read() {
    let setup = &setups()[0];
    let lateral = LearnedLateralConfig::new(4).init(&setup.device.clone().autodiff());
    let z = leaf(&setup.random(&mut rng(3), [3, 4]));
    let (found, _) = reads(|| {
        lateral.forward(z).square().sum().backward();
        dale::project(lateral.adapt())
    });
    assert_eq!(found, 0);
}

#[test]
fn what_reads_is_counted_in_both_passes() {
    let layer = masked();
    let count = |module: &dyn Fn()| reads(module).0;
    assert!(count(&|| dale::check(&layer).unwrap()) > 0);
    let x = || setups()[0].positive(&mut rng(4), [3, 5]).autodiff();
    let checked = layer.clone().with_input_check("input");
    assert_eq!(count(&|| drop(checked.forward(x()))), 1);
    let sentinel = GradSentinel::new();
    let z: Tensor<2> = sentinel.watch(layer.forward(x()), "z");
    let (found, _) = reads(|| z.sum().backward());
    assert_eq!(found, 1);
    // A fixed matrix is read again after a change.
    assert!(count(&|| drop(layer.clone().load_record(layer.clone().into_record()))) > 0);
}

/// The counter sees every read because no other code of the library reads.
#[test]
fn every_read_goes_through_one_file() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/ei-norm/src")];
    let mut readers = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            let code = |line: &&str| !line.trim_start().starts_with("//");
            let reads = |line: &str| {
                ["into_data", "to_data", "into_scalar"]
                    .iter()
                    .any(|method| line.contains(&format!(".{method}")))
            };
            if source.lines().filter(code).any(reads) {
                readers.insert(path.file_name().unwrap().to_owned());
            }
        }
    }
    assert_eq!(readers, BTreeSet::from(["read.rs".into()]));
}
