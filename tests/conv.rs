//! `EiConv2d` and `INormConv2d`: each position against the dense layers, with patches cut by hand.

#![cfg(feature = "flex")]

mod common;

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2dConfig;
use burn::tensor::{Device, Tensor};
use common::convolution::{Case, cases, turned};
use common::{
    ChaCha8Rng, Setup, assert_close, assert_same, assert_tensor_close, leaf, panic_of, rng, setups,
    values,
};
use ei_norm::{
    ConvGeometry, EiConv2d, EiConv2dConfig, EiConv2dWeights, Error, GradNorm, GradNormConfig,
    GradNormMode, INormConv2d, INormConv2dConfig, INormConv2dWeights, INormLinear, INormWeights,
    Inhibitory, InhibitoryPlasticity, Initializer, dale,
};

const EPSILON: f64 = 0.03;
const EVERYTHING: InhibitoryPlasticity = InhibitoryPlasticity {
    w_ix: true,
    w_ei: true,
    u_ix: true,
    u_ei: true,
};

/// A × B, A `[n, m]`, B `[m, p]`, each possibly given transposed.
fn product(
    a: &[f64],
    a_turned: bool,
    b: &[f64],
    b_turned: bool,
    [n, m, p]: [usize; 3],
) -> Vec<f64> {
    assert_eq!((a.len(), b.len()), (n * m, m * p));
    let mut c = vec![0.0; n * p];
    for i in 0..n {
        for k in 0..p {
            for j in 0..m {
                let left = if a_turned { a[j * n + i] } else { a[i * m + j] };
                let right = if b_turned { b[k * m + j] } else { b[j * p + k] };
                c[i * p + k] += left * right;
            }
        }
    }
    c
}

fn ei_layer(setup: &Setup, rng: &mut ChaCha8Rng, case: &Case, inhibition: bool) -> EiConv2d {
    let [_, outputs] = case.channels;
    let [n_i, _] = case.inhibitory;
    let weights = EiConv2dWeights {
        w_ex: case.kernels(setup, rng, outputs),
        inhibition: inhibition.then(|| {
            let w_ix = case.kernels(setup, rng, n_i);
            (w_ix, setup.positive(rng, [n_i, outputs]).autodiff())
        }),
        bias: Some(setup.random(rng, [outputs]).autodiff()),
    };
    EiConv2d::from_weights(weights, case.geometry.clone()).unwrap()
}

