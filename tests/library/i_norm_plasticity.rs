//! The inhibitory matrices of an `INormLinear` that learn, from which loss; no operation on a module changes
//! this choice.

use crate::common::circuits::{Divisive, EVERYTHING, i_norm};
use crate::common::{leaf, parameters, rng, setups, values};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Device;
use ei_norm::dale::{Plasticity, Weight};
use ei_norm::{GradNormMode, INormLinear, INormLinearConfig, InhibitoryPlasticity};

fn layer(plasticity: Option<InhibitoryPlasticity>, divisive: bool, device: &Device) -> INormLinear {
    INormLinearConfig::new(6, 5)
        .with_divisive(divisive)
        .with_plasticity(plasticity)
        .try_init_with(device, &mut rng(1))
        .unwrap()
}

/// W_ix, W_ei, U_ix, U_ei.
fn matrices(layer: &INormLinear) -> [Option<&Weight<2>>; 4] {
    [
        Some(&layer.w_ix),
        Some(&layer.w_ei),
        layer.u_ix.as_ref(),
        layer.u_ei.as_ref(),
    ]
}

fn plasticity([w_ix, w_ei, u_ix, u_ei]: [bool; 4]) -> InhibitoryPlasticity {
    InhibitoryPlasticity {
        w_ix,
        w_ei,
        u_ix,
        u_ei,
    }
}

/// The gradients of task and local loss, as an optimizer receives them.
fn gradients(layer: &INormLinear) -> GradientsParams {
    let device = layer.w_ex.device().inner();
    let setup = setups()
        .into_iter()
        .find(|setup| setup.device == device)
        .unwrap();
    let x = setup.positive(&mut rng(1), [4, 6]);
    let (out, local) = layer.forward_with_local_loss(x);
    let upstream = setup.random(&mut rng(2), [4, 5]);
    let loss = (out * upstream).sum() + local;
    GradientsParams::from_grads(loss.backward(), layer)
}

/// Fails unless exactly these of the four matrices learn.
#[track_caller]
fn assert_learning(layer: &INormLinear, learns: [bool; 4], at: &str) {
    let grads = gradients(layer);
    for (index, (weight, learns)) in matrices(layer).into_iter().zip(learns).enumerate() {
        let Some(weight) = weight else {
            assert!(!learns);
            continue;
        };
        let expected = if learns {
            Plasticity::Plastic
        } else {
            Plasticity::Fixed
        };
        assert_eq!(weight.plasticity(), expected, "{at} {index}");
        assert_eq!(weight.is_require_grad(), learns, "{at} {index}");
        assert_eq!(weight.val().is_tracked(), learns, "{at} {index}");
        let gradient = grads.get::<2>(weight.id);
        assert_eq!(gradient.is_some(), learns, "{at} {index}");
        if let Some(gradient) = gradient {
            assert!(values(&gradient).iter().any(|g| *g != 0.0), "{at} {index}");
        }
    }
    assert!(grads.get::<2>(layer.w_ex.id).is_some(), "{at} w_ex");
    assert!(
        grads.get::<1>(layer.bias.as_ref().unwrap().id).is_some(),
        "{at} bias"
    );
}

const DIVISIVE: [bool; 4] = [true, false, true, false];
const SUBTRACTIVE: [bool; 4] = [true, true, false, false];

#[test]
fn by_default_the_matrices_of_the_paper_learn() {
    let device = Device::flex().autodiff();
    assert_learning(&layer(None, true, &device), DIVISIVE, "divisive");
    assert_learning(&layer(None, false, &device), SUBTRACTIVE, "subtractive");
    assert_eq!(InhibitoryPlasticity::of_paper(true), plasticity(DIVISIVE));
    assert_eq!(
        InhibitoryPlasticity::of_paper(false),
        plasticity(SUBTRACTIVE)
    );
}

#[test]
fn any_choice_of_matrices_can_learn() {
    let device = Device::flex().autodiff();
    for bits in 0..16 {
        let learns = [1, 2, 4, 8].map(|bit| bits & bit != 0);
        let layer = layer(Some(plasticity(learns)), true, &device);
        assert_learning(&layer, learns, &format!("{learns:?}"));
    }
}

