//! Layers that obey Dale's law: a [circuit](crate::circuit) in a geometry.
//!
//! | | [`Dense`]: rows | [`Conv2d`]: positions of an image | [`Recurrent`]: steps of a sequence |
//! |---|---|---|---|
//! | [`Ei`] | [`EiLinear`] | [`EiConv2d`] | [`EiRnn`] |
//! | [`INorm`] | [`INormLinear`] | [`INormConv2d`] | [`INormRnn`] |
//! | [`Shunting`] | [`ShuntingLinear`] | [`ShuntingConv2d`] | [`ShuntingRnn`] |
//! | [`ColumnEi`] | [`ColumnEiLinear`] | [`ColumnEiConv2d`] | [`ColumnEiRnn`] |
//!
//! Every name in the table is a [`Layer`]; with the suffix `Config` it is a [`LayerConfig`]. A layer
//! dereferences to its circuit, so the weights are fields: `layer.w_ex`. Records and paths have no level
//! between a layer and its weights.

mod conv;
mod dense;
mod input_check;
mod options;
mod patches;
mod recurrent;
mod state;

use std::ops::{Deref, DerefMut};

use burn::config::Config;
use burn::module::{
    Content, Devices, DisplaySettings, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper,
    ModuleVisitor,
};
use burn::tensor::Device;
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::check::{check_elements, check_shape};
use crate::circuit::{
    Circuit, ColumnEi, ColumnEiOptions, Ei, EiOptions, INorm, INormOptions, Options, Shunting,
    ShuntingOptions, Wiring,
};
use crate::init;
use crate::{Error, dale};

pub use conv::Conv2d;
pub use dense::Dense;
pub use input_check::InputCheck;
pub use recurrent::{Padded, Recurrent};
pub use state::RnnState;

/// The arrangement of the rows that a circuit reads.
pub trait Geometry:
    std::fmt::Debug + Clone + Serialize + serde::de::DeserializeOwned + Send + Sync + sealed::Sealed
{
    /// The second part of a layer's name.
    const NAME: &'static str;

    /// The connections between inputs and outputs.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if a size is not allowed.
    fn wiring(&self) -> Result<Wiring, Error>;

    /// Adds the sizes to the display of a layer.
    fn describe_sizes(&self, content: Content) -> Content;

    /// Adds the rest of the geometry to the display of a layer.
    fn describe(&self, content: Content) -> Content {
        content
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Dense {}
    impl Sealed for super::Conv2d {}
    impl Sealed for super::Recurrent {}
}

/// A circuit in a geometry; see the [table](self) for its names.
///
/// Made by a [`LayerConfig`], or from weights by `from_weights`.
#[derive(Debug, Clone)]
pub struct Layer<C, G> {
    /// The circuit, with all parameters. The layer dereferences to it.
    pub circuit: C,
    geometry: G,
    /// Whether inputs are checked; off by default.
    pub input_check: InputCheck,
}

/// Configuration of a [`Layer`]: a geometry, set by `new`, and the options of a circuit, each with a `with_`
/// method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerConfig<O, G> {
    /// The sizes and other properties of the geometry.
    #[serde(flatten)]
    pub geometry: G,
    /// The options of the circuit.
    #[serde(flatten)]
    pub circuit: O,
}

impl<O: Options, G: Geometry> Config for LayerConfig<O, G> {}

