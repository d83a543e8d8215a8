//! Moments, cosine and alignment against their definitions; gradients from autodiff.

use crate::common::circuits::{Divisive, EPSILON, ei, i_norm};
use crate::common::{ChaCha8Rng, NORMALIZATIONS, Setup, assert_close, leaf, rng, setups, values};
use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{DType, Gradients, Tensor};
use ei_norm::functional::{BackwardRule, Normalization, normalize};
use ei_norm::grad::normalize_grad;
use ei_norm::metric::{self, Alignment, cosine, ei_alignment, i_norm_alignment, moments};
use ei_norm::{
    EiLinear, EiWeights, GradNormConfig, GradNormMode, INormLinear, INormWeights,
    InhibitoryPlasticity,
};

#[test]
fn moments_of_a_known_batch() {
    for setup in setups() {
        let z: Tensor<2> = setup.tensor(vec![1.0, 2.0, 3.0, 4.0, 6.0, 8.0], [2, 3]);
        for z in [z.clone(), leaf(&z)] {
            let cube: Tensor<3> = z.clone().reshape([2, 1, 3]);
            for found in [moments(z), moments(cube)] {
                let found = [found.mean, found.variance];
                let expected = [4.0, 5.0 / 3.0];
                assert_close(&found, &expected, setup.tolerance, &setup.at("moments"));
            }
        }
    }
}

#[test]
fn cosine_of_known_tensors() {
    for setup in setups() {
        let tensor = |values: [f64; 4]| -> Tensor<2> { setup.tensor(values.to_vec(), [2, 2]) };
        let a = tensor([1.0, 2.0, -2.0, 0.0]);
        let at = setup.at("cosine");
        for (other, expected) in [
            (a.clone() * 3.0, 1.0),
            (a.clone() * -0.5, -1.0),
            (tensor([2.0, 0.0, 1.0, 5.0]), 0.0),
            (tensor([1.0, 0.0, 0.0, 0.0]), 1.0 / 3.0),
        ] {
            let found = cosine(a.clone(), leaf(&other));
            // The tolerance is absolute if the expected value is 0.
            assert_close(&[found], &[expected], 10.0 * setup.tolerance, &at);
        }
        assert!(cosine(a.clone(), tensor([0.0; 4])).is_nan());
        if setup.device.supports_dtype(DType::F16) {
            // The squares are 0 in f16.
            let small = (tensor([1.0, 2.0, 2.0, 0.0]) * 1e-4).cast(DType::F16);
            assert_close(&[cosine(small.clone(), small)], &[1.0], 1e-6, &at);
        }
    }
}

