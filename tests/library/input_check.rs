//! The check for negative inputs, in every layer that has it.

use crate::common::panic_of;
use burn::tensor::{Device, Tensor};
use ei_norm::prelude::*;
use ei_norm::{Error, InputCheck};

/// An input with two negative values and one NaN.
fn bad<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let count = shape.iter().product::<usize>();
    let mut values = vec![0.5_f32; count];
    (values[1], values[2], values[3]) = (-0.25, -3.0, f32::NAN);
    Tensor::<1>::from_floats(values.as_slice(), device).reshape(shape)
}

const MESSAGE: &str = "the input of `here` must be non-negative, but 3 of its 12 values are not";

#[track_caller]
fn refuses<const D: usize>(shape: [usize; D], device: &Device, forward: impl Fn(Tensor<D>)) {
    let message = panic_of(|| forward(bad(shape, device)));
    assert!(message.contains(MESSAGE), "{message}");
    forward(Tensor::zeros(shape, device));
}

#[test]
fn every_layer_names_itself() {
    let device = Device::flex();
    let d = &device;
    let layer = EiLinearConfig::new(4, 3).init(d).with_input_check("here");
    refuses([3, 4], d, |x| drop(layer.forward(x)));
    refuses([3, 4], d, |x| drop(layer.currents(x)));
    let layer = INormLinearConfig::new(4, 3)
        .init(d)
        .with_input_check("here");
    refuses([3, 4], d, |x| drop(layer.forward(x)));
    refuses([3, 4], d, |x| drop(layer.forward_with_local_loss(x)));
    refuses([3, 4], d, |x| drop(layer.currents(x)));
    let layer = ShuntingLinearConfig::new(4, 3)
        .init(d)
        .with_input_check("here");
    refuses([3, 4], d, |x| drop(layer.forward(x)));
    refuses([3, 4], d, |x| drop(layer.currents(x)));
    let layer = ColumnEiLinearConfig::new(4, 3)
        .init(d)
        .with_input_check("here");
    refuses([3, 4], d, |x| drop(layer.forward(x)));
    refuses([3, 4], d, |x| drop(layer.currents(x)));
    let layer = EiConv2dConfig::new([1, 3], [2, 2])
        .init(d)
        .with_input_check("here");
    refuses([1, 1, 3, 4], d, |x| drop(layer.forward(x)));
    let layer = INormConv2dConfig::new([1, 3], [2, 2])
        .init(d)
        .with_input_check("here");
    refuses([1, 1, 3, 4], d, |x| drop(layer.forward(x)));
    refuses([1, 1, 3, 4], d, |x| drop(layer.forward_with_local_loss(x)));
    let layer = ShuntingConv2dConfig::new([1, 3], [2, 2])
        .init(d)
        .with_input_check("here");
    refuses([1, 1, 3, 4], d, |x| drop(layer.forward(x)));
    let layer = EiRnnConfig::new(4, 3).init(d).with_input_check("here");
    refuses([1, 3, 4], d, |x| drop(layer.forward(x, None)));
    let layer = INormRnnConfig::new(4, 3).init(d).with_input_check("here");
    refuses([1, 3, 4], d, |x| drop(layer.forward(x, None)));
    refuses([1, 3, 4], d, |x| {
        drop(layer.forward_with_local_loss(x, None))
    });
}

#[test]
fn off_it_says_nothing_and_on_it_tells_the_worst() {
    let device = Device::flex();
    let layer = EiLinearConfig::new(4, 3).init(&device);
    assert!(!layer.input_check.is_on());
    let _ = layer.forward(bad([3, 4], &device));

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
