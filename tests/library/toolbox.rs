//! The tools on `map_grad` against formulas computed on the host in f64.

use std::thread;

use crate::common::{
    Setup, assert_close, assert_same, gradient, leaf, panic_of, rng, setups, values,
};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{DType, Device, Tensor};
use ei_norm::Error;
use ei_norm::grad::{
    GradNoise, GradProbe, GradSentinel, check_grad, clip_grad_norm, clip_grad_total_norm,
    clip_grad_value, noise_grad, reverse_grad, scale_grad,
};

/// The error with each piece of `length` values scaled down to `max_norm`.
fn clipped(error: &[f64], length: usize, max_norm: f64) -> Vec<f64> {
    let pieces = error.chunks(length.max(1));
    pieces
        .flat_map(|piece| {
            let norm = piece.iter().map(|e| e * e).sum::<f64>().sqrt();
            let factor = if norm > max_norm {
                max_norm / norm
            } else {
                1.0
            };
            piece.iter().map(move |e| e * factor)
        })
        .collect()
}

fn limited(error: &[f64], limit: f64) -> Vec<f64> {
    error.iter().map(|e| e.clamp(-limit, limit)).collect()
}

fn scaled(error: &[f64], factor: f64) -> Vec<f64> {
    error.iter().map(|e| e * factor).collect()
}

/// A name, a tool, and its expected effect on the error of examples of a number of values.
type Case<const D: usize> = (
    &'static str,
    fn(Tensor<D>) -> Tensor<D>,
    fn(&[f64], usize) -> Vec<f64>,
);

/// The limits are within the range of norms of random errors, so that some errors are clipped and some are
/// not.
fn cases<const D: usize>() -> [Case<D>; 10] {
    let same = |e: &[f64], _| e.to_vec();
    [
        (
            "norm",
            |x| clip_grad_norm(x, 1.7),
            |e, length| clipped(e, length, 1.7),
        ),
        (
            "norm 0",
            |x| clip_grad_norm(x, 0.0),
            |e, _| vec![0.0; e.len()],
        ),
        (
            "total norm",
            |x| clip_grad_total_norm(x, 2.5),
            |e, _| clipped(e, e.len(), 2.5),
        ),
        ("value", |x| clip_grad_value(x, 0.9), |e, _| limited(e, 0.9)),
        ("scale", |x| scale_grad(x, -2.5), |e, _| scaled(e, -2.5)),
        ("reverse", |x| reverse_grad(x, 0.3), |e, _| scaled(e, -0.3)),
        ("no noise", |x| noise_grad(x, 0.0, &GradNoise::new(0)), same),
        ("probe", |x| GradProbe::new().attach(x), same),
        ("sentinel", |x| GradSentinel::new().watch(x, "x"), same),
        ("check", |x| check_grad(x, "x"), same),
    ]
}

fn matches_the_formulas<const D: usize>(setup: &Setup, shape: [usize; D]) {
    let mut rng = rng(D as u64);
    let length = shape[1..].iter().product();
    for (name, tool, formula) in cases::<D>() {
        let at = setup.at((name, shape));
        let x = setup.random(&mut rng, shape);
        let upstream = setup.random(&mut rng, shape);
        let found = gradient(&x, &upstream, |x| {
            let y = tool(x.clone());
            assert_same(&y, &x, &at);
            y
        });
        assert_eq!((found.dims(), found.dtype()), (shape, setup.dtype), "{at}");
        let expected = formula(&values(&upstream), length);
        assert_close(&values(&found), &expected, setup.tolerance, &at);

        let zero = gradient(&x, &upstream.zeros_like(), tool);
        assert!(values(&zero).iter().all(|error| *error == 0.0), "{at}");
    }
}

