//! Initial weights of signed networks, and matrices scaled by their spectrum.

use crate::common::{assert_close, rng, setups, values};
use burn::tensor::Device;
use ei_norm::init::{
    SignedLognormal, rescale_to_norm, rescale_to_radius, spectral_norm, spectral_radius,
};

#[test]
fn signed_lognormal_weights_have_the_moments_that_are_stated() {
    let device = Device::flex();
    for (gain, ratio, fan_in) in [(1.0, 1.5, 64), (0.5, 3.0, 10), (2.0, 0.5, 100)] {
        let init = SignedLognormal { gain, ratio };
        let w = init.draw([300, 300], fan_in, &device, &mut rng(1)).unwrap();
        let w = values(&w);
        let mean = |f: &dyn Fn(f64) -> f64| w.iter().map(|v| f(*v)).sum::<f64>() / w.len() as f64;
        let std = gain / (fan_in as f64).sqrt() / (1.0 + ratio * ratio).sqrt();
        let of_size = mean(&|v| v.abs());
        assert!((of_size / (ratio * std) - 1.0).abs() < 0.03, "{of_size}");
        let square = mean(&|v| v * v) / (gain * gain / fan_in as f64);
        assert!((square - 1.0).abs() < 0.1, "{square}");
        assert!((mean(&|v| f64::from(v > 0.0)) - 0.5).abs() < 0.01);
    }
    assert_eq!(SignedLognormal::default().ratio, 1.5);
    for (init, fan_in, name) in [
        (SignedLognormal::default(), 0, "fan_in"),
        (
            SignedLognormal {
                gain: 0.0,
                ratio: 1.5,
            },
            4,
            "gain",
        ),
        (
            SignedLognormal {
                gain: 1.0,
                ratio: f64::NAN,
            },
            4,
            "ratio",
        ),
    ] {
        let error = init.draw([2, 2], fan_in, &device, &mut rng(1)).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn the_spectrum_of_known_matrices() {
    for setup in setups() {
        let at = |what: &str| setup.at(what);
        // Rounding accumulates over the squares, and a scalar divisor has single precision.
        let tolerance = setup.tolerance.max(1e-6);
        // A rotation times 2 (complex eigenvalues of absolute value 2), triangular, nilpotent.
        for (w, radius, norm) in [
            (vec![0.0, -2.0, 2.0, 0.0], 2.0, 2.0),
            (vec![3.0, 0.0, 4.0, -0.5], 3.0, 5.016_031_736_197_814),
            (vec![0.0, 7.0, 0.0, 0.0], 0.0, 7.0),
        ] {
            let w = setup.tensor(w, [2, 2]);
            let found = spectral_radius(&w).unwrap();
            assert_close(&[found], &[radius], tolerance, &at("radius"));
            assert_close(&[spectral_norm(&w)], &[norm], tolerance, &at("norm"));
        }
        let wide = setup.tensor(vec![3.0, 0.0, 0.0, 0.0, 4.0, 0.0], [2, 3]);
        assert_close(&[spectral_norm(&wide)], &[4.0], tolerance, &at("wide"));
        assert!(spectral_radius(&wide).is_err());

        let w = setup.random(&mut rng(1), [20, 20]);
        let scaled = rescale_to_radius(w.clone(), 0.9).unwrap();
        let found = spectral_radius(&scaled).unwrap();
        assert_close(&[found], &[0.9], 10.0 * tolerance, &at("rescaled"));
        let scaled = rescale_to_norm(w.clone(), 1.5).unwrap();
        let found = spectral_norm(&scaled);
        assert_close(&[found], &[1.5], 10.0 * tolerance, &at("rescaled"));
        assert!(rescale_to_radius(w.clone(), -1.0).is_err());
        assert!(rescale_to_norm(w.clone() * 0.0, 1.0).is_err());
        assert!(rescale_to_radius(w * f64::NAN, 1.0).is_err());
    }
}
