//! Import and export of weights: PyTorch's outputs from PyTorch's weights, files in both directions, and
//! files that are refused without changing the model.

use crate::common::published::{
    Net, Raw, expected, file_of, fixture, published, published_tensors, published_weights,
    torch_file,
};
use crate::common::{Setup, assert_close, setups, values};
use burn::module::Module;
use burn::tensor::{DType, Device};
use ei_norm::import::{Axes, Import, KeyMap, Signs, Weights};
use ei_norm::{
    EiLinear, EiLinearConfig, EiWeights, Error, GradNormMode, INormLinearConfig, Inhibitory,
    ShuntingLinear, ShuntingWeights,
};

fn flex() -> Setup {
    setups().remove(0)
}

/// Fails unless `weights` are refused with this message and nothing changes.
#[track_caller]
fn refused<M: Module>(import: &Import, weights: &Weights, model: &mut M, message: &str) {
    let all = KeyMap::of(model);
    let before = Weights::of(model, &all).unwrap();
    let error = import.apply(weights, model).unwrap_err();
    assert_eq!(error.to_string(), message);
    let after = Weights::of(model, &all).unwrap();
    assert!(after == before, "the model changed: {message}");
}

/// The fixture with the tensor of one key replaced or removed.
fn altered(key: &str, change: Option<(Raw, &str)>) -> Weights {
    let mut tensors = published_tensors(DType::F32);
    tensors.retain(|(name, _)| name != key);
    tensors.extend(change.map(|(tensor, key)| (key.to_owned(), tensor)));
    file_of(&tensors)
}

fn f32s(shape: &[usize], value: f32) -> Raw {
    row_by_row(shape, &vec![value; shape.iter().product()])
}

fn row_by_row(shape: &[usize], values: &[f32]) -> Raw {
    let data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    (safetensors::Dtype::F32, shape.to_vec(), data)
}

/// A layer with 2 inputs, 3 outputs and no inhibition; every weight is 1, every bias 0.
fn plain(setup: &Setup) -> EiLinear {
    EiLinear::from_weights(EiWeights {
        w_ex: setup.tensor(vec![1.0; 6], [2, 3]),
        inhibition: None,
        bias: Some(setup.tensor(vec![0.0; 3], [3])),
    })
    .unwrap()
}

#[test]
fn pytorch_weights_give_the_outputs_of_pytorch() {
    for setup in setups() {
        let weights = published_weights(setup.dtype);
        let mut net = Net::new(&setup);
        Import::new(published()).apply(&weights, &mut net).unwrap();
        let x = setup.tensor(expected("x", setup.dtype), [4, 7]);
        let tolerance = match setup.dtype {
            DType::F64 => 1e-12,
            _ => 1e-6,
        };
        let (found, expected) = (values(&net.forward(x)), expected("y", setup.dtype));
        assert_close(&found, &expected, tolerance, &setup.at("outputs"));
        // Written under the published names, the values are exactly the same.
        assert_eq!(Weights::of(&net, &published()).unwrap(), weights);
    }
}

#[test]
fn a_checkpoint_holds_the_same_under_a_key() {
    let file = fixture("checkpoint.pt");
    let inner = Weights::from_pytorch(&file, Some("state_dict")).unwrap();
    let plain = published_weights(DType::F32);
    assert_eq!(inner, plain);
    let error = Weights::from_pytorch(&file, Some("model")).unwrap_err();
    assert!(error.to_string().contains("model"), "{error}");
}

#[test]
fn safetensors_restore_every_bit_and_learning_state() {
    for setup in setups() {
        let device = setup.device.clone().autodiff();
        let lateral = || {
            INormLinearConfig::new(7, 4)
                .with_grad_norm(GradNormMode::Lateral)
                .try_init(&device)
                .unwrap()
        };
        let (source, mut target) = (lateral(), lateral());
        let map = KeyMap::of(&source);
        let bytes = Weights::of(&source, &map)
            .unwrap()
            .to_safetensors()
            .unwrap();
        let weights = Weights::from_safetensors(&bytes).unwrap();
        assert!(weights.keys().any(|key| key == "grad_norm.lateral_weights"));
        Import::new(map.clone())
            .apply(&weights, &mut target)
            .unwrap();
        assert_eq!(Weights::of(&target, &map).unwrap(), weights);
        assert!(target.w_ex.val().is_require_grad());
        assert!(!target.w_ei.val().is_require_grad());
        // The published names do not include the lateral weights.
        let published = KeyMap::published([("fc0", "")]);
        let weights = Weights::of(&source, &published).unwrap();
        assert_eq!(weights.shape("fc0.bias"), Some(&[4, 1][..]));
        assert_eq!(weights.keys().count(), 6);
        Import::new(published).apply(&weights, &mut target).unwrap();
    }
}

