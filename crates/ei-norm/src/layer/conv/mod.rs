//! Convolutions: the dense layers at each position of an image.

mod ei_conv;
mod i_norm_conv;
mod i_norm_conv_config;
mod shunting_conv;

pub use crate::functional::ConvGeometry;
pub use ei_conv::{EiConv2d, EiConv2dConfig, EiConv2dWeights};
pub use i_norm_conv::{INormConv2d, INormConv2dWeights};
pub use i_norm_conv_config::INormConv2dConfig;
pub use shunting_conv::{ShuntingConv2d, ShuntingConv2dConfig, ShuntingConv2dWeights};

use burn::module::Content;
use burn::tensor::Tensor;

use crate::dale::Weight;
use crate::functional::unflatten;
use crate::{Error, context, init};

/// A matrix over patches as kernels, contiguous in memory and outside of any graph.
fn kernels(matrix: Tensor<2>, size: [usize; 2]) -> Tensor<4> {
    let plain = matrix.clone().inner();
    let options = (&plain.device(), plain.dtype());
    let contiguous = Tensor::from_data(unflatten(plain.clone(), size).into_data(), options);
    context::associate(contiguous, &matrix)
}

/// The same for a weight, which keeps its sign, plasticity and role.
fn kernel_weight(weight: &Weight<2>, size: [usize; 2]) -> Weight<4> {
    let kernels = kernels(weight.val(), size);
    let kernels = Weight::new(kernels, weight.sign(), weight.plasticity());
    match weight.role() {
        Some(role) => kernels.with_role(role),
        None => kernels,
    }
}

/// Checks the sizes of a convolution; what a patch has of features.
fn check_sizes(channels: [usize; 2], kernel_size: [usize; 2]) -> Result<usize, Error> {
    for size in channels {
        init::check_size("channels", size)?;
    }
    for size in kernel_size {
        init::check_size("kernel_size", size)?;
    }
    Ok(channels[0] * kernel_size.iter().product::<usize>())
}

/// Adds the size of the kernels and where the windows lie to what a layer displays.
fn display_windows(content: Content, kernels: [usize; 4], geometry: &ConvGeometry) -> Content {
    let [_, _, height, width] = kernels;
    content
        .add_debug_attribute("kernel_size", &[height, width])
        .add_debug_attribute("stride", &geometry.stride)
        .add_debug_attribute("dilation", &geometry.dilation)
        .add_debug_attribute("padding", &geometry.padding)
}

/// Panics unless `x` has as many channels as the kernels.
#[track_caller]
fn assert_channels(x: &Tensor<4>, kernels: [usize; 4]) {
    let (found, expected) = (x.dims(), kernels[1]);
    assert!(
        found[1] == expected,
        "the input has shape {found:?}, expected [batch, {expected}, height, width]"
    );
}
