//! Roles of parameters, and the tools built on them: groups, learning rates, corrected gradient descent.

use crate::common::circuits::ei;
use crate::common::parameters::weights;
use crate::common::{ChaCha8Rng, Setup, assert_close, rng, setups, values};
use burn::module::{Module, ModuleVisitor, Param, ParamGroup};
use burn::optim::lr_scheduler::linear::LinearLrSchedulerConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::Tensor;
use ei_norm::circuit::Population;
use ei_norm::dale::{self, NonNegative, Plasticity, Role, Roles, Sign, Weight};
use ei_norm::optim::{CorrectedSgdConfig, RoleLrSchedulerConfig};
use ei_norm::{EiLinear, EiLinearConfig, Error, INormLinear, INormLinearConfig};

/// All its names could match a pattern for a parameter of this library.
#[derive(Module, Debug)]
struct Namesakes {
    weight: Param<Tensor<2>>,
    w_ei_like: Param<Tensor<2>>,
    w_ix: Param<Tensor<2>>,
    w_ei: Weight<2>,
    bias: Param<Tensor<1>>,
}

/// A layer with the name of [`EiLinear`](ei_norm::EiLinear).
mod user {
    use super::*;

    #[derive(Module, Debug)]
    pub struct EiLinear {
        pub w_ix: Param<Tensor<2>>,
        pub bias: Param<Tensor<1>>,
    }
}

#[derive(Module, Debug)]
struct Model {
    w_ei_like: EiLinear,
    layers: Vec<EiLinear>,
    norm: INormLinear,
    namesakes: Namesakes,
    ei_linear: user::EiLinear,
}

impl Model {
    fn new(setup: &Setup) -> Self {
        let device = setup.device.clone().autodiff();
        let source = &mut rng(1);
        let mut ei = |n| {
            EiLinearConfig::new(n, 4)
                .try_init_with(&device, source)
                .unwrap()
        };
        let (w_ei_like, layers) = (ei(6), vec![ei(4), ei(4)]);
        let norm = INormLinearConfig::new(4, 4)
            .try_init_with(&device, source)
            .unwrap();
        let mut matrix = || setup.positive(source, [4, 4]).autodiff();
        let w_ei = Weight::new(matrix(), Sign::NonNegative, Plasticity::Plastic);
        let mut param = || Param::from_tensor(matrix());
        let vector = || Param::from_tensor(setup.tensor(vec![0.0; 4], [4]).autodiff());
        Self {
            w_ei_like,
            layers,
            norm,
            namesakes: Namesakes {
                weight: param(),
                w_ei_like: param(),
                w_ix: param(),
                w_ei,
                bias: vector(),
            },
            ei_linear: user::EiLinear {
                w_ix: param(),
                bias: vector(),
            },
        }
    }
}

fn paths(module: &impl Module, role: Role) -> Vec<String> {
    let roles = Roles::of(module);
    let members = roles.iter().filter(|p| p.role == role);
    members.map(|p| p.path.clone()).collect()
}

#[test]
fn roles_are_those_of_the_layers_and_of_nothing_else() {
    let model = Model::new(&setups()[0]);
    let of_ei = |name: &str| {
        let layers = ["w_ei_like", "layers.0", "layers.1", "norm"];
        layers.map(|layer| format!("{layer}.{name}")).to_vec()
    };
    assert_eq!(paths(&model, Role::Excitatory), of_ei("w_ex"));
    assert_eq!(paths(&model, Role::InhibitoryIn), of_ei("w_ix"));
    assert_eq!(paths(&model, Role::InhibitoryOut), of_ei("w_ei"));
    assert_eq!(paths(&model, Role::Bias), of_ei("bias"));
    assert_eq!(paths(&model, Role::DivisiveIn), ["norm.u_ix"]);
    assert_eq!(paths(&model, Role::DivisiveOut), ["norm.u_ei"]);
    assert!(paths(&model, Role::Shunting).is_empty());
    // Burn's predicates match by accident; otherwise the names above would prove nothing.
    let accident = ParamGroup::from_predicate("w_ei");
    assert!(accident.matches(&model.namesakes.weight.id, Some("namesakes.w_ei_like")));

    let group = Roles::of(&model).group(&Role::OUT_OF_INHIBITION);
    for id in [
        model.namesakes.weight.id,
        model.namesakes.w_ei_like.id,
        model.namesakes.w_ei.id,
        model.w_ei_like.w_ex.id,
    ] {
        assert!(!group.matches(&id, Some("w_ei_like.w_ei")));
    }
    assert!(group.matches(&model.norm.u_ei.as_ref().unwrap().id, None));
}

