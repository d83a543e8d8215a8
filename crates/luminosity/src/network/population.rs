//! Populations: networks that are trained together.

use burn::module::Module;
use burn::tensor::Tensor;
use ei_norm::circuit::{Ei, INorm, NormalizedOver, Population};
use ei_norm::functional::{BackwardRule, Normalization};
use ei_norm::layer::{Conv2d, Dense, Geometry};
use ei_norm::{EiLinear, LearnedLateral};

use super::hidden::{Custom, HiddenIn, Stage, customized};
use super::{CustomINorm, Hidden, LateralINorm, Learner, NormalizedEi};
use crate::RunConfig;

/// Networks of one form that are trained together but learn independently. A GPU records a step and replays it, so
/// a step must be as [`Learner::RECORDABLE`] describes.
pub trait NetworkPopulation: Module + Send + Sync + 'static {
    /// The type of the networks.
    type Network: Learner;

    /// Whether a network with this configuration can be in a population; otherwise it is trained alone. By default yes.
    fn takes(config: &RunConfig) -> bool {
        let _ = config;
        true
    }

    /// Combines the networks into a population.
    ///
    /// # Errors
    ///
    /// If they differ in more than their sizes, or there is none.
    fn stack(networks: Vec<Self::Network>) -> Result<Self, ei_norm::Error>;

    /// The networks with their current weights.
    fn unstack(&self) -> Vec<Self::Network>;

    /// The logits of a batch for each network and, if there are any, the sums of their local losses. The batches of
    /// the networks follow each other.
    ///
    /// # Shapes
    ///
    /// - `x`: `[networks · batch, pixels]`, logits: `[networks · batch, classes]`, losses: `[networks]`
    fn logits_with_local_losses(&self, x: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>);

    /// As [`Learner::adapt`].
    #[must_use]
    fn adapt(self) -> Self {
        self
    }
}

/// A geometry of hidden layers that can be in a population.
pub trait Arranged: Geometry + 'static {
    /// [`Stage::Batch`] of the layers.
    type Batch;

    /// The geometry with the larger number of inputs.
    fn widest(self, other: Self) -> Self;

    /// [`Stage::forward`] of a layer.
    fn forward(layer: &HiddenIn<Self>, x: Self::Batch) -> (Self::Batch, Option<Tensor<1>>);

    /// [`Stage::forward`] of a layer of all networks.
    fn forward_all(
        layer: &HiddenPopulation<Self>,
        x: Self::Batch,
    ) -> (Self::Batch, Option<Tensor<1>>);
}

impl<G: Arranged> Stage for HiddenIn<G> {
    type Batch = G::Batch;

    fn forward(&self, x: G::Batch) -> (G::Batch, Option<Tensor<1>>) {
        G::forward(self, x)
    }

    fn outputs(&self) -> usize {
        self.width()
    }
}

impl<G: Arranged> Stage for HiddenPopulation<G> {
    type Batch = G::Batch;

    fn forward(&self, x: G::Batch) -> (G::Batch, Option<Tensor<1>>) {
        G::forward_all(self, x)
    }

    fn outputs(&self) -> usize {
        self.outputs.iter().copied().max().unwrap_or(0)
    }
}

/// A network of hidden layers of a condition and an EI readout; its populations are [`LayeredPopulation`]s.
pub trait Layered: Learner {
    /// The geometry of the hidden layers.
    type Geometry: Arranged;

    /// The hidden layers, starting at the input, and the readout.
    fn layers(&self) -> (&[HiddenIn<Self::Geometry>], &EiLinear);

    /// [`layers`](Self::layers), mutable.
    fn layers_mut(&mut self) -> (&mut [HiddenIn<Self::Geometry>], &mut EiLinear);

    /// The sizes of the parts of the inputs of a hidden layer, for [`Population::stack_in_parts`]: by default a part
    /// for each place of a kernel.
    fn input_parts(&self, layer: &HiddenIn<Self::Geometry>) -> Vec<usize> {
        let wiring = layer.geometry().wiring();
        wiring.map_or_else(|_| Vec::new(), |wiring| vec![wiring.sources; wiring.places])
    }

