//! A population of circuits of mixed sizes computes and learns like its circuits alone.

use crate::common::circuits::{self, Divisive, EVERYTHING, Tried};
use crate::common::{
    ChaCha8Rng, NORMALIZATIONS, Setup, assert_close, leaf, parameters, rng, setups, values,
};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Bool, DType, Gradients, Tensor};
use ei_norm::circuit::{Circuit, ColumnEi, Ei, INorm, LearnsLocally, Population, Shunting};
use ei_norm::functional::normalize;
use ei_norm::layer::{Dense, Layer};
use ei_norm::{GradNormMode, INormWeights, InhibitoryPlasticity, NormalizedOver, ShuntingWeights};

const TOLERANCE: f64 = 1e-9;
const EXAMPLES: usize = 2;
/// The rows of an example.
const PLACES: usize = 2;
const ROWS: usize = EXAMPLES * PLACES;
/// d_input, d_output of each network; the numbers of its inhibitory units differ too.
const MIXED: [[usize; 2]; 3] = [[6, 5], [1, 4], [4, 2]];
const SAME: [[usize; 2]; 2] = [[4, 5]; 2];

fn precise() -> Vec<Setup> {
    let setups = setups().into_iter();
    setups.filter(|setup| setup.dtype == DType::F64).collect()
}

/// The same, and a GPU if it is built, whose kernels also support populations.
fn precise_and_gpu() -> Vec<Setup> {
    #[allow(unused_mut)] // Without a GPU.
    let mut setups = precise();
    #[cfg(feature = "wgpu")]
    setups.push(Setup {
        tolerance: 1e-4,
        ..crate::common::gpu()
    });
    setups
}

fn tolerance(setup: &Setup) -> f64 {
    match setup.dtype {
        DType::F64 => TOLERANCE,
        _ => setup.tolerance,
    }
}

/// The gradients of all parameters of this rank, in the order of the fields, with their shapes.
fn gradients(module: &impl Module, grads: &Gradients, rank: usize) -> Vec<Gradient> {
    let all = parameters::stored(module, Some(grads)).into_iter();
    all.filter(|found| found.shape.len() == rank)
        .map(|found| (found.shape, found.gradient))
        .collect()
}

type Gradient = (Vec<usize>, Option<Vec<f64>>);

/// Values with their shape.
type Shaped = (Vec<usize>, Vec<f64>);

fn shaped<const D: usize>(tensor: &Tensor<D>) -> Shaped {
    (tensor.dims().to_vec(), values(tensor))
}

/// The part of one network, where the first axis counts networks.
fn part((shape, values): &Shaped, network: usize) -> Shaped {
    let size = values.len() / shape[0];
    (
        shape[1..].to_vec(),
        values[network * size..][..size].to_vec(),
    )
}

/// Fails unless a network's part of `all` is `own`, and the values around it are exactly 0.
#[track_caller]
fn assert_corner((shape, all): &Shaped, (own_shape, own): &Shaped, tolerance: f64, at: &str) {
    let mut inside = Vec::new();
    for (index, value) in all.iter().enumerate() {
        let (mut rest, mut is_inside) = (index, true);
        for (all, own) in shape.iter().zip(own_shape).rev() {
            is_inside &= rest % all < *own;
            rest /= all;
        }
        match is_inside {
            true => inside.push(*value),
            false => assert_eq!(*value, 0.0, "{at}: element {index} does not exist"),
        }
    }
    assert_close(&inside, own, tolerance, at);
}

/// One tensor for all networks, with zeros where a network has no features.
fn widened(setup: &Setup, all: &[Tensor<2>], width: usize) -> Tensor<3> {
    let wide = all.iter().map(|own| {
        let zeros = setup.tensor(vec![0.0; ROWS * width], [ROWS, width]);
        zeros.slice_assign([0..ROWS, 0..own.dims()[1]], own.clone())
    });
    Tensor::stack(wide.collect(), 0)
}

