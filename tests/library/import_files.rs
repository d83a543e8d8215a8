//! Invalid files: the error names the file, and there is no panic.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::common::published::{
    Net, bytes_of, file_of, fixture, published, published_tensors, published_weights, torch_file,
};
use crate::common::{Setup, assert_close, quantized, setups, values};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{DType, Device};
use ei_norm::import::{Axes, Import, KeyMap, Weights};
use ei_norm::{EiLinear, EiLinearConfig, EiWeights, Error};
use safetensors::Dtype;

/// Fails unless reading gives an [`Error::File`] that names the file and contains `part`.
#[track_caller]
fn fails(read: Result<Weights, Error>, path: &Path, part: &str) {
    let error = read.unwrap_err();
    assert!(matches!(error, Error::File { .. }), "{error:?}");
    let message = error.to_string();
    assert_eq!(message.lines().count(), 1, "{message}");
    let named = format!("weights: `{}`: ", path.display());
    assert!(message.starts_with(&named), "{message}");
    assert!(message.contains(part), "{message}");
}

/// The same for bytes in a file with this extension, read as both formats.
#[track_caller]
fn both_fail(bytes: &[u8], ending: &str, part: &str) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(format!("weights.{ending}"));
    std::fs::write(&path, bytes).unwrap();
    fails(Weights::from_pytorch(&path, None), &path, part);
    fails(Weights::from_safetensors_file(&path), &path, part);
}

/// A safetensors file with this header; its stated length is `length` if given.
fn with_header(header: &str, length: Option<u64>, data: &[u8]) -> Vec<u8> {
    let length = length.unwrap_or(header.len() as u64);
    [&length.to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn bytes_of_fixture() -> Vec<u8> {
    published_weights(DType::F32).to_safetensors().unwrap()
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

#[cfg(unix)]
#[test]
fn a_fifo_and_a_device_are_refused_and_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    for ending in ["pt", "json"] {
        let fifo = directory.path().join(format!("weights.{ending}"));
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.unwrap().success());
        for path in [&fifo, Path::new("/dev/zero")] {
            let part = "a FIFO or a device";
            fails(Weights::from_pytorch(path, None), path, part);
            fails(Weights::from_safetensors_file(path), path, part);
        }
    }
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
    // The extension is wrong, but the file is valid.
    let weights = Weights::from_safetensors_file(&path).unwrap();
    assert_eq!(weights, published_weights(DType::F32));
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
    let of = |dtype, shape, end| with_header(&tensor(dtype, shape, end), None, &[0; 8]);
    let good = tensor("F32", "[2]", 8);
    assert!(Weights::from_safetensors(&with_header(&good, None, &[0; 8])).is_ok());
    let cases = [
        ("no tensor", with_header("{}", None, &[])),
        ("no header", vec![1, 2, 3]),
        ("length", with_header(&good, Some(u64::MAX), &[0; 8])),
        ("length", with_header(&good, Some(99_999_999), &[0; 8])),
        ("length", with_header(&good, Some(1 << 62), &[0; 8])),
        ("a part", with_header(&good, Some(20), &[0; 8])),
        ("no JSON", with_header("{\"w\":", None, &[])),
        ("short", with_header(&good, None, &[0; 7])),
        ("long", with_header(&good, None, &[0; 9])),
        ("shape", of("F32", "[3]", 8)),
        (
            "overflow",
            of("F32", "[4294967296,4294967296,4294967296]", 8),
        ),
        ("negative", of("F32", "[-2]", 8)),
        ("far", of("F32", "[2]", usize::MAX)),
        ("type", of("Q7", "[2]", 8)),
    ];
    for (what, bytes) in cases {
        let error = Weights::from_safetensors(&bytes).expect_err(what);
        assert!(matches!(error, Error::File { .. }), "{what}: {error:?}");
        both_fail(&bytes, "safetensors", "");
    }
}

/// Types that Burn lacks: an error only if a parameter asks for such a tensor.
#[test]
fn types_that_no_parameter_can_be_of_are_kept() {
    let setup = &setups()[0];
    let header = r#"{"bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
        "w_ex":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]},
        "scale":{"dtype":"OTHER","shape":[1,2],"data_offsets":[16,END]}}"#;
    let types = [
        ("F8_E4M3", 18),
        ("F8_E5M2", 18),
        ("F8_E8M0", 18),
        ("F4", 17),
        ("C64", 32),
        ("U64", 32),
    ];
    for (dtype, end) in types {
        let header = header
            .replace("OTHER", dtype)
            .replace("END", &end.to_string());
        let bytes = with_header(&header, None, &vec![0; end]);
        let weights = Weights::from_safetensors(&bytes).expect(dtype);
        assert_eq!(weights.shape("scale"), Some(&[1, 2][..]), "{dtype}");
        let mut model = bias_only(setup, [7.0, 8.0]);
        let map = KeyMap::of(&model);
        let asking = map
            .clone()
            .ignoring("w_ex")
            .with("scale", "w_ex", Axes::Same);
        for import in [
            Import::new(asking.clone()),
            Import::new(asking).with_conversion(true),
        ] {
            assert_eq!(
                import.apply(&weights, &mut model).unwrap_err().to_string(),
                format!("`scale`: found {dtype}; expected F32")
            );
            assert_eq!(values(&model.w_ex.val()), [1.0; 2], "{dtype}");
        }
        let import = Import::new(map.ignoring("scale"));
        import.apply(&weights, &mut model).unwrap();
        assert_eq!(values(&model.w_ex.val()), [0.0; 2], "{dtype}");
        let written = weights.to_safetensors().unwrap();
        assert_eq!(Weights::from_safetensors(&written).unwrap(), weights);
    }
}

