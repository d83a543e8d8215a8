//! `GradNormMode::apply`, which uses a kernel if the backend has one, against the formulas in plain tensor
//! operations.

use burn::tensor::Tensor;
use ei_norm::GradNormMode;

use super::{ChaCha8Rng, Setup, rng, values};

/// ε of every test.
pub const EPSILON: f64 = 0.05;

/// δ' in plain tensor operations.
pub fn formula<const D: usize>(
    mode: GradNormMode,
    z: Tensor<D>,
    delta: Tensor<D>,
    weights: Tensor<1>,
) -> Tensor<D> {
    use GradNormMode::*;
    let mean = |t: Tensor<D>| t.mean_dim(D - 1);
    let offset = match mode {
        Lateral => Some((delta.clone() * weights.unsqueeze()).sum_dim(D - 1)),
        Full | Center | CenterScale | CenterDecorrelate => Some(mean(delta.clone())),
        _ => None,
    };
    let along = match mode {
        Full | Decorrelate | CenterDecorrelate | DecorrelateScale => {
            Some(z.clone() * mean(delta.clone() * z.clone()))
        }
        _ => None,
    };
    let sigma = match mode {
        Full | Scale | CenterScale | DecorrelateScale => {
            let variance = mean((z.clone() - mean(z)).square());
            Some((variance + EPSILON).sqrt())
        }
        _ => None,
    };
    let delta = offset.map_or(delta.clone(), |offset| delta - offset);
    let delta = along.map_or(delta.clone(), |along| delta - along);
    sigma.map_or(delta.clone(), |sigma| delta / sigma)
}

/// δ' from the library.
pub fn apply<const D: usize>(
    mode: GradNormMode,
    z: Tensor<D>,
    delta: Tensor<D>,
    weights: Tensor<1>,
) -> Tensor<D> {
    mode.apply(z, delta, Some(weights), EPSILON)
}

/// Weights of the lateral mode.
pub fn weights(setup: &Setup, features: usize) -> Tensor<1> {
    let u = setup.positive(&mut rng(features as u64), [features]);
    u.clone() / u.sum()
}

/// Applies every mode to these tensors, once with a shared error, which must not change, and once with an
/// unshared error.
pub fn check<const D: usize>(setup: &Setup, z: &Tensor<D>, delta: &Tensor<D>, what: &str) {
    let shape = delta.dims();
    let weights = weights(setup, shape[D - 1]);
    for mode in GradNormMode::ALL {
        let at = setup.at((mode, shape, what));
        let before = delta.to_data();
        let found = apply(mode, z.clone(), delta.clone(), weights.clone());
        assert_eq!(found.dims(), shape, "{at}");
        assert_eq!(found.dtype(), setup.dtype, "{at}");
        assert_eq!(
            delta.to_data().as_bytes(),
            before.as_bytes(),
            "{at}: δ changed"
        );
        let expected = formula(mode, z.clone(), delta.clone(), weights.clone());
        assert_near(&found, &expected, delta, setup.tolerance, &at);

        let unshared = Tensor::from_data(before, (&setup.device, setup.dtype));
        let unshared = apply(mode, z.clone(), unshared, weights.clone());
        assert_near(&unshared, &expected, delta, setup.tolerance, &at);
    }
}

/// Fails unless the two differ by at most `tolerance` times the largest of their values and of δ, because
/// values may cancel.
#[track_caller]
fn assert_near<const D: usize>(
    found: &Tensor<D>,
    expected: &Tensor<D>,
    delta: &Tensor<D>,
    tolerance: f64,
    message: &str,
) {
    let (found, expected) = (values(found), values(expected));
    let size = expected
        .iter()
        .chain(&values(delta))
        .fold(0.0_f64, |size, v| size.max(v.abs()));
    for (found, expected) in found.iter().zip(&expected) {
        let error = (found - expected).abs();
        assert!(
            error <= tolerance * size,
            "{message}: {found}, expected {expected}"
        );
    }
}

/// Random z and δ of this shape.
pub fn pair<const D: usize>(
    setup: &Setup,
    rng: &mut ChaCha8Rng,
    shape: [usize; D],
) -> [Tensor<D>; 2] {
    [setup.random(rng, shape), setup.random(rng, shape)]
}