/// Compares outputs, local losses, and all gradients.
fn check<C: Circuit>(
    setup: &Setup,
    circuits: Vec<C>,
    local: impl Fn(&Population<C>, Tensor<3>) -> (Tensor<3>, Option<Tensor<1>>),
    local_alone: impl Fn(&Layer<C, Dense>, Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>),
    at: &str,
) {
    let mut rng = rng(7);
    let count = circuits.len();
    let population = Population::stack(circuits.clone()).unwrap();
    let [d_input, d_output] = population.sizes();
    // Errors at places beyond the outputs of a network must have no effect.
    let upstream = setup.random(&mut rng, [count, ROWS, d_output]).autodiff();
    let lambda = setup.random(&mut rng, [count]).autodiff();
    let inputs: Vec<Tensor<2>> = circuits
        .iter()
        .map(|circuit| setup.positive(&mut rng, [ROWS, circuit.sizes()[0]]))
        .collect();
    let x = leaf(&widened(setup, &inputs, d_input));
    let (z, losses) = local(&population, x.clone());
    let total = (z.clone() * upstream.clone()).sum();
    let total = match &losses {
        Some(losses) => total + (losses.clone() * lambda.clone()).sum(),
        None => total,
    };
    let grads = total.backward();
    let dx = x.grad(&grads).unwrap();
    let all = [
        gradients(&population, &grads, 3),
        gradients(&population, &grads, 2),
    ]
    .concat();

    for (network, (circuit, input)) in circuits.into_iter().zip(&inputs).enumerate() {
        let at = format!("{at}, network {network}");
        let [d_input, d_output] = circuit.sizes();
        let layer = Layer::new(circuit, Dense { d_input, d_output }).unwrap();
        let own_x = leaf(input);
        let (own_z, own_loss) = local_alone(&layer, own_x.clone());
        let of = |all: &Tensor<3>| all.clone().narrow(0, network, 1);
        let corner = |all: &Tensor<3>, own: &Tensor<2>, what: &str| {
            let (part, at) = (part(&shaped(all), network), format!("{at}: {what}"));
            assert_corner(&part, &shaped(own), tolerance(setup), &at);
        };
        corner(&z, &own_z, "output");
        let own_upstream = of(&upstream).narrow(2, 0, d_output).squeeze_dim::<2>(0);
        let total = (own_z * own_upstream).sum();
        let total = match (&losses, own_loss) {
            (Some(losses), Some(own)) => {
                let loss = losses.clone().narrow(0, network, 1);
                assert_close(&values(&loss), &values(&own), tolerance(setup), &at);
                total + own * lambda.clone().narrow(0, network, 1)
            }
            _ => total,
        };
        let grads = total.backward();
        corner(&dx, &own_x.grad(&grads).unwrap(), "error at the input");
        let alone = [gradients(&layer, &grads, 2), gradients(&layer, &grads, 1)].concat();
        assert_eq!(alone.len(), all.len(), "{at}");
        for (index, ((shape, found), (own_shape, own))) in all.iter().zip(alone).enumerate() {
            let at = format!("{at}: parameter {index}");
            assert_eq!(found.is_some(), own.is_some(), "{at}: a gradient?");
            if let (Some(found), Some(own)) = (found, own) {
                let part = part(&(shape.clone(), found.clone()), network);
                assert_corner(&part, &(own_shape, own), tolerance(setup), &at);
            }
        }
    }
}

fn check_task<C: Circuit>(setup: &Setup, circuits: Vec<C>, at: &str) {
    let together = |population: &Population<C>, x| (population.forward(x), None);
    let alone = |layer: &Layer<C, Dense>, x| (layer.forward(x), None);
    check(setup, circuits, together, alone, &setup.at(at));
}

fn check_local<C: LearnsLocally>(setup: &Setup, circuits: Vec<C>, at: &str) {
    let some = |(z, loss)| (z, Some(loss));
    let together = |population: &Population<C>, x| {
        let (z, loss) = population.forward_with_local_loss(x);
        (z, Some(loss))
    };
    let alone = |layer: &Layer<C, Dense>, x| some(layer.forward_with_local_loss(x));
    check(setup, circuits, together, alone, &setup.at(at));
}

