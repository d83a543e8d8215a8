//! Every golden case, on every CPU backend, in both precisions.

use std::path::Path;

use burn::tensor::DType;
use ei_norm_suite::golden;
use luminosity::DeviceName;

fn check(device: DeviceName, dtype: DType) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let cases = golden::read_folder(&folder).unwrap();
    assert_eq!(cases.len(), 78);
    let device = device.open().unwrap();
    let failed: Vec<_> = cases
        .iter()
        .map(|case| golden::run(case, &device, dtype, false))
        .filter(|verdict| !verdict.passed())
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn flex_in_f64() {
    check(DeviceName::Flex, DType::F64);
}

#[test]
fn flex_in_f32() {
    check(DeviceName::Flex, DType::F32);
}

#[cfg(feature = "ndarray")]
#[test]
fn ndarray_in_f64() {
    check(DeviceName::NdArray, DType::F64);
}

#[cfg(feature = "ndarray")]
#[test]
fn ndarray_in_f32() {
    check(DeviceName::NdArray, DType::F32);
}
