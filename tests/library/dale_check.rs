//! Dale's law: the reports of `check`.

use crate::common::circuits::ei;
use crate::common::{Setup, rng, setups};
use burn::tensor::Device;
use ei_norm::dale::{self, Plasticity, Sign, Weight};
use ei_norm::{EiLinear, Error, INormLinearConfig};

/// A layer with positive weights.
fn layer(setup: &Setup, seed: u64) -> EiLinear {
    EiLinear::from_weights(ei(setup, &mut rng(seed), [4, 2, 3])).unwrap()
}

#[test]
fn check_names_the_parameter_the_count_and_the_worst() {
    let setup = &setups()[0];
    let mut layers = vec![layer(setup, 1), layer(setup, 2)];
    assert_eq!(dale::check(&layers), Ok(()));
    let values = |values: [f64; 6]| setup.tensor(values.to_vec(), [2, 3]).autodiff();
    let w_ei = layers[1].w_ei.as_mut().unwrap();
    w_ei.set(values([0.5, -0.25, 1.0, -2.0, 0.0, -1.0]))
        .unwrap();
    let error = dale::check(&layers).unwrap_err();
    let expected = Error::Dale {
        path: "1.w_ei".into(),
        sign: Sign::NonNegative,
        count: 3,
        worst: -2.0,
    };
    assert_eq!(error, expected);
    assert_eq!(
        error.to_string(),
        "`1.w_ei` must be non-negative, but 3 of its values are not; the worst is -2"
    );

    let w_ei = layers[1].w_ei.as_mut().unwrap();
    w_ei.set(values([-1.0, f64::NAN, 1.0, -2.0, 0.0, 0.0]))
        .unwrap();
    let Err(Error::Dale { count, worst, .. }) = dale::check(&layers) else {
        panic!("NaN keeps no sign")
    };
    assert_eq!(count, 3);
    assert!(worst.is_nan());

    layers[0]
        .w_ex
        .set(setup.random(&mut rng(3), [4, 3]))
        .unwrap();
    let Err(Error::Dale { path, .. }) = dale::check(&layers) else {
        panic!("w_ex is negative")
    };
    assert_eq!(path, "0.w_ex");
}

#[test]
fn check_looks_at_fixed_weights_too() {
    let setup = &setups()[0];
    let config = INormLinearConfig::new(4, 3);
    let mut layer = config.try_init_with(&Device::flex(), &mut rng(1)).unwrap();
    assert_eq!(dale::check(&layer), Ok(()));
    let negative = setup.tensor(vec![-1.0; 9], [3, 3]);
    layer.u_ei.as_mut().unwrap().set(negative).unwrap();
    let Err(Error::Dale { path, count, .. }) = dale::check(&layer) else {
        panic!("u_ei is negative")
    };
    assert_eq!((path.as_str(), count), ("u_ei", 9));
    assert_eq!(dale::check(&dale::project(layer)), Ok(()));
}

#[test]
fn the_worst_value_does_not_depend_on_the_order() {
    let setup = &setups()[0];
    let (nan, infinite) = (f64::NAN, f64::INFINITY);
    for (values, expected) in [
        ([infinite, -5.0], infinite),
        ([-5.0, infinite], infinite),
        ([nan, -infinite], nan),
        ([-infinite, nan], nan),
        ([-1.0, -5.0], -5.0),
    ] {
        let weights = setup.tensor(values.to_vec(), [2]);
        let weight = Weight::new(weights, Sign::NonNegative, Plasticity::Plastic);
        let error = dale::check(&weight).unwrap_err();
        let Error::Dale {
            count: 2, worst, ..
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!(worst.to_bits(), expected.to_bits(), "{values:?}");
    }
}