/// Random weights; uniform divisive weights differ between networks.
fn i_norm(
    setup: &Setup,
    rng: &mut ChaCha8Rng,
    sizes: [usize; 2],
    divisive: Divisive,
    mode: GradNormMode,
) -> INorm {
    let plasticity = InhibitoryPlasticity {
        u_ei: divisive == Divisive::Mixed,
        ..EVERYTHING
    };
    let mut weights = circuits::i_norm(setup, rng, sizes, divisive, plasticity, mode);
    if let (Divisive::Uniform, Some((_, u_ei))) = (divisive, &mut weights.divisive) {
        let [n_d, n] = u_ei.dims();
        *u_ei = setup
            .tensor(vec![1.0 / n as f64; n_d * n], [n_d, n])
            .autodiff();
    }
    INorm::from_weights(weights).unwrap()
}

#[test]
fn inhibition_that_subtracts() {
    for setup in precise_and_gpu() {
        for sizes in [&MIXED[..], &SAME] {
            let rng = &mut rng(1);
            let each = sizes.iter().map(|sizes| Ei::one(&setup, rng, *sizes));
            check_task(&setup, each.collect(), "EI");
        }
    }
}

#[test]
fn inhibition_that_divides() {
    for setup in precise() {
        let rng = &mut rng(2);
        let each = [[6, 5, 2], [1, 4, 1], [4, 2, 3]].map(|[d_input, d_output, n_i]| {
            let mut positive = |shape: [usize; 2]| setup.positive(rng, shape).autodiff();
            Shunting::from_weights(ShuntingWeights {
                w_ex: positive([d_input, d_output]),
                w_ix: positive([d_input, n_i]),
                w_ei: positive([n_i, d_output]),
                alpha: positive([1, n_i]).squeeze_dim(0),
                gain: positive([1, d_output]).squeeze_dim(0),
                bias: Some(positive([1, d_output]).squeeze_dim(0)),
                epsilon: 0.0,
            })
            .unwrap()
        });
        check_task(&setup, each.to_vec(), "shunting");
    }
}

#[test]
fn inputs_that_inhibit() {
    for setup in precise() {
        let rng = &mut rng(3);
        let each = MIXED.map(|sizes| ColumnEi::one(&setup, rng, sizes));
        check_task(&setup, each.to_vec(), "column");
    }
}

#[test]
fn inhibition_that_normalizes() {
    for setup in precise_and_gpu() {
        for divisive in Divisive::ALL {
            for mode in GradNormMode::ALL {
                for sizes in [&MIXED[..], &SAME] {
                    let rng = &mut rng(4);
                    let each = sizes
                        .iter()
                        .map(|s| i_norm(&setup, rng, *s, divisive, mode));
                    let at = format!("{divisive:?} {mode} {sizes:?}");
                    check_local(&setup, each.collect(), &at);
                }
            }
        }
    }
}

#[test]
fn the_rows_of_an_example_are_normalized_together() {
    for setup in precise_and_gpu() {
        for divisive in Divisive::ALL {
            for mode in GradNormMode::ALL {
                for sizes in [&MIXED[..], &SAME] {
                    let rng = &mut rng(11);
                    let each = sizes.iter().map(|sizes| {
                        let plasticity = EVERYTHING;
                        let weights =
                            circuits::i_norm(&setup, rng, *sizes, divisive, plasticity, mode);
                        let over = NormalizedOver::Example;
                        INorm::from_weights(INormWeights { over, ..weights }).unwrap()
                    });
                    let together = |population: &Population<INorm>, x: Tensor<3>| {
                        let [networks, _, inputs] = x.dims();
                        let x = x.reshape([networks, EXAMPLES, PLACES, inputs]);
                        let (z, loss) = population.forward_with_local_loss(x);
                        (z.flatten(1, 2), Some(loss))
                    };
                    let alone = |layer: &Layer<INorm, Dense>, x: Tensor<2>| {
                        let [_, inputs] = x.dims();
                        let x = x.reshape([EXAMPLES, PLACES, inputs]);
                        let (z, loss) = layer.forward_with_local_loss(x);
                        (z.flatten(0, 1), Some(loss))
                    };
                    let at = setup.at(format!("{divisive:?} {mode} {sizes:?}"));
                    check(&setup, each.collect(), together, alone, &at);
                }
            }
        }
    }
}

