//! Initial weights: distributions, balance of inhibition, seeds, sizes.

use crate::common::{assert_close, rng, row_means, setups, values};
use burn::tensor::{Device, Tensor};
use ei_norm::{
    ColumnEiLinearConfig, EiInitializer, EiLinear, EiLinearConfig, INormLinearConfig, Inhibitory,
    ShuntingLinearConfig, ShuntingRnnConfig,
};

fn layer(sizes: [usize; 2], n_i: usize, initializer: EiInitializer, seed: u64) -> EiLinear {
    EiLinearConfig::new(sizes[0], sizes[1])
        .with_inhibitory(Inhibitory::Count(n_i))
        .with_initializer(initializer)
        .try_init_with(&Device::flex(), &mut rng(seed))
        .unwrap()
}

/// Every parameter, in f64: W_ex, W_ix, W_ei, bias.
fn parameters(layer: &EiLinear) -> [Vec<f64>; 4] {
    [
        values(&layer.w_ex.val()),
        layer.w_ix.as_ref().map_or(vec![], |w| values(&w.val())),
        layer.w_ei.as_ref().map_or(vec![], |w| values(&w.val())),
        layer.bias.as_ref().map_or(vec![], |b| values(&b.val())),
    ]
}

struct Sample {
    mean: f64,
    deviation: f64,
    /// The share of values below a tenth of the mean.
    small: f64,
}

fn sample(values: &[f64]) -> Sample {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    Sample {
        mean,
        deviation: variance.sqrt(),
        small: values.iter().filter(|v| **v < 0.1 * mean).count() as f64 / n,
    }
}

fn sigma_star(d_input: usize, d_output: usize) -> f64 {
    let (n_in, n_e) = (d_input as f64, d_output as f64);
    (2.0 * n_e / (n_in * (n_e - 1.0))).sqrt()
}

/// The shares of values below a tenth of the mean: for a lognormal distribution whose mean is its standard
/// deviation, and for an exponential distribution.
const SMALL_LOGNORMAL: f64 = 0.0094;
const SMALL_EXPONENTIAL: f64 = 0.0952;

#[test]
fn excitatory_weights_have_the_mean_and_deviation_of_the_paper() {
    for (initializer, small) in [
        (EiInitializer::Lognormal, SMALL_LOGNORMAL),
        (EiInitializer::Exponential, SMALL_EXPONENTIAL),
    ] {
        // With few outputs, n_e − 1 differs visibly from n_e.
        let layer = layer([40_000, 4], 1, initializer, 1);
        let found = sample(&values(&layer.w_ex.val()));
        let sigma = sigma_star(40_000, 4);
        let at = format!("{initializer:?}");
        assert_close(&[found.mean], &[sigma], 0.015, &at);
        assert_close(&[found.deviation], &[sigma], 0.05, &at);
        assert_close(&[found.small], &[small], 0.1, &at);
    }
}

#[test]
fn weights_onto_the_outputs_are_drawn_before_they_are_normalized() {
    // With two units, u/(u + v) of exponential draws is uniform in 0..1; the logit of the ratio of lognormal
    // draws is normal with variance 2 ln 2.
    let shares = |initializer| {
        let layer = layer([3, 40_000], 2, initializer, 2);
        let w_ei = values(&layer.w_ei.as_ref().unwrap().val());
        w_ei[..40_000].to_vec()
    };
    let exponential = sample(&shares(EiInitializer::Exponential));
    assert_close(&[exponential.mean], &[0.5], 0.02, "mean");
    assert_close(
        &[exponential.deviation],
        &[12_f64.sqrt().recip()],
        0.02,
        "deviation",
    );
    let logits: Vec<f64> = shares(EiInitializer::Lognormal)
        .iter()
        .map(|share| (share / (1.0 - share)).ln())
        .collect();
    let deviation = (2.0 * 2_f64.ln()).sqrt();
    assert_close(&[sample(&logits).deviation], &[deviation], 0.02, "logit");
}

#[test]
fn inhibition_starts_out_balancing_excitation() {
    for initializer in [EiInitializer::Lognormal, EiInitializer::Exponential] {
        for (sizes, n_i) in [([5, 2], 1), ([7, 6], 3), ([4, 9], 9)] {
            let layer = layer(sizes, n_i, initializer, 3);
            let [d_input, d_output] = sizes;
            let [w_ex, w_ix, w_ei, bias] = parameters(&layer);
            let at = format!("{initializer:?} {sizes:?} {n_i}");
            for unit in 0..d_output {
                let sum: f64 = (0..n_i).map(|i| w_ei[i * d_output + unit]).sum();
                assert_close(&[sum], &[1.0], 1e-6, &at);
            }
            for input in 0..d_input {
                let row = &w_ex[input * d_output..][..d_output];
                let mean = row.iter().sum::<f64>() / d_output as f64;
                let units = &w_ix[input * n_i..][..n_i];
                assert_close(units, &vec![mean; n_i], 1e-6, &at);
            }
            assert_eq!(bias, vec![0.0; d_output]);
            let x = setups()[0].positive(&mut rng(4), [3, d_input]);
            let currents = layer.currents(x);
            let drive = values(&currents.excitatory.mean_dim(1).repeat_dim(1, d_output));
            assert_close(&values(&currents.subtractive), &drive, 1e-5, &at);
        }
    }
}

