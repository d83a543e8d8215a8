//! Weights and activities as `.npy` files, for NumPy and other readers of the format.

use std::path::Path;

use burn::tensor::{Device, TensorData};
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
/// Either all arrays are written or none; arrays of an earlier network are removed.
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
    let mut arrays = network.parameters();
    let mut shifts = generator(config.seed, Purpose::TestShifts);
    let indices: Vec<usize> = (0..split.len().min(BATCH)).collect();
    let stimulus = config.stimulus;
    let batch = stimulus.batch(split, &indices, config.epsilon, None, &mut shifts, device);
    arrays.push(("input".to_owned(), batch.x.to_data()));
    arrays.push(("labels".to_owned(), batch.labels.float().into_data()));
    let activity = network.pre_activations(batch.x.clone());
    arrays.extend(activity.into_iter().enumerate().map(|(index, activity)| {
        let name = format!("pre_activation.{index}");
        (name, activity.into_data())
    }));
    arrays.push(("logits".to_owned(), network.logits(batch.x).into_data()));
    let files = arrays.iter().map(|(name, data)| {
        let path = folder.join(format!("{name}.npy"));
        let content = encode(&path, data)?;
        Ok((path, content))
    });
    let files = files.collect::<Result<Vec<_>, Error>>()?;
    files::write_all(&files)?;
    // Other arrays of a numbered layer are of an earlier network.
    let kinds = arrays.iter().filter_map(|(name, _)| name.split('.').next());
    let kinds: Vec<&str> = kinds.chain(["hidden", "pre_activation"]).collect();
    for path in files::list(folder)? {
        let name = path.file_name().and_then(|name| name.to_str());
        let parts: Vec<&str> = name.unwrap_or_default().split('.').collect();
        let is_of_layer = match parts[..] {
            [kind, layer, .., "npy"] => kinds.contains(&kind) && layer.parse::<usize>().is_ok(),
            _ => false,
        };
        if is_of_layer && files.iter().all(|(written, _)| *written != path) {
            files::remove(&path)?;
        }
    }
    Ok(())
}

fn encode(path: &Path, data: &TensorData) -> Result<Vec<u8>, Error> {
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
    encoded.map_err(|e| Error::io("encode", path, e))?;
    Ok(bytes)
}