/// `x` with zeros after each part.
fn spread(x: &Tensor<2>, own: &[usize], widest: &[usize]) -> Tensor<2> {
    let [rows, _] = x.dims();
    let mut start = 0;
    let parts = own.iter().zip(widest).map(|(own, widest)| {
        let zeros = Tensor::zeros([rows, *widest], (&x.device(), x.dtype()));
        if *own == 0 {
            return zeros;
        }
        let part = x.clone().narrow(1, start, *own);
        start += own;
        zeros.slice_assign([0..rows, 0..*own], part)
    });
    Tensor::cat(parts.collect(), 1)
}

fn check_parts<C: Circuit + Tried>(setup: &Setup) {
    let (parts, widest) = ([[4, 2], [1, 0], [1, 3]], [4, 3]);
    let rng = &mut rng(12);
    let circuits = MIXED.map(|sizes| C::one(setup, rng, sizes)).to_vec();
    let whole = Population::stack(circuits.clone()).unwrap();
    let lists = parts.map(|own| own.to_vec()).to_vec();
    let in_parts = Population::stack_in_parts(circuits.clone(), lists).unwrap();
    assert_eq!(in_parts.sizes(), [7, 5]);
    let own: Vec<Tensor<2>> = MIXED
        .iter()
        .map(|[inputs, _]| setup.positive(rng, [ROWS, *inputs]))
        .collect();
    let x = leaf(&widened(setup, &own, 6));
    let spread_own = own
        .iter()
        .zip(&parts)
        .map(|(x, own)| spread(x, own, &widest));
    let spread_x = leaf(&Tensor::stack(spread_own.collect(), 0));
    let upstream = setup.random(rng, [3, ROWS, 5]).autodiff();
    let run = |population: &Population<C>, x: &Tensor<3>| {
        let z = population.forward(x.clone());
        let grads = (z.clone() * upstream.clone()).sum().backward();
        (z, x.grad(&grads).unwrap())
    };
    let ((z, dx), (found_z, found_dx)) = (run(&whole, &x), run(&in_parts, &spread_x));
    assert_close(&values(&found_z), &values(&z), tolerance(setup), C::NAME);
    for (network, own) in parts.iter().enumerate() {
        let of = |dx: &Tensor<3>| dx.clone().narrow(0, network, 1).squeeze_dim::<2>(0);
        let expected = spread(&of(&dx), own, &widest);
        let (found, expected) = (values(&of(&found_dx)), values(&expected));
        assert_close(&found, &expected, tolerance(setup), C::NAME);
    }
    for (found, expected) in in_parts.unstack().iter().zip(&circuits) {
        assert_eq!(parameters::bits(found), parameters::bits(expected));
    }
}