#[test]
fn a_plain_ei_layer_and_names_of_ones_own() {
    let device = Device::flex();
    let layer = || {
        let config = EiLinearConfig::new(3, 2).with_inhibitory(Inhibitory::Count(0));
        config.with_bias(false).try_init(&device).unwrap()
    };
    let (source, mut target): (EiLinear, EiLinear) = (layer(), layer());
    let map = KeyMap::new().with("E", "w_ex", Axes::Transposed);
    let weights = Weights::of(&source, &map).unwrap();
    assert_eq!(weights.shape("E"), Some(&[2, 3][..]));
    Import::new(map).apply(&weights, &mut target).unwrap();
    crate::common::assert_same(&target.w_ex.val(), &source.w_ex.val(), "w_ex");

    let wrong = KeyMap::new().with("E", "w_xe", Axes::Same);
    let error = Import::new(wrong).apply(&weights, &mut target).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`E`: found no parameter `w_xe` in the model; expected one of w_ex"
    );
}

#[test]
fn what_does_not_fit_is_named_and_changes_nothing() {
    let mut net = Net::new(&flex());
    let import = Import::new(published());
    let key = "fc1.Wix";
    // W_ei is fixed.
    let fixed = altered("fc1.Wei", Some((f32s(&[5, 1], -0.5), "fc1.Wei")));
    refused(
        &import,
        &fixed,
        &mut net,
        "`fc1.Wei`: found 5 negative values, the worst -0.5; expected non-negative values (or \
         `Signs::Project`, `Signs::Allow`)",
    );
    let mut case = |change, message: &str| {
        refused(&import, &altered(key, change), &mut net, message);
    };
    case(None, "`fc1.Wix`: found no such key; expected F32 [1, 6]");
    case(
        Some((f32s(&[1, 6], 1.0), "fc1.Wxi")),
        "`fc1.Wix`: found no such key, but fc1.Wxi; expected F32 [1, 6]",
    );
    case(
        Some((f32s(&[6, 1], 1.0), key)),
        "`fc1.Wix`: found shape [6, 1]; expected shape [1, 6] (or `Axes::Same`)",
    );
    case(
        Some((f32s(&[1, 6], f32::NAN), key)),
        "`fc1.Wix`: found NaN at 0; expected finite values of F32",
    );
    case(
        Some((f32s(&[1, 6], -0.5), key)),
        "`fc1.Wix`: found 6 negative values, the worst -0.5; expected non-negative values (or \
         `Signs::Project`, `Signs::Allow`)",
    );
    let integers = (safetensors::Dtype::I32, vec![1, 6], vec![0; 24]);
    case(Some((integers, key)), "`fc1.Wix`: found I32; expected F32");
    let extra = altered("", Some((f32s(&[1], 1.0), "fc9.Wex")));
    refused(
        &import,
        &extra,
        &mut net,
        "`fc9.Wex`: found a key that is for no parameter of the model; expected none, or \
         `KeyMap::ignoring` it",
    );
    let ignoring = Import::new(published().ignoring("fc9.Wex"));
    ignoring.apply(&extra, &mut net).unwrap();

    let double = published_weights(DType::F64);
    refused(
        &import,
        &double,
        &mut net,
        "`fc0.Wex`: found F64; expected F32 (or `Import::with_conversion`)",
    );
    import
        .with_conversion(true)
        .apply(&double, &mut net)
        .unwrap();
}

