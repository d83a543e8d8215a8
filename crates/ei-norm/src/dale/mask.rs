//! Masks, which say which connections exist, for [`Weight::set_mask`](super::Weight::set_mask).
//!
//! A mask is a boolean tensor of the weight's shape, true where there is a connection. Masks are
//! combined with `bool_and`, `bool_or` and `bool_not`:
//!
//! ```
//! use burn::prelude::*;
//! use ei_norm::{EiLinearConfig, dale::mask};
//! use rand::SeedableRng;
//!
//! # fn main() -> Result<(), ei_norm::Error> {
//! let device = Device::flex();
//! let rng = &mut rand_chacha::ChaCha8Rng::seed_from_u64(1);
//! let sparse = mask::random([20, 20], 0.3, &device, rng)?;
//! let mut layer = EiLinearConfig::new(20, 20).try_init_with(&device, rng)?;
//! layer.w_ex.set_mask(mask::no_autapses(20, &device).bool_and(sparse))?;
//! let diagonal = layer.w_ex.val() * Tensor::eye(20, &device);
//! assert_eq!(diagonal.abs().sum().into_scalar::<f32>(), 0.0);
//! # Ok(())
//! # }
//! ```

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Bool, DType, Device, Int, Tensor, TensorData};
use rand::{Rng, RngExt};

use crate::check::{check_elements, check_fraction};
use crate::{Error, read};

/// All connections except the diagonal: no unit of a recurrent layer connects to itself.
///
/// # Shapes
///
/// - result: `[n, n]`
pub fn no_autapses(n: usize, device: &Device) -> Tensor<2, Bool> {
    from_fn([n, n], |(pre, post)| pre != post, device)
}

/// The connections from `pre` to `post` for which `exists` is true.
///
/// # Shapes
///
/// - result: `[rows, columns]`
pub fn from_fn(
    [rows, columns]: [usize; 2],
    exists: impl Fn((usize, usize)) -> bool,
    device: &Device,
) -> Tensor<2, Bool> {
    let pairs = (0..rows).flat_map(|pre| (0..columns).map(move |post| (pre, post)));
    let exists: Vec<bool> = pairs.map(exists).collect();
    Tensor::from_data(TensorData::new(exists, [rows, columns]), device)
}

/// Each connection exists with probability `density`, independently of the others.
///
/// # Errors
///
/// If the density is not in 0..=1, or the shape has more than 4294967295 elements.
pub fn random<const D: usize>(
    shape: [usize; D],
    density: f64,
    device: &Device,
    rng: &mut impl Rng,
) -> Result<Tensor<D, Bool>, Error> {
    check_fraction("density", density)?;
    let count = check_elements(&shape)?;
    let exists: Vec<bool> = (0..count).map(|_| rng.random_bool(density)).collect();
    Ok(Tensor::from_data(TensorData::new(exists, shape), device))
}

/// The mask of a weight, as a module. In records it is a tensor of 32-bit integers, 1 where there is a
/// connection: backends store booleans in different ways, so a record of booleans would not be portable.
#[derive(Debug, Clone)]
pub(super) struct Mask<const D: usize> {
    param: Param<Tensor<D, Int>>,
    /// Where `param` is 0. Both tensors are without autodiff.
    absent: Tensor<D, Bool>,
}

impl<const D: usize> Mask<D> {
    /// The name of the mask below the weight's name.
    const NAME: &'static str = "mask";

    /// The mask of these connections, on this device.
    pub fn new(exists: Tensor<D, Bool>, device: &Device) -> Self {
        let shape = exists.dims();
        let data = read::data(exists);
        let exists: Vec<i32> = data.iter::<bool>().map(i32::from).collect();
        let options = (&device.clone().inner(), DType::I32);
        let value = Tensor::from_data(TensorData::new(exists, shape), options);
        let param = Param::initialized(burn::module::ParamId::new(), value);
        Self::from_param(param)
    }

    fn from_param(param: Param<Tensor<D, Int>>) -> Self {
        let absent = param.val().equal_elem(0);
        Self { param, absent }
    }

    /// Whether a mapper has left the mask as it is.
    pub fn is_untouched_in(&self, mapped: &Self) -> bool {
        std::ptr::eq(&*self.param, &*mapped.param)
    }

    /// True where there is a connection.
    pub fn exists(&self) -> Tensor<D, Bool> {
        self.absent.clone().bool_not()
    }

    /// `value` where there is a connection, exactly 0 elsewhere; no error passes there.
    pub fn apply(&self, value: Tensor<D>) -> Tensor<D> {
        value.mask_fill(self.absent.clone(), 0.0)
    }

    pub fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        visitor.enter_module(Self::NAME, "Mask");
        self.param.visit(visitor);
        visitor.exit_module(Self::NAME, "Mask");
    }

    pub fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        mapper.enter_module(Self::NAME, "Mask");
        let param = Module::map(self.param, mapper);
        mapper.exit_module(Self::NAME, "Mask");
        Self::from_param(param)
    }

    pub fn moved_to(self, device: &Device) -> Self {
        Self::from_param(self.param.to_device(&device.clone().inner()))
    }
}
