//! Invalid shapes and sizes too large for any machine: refused at the public interface, with the wrong
//! number.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Int, Tensor};
use ei_norm::circuit::{
    Circuit, ColumnEiOptions, EiOptions, INorm, INormOptions, INormWeights, Options, Population,
    ShuntingOptions,
};
use ei_norm::dale::{Role, mask};
use ei_norm::functional::{
    BackwardRule, Normalization, excite, lateral_update, normalize, normalize_backward,
    smoothed_cross_entropies, smoothed_cross_entropy,
};
use ei_norm::grad::normalize_grad;
use ei_norm::init::SignedLognormal;
use ei_norm::layer::{Conv2d, Dense, Geometry, LayerConfig, Recurrent};
use ei_norm::optim::{PopulationSgd, RoleLrSchedulerConfig};
use ei_norm::{
    ColumnEiLinearConfig, EiConv2dConfig, EiLinear, EiLinearConfig, EiWeights, Error, GradNorm,
    GradNormConfig, GradNormMode, INormLinearConfig, INormRnnConfig, Inhibitory, LearnedLateral,
    LearnedLateralConfig, RnnState, ShuntingLinearConfig, metric,
};

use crate::common::circuits::ei;
use crate::common::{assert_same, assert_tensor_close, leaf, panic_of, rng, setups};
use crate::refused::refusal;