#[test]
fn a_role_survives_what_happens_to_a_module() {
    let setup = &setups()[0];
    let model = Model::new(setup);
    let expected = Roles::of(&model);
    let device = setup.device.clone();
    let events: [fn(Model) -> Model; 5] = [
        dale::project,
        |m| m.valid().train(),
        |m| m.unfreeze(),
        |m| dale::reparameterize(m, NonNegative::Abs),
        |m| {
            dale::reparameterize(m, NonNegative::Softplus)
                .valid()
                .materialize()
        },
    ];
    for event in events {
        assert_eq!(Roles::of(&event(model.clone())), expected);
    }
    assert_eq!(Roles::of(&model.clone().fork(&device)), expected);
    let mut weight = model.layers[0]
        .w_ex
        .clone()
        .with_plasticity(Plasticity::Fixed);
    assert_eq!(weight.role(), Some(Role::Excitatory));
    weight.set(setup.positive(&mut rng(2), [4, 4])).unwrap();
    assert_eq!(weight.role(), Some(Role::Excitatory));
    // Loading a record gives identities, not roles.
    let other = Model::new(setup).load_record(model.clone().into_record());
    assert_eq!(Roles::of(&other), expected);
    assert_ne!(Roles::of(&Model::new(setup)), expected);
}

#[test]
fn each_population_has_its_rate() {
    let model = Model::new(&setups()[0]);
    let mut scheduler = RoleLrSchedulerConfig::new(0.01)
        .with_excitatory(0.02)
        .with_inhibitory_in(LinearLrSchedulerConfig::new(0.5, 0.1, 4))
        .with_inhibitory_out(0.003)
        .with_bias(0.04)
        .with(&[Role::DivisiveIn], 0.7)
        .try_init(&model)
        .unwrap();
    for step in 0..3 {
        let rates = scheduler.step();
        let rate = |id| rates.lr_from_param(id, Some("w_ei_like.w_ei"));
        let layer = &model.layers[1];
        assert_eq!(rate(layer.w_ex.id), 0.02);
        let found = rate(layer.w_ix.as_ref().unwrap().id);
        assert!(
            (found - (0.5 - 0.1 * f64::from(step))).abs() < 1e-12,
            "{found}"
        );
        assert_eq!(rate(layer.w_ei.as_ref().unwrap().id), 0.003);
        assert_eq!(rate(layer.bias.as_ref().unwrap().id), 0.04);
        assert_eq!(rate(model.norm.u_ix.as_ref().unwrap().id), 0.7);
        assert_eq!(rate(model.norm.u_ei.as_ref().unwrap().id), 0.003);
        for id in [
            model.namesakes.weight.id,
            model.namesakes.w_ei_like.id,
            model.namesakes.w_ix.id,
            model.namesakes.w_ei.id,
            model.namesakes.bias.id,
            model.ei_linear.w_ix.id,
            model.ei_linear.bias.id,
        ] {
            assert_eq!(rate(id), 0.01);
        }
    }
    let refused = RoleLrSchedulerConfig::new(0.01)
        .with_bias(LinearLrSchedulerConfig::new(0.5, 0.1, 0))
        .try_init(&model);
    assert!(matches!(refused, Err(Error::Schedule(_))));
}

/// An EI layer with the additional parameters of a shunting layer.
#[derive(Module, Debug)]
struct Circuit {
    layer: EiLinear,
    shunting: Shunting,
    convolution: Convolution,
}

#[derive(Module, Debug)]
struct Shunting {
    w: Weight<2>,
    alpha: Weight<1>,
    gain: Weight<1>,
}

#[derive(Module, Debug)]
struct Convolution {
    kernel: Weight<4>,
    mixing: Weight<2>,
}

impl Circuit {
    fn new(setup: &Setup) -> Self {
        let source = &mut rng(4);
        let weights = ei(setup, source, [6, 2, 9]);
        fn weight<const D: usize>(value: Tensor<D>, sign: Sign, role: Role) -> Weight<D> {
            Weight::new(value.autodiff(), sign, Plasticity::Plastic).with_role(role)
        }
        let positive = Sign::NonNegative;
        let kernel = setup.positive(source, [5, 2, 3, 3]);
        Self {
            layer: EiLinear::from_weights(weights).unwrap(),
            shunting: Shunting {
                w: weight(setup.positive(source, [6, 4]), positive, Role::Excitatory),
                alpha: weight(setup.random(source, [2]), Sign::Free, Role::Shunting),
                gain: weight(setup.positive(source, [4]), positive, Role::Gain),
            },
            convolution: Convolution {
                kernel: weight(kernel, positive, Role::Excitatory),
                mixing: weight(
                    setup.positive(source, [1, 5]),
                    positive,
                    Role::InhibitoryOut,
                ),
            },
        }
    }
}

