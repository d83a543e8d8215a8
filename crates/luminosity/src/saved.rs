//! A trained network on disk: `NAME.bpk`, its weights as a Burn record, and `NAME.json`, the record
//! of the run, which says what the weights are for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device};
use ei_norm::dale;

use crate::model::Network;
use crate::random::{Purpose, generator};
use crate::record::RunRecord;
use crate::{Error, files};

/// The two files of a saved model, from the name of either or of both without an ending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFiles {
    /// The weights.
    pub weights: PathBuf,
    /// The record.
    pub record: PathBuf,
}

impl ModelFiles {
    /// The files that belong to `name`.
    pub fn named(name: &Path) -> Self {
        let known = name.extension().is_some_and(|e| e == "bpk" || e == "json");
        let with = |ending: &str| match known {
            true => name.with_extension(ending),
            false => {
                let mut path = name.as_os_str().to_owned();
                path.push(".");
                path.push(ending);
                PathBuf::from(path)
            }
        };
        Self {
            weights: with("bpk"),
            record: with("json"),
        }
    }

    /// Makes sure, before training, that the files can be written.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] that names the folder.
    pub fn prepare(&self) -> Result<(), Error> {
        match self.weights.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => files::prepare_folder(folder),
            _ => files::prepare_folder(Path::new(".")),
        }
    }

    /// Writes both files.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] that names the file.
    pub fn save(&self, network: &Network, record: &RunRecord) -> Result<(), Error> {
        let weights = network.clone().into_record().into_bytes();
        let weights = weights.map_err(|e| Error::file(&self.weights, e))?;
        files::write(&self.weights, &weights)?;
        let mut json = serde_json::to_vec(record).map_err(|e| Error::file(&self.record, e))?;
        json.push(b'\n');
        files::write(&self.record, &json)
    }

    /// Reads both files.
    ///
    /// # Errors
    ///
    /// If a file is missing or damaged, the weights are not those of the record's network, or they
    /// break Dale's law.
    pub fn load(&self, device: &Device) -> Result<(Network, RunRecord), Error> {
        let json = files::read(&self.record)?;
        let record: RunRecord = serde_json::from_slice(&json)
            .map_err(|e| Error::file(&self.record, format!("not the record of a model ({e})")))?;
        record.config.validate()?;
        let bytes = files::read(&self.weights)?;
        let damaged =
            |problem: String| Error::file(&self.weights, format!("not a whole model ({problem})"));
        // A damaged file must not end the program, wherever its reader stumbles.
        let weights = catch_unwind(AssertUnwindSafe(|| {
            ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes))
        }));
        let weights = match weights {
            Ok(weights) => weights.map_err(|e| damaged(e.to_string()))?,
            Err(_) => return Err(damaged("its structure is broken".to_owned())),
        };
        let config = &record.config;
        let network = Network::init(
            config.condition.hidden(),
            config.sizes(),
            config.init,
            device,
            &mut generator(config.seed, Purpose::Weights),
        )?;
        let network = network.try_load_record(weights).map_err(|e| {
            let problem = format!("not the weights of {}: {e}", self.record.display());
            Error::file(&self.weights, problem)
        })?;
        dale::check(&network).map_err(|e| Error::file(&self.weights, e))?;
        Ok((network, record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_file_or_the_bare_name_stands_for_both() {
        for name in ["runs/a", "runs/a.bpk", "runs/a.json"] {
            let files = ModelFiles::named(Path::new(name));
            assert_eq!(files.weights, Path::new("runs/a.bpk"));
            assert_eq!(files.record, Path::new("runs/a.json"));
        }
        let files = ModelFiles::named(Path::new("eps0.75"));
        assert_eq!(files.weights, Path::new("eps0.75.bpk"));
    }
}
