//! Exponentiated gradient against its equations in scalar f64.

use crate::common::{Setup, assert_close, panic_of, rng, setups, uniform, values};
use burn::module::{Module, Param};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use ei_norm::dale::{self, Plasticity, Sign, Weight};
use ei_norm::optim::{ExponentiatedAdamConfig, ExponentiatedSgdConfig, Unconstrained};

const COUNT: usize = 7;

#[derive(Module, Debug)]
struct Parts {
    positive: Weight<1>,
    free: Weight<1>,
    ordinary: Param<Tensor<1>>,
}

impl Parts {
    fn new(setup: &Setup) -> Self {
        let weight = |values: Vec<f64>, sign| {
            let tensor = setup.tensor(values, [COUNT]).autodiff();
            Weight::new(tensor, sign, Plasticity::Plastic)
        };
        let [positive, free, ordinary] = initial();
        Self {
            positive: weight(positive, Sign::NonNegative),
            free: weight(free, Sign::Free),
            ordinary: Param::from_tensor(setup.tensor(ordinary, [COUNT]).autodiff()),
        }
    }

    /// A step with these gradients of the three parameters.
    fn step(self, optimizer: &mut ModuleOptimizer, lr: f64, setup: &Setup, seed: u64) -> Self {
        let [a, b, c] = gradients(seed).map(|g| setup.tensor(g, [COUNT]).autodiff());
        let loss = self.positive.val() * a + self.free.val() * b + self.ordinary.val() * c;
        let grads = GradientsParams::from_grads(loss.sum().backward(), &self);
        optimizer.step(lr, self, grads)
    }

    fn values(&self) -> [Vec<f64>; 3] {
        [
            values(&self.positive.val()),
            values(&self.free.val()),
            values(&self.ordinary.val()),
        ]
    }
}

/// Values of both signs and zeros if allowed, with sizes over several decades.
fn initial() -> [Vec<f64>; 3] {
    [
        vec![0.0, 1e-6, 0.003, 0.5, 1.0, 2.0, 30.0],
        vec![-3.0, -0.5, -1e-4, 0.0, 1e-4, 0.7, 20.0],
        vec![0.0, -0.25, 4.0, 0.0, -1e-3, 0.1, -10.0],
    ]
}

fn gradients(seed: u64) -> [Vec<f64>; 3] {
    let rng = &mut rng(seed);
    std::array::from_fn(|_| uniform(rng, [COUNT], -2.0, 2.0))
}

/// sgn with sgn(0) = 0, unlike `f64::signum`.
fn sgn(w: f64) -> f64 {
    if w == 0.0 { 0.0 } else { w.signum() }
}

/// A scalar rule: computes the new value from the value, the gradient and the number of the step, starting at
/// 1.
type Scalar = Box<dyn FnMut(f64, f64, i32) -> f64>;

/// w ← w exp(−η sgn(w) v), v ← μ v + (1 − τ)(g + λ sgn(w)).
fn sgd(lr: f64, decay: f64, momentum: Option<(f64, f64, bool)>) -> Scalar {
    let mut velocity = 0.0;
    Box::new(move |w, g, t| {
        let g = g + decay * sgn(w);
        let direction = match momentum {
            None => g,
            Some((mu, dampening, nesterov)) => {
                velocity = match t {
                    1 => g,
                    _ => mu * velocity + (1.0 - dampening) * g,
                };
                if nesterov {
                    mu * velocity + g
                } else {
                    velocity
                }
            }
        };
        w * (-lr * sgn(w) * direction).exp()
    })
}

fn adam(lr: f64, decay: f64, beta_1: f64, beta_2: f64, epsilon: f64) -> Scalar {
    let (mut m, mut v) = (0.0, 0.0);
    Box::new(move |w, g, t| {
        m = beta_1 * m + (1.0 - beta_1) * g;
        v = beta_2 * v + (1.0 - beta_2) * g * g;
        let (bc_1, bc_2) = (1.0 - beta_1.powi(t), 1.0 - beta_2.powi(t));
        let w = w * (1.0 - lr * decay);
        w * (-(lr / bc_1) * sgn(w) * m / (v.sqrt() / bc_2.sqrt() + epsilon)).exp()
    })
}

/// The values after `steps` steps from the initial values; parameters of any sign are split at `scale`, if
/// given.
fn reference(steps: u64, scale: Option<f64>, rule: impl Fn() -> Scalar) -> [Vec<f64>; 3] {
    let mut result = initial();
    for (kind, parameter) in result.iter_mut().enumerate() {
        for (index, w) in parameter.iter_mut().enumerate() {
            let gradient = |step: u64| gradients(step)[kind][index];
            let run = |mut w: f64, sign: f64| {
                let mut rule = rule();
                for step in 1..=steps {
                    w = rule(w, sign * gradient(step), step as i32);
                }
                w
            };
            *w = match scale {
                Some(scale) if kind > 0 => {
                    let s = (*w * *w + 4.0 * scale * scale).sqrt();
                    run((s + *w) / 2.0, 1.0) - run((s - *w) / 2.0, -1.0)
                }
                _ => run(*w, 1.0),
            };
        }
    }
    result
}