#[test]
fn an_ei_convolution_is_the_dense_layer_of_each_patch() {
    for setup in setups() {
        for case in cases() {
            let mut rng = rng(1);
            let layer = ei_layer(&setup, &mut rng, &case, true);
            let x = setup.random(&mut rng, case.input());
            let upstream = setup.random(&mut rng, case.output());
            let x_leaf = leaf(&x);
            let out = layer.forward(x_leaf.clone());
            assert_eq!((out.dims(), out.dtype()), (case.output(), setup.dtype));
            let found = values(&out);
            let grads = (out * upstream.clone()).sum().backward();

            let (d, n_e, n_i) = (case.features(), case.channels[1], case.inhibitory[0]);
            let patches = case.unfold(&values(&x));
            let rows = patches.len() / d;
            let delta = case.to_rows(&values(&upstream));
            // As in Burn's layout: [outputs, features].
            let w_ex = values(&layer.w_ex.val());
            let w_ix = values(&layer.w_ix.as_ref().unwrap().val());
            let w_ei = values(&layer.w_ei.as_ref().unwrap().val());
            let bias = values(&layer.bias.as_ref().unwrap().val());
            let inhibition = product(&w_ei, true, &w_ix, false, [n_e, n_i, d]);
            let matrix: Vec<f64> = w_ex.iter().zip(inhibition).map(|(e, i)| e - i).collect();
            let mut expected = product(&patches, false, &matrix, true, [rows, d, n_e]);
            for row in expected.chunks_exact_mut(n_e) {
                row.iter_mut().zip(&bias).for_each(|(z, b)| *z += b);
            }
            let at = |what: &str| setup.at((what, &case));
            let tolerance = 4.0 * setup.tolerance;
            assert_close(&case.to_rows(&found), &expected, tolerance, &at("out"));

            let to_matrix = product(&delta, true, &patches, false, [n_e, rows, d]);
            let minus = |v: Vec<f64>| v.into_iter().map(|v| -v).collect::<Vec<_>>();
            let to_w_ix = minus(product(&w_ei, false, &to_matrix, false, [n_i, n_e, d]));
            let to_w_ei = minus(product(&w_ix, false, &to_matrix, true, [n_i, d, n_e]));
            let to_x = case.fold(&product(&delta, false, &matrix, false, [rows, n_e, d]));
            let ones = vec![1.0; rows];
            let to_bias = product(&ones, false, &delta, false, [1, rows, n_e]);
            let of = |w: &Option<dale::Weight<4>>| {
                values(&w.as_ref().unwrap().val().grad(&grads).unwrap())
            };
            let found_w_ex = values(&layer.w_ex.val().grad(&grads).unwrap());
            let found_w_ei = values(&layer.w_ei.as_ref().unwrap().val().grad(&grads).unwrap());
            let found_bias = values(&layer.bias.as_ref().unwrap().val().grad(&grads).unwrap());
            assert_close(&found_w_ex, &to_matrix, tolerance, &at("w_ex"));
            assert_close(&of(&layer.w_ix), &to_w_ix, tolerance, &at("w_ix"));
            assert_close(&found_w_ei, &to_w_ei, tolerance, &at("w_ei"));
            assert_close(&found_bias, &to_bias, tolerance, &at("bias"));
            assert_close(
                &values(&x_leaf.grad(&grads).unwrap()),
                &to_x,
                tolerance,
                &at("x"),
            );
        }
    }
}

#[test]
fn without_inhibition_it_is_burns_convolution() {
    for setup in setups() {
        for case in cases() {
            let mut rng = rng(2);
            let layer = ei_layer(&setup, &mut rng, &case, false);
            let mut conv = Conv2dConfig::new(case.channels, case.kernel)
                .with_stride(case.geometry.stride)
                .with_dilation(case.geometry.dilation)
                .with_padding(case.geometry.padding.clone())
                .init(&setup.device);
            conv.weight = burn::module::Param::from_tensor(layer.w_ex.val().inner());
            conv.bias = layer
                .bias
                .as_ref()
                .map(|b| burn::module::Param::from_tensor(b.val().inner()));
            let x = setup.random(&mut rng, case.input());
            let at = setup.at(&case);
            let found = layer.valid().forward(x.clone());
            assert_tensor_close(&found, &conv.forward(x), setup.tolerance, &at);
            assert_eq!(layer.inhibitory_maps(), 0);
        }
    }
}

fn grad_norm(mode: GradNormMode, features: usize, device: &Device) -> GradNorm {
    GradNormConfig::new(features)
        .with_mode(mode)
        .with_epsilon(EPSILON)
        .try_init_with(device, &mut rng(0))
        .unwrap()
}

