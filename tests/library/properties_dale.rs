//! Dale's law and masks hold under every operation on a layer, and records preserve every bit.

use crate::common::equations::{Tabled, dense, for_every_circuit};
use crate::common::parameters::{bits, weights};
use crate::common::{ChaCha8Rng, Setup, leaf, rng, values};
use crate::properties::{any_circuit, masked};
use burn::grad_clipping::GradientClippingConfig;
use burn::module::{Module, ModuleMapper, Param};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::store::ModuleRecord;
use burn::tensor::{Tensor, TensorData};
use ei_norm::dale::{self, NonNegative};
use ei_norm::layer::{Conv2d, Layer, Recurrent};
use ei_norm::optim::{ExponentiatedAdamConfig, ExponentiatedSgdConfig, Projected, ProjectedSgd};
use proptest::prelude::{Strategy, any, prop};
use rand::RngExt;

for_every_circuit! {
    a_layer_keeps_signs_and_masks_whatever_happens_to_it: 24, events();
    a_record_keeps_every_bit_of_every_layer: 24, any::<u64>().no_shrink();
}

/// The seed of all values, and events: optimizer steps at a rate, and others.
type Events = (u64, Vec<(usize, f64)>);

fn events() -> impl Strategy<Value = Events> {
    let events = prop::collection::vec((0..8_usize, 0.001..1.0), 1..16);
    (any::<u64>().no_shrink(), events)
}

/// The optimizers, with clipped gradients, so that no weight leaves the range of its dtype.
fn optimizers() -> [ModuleOptimizer; 5] {
    let momentum = SgdConfig::new().with_momentum(Some(MomentumConfig::new()));
    let all = [
        ProjectedSgd.init(),
        Projected::new(AdamConfig::new().build()).init(),
        Projected::new(momentum.build()).init(),
        ExponentiatedSgdConfig::new().init(),
        ExponentiatedAdamConfig::new().init(),
    ];
    all.map(|optimizer| optimizer.with_grad_clipping(GradientClippingConfig::Value(1.0).init()))
}

/// Replaces every value by random bits, including infinities and NaN.
struct Scramble<'a>(&'a mut ChaCha8Rng);

impl ModuleMapper for Scramble<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| {
            let (dims, dtype) = (tensor.dims(), tensor.dtype());
            let bytes = (0..tensor.shape().num_elements() * dtype.size()).map(|_| self.0.random());
            let data = TensorData::from_bytes_vec(bytes.collect(), dims, dtype);
            let scrambled = Tensor::from_data(data, (&tensor.device(), dtype));
            scrambled.set_require_grad(tensor.is_require_grad())
        })
    }
}

/// The circuit with other values and masks.
fn other<C: Tabled>(circuit: &C, rng: &mut ChaCha8Rng) -> C {
    masked(circuit.clone(), rng, |weight, _| weight.mask().is_some()).map(&mut Scramble(rng))
}

/// Loads the record of `module`, converted to bytes, into `other`.
fn loaded<M: Module>(module: &M, other: M) -> M {
    let bytes = module.clone().into_record().into_bytes().unwrap();
    other.load_record(ModuleRecord::from_bytes(bytes).unwrap())
}

mod every {
    use super::*;

    pub fn a_layer_keeps_signs_and_masks_whatever_happens_to_it<C: Tabled>(
        setup: &Setup,
        (seed, events): Events,
    ) {
        let rng = &mut rng(seed);
        let [d, n] = [(); 2].map(|_| rng.random_range(1..6));
        let mut layer = dense(&any_circuit::<C>(setup, seed, [d, n]));
        let mut optimizers = optimizers();
        for (event, rate) in events {
            match event {
                ..5 => {
                    let (z, local) = C::apply(&layer, leaf(&C::input(setup, rng, [3, d])));
                    let loss = (z * setup.random(rng, [3, n])).sum();
                    let loss = local.into_iter().fold(loss, Tensor::add);
                    let grads = GradientsParams::from_grads(loss.backward(), &layer);
                    layer = optimizers[event].step(rate, layer, grads);
                }
                5 => layer = dense(&masked(layer.circuit, rng, |_, rng| rng.random_bool(0.3))),
                6 => layer = loaded(&layer, dense(&other(&layer.circuit, rng))),
                _ => layer = layer.valid().train(),
            }
            let at = setup.at((C::NAME, seed, event));
            dale::check(&layer).unwrap_or_else(|error| panic!("{at}: {error}"));
            for (name, values) in weights(&layer) {
                let is_free = ["bias", "u_ix", "alpha", "signs"].contains(&&name[..]);
                assert!(is_free || values.iter().all(|w| *w >= 0.0), "{at} {name}");
            }
            for weight in layer.all_matrices() {
                let Some(exists) = weight.mask() else {
                    continue;
                };
                for value in [weight.val(), weight.base()] {
                    let absent = value.inner().mask_fill(exists.clone(), 0.0);
                    assert!(values(&absent).iter().all(|w| *w == 0.0), "{at}: a mask");
                }
            }
        }
    }

    pub fn a_record_keeps_every_bit_of_every_layer<C: Tabled>(setup: &Setup, seed: u64) {
        let rng = &mut rng(seed);
        let [d, n] = [(); 2].map(|_| rng.random_range(1..6));
        let source = other(&any_circuit::<C>(setup, seed, [d + n, n]), rng);
        let target = other(&source, rng);
        let form = [None, Some(NonNegative::Softplus), Some(NonNegative::Abs)][seed as usize % 3];
        let [source, target] = [source, target].map(|circuit| match form {
            Some(form) => dale::reparameterize(circuit, form),
            None => circuit,
        });
        let images = Conv2d::new([d + n, n], [1, 1]);
        let conv = |circuit: &C| Layer::new(circuit.clone(), images.clone()).unwrap();
        let rnn = |circuit: &C| Layer::new(circuit.clone(), Recurrent::new(d, n)).unwrap();
        let found = [
            bits(&loaded(&dense(&source), dense(&target))),
            bits(&loaded(&conv(&source), conv(&target))),
            bits(&loaded(&rnn(&source), rnn(&target))),
        ];
        for found in found {
            assert_eq!(found, bits(&source), "{}", setup.at((C::NAME, seed)));
        }
    }
}