#[test]
fn every_tool_matches_its_formula_at_every_rank() {
    for setup in setups() {
        matches_the_formulas(&setup, [1]);
        matches_the_formulas(&setup, [7]);
        matches_the_formulas(&setup, [6, 1]);
        matches_the_formulas(&setup, [8, 3]);
        matches_the_formulas(&setup, [5, 2, 2]);
        matches_the_formulas(&setup, [4, 1, 3, 2]);
    }
}

fn nothing_happens_without_values<const D: usize>(setup: &Setup, shape: [usize; D]) {
    let x = setup.tensor(Vec::new(), shape);
    for (name, tool, _) in cases() {
        let found = gradient(&x, &x, tool);
        assert_eq!(found.dims(), shape, "{}", setup.at(name));
    }
    let noisy = |x| noise_grad(x, 1.0, &GradNoise::new(0));
    assert_eq!(gradient(&x, &x, noisy).dims(), shape);
}

#[test]
fn nothing_to_do_for_tensors_without_values() {
    for setup in setups() {
        nothing_happens_without_values(&setup, [0, 4]);
        nothing_happens_without_values(&setup, [3, 0]);
        nothing_happens_without_values(&setup, [3, 0, 4]);
        nothing_happens_without_values(&setup, [0, 3, 4]);
    }
}

#[test]
fn a_chain_acts_from_the_loss_to_the_input() {
    for setup in setups() {
        let mut rng = rng(1);
        let shape = [9, 4];
        let [x, upstream] = [(); 2].map(|()| setup.random(&mut rng, shape));
        let (first, last) = (GradProbe::new(), GradProbe::new());
        let sentinel = GradSentinel::new();
        let found = gradient(&x, &upstream, |x| {
            let x = last.attach(x);
            let x = clip_grad_total_norm(x, 3.0);
            let x = reverse_grad(x, 0.7);
            let x = clip_grad_norm(x, 2.0);
            let x = sentinel.watch(x, "between");
            let x = scale_grad(x, 3.0);
            let x = clip_grad_value(x, 0.9);
            first.attach(x)
        });
        let error = scaled(&limited(&values(&upstream), 0.9), 3.0);
        let error = scaled(&clipped(&error, 4, 2.0), -0.7);
        let error = clipped(&error, 36, 3.0);
        let at = setup.at("chain");
        assert_close(&values(&found), &error, setup.tolerance, &at);
        assert_same(&first.take().unwrap(), &upstream, &at);
        assert_same(&last.take().unwrap(), &found, &at);
        assert_eq!(sentinel.check(), Ok(()));
    }
}

#[test]
fn a_clipped_norm_neither_overflows_nor_underflows() {
    for setup in setups() {
        let rows = vec![3e37, 4e37, -3e-37, 4e-37, 0.0, 0.0];
        let x = setup.tensor(rows, [3, 2]);
        let found = gradient(&x, &x, |x| clip_grad_norm(x, 1.0));
        let expected = [0.6, 0.8, -3e-37, 4e-37, 0.0, 0.0];
        let at = setup.at("range");
        assert_close(&values(&found), &expected, setup.tolerance, &at);
        assert_eq!(values(&found)[2..], values(&x)[2..], "{at}");
        let found = gradient(&x, &x, |x| clip_grad_norm(x, 1e-37));
        let small = &values(&found)[2..4];
        assert_close(small, &[-6e-38, 8e-38], 2e-5, &setup.at("small"));
    }
}

#[test]
fn clipping_hides_no_nan() {
    for setup in setups() {
        let rows = vec![3.0, 4.0, f64::NAN, 5.0, f64::INFINITY, 5.0];
        let error = setup.tensor(rows, [3, 2]);
        let x = setup.random(&mut rng(2), [3, 2]);
        let clip = |tool: fn(Tensor<2>) -> Tensor<2>| gradient(&x, &error, tool);

        let found = values(&clip(|x| clip_grad_norm(x, 1.0)));
        assert_close(&found[..2], &[0.6, 0.8], setup.tolerance, &setup.at("norm"));
        assert!(found[2].is_nan());
        assert_eq!(found[3..], [5.0, f64::INFINITY, 5.0]);

        let found = clip(|x| clip_grad_total_norm(x, 1.0));
        let expected = values(&error);
        let pairs = values(&found).into_iter().zip(expected);
        for (found, expected) in pairs {
            assert!(found == expected || found.is_nan() && expected.is_nan());
        }

        let found = values(&clip(|x| clip_grad_value(x, 2.0)));
        assert!(found[2].is_nan());
        assert_eq!((found[1], found[3], found[4]), (2.0, 2.0, 2.0));
    }
}

