//! A trained network on disk: its weights, as a Burn record (`NAME.bpk`) or as safetensors
//! (`NAME.safetensors`), and `NAME.json`, the record of the run, which describes the network.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::data::{sha256, sha256_of};
use crate::network::{Task, TrainedNetwork};
use crate::record::RunRecord;
use crate::{Error, files};

/// The extensions of files of weights.
const ENDINGS: [&str; 2] = ["bpk", "safetensors"];
/// The most bytes of names and shapes in a file of weights.
const MOST_OF_NAMES: u64 = 1 << 20;
/// The longest record that is read.
const MOST_OF_A_RECORD: u64 = 1 << 28;

/// The two files of a saved model, from the name of either file or from their name without an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFiles {
    pub weights: PathBuf,
    pub record: PathBuf,
}

/// A file of weights that has not been read yet.
#[derive(Debug)]
pub(crate) struct Weights<'a> {
    files: &'a ModelFiles,
    /// The digest in its record; records of earlier versions have none.
    sha256: Option<&'a str>,
}

/// The content of a file of weights.
#[derive(Debug)]
pub(crate) enum Content {
    /// A Burn record.
    Record(Vec<u8>),
    /// Tensors by the paths of their parameters.
    Named(BTreeMap<String, TensorData>),
}

impl Weights<'_> {
    pub(crate) fn path(&self) -> &Path {
        &self.files.weights
    }

    pub(crate) fn length(&self) -> Result<u64, Error> {
        let found = std::fs::metadata(self.path());
        found
            .map(|found| found.len())
            .map_err(|e| Error::io("read", self.path(), e))
    }

    /// Reads the weights of a network with this number of parameters, which must be the record's network.
    pub(crate) fn read(&self, parameters: usize) -> Result<Content, Error> {
        let path = self.path();
        // Four bytes for each parameter, and the names.
        let most = 4 * parameters as u64 + MOST_OF_NAMES;
        let bytes = files::read(path, most)?;
        if let Some(recorded) = self.sha256 {
            let found = sha256([bytes.as_slice()]);
            if found != recorded {
                let problem = format!(
                    "its SHA-256 is {found}; allowed: {recorded}, that of the weights of {}",
                    self.files.record.display()
                );
                return Err(Error::file(path, problem));
            }
        }
        match self.files.is_safetensors() {
            true => tensors_of(&bytes)
                .map(Content::Named)
                .map_err(|e| Error::file(path, e)),
            false => Ok(Content::Record(bytes)),
        }
    }
}

impl ModelFiles {
    /// The files of a new model: without an extension, the weights are a Burn record.
    pub fn named(name: &Path) -> Self {
        let ending = name.extension().and_then(|e| e.to_str()).unwrap_or("");
        let of_weights = ENDINGS.into_iter().find(|known| *known == ending);
        let bare = match of_weights.is_some() || ending == "json" {
            true => name.with_extension(""),
            false => name.to_owned(),
        };
        Self {
            weights: bare.with_added_extension(of_weights.unwrap_or(ENDINGS[0])),
            record: bare.with_added_extension("json"),
        }
    }

    /// The files of a saved model: without an extension, the weights that are there; if there are both kinds,
    /// the weights of the record.
    pub fn existing(name: &Path) -> Self {
        let files = Self::named(name);
        if name == files.weights {
            return files;
        }
        let kinds = ENDINGS.map(|ending| Self {
            weights: files.record.with_extension(ending),
            record: files.record.clone(),
        });
        let mut there = kinds.into_iter().filter(|files| files.weights.is_file());
        match (there.next(), there.next()) {
            (Some(_), Some(other)) if other.are_of_record() => other,
            (Some(one), _) => one,
            (None, _) => files,
        }
    }

    /// Whether the weights have the digest of the record.
    fn are_of_record(&self) -> bool {
        let found = files::open(&self.weights).ok().flatten().map(sha256_of);
        let recorded = self.record().map(|record| record.weights_sha256);
        matches!((found, recorded), (Some(Ok(found)), Ok(Some(recorded))) if found == recorded)
    }

