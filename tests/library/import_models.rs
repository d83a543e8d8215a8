//! Imported weights in models that learn: gradients of PyTorch, reparameterized and masked weights, and
//! values of every precision.

use crate::common::circuits::ei;
use crate::common::published::{Net, expected, published, published_weights};
use crate::common::reparameterization::attach;
use crate::common::{Setup, assert_close, assert_same, assert_tensor_close, rng, setups, values};
use burn::module::Module;
use burn::tensor::{DType, Int, Tensor, TensorData, activation::relu};
use ei_norm::dale::{self, NonNegative, Weight};
use ei_norm::functional::smoothed_cross_entropy;
use ei_norm::import::{Axes, Import, KeyMap, Signs, Weights};
use ei_norm::{EiLinear, EiWeights, GradNormMode};

const FORMS: [NonNegative; 3] = [NonNegative::Softplus, NonNegative::Square, NonNegative::Abs];

fn layer(setup: &Setup, seed: u64) -> EiLinear {
    EiLinear::from_weights(ei(setup, &mut rng(seed), [4, 2, 3])).unwrap()
}

fn map() -> KeyMap {
    KeyMap::published([("fc", "")])
}

#[test]
fn pytorch_weights_give_the_gradients_of_pytorch() {
    for setup in setups() {
        for mode in [GradNormMode::Identity, GradNormMode::Full] {
            let mut net = Net::learning(&setup, mode);
            let weights = published_weights(setup.dtype);
            Import::new(published()).apply(&weights, &mut net).unwrap();

            let mut x = setup.tensor(expected("x", setup.dtype), [4, 7]).autodiff();
            let mut local_losses = Tensor::zeros([1], (&x.device(), setup.dtype));
            for layer in &net.hidden {
                let (z, local) = layer.forward_with_local_loss(x);
                x = relu(z);
                local_losses = local_losses + local;
            }
            let classes = TensorData::from([2, 0, 1, 1]);
            let classes = Tensor::<1, Int>::from_data(classes, &x.device());
            let task = smoothed_cross_entropy(net.readout.forward(x), classes, 0.1);
            let loss = task + local_losses * 0.3;

            let of = |key: &str| expected(&format!("{}_{key}", mode.name()), DType::F64);
            let tolerance = if setup.dtype == DType::F64 {
                1e-11
            } else {
                1e-4
            };
            assert_close(&values(&loss), &of("loss"), tolerance, &setup.at(mode));
            let grads = loss.backward();
            let matrix = |key: &str, weight: &Weight<2>| {
                let grad = weight.grad(&grads).unwrap().transpose();
                assert_close(&values(&grad), &of(key), tolerance, &setup.at((mode, key)));
            };
            let bias = |key: &str, weight: &Option<Weight<1>>| {
                let grad = weight.as_ref().unwrap().grad(&grads).unwrap();
                assert_close(&values(&grad), &of(key), tolerance, &setup.at((mode, key)));
            };
            for (name, layer) in ["fc0", "fc1"].iter().zip(&net.hidden) {
                matrix(&format!("{name}.Wex"), &layer.w_ex);
                matrix(&format!("{name}.Wix"), &layer.w_ix);
                matrix(&format!("{name}.Wei"), &layer.w_ei);
                matrix(&format!("{name}.Bix"), layer.u_ix.as_ref().unwrap());
                matrix(&format!("{name}.Bei"), layer.u_ei.as_ref().unwrap());
                bias(&format!("{name}.bias"), &layer.bias);
            }
            matrix("fc_output.Wex", &net.readout.w_ex);
            matrix("fc_output.Wix", net.readout.w_ix.as_ref().unwrap());
            matrix("fc_output.Wei", net.readout.w_ei.as_ref().unwrap());
            bias("fc_output.bias", &net.readout.bias);
        }
    }
}