#[test]
fn without_a_graph_nothing_is_kept() {
    for setup in setups() {
        let x = setup.random(&mut rng(3), [2, 3]);
        for x in [x.clone(), x.autodiff()] {
            for (name, tool, _) in cases::<2>() {
                let y = tool(x.clone());
                assert!(!y.is_tracked(), "{}", setup.at(name));
                assert_same(&y, &x, &setup.at(name));
            }
        }
    }
}

/// Noise added to errors of zero, in consecutive passes.
fn noise(setup: &Setup, source: &GradNoise, passes: usize) -> Vec<Vec<f64>> {
    let x = setup.tensor(vec![0.0; 60], [4, 15]);
    let pass = |_| values(&gradient(&x, &x, |x| noise_grad(x, 0.5, source)));
    (0..passes).map(pass).collect()
}

#[test]
fn noise_repeats_with_its_seed_and_is_new_in_each_pass() {
    for setup in setups() {
        let found = noise(&setup, &GradNoise::new(4), 3);
        assert_eq!(found, noise(&setup, &GradNoise::new(4), 3));
        assert_ne!(found, noise(&setup, &GradNoise::new(5), 3));
        assert_ne!(found[0], found[1]);
        assert_ne!(found[1], found[2]);
        let reference = noise(&setups()[1], &GradNoise::new(4), 3).concat();
        let at = setup.at("dtype");
        assert_close(&found.concat(), &reference, setup.tolerance, &at);

        // Clones continue the same source, and evaluation does not advance it.
        let source = GradNoise::new(4);
        let first = noise(&setup, &source.clone(), 1);
        let untracked = setup.random(&mut rng(5), [4, 15]).autodiff();
        let _ = noise_grad(untracked, 0.5, &source);
        assert_eq!([first, noise(&setup, &source, 2)].concat(), found);
    }
}

#[test]
fn noise_follows_the_forward_passes_alone() {
    for setup in setups() {
        let zero = setup.tensor(vec![0.0; 8], [8]);
        let draw = |order: [usize; 2]| {
            let source = GradNoise::new(6);
            let leaves = [leaf(&zero), leaf(&zero)];
            let losses = leaves
                .each_ref()
                .map(|x| (noise_grad(x.clone(), 1.0, &source) * zero.clone()).sum());
            let mut errors = [Vec::new(), Vec::new()];
            for index in order {
                let grads = losses[index].clone().backward();
                errors[index] = values(&leaves[index].grad(&grads).unwrap());
            }
            errors
        };
        assert_eq!(draw([0, 1]), draw([1, 0]));
    }
}

#[test]
fn noise_is_gaussian() {
    let (std, n) = (0.3, 200_000);
    for setup in setups() {
        let upstream = setup.random(&mut rng(7), [n]);
        let source = GradNoise::new(8);
        let found = gradient(&upstream, &upstream, |x| noise_grad(x, std, &source));
        let error = values(&upstream);
        let pairs = values(&found).into_iter().zip(&error);
        let noise: Vec<f64> = pairs.map(|(f, e)| f - e).collect();
        let moment = |k: i32| noise.iter().map(|d| (d / std).powi(k)).sum::<f64>() / n as f64;
        // The standard errors of the moments of n standard normal draws.
        let bound = |variance: f64| 5.0 * (variance / n as f64).sqrt();
        for (k, expected, variance) in
            [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)]
        {
            let found = moment(k);
            let is_near = (found - expected).abs() < bound(variance);
            assert!(is_near, "{}", setup.at((k, found)));
        }
        let along = noise.iter().zip(&error).map(|(d, e)| d / std * e);
        let along = along.sum::<f64>() / n as f64;
        // The upstream error is uniform in −2..2.
        assert!(along.abs() < bound(4.0 / 3.0), "{}", setup.at(along));
    }
}

