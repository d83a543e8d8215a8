//! Weights and activities as `.npy` files, for NumPy and other readers of the format.

use std::path::Path;

use burn::tensor::{Device, Int, Tensor, TensorData};
use npyz::WriterBuilder;

use crate::data::Split;
use crate::network::TrainedNetwork;
use crate::random::{Purpose, generator};
use crate::{Error, RunConfig, files};

/// The number of images in the dumped batch.
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
    network: &dyn TrainedNetwork,
    config: &RunConfig,
    split: &Split,
    device: &Device,
) -> Result<(), Error> {
    files::prepare_folder(folder)?;
    for (path, data) in network.parameters() {
        write(folder, &path, data)?;
    }
    let mut shifts = generator(config.seed, Purpose::TestShifts);
    let indices: Vec<usize> = (0..split.len().min(BATCH)).collect();
    let batch = config.batch(split, &indices, None, &mut shifts, device);
    write(folder, "input", batch.x.to_data())?;
    let labels: Tensor<1, Int> = batch.labels;
    write(folder, "labels", labels.float().into_data())?;
    let activity = network.pre_activations(batch.x.clone());
    for (index, pre_activation) in activity.into_iter().enumerate() {
        let name = format!("pre_activation.{index}");
        write(folder, &name, pre_activation.into_data())?;
    }
    write(folder, "logits", network.logits(batch.x).into_data())
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
