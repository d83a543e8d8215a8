//! `ColumnEiLinear` against a scalar reference in f64, its initial weights, Dale's law in training, records,
//! and errors.

use crate::common::{
    Setup, assert_close, assert_same, leaf, panic_of, rng, setups, uniform, values,
};
use burn::module::Module;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Tensor};
use ei_norm::dale::{self, NonNegative};
use ei_norm::{ColumnEiLinear, ColumnEiLinearConfig, ColumnEiWeights, Error};

fn layer(setup: &Setup, seed: u64, signs: &[f64], d_output: usize) -> ColumnEiLinear {
    let rng = &mut rng(seed);
    let weights = ColumnEiWeights {
        w_ex: setup.positive(rng, [signs.len(), d_output]).autodiff(),
        signs: setup.tensor(signs.to_vec(), [signs.len()]).autodiff(),
        bias: Some(setup.random(rng, [d_output]).autodiff()),
    };
    ColumnEiLinear::from_weights(weights).unwrap()
}

#[test]
fn output_and_gradients_match_the_reference() {
    for setup in setups() {
        for (signs, n_e, batch) in [
            (vec![1.0, -1.0], 1, 1),
            (vec![1.0, 1.0, -1.0, 1.0, -1.0], 3, 4),
            (vec![1.0; 9].into_iter().chain([-1.0]).collect(), 7, 33),
        ] {
            let n = signs.len();
            let layer = layer(&setup, n as u64, &signs, n_e);
            let rng = &mut rng(3);
            let (x, upstream) = (
                uniform(rng, [batch, n], 0.0, 1.0),
                uniform(rng, [batch, n_e], -1.0, 1.0),
            );
            let w = values(&layer.w_ex.val());
            let b = values(&layer.bias.as_ref().unwrap().val());
            let mut out = b.repeat(batch);
            let (mut dx, mut dw, mut db) =
                (vec![0.0; batch * n], vec![0.0; n * n_e], vec![0.0; n_e]);
            for row in 0..batch {
                for j in 0..n_e {
                    let delta = upstream[row * n_e + j];
                    db[j] += delta;
                    for i in 0..n {
                        let signed = signs[i] * x[row * n + i];
                        out[row * n_e + j] += signed * w[i * n_e + j];
                        dw[i * n_e + j] += signed * delta;
                        dx[row * n + i] += signs[i] * w[i * n_e + j] * delta;
                    }
                }
            }
            let x = leaf(&setup.tensor(x, [batch, n]));
            let found = layer.forward(x.clone());
            let at = |what: &str| setup.at((&signs, what));
            let tolerance = 4.0 * setup.tolerance;
            assert_close(&values(&found), &out, tolerance, &at("out"));
            let currents = layer.currents(x.clone());
            let difference = values(&(currents.excitatory.clone() - currents.subtractive.clone()));
            assert_close(&difference, &out, tolerance, &at("currents"));
            assert!(values(&currents.subtractive).iter().all(|s| *s >= 0.0));
            let upstream = setup.tensor(upstream, [batch, n_e]);
            let grads = (found * upstream).sum().backward();
            assert_close(&values(&x.grad(&grads).unwrap()), &dx, tolerance, &at("x"));
            let found = values(&layer.w_ex.val().grad(&grads).unwrap());
            assert_close(&found, &dw, tolerance, &at("w_ex"));
            let found = values(&layer.bias.as_ref().unwrap().val().grad(&grads).unwrap());
            assert_close(&found, &db, tolerance, &at("bias"));
        }
    }
}

#[test]
fn initial_weights_balance_in_the_mean() {
    let device = Device::flex();
    let tau = std::f64::consts::TAU;
    for (n, ratio, n_i) in [(300, 9.0, 30), (301, 9.0, 31), (200, 4.0, 40), (2, 9.0, 1)] {
        let config = ColumnEiLinearConfig::new(n, 400).with_ratio(ratio);
        let layer = config.try_init_with(&device, &mut rng(1)).unwrap();
        assert_eq!(layer.inhibitory_inputs(), n_i, "{n} {ratio}");
        let n_e = n - n_i;
        let signs = values(&layer.signs.val());
        assert!(signs[..n_e].iter().all(|s| *s == 1.0) && signs[n_e..].iter().all(|s| *s == -1.0));
        if n == 2 {
            continue; // too few to see a distribution
        }
        let (e, i) = (n_e as f64, n_i as f64);
        let scale_e = ((tau - 1.0) / tau * (e + e * e / i)).powf(-0.5);
        let w = values(&layer.w_ex.val());
        let (of_e, of_i) = w.split_at(n_e * 400);
        for (part, scale) in [(of_e, scale_e), (of_i, e / i * scale_e)] {
            let count = part.len() as f64;
            let mean = part.iter().sum::<f64>() / count;
            let second = part.iter().map(|w| w * w).sum::<f64>() / count;
            assert!((mean / scale - 1.0).abs() < 0.03, "{mean} {scale}");
            assert!((second / (2.0 * scale * scale) - 1.0).abs() < 0.06);
        }
    }
}