#[test]
fn negative_weights_can_be_projected_or_allowed() {
    let weights = altered("fc1.Wix", Some((f32s(&[1, 6], -0.5), "fc1.Wix")));
    for (signs, value) in [(Signs::Project, 0.0), (Signs::Allow, -0.5)] {
        let mut net = Net::new(&flex());
        let import = Import::new(published()).with_signs(signs);
        import.apply(&weights, &mut net).unwrap();
        assert_eq!(values(&net.hidden[1].w_ix.val()), [value; 6], "{signs:?}");
    }
}

#[test]
fn what_wrappers_put_before_keys_is_named_and_dropped() {
    let plain = published_weights(DType::F32);
    let import = Import::new(published());
    for prefix in ["module.", "_orig_mod.", "model.", "module._orig_mod."] {
        let mut tensors = published_tensors(DType::F32);
        for (key, _) in &mut tensors {
            key.insert_str(0, prefix);
        }
        let wrapped = file_of(&tensors);
        let mut net = Net::new(&flex());
        let message = format!(
            "`fc0.Wex`: found no such key, but {prefix}fc0.Wex; expected F32 [6, 7] (or \
             `Weights::without_prefix(\"{prefix}\")`)"
        );
        refused(&import, &wrapped, &mut net, &message);
        assert_eq!(wrapped.clone().without_prefix(prefix).unwrap(), plain);
        // Also if the file has additional keys, or lacks a key.
        tensors.push(("loss.weight".to_owned(), f32s(&[2], 1.0)));
        refused(&import, &file_of(&tensors), &mut net, &message);
        tensors.retain(|(key, _)| !key.ends_with("fc1.bias"));
        refused(&import, &file_of(&tensors), &mut net, &message);
        let unwrapped = file_of(&tensors).without_prefix(prefix).unwrap();
        assert!(unwrapped.keys().any(|key| key == "loss.weight"));
        refused(
            &import,
            &unwrapped,
            &mut net,
            "`fc1.bias`: found no such key, but loss.weight; expected F32 [5, 1]",
        );
    }
    let error = plain.clone().without_prefix("module.").unwrap_err();
    assert_eq!(
        error.to_string(),
        "`module.`: found a prefix of no key; expected a beginning of fc0.Bei, fc0.Bix, fc0.Wei, \
         fc0.Wex, fc0.Wix, fc0.bias, fc1.Bei, fc1.Bix, fc1.Wei, fc1.Wex, fc1.Wix, fc1.bias and 4 more"
    );
    let both = file_of(&[("a", f32s(&[1], 1.0)), ("m.a", f32s(&[1], 2.0))]);
    let error = both.without_prefix("m.").unwrap_err();
    assert_eq!(
        error.to_string(),
        "`m.a`: found `a` both with and without the prefix `m.`; expected each key once"
    );
}

/// A single key with the same ending is not a sign of a prefix.
#[test]
fn one_key_that_ends_alike_is_no_prefix() {
    let map = KeyMap::of(&plain(&flex()));
    let weights = file_of(&[("w_ex", f32s(&[2, 3], 1.0)), ("old.bias", f32s(&[3], 1.0))]);
    refused(
        &Import::new(map),
        &weights,
        &mut plain(&flex()),
        "`bias`: found no such key, but old.bias; expected F32 [3]",
    );
}

