//! Convolutions, each with twice the channels of the one before and followed by ReLU, and an EI readout.

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use ei_norm::EiLinear;
use ei_norm::layer::Conv2d;
use rand_chacha::ChaCha8Rng;

use super::mlp::readout;
use super::{
    BIAS, ConvHidden, Layered, LayeredPopulation, Learner, NORM_EPSILON, NetworkOption,
    NetworkSpec, Stage, Task, WIDE, add_losses, clip_errors, images,
};
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

pub(super) const SPEC: NetworkSpec = NetworkSpec {
    sizes: "channels of the first convolution, each further one has twice as many; convolutions",
    options: &[KERNEL, STRIDE, MAP, BIAS, NORM_EPSILON],
    ranges: WIDE,
    defaults: |config| {
        config.width = 12;
        config.lr = 0.01;
        config.lr_ix = 0.001;
        config.lr_ei = 0.0001;
    },
    ..NetworkSpec::of::<Conv>("conv", "convolutions").with_population::<LayeredPopulation<Conv>>()
};

/// The network: images `[batch, pixels]` to logits `[batch, classes]`.
#[derive(Module, Debug)]
pub struct Conv {
    /// The convolutions, starting at the input.
    pub hidden: Vec<ConvHidden>,
    /// The last layer, with one inhibitory unit.
    pub readout: EiLinear,
    #[module(skip)]
    shape: Shape,
    #[module(skip)]
    clip_errors: Option<f64>,
}

impl Learner for Conv {
    const RECORDABLE: bool = true;

    fn create(
        config: &RunConfig,
        task: Task,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, ei_norm::Error> {
        let (kernel, stride) = (config.option(&KERNEL), config.option(&STRIDE));
        let shape = task.shape;
        let [mut inputs, mut rows, mut columns] = [shape.channels, shape.height, shape.width];
        let mut hidden = Vec::with_capacity(config.depth);
        for layer in 0..config.depth {
            let after = |size: usize| Some(size.checked_sub(kernel)? / stride + 1);
            let next = after(rows).zip(after(columns));
            (rows, columns) = next.ok_or_else(|| ei_norm::Error::Config {
                name: "depth",
                value: format!(
                    "{} with kernel={kernel}, stride={stride} and images of {}x{}",
                    config.depth, shape.height, shape.width
                ),
                allowed: "as many convolutions as these have room for",
            })?;
            let outputs = channels(config, layer);
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
            shape,
            clip_errors: config.clip_errors,
        })
    }

    fn least_parameters(config: &RunConfig, task: Task) -> usize {
        let outputs = (0..config.depth).map(|layer| channels(config, layer));
        let inputs = std::iter::once(task.shape.channels).chain(outputs.clone());
        let kernel = config.option(&KERNEL).pow(2);
        let products = inputs.zip(outputs);
        let products = products.map(|(a, b)| a.saturating_mul(b).saturating_mul(kernel));
        products.fold(0, usize::saturating_add)
    }

    fn logits_with_local_loss(&self, x: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>) {
        self.compute(&self.hidden, &self.readout, x)
    }

    fn adapt(self) -> Self {
        let hidden = self.hidden.into_iter().map(ConvHidden::adapt).collect();
        Self { hidden, ..self }
    }
}

impl Layered for Conv {
    type Geometry = Conv2d;

    fn layers(&self) -> (&[ConvHidden], &EiLinear) {
        (&self.hidden, &self.readout)
    }

    fn layers_mut(&mut self) -> (&mut [ConvHidden], &mut EiLinear) {
        (&mut self.hidden, &mut self.readout)
    }

    fn compute<H: Stage<Batch = Tensor<4>>>(
        &self,
        hidden: &[H],
        readout: &impl Stage<Batch = Tensor<2>>,
        x: Tensor<2>,
    ) -> (Tensor<2>, Option<Tensor<1>>) {
        let mut x = images(x, self.shape);
        let mut total = None;
        for layer in hidden {
            let (z, local) = layer.forward(x);
            total = add_losses(total, local);
            x = relu(clip_errors(z, self.clip_errors));
        }
        (readout.forward(x.flatten(1, 3)).0, total)
    }
}

/// The channels after a convolution.
fn channels(config: &RunConfig, layer: usize) -> usize {
    config.width.saturating_mul(1 << layer.min(32))
}

#[cfg(test)]
mod tests {
    use ei_norm::circuit::NormalizedOver;
    use ei_norm::functional::{mean, variance};

    use super::*;
    use crate::Condition;
    use crate::condition::{INORM_FULL, LN_PLUS};
    use crate::network::{CONV, Hidden};
    use crate::random::{Purpose, generator};

    /// A network of a condition with this value of an option.
    fn network(condition: Condition, option: &NetworkOption, value: usize) -> Conv {
        let config = RunConfig {
            width: 3,
            options: [(option.name.to_owned(), value)].into(),
            ..RunConfig::of(CONV, condition, 0)
        };
        let shape = Shape::new(1, 15, 13);
        let task = Task { shape, classes: 4 };
        let mut rng = generator(1, Purpose::Weights);
        Conv::create(&config, task, &Device::flex(), &mut rng).unwrap()
    }

    #[test]
    fn a_map_is_normalized_as_a_whole_or_each_position_by_itself() {
        let pixels = Tensor::<1, burn::tensor::Int>::arange(0..2 * 15 * 13, &Device::flex());
        let pixels = (pixels.clone() * pixels % 17).float() / 17.0;
        let x = pixels.reshape([2, 1, 15, 13]);
        let deviation = |z: Tensor<2>| {
            let m = mean(z.clone()).abs().max().into_scalar::<f32>();
            let v = (variance(z) - 1.0).abs().max().into_scalar::<f32>();
            m.max(v)
        };
        for map in [0, 1] {
            let (z, _) = network(LN_PLUS, &MAP, map).hidden[0].forward(x.clone());
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
            for layer in network(INORM_FULL, &MAP, map).hidden {
                let Hidden::INorm(layer) = layer else {
                    panic!("not an I-Norm layer");
                };
                assert_eq!(layer.over() == NormalizedOver::Example, map == 1);
            }
        }
    }

    #[test]
    fn the_bias_and_epsilon_of_every_layer_follow_the_options() {
        let of = |option, value| {
            let layers = [LN_PLUS, INORM_FULL].map(|condition| network(condition, option, value));
            let layers = layers.into_iter().flat_map(|network| network.hidden);
            layers.map(|layer| match layer {
                Hidden::Ei(hidden) => (hidden.layer.bias.is_some(), hidden.epsilon),
                Hidden::INorm(layer) => (layer.bias.is_some(), layer.epsilon()),
                _ => panic!("another kind of layer"),
            })
        };
        assert!(of(&BIAS, 1).eq([(true, 1e-5); 4]));
        assert!(of(&BIAS, 0).eq([(false, 1e-5); 4]));
        assert!(of(&NORM_EPSILON, 1000).eq([(true, 1e-2); 4]));
    }
}
