//! The kernel on CubeCL. One launch reads the rows from device memory, sums their statistics in f32 in shared
//! memory, and writes the new errors.

#![allow(missing_docs)] // For items that the macros of CubeCL and Burn generate.
#![cfg_attr(not(feature = "fusion"), allow(unused_variables))] // A dispatch without arms uses none.

use std::any::Any;

use burn::backend::cubecl::dtype_to_storage_type;
use burn::backend::{Backend, Cube, TensorMetadata, backend_extension, tensor::FloatTensor};
use burn::tensor::DType;
use burn_cubecl::cubecl::{self, calculate_cube_count_elemwise, ir::ElemType, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::{CubeBackend, tensor::CubeTensor};

use super::{ErrorNorm, Inputs, Offset};

/// The maximal number of units for one row, and in a cube; every runtime supports it.
const UNITS: usize = 256;

/// A backend with a kernel for rows.
#[backend_extension(Cube: cfg(feature = "fusion"), Fusion: cfg(feature = "fusion"))]
pub trait RowKernel: Backend {
    /// δ' from `delta`. Tensors that the mode does not use may be any tensors.
    #[fusion(dtype = delta, shape = delta)]
    fn normalize_rows(
        delta: FloatTensor<Self>,
        z: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        counts: FloatTensor<Self>,
        norm: ErrorNorm,
        mixed: bool,
    ) -> FloatTensor<Self>;
}

/// The type of the backend: with fusion if this crate's feature `fusion` is enabled. If Burn was built
/// differently, the kernel is not used.
#[cfg(feature = "fusion")]
type Known = Cube;
#[cfg(not(feature = "fusion"))]
type Known = CubeBackend;

/// δ' from `delta`, or `delta` itself if the kernel does not support its dtype. All inputs have the dtype of
/// `delta`.
pub(super) fn apply(
    norm: ErrorNorm,
    inputs: Inputs<FloatTensor<Cube>>,
    delta: FloatTensor<Cube>,
) -> Result<FloatTensor<Cube>, FloatTensor<Cube>> {
    if !matches!(delta.dtype(), DType::F32 | DType::F16 | DType::BF16) {
        return Err(delta);
    }
    let delta: FloatTensor<Known> = same_type(delta)?;
    let other = |input: Option<FloatTensor<Cube>>| {
        let input = input.and_then(|input| same_type(input).ok());
        input.unwrap_or_else(|| delta.clone())
    };
    let [_, _, counts] = &inputs;
    let mixed = counts.is_some();
    let [z, weights, counts] = inputs.map(other);
    let delta = Known::normalize_rows(delta, z, weights, counts, norm, mixed);
    Ok(same_type(delta).expect("the way back"))
}

/// `value`, if both types are the same.
fn same_type<T: 'static, U: 'static>(value: T) -> Result<U, T> {
    let mut value = Some(value);
    let same = (&mut value as &mut dyn Any).downcast_mut::<Option<U>>();
    match same.and_then(Option::take) {
        Some(value) => Ok(value),
        None => Err(value.expect("not taken")),
    }
}

impl RowKernel for CubeBackend {
    fn normalize_rows(
        delta: CubeTensor,
        z: CubeTensor,
        weights: CubeTensor,
        counts: CubeTensor,
        norm: ErrorNorm,
        mixed: bool,
    ) -> CubeTensor {
        let shape = delta.shape();
        let features = shape[shape.num_dims() - 1];
        let rows = shape.num_elements() / features;
        let [delta, z, weights, counts] = [delta, z, weights, counts].map(into_contiguous);
        let rows_of_each = |parts: usize| (rows / parts.max(1)) as u32;
        let rows_of_count = rows_of_each(counts.shape().num_elements());
        let rows_of_weights = rows_of_each(weights.shape().num_elements() / features);
        let (client, dtype) = (delta.client.clone(), delta.dtype);
        let out = empty_device_contiguous_dtype(client.clone(), delta.device.clone(), shape, dtype);

        let hardware = &client.properties().hardware;
        let (units_max, rows_max, _) = hardware.max_cube_dim;
        let cube_max = floor_power_of_two(hardware.max_units_per_cube as usize).min(UNITS);
        let units = features
            .next_power_of_two()
            .min(cube_max)
            .min(floor_power_of_two(units_max as usize));
        let rows_of_cube = (cube_max / units).min(rows_max as usize);
        let cube_dim = CubeDim::new_2d(units as u32, rows_of_cube as u32);
        normalize_rows_kernel::launch(
            &client,
            calculate_cube_count_elemwise(&client, rows * units, cube_dim),
            cube_dim,
            delta.into_tensor_arg(),
            z.into_tensor_arg(),
            weights.into_tensor_arg(),
            counts.into_tensor_arg(),
            out.clone().into_tensor_arg(),
            rows as u32,
            features as u32,
            rows_of_weights.max(1),
            rows_of_count.max(1),
            norm.epsilon as f32,
            norm.mode.offset(),
            norm.mode.decorrelates(),
            norm.mode.scales(),
            mixed,
            units,
            rows_of_cube,
            dtype_to_storage_type(dtype),
        );
        out
    }
}

fn floor_power_of_two(value: usize) -> usize {
    1 << value.max(1).ilog2()
}

/// Each line of `units` units along x takes one row of contiguous tensors.
#[cube(launch)]
fn normalize_rows_kernel<F: Float>(
    delta: &Tensor<F>,
    z: &Tensor<F>,
    weights: &Tensor<F>,
    counts: &Tensor<F>,
    out: &mut Tensor<F>,
    rows: u32,
    features: u32,
    rows_of_weights: u32,
    rows_of_count: u32,
    epsilon: f32,
    #[comptime] offset: Offset,
    #[comptime] decorrelates: bool,
    #[comptime] scales: bool,
    #[comptime] mixed: bool,
    #[comptime] units: usize,
    #[comptime] rows_of_cube: usize,
    #[define(F)] _dtype: ElemType,
) {
    let row = CUBE_POS * rows_of_cube + UNIT_POS_Y as usize;
    let start = row * features as usize;
    let unit = UNIT_POS_X as usize;
    // Units beyond the last row process no element, but must reach every barrier.
    let mut width = features as usize;
    let mut length = features as usize;
    if row >= rows as usize {
        width = 0usize;
        length = 0usize;
    }
    let mut count = f32::cast_from(features);
    if comptime!(mixed) {
        if row < rows as usize {
            count = f32::cast_from(counts[row / rows_of_count as usize]);
            length = count as usize;
        }
    }
    let mut shared = Shared::<[f32]>::new_slice(comptime!(units * rows_of_cube));

    let mut a = 0.0f32;
    let mut b = 0.0f32;
    let mut mean = 0.0f32;
    let mut i = unit;
    while i < length {
        let error = f32::cast_from(delta[start + i]);
        if comptime!(offset == Offset::Mean) {
            a += error;
        }
        if comptime!(offset == Offset::Weighted) {
            let first = row / rows_of_weights as usize * features as usize;
            a += error * f32::cast_from(weights[first + i]);
        }
        if comptime!(decorrelates) {
            b += error * f32::cast_from(z[start + i]);
        }
        if comptime!(scales) {
            mean += f32::cast_from(z[start + i]);
        }
        i += units;
    }
    if comptime!(offset != Offset::Zero) {
        a = sum_row(a, &mut shared, units);
    }
    if comptime!(offset == Offset::Mean) {
        a /= count;
    }
    if comptime!(decorrelates) {
        b = sum_row(b, &mut shared, units) / count;
    }
    let mut sigma = 1.0f32;
    if comptime!(scales) {
        mean = sum_row(mean, &mut shared, units) / count;
        let mut squares = 0.0f32;
        let mut i = unit;
        while i < length {
            let deviation = f32::cast_from(z[start + i]) - mean;
            squares += deviation * deviation;
            i += units;
        }
        sigma = (sum_row(squares, &mut shared, units) / count + epsilon).sqrt();
    }

    let mut i = unit;
    while i < length {
        let mut error = f32::cast_from(delta[start + i]) - a;
        if comptime!(decorrelates) {
            error -= f32::cast_from(z[start + i]) * b;
        }
        if comptime!(scales) {
            error /= sigma;
        }
        out[start + i] = F::cast_from(error);
        i += units;
    }
    if comptime!(mixed) {
        // Features that do not exist.
        let mut i = length + unit;
        while i < width {
            out[start + i] = F::cast_from(0.0f32);
            i += units;
        }
    }
}

/// The sum of `value` over the units of a row, returned to each unit.
#[cube]
fn sum_row(value: f32, shared: &mut Shared<[f32]>, #[comptime] units: usize) -> f32 {
    let first = UNIT_POS_Y as usize * units;
    let unit = UNIT_POS_X as usize;
    sync_cube(); // The sum before this one has been read.
    shared[first + unit] = value;
    sync_cube();
    #[unroll]
    for step in 0..comptime!(units.ilog2() as usize) {
        let half = comptime!(units >> (step + 1));
        if unit < half {
            shared[first + unit] = shared[first + unit] + shared[first + unit + half];
        }
        sync_cube();
    }
    shared[first]
}