/// The convolution and the dense layer of its patches, with the same weights.
fn i_norm_pair(
    setup: &Setup,
    rng: &mut ChaCha8Rng,
    case: &Case,
    mode: GradNormMode,
    divisive: bool,
) -> (INormConv2d, INormLinear) {
    let (d, n_e) = (case.features(), case.channels[1]);
    let [n_i, n_d] = case.inhibitory;
    let weights = INormConv2dWeights {
        w_ex: case.kernels(setup, rng, n_e),
        w_ix: case.kernels(setup, rng, n_i),
        w_ei: setup.positive(rng, [n_i, n_e]).autodiff(),
        divisive: divisive.then(|| {
            let u_ix = case.kernels(setup, rng, n_d);
            (u_ix, setup.positive(rng, [n_d, n_e]).autodiff())
        }),
        bias: Some(setup.random(rng, [n_e]).autodiff()),
    };
    let matrix = |w: &Tensor<4>| -> Tensor<2> {
        let outputs = w.dims()[0];
        let turned = turned(&values(w), [outputs, d]);
        setup.tensor(turned, [d, outputs]).autodiff()
    };
    let of_patches = INormWeights {
        w_ex: matrix(&weights.w_ex),
        w_ix: matrix(&weights.w_ix),
        w_ei: weights.w_ei.clone(),
        divisive: (weights.divisive.as_ref()).map(|(u_ix, u_ei)| (matrix(u_ix), u_ei.clone())),
        bias: weights.bias.clone(),
    };
    let device = weights.w_ex.device();
    let norm = || grad_norm(mode, n_e, &device);
    let plasticity = Some(EVERYTHING);
    let linear = INormLinear::from_weights(of_patches, norm(), plasticity, EPSILON).unwrap();
    let geometry = case.geometry.clone();
    let conv = INormConv2d::from_weights(weights, geometry, norm(), plasticity, EPSILON).unwrap();
    (conv, linear)
}

fn i_norm_matches(mode: GradNormMode, divisive: bool) {
    const LAMBDA: f64 = 0.7;
    for setup in setups() {
        for case in cases() {
            let mut rng = rng(3);
            let (conv, linear) = i_norm_pair(&setup, &mut rng, &case, mode, divisive);
            let x = setup.positive(&mut rng, case.input());
            let upstream = setup.random(&mut rng, case.output());
            let x_conv = leaf(&x);
            let (out, local) = conv.forward_with_local_loss(x_conv.clone());
            assert_eq!((out.dims(), out.dtype()), (case.output(), setup.dtype));
            let at = |what: &str| setup.at((what, mode, divisive, &case));
            assert_same(
                &conv.forward(x.clone()).inner(),
                &out.clone().inner(),
                &at("forward"),
            );
            let (found, found_local) = (values(&out), values(&local));
            let grads = ((out * upstream.clone()).sum() + local * LAMBDA).backward();

            let (d, n_e) = (case.features(), case.channels[1]);
            let patches = case.unfold(&values(&x));
            let rows = patches.len() / d;
            let patches = leaf(&setup.tensor(patches, [rows, d]));
            let delta = case.to_rows(&values(&upstream));
            let delta = setup.tensor::<2>(delta, [rows, n_e]);
            let (z, loss) = linear.forward_with_local_loss(patches.clone());
            let (expected, expected_local) = (values(&z), values(&loss));
            let expected_grads = ((z * delta).sum() + loss * LAMBDA).backward();

            let tolerance = 20.0 * setup.tolerance;
            assert_close(&case.to_rows(&found), &expected, tolerance, &at("out"));
            assert_close(&found_local, &expected_local, tolerance, &at("local"));
            let to_x = values(&patches.grad(&expected_grads).unwrap());
            let found_x = values(&x_conv.grad(&grads).unwrap());
            assert_close(&found_x, &case.fold(&to_x), tolerance, &at("x"));
            let kernel = |name: &str, of_conv: &dale::Weight<4>, of_linear: &dale::Weight<2>| {
                let found = values(&of_conv.val().grad(&grads).unwrap());
                let expected = of_linear.val().grad(&expected_grads).unwrap();
                let expected = turned(&values(&expected), expected.dims());
                assert_close(&found, &expected, tolerance, &at(name));
            };
            let matrix = |name: &str, of_conv: Tensor<2>, of_linear: Tensor<2>| {
                let found = values(&of_conv.grad(&grads).unwrap());
                let expected = values(&of_linear.grad(&expected_grads).unwrap());
                assert_close(&found, &expected, tolerance, &at(name));
            };
            kernel("w_ex", &conv.w_ex, &linear.w_ex);
            kernel("w_ix", &conv.w_ix, &linear.w_ix);
            matrix("w_ei", conv.w_ei.val(), linear.w_ei.val());
            assert_eq!(conv.u_ix.is_some(), divisive);
            if let (Some(u_ix), Some(u_ei)) = (&conv.u_ix, &conv.u_ei) {
                kernel("u_ix", u_ix, linear.u_ix.as_ref().unwrap());
                matrix("u_ei", u_ei.val(), linear.u_ei.as_ref().unwrap().val());
            }
            let bias = |b: &Option<ei_norm::dale::Weight<1>>| b.as_ref().unwrap().val();
            let found = values(&bias(&conv.bias).grad(&grads).unwrap());
            let expected = values(&bias(&linear.bias).grad(&expected_grads).unwrap());
            assert_close(&found, &expected, tolerance, &at("bias"));
        }
    }
}

