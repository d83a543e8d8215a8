//! The nodes of the products against the same formulas in plain autodiff.

use crate::common::{Setup, assert_tensor_close, leaf, rng, setups};
use burn::tensor::{Device, Tensor};
use ei_norm::functional::{ei_linear, excite, inhibit};

/// The operands of a layer; each may learn or be a constant.
struct Operands<const D: usize> {
    x: Tensor<D>,
    w_ex: Tensor<2>,
    w_ix: Tensor<2>,
    w_ei: Tensor<2>,
    bias: Option<Tensor<1>>,
}

impl<const D: usize> Operands<D> {
    /// Bit i of `learning` says whether operand i learns.
    fn random(
        setup: &Setup,
        leading: [usize; D],
        [d_in, n_i, d_out]: [usize; 3],
        learning: u32,
    ) -> Self {
        let rng = &mut rng(7);
        let mut shape = leading;
        shape[D - 1] = d_in;
        let constant = learning & 32 == 0;
        let operands = Self {
            x: setup.random(rng, shape),
            w_ex: setup.positive(rng, [d_in, d_out]),
            w_ix: setup.positive(rng, [d_in, n_i]),
            w_ei: setup.positive(rng, [n_i, d_out]),
            bias: (!constant).then(|| setup.random(rng, [d_out])),
        };
        Self {
            x: role(&operands.x, learning & 1 != 0),
            w_ex: role(&operands.w_ex, learning & 2 != 0),
            w_ix: role(&operands.w_ix, learning & 4 != 0),
            w_ei: role(&operands.w_ei, learning & 8 != 0),
            bias: operands.bias.map(|b| role(&b, learning & 16 != 0)),
        }
    }
}

fn role<const D: usize>(tensor: &Tensor<D>, learns: bool) -> Tensor<D> {
    match learns {
        true => leaf(tensor),
        false => tensor.clone().autodiff(),
    }
}

/// x W over the last axis, with Burn's product.
fn times<const D: usize>(x: Tensor<D>, w: Tensor<2>) -> Tensor<D> {
    let mut shape = x.dims();
    let d_in = shape[D - 1];
    let rows: usize = shape[..D - 1].iter().product();
    shape[D - 1] = w.dims()[1];
    x.reshape([rows, d_in]).matmul(w).reshape(shape)
}

fn plus<const D: usize>(z: Tensor<D>, bias: &Option<Tensor<1>>) -> Tensor<D> {
    match bias {
        Some(bias) => z + bias.clone().unsqueeze(),
        None => z,
    }
}

/// Compares value and all gradients of `node` and `plain`, under a random upstream error.
fn compare<const D: usize>(
    setup: &Setup,
    operands: &Operands<D>,
    node: impl Fn(&Operands<D>) -> Tensor<D>,
    plain: impl Fn(&Operands<D>) -> Tensor<D>,
    at: &str,
) {
    let (found, expected) = (node(operands), plain(operands));
    assert_tensor_close(&found, &expected, setup.tolerance, at);
    assert_eq!(
        found.is_tracked(),
        expected.is_tracked(),
        "{at}: part of a graph"
    );
    if !expected.is_tracked() {
        return;
    }
    let upstream = setup.random(&mut rng(8), expected.dims()).autodiff();
    let found = (found * upstream.clone()).sum().backward();
    let expected = (expected * upstream).sum().backward();
    macro_rules! same_gradient {
        ($operand:expr, $name:literal) => {
            let at = format!("{at}: d{}", $name);
            match ($operand.grad(&found), $operand.grad(&expected)) {
                (Some(found), Some(expected)) => {
                    assert_tensor_close(&found, &expected, setup.tolerance, &at)
                }
                (found, expected) => assert_eq!(found.is_some(), expected.is_some(), "{at}"),
            }
        };
    }
    same_gradient!(operands.x, "x");
    same_gradient!(operands.w_ex, "w_ex");
    same_gradient!(operands.w_ix, "w_ix");
    same_gradient!(operands.w_ei, "w_ei");
    if let Some(bias) = &operands.bias {
        same_gradient!(bias, "bias");
    }
}

fn layer_node<const D: usize>(o: &Operands<D>) -> Tensor<D> {
    let [w_ex, w_ix, w_ei] = [&o.w_ex, &o.w_ix, &o.w_ei].map(Clone::clone);
    ei_linear(o.x.clone(), w_ex, w_ix, w_ei, o.bias.clone())
}

