//! Published weights in a Burn model: `cargo run --release --example import -- FILE.pt [KEY]`.
//!
//! Reads a 3-layer network under the published names (`fc0`, `fc1`, `fc_output`), prints its sizes and
//! its outputs for a constant input. KEY is the entry of a checkpoint that holds the `state_dict`.
//! `--smoke` takes the file of the tests.

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use ei_norm::import::{Import, KeyMap, Weights};
use ei_norm::prelude::*;

#[derive(Module, Debug)]
struct Net {
    hidden: Vec<INormLinear>,
    readout: EiLinear,
}

impl Net {
    /// A network of the sizes of the file.
    fn like(weights: &Weights, device: &Device) -> Result<Self, ei_norm::Error> {
        // Of the published matrices [outputs, inputs].
        let size = |key: &str, axis: usize| {
            let shape = weights.shape(key).unwrap_or_default();
            shape.get(axis).copied().unwrap_or(1)
        };
        let sizes = |layer: &str| {
            let (w_ex, w_ix) = (format!("{layer}.Wex"), format!("{layer}.Wix"));
            let inhibitory = Inhibitory::Count(size(&w_ix, 0));
            (size(&w_ex, 1), size(&w_ex, 0), inhibitory)
        };
        let hidden = |layer| {
            let (inputs, outputs, inhibitory) = sizes(layer);
            INormLinearConfig::new(inputs, outputs)
                .with_inhibitory(inhibitory)
                .try_init(device)
        };
        let (inputs, outputs, inhibitory) = sizes("fc_output");
        Ok(Self {
            hidden: vec![hidden("fc0")?, hidden("fc1")?],
            readout: EiLinearConfig::new(inputs, outputs)
                .with_inhibitory(inhibitory)
                .try_init(device)?,
        })
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = self
            .hidden
            .iter()
            .fold(x, |x, layer| relu(layer.forward(x)));
        self.readout.forward(x)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = match arguments.next().as_deref() {
        Some("--smoke") => concat!(env!("CARGO_MANIFEST_DIR"), "/tests/import/f32.pt").to_owned(),
        Some(file) => file.to_owned(),
        None => return Err("usage: import FILE.pt [KEY], or import --smoke".into()),
    };
    let weights = Weights::from_pytorch(&file, arguments.next().as_deref())?;
    let device = Device::flex();
    let mut net = Net::like(&weights, &device)?;
    let map = KeyMap::published([
        ("fc0", "hidden.0"),
        ("fc1", "hidden.1"),
        ("fc_output", "readout"),
    ]);
    Import::new(map)
        .with_conversion(true)
        .apply(&weights, &mut net)?;
    println!("{net}");
    let inputs = net.hidden[0].w_ex.dims()[0];
    let outputs = net.forward(Tensor::full([1, inputs], 0.5, &device));
    println!("outputs for 0.5 everywhere: {}", outputs.into_data());
    Ok(())
}