#[test]
fn the_iclr_weights_follow_their_formula() {
    let layer = layer([400, 30], 4, EiInitializer::Iclr, 5);
    let [w_ex, w_ix, w_ei, bias] = parameters(&layer);
    let tau = 2.0 * std::f64::consts::PI;
    let scale = (tau / (400.0 * (tau - 1.0))).sqrt();
    for (name, weights, tolerance) in [("w_ex", &w_ex, 0.05), ("w_ix", &w_ix, 0.1)] {
        let found = sample(weights);
        assert_close(&[found.mean], &[scale], tolerance, name);
        assert_close(&[found.deviation], &[scale], tolerance, name);
        assert_close(&[found.small], &[SMALL_EXPONENTIAL], 3.0 * tolerance, name);
    }
    assert_eq!(w_ei, vec![0.25; 120]);
    assert_eq!(bias, vec![0.0; 30]);
    assert_ne!(w_ix[..4], [w_ix[0]; 4]);
}

#[test]
fn one_iclr_unit_takes_the_mean_excitatory_weights() {
    for d_output in [1, 5] {
        let layer = layer([6, d_output], 1, EiInitializer::Iclr, 6);
        let [w_ex, w_ix, w_ei, _] = parameters(&layer);
        let means = row_means(&w_ex, d_output);
        assert_close(&w_ix, &means, 1e-6, "w_ix");
        assert_eq!(w_ei, vec![1.0; d_output]);
    }
}

#[test]
fn one_shunting_unit_takes_the_mean_of_the_connections_that_exist() {
    let config = ShuntingRnnConfig::new(3, 5).with_inhibitory(Inhibitory::Count(1));
    for autapses in [true, false] {
        let config = config.clone().with_autapses(autapses);
        let rnn = config.try_init_with(&Device::flex(), &mut rng(6)).unwrap();
        let w_ex = values(&rnn.w_ex.val());
        let zeros = w_ex.iter().filter(|w| **w == 0.0).count();
        assert_eq!(zeros, if autapses { 0 } else { 5 });
        let means = row_means(&w_ex, 5);
        assert_close(&values(&rnn.w_ix.val()), &means, 1e-6, "w_ix");
    }
}

#[test]
fn initial_weights_are_positive() {
    for initializer in [
        EiInitializer::Lognormal,
        EiInitializer::Exponential,
        EiInitializer::Iclr,
    ] {
        let layer = layer([50, 20], 3, initializer, 7);
        ei_norm::dale::check(&layer).unwrap();
        let [w_ex, ..] = parameters(&layer);
        assert!(w_ex.iter().all(|w| *w > 0.0 && w.is_finite()));
    }
}

#[test]
fn a_generator_determines_the_weights() {
    let of = |seed| parameters(&layer([6, 5], 2, EiInitializer::Lognormal, seed));
    assert_eq!(of(1), of(1));
    assert_ne!(of(1)[0], of(2)[0]);
    assert_ne!(of(1)[2], of(2)[2]);
    let mut rng = rng(1);
    let config = EiLinearConfig::new(6, 5);
    let [first, second] = [(); 2].map(|()| config.try_init_with(&Device::flex(), &mut rng));
    assert_ne!(
        parameters(&first.unwrap())[0],
        parameters(&second.unwrap())[0]
    );
}

#[test]
fn a_generator_gives_the_same_weights_on_every_backend() {
    let of = |device: &Device| {
        let config = EiLinearConfig::new(6, 5);
        parameters(&config.try_init_with(device, &mut rng(1)).unwrap())
    };
    let first = of(&setups()[0].device);
    for setup in setups() {
        assert_eq!(of(&setup.device), first, "{}", setup.name);
        assert_eq!(of(&setup.device.autodiff()), first, "{}", setup.name);
    }
}

#[test]
fn a_fraction_of_the_outputs_is_rounded_down_but_at_least_1() {
    let units = |fraction: f64, outputs| Inhibitory::Fraction(fraction).units(outputs).unwrap();
    assert_eq!(units(0.1, 234), 23);
    assert_eq!(units(0.1, 10), 1);
    assert_eq!(units(0.1, 3), 1);
    assert_eq!(units(1e-6, 3), 1);
    assert_eq!(units(0.29, 100), 29);
    assert_eq!(units(0.1, 239), 23);
    assert_eq!(units(1.0, 7), 7);
    assert_eq!(units(0.0, 234), 0);
    assert_eq!(Inhibitory::Count(17).units(4).unwrap(), 17);
    assert_eq!(Inhibitory::default(), Inhibitory::Fraction(0.1));
    let of = |config: EiLinearConfig| {
        let layer = config.try_init_with(&Device::flex(), &mut rng(1)).unwrap();
        layer.inhibitory_units()
    };
    assert_eq!(of(EiLinearConfig::new(3, 234)), 23);
    let none = Inhibitory::Fraction(0.0);
    assert_eq!(of(EiLinearConfig::new(3, 234).with_inhibitory(none)), 0);
}

