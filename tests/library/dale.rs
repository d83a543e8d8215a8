//! Dale's law: the parameters that `project` changes and those that it does not change.

use crate::common::circuits::{Divisive, ei, i_norm};
use crate::common::parameters::Affine;
use crate::common::{Setup, assert_same, rng, setups, values};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use ei_norm::dale::{self, Plasticity, Sign, Weight};
use ei_norm::{EiLinear, GradNormMode, INormLinear, InhibitoryPlasticity};

/// A layer whose weights have both signs.
fn signed(setup: &Setup, seed: u64) -> EiLinear {
    let weights = ei(setup, &mut rng(seed), [4, 2, 3]);
    EiLinear::from_weights(weights)
        .unwrap()
        .map(&mut Affine::shift(-0.5))
}

fn signed_i_norm(setup: &Setup, seed: u64) -> INormLinear {
    let (of_paper, mode) = (InhibitoryPlasticity::of_paper(true), GradNormMode::Lateral);
    let weights = i_norm(
        setup,
        &mut rng(seed),
        [4, 3],
        Divisive::Mixed,
        of_paper,
        mode,
    );
    INormLinear::from_weights(weights)
        .unwrap()
        .map(&mut Affine::shift(-0.5))
}

/// Checks that negative values became zero and other values did not change.
#[track_caller]
fn assert_projected<const D: usize>(
    after: &Param<Tensor<D>>,
    before: &Param<Tensor<D>>,
    name: &str,
) {
    let old = values(&before.base());
    assert!(old.iter().any(|v| *v < 0.0), "{name} was not negative");
    let expected: Vec<f64> = old.iter().map(|v| v.max(0.0)).collect();
    assert_eq!(values(&after.base()), expected, "{name}");
    assert_untouched_state(after, before, name);
}

#[track_caller]
fn assert_untouched<const D: usize>(
    after: &Param<Tensor<D>>,
    before: &Param<Tensor<D>>,
    name: &str,
) {
    assert!(
        values(&before.base()).iter().any(|v| *v < 0.0),
        "{name} was not negative"
    );
    assert_same(&after.base(), &before.base(), name);
    assert_untouched_state(after, before, name);
}

#[track_caller]
fn assert_untouched_state<const D: usize>(
    after: &Param<Tensor<D>>,
    before: &Param<Tensor<D>>,
    name: &str,
) {
    let state = |param: &Param<Tensor<D>>| {
        let base = param.base();
        (
            param.id,
            base.dtype(),
            base.is_autodiff(),
            param.is_require_grad(),
        )
    };
    assert_eq!(state(after), state(before), "{name}");
}

#[track_caller]
fn assert_projected_layer(after: &EiLinear, before: &EiLinear) {
    assert_projected(&after.w_ex, &before.w_ex, "w_ex");
    for (after, before) in [(&after.w_ix, &before.w_ix), (&after.w_ei, &before.w_ei)] {
        let (after, before) = (after.as_ref().unwrap(), before.as_ref().unwrap());
        assert_projected(after, before, "inhibition");
    }
    let (after, before) = (after.bias.as_ref().unwrap(), before.bias.as_ref().unwrap());
    assert_untouched(after, before, "bias");
}

#[test]
fn negative_values_become_zero_and_free_parameters_stay() {
    for setup in setups() {
        let before = signed(&setup, 1);
        assert_projected_layer(&dale::project(before.clone()), &before);
        let plain = before.valid();
        assert_projected_layer(&dale::project(plain.clone()), &plain);
        let frozen = before.clone().freeze();
        assert_projected_layer(&dale::project(frozen.clone()), &frozen);

        let before = signed_i_norm(&setup, 2);
        let after = dale::project(before.clone());
        assert_projected(&after.w_ex, &before.w_ex, "w_ex");
        assert_projected(&after.w_ix, &before.w_ix, "w_ix");
        assert_projected(&after.w_ei, &before.w_ei, "w_ei");
        let u = |layer: &INormLinear| (layer.u_ix.clone().unwrap(), layer.u_ei.clone().unwrap());
        assert_untouched(&u(&after).0, &u(&before).0, "u_ix");
        assert_projected(&u(&after).1, &u(&before).1, "u_ei");
        let bias = |layer: &INormLinear| layer.bias.clone().unwrap();
        assert_untouched(&bias(&after), &bias(&before), "bias");
        let lateral = |layer: &INormLinear| layer.grad_norm.lateral_weights.clone().unwrap();
        assert_projected(&lateral(&after), &lateral(&before), "lateral");
        dale::check(&after).unwrap();
    }
}

#[test]
fn values_that_keep_the_law_keep_their_bits() {
    for setup in setups() {
        let tiny = if setup.tolerance > 1e-6 {
            1e-45
        } else {
            5e-324
        };
        let odd = vec![
            f64::NAN,
            f64::INFINITY,
            tiny,
            0.0,
            1e30,
            f64::NEG_INFINITY,
            -tiny,
            -3.0,
        ];
        let value: Tensor<1> = setup.tensor(odd, [8]);
        let kept = values(&value)[..5].to_vec();
        let weight = Weight::new(value, Sign::NonNegative, Plasticity::Plastic);
        let found = values(&dale::project(weight).val());
        assert!(found[0].is_nan(), "{}", setup.at("NaN"));
        assert_eq!(found[1..5], kept[1..], "{}", setup.at("kept"));
        assert_eq!(found[5..], [0.0; 3], "{}", setup.at("zeroed"));
    }
}

