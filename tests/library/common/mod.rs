//! Code shared by the tests: setups, random tensors made on the host, and comparisons.

pub mod circuits;
pub mod convolution;
pub mod equations;
pub mod formulas;
pub mod parameters;
pub mod published;
pub mod recurrent;
#[cfg(feature = "remote")]
mod remote;
pub mod reparameterization;
pub mod table;
pub mod training;

use burn::backend::{BackendTensor, DispatchTensorKind};
use burn::module::{Module, ModuleMapper, Param, Quantizer};
use burn::tensor::quantization::{Calibration, QuantValue};
use burn::tensor::{DType, Device, Tensor, TensorData};
use ei_norm::functional::{BackwardRule, Normalization};
use rand::{RngExt, SeedableRng};

/// The generator of the tests.
pub use rand_chacha::ChaCha8Rng;

/// A backend and a dtype to run a test in.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The name for messages.
    pub name: &'static str,
    /// The device, without autodiff.
    pub device: Device,
    /// The dtype of every tensor.
    pub dtype: DType,
    /// The relative error that rounding can cause in a test of this size.
    pub tolerance: f64,
}

/// Every backend in memory of this machine that was built, with every dtype.
#[allow(deprecated)] // NdArray goes with Burn 0.23, and Burn advises against LibTorch.
pub fn setups() -> Vec<Setup> {
    let backends = [
        ("flex", Device::flex()),
        #[cfg(feature = "ndarray")]
        ("ndarray", Device::ndarray()),
        #[cfg(feature = "tch")]
        ("torch", Device::libtorch()),
        #[cfg(feature = "remote")]
        ("remote", remote::device()),
    ];
    let dtypes = [(DType::F32, 2e-5), (DType::F64, 1e-12)];
    let pairs = backends.into_iter().flat_map(|backend| {
        dtypes.map(|(dtype, tolerance)| (backend.0, backend.1.clone(), dtype, tolerance))
    });
    pairs
        .map(|(name, device, dtype, tolerance)| Setup {
            name,
            device,
            dtype,
            tolerance,
        })
        .collect()
}

/// Every backend that was built, with every dtype.
pub fn everywhere() -> Vec<Setup> {
    #[allow(unused_mut)]
    let mut all = setups();
    #[cfg(feature = "wgpu")]
    all.push(gpu());
    all
}

/// The GPU, or software Vulkan in its place.
#[cfg(feature = "wgpu")]
pub fn gpu() -> Setup {
    Setup {
        name: "wgpu",
        device: luminosity::DeviceName::Wgpu.open().unwrap(),
        dtype: DType::F32,
        tolerance: 2e-5,
    }
}

impl Setup {
    /// A tensor of these values, without autodiff.
    pub fn tensor<const D: usize>(&self, values: Vec<f64>, shape: [usize; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(values, shape), (&self.device, self.dtype))
    }

    /// Uniform in −2..2, without autodiff.
    pub fn random<const D: usize>(&self, rng: &mut ChaCha8Rng, shape: [usize; D]) -> Tensor<D> {
        self.tensor(uniform(rng, shape, -2.0, 2.0), shape)
    }

    /// Uniform in 0..1, without autodiff.
    pub fn positive<const D: usize>(&self, rng: &mut ChaCha8Rng, shape: [usize; D]) -> Tensor<D> {
        self.tensor(uniform(rng, shape, 0.0, 1.0), shape)
    }

    /// A message for a failed assertion.
    pub fn at(&self, what: impl std::fmt::Debug) -> String {
        format!("{} {:?} {what:?}", self.name, self.dtype)
    }
}

/// Every fixed normalization with every backward rule.
pub const NORMALIZATIONS: [(Normalization, BackwardRule); 9] = {
    use BackwardRule::{Detached, Exact, StraightThrough};
    use Normalization::{Divisive, Layer, Mean};
    [
        (Layer, Exact),
        (Layer, Detached),
        (Layer, StraightThrough),
        (Mean, Exact),
        (Mean, Detached),
        (Mean, StraightThrough),
        (Divisive, Exact),
        (Divisive, Detached),
        (Divisive, StraightThrough),
    ]
};

