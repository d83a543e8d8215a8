//! Published weights in a Burn model:
//! `cargo run --release --example import -- FILE [KEY] [--prefix PREFIX] [--save OUT.safetensors]`.
//!
//! Reads a 3-layer network under the published names (`fc0`, `fc1`, `fc_output`), prints its sizes and its
//! outputs for a constant input, and optionally writes it as safetensors. FILE ends in `.safetensors`, or in
//! `.json` if it is an index of such files; otherwise it is a PyTorch file. KEY is the entry of a PyTorch
//! checkpoint with the `state_dict`; PREFIX is the prefix of the names. `--smoke` reads a file of the tests.

use std::path::PathBuf;
use std::process::ExitCode;

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use clap::Parser;
use ei_norm::import::{Import, KeyMap, Weights};
use ei_norm::prelude::*;

#[derive(Module, Debug)]
struct Net {
    hidden: Vec<INormLinear>,
    readout: EiLinear,
}

impl Net {
    /// A network with the sizes of the file.
    fn like(weights: &Weights, device: &Device) -> Result<Self, ei_norm::Error> {
        // From the published matrices [outputs, inputs]. For a missing matrix any size will do, because the
        // import reports the matrix.
        let size = |key: &str, axis: usize| {
            let shape = weights.shape(key).unwrap_or_default();
            shape.get(axis).copied().unwrap_or(2)
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

#[derive(Parser)]
#[command(
    about = "Reads the weights of a published network into EI and I-Norm layers",
    after_help = "Examples:
  import model.pt
  import checkpoint.pt state_dict --save model.safetensors
  import model.safetensors
  import model.safetensors.index.json
  import checkpoint.pt state_dict --prefix module.
  import --smoke"
)]
struct Arguments {
    /// A PyTorch or safetensors file, or an index of several safetensors files
    #[arg(required_unless_present = "smoke")]
    file: Option<PathBuf>,
    /// Where a PyTorch file has the weights, if they are in a dictionary within it
    key: Option<String>,
    /// What stands before each name, such as `module.`, `_orig_mod.` or `model.`
    #[arg(long)]
    prefix: Option<String>,
    /// Write the weights to this safetensors file
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Read a small file that is part of the tests
    #[arg(long, conflicts_with = "file")]
    smoke: bool,
}

const SMOKE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/import/f32.pt");

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let file = arguments.file.unwrap_or_else(|| SMOKE.into());
    let mut weights = match file.extension() {
        Some(ending) if ending == "safetensors" || ending == "json" => {
            Weights::from_safetensors_file(&file)?
        }
        _ => Weights::from_pytorch(&file, arguments.key.as_deref())?,
    };
    if let Some(prefix) = arguments.prefix {
        weights = weights.without_prefix(&prefix)?;
    }
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
    if let Some(path) = arguments.save {
        std::fs::write(&path, Weights::of(&net, &map)?.to_safetensors()?)?;
        println!("saved: {}", path.display());
    }
    Ok(())
}
