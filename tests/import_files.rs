//! Files that are not what they should be: an error that names the file, never a panic.

#![cfg(feature = "flex")]

mod common;

use std::path::Path;

use burn::tensor::DType;
use common::published::{Net, fixture, published, torch_file};
use common::{setups, values};
use ei_norm::Error;
use ei_norm::import::{Import, KeyMap, Weights};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// Fails unless reading gives an [`Error::File`] that names the file and contains `part`.
#[track_caller]
fn fails(read: Result<Weights, Error>, path: &Path, part: &str) {
    let error = read.unwrap_err();
    assert!(matches!(error, Error::File { .. }), "{error:?}");
    let message = error.to_string();
    let named = format!("weights: `{}`: ", path.display());
    assert!(message.starts_with(&named), "{message}");
    assert!(message.contains(part), "{message}");
}

/// The same, of bytes in a file with this ending, read as both formats.
#[track_caller]
fn both_fail(bytes: &[u8], ending: &str, part: &str) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(format!("weights.{ending}"));
    std::fs::write(&path, bytes).unwrap();
    fails(Weights::from_pytorch(&path, None), &path, part);
    fails(Weights::from_safetensors_file(&path), &path, part);
}

/// A safetensors file of this header, the length of which is `length` if that is given.
fn with_header(header: &str, length: Option<u64>, data: &[u8]) -> Vec<u8> {
    let length = length.unwrap_or(header.len() as u64);
    [&length.to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn bytes_of_fixture() -> Vec<u8> {
    let weights = Weights::from_pytorch(torch_file(DType::F32), None).unwrap();
    weights.to_safetensors().unwrap()
}

#[test]
fn no_file_an_empty_one_a_directory_and_nonsense() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    fails(Weights::from_pytorch(path, None), path, "directory");
    fails(Weights::from_safetensors_file(path), path, "directory");
    let path = path.join("none.safetensors");
    fails(Weights::from_pytorch(&path, None), &path, "No such file");
    fails(Weights::from_safetensors_file(&path), &path, "No such file");
    both_fail(b"", "pt", "(the file is empty)");
    both_fail(b"", "safetensors", "(the file is empty)");
    both_fail(b"name,value\nw,1\n", "pt", "");
}

#[test]
fn the_other_format_is_recognized() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("weights.pt");
    std::fs::write(&path, bytes_of_fixture()).unwrap();
    fails(
        Weights::from_pytorch(&path, None),
        &path,
        "(it looks like safetensors: `Weights::from_safetensors_file`)",
    );
    // Whatever the ending, the file itself is good.
    let weights = Weights::from_safetensors_file(&path).unwrap();
    assert_eq!(
        weights,
        Weights::from_pytorch(torch_file(DType::F32), None).unwrap()
    );
    let path = torch_file(DType::F32);
    fails(
        Weights::from_safetensors_file(&path),
        &path,
        "(it looks like PyTorch's: `Weights::from_pytorch`)",
    );
}

