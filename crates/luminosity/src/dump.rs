//! Weights and activities as `.npy` files, for NumPy and whatever reads its format.

use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};
use npyz::WriterBuilder;

use crate::data::Split;
use crate::model::Network;
use crate::random::{Purpose, generator};
use crate::{Error, RunConfig, files, stimulus};

/// Images in the dumped batch.
const BATCH: usize = 32;

/// Writes into `folder`:
///
/// - every parameter, by its path: `hidden.0.INorm.w_ex.npy`, … (`[inputs, outputs]`)
/// - for a batch of test images: `input.npy`, `labels.npy`, `pre_activation.0.npy`, … and
///   `logits.npy` (`[batch, features]`)
///
/// # Errors
///
/// [`Error::Io`] that names the file.
pub fn dump(
    folder: &Path,
    network: &Network,
    config: &RunConfig,
    split: &Split,
    device: &Device,
) -> Result<(), Error> {
    files::prepare_folder(folder)?;
    let mut parameters = Parameters::default();
    network.visit(&mut parameters);
    for (path, data) in parameters.found {
        write(folder, &path, data)?;
    }
    let mut shifts = generator(config.seed, Purpose::TestShifts);
    let indices: Vec<usize> = (0..split.len().min(BATCH)).collect();
    let batch = stimulus::batch(split, &indices, config.epsilon, &mut shifts, device);
    write(folder, "input", batch.x.to_data())?;
    let labels: Tensor<1, Int> = batch.labels;
    write(folder, "labels", labels.float().into_data())?;
    for (index, trace) in network.trace(batch.x.clone()).into_iter().enumerate() {
        let name = format!("pre_activation.{index}");
        write(folder, &name, trace.pre_activation.into_data())?;
    }
    write(folder, "logits", network.forward(batch.x).into_data())
}

fn write(folder: &Path, name: &str, data: TensorData) -> Result<(), Error> {
    let path = folder.join(format!("{name}.npy"));
    let shape: Vec<u64> = data.shape().iter().map(|size| *size as u64).collect();
    let mut bytes = Vec::new();
    let encoded = npyz::WriteOptions::new()
        .default_dtype()
        .shape(&shape)
        .writer(&mut bytes)
        .begin_nd()
        .and_then(|mut writer| {
            writer.extend(data.iter::<f32>())?;
            writer.finish()
        });
    encoded.map_err(|e| Error::io("encode", &path, e))?;
    files::write(&path, &bytes)
}

#[derive(Default)]
struct Parameters {
    path: Vec<String>,
    found: Vec<(String, TensorData)>,
}

impl ModuleVisitor for Parameters {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val().inner().into_data();
        self.found.push((self.path.join("."), value));
    }
}