#[test]
fn keys_with_line_breaks_leave_an_error_on_one_line() {
    let header = r#"{"a\nb\r":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}"#;
    let weights = Weights::from_safetensors(&with_header(header, None, &[0; 4])).unwrap();
    let mut model = bias_only(&setups()[0], [0.0; 2]);
    let import = Import::new(KeyMap::of(&model));
    assert_eq!(
        import.apply(&weights, &mut model).unwrap_err().to_string(),
        "`w_ex`: found no such key, but a b ; expected F32 [1, 2]"
    );
}

/// A folder with the fixture in two files, and an index of them with this change.
fn sharded(change: impl Fn(&mut BTreeMap<String, String>)) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let mut weight_map = BTreeMap::new();
    for (first, name) in [
        (true, "model-1.safetensors"),
        (false, "model-2.safetensors"),
    ] {
        let mut mine = published_tensors(DType::F32);
        mine.retain(|(key, _)| key.starts_with("fc0") == first);
        std::fs::write(directory.path().join(name), bytes_of(&mine)).unwrap();
        weight_map.extend(mine.into_iter().map(|(key, _)| (key, name.to_owned())));
    }
    change(&mut weight_map);
    let path = directory.path().join("model.safetensors.index.json");
    let index = serde_json::json!({"metadata": {"total_size": 1}, "weight_map": weight_map});
    std::fs::write(&path, index.to_string()).unwrap();
    (directory, path)
}

#[test]
fn an_index_of_several_files() {
    let whole = published_weights(DType::F32);
    let (_directory, path) = sharded(|_| {});
    assert_eq!(Weights::from_safetensors_file(&path).unwrap(), whole);
    // Only the keys of the index.
    let (_directory, path) = sharded(|map| {
        map.remove("fc1.bias").unwrap();
    });
    let fewer = Weights::from_safetensors_file(&path).unwrap();
    assert_eq!(fewer.keys().count() + 1, whole.keys().count());

    let put = |key: &'static str, name: String| {
        sharded(move |map| {
            map.insert(key.to_owned(), name.clone());
        })
    };
    let (_directory, path) = put("fc0.Wex", "model-2.safetensors".to_owned());
    fails(
        Weights::from_safetensors_file(&path),
        &path,
        "`fc0.Wex` is not in its file `model-2.safetensors`",
    );
    let (directory, path) = put("fc0.Wex", "model-3.safetensors".to_owned());
    let missing = directory.path().join("model-3.safetensors");
    fails(
        Weights::from_safetensors_file(&path),
        &missing,
        "No such file",
    );
    // A valid file outside the folder.
    let (outside, _) = sharded(|_| {});
    let good = outside.path().join("model-1.safetensors");
    let folder = outside.path().file_name().unwrap().to_str().unwrap();
    let names = [
        good.to_str().unwrap().to_owned(),
        format!("../{folder}/model-1.safetensors"),
        format!("./../{folder}/model-1.safetensors"),
        "sub/../../model-1.safetensors".to_owned(),
        "..".to_owned(),
        String::new(),
    ];
    for name in names {
        let (_directory, path) = put("fc0.Wex", name.clone());
        let part =
            format!("`{name}`, the file of `fc0.Wex`, is not a file in the folder of the index");
        fails(Weights::from_safetensors_file(&path), &path, &part);
    }
    // An index must not list an index as a file, not even itself.
    let own = "model.safetensors.index.json".to_owned();
    let (_directory, path) = put("fc0.Wex", own);
    fails(Weights::from_safetensors_file(&path), &path, "header");
}