#[test]
fn vectors_lie_as_rows_or_as_columns() {
    let setup = flex();
    let ones = |shape: [usize; 2]| setup.tensor(vec![1.0; shape[0] * shape[1]], shape);
    let shunting = || {
        ShuntingLinear::from_weights(ShuntingWeights {
            w_ex: ones([2, 3]),
            w_ix: ones([2, 2]),
            w_ei: ones([2, 3]),
            alpha: setup.tensor(vec![0.0; 2], [2]),
            gain: setup.tensor(vec![1.0; 3], [3]),
            bias: None,
            epsilon: 1e-6,
        })
    };
    let mut layer = shunting().unwrap();
    let map = |alpha| {
        KeyMap::of(&layer)
            .with("alpha", "alpha", alpha)
            .with("gain", "gain", Axes::Column)
    };
    let (row, same) = (map(Axes::Row), map(Axes::Same));
    let weights = file_of(&[
        ("w_ex", f32s(&[2, 3], 2.0)),
        ("w_ix", f32s(&[2, 2], 2.0)),
        ("w_ei", f32s(&[2, 3], 2.0)),
        ("alpha", row_by_row(&[1, 2], &[-1.5, 0.25])),
        ("gain", row_by_row(&[3, 1], &[0.5, 2.0, 4.0])),
    ]);
    refused(
        &Import::new(same),
        &weights,
        &mut layer,
        "`alpha`: found shape [1, 2]; expected shape [2] (or `Axes::Row`)",
    );
    Import::new(row.clone())
        .apply(&weights, &mut layer)
        .unwrap();
    assert_eq!(values(&layer.alpha.val()), [-1.5, 0.25]);
    assert_eq!(values(&layer.gain.val()), [0.5, 2.0, 4.0]);
    assert_eq!(Weights::of(&layer, &row).unwrap(), weights);
}

#[test]
fn a_parameter_that_is_the_difference_of_two_keys() {
    let setup = flex();
    let map =
        KeyMap::published([("fc", "")]).with_difference("fc.pos", "fc.neg", "bias", Axes::Column);
    let import = Import::new(map.clone());
    let file = |pos: Raw, neg: Raw| {
        file_of(&[
            ("fc.Wex", f32s(&[3, 2], 0.5)),
            ("fc.pos", pos),
            ("fc.neg", neg),
        ])
    };
    let pos = row_by_row(&[3, 1], &[1.0, 0.25, 2.0]);
    let mut layer = plain(&setup);
    let weights = file(pos.clone(), row_by_row(&[3, 1], &[0.5, 4.0, 2.0]));
    import.apply(&weights, &mut layer).unwrap();
    let bias = |layer: &EiLinear| values(&layer.bias.as_ref().unwrap().val());
    assert_eq!(bias(&layer), [0.5, -3.75, 0.0]);
    // It is written as two non-negative parts with the same difference.
    let written = Weights::of(&layer, &map).unwrap();
    let parts = [[0.5, 0.0, 0.0], [0.0, 3.75, 0.0]].map(|part| row_by_row(&[3, 1], &part));
    let [above, below] = parts;
    let mut again = plain(&setup);
    for weights in [&written, &file(above, below)] {
        import.apply(weights, &mut again).unwrap();
        assert_eq!(bias(&again), bias(&layer));
    }

    let mut refused =
        |pos, neg, message: &str| refused(&import, &file(pos, neg), &mut layer, message);
    refused(
        pos.clone(),
        f32s(&[3], 1.0),
        "`fc.neg`: found shape [3]; expected shape [3, 1] (or `Axes::Same`)",
    );
    refused(
        pos.clone(),
        f32s(&[3, 1], f32::NAN),
        "`fc.pos - fc.neg`: found NaN at 0; expected finite values of F32",
    );
    refused(
        f32s(&[3, 1], f32::MAX),
        f32s(&[3, 1], f32::MIN),
        "`fc.pos - fc.neg`: found inf at 0; expected finite values of F32",
    );
    let lacking = file_of(&[("fc.Wex", f32s(&[3, 2], 0.5)), ("fc.pos", pos)]);
    let error = import.apply(&lacking, &mut layer).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`fc.neg`: found no such key; expected F32 [3, 1]"
    );
    // Dale's law applies to the difference.
    let map = KeyMap::new()
        .with_difference("p", "n", "w_ex", Axes::Same)
        .keeping("bias");
    let weights = file_of(&[("p", f32s(&[2, 3], 1.0)), ("n", f32s(&[2, 3], 1.5))]);
    let error = Import::new(map).apply(&weights, &mut layer).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`p - n`: found 6 negative values, the worst -0.5; expected non-negative values (or \
         `Signs::Project`, `Signs::Allow`)"
    );
}