#[test]
fn inputs_may_be_in_parts() {
    for setup in precise() {
        check_parts::<Ei>(&setup);
        check_parts::<ColumnEi>(&setup);
        check_parts::<Shunting>(&setup);
        check_parts::<INorm>(&setup);
    }
    let setup = &precise()[0];
    let rng = &mut rng(13);
    let mut circuits = MIXED.map(|sizes| Ei::one(setup, rng, sizes)).to_vec();
    let exists: Tensor<2, Bool> = setup.random(rng, [4, 2]).greater_elem(0.0);
    circuits[2].w_ex.set_mask(exists.clone()).unwrap();
    let parts = vec![vec![4, 2], vec![1, 0], vec![1, 3]];
    let in_parts = Population::stack_in_parts(circuits.clone(), parts).unwrap();
    let masks = in_parts
        .unstack()
        .into_iter()
        .map(|circuit| circuit.w_ex.mask());
    let masks: Vec<_> = masks.map(|mask| mask.map(Tensor::into_data)).collect();
    assert_eq!(masks, [None, None, Some(exists.into_data())]);
    let refused = |parts: &[&[usize]]| {
        let parts = parts.iter().map(|own| own.to_vec()).collect();
        let error = Population::stack_in_parts(circuits.clone(), parts).unwrap_err();
        error.to_string()
    };
    let error = refused(&[&[6], &[1]]);
    assert_eq!(error, "parts is 2; allowed: a list for each circuit");
    for wrong in [&[2, 2][..], &[5], &[usize::MAX]] {
        let allowed = "as many sizes as for the first circuit, whose sum is the number of inputs";
        let expected = format!("parts is {wrong:?}; allowed: {allowed}");
        assert_eq!(refused(&[&[6], &[1], wrong]), expected);
    }
}

#[test]
fn what_is_put_out_is_normalized_network_by_network() {
    for setup in precise_and_gpu() {
        let rng = &mut rng(9);
        let circuits = MIXED.map(|sizes| Ei::one(&setup, rng, sizes)).to_vec();
        let population = Population::stack(circuits.clone()).unwrap();
        let own: Vec<Tensor<2>> = circuits
            .iter()
            .map(|circuit| setup.random(rng, [ROWS, circuit.sizes()[1]]))
            .collect();
        let [_, widest] = population.sizes();
        let z = widened(&setup, &own, widest);
        let upstream = setup.random(rng, z.dims());
        for (kind, rule) in NORMALIZATIONS {
            let leaf_z = leaf(&z);
            let found = population.normalize(leaf_z.clone(), kind, rule, 1e-5);
            let grads = (found.clone() * upstream.clone().autodiff())
                .sum()
                .backward();
            let error = leaf_z.grad(&grads).unwrap();
            for (network, own) in own.iter().enumerate() {
                let at = setup.at(format!("{kind:?}, {rule:?}, network {network}"));
                let own_upstream = upstream.clone().narrow(0, network, 1);
                let own_upstream = own_upstream.narrow(2, 0, own.dims()[1]).squeeze_dim::<2>(0);
                let own_z = leaf(own);
                let expected = normalize(own_z.clone(), kind, rule, 1e-5);
                let grads = (expected.clone() * own_upstream.autodiff())
                    .sum()
                    .backward();
                let own_error = own_z.grad(&grads).unwrap();
                for (all, own) in [(&found, &expected), (&error, &own_error)] {
                    let part = part(&shaped(all), network);
                    assert_corner(&part, &shaped(own), tolerance(&setup), &at);
                }
            }
        }
    }
}

#[test]
fn the_circuits_come_back_as_they_were() {
    for setup in precise() {
        let rng = &mut rng(5);
        let circuits = MIXED.map(|sizes| Ei::one(&setup, rng, sizes)).to_vec();
        let population = Population::stack(circuits.clone()).unwrap();
        for (found, expected) in population.unstack().iter().zip(&circuits) {
            assert_eq!(parameters::bits(found), parameters::bits(expected));
        }
    }
}

