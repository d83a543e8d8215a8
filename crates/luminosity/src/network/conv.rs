//! Convolutions, each with twice the channels of the one before and followed by ReLU, and an EI readout.

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

const MAP: NetworkOption = NetworkOption {
    name: "map",
    description: "1: activity and errors are normalized over the whole map, not the channels of each position",
    default: 0,
    range: [0, 1],
};

pub(super) const SPEC: NetworkSpec = NetworkSpec::of::<Conv>("conv", "convolutions")
    .with_sizes(
        "channels of the first convolution, each further one has twice as many; convolutions",
    )
    .with_options(&[KERNEL, STRIDE, MAP])
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
    /// The convolutions, starting at the input.
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
                let depth = config.depth;
                return Err(ei_norm::Error::Config {
                    name: "depth",
                    value: format!(
                        "{depth} with kernel={kernel}, stride={stride} and images of {height}x{width}"
                    ),
                    allowed: "as many convolutions as these have room for",
                });
            };
            (rows, columns) = (next_rows, next_columns);
            let outputs = config.width.saturating_mul(1 << layer.min(32));
            let mut geometry = Conv2d::new([inputs, outputs], [kernel; 2]);
            geometry.stride = [stride; 2];
            let map = (config.option(&MAP) == 1).then_some([rows, columns]);
            hidden.push(ConvHidden::convolution(config, geometry, map, device, rng)?);
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

#[cfg(test)]
mod tests {
    use ei_norm::circuit::NormalizedOver;
    use ei_norm::functional::{mean, variance};

    use super::*;
    use crate::network::Hidden;
    use crate::random::{Purpose, generator};

    /// A network of a condition; `map` selects what is normalized together.
    fn network(condition: &str, map: usize) -> Conv {
        let mut config = RunConfig::new(condition.parse().unwrap(), 0);
        config.network = "conv".parse().unwrap();
        config.width = 3;
        config.options.insert(MAP.name.to_owned(), map);
        let shape = Shape {
            channels: 1,
            height: 15,
            width: 13,
        };
        let task = Task { shape, classes: 4 };
        let mut rng = generator(1, Purpose::Weights);
        Conv::create(&config, task, &Device::flex(), &mut rng).unwrap()
    }

    #[test]
    fn a_map_is_normalized_as_a_whole_or_each_position_by_itself() {
        let pixels = (0..2 * 15 * 13)
            .map(|i| (i * i % 17) as f32 / 17.0)
            .collect::<Vec<_>>();
        let x = Tensor::<1>::from_floats(&pixels[..], &Device::flex()).reshape([2, 1, 15, 13]);
        let deviation = |z: Tensor<2>| {
            let m = mean(z.clone()).abs().max().into_scalar::<f32>();
            let v = (variance(z) - 1.0).abs().max().into_scalar::<f32>();
            m.max(v)
        };
        for map in [0, 1] {
            let (z, _) = network("ln+", map).hidden[0].forward(x.clone());
            let last = z.permute([0, 2, 3, 1]);
            let [batch, height, width, channels] = last.dims();
            let positions = last.clone().reshape([batch * height * width, channels]);
            let maps = last.reshape([batch, height * width * channels]);
            let [together, not] = match map {
                0 => [positions, maps],
                _ => [maps, positions],
            };
            assert!(deviation(together) < 0.01);
            assert!(map == 0 || deviation(not) > 0.1);
            for layer in network("inorm+full", map).hidden {
                let Hidden::INorm(layer) = layer else {
                    panic!("not an I-Norm layer");
                };
                assert_eq!(layer.over() == NormalizedOver::Example, map == 1);
            }
        }
    }
}
