//! Populations: networks of dense hidden layers that are trained together.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use ei_norm::circuit::{Ei, INorm, Population};

use super::{DenseHidden, Hidden, Learner, Mlp, NormalizedEi, add_losses};
use crate::RunConfig;

/// Networks of one form that are trained together but learn independently. A GPU records a step and replays it, so
/// a step must be as [`Learner::RECORDABLE`] describes.
pub trait NetworkPopulation: Module + Send + Sync + 'static {
    /// The type of the networks.
    type Network: Learner;

    /// Whether a network with this configuration can be in a population; otherwise it is trained alone.
    fn takes(config: &RunConfig) -> bool;

    /// Combines the networks into a population.
    ///
    /// # Errors
    ///
    /// If they differ in more than their sizes, or there is none.
    fn stack(networks: Vec<Self::Network>) -> Result<Self, ei_norm::Error>;

    /// The networks with their current weights.
    fn unstack(&self) -> Vec<Self::Network>;

    /// The logits of a batch for each network and, if there are any, the sums of their local losses.
    ///
    /// # Shapes
    ///
    /// - `x`: `[networks, batch, pixels]`, logits: `[networks, batch, classes]`, losses: `[networks]`
    fn logits_with_local_losses(&self, x: Tensor<3>) -> (Tensor<3>, Option<Tensor<1>>);
}

/// [`Mlp`]s of one condition and depth.
#[derive(Module, Debug)]
pub struct MlpPopulation {
    hidden: Vec<HiddenPopulation>,
    readout: Population<Ei>,
    /// The networks before they were stacked; there is at least one.
    #[module(skip)]
    networks: Vec<Mlp>,
}

/// One hidden layer of all networks; the layers of the networks say how it is normalized.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // A population has a few of these.
enum HiddenPopulation {
    Ei(Population<Ei>),
    INorm(Population<INorm>),
}

impl HiddenPopulation {
    fn stack(layers: &[&DenseHidden]) -> Result<Self, ei_norm::Error> {
        let refuse = || ei_norm::Error::Config {
            name: "networks",
            value: "different conditions, or one whose errors are not a mode".to_owned(),
            allowed: "networks of one condition",
        };
        match layers {
            [Hidden::Ei(first), ..] => {
                let circuits = layers.iter().map(|layer| match layer {
                    Hidden::Ei(other) if other.normalization == first.normalization => {
                        Ok(other.layer.circuit.clone())
                    }
                    _ => Err(refuse()),
                });
                let circuits = circuits.collect::<Result<_, _>>()?;
                Ok(Self::Ei(Population::stack(circuits)?))
            }
            _ => {
                let circuits = layers.iter().map(|layer| match layer {
                    Hidden::INorm(layer) => Ok(layer.circuit.clone()),
                    _ => Err(refuse()),
                });
                let circuits = circuits.collect::<Result<_, _>>()?;
                Ok(Self::INorm(Population::stack(circuits)?))
            }
        }
    }

    /// The pre-activations and local losses; `one` is the layer of any network.
    fn forward(&self, x: Tensor<3>, one: &DenseHidden) -> (Tensor<3>, Option<Tensor<1>>) {
        match self {
            Self::Ei(circuits) => {
                let z = circuits.forward(x);
                let z = match one {
                    Hidden::Ei(NormalizedEi {
                        normalization: Some((kind, backward)),
                        epsilon,
                        ..
                    }) => circuits.normalize(z, *kind, *backward, *epsilon),
                    _ => z,
                };
                (z, None)
            }
            Self::INorm(circuits) => {
                let (z, local) = circuits.forward_with_local_loss(x);
                (z, Some(local))
            }
        }
    }

    /// Copies the current layer of each network into `layers`.
    fn unstack_into<'a>(&self, layers: impl Iterator<Item = &'a mut DenseHidden>) {
        match self {
            Self::Ei(circuits) => {
                for (layer, circuit) in layers.zip(circuits.unstack()) {
                    if let Hidden::Ei(NormalizedEi { layer, .. }) = layer {
                        layer.circuit = circuit;
                    }
                }
            }
            Self::INorm(circuits) => {
                for (layer, circuit) in layers.zip(circuits.unstack()) {
                    if let Hidden::INorm(layer) = layer {
                        layer.circuit = circuit;
                    }
                }
            }
        }
    }
}

impl NetworkPopulation for MlpPopulation {
    type Network = Mlp;

    fn takes(config: &RunConfig) -> bool {
        config.condition.hidden.has_fixed_errors() && config.clip_errors.is_none()
    }

    fn stack(networks: Vec<Mlp>) -> Result<Self, ei_norm::Error> {
        let depth = networks.iter().map(|network| network.hidden.len()).min();
        let hidden = (0..depth.unwrap_or(0)).map(|k| {
            let layers = networks.iter().map(|network| &network.hidden[k]);
            HiddenPopulation::stack(&layers.collect::<Vec<_>>())
        });
        let readouts = networks
            .iter()
            .map(|network| network.readout.circuit.clone());
        Ok(Self {
            hidden: hidden.collect::<Result<_, _>>()?,
            readout: Population::stack(readouts.collect())?,
            networks,
        })
    }

    fn unstack(&self) -> Vec<Mlp> {
        let mut networks = self.networks.clone();
        for (k, hidden) in self.hidden.iter().enumerate() {
            hidden.unstack_into(networks.iter_mut().map(|network| &mut network.hidden[k]));
        }
        for (network, circuit) in networks.iter_mut().zip(self.readout.unstack()) {
            network.readout.circuit = circuit;
        }
        networks
    }

    fn logits_with_local_losses(&self, mut x: Tensor<3>) -> (Tensor<3>, Option<Tensor<1>>) {
        let mut total: Option<Tensor<1>> = None;
        for (layer, one) in self.hidden.iter().zip(&self.networks[0].hidden) {
            let (z, local) = layer.forward(x, one);
            total = add_losses(total, local);
            x = relu(z);
        }
        (self.readout.forward(x), total)
    }
}