/// Random gradients for every parameter, and their values in f64.
fn random_gradients(
    setup: &Setup,
    module: &impl Module,
    seed: u64,
) -> (GradientsParams, Vec<Vec<f64>>) {
    struct Draw<'a>(&'a Setup, ChaCha8Rng, GradientsParams, Vec<Vec<f64>>);
    impl ModuleVisitor for Draw<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let grad = self.0.random(&mut self.1, param.dims());
            self.3.push(values(&grad));
            self.2.register(param.id, grad);
        }
    }
    let mut draw = Draw(setup, rng(seed), GradientsParams::new(), Vec::new());
    module.visit(&mut draw);
    (draw.2, draw.3)
}

/// The factor of the gradient, and whether the parameter is constrained.
fn expected_factor(path: &str) -> (f64, bool) {
    match path {
        "layer.w_ex" | "shunting.w" | "shunting.gain" | "convolution.kernel" => (1.0, true),
        "layer.w_ix" => (1.0 / 3.0, true),
        "layer.w_ei" => (1.0 / 6.0, true),
        "shunting.alpha" => (1.0 / (6.0 * 2.0), false),
        "convolution.mixing" => (1.0 / 18.0, true),
        _ => (1.0, false),
    }
}

#[test]
fn corrected_descent() {
    let lr = 1.0;
    for setup in setups() {
        for c in [None, Some(0.05)] {
            let at = setup.at(c);
            let mut circuit = Circuit::new(&setup);
            let mut optimizer = CorrectedSgdConfig::new()
                .with_max_projection(c)
                .init(&circuit);
            let (mut shortened, mut projected) = (0, 0);
            for step in 0..4 {
                let before = weights(&circuit);
                let (grads, drawn) = random_gradients(&setup, &circuit, step);
                circuit = optimizer.step(lr, circuit, grads);
                for (((path, before), (_, after)), grad) in
                    before.iter().zip(weights(&circuit)).zip(&drawn)
                {
                    let (factor, constrained) = expected_factor(path);
                    let mut rate = lr * factor;
                    let stepped = |rate: f64| -> Vec<f64> {
                        before.iter().zip(grad).map(|(w, g)| w - rate * g).collect()
                    };
                    let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
                    let kept = |v: &[f64]| {
                        let positive: Vec<_> = v.iter().map(|v| v.max(0.0)).collect();
                        norm(&positive) / norm(v)
                    };
                    while constrained && c.is_some_and(|c| kept(&stepped(rate)) < 1.0 - c) {
                        rate /= 2.0;
                        shortened += 1;
                    }
                    let mut expected = stepped(rate);
                    if constrained {
                        projected += expected.iter().filter(|w| **w < 0.0).count();
                        expected.iter_mut().for_each(|w| *w = w.max(0.0));
                    }
                    assert_close(&after, &expected, setup.tolerance, &format!("{at} {path}"));
                }
            }
            assert!(projected > 0, "{at}: the projection had nothing to do");
            assert_eq!(shortened > 0, c.is_some(), "{at}");
            dale::check(&circuit).unwrap();
        }
    }
}

#[test]
fn corrections_without_a_layer_are_an_error() {
    let setup = &setups()[0];
    #[derive(Module, Debug)]
    struct Two {
        first: Weight<2>,
        second: Weight<2>,
        w_ix: Weight<2>,
    }
    let Circuit {
        layer, shunting, ..
    } = Circuit::new(setup);
    let two = Two {
        first: layer.w_ex.clone(),
        second: layer.w_ex.clone(),
        w_ix: layer.w_ix.clone().unwrap(),
    };
    let of_networks = Population::stack(vec![layer.circuit.clone(); 2]).unwrap();
    let config = CorrectedSgdConfig::new;
    let halving = config().with_max_projection(Some(1.0));
    for (refused, expected) in [
        (config().try_init(&shunting.alpha), "exactly one excitatory"),
        (
            config().try_init(&two),
            "`w_ix`: the correction needs exactly",
        ),
        (halving.try_init(&layer), "max_projection is 1"),
        (
            config().try_init(&of_networks),
            "two axes or those of kernels",
        ),
    ] {
        let error = refused.err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // A module without inhibition is valid.
    CorrectedSgdConfig::new().try_init(&layer.w_ex).unwrap();
}

#[test]
fn a_group_takes_another_optimizer() {
    let setup = &setups()[0];
    let circuit = Circuit::new(setup);
    let biases = Roles::of(&circuit).group(&[Role::Bias]);
    let frozen = CorrectedSgdConfig::new().try_init(&circuit).unwrap();
    let rate = SgdConfig::new().build();
    let mut optimizer = frozen.with_group(biases, rate, None);
    let before = weights(&circuit);
    let (grads, drawn) = random_gradients(setup, &circuit, 1);
    let after = weights(&optimizer.step(0.1, circuit, grads));
    let index = before
        .iter()
        .position(|(path, _)| path == "layer.bias")
        .unwrap();
    let expected: Vec<_> = before[index]
        .1
        .iter()
        .zip(&drawn[index])
        .map(|(w, g)| w - 0.1 * g)
        .collect();
    assert_close(&after[index].1, &expected, setup.tolerance, "bias");
}
