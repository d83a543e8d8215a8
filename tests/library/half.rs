//! f16 and bf16: the rows of docs/backends.md against the same rows in f32, from weights, inputs and errors
//! that all three types represent exactly.

use crate::backends::{changed_layers, metrics, three_steps, toolbox};
use crate::common::table::{largest_error, layers};
use crate::common::{Cast, Setup, assert_close, rng, values};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor, TensorData};
use ei_norm::circuit::{INorm, Population};
use ei_norm::functional::{
    BackwardRule, Normalization, lateral_update, normalize, normalize_backward,
};
use ei_norm::optim::ExponentiatedAdamConfig;
use ei_norm::{
    EiLinearConfig, INormLinear, INormLinearConfig, INormWeights, Inhibitory, ShuntingLinearConfig,
};

fn flex(dtype: DType, tolerance: f64) -> Setup {
    Setup {
        name: "flex",
        device: Device::flex(),
        dtype,
        tolerance,
    }
}

/// `unit` is the distance from 1 to the next number of the type.
fn near_f32(dtype: DType, unit: f64) {
    // Several consecutive roundings, each of half a unit. A sum over examples, such as the gradient of the
    // one α of a shunting convolution, may be small compared with its terms.
    const ROUNDINGS: f64 = 32.0;
    let (half, single) = (flex(dtype, ROUNDINGS * unit), flex(DType::F32, 0.0));
    let rows = [layers(), changed_layers(), toolbox(), three_steps()];
    let mut failures = Vec::new();
    for row in rows.into_iter().flatten().chain([metrics()]) {
        let (error, place) = largest_error(&row.compute(&half), &row.compute(&single));
        let units = error / unit;
        println!("{dtype:?} {:24} {units:.2} units, {place}", row.name);
        if error > half.tolerance {
            failures.push(format!("{}, {place}: {units} units", row.name));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn f16_is_near_f32() {
    near_f32(DType::F16, f64::powi(2.0, -10));
}

#[test]
fn bf16_is_near_f32() {
    near_f32(DType::BF16, f64::powi(2.0, -7));
}

#[test]
fn zeros_stay_finite_and_small_gradients_count() {
    let device = &Device::flex().autodiff();
    for dtype in [DType::F16, DType::BF16] {
        // An input of zeros, then one example; the gradient of the second is about 1e-5.
        let tensor = |values: [f32; 6]| {
            Tensor::<2>::from_data(TensorData::new(values.to_vec(), [2, 3]), (device, dtype))
        };
        let x = tensor([0.0, 0.0, 0.0, 0.5, 1.0, 0.25]);
        let shunting = ShuntingLinearConfig::new(3, 4).with_inhibitory(Inhibitory::Count(2));
        let shunting = shunting.init(device).map(&mut Cast(dtype));
        let z = shunting.forward(x.clone());
        let grads = (z.clone() * 1e-2).sum().backward();
        let gradient = shunting.w_ei.base().grad(&grads).unwrap();
        let finite = |values: Vec<f64>| values.iter().all(|v| v.is_finite());
        assert!(finite(values(&z)) && finite(values(&gradient)), "{dtype:?}");
        assert_eq!(values(&z)[..4], [0.0; 4], "{dtype:?}");

        let mut layer = EiLinearConfig::new(3, 4).with_bias(false).init(device);
        layer = layer.map(&mut Cast(dtype));
        let before = values(&layer.w_ex.val());
        let mut adam = ExponentiatedAdamConfig::new().init();
        for _ in 0..3 {
            // Only the first input has a gradient at W_ex.
            let x = tensor([0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
            let grads = (layer.forward(x) * 1e-5).sum().backward();
            let grads = GradientsParams::from_grads(grads, &layer);
            layer = adam.step(0.1, layer, grads);
        }
        let after = values(&layer.w_ex.val());
        assert_eq!(layer.w_ex.dtype(), dtype);
        for (k, (before, after)) in before.iter().zip(after).enumerate() {
            let moves = k < 4;
            assert!(
                after > 0.0 && moves == (after < *before),
                "{dtype:?}, {k}: {after}"
            );
        }
    }
}

#[test]
fn lateral_weights_learn_from_more_errors_than_f16_can_count() {
    for dtype in [DType::F16, DType::BF16] {
        let options = (&Device::flex(), dtype);
        let delta = Tensor::<2>::ones([40_000, 2], options);
        let weights = lateral_update(Tensor::zeros([2], options), delta, 1.0);
        assert_eq!(weights.dtype(), dtype);
        assert_eq!(values(&weights), [0.5, 0.5], "{dtype:?}");
    }
}

#[test]
fn a_local_loss_of_more_values_than_f16_can_count_teaches() {
    for dtype in [DType::F16, DType::BF16] {
        let options = (&Device::flex().autodiff(), dtype);
        let full = |shape, value: f64| Tensor::<2>::full(shape, value, options);
        let (w_ex, w_ix) = (full([3, 1000], 1.0), full([3, 1], 0.5));
        let weights = INormWeights::subtractive(w_ex, w_ix, full([1, 1000], 1.0), None);
        let layer = INormLinear::from_weights(weights).unwrap();
        // Every output is m = a − h = 3 − 1.5, and dm²/dW_ei = −2 m h/1000.
        let (_, local) = layer.forward_with_local_loss(full([80, 3], 1.0));
        let gradient = layer.w_ei.base().grad(&local.backward()).unwrap();
        let expected = [-0.0045; 1000];
        assert_close(&values(&gradient), &expected, 0.05, &format!("{dtype:?}"));
    }
}

#[test]
fn activity_whose_squares_exceed_f16_is_normalized() {
    let rules = [
        BackwardRule::Exact,
        BackwardRule::Detached,
        BackwardRule::StraightThrough,
    ];
    let normalizations = [
        Normalization::Layer,
        Normalization::Mean,
        Normalization::Divisive,
    ];
    for (normalization, rule) in normalizations.iter().flat_map(|n| rules.map(|r| (*n, r))) {
        let run = |dtype| {
            let tensor = |values: [f32; 4]| {
                let data = TensorData::new(values.to_vec(), [1, 4]);
                Tensor::<2>::from_data(data, (&Device::flex().autodiff(), dtype))
            };
            let x = tensor([1000.0, -3000.0, 500.0, 2000.0]).require_grad();
            let delta = tensor([1000.0, 500.0, -2000.0, 250.0]);
            let z = normalize(x.clone(), normalization, rule, 1e-5);
            let dx = x.grad(&(z.clone() * delta.clone()).sum().backward());
            let (x, delta) = (x.clone().inner(), delta.inner());
            let of_function = normalize_backward(x, delta, normalization, rule, 1e-5);
            [values(&z), values(&dx.unwrap()), values(&of_function)]
        };
        for (half, single) in run(DType::F16).iter().zip(&run(DType::F32)) {
            let case = format!("{normalization:?}, {rule:?}");
            assert_close(half, single, f64::powi(2.0, -9), &case);
        }
    }
}

#[test]
fn networks_of_different_widths_in_one_population() {
    for (dtype, unit) in [(DType::F16, 10), (DType::BF16, 7)] {
        let run = |dtype| {
            let setup = flex(dtype, 0.0);
            let device = &setup.device.clone().autodiff();
            let circuits = [2, 4].map(|outputs| {
                let layer = INormLinearConfig::new(3, outputs);
                let layer = layer.try_init_with(device, &mut rng(outputs as u64));
                layer.unwrap().circuit.map(&mut Cast(dtype))
            });
            let population = Population::<INorm>::stack(circuits.to_vec()).unwrap();
            let x = Tensor::from_data(TensorData::from([[[0.5, 1.0, 0.25]]; 2]), (device, dtype));
            let upstream = [[[1.0, -0.5, 0.0, 0.0]], [[1.0, -0.5, 0.25, -1.0]]];
            let upstream = Tensor::<3>::from_data(TensorData::from(upstream), (device, dtype));
            let z = population.forward(x);
            let grads = (z.clone() * upstream).sum().backward();
            let gradient = population.matrices[0].base().grad(&grads).unwrap();
            [values(&z), values(&gradient)]
        };
        let (half, single) = (run(dtype), run(DType::F32));
        for (half, single) in half.iter().zip(&single) {
            let tolerance = 32.0 * f64::powi(2.0, -unit);
            assert_close(half, single, tolerance, &format!("{dtype:?}"));
        }
    }
}
