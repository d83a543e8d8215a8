//! The check for negative inputs, in every layer that has it.

use crate::common::circuits::Tried;
use crate::common::equations::for_every_circuit;
use crate::common::{Setup, panic_of, rng, setups};
use burn::tensor::Tensor;
use ei_norm::layer::{Conv2d, Dense, Layer, Recurrent};
use ei_norm::{EiLinearConfig, Error, InputCheck};

/// An input with two negative values and one NaN among its 12.
fn bad<const D: usize>(shape: [usize; D], setup: &Setup) -> Tensor<D> {
    let mut values = vec![0.5; 12];
    values[1..4].copy_from_slice(&[-0.25, -3.0, f64::NAN]);
    setup.tensor(values, shape)
}

const MESSAGE: &str = "the input of `here` must be non-negative, but 3 of its 12 values are not";

#[track_caller]
fn refuses<const D: usize>(setup: &Setup, shape: [usize; D], forward: impl Fn(Tensor<D>)) {
    let message = panic_of(|| forward(bad(shape, setup)));
    assert!(message.contains(MESSAGE), "{message}");
    forward(setup.tensor(vec![0.0; 12], shape));
}

for_every_circuit! {
    every_layer_names_itself;
}

mod every {
    use super::*;

    pub fn every_layer_names_itself<C: Tried>(setup: &Setup) {
        let circuit = |inputs| C::one(setup, &mut rng(1), [inputs, 3]);
        let dense = Dense {
            d_input: 4,
            d_output: 3,
        };
        let layer = Layer::new(circuit(4), dense).unwrap();
        let layer = layer.with_input_check("here");
        refuses(setup, [3, 4], |x| drop(layer.forward(x)));
        refuses(setup, [3, 4], |x| drop(C::apply(&layer, x)));
        refuses(setup, [3, 4], |x| drop(layer.currents(x)));
        let layer = Layer::new(circuit(4), Conv2d::new([1, 3], [2, 2])).unwrap();
        let layer = layer.with_input_check("here");
        refuses(setup, [1, 1, 3, 4], |x| drop(layer.forward(x)));
        refuses(setup, [1, 1, 3, 4], |x| drop(C::convolve(&layer, x)));
        let layer = Layer::new(circuit(7), Recurrent::new(4, 3)).unwrap();
        let layer = layer.with_input_check("here");
        refuses(setup, [1, 3, 4], |x| drop(layer.forward(x, None)));
        refuses(setup, [1, 3, 4], |x| drop(C::run(&layer, x, None, None)));
    }
}

#[test]
fn off_it_says_nothing_and_on_it_tells_the_worst() {
    let setup = &setups()[0];
    let device = setup.device.clone();
    let layer = EiLinearConfig::new(4, 3).init(&device);
    assert!(!layer.input_check.is_on());
    let _ = layer.forward(bad([3, 4], setup));

    let check = InputCheck::named("fc0");
    let x = Tensor::<2>::from_floats([[0.0, -0.0, 1.0], [-0.5, -2.0, f32::INFINITY]], &device);
    let Err(Error::NegativeInput {
        place,
        count,
        values,
        worst,
    }) = check.check(&x)
    else {
        panic!("not refused");
    };
    assert_eq!((place.as_str(), count, values, worst), ("fc0", 2, 6, -2.0));
    // Zeros of either sign are valid, and so is an empty batch.
    assert_eq!(check.check(&x.slice([0..1, 0..3])), Ok(()));
    assert_eq!(check.check(&Tensor::<2>::zeros([0, 3], &device)), Ok(()));
}
