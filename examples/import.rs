//! Published weights in a Burn model:
//! `cargo run --release --example import -- FILE [KEY] [--save OUT.safetensors]`.
//!
//! Reads a 3-layer network under the published names (`fc0`, `fc1`, `fc_output`), prints its sizes and
//! its outputs for a constant input, and writes it back as safetensors if asked. FILE ends in
//! `.safetensors` or is one of PyTorch; KEY is the entry of a PyTorch checkpoint that holds the
//! `state_dict`. `--smoke` takes the file of the tests.

use std::path::Path;

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
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let save = match arguments.iter().position(|a| a == "--save") {
        Some(at) if at + 1 < arguments.len() => arguments.drain(at..at + 2).last(),
        Some(_) => return Err("--save needs a file".into()),
        None => None,
    };
    let file = match arguments.first().map(String::as_str) {
        Some("--smoke") => concat!(env!("CARGO_MANIFEST_DIR"), "/tests/import/f32.pt"),
        Some(file) => file,
        None => return Err("usage: import FILE [KEY] [--save OUT.safetensors]".into()),
    };
    let weights = match Path::new(file).extension() {
        Some(ending) if ending == "safetensors" => Weights::from_safetensors_file(file)?,
        _ => Weights::from_pytorch(file, arguments.get(1).map(String::as_str))?,
    };
    let device = Device::flex();
    let mut net = Net::like(&weights, &device)?;
    let map = KeyMap::published([
        ("fc0", "hidden.0"),
        ("fc1", "hidden.1"),
        ("fc_output", "readout"),
    ]);
    Import::new(map.clone())
        .with_conversion(true)
        .apply(&weights, &mut net)?;
    println!("{net}");
    let inputs = net.hidden[0].w_ex.dims()[0];
    let outputs = net.forward(Tensor::full([1, inputs], 0.5, &device));
    println!("outputs for 0.5 everywhere: {}", outputs.into_data());
    if let Some(path) = save {
        std::fs::write(&path, Weights::of(&net, &map)?.to_safetensors()?)?;
        println!("saved: {path}");
    }
    Ok(())
}
