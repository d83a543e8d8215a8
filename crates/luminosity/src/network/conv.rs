//! Convolutions of stride 2, each with twice the channels of the one before, ReLU behind each, and an EI
//! readout.

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use ei_norm::EiLinear;
use ei_norm::layer::Conv2d;
use rand_chacha::ChaCha8Rng;

use super::mlp::readout;
use super::{ConvHidden, Learner, NetworkOption, NetworkSpec, Task, WIDE, add_losses, clip_errors};
use crate::RunConfig;
use crate::data::Shape;

const KERNEL: NetworkOption = NetworkOption {
    name: "kernel",
    description: "rows and columns of a kernel",
    default: 5,
    range: [1, 99],
};

const STRIDE: NetworkOption = NetworkOption {
    name: "stride",
    description: "step from one position to the next",
    default: 2,
    range: [1, 99],
};

pub(super) const SPEC: NetworkSpec = NetworkSpec::of::<Conv>("conv", "convolutions")
    .with_sizes(
        "channels of the first convolution, each further one has twice as many; convolutions",
    )
    .with_options(&[KERNEL, STRIDE])
    .with_ranges(WIDE)
    .with_defaults(|config| {
        config.width = 12;
        config.lr = 0.01;
        config.lr_ix = 0.001;
        config.lr_ei = 0.0001;
    });

/// The network: images `[batch, pixels]` to logits `[batch, classes]`.
#[derive(Module, Debug)]
pub struct Conv {
    /// The convolutions, from the input on.
    pub hidden: Vec<ConvHidden>,
    /// The last layer, with one inhibitory unit.
    pub readout: EiLinear,
    #[module(skip)]
    image: [usize; 3],
    #[module(skip)]
    clip_errors: Option<f64>,
}

impl Learner for Conv {
    fn create(
        config: &RunConfig,
        task: Task,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, ei_norm::Error> {
        let (kernel, stride) = (config.option(&KERNEL), config.option(&STRIDE));
        let Shape {
            channels,
            height,
            width,
        } = task.shape;
        let [mut inputs, mut rows, mut columns] = [channels, height, width];
        let mut hidden = Vec::with_capacity(config.depth);
        for layer in 0..config.depth {
            let after = |size: usize| Some(size.checked_sub(kernel)? / stride + 1);
            let (Some(next_rows), Some(next_columns)) = (after(rows), after(columns)) else {
                return Err(ei_norm::Error::Config {
                    name: "depth",
                    value: config.depth.to_string(),
                    allowed: "as many convolutions as the image has room for",
                });
            };
            (rows, columns) = (next_rows, next_columns);
            let outputs = config.width.saturating_mul(1 << layer.min(32));
            let mut geometry = Conv2d::new([inputs, outputs], [kernel; 2]);
            geometry.stride = [stride; 2];
            hidden.push(ConvHidden::convolution(config, geometry, device, rng)?);
            inputs = outputs;
        }
        let features = inputs * rows * columns;
        Ok(Self {
            hidden,
            readout: readout(features, config, task, device, rng)?,
            image: [channels, height, width],
            clip_errors: config.clip_errors,
        })
    }

    fn least_parameters(config: &RunConfig, task: Task) -> usize {
        let outputs = |layer: usize| config.width.saturating_mul(1 << layer.min(32));
        let products = (0..config.depth).map(|layer| match layer {
            0 => outputs(0).saturating_mul(task.shape.channels),
            _ => outputs(layer - 1).saturating_mul(outputs(layer)),
        });
        products.fold(0, usize::saturating_add)
    }

    fn logits_with_local_loss(&self, x: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>) {
        let [batch, _] = x.dims();
        let [channels, height, width] = self.image;
        let mut x = x.reshape([batch, channels, height, width]);
        let mut total = None;
        for layer in &self.hidden {
            let (z, local) = layer.forward(x);
            total = add_losses(total, local);
            x = relu(clip_errors(z, self.clip_errors));
        }
        (self.readout.forward(x.flatten(1, 3)), total)
    }

    fn adapt(self) -> Self {
        let hidden = self.hidden.into_iter().map(ConvHidden::adapt).collect();
        Self { hidden, ..self }
    }
}