fn layer_formula<const D: usize>(o: &Operands<D>) -> Tensor<D> {
    let inhibition = times(times(o.x.clone(), o.w_ix.clone()), o.w_ei.clone());
    plus(times(o.x.clone(), o.w_ex.clone()), &o.bias) - inhibition
}

#[test]
fn every_choice_of_learning_operands() {
    for setup in setups() {
        for learning in 0..64 {
            let operands = Operands::random(&setup, [3, 0], [6, 2, 5], learning);
            let at = setup.at(format!("learning {learning:06b}"));
            compare(&setup, &operands, layer_node, layer_formula, &at);
            compare(
                &setup,
                &operands,
                |o| excite(o.x.clone(), o.w_ex.clone(), o.bias.clone()),
                |o| plus(times(o.x.clone(), o.w_ex.clone()), &o.bias),
                &at,
            );
            compare(
                &setup,
                &operands,
                |o| inhibit(o.x.clone(), o.w_ix.clone(), o.w_ei.clone()),
                |o| times(times(o.x.clone(), o.w_ix.clone()), o.w_ei.clone()),
                &at,
            );
        }
    }
}

fn at_rank<const D: usize>(leading: [usize; D], sizes: [usize; 3]) {
    for setup in setups() {
        let operands = Operands::random(&setup, leading, sizes, 63);
        let at = setup.at((leading, sizes));
        compare(&setup, &operands, layer_node, layer_formula, &at);
    }
}

#[test]
fn every_rank_and_odd_sizes() {
    at_rank([0], [4, 2, 3]);
    at_rank([1, 0], [1, 1, 1]);
    at_rank([17, 0], [33, 3, 70]);
    // Many more outputs than rows, and many more inputs than rows.
    at_rank([2, 0], [65, 1, 67]);
    at_rank([2, 5, 0], [7, 3, 4]);
    at_rank([2, 1, 3, 0], [5, 2, 9]);
}

#[test]
fn an_error_that_is_not_contiguous() {
    for setup in setups() {
        let operands = Operands::random(&setup, [4, 0], [6, 2, 5], 63);
        let through = |z: Tensor<2>| z.transpose().slice([1..4, 0..3]).flip([0]);
        compare(
            &setup,
            &operands,
            |o| through(layer_node(o)),
            |o| through(layer_formula(o)),
            &setup.at("turned"),
        );
    }
}

#[test]
fn operands_that_are_not_contiguous() {
    for setup in setups() {
        let o = Operands::random(&setup, [5, 0], [5, 5, 5], 63);
        let views = |o: &Operands<2>| {
            [&o.x, &o.w_ex, &o.w_ix, &o.w_ei].map(|t| t.clone().transpose().flip([1]))
        };
        compare(
            &setup,
            &o,
            |o| {
                let [x, w_ex, w_ix, w_ei] = views(o);
                ei_linear(x, w_ex, w_ix, w_ei, o.bias.clone())
            },
            |o| {
                let [x, w_ex, w_ix, w_ei] = views(o);
                plus(x.clone().matmul(w_ex), &o.bias) - x.matmul(w_ix).matmul(w_ei)
            },
            &setup.at("views"),
        );
    }
}

#[test]
fn inputs_are_not_changed_by_a_backward_pass() {
    for setup in setups() {
        let o = Operands::random(&setup, [4, 0], [6, 2, 5], 63);
        let before = o.w_ex.to_data();
        let pass = || {
            let z = ei_linear(
                o.x.clone(),
                o.w_ex.clone(),
                o.w_ix.clone(),
                o.w_ei.clone(),
                None,
            );
            o.w_ex.grad(&z.sum().backward()).map(|g| g.to_data())
        };
        assert_eq!(pass(), pass(), "{}", setup.at("two passes"));
        assert_eq!(o.w_ex.to_data(), before, "{}", setup.at("weights"));
    }
}

#[test]
fn without_autodiff_the_result_is_the_same() {
    let device = Device::flex();
    let x = Tensor::<2>::from_floats([[1.0, 2.0]], &device);
    let w = Tensor::<2>::from_floats([[1.0, 0.5], [2.0, 0.0]], &device);
    let z = excite(x, w, None);
    assert!(!z.is_autodiff());
    assert_eq!(
        z.into_data(),
        burn::tensor::TensorData::from([[5.0f32, 0.5]])
    );
}