#[test]
fn training_keeps_the_law_by_projection_and_by_reparameterization() {
    for setup in setups() {
        for form in [None, Some(NonNegative::Abs), Some(NonNegative::Softplus)] {
            let mut layer = layer(&setup, 1, &[1.0, 1.0, 1.0, -1.0], 3);
            if let Some(form) = form {
                layer = dale::reparameterize(layer, form);
            }
            let (x, target) = (
                setup.positive(&mut rng(5), [8, 4]).autodiff(),
                setup.random(&mut rng(6), [8, 3]).autodiff(),
            );
            let signs = values(&layer.signs.val());
            let mut optimizer = SgdConfig::new().init();
            let mut losses = Vec::new();
            for _ in 0..60 {
                let loss = (layer.forward(x.clone()) - target.clone()).square().mean();
                losses.push(values(&loss)[0]);
                let grads = GradientsParams::from_grads(loss.backward(), &layer);
                layer = dale::project(optimizer.step(0.3, layer, grads));
                dale::check(&layer).unwrap();
            }
            let at = setup.at((form, losses[0], losses[59]));
            assert!(losses[59] < 0.9 * losses[0], "{at}");
            assert!(values(&layer.w_ex.val()).iter().all(|w| *w >= 0.0), "{at}");
            assert_eq!(values(&layer.signs.val()), signs, "{at}: signs never learn");
        }
    }
}

#[test]
fn a_record_carries_the_signs() {
    let setup = &setups()[0];
    let saved = layer(setup, 1, &[1.0, -1.0, 1.0], 2);
    let other = layer(setup, 2, &[-1.0, 1.0, 1.0], 2);
    let x = setup.positive(&mut rng(3), [4, 3]).autodiff();
    let expected = saved.forward(x.clone());
    let loaded = other.load_record(saved.into_record());
    assert_same(&loaded.forward(x), &expected, "after the record");
}

#[test]
fn what_does_not_fit_is_refused() {
    let device = Device::flex();
    for (config, name) in [
        (ColumnEiLinearConfig::new(0, 3), "d_input"),
        (ColumnEiLinearConfig::new(1, 3), "d_input"),
        (ColumnEiLinearConfig::new(10, 3).with_ratio(0.0), "ratio"),
        (
            ColumnEiLinearConfig::new(10, 3).with_ratio(f64::NAN),
            "ratio",
        ),
        (ColumnEiLinearConfig::new(10, 0), "d_output"),
    ] {
        let error = config.try_init(&device).unwrap_err();
        assert!(error.to_string().contains(name), "{error} {name}");
    }
    let setup = &setups()[0];
    let weights = |signs: Vec<f64>| ColumnEiWeights {
        w_ex: setup.positive(&mut rng(1), [3, 2]),
        signs: setup.tensor(signs.clone(), [signs.len()]),
        bias: None,
    };
    let error = ColumnEiLinear::from_weights(weights(vec![1.0, 0.5, -1.0])).unwrap_err();
    assert!(error.to_string().contains("0.5"), "{error}");
    let error = ColumnEiLinear::from_weights(weights(vec![1.0, -1.0])).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Shape {
                parameter: "signs",
                ..
            }
        ),
        "{error}"
    );
    let layer = layer(setup, 1, &[1.0, -1.0], 3);
    let wrong = setup.positive(&mut rng(1), [2, 5]).autodiff();
    let message = panic_of(|| drop(layer.forward(wrong)));
    assert!(message.contains('5') && message.contains('2'), "{message}");
    let none: Tensor<2> = layer.forward(setup.tensor(vec![], [0, 2]).autodiff());
    assert_eq!(none.dims(), [0, 3]);
}