#[test]
fn threads_share_a_source_without_repeating_noise() {
    let setup = &setups()[0];
    let source = GradNoise::new(9);
    let mut found: Vec<Vec<f64>> = thread::scope(|scope| {
        let threads = [(); 4].map(|()| scope.spawn(|| noise(setup, &source, 5)));
        let passes = threads.map(|thread| thread.join().unwrap());
        passes.concat()
    });
    let mut expected = noise(setup, &GradNoise::new(9), 20);
    for passes in [&mut found, &mut expected] {
        passes.sort_by(|a, b| a[0].total_cmp(&b[0]));
    }
    assert_eq!(found, expected);
}

#[test]
fn a_probe_hands_out_the_last_error_once() {
    for setup in setups() {
        let mut rng = rng(10);
        let [x, u, v] = [(); 3].map(|()| setup.random(&mut rng, [3, 2]));
        let at = setup.at("probe");
        let probe = GradProbe::new();
        assert!(probe.take().is_none());
        let pass = |upstream| gradient(&x, upstream, |x| probe.attach(x));

        assert_same(&pass(&u), &u, &at);
        let error = probe.take().unwrap();
        assert!(!error.is_autodiff());
        assert_same(&error, &u, &at);
        assert!(probe.take().is_none());

        pass(&u);
        pass(&v);
        // A tensor that gets no error does not replace the last error.
        let _ = probe.attach(x.clone().autodiff());
        let _ = probe.attach(leaf(&x));
        assert_same(&probe.clone().take().unwrap(), &v, &at);
        assert!(probe.take().is_none());
    }
}

/// Watches a chain of operations; `bad` are the first values of the upstream error.
fn watched(setup: &Setup, sentinel: &GradSentinel, bad: &[f64]) -> Tensor<1> {
    let mut upstream = vec![1.0; 5];
    upstream[..bad.len()].copy_from_slice(bad);
    let x = setup.random(&mut rng(13), [5]);
    gradient(&x, &setup.tensor(upstream, [5]), |x| {
        let x = sentinel.watch(x, "input");
        sentinel.watch(scale_grad(x, 2.0), String::from("output"))
    })
}

#[test]
fn a_sentinel_names_the_first_place() {
    for setup in setups() {
        let sentinel = GradSentinel::new();
        assert_eq!(sentinel.check(), Ok(()));
        watched(&setup, &sentinel, &[0.0, 3e37]);
        assert_eq!(sentinel.check(), Ok(()));

        let bad = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        let error = watched(&setup, &sentinel, &bad);
        assert!(values(&error)[0].is_nan());
        assert_eq!(values(&error)[1..3], bad[1..]);
        let expected = Error::NotFinite {
            place: "output".into(),
            nan: 1,
            infinite: 2,
            values: 5,
        };
        let found = sentinel.clone().check().unwrap_err();
        assert_eq!(found, expected);
        assert_eq!(
            found.to_string(),
            "the error at `output` is not finite: 1 NaN and 2 infinite among 5 values"
        );
        assert_eq!(sentinel.check(), Ok(()));

        // The first fault is kept until it is taken.
        watched(&setup, &sentinel, &bad[..1]);
        watched(&setup, &sentinel, &bad);
        let Err(Error::NotFinite { nan, infinite, .. }) = sentinel.check() else {
            panic!("no fault is kept");
        };
        assert_eq!((nan, infinite), (1, 0));
    }
}