#[test]
fn headers_of_safetensors_that_lie() {
    let tensor = |dtype: &str, shape: &str, end: usize| {
        format!(r#"{{"w":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[0,{end}]}}}}"#)
    };
    let good = tensor("F32", "[2]", 8);
    assert!(Weights::from_safetensors(&with_header(&good, None, &[0; 8])).is_ok());
    let cases = [
        ("no header", vec![1, 2, 3]),
        ("length", with_header(&good, Some(u64::MAX), &[0; 8])),
        ("length", with_header(&good, Some(99_999_999), &[0; 8])),
        ("length", with_header(&good, Some(1 << 62), &[0; 8])),
        ("a part", with_header(&good, Some(20), &[0; 8])),
        ("no JSON", with_header("{\"w\":", None, &[])),
        ("short", with_header(&good, None, &[0; 7])),
        ("long", with_header(&good, None, &[0; 9])),
        (
            "shape",
            with_header(&tensor("F32", "[3]", 8), None, &[0; 8]),
        ),
        (
            "overflow",
            with_header(
                &tensor("F32", "[4294967296,4294967296,4294967296]", 8),
                None,
                &[0; 8],
            ),
        ),
        (
            "negative",
            with_header(&tensor("F32", "[-2]", 8), None, &[0; 8]),
        ),
        (
            "far",
            with_header(&tensor("F32", "[2]", usize::MAX), None, &[0; 8]),
        ),
        ("type", with_header(&tensor("Q7", "[2]", 8), None, &[0; 8])),
        (
            "float8",
            with_header(&tensor("F8_E4M3", "[8]", 8), None, &[0; 8]),
        ),
    ];
    for (what, bytes) in cases {
        let error = Weights::from_safetensors(&bytes).expect_err(what);
        assert!(matches!(error, Error::File { .. }), "{what}: {error:?}");
        both_fail(&bytes, "safetensors", "");
    }
    let float8 = with_header(&tensor("F8_E4M3", "[8]", 8), None, &[0; 8]);
    assert_eq!(
        Weights::from_safetensors(&float8).unwrap_err().to_string(),
        "weights: `w` is of the unknown type F8_E4M3"
    );
}

#[test]
fn every_truncation_is_an_error_and_nothing_is_loaded() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("part.safetensors");
    let whole = bytes_of_fixture();
    for length in (0..whole.len()).step_by(37).chain([whole.len() - 1]) {
        std::fs::write(&path, &whole[..length]).unwrap();
        fails(Weights::from_safetensors_file(&path), &path, "");
    }
    for name in ["views.pt", "module.pt"] {
        let whole = std::fs::read(fixture(name)).unwrap();
        for length in (0..whole.len()).step_by(37).chain([whole.len() - 1]) {
            std::fs::write(&path, &whole[..length]).unwrap();
            fails(Weights::from_pytorch(&path, None), &path, "");
        }
    }
}

#[test]
fn pickles_that_are_no_state_dict() {
    // A module that was saved whole has its parameters in it.
    let module = Weights::from_pytorch(fixture("module.pt"), None).unwrap();
    assert_eq!(module.keys().collect::<Vec<_>>(), ["bias", "weight"]);
    assert_eq!(module.shape("weight"), Some(&[1, 2][..]));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("weights.pt");
    let cases: [(&[u8], &str); 7] = [
        // [1, 2], "text", {}, {"epoch": 3}, {1: 2}
        (b"\x80\x02]q\x00(K\x01K\x02e.", "dictionary"),
        (b"\x80\x02X\x04\x00\x00\x00textq\x00.", "dictionary"),
        (b"\x80\x02}q\x00.", "it holds no tensors"),
        (
            b"\x80\x02}q\x00X\x05\x00\x00\x00epochq\x01K\x03s.",
            "it holds no tensors",
        ),
        (b"\x80\x02}q\x00K\x01K\x02s.", ""),
        // os.system("true"): it is not called.
        (
            b"\x80\x02cos\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03.",
            "",
        ),
        // The length of a string that is not there.
        (b"\x80\x02X\xff\xff\xff\x7f", ""),
    ];
    for (pickle, part) in cases {
        std::fs::write(&path, pickle).unwrap();
        fails(Weights::from_pytorch(&path, None), &path, part);
    }
    let path = fixture("checkpoint.pt");
    for (key, part) in [
        ("epoch", "'epoch'"),
        (
            "model",
            "Available top-level keys: [\"epoch\", \"state_dict\"]",
        ),
        ("", ""),
    ] {
        fails(Weights::from_pytorch(&path, Some(key)), &path, part);
    }
}

/// Parameters, views of larger storages and PyTorch's older format are the same values.
#[test]
fn the_layout_of_a_tensor_in_the_file_does_not_matter() {
    let views = Weights::from_pytorch(fixture("views.pt"), None).unwrap();
    let plain = Weights::from_pytorch(torch_file(DType::F32), None).unwrap();
    assert_eq!(views, plain);
}