#[test]
fn an_index_that_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.safetensors.index.json");
    fails(Weights::from_safetensors_file(&path), &path, "No such file");
    for (text, part) in [
        ("", "(the file is empty)"),
        ("{}", "missing field `weight_map`"),
        (r#"{"weight_map":{}}"#, "it holds no tensors"),
        ("[1]", "line 1"),
        (r#"{"weight_map":{"w":3}}"#, "expected a string"),
        (r#"{"weight_map":{"w":"a.saf"#, "EOF"),
    ] {
        std::fs::write(&path, text).unwrap();
        fails(Weights::from_safetensors_file(&path), &path, part);
    }
    std::fs::write(&path, bytes_of_fixture()).unwrap();
    fails(
        Weights::from_safetensors_file(&path),
        &path,
        "(it looks like safetensors: `Weights::from_safetensors_file`)",
    );
}

#[test]
fn every_truncation_is_an_error_and_nothing_is_loaded() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("part.safetensors");
    let whole = bytes_of_fixture();
    for length in (0..whole.len()).step_by(5).chain([whole.len() - 1]) {
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
    // A module that was saved as a whole contains its parameters.
    let module = Weights::from_pytorch(fixture("module.pt"), None).unwrap();
    assert_eq!(module.keys().collect::<Vec<_>>(), ["bias", "weight"]);
    assert_eq!(module.shape("weight"), Some(&[1, 2][..]));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("weights.pt");
    // Contains code that can be pasted.
    let instead = "; from Python, `safetensors.torch.save_file(model.state_dict(), \
                   \"model.safetensors\")` writes a file that can be read";
    let cases: [(&[u8], &str); 10] = [
        // [1, 2], "text", {}, {"epoch": 3}, {1: 2}
        (b"\x80\x02]q\x00(K\x01K\x02e.", "dictionary"),
        (b"\x80\x02X\x04\x00\x00\x00textq\x00.", "dictionary"),
        (b"\x80\x02}q\x00.", "it holds no tensors"),
        (
            b"\x80\x02}q\x00X\x05\x00\x00\x00epochq\x01K\x03s.",
            "it holds no tensors",
        ),
        (b"\x80\x02}q\x00K\x01K\x02s.", "it holds no tensors"),
        // {(1, 2): 3} and {None: 3}
        (b"\x80\x02}K\x01K\x02\x86K\x03s.", "dict key must be"),
        (b"\x80\x02}NK\x03s.", "dict key must be"),
        // os.system("true"): it must not be called.
        (
            b"\x80\x02cos\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03.",
            "os.system",
        ),
        // A string that is shorter than its stated length.
        (b"\x80\x02X\xff\xff\xff\x7f", ""),
        // A class with a line break in its name.
        (
            b"\x80\x04\x8c\x03a\nb\x8c\x01C\x93)R.",
            "Expected a dictionary",
        ),
    ];
    for (pickle, part) in cases {
        std::fs::write(&path, pickle).unwrap();
        fails(Weights::from_pytorch(&path, None), &path, part);
        fails(Weights::from_pytorch(&path, None), &path, instead);
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
    // Here the error is not the format.
    for (path, key) in [
        (&path, Some("model")),
        (&directory.path().join("none.pt"), None),
    ] {
        let error = Weights::from_pytorch(path, key).unwrap_err().to_string();
        assert!(!error.contains("Python"), "{error}");
    }
}

/// Parameters, views of larger storages and PyTorch's older format give the same values.
#[test]
fn the_layout_of_a_tensor_in_the_file_does_not_matter() {
    let views = Weights::from_pytorch(fixture("views.pt"), None).unwrap();
    let plain = published_weights(DType::F32);
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
        (Dtype::BOOL, vec![1, 0], "BOOL; expected F32"),
    ];
    for (dtype, data, part) in cases {
        let ones = [1.0_f32; 2].map(f32::to_le_bytes).concat();
        let w_ex = (Dtype::F32, vec![1, 2], ones);
        let bytes = bytes_of(&[("bias", (dtype, vec![2], data)), ("w_ex", w_ex)]);
        let weights = Weights::from_safetensors(&bytes).unwrap();
        let mut model = bias_only(setup, [7.0, 8.0]);
        let error = Import::new(map.clone())
            .apply(&weights, &mut model)
            .unwrap_err();
        assert_eq!(error.to_string(), format!("`bias`: found {part}"));
        let bias = |model: &EiLinear| values(&model.bias.as_ref().unwrap().val());
        assert_eq!(bias(&model), [7.0, 8.0]);

        let import = Import::new(map.clone()).with_conversion(true);
        let converted = import.apply(&weights, &mut model);
        if matches!(dtype, Dtype::F16 | Dtype::BF16) {
            converted.unwrap();
            assert_eq!(bias(&model), [1.5, -2.0]);
        } else {
            assert!(converted.is_err());
            assert_eq!(bias(&model), [7.0, 8.0]);
        }
        assert_eq!(weights.to_safetensors().unwrap(), bytes);
    }
}

fn bias_only(setup: &Setup, bias: [f64; 2]) -> EiLinear {
    EiLinear::from_weights(EiWeights {
        w_ex: setup.tensor(vec![1.0; 2], [1, 2]),
        inhibition: None,
        bias: Some(setup.tensor(bias.to_vec(), [2])),
    })
    .unwrap()
}

#[test]
fn a_quantized_parameter_is_refused() {
    let setup = &setups()[0];
    let config = EiLinearConfig::new(8, 8).with_bias(false);
    let layer = config.init(&setup.device).valid();
    let weights = Weights::of(&layer, &KeyMap::of(&layer)).unwrap();
    let mut quantized = quantized(layer);
    let import = Import::new(KeyMap::of(&quantized)).with_conversion(true);
    let error = import.apply(&weights, &mut quantized).unwrap_err();
    let expected = "expected a parameter that is not quantized";
    assert!(error.to_string().ends_with(expected), "{error}");
}

/// The values for which the numbers of a quantized parameter stand, not these numbers.
#[test]
fn quantized_parameters_of_other_modules_are_written_as_their_values() {
    let device = Device::flex();
    let linear = LinearConfig::new(8, 8).with_bias(false).init(&device);
    let linear: Linear = quantized(linear);
    let written = Weights::of(&linear, &KeyMap::of(&linear)).unwrap();
    let mut loaded = LinearConfig::new(8, 8).with_bias(false).init(&device);
    let import = Import::new(KeyMap::of(&loaded));
    import.apply(&written, &mut loaded).unwrap();
    let expected = values(&linear.weight.val().dequantize());
    assert_close(&values(&loaded.weight.val()), &expected, 1e-6, "weight");
    assert!(expected.iter().any(|v| *v != 0.0) && expected.iter().all(|v| v.abs() < 1.0));
}

/// A value that is too large for the model's type is named; so are infinities.
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
        let mut tensors = published_tensors(DType::F64);
        let (_, (.., w_ei)) = tensors
            .iter_mut()
            .find(|(key, _)| key == "fc0.Wei")
            .unwrap();
        w_ei[5 * 8..6 * 8].copy_from_slice(&value.to_le_bytes());
        let weights = file_of(&tensors);
        let import = Import::new(published()).with_conversion(true);
        let error = import.apply(&weights, &mut net).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("`fc0.Wei`: found {part}; expected finite values of F32")
        );
        assert!(net.bits() == before);
    }
}