/// Compares several steps of an optimizer with the reference.
fn check(
    name: &str,
    scale: Option<f64>,
    optimizer: impl Fn() -> ModuleOptimizer,
    rule: impl Fn() -> Scalar,
    lr: f64,
) {
    for setup in setups() {
        let mut parts = Parts::new(&setup);
        let mut trained = optimizer();
        for steps in 1..=6 {
            parts = parts.step(&mut trained, lr, &setup, steps);
            let at = setup.at((name, steps));
            let expected = reference(steps, scale, &rule);
            for (found, expected) in parts.values().iter().zip(&expected) {
                // Relative to each value, because they differ by decades; the rounding of a difference is
                // relative to its parts.
                for (found, expected) in found.iter().zip(expected) {
                    let floor = if scale.is_some() { 0.1 } else { 1e-12 };
                    let error = (found - expected).abs() / expected.abs().max(floor);
                    assert!(error <= setup.tolerance, "{at}: {found}, not {expected}");
                }
            }
            assert_eq!(parts.values()[0][0], 0.0, "{at}: 0 never moves");
            dale::check(&parts).unwrap();
        }
        // Signs of parameters of any sign are kept, or may change if the parts allow it.
        let (before, after) = (initial(), parts.values());
        let signs = |v: &[f64]| v.iter().map(|w| sgn(*w)).collect::<Vec<_>>();
        let kept = (1..3).all(|kind| signs(&before[kind]) == signs(&after[kind]));
        assert_eq!(kept, scale.is_none(), "{}", setup.at(name));
    }
}

#[test]
fn descent() {
    let keep = |c: ExponentiatedSgdConfig| c.with_unconstrained(Unconstrained::KeepSign);
    let plain = ExponentiatedSgdConfig::new;
    let rule = || sgd(0.2, 0.0, None);
    check("plain", None, || keep(plain()).init(), rule, 0.2);
    check("split", Some(0.5), || plain().init(), rule, 0.2);
    for nesterov in [false, true] {
        let momentum = MomentumConfig::new()
            .with_momentum(0.8)
            .with_dampening(0.3)
            .with_nesterov(nesterov);
        let config = plain()
            .with_momentum(Some(momentum))
            .with_weight_decay(0.05);
        let rule = || sgd(0.2, 0.05, Some((0.8, 0.3, nesterov)));
        check("momentum", None, || keep(config.clone()).init(), rule, 0.2);
        let split = config
            .clone()
            .with_unconstrained(Unconstrained::Split { scale: 0.2 });
        check("momentum, split", Some(0.2), || split.init(), rule, 0.2);
    }
}

#[test]
fn adam_form() {
    let config = ExponentiatedAdamConfig::new();
    let keep = config.clone().with_unconstrained(Unconstrained::KeepSign);
    let rule = || adam(0.1, 0.0, 0.9, 0.999, 1e-8);
    check("adam", None, || keep.init(), rule, 0.1);
    check("adam, split", Some(0.5), || config.init(), rule, 0.1);
    let other = keep
        .clone()
        .with_beta_1(0.7)
        .with_beta_2(0.95)
        .with_epsilon(0.01)
        .with_weight_decay(0.5);
    let rule = || adam(0.1, 0.5, 0.7, 0.95, 0.01);
    check("adam, decay", None, || other.init(), rule, 0.1);
}

#[test]
fn the_first_step_of_a_split_parameter_near_0_is_that_of_descent() {
    for setup in setups() {
        let value = setup.tensor(vec![0.0; 3], [3]).autodiff();
        let param = Param::from_tensor(value);
        let upstream = setup.tensor(vec![1.0, -2.0, 0.5], [3]).autodiff();
        let grads = (param.val() * upstream).sum().backward();
        let grads = GradientsParams::from_grads(grads, &param);
        let mut optimizer = ExponentiatedSgdConfig::new().init();
        let found = values(&optimizer.step(1e-3, param, grads).val());
        let expected = [-1e-3, 2e-3, -5e-4];
        assert_close(&found, &expected, 1e-4, &setup.at("first step"));
    }
}

#[test]
fn a_large_step_keeps_zeros_and_signs() {
    for setup in setups() {
        for mut optimizer in [
            ExponentiatedSgdConfig::new().init(),
            ExponentiatedAdamConfig::new().with_weight_decay(0.1).init(),
        ] {
            let parts = Parts::new(&setup).step(&mut optimizer, 1e5, &setup, 1);
            let positive = values(&parts.positive.val());
            assert_eq!(positive[0], 0.0, "{}", setup.at("zero"));
            assert!(positive.iter().all(|w| *w >= 0.0), "{positive:?}");
        }
    }
}

#[test]
fn values_that_are_not_allowed() {
    let sgd = ExponentiatedSgdConfig::new;
    let momentum = MomentumConfig::new;
    let split = Unconstrained::Split { scale: 0.0 };
    let with_momentum = |config| sgd().with_momentum(Some(config));
    let sgds = [
        (sgd().with_weight_decay(-1.0), "weight_decay is -1"),
        (
            with_momentum(momentum().with_momentum(1.0)),
            "momentum is 1",
        ),
        (
            with_momentum(momentum().with_dampening(2.0)),
            "dampening is 2",
        ),
        (sgd().with_unconstrained(split), "the scale of Split is 0"),
    ];
    for (config, message) in sgds {
        let error = config.try_build().unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
        assert_eq!(
            config.try_init().err().map(|error| error.to_string()),
            Some(error)
        );
        assert!(panic_of(|| drop(config.init())).starts_with(message));
    }
    let adam = ExponentiatedAdamConfig::new;
    let infinite = adam().with_weight_decay(f64::INFINITY);
    let adams = [
        (adam().with_beta_1(1.0), "beta_1 is 1"),
        (adam().with_beta_2(-0.1), "beta_2 is -0.1"),
        (adam().with_epsilon(f64::NAN), "epsilon is NaN"),
        (infinite, "weight_decay is inf"),
        (adam().with_unconstrained(split), "the scale of Split is 0"),
    ];
    for (config, message) in adams {
        let error = config.try_build().unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}