    /// [`Learner::logits_with_local_loss`] of this network, or of a population of such networks, with these layers.
    ///
    /// # Shapes
    ///
    /// - `x`: `[networks · batch, pixels]`, logits: `[networks · batch, classes]`, losses: `[networks]`
    fn compute<H: Stage<Batch = <Self::Geometry as Arranged>::Batch>>(
        &self,
        hidden: &[H],
        readout: &impl Stage<Batch = Tensor<2>>,
        x: Tensor<2>,
    ) -> (Tensor<2>, Option<Tensor<1>>);
}

/// Networks of one condition and depth.
#[derive(Module, Debug)]
pub struct LayeredPopulation<N: Layered> {
    hidden: Vec<HiddenPopulation<N::Geometry>>,
    readout: Population<Ei>,
    /// The networks before they were stacked; there is at least one.
    #[module(skip)]
    networks: Vec<N>,
}

/// One hidden layer of all networks.
#[derive(Module, Debug)]
pub struct HiddenPopulation<G: Geometry> {
    circuits: Circuits,
    /// The rules that are computed network by network, one for each. Lateral weights are no parameters of the
    /// population, which all have an axis of networks.
    #[module(skip)]
    rules: Vec<Rule>,
    /// The normalization after an EI layer.
    #[module(skip)]
    normalization: Option<(Normalization, BackwardRule, f64)>,
    #[module(skip)]
    over: NormalizedOver,
    /// The number of neurons or channels of each network.
    #[module(skip)]
    outputs: Vec<usize>,
    /// The geometry of the network with the most inputs.
    #[module(skip)]
    geometry: G,
}

/// A rule for the errors of one network.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // A layer has the same for each of its networks.
enum Rule {
    Lateral(LearnedLateral),
    Custom(Custom),
}

#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // A population has a few of these.
enum Circuits {
    Ei(Population<Ei>),
    INorm(Population<INorm>),
}

impl Rule {
    /// Applies the rule to the errors at the outputs of a network in `joined` places. The first `own` outputs of each
    /// place exist; the others are 0.
    ///
    /// # Shapes
    ///
    /// - `z` and result: `[rows, joined · outputs]`
    fn apply(&self, z: Tensor<2>, joined: usize, own: usize) -> Tensor<2> {
        let [rows, width] = z.dims();
        let outputs = width / joined;
        let z = z.reshape([rows, joined, outputs]).narrow(2, 0, own);
        let z = z.reshape([rows, joined * own]);
        let z = match self {
            Self::Lateral(lateral) => lateral.forward(z),
            Self::Custom(errors) => customized(z, *errors),
        };
        if own == outputs {
            return z;
        }
        let surplus = Tensor::zeros([rows, joined, outputs - own], (&z.device(), z.dtype()));
        let z = Tensor::cat(vec![z.reshape([rows, joined, own]), surplus], 2);
        z.reshape([rows, width])
    }
}