#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)]
enum Choice {
    Ei(EiLinear),
    Other(Param<Tensor<1>>),
}

#[derive(Module, Debug)]
struct Nest {
    list: Vec<EiLinear>,
    pair: (EiLinear, INormLinear),
    array: [EiLinear; 2],
    present: Option<EiLinear>,
    absent: Option<EiLinear>,
    choice: Choice,
    other: Choice,
}

#[test]
fn layers_are_found_wherever_they_are() {
    for setup in setups() {
        let layer = |seed| signed(&setup, seed);
        let before = Nest {
            list: vec![layer(1), layer(2)],
            pair: (layer(3), signed_i_norm(&setup, 4)),
            array: [layer(5), layer(6)],
            present: Some(layer(7)),
            absent: None,
            choice: Choice::Ei(layer(8)),
            other: Choice::Other(Param::from_tensor(setup.random(&mut rng(9), [8]))),
        };
        let after = dale::project(before.clone());
        let layers = |nest: &Nest| {
            let Choice::Ei(choice) = &nest.choice else {
                unreachable!()
            };
            let mut layers = nest.list.clone();
            layers.extend(nest.array.clone());
            layers.extend([
                nest.pair.0.clone(),
                nest.present.clone().unwrap(),
                choice.clone(),
            ]);
            layers
        };
        for (after, before) in layers(&after).iter().zip(&layers(&before)) {
            assert_projected_layer(after, before);
        }
        assert_projected(&after.pair.1.w_ex, &before.pair.1.w_ex, "w_ex");
        let (Choice::Other(after), Choice::Other(before)) = (&after.other, &before.other) else {
            unreachable!()
        };
        assert_untouched(after, before, "other");
    }
}

/// A user's layer with the same names as a layer of this library.
mod user {
    use super::*;

    #[derive(Module, Debug)]
    pub struct EiLinear {
        pub w_ex: Param<Tensor<2>>,
        pub w_ix: Option<Param<Tensor<2>>>,
        pub w_ei: Option<Param<Tensor<2>>>,
        pub bias: Option<Param<Tensor<1>>>,
    }

    #[derive(Module, Debug)]
    pub struct Both {
        pub first: EiLinear,
        pub real: super::EiLinear,
        pub last: EiLinear,
    }
}

#[test]
fn a_namesake_is_left_alone() {
    for setup in setups() {
        let namesake = |seed| {
            let rng = &mut rng(seed);
            user::EiLinear {
                w_ex: Param::from_tensor(setup.random(rng, [4, 3])),
                w_ix: Some(Param::from_tensor(setup.random(rng, [4, 2]))),
                w_ei: Some(Param::from_tensor(setup.random(rng, [2, 3]))),
                bias: None,
            }
        };
        let before = user::Both {
            first: namesake(1),
            real: signed(&setup, 2),
            last: namesake(3),
        };
        let after = dale::project(before.clone());
        assert_projected_layer(&after.real, &before.real);
        let pairs = [(&after.first, &before.first), (&after.last, &before.last)];
        for (after, before) in pairs {
            assert_untouched(&after.w_ex, &before.w_ex, "w_ex");
            for (after, before) in [(&after.w_ix, &before.w_ix), (&after.w_ei, &before.w_ei)] {
                let (after, before) = (after.as_ref().unwrap(), before.as_ref().unwrap());
                assert_untouched(after, before, "inhibition");
            }
        }
        let alone = dale::project(before.first.clone());
        assert_untouched(&alone.w_ex, &before.first.w_ex, "alone");
        assert!(dale::check(&before.first).is_ok());
        assert!(dale::check(&after).is_ok());
    }
}

#[derive(Module, Debug)]
struct Own {
    kernel: Weight<3>,
    fixed: Weight<1>,
    free: Weight<1>,
    plain: Param<Tensor<1>>,
}

#[test]
fn weights_in_a_module_of_ones_own_are_projected() {
    for setup in setups() {
        let rng = &mut rng(1);
        let mut value = |n| setup.random(rng, [n]).autodiff();
        let before = Own {
            fixed: Weight::new(value(8), Sign::NonNegative, Plasticity::Fixed),
            free: Weight::new(value(8), Sign::Free, Plasticity::Plastic),
            plain: Param::from_tensor(value(8)),
            kernel: Weight::new(
                value(12).reshape([2, 3, 2]),
                Sign::NonNegative,
                Plasticity::Plastic,
            ),
        };
        let after = dale::project(before.clone());
        assert_projected(&after.kernel, &before.kernel, "kernel");
        assert_projected(&after.fixed, &before.fixed, "fixed");
        assert_untouched(&after.free, &before.free, "free");
        assert_untouched(&after.plain, &before.plain, "plain");
        assert!(after.kernel.is_require_grad() && !after.fixed.is_require_grad());
    }
}

/// Projects another module at each parameter that it visits.
struct Nested(Param<Tensor<1>>);

impl ModuleMapper for Nested {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.0 = dale::project(self.0.clone());
        dale::check(&self.0).unwrap();
        param
    }
}

#[test]
fn a_projection_within_another_traversal_minds_its_own_module() {
    let setup = &setups()[0];
    let before = Param::from_tensor(setup.random(&mut rng(1), [8]).autodiff());
    let mut mapper = Nested(before.clone());
    let _ = signed(setup, 2).map(&mut mapper);
    assert_untouched(&mapper.0, &before, "a plain parameter");
}