#[test]
fn an_i_norm_convolution_is_the_dense_layer_of_each_patch() {
    for mode in GradNormMode::ALL {
        i_norm_matches(mode, true);
    }
    i_norm_matches(GradNormMode::Full, false);
    i_norm_matches(GradNormMode::Identity, false);
}

#[test]
fn a_batch_of_nothing_has_the_shape_of_an_output() {
    for setup in setups() {
        for case in cases() {
            let mut rng = rng(4);
            let mut shape = case.output();
            shape[0] = 0;
            let x = setup.tensor::<4>(vec![], [0, case.channels[0], case.image[0], case.image[1]]);
            let ei = ei_layer(&setup, &mut rng, &case, true);
            assert_eq!(ei.forward(x.clone().autodiff()).dims(), shape);
            let (i_norm, _) = i_norm_pair(&setup, &mut rng, &case, GradNormMode::Full, true);
            assert_eq!(i_norm.forward(x.autodiff()).dims(), shape);
        }
    }
}

#[test]
fn inhibition_starts_out_in_balance() {
    let device = Device::flex();
    for initializer in [Initializer::Lognormal, Initializer::Exponential] {
        let layer = EiConv2dConfig::new([3, 20], [2, 5])
            .with_initializer(initializer)
            .try_init_with(&device, &mut rng(5))
            .unwrap();
        assert_eq!(layer.w_ex.dims(), [20, 3, 2, 5]);
        assert_eq!(layer.w_ix.as_ref().unwrap().dims(), [2, 3, 2, 5]);
        let mean = layer.w_ex.val().mean_dim(0);
        // Every inhibitory kernel is the mean excitatory kernel.
        let w_ix = layer.w_ix.as_ref().unwrap().val();
        assert_tensor_close(&w_ix, &mean.clone().repeat_dim(0, 2), 1e-5, "w_ix");
        let expected = layer.w_ex.val() - mean;
        assert_tensor_close(&layer.effective_kernels(), &expected, 1e-5, "effective");
        // Of fan-in 30: mean and standard deviation σ*.
        let sigma = (2.0 * 20.0 / (30.0 * 19.0_f64)).sqrt();
        let w_ex = values(&layer.w_ex.val());
        let found = w_ex.iter().sum::<f64>() / w_ex.len() as f64;
        assert!((found / sigma - 1.0).abs() < 0.2, "{found} {sigma}");
        dale::check(&layer).unwrap();
    }
}