    /// Checks, before training, that the files can be written.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] that names the file or its folder.
    pub fn prepare(&self) -> Result<(), Error> {
        match self.weights.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => files::prepare_folder(folder)?,
            _ => {}
        }
        files::prepare_file(&self.record)?;
        files::prepare_file(&self.weights)
    }

    /// Writes both files or none. The record has the digest of the weights: even if the program ends between
    /// the two renames, weights of another run are not accepted for the record.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] that names the file.
    pub fn save(&self, network: &dyn TrainedNetwork, record: &RunRecord) -> Result<(), Error> {
        let weights = match self.is_safetensors() {
            true => safetensors_of(network.parameters()),
            false => network.record(),
        };
        let weights = weights.map_err(|e| Error::file(&self.weights, e))?;
        let record = RunRecord {
            weights_sha256: Some(sha256([weights.as_slice()])),
            ..record.clone()
        };
        let mut json = serde_json::to_vec(&record).map_err(|e| Error::file(&self.record, e))?;
        json.push(b'\n');
        files::write_all(&[(&self.record, &json), (&self.weights, &weights)])
    }

    /// Reads the network of a record.
    ///
    /// # Errors
    ///
    /// If the weights are missing or damaged, do not have the record's digest, do not fit its network, or
    /// break Dale's law.
    pub fn load(
        &self,
        record: &RunRecord,
        task: Task,
        device: &Device,
    ) -> Result<Box<dyn TrainedNetwork>, Error> {
        let weights = Weights {
            files: self,
            sha256: record.weights_sha256.as_deref(),
        };
        let config = &record.config;
        // A damaged file must not end the program, even if Burn's reader panics.
        let load = config.network.functions.load;
        let loaded = crate::panics::caught(|| load(config, task, &weights, device));
        loaded.unwrap_or_else(|_| {
            let problem = "not a whole model (its structure is broken)";
            Err(Error::file(&self.weights, problem))
        })
    }

    /// Reads the record.
    ///
    /// # Errors
    ///
    /// If it is missing or damaged.
    pub fn record(&self) -> Result<RunRecord, Error> {
        let json = files::read(&self.record, MOST_OF_A_RECORD)?;
        let record: RunRecord = serde_json::from_slice(&json)
            .map_err(|e| Error::file(&self.record, format!("not the record of a model ({e})")))?;
        let valid = record.validate();
        valid.map_err(|problem| Error::file(&self.record, problem))?;
        Ok(record)
    }

    fn is_safetensors(&self) -> bool {
        self.weights.extension().is_some_and(|e| e == "safetensors")
    }
}

fn safetensors_of(parameters: Vec<(String, TensorData)>) -> Result<Vec<u8>, String> {
    let in_f32 = |(name, data): (String, TensorData)| (name, data.convert_dtype(DType::F32));
    let parameters: Vec<_> = parameters.into_iter().map(in_f32).collect();
    let views = parameters.iter().map(|(name, data)| {
        let view = TensorView::new(Dtype::F32, data.shape().to_vec(), data.as_bytes())?;
        Ok((name, view))
    });
    let views: Result<Vec<_>, _> = views.collect();
    let bytes = views.and_then(|views| safetensors::serialize(views, None));
    bytes.map_err(|e| e.to_string())
}

fn tensors_of(bytes: &[u8]) -> Result<BTreeMap<String, TensorData>, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| format!("not safetensors ({e})"))?;
    let tensors = file.iter().map(|(name, view)| match view.dtype() {
        Dtype::F32 => {
            let (words, _) = view.data().as_chunks();
            let values: Vec<f32> = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
            Ok((name.to_owned(), TensorData::new(values, view.shape())))
        }
        other => Err(format!("{name} is {other:?}; allowed: {:?}", DType::F32)),
    });
    tensors.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_file_or_the_bare_name_stands_for_both() {
        for (name, weights, record) in [
            ("runs/a", "runs/a.bpk", "runs/a.json"),
            ("runs/a.bpk", "runs/a.bpk", "runs/a.json"),
            ("runs/a.json", "runs/a.bpk", "runs/a.json"),
            ("eps0.75", "eps0.75.bpk", "eps0.75.json"),
            ("a.safetensors", "a.safetensors", "a.json"),
        ] {
            let files = ModelFiles::named(Path::new(name));
            assert_eq!(files.weights, Path::new(weights));
            assert_eq!(files.record, Path::new(record));
        }
    }

    #[test]
    fn the_weights_that_are_there_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join("a");
        std::fs::write(name.with_extension("safetensors"), b"").unwrap();
        let weights = |name: &Path| ModelFiles::existing(name).weights;
        assert_eq!(weights(&name), name.with_extension("safetensors"));
        let absent = folder.path().join("b");
        assert_eq!(weights(&absent), absent.with_extension("bpk"));
        std::fs::write(name.with_extension("bpk"), b"").unwrap();
        assert_eq!(weights(&name), name.with_extension("bpk"));
        let named = name.with_extension("safetensors");
        assert_eq!(weights(&named), named);
    }
}