#[test]
fn values_of_double_precision_are_exact() {
    let setup = &setups()[1];
    assert_eq!(setup.dtype, DType::F64);
    let model = |values: Vec<f64>| {
        let n = values.len();
        let bias = setup.tensor(values, [n]);
        let weights = EiWeights {
            w_ex: setup.tensor(vec![1.0 / 3.0, f64::MIN_POSITIVE / 4.0, 1e300], [1, 3]),
            inhibition: None,
            bias: Some(bias),
        };
        EiLinear::from_weights(weights).unwrap()
    };
    let source = model(vec![0.1 + 0.2, -0.0, -f64::MAX]);
    let mut target = model(vec![1.0; 3]);
    let bytes = Weights::of(&source, &map())
        .unwrap()
        .to_safetensors()
        .unwrap();
    let weights = Weights::from_safetensors(&bytes).unwrap();
    Import::new(map()).apply(&weights, &mut target).unwrap();
    assert_same(&target.w_ex.val(), &source.w_ex.val(), "w_ex");
    let bias = |model: &EiLinear| model.bias.as_ref().unwrap().val();
    assert_same(&bias(&target), &bias(&source), "bias");
}

#[test]
fn a_reparameterized_weight_is_written_and_set_as_what_it_makes() {
    for setup in setups() {
        for form in FORMS {
            let at = setup.at(form);
            let source = dale::reparameterize(layer(&setup, 1), form);
            let weights = Weights::of(&source, &map()).unwrap();
            // A plain layer gets the effective weights of the source.
            let mut plain = layer(&setup, 2);
            Import::new(map()).apply(&weights, &mut plain).unwrap();
            assert_same(&plain.w_ex.val().inner(), &source.w_ex.val().inner(), &at);

            // A layer with bases gets the same values, still learns, and passes the check.
            for other in FORMS {
                let mut target = dale::reparameterize(layer(&setup, 3), other);
                let id = target.w_ex.id;
                Import::new(map()).apply(&weights, &mut target).unwrap();
                assert_tensor_close(
                    &target.w_ex.val(),
                    &plain.w_ex.val(),
                    2.0 * setup.tolerance,
                    &at,
                );
                assert!(target.w_ex.val().is_tracked(), "{at}");
                assert_eq!(target.w_ex.id, id, "{at}");
                if other != NonNegative::Abs {
                    assert_ne!(values(&target.w_ex.base()), values(&plain.w_ex.base()));
                }
                dale::check(&target).unwrap();
            }
            // The keys are the paths of the model, and there are no others.
            let keys = Weights::of(&source, &KeyMap::of(&source)).unwrap();
            let keys: Vec<&str> = keys.keys().collect();
            assert_eq!(keys, ["bias", "w_ei", "w_ex", "w_ix"], "{at}");
        }
    }
}

#[test]
fn zeros_and_negative_values_for_a_reparameterized_weight() {
    for setup in setups() {
        for form in FORMS {
            let at = setup.at(form);
            let mut source = layer(&setup, 1);
            let mut some = values(&source.w_ex.val());
            (some[0], some[5]) = (0.0, -0.25);
            let negative = setup.tensor(some.clone(), [4, 3]).autodiff();
            source.w_ex.set(negative).unwrap();
            let weights = Weights::of(&source, &map()).unwrap();
            let fresh = || dale::reparameterize(layer(&setup, 2), form);
            for (signs, expected) in [
                (
                    Signs::Check,
                    "non-negative values (or `Signs::Project`, `Signs::Allow`)",
                ),
                (
                    Signs::Allow,
                    "non-negative values: the weight is reparameterized",
                ),
            ] {
                let mut target = fresh();
                let import = Import::new(map()).with_signs(signs);
                let error = import.apply(&weights, &mut target).unwrap_err();
                assert_eq!(
                    error.to_string(),
                    format!(
                        "`fc.Wex`: found 1 negative values, the worst -0.25; expected {expected}"
                    )
                );
                assert_same(&target.w_ex.base(), &fresh().w_ex.base(), &at);
            }
            let mut target = fresh();
            let import = Import::new(map()).with_signs(Signs::Project);
            import.apply(&weights, &mut target).unwrap();
            let zero = if form == NonNegative::Abs {
                0.0
            } else {
                NonNegative::ZERO
            };
            (some[0], some[5]) = (zero, zero);
            let found = values(&target.w_ex.val());
            assert_close(&found, &some, 2.0 * setup.tolerance, &at);
            assert!((found[5] - zero).abs() <= 1e-5 * zero, "{at}: {}", found[5]);
        }
    }
}