impl<G: Arranged> HiddenPopulation<G> {
    /// Combines the layers, whose inputs have these parts.
    fn stack(layers: &[&HiddenIn<G>], parts: Vec<Vec<usize>>) -> Result<Self, ei_norm::Error> {
        let (mut ei, mut i_norm, mut rules) = (Vec::new(), Vec::new(), Vec::new());
        for layer in layers {
            match layer {
                Hidden::Ei(hidden) => ei.push(hidden.layer.circuit.clone()),
                Hidden::INorm(layer) => i_norm.push(layer.circuit.clone()),
                Hidden::LateralINorm(hidden) => {
                    i_norm.push(hidden.layer.circuit.clone());
                    rules.push(Rule::Lateral(hidden.lateral.clone()));
                }
                Hidden::CustomINorm(hidden) => {
                    i_norm.push(hidden.layer.circuit.clone());
                    rules.push(Rule::Custom(hidden.errors));
                }
            }
        }
        let form = |layer: &HiddenIn<G>| {
            let kind = std::mem::discriminant(layer);
            (kind, layer.normalization(), layer.over())
        };
        let geometries = layers.iter().map(|layer| layer.geometry());
        let (first, geometry) = match (layers.first(), geometries.reduce(G::widest)) {
            (Some(first), Some(geometry)) => (first, geometry),
            _ => return Err(different()),
        };
        if layers.iter().any(|layer| form(layer) != form(first)) {
            return Err(different());
        }
        Ok(Self {
            circuits: match ei.is_empty() {
                true => Circuits::INorm(Population::stack_in_parts(i_norm, parts)?),
                false => Circuits::Ei(Population::stack_in_parts(ei, parts)?),
            },
            rules,
            normalization: first.normalization(),
            over: first.over(),
            outputs: layers.iter().map(|layer| layer.width()).collect(),
            geometry,
        })
    }

    /// The pre-activations and local losses.
    ///
    /// # Shapes
    ///
    /// - `x`: `[networks · batch, ..., inputs]`, pre-activations: `[networks · batch, ..., outputs]`, losses:
    ///   `[networks]`
    fn apply<const D: usize>(&self, x: Tensor<D>) -> (Tensor<D>, Option<Tensor<1>>) {
        let networks = self.outputs.len();
        let mut shape = x.dims();
        let (inputs, places) = (shape[D - 1], shape[1..D - 1].iter().product::<usize>());
        let x = x.reshape([networks, shape[0] / networks, places, inputs]);
        let (z, local) = match &self.circuits {
            Circuits::Ei(circuits) => (circuits.forward(x), None),
            Circuits::INorm(circuits) => {
                let (z, local) = circuits.forward_with_local_loss(x);
                (z, Some(local))
            }
        };
        shape[D - 1] = self.outputs();
        (self.behind(z).reshape(shape), local)
    }

    /// The normalization after the circuits: of rows, or of their errors.
    ///
    /// # Shapes
    ///
    /// - `z` and result: `[networks, batch, places, outputs]`
    fn behind(&self, z: Tensor<4>) -> Tensor<4> {
        if self.normalization.is_none() && self.rules.is_empty() {
            return z;
        }
        let shape @ [networks, batch, places, outputs] = z.dims();
        let joined = match self.over {
            NormalizedOver::Example => places,
            _ => 1,
        };
        let rows: Tensor<3> = z.reshape([networks, batch * places / joined, joined * outputs]);
        let rows = match (&self.circuits, self.normalization) {
            (Circuits::Ei(circuits), Some((kind, rule, epsilon))) => {
                circuits.normalize(rows, kind, rule, epsilon)
            }
            _ => {
                let each = self.rules.iter().enumerate().map(|(network, rule)| {
                    let own = rows.clone().narrow(0, network, 1).squeeze_dim(0);
                    rule.apply(own, joined, self.outputs[network])
                });
                Tensor::stack(each.collect(), 0)
            }
        };
        rows.reshape(shape)
    }

    fn adapt(self) -> Self {
        let rules = self.rules.into_iter().map(|rule| match rule {
            Rule::Lateral(lateral) => Rule::Lateral(lateral.adapt()),
            custom => custom,
        });
        Self {
            rules: rules.collect(),
            ..self
        }
    }

    /// Copies the current layer of each network into `layers`.
    fn unstack_into<'a>(&self, layers: impl Iterator<Item = &'a mut HiddenIn<G>>) {
        match &self.circuits {
            Circuits::Ei(circuits) => {
                for (layer, circuit) in layers.zip(circuits.unstack()) {
                    if let Hidden::Ei(NormalizedEi { layer, .. }) = layer {
                        layer.circuit = circuit;
                    }
                }
            }
            Circuits::INorm(circuits) => {
                for (network, (hidden, circuit)) in layers.zip(circuits.unstack()).enumerate() {
                    if let (Hidden::LateralINorm(hidden), Some(Rule::Lateral(lateral))) =
                        (&mut *hidden, self.rules.get(network))
                    {
                        hidden.lateral = lateral.clone();
                    }
                    if let Hidden::INorm(layer)
                    | Hidden::LateralINorm(LateralINorm { layer, .. })
                    | Hidden::CustomINorm(CustomINorm { layer, .. }) = hidden
                    {
                        layer.circuit = circuit;
                    }
                }
            }
        }
    }
}