/// An operation on a module.
type Event = (&'static str, fn(INormLinear, &Device) -> INormLinear);

const EVENTS: [Event; 12] = [
    ("clone", |layer, _| layer.clone()),
    ("valid, train", |layer, _| layer.valid().train()),
    ("fork", |layer, device| layer.fork(device)),
    ("valid, fork, train", |layer, device| {
        layer.valid().fork(device).train()
    }),
    ("unfreeze", |layer, _| layer.unfreeze()),
    ("freeze, unfreeze", |layer, _| layer.freeze().unfreeze()),
    ("unfreeze while valid", |layer, _| {
        layer.valid().unfreeze().train()
    }),
    ("set_require_grad", |layer, _| {
        layer.no_grad().set_require_grad(true)
    }),
    ("materialize", |layer, _| layer.materialize()),
    ("project", |layer, _| ei_norm::dale::project(layer)),
    ("project while valid", |layer, _| {
        ei_norm::dale::project(layer.valid()).train()
    }),
    ("all", |layer, device| {
        layer.unfreeze().valid().fork(device).train().unfreeze()
    }),
];

#[test]
fn nothing_that_happens_to_a_module_changes_what_learns() {
    for setup in setups() {
        let device = setup.device.autodiff();
        for learns in [DIVISIVE, [false, true, false, true], [true; 4], [false; 4]] {
            for (event, happen) in EVENTS {
                let before = layer(Some(plasticity(learns)), true, &device);
                let after = happen(before.clone(), &device);
                let at = format!("{} {event} {learns:?}", setup.name);
                assert_learning(&after, learns, &at);
                for (after, before) in matrices(&after).into_iter().zip(matrices(&before)) {
                    let (after, before) = (after.unwrap(), before.unwrap());
                    assert_eq!(after.id, before.id, "{at}");
                    assert_eq!(values(&after.val()), values(&before.val()), "{at}");
                }
            }
        }
    }
}

#[test]
fn a_record_does_not_change_what_learns() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("layer.bpk");
    for setup in setups() {
        let device = setup.device.autodiff();
        let source = layer(Some(plasticity([true; 4])), true, &device);
        for learns in [DIVISIVE, [false, true, false, true]] {
            let target = || layer(Some(plasticity(learns)), true, &device);
            let loaded = target().load_record(source.clone().into_record());
            assert_learning(&loaded, learns, "record");
            source.clone().save_file(&file).unwrap();
            let loaded = target().load_file(&file);
            assert_learning(&loaded, learns, "file");
            assert_learning(&target().valid().load_file(&file).train(), learns, "valid");
            let source = matrices(&source).map(|w| w.unwrap().id);
            assert_eq!(matrices(&loaded).map(|w| w.unwrap().id), source);
        }
    }
}

#[test]
fn with_plasticity_makes_a_weight_learn_or_not() {
    let device = Device::flex().autodiff();
    let mut layer = layer(None, true, &device);
    let ids = matrices(&layer).map(|w| w.unwrap().id);
    let circuit = &mut layer.circuit;
    circuit.w_ix = circuit.w_ix.clone().with_plasticity(Plasticity::Fixed);
    circuit.w_ei = circuit.w_ei.clone().with_plasticity(Plasticity::Plastic);
    let u_ei = circuit.u_ei.take();
    circuit.u_ei = u_ei.map(|w| w.with_plasticity(Plasticity::Plastic));
    assert_learning(&layer, [false, true, true, true], "changed");
    assert_learning(
        &layer.clone().valid().train(),
        [false, true, true, true],
        "train",
    );
    assert_eq!(matrices(&layer).map(|w| w.unwrap().id), ids);
}

#[test]
fn the_task_and_the_local_loss_do_not_reach_each_other() {
    for setup in setups() {
        for divisive in Divisive::ALL {
            let mode = GradNormMode::Full;
            let weights = i_norm(&setup, &mut rng(1), [6, 5], divisive, EVERYTHING, mode);
            let layer = INormLinear::from_weights(weights).unwrap();
            let x = leaf(&setup.positive(&mut rng(2), [4, 6]));
            let upstream = setup.random(&mut rng(3), [4, 5]);
            for is_task in [true, false] {
                let loss = match is_task {
                    true => (layer.forward(x.clone()) * upstream.clone()).sum(),
                    false => layer.forward_with_local_loss(x.clone()).1,
                };
                let grads = loss.backward();
                let at = setup.at((divisive, is_task));
                assert_eq!(x.grad(&grads).is_some(), is_task, "{at}");
                for (name, grad) in parameters::gradients(&layer, &grads) {
                    let of_task = matches!(name.as_str(), "w_ex" | "bias");
                    assert_eq!(grad.is_some(), of_task == is_task, "{at} {name}");
                }
            }
        }
    }
}