#[test]
fn an_i_norm_convolution_starts_out_as_layer_norm_over_channels() {
    let device = Device::flex();
    for (channels, kernel) in [([2, 7], [3, 2]), ([1, 16], [3, 3])] {
        let layer = INormConv2dConfig::new(channels, kernel)
            .with_padding(PaddingConfig2d::Same)
            .try_init_with(&device, &mut rng(6))
            .unwrap();
        let n_d = channels[1].min(channels[0] * kernel[0] * kernel[1]);
        assert_eq!(
            layer.u_ix.as_ref().unwrap().dims(),
            [n_d, channels[0], kernel[0], kernel[1]]
        );
        let mut conv = Conv2dConfig::new(channels, kernel)
            .with_padding(PaddingConfig2d::Same)
            .with_bias(false)
            .init(&device);
        conv.weight = burn::module::Param::from_tensor(layer.w_ex.val());
        let uniform = common::uniform(&mut rng(7), [3, channels[0], 6, 5], 0.2, 1.0);
        let data = burn::tensor::TensorData::new(uniform, [3, channels[0], 6, 5]);
        let x = Tensor::<4>::from_data(data, &device);
        let a = conv.forward(x.clone());
        let deviation = a.clone() - a.mean_dim(1);
        let variance = deviation.clone().square().mean_dim(1);
        let expected = deviation / (variance + 1e-5).sqrt();
        assert_tensor_close(&layer.forward(x), &expected, 1e-3, "layer norm");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let device = Device::flex();
    let config = EiConv2dConfig::new([2, 4], [3, 3]);
    let name = |error: Error| match error {
        Error::Config { name, .. } => name,
        other => panic!("{other}"),
    };
    let refused = |config: EiConv2dConfig| name(config.try_init(&device).unwrap_err());
    assert_eq!(refused(EiConv2dConfig::new([0, 4], [3, 3])), "channels");
    assert_eq!(refused(EiConv2dConfig::new([2, 0], [3, 3])), "channels");
    assert_eq!(refused(EiConv2dConfig::new([2, 4], [3, 0])), "kernel_size");
    assert_eq!(refused(config.clone().with_stride([1, 0])), "stride");
    assert_eq!(refused(config.clone().with_dilation([0, 1])), "dilation");
    let i_norm = INormConv2dConfig::new([2, 4], [3, 3]);
    let refused = |config: INormConv2dConfig| name(config.try_init(&device).unwrap_err());
    assert_eq!(refused(i_norm.clone().with_stride([0, 1])), "stride");
    assert_eq!(refused(i_norm.clone().with_epsilon(-1.0)), "epsilon");
    assert_eq!(
        refused(i_norm.clone().with_inhibitory(Inhibitory::Count(0))),
        "inhibitory"
    );
    assert_eq!(
        refused(INormConv2dConfig::new([2, 4], [0, 3])),
        "kernel_size"
    );

    let tensor = |shape: [usize; 4]| Tensor::<4>::ones(shape, &device);
    let weights = EiConv2dWeights {
        w_ex: tensor([4, 2, 3, 3]),
        inhibition: Some((tensor([1, 2, 3, 2]), Tensor::ones([1, 4], &device))),
        bias: None,
    };
    let error = EiConv2d::from_weights(weights, ConvGeometry::default()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Shape {
                parameter: "w_ix",
                ..
            }
        ),
        "{error}"
    );
    let weights = INormConv2dWeights {
        w_ex: tensor([4, 2, 3, 3]),
        w_ix: tensor([1, 2, 3, 3]),
        w_ei: Tensor::ones([1, 4], &device),
        divisive: Some((tensor([3, 1, 3, 3]), Tensor::ones([3, 4], &device))),
        bias: None,
    };
    let norm = grad_norm(GradNormMode::Full, 4, &device);
    let geometry = ConvGeometry::default();
    let error = INormConv2d::from_weights(weights, geometry, norm, None, EPSILON).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Shape {
                parameter: "u_ix",
                ..
            }
        ),
        "{error}"
    );

    let (ei, i_norm) = (config.init(&device), i_norm.init(&device));
    let message = panic_of(|| drop(ei.forward(tensor([1, 3, 5, 5]))));
    assert!(
        message.contains("[1, 3, 5, 5]") && message.contains("[batch, 2"),
        "{message}"
    );
    let message = panic_of(|| drop(i_norm.forward(tensor([1, 2, 2, 5]))));
    assert!(
        message.contains("does not fit") && message.contains("[2, 5]"),
        "{message}"
    );
}
