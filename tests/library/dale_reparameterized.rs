//! Dale's law and reparameterized weights, whose form keeps the sign.

use crate::common::circuits::ei;
use crate::common::parameters::Affine;
use crate::common::reparameterization::{Softplus, attach};
use crate::common::{assert_close, assert_same, assert_tensor_close, rng, setups, values};
use burn::module::{Lora, Module};
use burn::optim::{AdamConfig, GradientsParams, SgdConfig};
use burn::tensor::{Tensor, activation::softplus};
use ei_norm::dale::{self, Plasticity, Sign, Weight};
use ei_norm::optim::Projected;
use ei_norm::{EiLinear, EiLinearConfig, Inhibitory};

#[test]
fn a_reparameterized_weight_is_left_alone() {
    for setup in setups() {
        let source = &mut rng(9);
        let layer = EiLinear::from_weights(ei(&setup, source, [6, 2, 4])).unwrap();
        let layer = layer.map(&mut Affine::shift(-0.5));
        let before = layer.apply_reparameterization(attach("w_ex", -0.25));
        let base = before.w_ex.base();
        let shift = |layer: &EiLinear| {
            let softplus = layer.w_ex.reparameterization::<Softplus>();
            softplus.expect("still reparameterized").shift.val()
        };
        assert!(values(&base).iter().any(|v| *v < 0.0));
        let error = dale::check(&before).unwrap_err();
        assert!(error.to_string().starts_with("`w_ix`"), "{error}");

        let mut layer = dale::project(before.clone());
        dale::check(&layer).unwrap();
        assert_same(&layer.w_ex.base(), &base, &setup.at("base"));
        assert_same(&shift(&layer), &shift(&before), &setup.at("shift"));
        assert_eq!(layer.w_ex.id, before.w_ex.id);
        let effective = softplus(base.clone().inner() - 0.25, 1.0);
        let at = setup.at("value");
        assert_tensor_close(&layer.w_ex.val().inner(), &effective, setup.tolerance, &at);

        // The layer computes with the effective weight; the base learns.
        let x = setup.positive(&mut rng(10), [2, 6]);
        let upstream = setup.random(&mut rng(11), [2, 4]);
        let grads = (layer.forward(x) * upstream).sum().backward();
        let grads = GradientsParams::from_grads(grads, &layer);
        layer = dale::project(SgdConfig::new().init().step(0.1, layer, grads));
        assert_ne!(values(&layer.w_ex.base()), values(&base));
        assert!(values(&layer.w_ex.base()).iter().any(|v| *v < 0.0));
        assert_ne!(values(&shift(&layer)), values(&shift(&before)));
        dale::check(&layer).unwrap();
    }
}

#[test]
fn a_fixed_weight_can_be_reparameterized() {
    for setup in setups() {
        let base: Tensor<1> = setup.random(&mut rng(12), [8]);
        let weight = Weight::new(
            base.clone().autodiff(),
            Sign::NonNegative,
            Plasticity::Fixed,
        );
        let weight = weight.apply_reparameterization(attach("", -0.25));
        let expected = values(&softplus(base.clone() - 0.25, 1.0));
        let events: [fn(Weight<1>) -> Weight<1>; 4] = [
            |weight| weight,
            dale::project,
            |weight| weight.valid().train(),
            |weight| weight.unfreeze(),
        ];
        for (index, event) in events.into_iter().enumerate() {
            let weight = event(weight.clone());
            let at = setup.at(index);
            assert_same(&weight.base().inner(), &base, &at);
            let value = weight.val();
            assert_close(&values(&value), &expected, setup.tolerance, &at);
            assert!(!value.is_tracked(), "{at}");
            dale::check(&weight).unwrap();
        }
    }
}

#[test]
fn a_change_of_plasticity_keeps_the_reparameterization() {
    for setup in setups() {
        let base: Tensor<1> = setup.random(&mut rng(13), [8]);
        let weight = Weight::new(
            base.clone().autodiff(),
            Sign::NonNegative,
            Plasticity::Plastic,
        );
        let mut weight = weight.apply_reparameterization(attach("", -0.25));
        let expected = values(&softplus(base - 0.25, 1.0));
        for plasticity in [Plasticity::Plastic, Plasticity::Fixed, Plasticity::Plastic] {
            weight = weight.with_plasticity(plasticity);
            let found = values(&weight.val());
            assert_close(&found, &expected, setup.tolerance, &setup.at(plasticity));
        }
        assert!(weight.val().is_tracked());
    }
}

/// Adapts a layer to targets that only negative weights could reach.
#[test]
fn adapters_make_no_weight_in_use_negative() {
    let setup = &setups()[0];
    let device = setup.device.clone().autodiff();
    let config = EiLinearConfig::new(8, 4).with_inhibitory(Inhibitory::Count(1));
    let fresh = config.try_init_with(&device, &mut rng(3)).unwrap();
    let mut layer: EiLinear = fresh.apply_lora(Lora::new(2, 4.0));
    let mut optimizer = Projected::new(AdamConfig::new().build()).init();
    for _ in 0..100 {
        let z = layer.forward(Tensor::<2>::ones([2, 8], &device));
        let grads = GradientsParams::from_grads((z + 5.0).square().mean().backward(), &layer);
        layer = optimizer.step(0.05, layer, grads);
    }
    let used = values(&layer.w_ex.val());
    assert!(used.iter().all(|w| *w >= 0.0), "{used:?}");
    assert!(used.contains(&0.0), "nothing was held at 0: {used:?}");
    dale::check(&layer).unwrap();
    let plain = layer.materialize();
    assert_eq!(values(&plain.w_ex.base()), used);
}