/// A generator with this seed.
pub fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Uniform values for a tensor of this shape.
pub fn uniform<const D: usize>(
    rng: &mut ChaCha8Rng,
    shape: [usize; D],
    low: f64,
    high: f64,
) -> Vec<f64> {
    let count = shape.iter().product();
    (0..count).map(|_| rng.random_range(low..high)).collect()
}

/// The same values as a parameter: a leaf that requires gradients.
pub fn leaf<const D: usize>(tensor: &Tensor<D>) -> Tensor<D> {
    tensor.clone().inner().autodiff().require_grad()
}

/// The gradient of Σ f(z)·upstream with respect to z.
pub fn gradient<const D: usize>(
    z: &Tensor<D>,
    upstream: &Tensor<D>,
    f: impl FnOnce(Tensor<D>) -> Tensor<D>,
) -> Tensor<D> {
    let z = leaf(z);
    let grads = (f(z.clone()) * upstream.clone()).sum().backward();
    z.grad(&grads).unwrap()
}

/// The values, in f64.
pub fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    tensor.to_data().iter::<f64>().collect()
}

/// The mean of each row of `columns` values.
pub fn row_means(values: &[f64], columns: usize) -> Vec<f64> {
    let rows = values.chunks_exact(columns);
    rows.map(|row| row.iter().sum::<f64>() / columns as f64)
        .collect()
}

/// The address of the values of a tensor on Flex.
pub fn address<const D: usize>(tensor: &Tensor<D>) -> *const u8 {
    match tensor.clone().inner().into_dispatch().kind {
        DispatchTensorKind::Flex(BackendTensor::Float(tensor)) => tensor.bytes().as_ptr(),
        _ => panic!("not a float tensor of Flex"),
    }
}

/// Fails unless max|found − expected| ≤ tolerance · max|expected|, or tolerance if all expected values are 0.
/// NaN fails.
#[track_caller]
pub fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, message: &str) {
    assert_eq!(found.len(), expected.len(), "{message}: number of values");
    let size = expected.iter().fold(0.0_f64, |size, e| size.max(e.abs()));
    let size = if size > 0.0 { size } else { 1.0 };
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs() / size;
        assert!(
            error <= tolerance,
            "{message}: value {index} is {found}, expected {expected} (relative error {error:e})"
        );
    }
}

/// [`assert_close`] for tensors, which must have the same shape.
#[track_caller]
pub fn assert_tensor_close<const D: usize>(
    found: &Tensor<D>,
    expected: &Tensor<D>,
    tolerance: f64,
    message: &str,
) {
    assert_eq!(found.dims(), expected.dims(), "{message}: shape");
    assert_close(&values(found), &values(expected), tolerance, message);
}

/// Fails unless the two tensors have the same dtype, shape and bits.
#[track_caller]
pub fn assert_same<const D: usize>(found: &Tensor<D>, expected: &Tensor<D>, message: &str) {
    let (found, expected) = (found.to_data(), expected.to_data());
    assert_eq!(found.dtype(), expected.dtype(), "{message}: dtype");
    assert_eq!(found.shape(), expected.shape(), "{message}: shape");
    assert!(
        found.as_bytes() == expected.as_bytes(),
        "{message}: {found} is not {expected}"
    );
}

/// The module with weights of 8 bits.
pub fn quantized<M: Module>(module: M) -> M {
    let scheme = Device::flex().settings().quantization.scheme;
    let scheme = scheme.with_value(QuantValue::Q8S);
    module.quantize_weights(&mut Quantizer::new(Calibration::MinMax, scheme))
}

/// Casts every float parameter of a module; what learns goes on learning.
pub struct Cast(pub DType);

impl ModuleMapper for Cast {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| match value.is_autodiff() {
            true => {
                let learns = value.is_require_grad();
                let value = value.inner().cast(self.0).autodiff();
                value.set_require_grad(learns)
            }
            false => value.cast(self.0),
        })
    }
}

/// The message of the panic that `f` must cause.
#[track_caller]
pub fn panic_of(f: impl FnOnce()) -> String {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f))
        .expect_err("a panic was expected");
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => (*panic.downcast::<&str>().expect("a message")).to_owned(),
    }
}
