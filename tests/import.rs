//! Weights of files: PyTorch's outputs from PyTorch's weights, files both ways, and files that must
//! change nothing.

mod common;

use burn::tensor::{DType, Device};
use common::published::{Net, expected, fixture, published, torch_file};
use common::{Setup, assert_close, setups, values};
use ei_norm::import::{Axes, Import, KeyMap, Signs, Weights};
use ei_norm::{EiLinear, EiLinearConfig, Error, GradNormMode, INormLinearConfig, Inhibitory};

fn flex() -> Setup {
    setups().remove(0)
}

/// Fails unless `weights` are refused with this message and nothing changes.
#[track_caller]
fn refused(import: &Import, weights: &Weights, net: &mut Net, message: &str) {
    let before = net.bits();
    let error = import.apply(weights, net).unwrap_err();
    assert_eq!(error.to_string(), message);
    assert!(net.bits() == before, "the model changed: {message}");
}

/// The fixture with the tensor of one key replaced, or taken away.
fn altered(key: &str, change: Option<(SafeTensor, &str)>) -> Weights {
    let weights = Weights::from_pytorch(torch_file(DType::F32), None).unwrap();
    let bytes = weights.to_safetensors().unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<(String, SafeTensor)> = file
        .iter()
        .filter(|(name, _)| *name != key)
        .map(|(name, view)| {
            let tensor = (view.dtype(), view.shape().to_vec(), view.data().to_vec());
            (name.to_owned(), tensor)
        })
        .collect();
    if let Some((tensor, key)) = change {
        tensors.push((key.to_owned(), tensor));
    }
    let views = tensors.iter().map(|(key, (dtype, shape, data))| {
        let view = safetensors::tensor::TensorView::new(*dtype, shape.clone(), data);
        (key.as_str(), view.unwrap())
    });
    Weights::from_safetensors(&safetensors::serialize(views, None).unwrap()).unwrap()
}

type SafeTensor = (safetensors::Dtype, Vec<usize>, Vec<u8>);

fn f32s(shape: &[usize], value: f32) -> SafeTensor {
    let data = value.to_le_bytes().repeat(shape.iter().product());
    (safetensors::Dtype::F32, shape.to_vec(), data)
}

#[test]
fn pytorch_weights_give_the_outputs_of_pytorch() {
    for setup in setups() {
        let weights = Weights::from_pytorch(torch_file(setup.dtype), None).unwrap();
        let mut net = Net::new(&setup);
        Import::new(published()).apply(&weights, &mut net).unwrap();
        let x = setup.tensor(expected("x", setup.dtype), [4, 7]);
        let tolerance = if setup.dtype == DType::F64 {
            1e-12
        } else {
            1e-6
        };
        assert_close(
            &values(&net.forward(x)),
            &expected("y", setup.dtype),
            tolerance,
            &setup.at("outputs"),
        );
        // Back under the published names, exactly.
        assert_eq!(Weights::of(&net, &published()).unwrap(), weights);
    }
}

#[test]
fn a_checkpoint_holds_the_same_under_a_key() {
    let file = fixture("checkpoint.pt");
    let inner = Weights::from_pytorch(&file, Some("state_dict")).unwrap();
    let plain = Weights::from_pytorch(torch_file(DType::F32), None).unwrap();
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
                .with_error_norm(GradNormMode::Lateral)
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
        // The published names leave the lateral weights alone.
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
    common::assert_same(&target.w_ex.val(), &source.w_ex.val(), "w_ex");

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
        "`fc1.Wix`: found shape [6, 1]; expected shape [1, 6]",
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

    let double = Weights::from_pytorch(torch_file(DType::F64), None).unwrap();
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

/// Damaged files: an error or other weights, never a panic.
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

    let bytes = net.bits();
    for length in (0..bytes.len()).step_by(5) {
        assert!(
            Weights::from_safetensors(&bytes[..length]).is_err(),
            "{length}"
        );
    }
}