impl Arranged for Dense {
    type Batch = Tensor<2>;

    fn widest(self, other: Self) -> Self {
        let d_input = self.d_input.max(other.d_input);
        Self { d_input, ..self }
    }

    fn forward(layer: &HiddenIn<Self>, x: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>) {
        layer.forward(x)
    }

    fn forward_all(layer: &HiddenPopulation<Self>, x: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>) {
        layer.apply(x)
    }
}

impl Arranged for Conv2d {
    type Batch = Tensor<4>;

    fn widest(mut self, other: Self) -> Self {
        self.channels[0] = self.channels[0].max(other.channels[0]);
        self
    }

    fn forward(layer: &HiddenIn<Self>, x: Tensor<4>) -> (Tensor<4>, Option<Tensor<1>>) {
        layer.forward(x)
    }

    fn forward_all(layer: &HiddenPopulation<Self>, x: Tensor<4>) -> (Tensor<4>, Option<Tensor<1>>) {
        let (z, local) = layer.apply(layer.geometry.patches(x));
        (z.permute([0, 3, 1, 2]), local)
    }
}

impl Stage for Population<Ei> {
    type Batch = Tensor<2>;

    fn forward(&self, x: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>) {
        let ([rows, inputs], networks) = (x.dims(), self.networks());
        let z = self.forward(x.reshape([networks, rows / networks, inputs]));
        (z.flatten(0, 1), None)
    }

    fn outputs(&self) -> usize {
        self.sizes()[1]
    }
}

impl<N: Layered> NetworkPopulation for LayeredPopulation<N> {
    type Network = N;

    fn stack(networks: Vec<N>) -> Result<Self, ei_norm::Error> {
        let depth = networks
            .iter()
            .map(|network| network.layers().0.len())
            .max();
        let hidden = (0..depth.unwrap_or(0)).map(|k| {
            let each = networks.iter().filter_map(|network| {
                let layer = network.layers().0.get(k)?;
                Some((layer, network.input_parts(layer)))
            });
            let (layers, parts): (Vec<_>, Vec<_>) = each.unzip();
            match layers.len() == networks.len() {
                true => HiddenPopulation::stack(&layers, parts),
                false => Err(different()),
            }
        });
        let readouts = networks
            .iter()
            .map(|network| network.layers().1.circuit.clone());
        Ok(Self {
            hidden: hidden.collect::<Result<_, _>>()?,
            readout: Population::stack(readouts.collect())?,
            networks,
        })
    }

    fn unstack(&self) -> Vec<N> {
        let mut networks = self.networks.clone();
        for (k, hidden) in self.hidden.iter().enumerate() {
            hidden.unstack_into(
                networks
                    .iter_mut()
                    .map(|network| &mut network.layers_mut().0[k]),
            );
        }
        for (network, circuit) in networks.iter_mut().zip(self.readout.unstack()) {
            network.layers_mut().1.circuit = circuit;
        }
        networks
    }

    fn logits_with_local_losses(&self, x: Tensor<2>) -> (Tensor<2>, Option<Tensor<1>>) {
        self.networks[0].compute(&self.hidden, &self.readout, x)
    }

    fn adapt(self) -> Self {
        let hidden = self.hidden.into_iter().map(HiddenPopulation::adapt);
        Self {
            hidden: hidden.collect(),
            ..self
        }
    }
}

fn different() -> ei_norm::Error {
    ei_norm::Error::Config {
        name: "networks",
        value: "of several conditions or depths".to_owned(),
        allowed: "networks of one condition and depth",
    }
}