/// Tests rows of many lengths, at ranks 1 to 4.
pub fn check_shapes(setup: &Setup) {
    let mut rng = rng(1);
    for features in [1, 2, 3, 7, 31, 32, 33, 100, 129, 500, 1024, 1025] {
        let [z, delta] = pair(setup, &mut rng, [features]);
        check(setup, &z, &delta, "a row");
        for rows in [1, 5, 33] {
            let [z, delta] = pair(setup, &mut rng, [rows, features]);
            check(setup, &z, &delta, "rows");
        }
        let [z, delta] = pair(setup, &mut rng, [3, 2, features]);
        check(setup, &z, &delta, "rank 3");
        let [z, delta] = pair(setup, &mut rng, [2, 1, 3, features]);
        check(setup, &z, &delta, "rank 4");
    }
}

/// Tests views that are not contiguous, in every combination.
pub fn check_layouts(setup: &Setup) {
    let mut rng = rng(2);
    for (rows, features) in [(5, 33), (7, 1), (1, 9), (4, 130)] {
        let mut views = || {
            let mut random = |shape: [usize; 2]| setup.random(&mut rng, shape);
            [
                ("plain", random([rows, features])),
                ("transposed", random([features, rows]).transpose()),
                (
                    "sliced",
                    random([rows + 2, features + 3]).slice([1..rows + 1, 2..features + 2]),
                ),
                (
                    "narrowed",
                    random([rows + 2, features]).slice([1..rows + 1, 0..features]),
                ),
                ("one row", random([1, features]).expand([rows, features])),
                ("one column", random([rows, 1]).expand([rows, features])),
                ("flipped", random([rows, features]).flip([0, 1])),
            ]
        };
        let (zs, deltas) = (views(), views());
        for (z_view, z) in &zs {
            for (delta_view, delta) in &deltas {
                check(setup, z, delta, &format!("z {z_view}, δ {delta_view}"));
            }
        }
    }
}

/// Tests z as its own error, with the same memory for both.
pub fn check_one_tensor_for_both(setup: &Setup) {
    let z = setup.random(&mut rng(3), [5, 70]);
    check(setup, &z, &z, "z = δ");
}

/// Tests that NaN and infinities are in the same places as in the formulas.
pub fn check_not_finite(setup: &Setup) {
    let weights = weights(setup, 40);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let one_bad = |row: usize| {
            let [good, _] = pair(setup, &mut rng(row as u64), [5, 40]);
            let mut values = values(&good);
            values[row * 40 + 17] = bad;
            setup.tensor::<2>(values, [5, 40])
        };
        let (z, delta) = (one_bad(1), one_bad(3));
        for mode in GradNormMode::ALL {
            let found = apply(mode, z.clone(), delta.clone(), weights.clone());
            let expected = formula(mode, z.clone(), delta.clone(), weights.clone());
            for (index, (found, expected)) in
                values(&found).iter().zip(values(&expected)).enumerate()
            {
                let same = found.is_nan() == expected.is_nan()
                    && found.is_infinite() == expected.is_infinite();
                let at = setup.at((mode, bad, index));
                assert!(same, "{at}: {found} and {expected}");
            }
        }
    }
}

/// Tests that far from zero, where sums round most, the error is no larger than the error of the formulas.
pub fn check_precision(setup: &Setup, precise: &Setup, offset: f64) {
    let (rows, features) = (64, 1000);
    let mut rng = rng(4);
    let mut shifted = || {
        let values: Vec<f64> = values(&setup.random(&mut rng, [rows, features]));
        let tensor = setup.tensor::<2>(
            values.iter().map(|v| v + offset).collect(),
            [rows, features],
        );
        let exact = precise.tensor::<2>(self::values(&tensor), [rows, features]);
        (tensor, exact)
    };
    let ((z, exact_z), (delta, exact_delta)) = (shifted(), shifted());
    let weights = weights(setup, features);
    let exact_weights = precise.tensor::<1>(values(&weights), [features]);
    for mode in GradNormMode::ALL {
        let exact = values(&formula(
            mode,
            exact_z.clone(),
            exact_delta.clone(),
            exact_weights.clone(),
        ));
        let error = |found: Tensor<2>| {
            let squares = values(&found)
                .iter()
                .zip(&exact)
                .map(|(a, b)| (a - b).powi(2))
                .sum::<f64>();
            (squares / exact.len() as f64).sqrt()
        };
        let found = error(apply(mode, z.clone(), delta.clone(), weights.clone()));
        let plain = error(formula(mode, z.clone(), delta.clone(), weights.clone()));
        let at = setup.at((mode, offset));
        println!("{at}: {found:e}, in tensor operations {plain:e}");
        // If both only round the result, the errors differ by chance by a few per cent.
        assert!(found <= 1.05 * plain, "{at}: {found:e} > {plain:e}");
    }
}