#[test]
fn tensors_that_would_broadcast_are_refused_with_both_shapes() {
    let setup = &setups()[0];
    let device = &setup.device;
    let of = |shape: [usize; 2]| setup.positive(&mut rng(1), shape);
    let norm = GradNormConfig::new(4).init(device);
    let column = ColumnEiLinearConfig::new(5, 4).init(device);
    let i_norm = INormLinearConfig::new(5, 4).init(device);
    let population = Population::<INorm>::stack(vec![i_norm.circuit.clone(); 2]).unwrap();
    let of_networks = |networks, features| setup.positive(&mut rng(1), [networks, 3, features]);
    let (layer, exact) = (Normalization::Layer, BackwardRule::Exact);
    let rnn = INormRnnConfig::new(5, 4).init(device);
    let refused: [(&str, &dyn Fn()); 11] = [
        ("`b` has shape [1, 4], expected [3, 4]", &|| {
            metric::cosine(of([3, 4]), of([1, 4]));
        }),
        ("`delta` has shape [1, 4], expected [3, 4]", &|| {
            let (x, delta) = (of([3, 4]), of([1, 4]));
            drop(normalize_backward(x, delta, layer, exact, 0.0));
        }),
        ("`z` has shape [3, 1], expected [3, 4]", &|| {
            drop(norm.apply(of([3, 1]), of([3, 1])));
        }),
        ("`delta` has shape [3, 1], expected [3, 4]", &|| {
            drop(norm.apply(of([3, 4]), of([3, 1])));
        }),
        ("`x` has shape [3, 1], expected [3, 5]", &|| {
            drop(column.circuit.currents(of([3, 1])));
        }),
        ("`w_ei` has shape [2, 1], expected [2, 4]", &|| {
            let w_ix = of([5, 2]);
            drop(INormWeights::balanced(of([5, 4]), w_ix, of([2, 1]), None));
        }),
        ("`w_ix` has shape [1, 2], expected [5, 2]", &|| {
            let w_ix = of([1, 2]);
            drop(INormWeights::balanced(of([5, 4]), w_ix, of([2, 4]), None));
        }),
        (
            "`the normalized error` has shape [3, 1], expected [3, 4]",
            &|| {
                let errors = |error, _| burn::tensor::Tensor::mean_dim(error, 1);
                metric::i_norm_alignment_with(&i_norm, of([3, 5]), errors);
            },
        ),
        ("`x` has shape [1, 3, 5], expected [2, 3, 5]", &|| {
            drop(population.forward(of_networks(1, 5)));
        }),
        ("`z` has shape [2, 3, 1], expected [2, 3, 4]", &|| {
            drop(population.normalize(of_networks(2, 1), layer, exact, 0.0));
        }),
        // In the caller's layout, a batch of 3 sequences of 2 steps.
        ("`x` has shape [3, 2, 1], expected [3, 2, 5]", &|| {
            drop(rnn.forward(setup.positive(&mut rng(1), [3, 2, 1]), None));
        }),
    ];
    for (expected, refuse) in refused {
        let message = panic_of(refuse);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn numbers_and_sizes_that_mean_nothing_are_refused() {
    let setup = &setups()[0];
    let device = &setup.device;
    let of = |shape: [usize; 2]| setup.positive(&mut rng(1), shape);
    let row = |features| of([1, features]).squeeze_dim::<1>(0);
    let targets = || Tensor::<1, Int>::zeros([3], device);
    let (layer, exact) = (Normalization::Layer, BackwardRule::Exact);
    let refused: [(&str, &dyn Fn()); 9] = [
        (
            "epsilon is -1; allowed: a finite number of at least 0",
            &|| {
                drop(normalize(of([3, 4]), layer, exact, -1.0));
            },
        ),
        (
            "epsilon is NaN; allowed: a finite number of at least 0",
            &|| {
                let z = of([3, 4]);
                drop(normalize_grad(z, GradNormMode::Scale, None, f64::NAN));
            },
        ),
        ("smoothing is 2; allowed: 0 to 1", &|| {
            drop(smoothed_cross_entropy(of([3, 4]), targets(), 2.0));
        }),
        ("`targets` has shape [3], expected [2]", &|| {
            drop(smoothed_cross_entropies(of([2, 4]), targets(), 0.1));
        }),
        (
            "rate is NaN; allowed: a finite number of at least 0",
            &|| {
                drop(lateral_update(row(4), of([3, 4]), f64::NAN));
            },
        ),
        ("`the state` has shape [2, 4], expected [3, 4]", &|| {
            let rnn = INormRnnConfig::new(5, 4).init(device);
            let state = RnnState::new(of([2, 4]));
            drop(rnn.forward(setup.positive(&mut rng(1), [3, 2, 5]), Some(state)));
        }),
        ("the image is [0, 3]; allowed: at least one pixel", &|| {
            let padding = PaddingConfig2d::Same;
            let config = EiConv2dConfig::new([3, 4], [2, 2]).with_padding(padding);
            let image = Tensor::zeros([1, 3, 0, 3], device);
            drop(config.init(device).forward(image));
        }),
        ("`grad_norm` has shape [8], expected [4]", &|| {
            let mut layer = INormLinearConfig::new(5, 4).init(device);
            layer.grad_norm = GradNorm::with_lateral_weights(Tensor::ones([8], device));
            drop(layer.forward(of([6, 5])));
        }),
        ("3 rates for 2 networks", &|| {
            let autodiff = &device.clone().autodiff();
            let circuit = EiLinearConfig::new(5, 4).init(autodiff).circuit;
            let population = Population::stack(vec![circuit.clone(), circuit]).unwrap();
            let z = population.forward(Tensor::<3>::ones([2, 3, 5], autodiff));
            let grads = GradientsParams::from_grads(z.sum().backward(), &population);
            let rates = PopulationSgd::new().with_rates(&[Role::Excitatory], &[0.1; 3], device);
            drop(rates.init().step(1.0, population, grads));
        }),
    ];
    for (expected, refuse) in refused {
        let message = panic_of(refuse);
        assert_eq!(message, expected);
    }
    let error = |result: Result<(), Error>| result.unwrap_err().to_string();
    let huge = mask::random([usize::MAX, 1], 0.5, device, &mut rng(1));
    assert!(error(huge.map(drop)).contains("up to 4294967295 elements"));
    for rate in [-1.0, f64::NAN] {
        let layer = EiLinearConfig::new(5, 4).init(device);
        let schedule = RoleLrSchedulerConfig::new(0.1)
            .with_bias(rate)
            .try_init(&layer);
        let message = error(schedule.map(drop));
        assert_eq!(
            message,
            format!("the learning rate is {rate}; allowed: a finite number of at least 0")
        );
    }
    let no_kernel = Conv2d::new([1, 1], [0, 3]).kernels(of([0, 1])).map(drop);
    assert!(error(no_kernel).starts_with("kernel_size is 0"));
    let none = INormWeights::subtractive(of([5, 4]), of([5, 0]), of([0, 4]), None);
    let none = INorm::from_weights(none).map(drop);
    assert_eq!(
        error(none),
        "inhibitory is 0; allowed: at least 1 inhibitory unit"
    );
    let lateral = LearnedLateral::with_weights(row(4) * -1.0, 0.5).map(drop);
    assert!(
        error(lateral).starts_with("`weights` must be non-negative, but 4 of its values are not")
    );
}

#[test]
fn weights_have_one_type() {
    let setup = &setups()[0];
    let of = |shape: [usize; 2]| setup.positive(&mut rng(1), shape);
    let double = |shape| of(shape).cast(DType::F64);
    let mixed = EiWeights {
        w_ex: of([5, 4]),
        inhibition: Some((double([5, 2]), of([2, 4]))),
        bias: None,
    };
    let message = EiLinear::from_weights(mixed).unwrap_err().to_string();
    let expected = "the type of the weights is F64 beside F32; allowed: the same for all weights";
    assert_eq!(message, expected);
    let mut layer = EiLinearConfig::new(5, 4).init(&setup.device);
    let message = layer.w_ex.set(double([5, 4])).unwrap_err().to_string();
    assert!(
        message.starts_with("w_ex is F64 in place of F32; allowed:"),
        "{message}"
    );
    layer.w_ex.set(of([5, 4])).unwrap();
}

#[test]
fn given_weights_become_leaves_that_learn() {
    for setup in setups() {
        let rng = &mut rng(3);
        let source = leaf(&setup.positive(rng, [3, 4]));
        let weights = EiWeights {
            w_ex: source.clone().transpose() * 2.0,
            ..ei(&setup, rng, [4, 2, 3])
        };
        let layer = EiLinear::from_weights(weights).unwrap();
        let (x, upstream) = (setup.random(rng, [2, 4]), setup.random(rng, [2, 3]));
        let z = layer.forward(x.clone()) * upstream.clone();
        let grads = z.sum().backward();
        let found = layer.w_ex.val().grad(&grads).unwrap();
        let expected = x.transpose().matmul(upstream);
        assert_tensor_close(&found, &expected, setup.tolerance, &setup.at("w_ex"));
        assert!(source.grad(&grads).is_none());
    }
}

#[test]
fn frozen_weights_stay_frozen() {
    let setup = &setups()[0];
    let device = &setup.device.clone().autodiff();
    let learns = |layer: &EiLinear| layer.w_ex.base().is_require_grad();
    for frozen in [false, true] {
        let layer = EiLinearConfig::new(5, 4).init(device);
        let mut layer = if frozen { layer.freeze() } else { layer };
        let value = setup.positive(&mut rng(2), [5, 4]);
        layer.w_ex.set(value.clone()).unwrap();
        assert_eq!(learns(&layer), !frozen);
        let mut valid = layer.valid();
        valid.w_ex.set(value).unwrap();
        assert_eq!(learns(&valid.train()), !frozen);
        let population = Population::stack(vec![layer.circuit.clone(), layer.circuit]).unwrap();
        let z = population.forward(Tensor::<3>::ones([2, 3, 5], device).require_grad());
        let grads = GradientsParams::from_grads(z.sum().backward(), &population);
        assert_eq!(grads.len(), if frozen { 0 } else { 4 });
    }
}

fn refused<O: Options, G: Geometry>(circuit: O, geometry: G) {
    let message = refusal(LayerConfig { geometry, circuit });
    assert!(message.contains("4294967295"), "{message}");
}

#[test]
fn sizes_that_no_machine_holds_are_errors() {
    const MOST: usize = usize::MAX;
    let dense = |[d_input, d_output]: [usize; 2]| Dense { d_input, d_output };
    for sizes in [[MOST, 4], [4, MOST], [MOST, MOST], [1 << 20, 1 << 20]] {
        refused(EiOptions::default(), dense(sizes));
        refused(INormOptions::default(), dense(sizes));
        refused(ShuntingOptions::default(), dense(sizes));
        refused(ColumnEiOptions::default(), dense(sizes));
        let [d_input, d_hidden] = sizes;
        refused(EiOptions::default(), Recurrent::new(d_input, d_hidden));
        refused(INormOptions::default(), Recurrent::new(d_input, d_hidden));
    }
    for kernel_size in [[1 << 31, 1 << 31], [1 << 20, 1 << 20], [MOST, 2]] {
        refused(EiOptions::default(), Conv2d::new([3, 4], kernel_size));
        refused(INormOptions::default(), Conv2d::new([3, 4], kernel_size));
        refused(ColumnEiOptions::default(), Conv2d::new([3, 4], kernel_size));
    }
    for count in [MOST, 1 << 32] {
        let inhibitory = Inhibitory::Count(count);
        let ei = EiLinearConfig::new(5, 4).with_inhibitory(inhibitory);
        refused(ei.circuit, ei.geometry);
        let shunting = ShuntingLinearConfig::new(5, 4).with_inhibitory(inhibitory);
        refused(shunting.circuit, shunting.geometry);
    }
    let device = Device::flex();
    let norm = GradNormConfig::new(MOST).try_init(&device).map(drop);
    let lateral = LearnedLateralConfig::new(MOST).try_init(&device).map(drop);
    let signed = SignedLognormal::default();
    let signed = signed.draw([MOST, 2], 2, &device, &mut rng(1)).map(drop);
    for (name, made) in [
        ("features", norm),
        ("features", lateral),
        ("the shape of a parameter", signed),
    ] {
        let found = made.unwrap_err().to_string();
        let is_named = found.starts_with(name) && found.contains("4294967295");
        assert!(is_named, "{found}");
    }
}

#[test]
fn a_current_of_no_outputs_has_no_elements() {
    let device = Device::flex();
    let (x, w_ex) = (Tensor::ones([2, 3], &device), Tensor::ones([3, 0], &device));
    let current: Tensor<2> = excite(x, w_ex, Some(Tensor::ones([0], &device)));
    assert_eq!(current.dims(), [2, 0]);
}

/// A parameter is itself a parent of every node that uses it, without a node between, so that its errors are summed in
/// the order of the uses.
#[test]
fn the_errors_of_repeated_uses_are_summed_from_the_last_to_the_first() {
    const USES: usize = 9;
    for setup in setups() {
        let rng = &mut rng(1);
        let (w_ex, bias) = (setup.positive(rng, [12, 12]), setup.random(rng, [12]));
        let layer = || {
            let (w_ex, bias) = (w_ex.clone().autodiff(), bias.clone().autodiff());
            let weights = EiWeights {
                w_ex,
                inhibition: None,
                bias: Some(bias),
            };
            EiLinear::from_weights(weights).unwrap()
        };
        let x = setup.random::<2>(rng, [4, 12]).autodiff();
        let upstream = setup.random::<2>(rng, [4, 12]).autodiff();
        // Two layers of a recurrent network; the first one is looked at.
        let second = layer();
        let gradients = |layers: &[EiLinear; USES]| {
            let (_, out) = layers
                .iter()
                .fold((x.clone(), x.clone()), |(h, out), layer| {
                    let h = layer.forward(h).sin();
                    (h.clone(), second.forward(h + out).sin())
                });
            let grads = (out * upstream.clone()).sum().backward();
            let of = |layer: &EiLinear| {
                let bias = layer.circuit.bias.as_ref().unwrap();
                (
                    layer.circuit.w_ex.grad(&grads).unwrap(),
                    bias.grad(&grads).unwrap(),
                )
            };
            layers.each_ref().map(of)
        };
        let mut each = gradients(&std::array::from_fn(|_| layer()))
            .into_iter()
            .rev();
        let last = each.next().unwrap();
        let (w_ex, bias) = each.fold(last, |sum, own| (sum.0 + own.0, sum.1 + own.1));
        let one = layer();
        let [found, ..] = gradients(&std::array::from_fn(|_| one.clone()));
        assert_same(&found.0, &w_ex, &setup.at("w_ex"));
        assert_same(&found.1, &bias, &setup.at("bias"));
    }
}
