//! The paper's network: hidden layers of one kind, each followed by ReLU, and an EI readout.

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use ei_norm::layer::Dense;
use ei_norm::{EiLinear, EiLinearConfig, Inhibitory};
use rand_chacha::ChaCha8Rng;

use super::{
    DenseHidden, Layered, LayeredPopulation, Learner, NetworkSpec, Probe, Stage, Task, add_losses,
    clip_errors,
};
use crate::RunConfig;

pub(super) const SPEC: NetworkSpec = NetworkSpec::of::<Mlp>("mlp", "dense hidden layers")
    .with_population::<LayeredPopulation<Mlp>>();

/// The network: `[batch, pixels]` to logits `[batch, classes]`.
#[derive(Module, Debug)]
pub struct Mlp {
    /// The hidden layers, starting at the input.
    pub hidden: Vec<DenseHidden>,
    /// The last layer, with one inhibitory unit.
    pub readout: EiLinear,
    /// The largest norm of an example's error at the output of a hidden layer, if there is one.
    #[module(skip)]
    pub clip_errors: Option<f64>,
}

impl Learner for Mlp {
    const RECORDABLE: bool = true;

    fn create(
        config: &RunConfig,
        task: Task,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, ei_norm::Error> {
        let d_input = |layer: usize| match layer {
            0 => task.shape.pixels(),
            _ => config.width,
        };
        let hidden = (0..config.depth)
            .map(|k| DenseHidden::dense(config, [d_input(k), config.width], device, rng));
        Ok(Self {
            hidden: hidden.collect::<Result<_, _>>()?,
            readout: readout(d_input(config.depth), config, task, device, rng)?,
            clip_errors: config.clip_errors,
        })
    }

    fn least_parameters(config: &RunConfig, task: Task) -> usize {
        let width = config.width;
        match config.depth {
            0 => 0,
            depth => task.shape.pixels() * width + (depth - 1) * width * width,
        }
    }

    fn logits(&self, x: Tensor<2>) -> Tensor<2> {
        let x = self.hidden.iter().fold(x, |x, layer| relu(layer.infer(x)));
        self.readout.forward(x)
    }

    fn logits_with_local_loss(&self, x: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>) {
        self.compute(&self.hidden, &self.readout, x)
    }

    fn adapt(self) -> Self {
        let hidden = self.hidden.into_iter().map(DenseHidden::adapt).collect();
        Self { hidden, ..self }
    }

    fn probe(&self, mut x: Tensor<2>, loss: &dyn Fn(Tensor<2>) -> Tensor<1>) -> Vec<Probe> {
        let layers = self.hidden.iter().enumerate();
        layers
            .map(|(index, layer)| {
                let input = x.clone();
                let pre_activation = layer.infer(input.clone());
                x = relu(pre_activation.clone());
                Probe {
                    error: self.error(index, pre_activation.clone(), loss),
                    alignment: layer.alignment(input.clone()),
                    lateral_cosine: layer.lateral_cosine(),
                    input,
                    pre_activation,
                }
            })
            .collect()
    }
}

impl Layered for Mlp {
    type Geometry = Dense;

    fn layers(&self) -> (&[DenseHidden], &EiLinear) {
        (&self.hidden, &self.readout)
    }

    fn layers_mut(&mut self) -> (&mut [DenseHidden], &mut EiLinear) {
        (&mut self.hidden, &mut self.readout)
    }

    fn compute<H: Stage<Batch = Tensor<2>>>(
        &self,
        hidden: &[H],
        readout: &impl Stage<Batch = Tensor<2>>,
        mut x: Tensor<2>,
    ) -> (Tensor<2>, Option<Tensor<1>>) {
        let mut total: Option<Tensor<1>> = None;
        for layer in hidden {
            let (z, local) = layer.forward(x);
            total = add_losses(total, local);
            x = relu(clip_errors(z, self.clip_errors));
        }
        (readout.forward(x).0, total)
    }
}

impl Mlp {
    /// The error dL/dz of the loss at the output z of a hidden layer, as it arrives there in training.
    fn error(
        &self,
        layer: usize,
        z: Tensor<2>,
        loss: &dyn Fn(Tensor<2>) -> Tensor<1>,
    ) -> Tensor<2> {
        let z = z.inner().autodiff().require_grad();
        let above = self.hidden.iter().skip(layer + 1);
        let activity = |z| relu(clip_errors(z, self.clip_errors));
        let x = above.fold(activity(z.clone()), |x, layer| activity(layer.infer(x)));
        let grads = loss(self.readout.forward(x)).backward();
        z.grad(&grads).unwrap_or_else(|| z.inner().zeros_like())
    }
}

/// The readout of every network: an EI layer with one inhibitory unit.
pub(super) fn readout(
    d_input: usize,
    config: &RunConfig,
    task: Task,
    device: &Device,
    rng: &mut ChaCha8Rng,
) -> Result<EiLinear, ei_norm::Error> {
    EiLinearConfig::new(d_input, task.classes)
        .with_inhibitory(Inhibitory::Count(1))
        .with_initializer(config.init)
        .try_init_with(device, rng)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::INORM_FULL;
    use crate::data::Shape;
    use crate::random::{Purpose, generator};

    /// The norm of each example's error at the outputs of the hidden layers.
    fn error_norms(clip_errors: Option<f64>) -> Vec<Vec<f64>> {
        let config = RunConfig {
            width: 20,
            clip_errors,
            ..RunConfig::new(INORM_FULL, 0)
        };
        let shape = Shape::new(1, 3, 5);
        let task = Task { shape, classes: 4 };
        let device = Device::flex();
        let mut rng = generator(0, Purpose::Weights);
        let network = Mlp::create(&config, task, &device, &mut rng).unwrap();
        let x = Tensor::<1, burn::tensor::Int>::arange(0..6 * 15, &device).float();
        let x = x.cos().abs().reshape([6, 15]);
        let probes = network.probe(x, &|logits| logits.square().sum());
        let norms = probes
            .into_iter()
            .map(|probe| probe.error.square().sum_dim(1).sqrt());
        norms
            .map(|norms| norms.into_data().iter::<f64>().collect())
            .collect()
    }

    #[test]
    fn probed_errors_are_clipped_as_in_training() {
        let [lower, upper] = error_norms(None).try_into().unwrap();
        let clip = upper.iter().sum::<f64>() / 6.0;
        let [clipped_lower, clipped_upper] = error_norms(Some(clip)).try_into().unwrap();
        assert!(upper.iter().any(|norm| *norm > clip));
        for (norm, clipped) in upper.iter().zip(clipped_upper) {
            assert!(
                (norm.min(clip) - clipped).abs() < 1e-5 * clip,
                "{norm}: {clipped}"
            );
        }
        // The errors that reach the lower layer come from the clipped ones.
        let ceiling = 1.00001 * clip;
        assert!(clipped_lower.iter().all(|norm| *norm <= ceiling));
        assert_ne!(lower, clipped_lower);
    }
}