/// The cosine on the host.
fn cosine_of(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Output and gradient alignment from the two outputs after their ReLU; gradients may use another reference.
fn by_definition(
    reference: impl Fn() -> Tensor<2>,
    actual: impl Fn() -> Tensor<2>,
    gradient_reference: impl Fn() -> Tensor<2>,
    w_ex: &Tensor<2>,
) -> [f64; 2] {
    let gradient = |out: Tensor<2>| {
        let grads: Gradients = relu(out).sum().backward();
        values(&w_ex.grad(&grads).unwrap())
    };
    let output = |out: Tensor<2>| values(&relu(out));
    [
        cosine_of(&output(reference()), &output(actual())),
        cosine_of(&gradient(gradient_reference()), &gradient(actual())),
    ]
}

fn layer_norm(z: Tensor<2>) -> Tensor<2> {
    normalize(z, Normalization::Layer, BackwardRule::Exact, EPSILON)
}

fn found(alignment: Alignment) -> [f64; 2] {
    [alignment.output, alignment.gradient]
}

fn ei_layer(setup: &Setup, rng: &mut ChaCha8Rng) -> EiLinear {
    EiLinear::from_weights(ei(setup, rng, [6, 2, 5])).unwrap()
}

#[test]
fn the_alignment_of_an_ei_layer_is_its_definition() {
    for setup in setups() {
        let mut rng = rng(1);
        let layer = ei_layer(&setup, &mut rng);
        let x = setup.positive(&mut rng, [7, 6]);
        for normalization in NORMALIZATIONS.map(Some).into_iter().chain([None]) {
            let z = || match normalization {
                Some((kind, rule)) => normalize(layer.forward(x.clone()), kind, rule, EPSILON),
                None => layer.forward(x.clone()),
            };
            let reference = || layer_norm(z());
            let expected = by_definition(reference, z, reference, &layer.w_ex.val());
            let at = setup.at(normalization);
            let alignment = ei_alignment(&layer, normalization, EPSILON, x.clone());
            assert_close(&found(alignment), &expected, 10.0 * setup.tolerance, &at);
            let plain = ei_alignment(&layer.valid(), normalization, EPSILON, leaf(&x));
            assert_eq!(plain, alignment, "{at}");
        }
    }
}

fn i_norm_layer(
    setup: &Setup,
    rng: &mut ChaCha8Rng,
    mode: GradNormMode,
    divisive: Divisive,
) -> INormLinear {
    let plasticity = InhibitoryPlasticity::of_paper(divisive != Divisive::None);
    INormLinear::from_weights(i_norm(setup, rng, [6, 5], divisive, plasticity, mode)).unwrap()
}

#[test]
fn the_alignment_of_an_i_norm_layer_is_its_definition() {
    for setup in setups() {
        for (mode, divisive) in GradNormMode::ALL
            .into_iter()
            .flat_map(|mode| [(mode, Divisive::Mixed), (mode, Divisive::None)])
        {
            let mut rng = rng(2);
            let layer = i_norm_layer(&setup, &mut rng, mode, divisive);
            let x = setup.positive(&mut rng, [7, 6]);
            let z = || layer.output(&layer.currents(x.clone()));
            let reference = || layer_norm(z());
            let gradient_reference = || match mode {
                GradNormMode::Lateral => normalize_grad(z(), GradNormMode::Center, None, EPSILON),
                _ => layer_norm(z()),
            };
            let actual = || layer.forward(x.clone());
            let expected = by_definition(reference, actual, gradient_reference, &layer.w_ex.val());
            let at = setup.at((mode, divisive));
            let alignment = i_norm_alignment(&layer, x.clone());
            assert_close(&found(alignment), &expected, 10.0 * setup.tolerance, &at);
            assert!(expected.iter().all(|c| *c < 0.9999), "{at}: {expected:?}");
            let plain = i_norm_alignment(&layer.valid(), leaf(&x));
            assert_eq!(plain, alignment, "{at}");
        }
    }
}

#[test]
fn layer_norm_behind_a_layer_aligns_to_1() {
    for setup in setups() {
        let mut rng = rng(3);
        let layer = ei_layer(&setup, &mut rng);
        let x = setup.positive(&mut rng, [7, 6]);
        let exact = Some((Normalization::Layer, BackwardRule::Exact));
        let alignment = ei_alignment(&layer, exact, 1e-7, x.clone());
        assert_close(&found(alignment), &[1.0, 1.0], 1e-5, &setup.at("exact"));
        let through = Some((Normalization::Layer, BackwardRule::StraightThrough));
        let alignment = ei_alignment(&layer, through, 1e-7, x);
        let at = setup.at("straight through");
        assert_close(&[alignment.output], &[1.0], 1e-5, &at);
        assert!(alignment.gradient < 0.99, "{}", setup.at(alignment));
    }
}

#[test]
fn a_balanced_layer_with_full_error_normalization_aligns_to_1() {
    for setup in setups() {
        let mut rng = rng(4);
        let w_ex = setup.positive(&mut rng, [6, 5]).autodiff();
        let w_ix = w_ex.clone().mean_dim(1);
        let w_ei = w_ex.clone().narrow(0, 0, 1).ones_like();
        let weights = INormWeights::balanced(w_ex, w_ix, w_ei, None);
        let x = setup.positive(&mut rng, [7, 6]);
        for (mode, aligned) in [(GradNormMode::Full, true), (GradNormMode::Identity, false)] {
            let config = GradNormConfig::new(5).with_mode(mode).with_epsilon(1e-7);
            let layer = INormLinear::from_weights(INormWeights {
                grad_norm: config.init(&setup.device),
                epsilon: 1e-7,
                ..weights.clone()
            });
            let alignment = i_norm_alignment(&layer.unwrap(), x.clone());
            let at = setup.at(mode);
            assert_close(&[alignment.output], &[1.0], 1e-4, &at);
            assert_eq!(alignment.gradient > 0.9999, aligned, "{at} {alignment:?}");
        }
    }
}

#[test]
fn measuring_leaves_the_graph_alone() {
    let setup = &setups()[0];
    let mut rng = rng(5);
    let layer = i_norm_layer(setup, &mut rng, GradNormMode::Full, Divisive::Mixed);
    let x = leaf(&setup.positive(&mut rng, [7, 6]));
    let loss = layer.forward(x.clone()).sin().sum();
    let _ = i_norm_alignment(&layer, x.clone());
    let _ = moments(layer.forward(x.clone()));
    let grads = loss.backward();
    assert!(x.grad(&grads).is_some());
}

/// Rows with orthogonal columns of mean 0 and of these sizes: the covariance is diagonal, with entries size²
/// batch/(batch − 1).
fn orthogonal_columns(setup: &Setup, batch: usize, sizes: &[f64]) -> Tensor<2> {
    // Walsh functions: the sign of column k in row i is the parity of i & k.
    let sign = |row: usize, column: usize| match (row & column).count_ones() % 2 {
        0 => 1.0,
        _ => -1.0,
    };
    let row = |i: usize| {
        sizes
            .iter()
            .zip(1..)
            .map(move |(size, k)| size * sign(i, k))
    };
    setup.tensor((0..batch).flat_map(row).collect(), [batch, sizes.len()])
}

#[test]
fn lambda_max_of_known_covariances() {
    let low_rank = |rank: usize| (0..31).map(|k| f64::from(k < rank)).collect();
    let near = vec![1.0, 1.0 - 1e-6, 1.0 - 1e-9, 0.999, 0.5, 0.5];
    let wide: Vec<f64> = (0..31).map(|k| f64::powi(0.5, k)).collect();
    let spectra: [Vec<f64>; 6] = [
        vec![3.0],
        vec![0.1, 2.0, 0.3],
        low_rank(10),
        low_rank(1),
        near,
        wide,
    ];
    for setup in setups() {
        for sizes in &spectra {
            // The errors of a network are small.
            for scale in [1.0, 1e-7, 1e-18] {
                let sizes: Vec<f64> = sizes.iter().map(|s| s * scale).collect();
                let delta = orthogonal_columns(&setup, 32, &sizes);
                let largest = sizes.iter().fold(0.0_f64, |a, b| a.max(*b));
                let expected = largest.powi(2) * 32.0 / 31.0;
                let shifted = delta.clone() + 3.0 * scale;
                for delta in [delta, shifted] {
                    let found = metric::largest_covariance_eigenvalue(delta);
                    let at = setup.at((sizes.len(), scale));
                    assert_close(&[found], &[expected], setup.tolerance, &at);
                }
            }
        }
    }
}

#[test]
fn lambda_max_of_a_few_or_equal_or_infinite_errors() {
    for setup in setups() {
        let of = |values: Vec<f64>, shape| {
            metric::largest_covariance_eigenvalue(setup.tensor::<2>(values, shape))
        };
        assert_eq!(of(vec![0.5; 12], [4, 3]), 0.0);
        assert_eq!(of(vec![0.0; 12], [4, 3]), 0.0);
        assert!(of(vec![1.0, 2.0], [1, 2]).is_nan());
        assert!(of(vec![1.0, f64::NAN, 3.0, 4.0], [2, 2]).is_nan());
        assert!(of(vec![1.0, f64::INFINITY, 3.0, 4.0], [2, 2]).is_nan());
        let found = of(vec![1.0, 4.0, 7.0], [3, 1]);
        assert_close(&[found], &[9.0], setup.tolerance, "one feature");
    }
}

#[test]
fn the_cosine_of_a_step_and_its_projection() {
    for setup in setups() {
        // A layer with these W_ex and this bias, which may have any sign.
        let layer = |w_ex: Vec<f64>, bias: f64| {
            EiLinear::from_weights(EiWeights {
                w_ex: setup.tensor(w_ex, [2, 2]).autodiff(),
                inhibition: None,
                bias: Some(setup.tensor(vec![bias; 2], [2]).autodiff()),
            })
            .unwrap()
        };
        let before = layer(vec![1.0, 2.0, 0.5, 0.0], 0.0);
        let at = |what: &str| setup.at(what);
        let cosine = |after: Vec<f64>| metric::projection_cosine(&before, &layer(after, -9.0));
        // There is nothing to project except the bias.
        let found = cosine(vec![0.5, 3.0, 0.0, 0.25]);
        assert_close(&[found], &[1.0], setup.tolerance, &at("kept"));
        // Steps (-2, 1, 0, -1), of which (-1, 1, 0, 0) remain: cosine 3/sqrt(6 · 2).
        let found = cosine(vec![-1.0, 3.0, 0.5, -1.0]);
        let expected = 3.0 / 12_f64.sqrt();
        assert_close(&[found], &[expected], setup.tolerance, &at("cut"));
        assert!(cosine(vec![1.0, 2.0, 0.5, 0.0]).is_nan(), "no step");
        assert!(cosine(vec![f64::NAN, 2.0, 0.5, 0.0]).is_nan(), "diverged");
        // A parameter that is missing afterwards is left out, not compared with the next one.
        let (a, b) = (
            layer(vec![9.0; 4], 0.0),
            layer(vec![1.0, 2.0, 0.5, 0.0], 0.0),
        );
        let after = layer(vec![-1.0, 3.0, 0.5, -1.0], 0.0);
        let found = metric::projection_cosine(&(Some(a), b), &(None, after));
        assert_close(&[found], &[expected], setup.tolerance, &at("missing"));
    }
}