#[test]
fn one_key_for_tied_parameters_where_the_table_says_so() {
    let setup = flex();
    let pair = || vec![plain(&setup), plain(&setup)];
    let once = |map: KeyMap| map.keeping("0.bias").keeping("1.bias");
    let tied = once(KeyMap::new().with("w", "0.w_ex", Axes::Same).with_tied(
        "w",
        "1.w_ex",
        Axes::Same,
    ));
    let weights = file_of(&[("w", row_by_row(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))]);
    let mut layers = pair();
    Import::new(tied.clone())
        .apply(&weights, &mut layers)
        .unwrap();
    for layer in &layers {
        assert_eq!(values(&layer.w_ex.val()), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }
    assert_eq!(Weights::of(&layers, &tied).unwrap(), weights);
    let other = vec![layers[0].clone(), plain(&setup)];
    assert_eq!(
        Weights::of(&other, &tied).unwrap_err().to_string(),
        "`w`: found other values in `1.w_ex` than before; expected the same values in all \
         parameters of a key"
    );

    let twice = KeyMap::new()
        .with("w", "0.w_ex", Axes::Same)
        .with("w", "1.w_ex", Axes::Same);
    refused(
        &Import::new(once(twice)),
        &weights,
        &mut pair(),
        "`w`: found a key that is twice in the table; expected each key once, or `KeyMap::with_tied`",
    );
}

/// Damaged files give an error or other weights, never a panic.
#[test]
fn damaged_files_are_errors() {
    let whole = std::fs::read(torch_file(DType::F32)).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("damaged.pt");
    let mut net = Net::new(&flex());
    let before = net.bits();
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Weights::from_pytorch(&path, None)
    };
    assert!(matches!(read(b"not a zip"), Err(Error::File { .. })));
    assert!(matches!(read(b""), Err(Error::File { .. })));
    for length in (0..whole.len()).step_by(7) {
        let read = read(&whole[..length]);
        assert!(matches!(read, Err(Error::File { .. })), "{length}");
    }
    let import = Import::new(published());
    for position in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[position] ^= 0xff;
        if let Ok(weights) = read(&bytes)
            && import.apply(&weights, &mut net).is_ok()
        {
            net = Net::new(&flex());
        }
        assert!(net.bits() == before, "byte {position}");
    }
    let missing = Weights::from_pytorch(directory.path().join("none.pt"), None);
    assert!(matches!(missing, Err(Error::File { .. })));
}

#[test]
fn what_is_kept_or_ignored_is_no_longer_in_the_table() {
    let all = altered("", None);
    let without = altered("fc1.Wix", None);
    let path = "hidden.1.w_ix";
    let mut net = Net::new(&flex());
    let values_of =
        |net: &Net| [&net.hidden[1].w_ix, &net.hidden[0].w_ex].map(|w| values(&w.val()));
    let [kept, read] = values_of(&net);
    let keeping = published().keeping(path);
    // The key of the kept parameter is one of no parameter.
    refused(
        &Import::new(keeping.clone()),
        &all,
        &mut net,
        "`fc1.Wix`: found a key that is for no parameter of the model; expected none, or \
         `KeyMap::ignoring` it",
    );
    let both = Import::new(keeping.clone().ignoring("fc1.Wix"));
    for weights in [&all, &without] {
        both.apply(weights, &mut net).unwrap();
        let after = values_of(&net);
        assert!(after[0] == kept && after[1] != read);
    }
    assert!(
        !Weights::of(&net, &keeping)
            .unwrap()
            .keys()
            .any(|key| key == "fc1.Wix")
    );
    refused(
        &Import::new(published().ignoring("fc1.Wix")),
        &all,
        &mut net,
        "`fc1.Wix`: found an ignored key that is also the key of `hidden.1.w_ix`; expected also \
         `KeyMap::keeping` the parameter",
    );
    let wrong = Import::new(published().keeping("hidden.1.wix")).apply(&all, &mut net);
    let wrong = wrong.unwrap_err().to_string();
    assert!(
        wrong.starts_with(
            "`hidden.1.wix`: found no parameter `hidden.1.wix` in the model; expected one of"
        ),
        "{wrong}"
    );
    // The last setting of a parameter counts.
    let again = keeping.with("fc1.Wix", path, Axes::Transposed);
    Import::new(again).apply(&all, &mut net).unwrap();
    assert_ne!(values_of(&net)[0], kept);
}