macro_rules! doors {
    ($($(#[$doc:meta])* $layer:ident, $config:ident: $circuit:ident $options:ident $geometry:ident;)*) => {
        $(
            $(#[$doc])*
            pub type $layer = Layer<$circuit, $geometry>;
            #[doc = concat!("Configuration of [`", stringify!($layer), "`].")]
            pub type $config = LayerConfig<$options, $geometry>;
        )*
    };
}

doors! {
    /// A linear layer of excitatory neurons with feed-forward inhibition: the circuit [`Ei`] on rows.
    EiLinear, EiLinearConfig: Ei EiOptions Dense;
    /// A convolution of excitatory maps with feed-forward inhibition: the circuit [`Ei`] on the patch at each
    /// position. It is computed as one convolution with the kernels of W_ex − W_ix W_ei: a batch has so many
    /// positions that computing these kernels once costs less than inhibitory maps.
    EiConv2d, EiConv2dConfig: Ei EiOptions Conv2d;
    /// A recurrent network of excitatory neurons with feed-forward and recurrent inhibition: the circuit
    /// [`Ei`] at each step, h_t = φ(z_t) with z_t computed from [x_t, h_{t−1}]. The inputs and the neurons
    /// have separate inhibitory units.
    EiRnn, EiRnnConfig: Ei EiOptions Recurrent;
    /// A linear layer of excitatory neurons that inhibition normalizes: the circuit [`INorm`] on rows. By
    /// default its errors are normalized in full ([`INormOptions::grad_norm`]), as in its other geometries.
    INormLinear, INormLinearConfig: INorm INormOptions Dense;
    /// A convolution of excitatory maps that inhibition normalizes, over the channels of each position or
    /// over a whole map ([`NormalizedOver`](crate::circuit::NormalizedOver)): the circuit [`INorm`] on the
    /// patch at each position.
    INormConv2d, INormConv2dConfig: INorm INormOptions Conv2d;
    /// A recurrent network that inhibition normalizes at every step: the circuit [`INorm`] on [x_t, h_{t−1}].
    /// The local loss of a step reaches only the inhibitory weights, and no earlier step.
    INormRnn, INormRnnConfig: INorm INormOptions Recurrent;
    /// A linear layer of excitatory neurons whose inhibition subtracts and divides: the circuit
    /// [`Shunting`] on rows.
    ShuntingLinear, ShuntingLinearConfig: Shunting ShuntingOptions Dense;
    /// A convolution of excitatory maps whose inhibition subtracts and divides: the circuit [`Shunting`] on
    /// the patch at each position, with α for each inhibitory map, and g and b for each channel.
    ShuntingConv2d, ShuntingConv2dConfig: Shunting ShuntingOptions Conv2d;
    /// A recurrent network whose inhibition subtracts and divides: the circuit [`Shunting`] on
    /// [x_t, h_{t−1}], with inhibitory units that read both.
    ShuntingRnn, ShuntingRnnConfig: Shunting ShuntingOptions Recurrent;
    /// A linear layer whose inputs excite or inhibit: the circuit [`ColumnEi`] on rows.
    ColumnEiLinear, ColumnEiLinearConfig: ColumnEi ColumnEiOptions Dense;
    /// A convolution whose channels excite or inhibit: the circuit [`ColumnEi`] on the patch at each
    /// position.
    ColumnEiConv2d, ColumnEiConv2dConfig: ColumnEi ColumnEiOptions Conv2d;
    /// A recurrent network whose neurons excite or inhibit: the circuit [`ColumnEi`] on [x_t, h_{t−1}].
    ColumnEiRnn, ColumnEiRnnConfig: ColumnEi ColumnEiOptions Recurrent;
}

impl<O: Options, G: Geometry> LayerConfig<O, G> {
    init::seeded_by_device!(Layer<O::Circuit, G>);

    /// Creates the layer with weights drawn from `rng`, on the host in f64: the same weights on every
    /// backend, up to the rounding of its dtype.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with the name of the option if a size, a stride or a number of units is 0 but must
    /// not be, a fraction is not in 0..=1, ε is negative or not finite, or the initialization does not
    /// support the layer.
    pub fn try_init_with(
        &self,
        device: &Device,
        rng: &mut impl Rng,
    ) -> Result<Layer<O::Circuit, G>, Error> {
        let wiring = self.geometry.wiring()?;
        check_elements(&[wiring.inputs(), wiring.outputs])?;
        let circuit = self.circuit.build(&wiring, device, rng)?;
        Ok(Layer::unchecked(circuit, self.geometry.clone()))
    }
}

impl<C: Circuit, G: Geometry> Layer<C, G> {
    fn unchecked(circuit: C, geometry: G) -> Self {
        Self {
            circuit,
            geometry,
            input_check: InputCheck::default(),
        }
    }

    /// A layer of this circuit in this geometry. A geometry without autapses does not change the circuit: mask
    /// its W_ex too ([`Weight::set_mask`](crate::dale::Weight::set_mask)).
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if a size of the geometry is not allowed, [`Error::Shape`] if the circuit has
    /// other sizes.
    pub fn new(circuit: C, geometry: G) -> Result<Self, Error> {
        let wiring = geometry.wiring()?;
        check_shape("w_ex", circuit.sizes(), [wiring.inputs(), wiring.outputs])?;
        Ok(Self::unchecked(circuit, geometry))
    }

    /// The same layer, with a check that its inputs are ≥ 0; `name` is the layer's name in the error.
    #[must_use]
    pub fn with_input_check(self, name: &str) -> Self {
        let input_check = InputCheck::named(name);
        Self {
            input_check,
            ..self
        }
    }

    /// The geometry.
    pub fn geometry(&self) -> &G {
        &self.geometry
    }

    fn map(self, f: impl FnOnce(C) -> C) -> Self {
        let circuit = f(self.circuit);
        Self { circuit, ..self }
    }
}

impl<C, G> Deref for Layer<C, G> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.circuit
    }
}

impl<C, G> DerefMut for Layer<C, G> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.circuit
    }
}

// Written by hand: the derive would put a level between a layer and its weights.
impl<C: Circuit, G: Geometry> Module for Layer<C, G> {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.circuit.collect_devices(devices)
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.circuit.visit(visitor);
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        self.map(|circuit| circuit.map(mapper))
    }

    fn fork(self, device: &Device) -> Self {
        self.map(|circuit| circuit.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.map(|circuit| circuit.to_device(device))
    }

    fn valid(&self) -> Self {
        self.clone().map(|circuit| circuit.valid())
    }

    fn train(self) -> Self {
        self.map(Module::train)
    }

    fn materialize(self) -> Self {
        self.map(Module::materialize)
    }
}

impl<C: Circuit, G: Geometry> ModuleDisplayDefault for Layer<C, G> {
    fn content(&self, content: Content) -> Option<Content> {
        let content = content.set_top_level_type(&format!("{}{}", C::NAME, G::NAME));
        let content = self.geometry.describe_sizes(content);
        let content = self.geometry.describe(self.circuit.describe(content));
        let [masked, reparameterized] = dale::peculiarities(&self.circuit);
        let said = [("masked", masked), ("reparameterized", reparameterized)];
        let said = said.iter().filter(|(_, names)| !names.is_empty());
        said.fold(content, |content, (what, names)| {
            content.add(what, names.join(" ").as_str())
        })
        .optional()
    }

    fn num_params(&self) -> usize {
        Module::num_params(self)
    }
}

// Without this implementation, `to_string` would dereference to the circuit.
impl<C: Circuit, G: Geometry> std::fmt::Display for Layer<C, G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.format(DisplaySettings::default()))
    }
}

impl<C: Circuit, G: Geometry> ModuleDisplay for Layer<C, G> {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new()
            .with_new_line_after_attribute(false)
            .optional()
    }
}