#[test]
fn separate_circuits_have_the_masks_and_the_state_of_the_population() {
    let setup = &precise()[0];
    let rng = &mut rng(9);
    let [mut one, other, _] = MIXED.map(|sizes| Ei::one(setup, rng, sizes));
    let none = |shape: [usize; 2]| Tensor::<2>::zeros(shape, (&setup.device, setup.dtype)).bool();
    one.w_ex.set_mask(none(one.w_ex.dims())).unwrap();
    let population = Population::stack(vec![one.clone(), other.clone()]).unwrap();
    let [first, second] = population.unstack().try_into().unwrap();
    assert!(values(&first.w_ex.val()).iter().all(|w| *w == 0.0));
    assert!(second.w_ex.mask().is_none());
    // Another mask, and no autodiff.
    let mut population = population.valid();
    let exists = population.matrices[0].mask().unwrap().bool_not();
    population.matrices[0].set_mask(exists).unwrap();
    let [first, second] = population.unstack().try_into().unwrap();
    let learns = first.w_ex.mask().unwrap();
    assert!(learns.all().into_scalar::<bool>());
    assert!(values(&second.w_ex.val()).iter().all(|w| *w == 0.0));
    assert!(!first.w_ex.base().is_autodiff());
    // Equal weights are still known to be equal, and frozen ones stay frozen.
    let uniform =
        MIXED.map(|sizes| i_norm(setup, rng, sizes, Divisive::Uniform, GradNormMode::Full));
    let population = Population::stack(uniform.map(Module::freeze).to_vec()).unwrap();
    for circuit in population.unstack() {
        let u_ei = circuit.u_ei.unwrap();
        assert_eq!(u_ei.uniform_value(), Some(1.0 / u_ei.dims()[1] as f64));
        assert!(!circuit.w_ex.base().is_require_grad());
    }
    let mixed = Population::stack(vec![other.clone().freeze(), other]);
    assert!(mixed.is_err());
}

#[test]
fn circuits_of_another_form_are_refused() {
    let setup = &precise()[0];
    let of = |mode, divisive| i_norm(setup, &mut rng(6), SAME[0], divisive, mode);
    let full = of(GradNormMode::Full, Divisive::None);
    let others = [
        of(GradNormMode::Center, Divisive::None),
        of(GradNormMode::Full, Divisive::Uniform),
    ];
    for other in others {
        let error = Population::stack(vec![full.clone(), other]).unwrap_err();
        let expected = "networks is network 1; allowed: circuits that differ in their sizes alone";
        assert_eq!(error.to_string(), expected);
    }
    let over = |over| {
        let w = |shape| setup.positive(&mut rng(7), shape).autodiff();
        let weights = INormWeights::subtractive(w([3, 4]), w([3, 2]), w([2, 4]), None);
        INorm::from_weights(INormWeights { over, ..weights }).unwrap()
    };
    let mixed = [NormalizedOver::Features, NormalizedOver::Example].map(over);
    assert!(Population::stack(mixed.to_vec()).is_err());
    let error = Population::<Ei>::stack(Vec::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "networks is 0; allowed: at least 1 network"
    );
}

#[test]
fn a_population_computes_with_its_current_weights() {
    struct Thrice(usize);
    impl ModuleMapper for Thrice {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            self.0 += 1;
            match self.0 {
                5 => param.map(|u_ei| (u_ei.inner() * 3.0).autodiff()),
                _ => param,
            }
        }
    }

    for setup in precise() {
        let rng = &mut rng(8);
        let uniform =
            MIXED.map(|sizes| i_norm(&setup, rng, sizes, Divisive::Uniform, GradNormMode::Full));
        let mut thrice = uniform.clone();
        for u_ei in thrice.iter_mut().flat_map(|circuit| &mut circuit.u_ei) {
            u_ei.set(u_ei.val() * 3.0).unwrap();
        }
        let expected = Population::stack(thrice.to_vec()).unwrap();
        let population = Population::stack(uniform.to_vec()).unwrap();
        let x = setup.positive(rng, [MIXED.len() * ROWS, expected.sizes()[0]]);
        let x = x
            .reshape([MIXED.len(), ROWS, expected.sizes()[0]])
            .autodiff();
        let before = values(&population.forward(x.clone()));
        let mapped = population.clone().map(&mut Thrice(0));
        let loaded = population.load_record(expected.clone().into_record());
        let wanted = values(&expected.forward(x.clone()));
        assert_eq!(values(&loaded.forward(x.clone())), wanted, "loaded");
        assert_close(&values(&mapped.forward(x)), &wanted, TOLERANCE, "mapped");
        assert_ne!(before, wanted);
    }
}