#[test]
fn check_grad_panics_with_the_place() {
    for setup in setups() {
        let x = setup.random(&mut rng(14), [2]);
        let bad = setup.tensor(vec![1.0, f64::NAN], [2]);
        let message = panic_of(|| drop(gradient(&x, &bad, |x| check_grad(x, "hidden"))));
        let expected = "the error at `hidden` is not finite: 1 NaN and 0 infinite among 2 values";
        assert_eq!(message, expected);
    }
}

#[test]
fn bad_arguments_panic_with_value_and_what_is_allowed() {
    let x = Tensor::<1>::zeros([1], &Device::flex());
    let noise = GradNoise::new(0);
    type Tool<'a> = &'a dyn Fn(f64) -> Tensor<1>;
    let tools: [(&str, Tool); 6] = [
        ("max_norm of clip_grad_norm", &|v| {
            clip_grad_norm(x.clone(), v)
        }),
        ("max_norm of clip_grad_total_norm", &|v| {
            clip_grad_total_norm(x.clone(), v)
        }),
        ("limit of clip_grad_value", &|v| {
            clip_grad_value(x.clone(), v)
        }),
        ("lambda of reverse_grad", &|v| reverse_grad(x.clone(), v)),
        ("std of noise_grad", &|v| noise_grad(x.clone(), v, &noise)),
        ("factor of scale_grad", &|v| scale_grad(x.clone(), v)),
    ];
    for (name, tool) in tools {
        let (negative, allowed) = match name {
            "factor of scale_grad" => (f64::NEG_INFINITY, "a finite number"),
            _ => (-0.5, "a finite number of at least 0"),
        };
        for value in [negative, f64::NAN, f64::INFINITY] {
            let message = panic_of(|| drop(tool(value)));
            assert_eq!(message, format!("{name} is {value}; allowed: {allowed}"));
        }
        drop(tool(0.0));
    }
    drop(scale_grad(x, -1.0));
}

#[derive(Module, Debug)]
struct Probed {
    layer: Linear,
    #[module(skip)]
    probe: GradProbe<2>,
    #[module(skip)]
    sentinel: GradSentinel,
    #[module(skip)]
    noise: GradNoise,
}

impl Probed {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let z = self.sentinel.watch(self.layer.forward(x), "z");
        self.probe.attach(noise_grad(z, 0.1, &self.noise))
    }
}

#[test]
fn tools_in_a_module_outlive_training_steps() {
    let device = Device::flex().autodiff();
    let mut model = Probed {
        layer: LinearConfig::new(3, 2).init(&device),
        probe: GradProbe::new(),
        sentinel: GradSentinel::new(),
        noise: GradNoise::new(0),
    };
    assert_eq!(model.num_params(), 8);
    let outside = model.probe.clone();
    let mut optimizer = SgdConfig::new().init();
    for _ in 0..2 {
        let x = Tensor::<2>::ones([4, 3], &device);
        let grads = model.forward(x).sum().backward();
        let grads = GradientsParams::from_grads(grads, &model);
        model = optimizer.step(0.1, model, grads);
        let error = outside.take().unwrap();
        assert_eq!(values(&error), [1.0; 8]);
        assert_eq!(model.sentinel.check(), Ok(()));
        let x = Tensor::<2>::ones([4, 3], &device.clone().inner());
        assert!(!model.valid().forward(x).is_tracked());
    }
}

#[test]
fn half_precision_errors_are_clipped_in_f32() {
    let device = Device::flex();
    // The number of values, and so the sum of the squares, exceeds the range of f16.
    let n = 70_000;
    let data = Tensor::<1>::full([n], 300.0, (&device, DType::F16));
    let max_norm = (n as f64).sqrt();
    let found = gradient(&data, &data, |x| clip_grad_total_norm(x, max_norm));
    assert_eq!(found.dtype(), DType::F16);
    assert_close(&values(&found), &vec![1.0; n], 1e-3, "f16");
}