#[test]
fn an_i_norm_layer_draws_like_an_ei_layer() {
    let ei = EiLinearConfig::new(6, 20);
    let ei = ei.try_init_with(&Device::flex(), &mut rng(1)).unwrap();
    for divisive in [true, false] {
        let config = INormLinearConfig::new(6, 20).with_divisive(divisive);
        let layer = config.try_init_with(&Device::flex(), &mut rng(1)).unwrap();
        let found: [Tensor<2>; 3] = [layer.w_ex.val(), layer.w_ix.val(), layer.w_ei.val()];
        assert_eq!(found.map(|w| values(&w))[..], parameters(&ei)[..3]);
        assert_eq!(values(&layer.bias.as_ref().unwrap().val()), [0.0; 20]);
    }
}

/// Fails unless the first two moments are those of an exponential distribution with this mean.
#[track_caller]
fn assert_exponential(values: &[f64], scale: f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    assert!((mean / scale - 1.0).abs() < 0.03, "{mean} {scale}");
    let second = values.iter().map(|v| v * v).sum::<f64>() / count / (2.0 * scale * scale);
    assert!((second - 1.0).abs() < 0.06, "{second}");
}

#[test]
fn shunting_weights_are_those_of_the_paper() {
    let device = Device::flex();
    let tau = std::f64::consts::TAU;
    let (d, n_e) = (400, 300);
    for first_layer in [false, true] {
        let scale = match first_layer {
            true => (0.5 / d as f64).sqrt(),
            false => (tau / (d as f64 * (tau - 1.0))).sqrt(),
        };
        let config = ShuntingLinearConfig::new(d, n_e).with_first_layer(first_layer);
        let layer = config.try_init_with(&device, &mut rng(1)).unwrap();
        assert_exponential(&values(&layer.w_ex.val()), scale);
        assert_exponential(&values(&layer.w_ix.val()), scale);
        let w_ei = values(&layer.w_ei.val());
        assert!(w_ei.iter().all(|w| (w - 1.0 / 30.0).abs() < 1e-8));
        let alpha = ((tau - 1.0) / d as f64).sqrt().ln();
        assert_close(&values(&layer.alpha.val()), &[alpha; 30], 1e-6, "alpha");
        assert_eq!(values(&layer.gain.val()), [1.0; 300]);
        assert_eq!((layer.inhibitory_units(), layer.epsilon()), (30, 1e-8));
        assert_eq!(values(&layer.bias.as_ref().unwrap().val()), [0.0; 300]);

        // With one unit: the mean weights and 1.
        let one = config.clone().with_inhibitory(Inhibitory::Count(1));
        let layer = one.try_init_with(&device, &mut rng(1)).unwrap();
        let means = row_means(&values(&layer.w_ex.val()), n_e);
        assert_close(&values(&layer.w_ix.val()), &means, 1e-6, "mean row");
        assert!(values(&layer.w_ei.val()).iter().all(|w| *w == 1.0));

        // iid: both from Exp(sqrt(s/n_i)).
        let iid = config.with_iid_inhibition(true);
        let layer = iid.try_init_with(&device, &mut rng(1)).unwrap();
        let scale = (scale / 30.0).sqrt();
        assert_exponential(&values(&layer.w_ix.val()), scale);
        assert_exponential(&values(&layer.w_ei.val()), scale);
    }
}

#[test]
fn column_weights_balance_in_the_mean() {
    let device = Device::flex();
    let tau = std::f64::consts::TAU;
    for (n, ratio, n_i) in [(300, 9.0, 30), (301, 9.0, 31), (200, 4.0, 40), (2, 9.0, 1)] {
        let config = ColumnEiLinearConfig::new(n, 400).with_ratio(ratio);
        let layer = config.try_init_with(&device, &mut rng(1)).unwrap();
        assert_eq!(layer.inhibitory_inputs(), n_i, "{n} {ratio}");
        let n_e = n - n_i;
        let signs = values(&layer.signs.val());
        assert!(signs[..n_e].iter().all(|s| *s == 1.0) && signs[n_e..].iter().all(|s| *s == -1.0));
        let x = setups()[0].positive(&mut rng(2), [3, n]);
        let inhibition = values(&layer.currents(x).subtractive);
        assert!(inhibition.iter().all(|s| *s >= 0.0));
        if n == 2 {
            continue; // too few to see a distribution
        }
        let (e, i) = (n_e as f64, n_i as f64);
        let scale_e = ((tau - 1.0) / tau * (e + e * e / i)).powf(-0.5);
        let w = values(&layer.w_ex.val());
        let (of_e, of_i) = w.split_at(n_e * 400);
        for (part, scale) in [(of_e, scale_e), (of_i, e / i * scale_e)] {
            assert_exponential(part, scale);
        }
    }
}
