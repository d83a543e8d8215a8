//! Layers that obey Dale's law, one a file.

mod column_ei_linear;
mod conv;
mod ei_linear;
mod i_norm;
mod i_norm_config;
mod input_check;
mod recurrent;
mod shunting_linear;

pub use column_ei_linear::{ColumnEiLinear, ColumnEiLinearConfig, ColumnEiWeights};
pub use conv::{
    ConvGeometry, EiConv2d, EiConv2dConfig, EiConv2dWeights, INormConv2d, INormConv2dConfig,
    INormConv2dWeights, ShuntingConv2d, ShuntingConv2dConfig, ShuntingConv2dWeights,
};
pub use ei_linear::{EiCurrents, EiLinear, EiLinearConfig, EiWeights};
pub use i_norm::{INormCurrents, INormLinear, INormWeights};
pub use i_norm_config::{INormLinearConfig, InhibitoryPlasticity};
pub use input_check::InputCheck;
pub use recurrent::{
    EiRnn, EiRnnCell, EiRnnConfig, EiState, INormRnn, INormRnnCell, INormRnnConfig,
};
pub use shunting_linear::{
    ShuntingCurrents, ShuntingLinear, ShuntingLinearConfig, ShuntingWeights,
};

use burn::tensor::{Device, Tensor};

use crate::Error;
use crate::dale::{Plasticity, Role, Sign, Weight};
use crate::init::EiDraw;

/// W_ex, ≥ 0.
fn excitatory<const D: usize>(value: Tensor<D>) -> Weight<D> {
    non_negative(value, Role::Excitatory)
}

/// W_ix, ≥ 0.
fn inhibitory_in<const D: usize>(value: Tensor<D>) -> Weight<D> {
    non_negative(value, Role::InhibitoryIn)
}

/// W_ei, ≥ 0.
fn inhibitory_out<const D: usize>(value: Tensor<D>) -> Weight<D> {
    non_negative(value, Role::InhibitoryOut)
}

/// A parameter ≥ 0 that learns.
fn non_negative<const D: usize>(value: Tensor<D>, role: Role) -> Weight<D> {
    Weight::new(value, Sign::NonNegative, Plasticity::Plastic).with_role(role)
}

/// A parameter of any sign that learns.
fn free<const D: usize>(value: Tensor<D>, role: Role) -> Weight<D> {
    Weight::new(value, Sign::Free, Plasticity::Plastic).with_role(role)
}

/// The three matrices of a draw, as tensors: W_ex, and W_ix with W_ei if there is inhibition.
fn tensors(draw: EiDraw, device: &Device) -> (Tensor<2>, Option<(Tensor<2>, Tensor<2>)>) {
    use crate::init::matrix;
    let (d_input, d_output, n_i) = (draw.d_input, draw.d_output, draw.n_i);
    let w_ex = matrix(draw.w_ex, [d_input, d_output], device);
    let inhibition = (n_i > 0).then(|| {
        (
            matrix(draw.w_ix, [d_input, n_i], device),
            matrix(draw.w_ei, [n_i, d_output], device),
        )
    });
    (w_ex, inhibition)
}

fn zero_bias(bias: bool, d_output: usize, device: &Device) -> Option<Tensor<1>> {
    bias.then(|| Tensor::zeros([d_output], device))
}

fn bias_param(bias: Option<Tensor<1>>) -> Option<Weight<1>> {
    bias.map(|bias| free(bias, Role::Bias))
}

/// Checks the shape of a weight that a user supplies.
fn check_shape<const D: usize>(
    parameter: &'static str,
    value: &Tensor<D>,
    expected: [usize; D],
) -> Result<(), Error> {
    let found = value.dims();
    if found == expected {
        return Ok(());
    }
    Err(Error::Shape {
        parameter,
        found: found.to_vec(),
        expected: expected.to_vec(),
    })
}
