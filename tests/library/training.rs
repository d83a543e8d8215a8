//! Training of convolutions and dense layers: Dale's law with every method, parameters that must not learn,
//! and roles.

use crate::common::circuits::{Divisive, Output, Tried, i_norm};
use crate::common::convolution::{Case, case, cases};
use crate::common::equations::{Tabled, dense};
use crate::common::parameters::assert_unchanged;
use crate::common::training::{Way, keeps_dales_law};
use crate::common::{ChaCha8Rng, Setup, rng, setups};
use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::tensor::Tensor;
use ei_norm::circuit::{ColumnEi, Ei, Shunting};
use ei_norm::dale::{Role, Roles};
use ei_norm::layer::{Conv2d, Dense, Layer};
use ei_norm::{GradNormConfig, GradNormMode, INormConv2d, InhibitoryPlasticity};

type Conv<C> = Layer<C, Conv2d>;

fn training_case() -> Case {
    let geometry = ([1, 2], [1, 1], PaddingConfig2d::Explicit(1, 0, 1, 0));
    let sizes = (6, [2, 5], [5, 4], [3, 2]);
    case(sizes, geometry, [[1, 1], [0, 0]])
}

fn layer<C: Tried>(setup: &Setup, rng: &mut ChaCha8Rng, case: &Case) -> Conv<C> {
    let circuit = C::one(setup, rng, case.sizes());
    Layer::new(circuit, case.geometry.clone()).unwrap()
}

/// A layer with the plasticity of the paper.
fn i_norm_layer(
    setup: &Setup,
    rng: &mut ChaCha8Rng,
    case: &Case,
    divisive: Divisive,
    mode: GradNormMode,
) -> INormConv2d {
    let sizes = case.sizes();
    let plasticity = InhibitoryPlasticity::of_paper(divisive != Divisive::None);
    let mut weights = i_norm(setup, rng, sizes, divisive, plasticity, mode);
    weights.epsilon = 1e-5;
    let grad_norm = GradNormConfig::new(sizes[1]).with_mode(mode);
    weights.grad_norm = grad_norm.init(&weights.w_ex.device());
    // Weak division makes errors strong enough to make weights negative.
    let weaker = |u_ix: Tensor<2>| (u_ix.inner() * 0.3).autodiff();
    weights.divisive = weights.divisive.map(|(u_ix, u_ei)| (weaker(u_ix), u_ei));
    INormConv2d::from_weights(weights, case.geometry.clone()).unwrap()
}

/// A layer in training: what its training asserts.
struct Course<'a> {
    /// The rate of projected descent.
    rate: f64,
    /// The parameters that do not change.
    fixed: &'a [&'a str],
    /// The fraction of the loss that may remain, if the loss falls.
    falls: Option<f64>,
}

impl Course<'_> {
    /// Trains a module with every method.
    fn run<M: Module>(&self, before: &M, loss: impl Fn(&M) -> Tensor<1>, at: &str) {
        for way in Way::ALL {
            let at = format!("{at} {way:?}");
            let (rate, falls) = match way {
                Way::ProjectedSgd => (self.rate, self.falls),
                // Slow, because no projection bounds the weights.
                Way::Descent(_) => (0.1 * self.rate, self.falls.map(|_| 1.0)),
                _ => (0.03, self.falls),
            };
            let (after, losses) = keeps_dales_law(before.clone(), way, rate, &loss, &at);
            let left = losses[losses.len() - 1] / losses[0];
            assert!(falls.is_none_or(|most| left < most), "{at}: {left}");
            assert_unchanged(before, &after, self.fixed, &at);
        }
    }

    fn of_conv<C: Tried>(&self, setup: &Setup, before: &Conv<C>, at: &str) {
        let (case, rng) = (training_case(), &mut rng(2));
        let x = setup.positive(rng, case.input()).autodiff();
        let target = setup.random(rng, case.output()).autodiff();
        let loss = |layer: &Conv<C>| loss_of(C::convolve(layer, x.clone()), &target);
        self.run(before, loss, &setup.at(at));
    }

    fn of_dense<C: Tabled>(&self, setup: &Setup, circuit: C, batch: usize) {
        let ([d, n], rng) = (circuit.sizes(), &mut rng(2));
        let x = setup.positive(rng, [batch, d]).autodiff();
        let target = setup.random(rng, [batch, n]).autodiff();
        let loss = |layer: &Layer<C, Dense>| loss_of(C::apply(layer, x.clone()), &target);
        self.run(&dense(&circuit), loss, &setup.at(("dense", C::NAME)));
    }
}

fn course<'a>(rate: f64, falls: f64, fixed: &'a [&'a str]) -> Course<'a> {
    let falls = Some(falls);
    Course { rate, fixed, falls }
}

/// The squared distance from the target, and the local loss if there is one.
fn loss_of<const D: usize>((z, local): Output<D>, target: &Tensor<D>) -> Tensor<1> {
    let task = (z - target.clone()).square().mean();
    local.into_iter().fold(task, |sum, local| sum + local)
}

#[test]
fn dales_law_holds_and_only_what_learns_changes() {
    let case = training_case();
    for setup in setups() {
        let rng = &mut rng(1);
        course(0.3, 0.5, &[]).of_conv::<Ei>(&setup, &layer(&setup, rng, &case), "Ei");
        let shunting = layer::<Shunting>(&setup, rng, &case);
        course(1.0, 0.9, &[]).of_conv(&setup, &shunting, "Shunting");
        let column = layer::<ColumnEi>(&setup, rng, &case);
        course(0.3, 0.9, &["signs"]).of_conv(&setup, &column, "ColumnEi");
        for (divisive, mode) in [
            (Divisive::Mixed, GradNormMode::Full),
            (Divisive::Mixed, GradNormMode::Identity),
            (Divisive::None, GradNormMode::Identity),
        ] {
            let before = i_norm_layer(&setup, rng, &case, divisive, mode);
            // As in the paper, W_ei learns too if inhibition only subtracts.
            let fixed: &[&str] = match divisive {
                Divisive::None => &[],
                _ => &["w_ei", "u_ei"],
            };
            // A normalized error is not a gradient, so its loss need not fall.
            let falls = (mode != GradNormMode::Full).then_some(0.9);
            let rate = 0.3;
            let course = Course { rate, fixed, falls };
            course.of_conv(&setup, &before, &format!("{divisive:?} {mode:?}"));
        }
    }
}

#[test]
fn dales_law_holds_in_dense_layers() {
    for setup in setups() {
        let rng = &mut rng(5);
        course(0.2, 0.7, &[]).of_dense(&setup, Ei::one(&setup, rng, [6, 4]), 8);
        course(1.0, 0.7, &[]).of_dense(&setup, Shunting::one(&setup, rng, [6, 5]), 16);
        course(0.3, 0.9, &["signs"]).of_dense(&setup, ColumnEi::one(&setup, rng, [4, 3]), 8);
    }
}

#[test]
fn roles_are_those_of_the_circuit() {
    for setup in setups() {
        let (case, rng) = (cases().swap_remove(0), &mut rng(7));
        let layer: Conv<Shunting> = layer(&setup, rng, &case);
        let roles = Roles::of(&layer);
        for (role, id) in [
            (Role::Excitatory, layer.w_ex.id),
            (Role::InhibitoryIn, layer.w_ix.id),
            (Role::InhibitoryOut, layer.w_ei.id),
            (Role::Shunting, layer.alpha.id),
            (Role::Gain, layer.gain.id),
            (Role::Bias, layer.bias.as_ref().unwrap().id),
        ] {
            assert_eq!(roles.ids(&[role]), [id], "{role:?}");
        }
    }
}