#[test]
fn a_reparameterization_from_elsewhere_is_written_and_not_set() {
    for setup in setups() {
        let mut model = layer(&setup, 1).apply_reparameterization(attach("w_ex", 0.5));
        let weights = Weights::of(&model, &map()).unwrap();
        let mut plain = layer(&setup, 2);
        Import::new(map()).apply(&weights, &mut plain).unwrap();
        assert_same(&plain.w_ex.val(), &model.w_ex.val().detach(), "w_ex");
        let error = Import::new(map()).apply(&weights, &mut model).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`fc.Wex`: found a weight whose reparameterization cannot be inverted; expected to \
             `materialize` it first"
        );
    }
}

#[test]
fn a_mask_is_kept_and_values_outside_of_it_are_named() {
    for setup in setups() {
        for form in [None, Some(NonNegative::Softplus), Some(NonNegative::Abs)] {
            let at = setup.at(form);
            let full = layer(&setup, 1);
            let masked = || {
                let mut layer = layer(&setup, 2);
                let mut exists = vec![true; 12];
                (exists[1], exists[9]) = (false, false);
                let mask = TensorData::new(exists, [4, 3]);
                let mask = Tensor::from_data(mask, &setup.device);
                layer.w_ex.set_mask(mask).unwrap();
                match form {
                    Some(form) => dale::reparameterize(layer, form),
                    None => layer,
                }
            };
            let mut target = masked();
            let weights = Weights::of(&full, &map()).unwrap();
            let error = Import::new(map()).apply(&weights, &mut target).unwrap_err();
            let first = values(&full.w_ex.val())[1];
            assert_eq!(
                error.to_string(),
                format!(
                    "`fc.Wex`: found 2 values other than 0 outside of the mask, such as {first}; \
                     expected 0 where there is no connection (or `Import::with_cut`)"
                )
            );
            assert_same(&target.w_ex.val(), &masked().w_ex.val(), &at);

            let cut = Import::new(map()).with_cut(true);
            cut.apply(&weights, &mut target).unwrap();
            let mut expected = values(&full.w_ex.val());
            (expected[1], expected[9]) = (0.0, 0.0);
            let found = values(&target.w_ex.val());
            assert_close(&found, &expected, 2.0 * setup.tolerance, &at);
            assert_eq!([found[1], found[9]], [0.0; 2], "{at}");
            // Without the mask these weights would have the values of the file: 0.
            let below = values(&target.w_ex.clone().without_mask().val());
            assert!(below[1] <= 2.0 * NonNegative::ZERO, "{at}: {}", below[1]);

            // Written weights have zeros there, and are accepted again.
            let weights = Weights::of(&target, &map()).unwrap();
            let mut again = masked();
            Import::new(map()).apply(&weights, &mut again).unwrap();
            assert_close(
                &values(&again.w_ex.val()),
                &expected,
                4.0 * setup.tolerance,
                &at,
            );
            let exists = again.w_ex.mask().unwrap().into_data();
            assert_eq!(exists.iter::<bool>().filter(|exists| !exists).count(), 2);
        }
    }
}

/// The mask has the order of axes of the parameter, whatever the order in the file.
#[test]
fn a_mask_is_compared_in_the_order_of_the_parameter() {
    let setup = &setups()[0];
    let weights = EiWeights {
        w_ex: setup.tensor(vec![1.0; 6], [2, 3]),
        inhibition: None,
        bias: None,
    };
    let mut model = EiLinear::from_weights(weights).unwrap();
    let exists = TensorData::new(vec![true, true, false, true, true, true], [2, 3]);
    let mask = Tensor::from_data(exists, &setup.device);
    model.w_ex.set_mask(mask).unwrap();
    for axes in [Axes::Same, Axes::Transposed] {
        let map = KeyMap::new().with("w", "w_ex", axes);
        let weights = Weights::of(&model, &map).unwrap();
        Import::new(map).apply(&weights, &mut model).unwrap();
    }
}