#[test]
fn half_precision_is_converted_when_asked_and_integers_never() {
    let setup = &setups()[0];
    let map = KeyMap::of(&bias_only(setup, [0.0; 2]));
    // 1.5 and -2 in both.
    let cases: [(Dtype, Vec<u8>, &str); 4] = [
        (
            Dtype::F16,
            [0x3e00_u16, 0xc000].map(u16::to_le_bytes).concat(),
            "F16; expected F32 (or `Import::with_conversion`)",
        ),
        (
            Dtype::BF16,
            [0x3fc0_u16, 0xc000].map(u16::to_le_bytes).concat(),
            "BF16; expected F32 (or `Import::with_conversion`)",
        ),
        (
            Dtype::I64,
            [1_i64, -2].map(i64::to_le_bytes).concat(),
            "I64; expected F32",
        ),
        (Dtype::BOOL, vec![1, 0], "U8; expected F32"),
    ];
    for (dtype, data, part) in cases {
        let view = TensorView::new(dtype, vec![2], &data).unwrap();
        let ones = [1.0_f32; 2].map(f32::to_le_bytes).concat();
        let w_ex = TensorView::new(Dtype::F32, vec![1, 2], &ones).unwrap();
        let bytes = safetensors::serialize([("bias", view), ("w_ex", w_ex)], None).unwrap();
        let weights = Weights::from_safetensors(&bytes).unwrap();
        let mut model = bias_only(setup, [7.0, 8.0]);
        let error = Import::new(map.clone())
            .apply(&weights, &mut model)
            .unwrap_err();
        assert_eq!(error.to_string(), format!("`bias`: found {part}"));
        let bias = |model: &ei_norm::EiLinear| values(&model.bias.as_ref().unwrap().val());
        assert_eq!(bias(&model), [7.0, 8.0]);

        let import = Import::new(map.clone()).with_conversion(true);
        let converted = import.apply(&weights, &mut model);
        if matches!(dtype, Dtype::F16 | Dtype::BF16) {
            converted.unwrap();
            assert_eq!(bias(&model), [1.5, -2.0]);
            assert_eq!(weights.to_safetensors().unwrap(), bytes);
        } else {
            assert!(converted.is_err());
            assert_eq!(bias(&model), [7.0, 8.0]);
            let error = weights.to_safetensors().unwrap_err().to_string();
            assert!(error.contains("`bias`"), "{error}");
        }
    }
}

fn bias_only(setup: &common::Setup, bias: [f64; 2]) -> ei_norm::EiLinear {
    ei_norm::EiLinear::from_weights(ei_norm::EiWeights {
        w_ex: setup.tensor(vec![1.0; 2], [1, 2]),
        inhibition: None,
        bias: Some(setup.tensor(bias.to_vec(), [2])),
    })
    .unwrap()
}

/// A value too large for the model's type is named, and so are infinities.
#[test]
fn what_becomes_infinite_is_an_error() {
    let setup = &setups()[0];
    for (value, part) in [
        (1e300_f64, "inf at 5"),
        (f64::NEG_INFINITY, "-inf at 5"),
        (f64::NAN, "NaN at 5"),
    ] {
        let mut net = Net::new(setup);
        let before = net.bits();
        let double = Weights::from_pytorch(torch_file(DType::F64), None).unwrap();
        let bytes = double.to_safetensors().unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut data: Vec<(String, Vec<usize>, Vec<u8>)> = file
            .iter()
            .map(|(key, view)| (key.into(), view.shape().to_vec(), view.data().to_vec()))
            .collect();
        let (.., wei) = data.iter_mut().find(|(key, ..)| key == "fc0.Wei").unwrap();
        wei[5 * 8..6 * 8].copy_from_slice(&value.to_le_bytes());
        let views = data.iter().map(|(key, shape, data)| {
            let view = TensorView::new(Dtype::F64, shape.clone(), data).unwrap();
            (key.as_str(), view)
        });
        let bytes = safetensors::serialize(views, None).unwrap();
        let weights = Weights::from_safetensors(&bytes).unwrap();
        let import = Import::new(published()).with_conversion(true);
        let error = import.apply(&weights, &mut net).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("`fc0.Wei`: found {part}; expected finite values of F32")
        );
        assert!(net.bits() == before);
    }
}
