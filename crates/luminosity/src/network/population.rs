//! Populations: networks of dense hidden layers that are trained together.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use ei_norm::circuit::{Ei, INorm, Population};
use ei_norm::functional::{BackwardRule, Normalization};

use super::{DenseHidden, EPSILON, Hidden, Learner, Mlp, NormalizedEi, add_losses};
use crate::RunConfig;
use crate::condition::{ErrorRule, HiddenSpec};

/// Networks of one form that are trained together but learn independently.
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
    /// The networks before they were stacked.
    #[module(skip)]
    networks: Vec<Mlp>,
}

/// One hidden layer of all networks.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // A population has a few of these.
enum HiddenPopulation {
    Ei(NormalizedPopulation),
    INorm(Population<INorm>),
}

#[derive(Module, Debug)]
struct NormalizedPopulation {
    circuits: Population<Ei>,
    #[module(skip)]
    normalization: Option<(Normalization, BackwardRule)>,
}

impl HiddenPopulation {
    fn stack(layers: Vec<&DenseHidden>) -> Result<Self, ei_norm::Error> {
        let (mut ei, mut i_norm, mut normalizations) = (Vec::new(), Vec::new(), Vec::new());
        for layer in &layers {
            match layer {
                Hidden::Ei(hidden) => {
                    ei.push(hidden.layer.circuit.clone());
                    normalizations.push(hidden.normalization);
                }
                Hidden::INorm(layer) => i_norm.push(layer.circuit.clone()),
                Hidden::LateralINorm(_) | Hidden::CustomINorm(_) => {}
            }
        }
        let alike = normalizations.windows(2).all(|pair| pair[0] == pair[1]);
        match normalizations.first() {
            Some(&normalization) if alike && ei.len() == layers.len() => {
                Ok(Self::Ei(NormalizedPopulation {
                    circuits: Population::stack(ei)?,
                    normalization,
                }))
            }
            None if i_norm.len() == layers.len() => Ok(Self::INorm(Population::stack(i_norm)?)),
            _ => Err(ei_norm::Error::Config {
                name: "networks",
                value: "different conditions, or one whose errors are not a mode".to_owned(),
                allowed: "networks of one condition",
            }),
        }
    }

    fn forward(&self, x: Tensor<3>) -> (Tensor<3>, Option<Tensor<1>>) {
        match self {
            Self::Ei(hidden) => {
                let z = hidden.circuits.forward(x);
                let z = match hidden.normalization {
                    Some((kind, backward)) => hidden.circuits.normalize(z, kind, backward, EPSILON),
                    None => z,
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
            Self::Ei(hidden) => {
                for (layer, circuit) in layers.zip(hidden.circuits.unstack()) {
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
        let fits = match config.condition.hidden {
            HiddenSpec::Ei { .. } => true,
            HiddenSpec::INorm { errors, .. } => matches!(errors, ErrorRule::GradNorm(_)),
        };
        fits && config.clip_errors.is_none()
    }

    fn stack(networks: Vec<Mlp>) -> Result<Self, ei_norm::Error> {
        let depth = networks.iter().map(|network| network.hidden.len()).min();
        let hidden = (0..depth.unwrap_or(0)).map(|k| {
            let layers = networks.iter().map(|network| &network.hidden[k]);
            HiddenPopulation::stack(layers.collect())
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
        for layer in &self.hidden {
            let (z, local) = layer.forward(x);
            total = add_losses(total, local);
            x = relu(z);
        }
        (self.readout.forward(x), total)
    }
}
