use burn::module::Module;
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::tensor::Bytes;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::dale::walk;

/// The record of an optimizer together with the parameters to which it belongs, so that it cannot be loaded
/// for another model. Burn's own `ModuleOptimizer::load_record` takes the entries that fit and silently
/// resets the rest.
///
/// ```
/// use burn::module::Module;
/// use burn::optim::{AdamConfig, GradientsParams};
/// use burn::prelude::*;
/// use ei_norm::EiLinearConfig;
/// use ei_norm::optim::CheckedRecord;
///
/// # fn main() -> Result<(), ei_norm::Error> {
/// let device = Device::flex().autodiff();
/// let mut layer = EiLinearConfig::new(8, 4).init(&device);
/// let mut optimizer = AdamConfig::new().init();
/// let grads = layer.forward(Tensor::<2>::ones([2, 8], &device)).sum().backward();
/// let grads = GradientsParams::from_grads(grads, &layer);
/// layer = optimizer.step(0.1, layer, grads);
/// let bytes = CheckedRecord::of(&optimizer, &layer).into_bytes()?;
/// let weights = layer.into_record();
///
/// // Later: first the model, then its optimizer.
/// let layer = EiLinearConfig::new(8, 4).init(&device).load_record(weights);
/// let mut optimizer = AdamConfig::new().init();
/// CheckedRecord::from_bytes(bytes)?.load_into(&mut optimizer, &layer)?;
///
/// // Not into another model.
/// let bytes = CheckedRecord::of(&optimizer, &layer);
/// let other = EiLinearConfig::new(8, 5).init(&device);
/// let error = bytes.load_into(&mut optimizer, &other).unwrap_err();
/// assert!(error.to_string().contains("`w_ex`"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct CheckedRecord {
    parameters: Vec<Parameter>,
    record: OptimizerRecord,
}

/// A floating-point parameter of a model.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Parameter {
    path: String,
    id: u64,
    shape: Vec<usize>,
}

/// The first bytes of a record.
const FORMAT: &[u8] = b"ei-norm optimizer record 3\n";

impl CheckedRecord {
    /// The state of `optimizer`, which trains `module`.
    pub fn of<M: Module>(optimizer: &ModuleOptimizer, module: &M) -> Self {
        Self {
            parameters: parameters(module),
            record: optimizer.to_record(),
        }
    }

    /// The record as bytes: a line with the format, four bytes with the checksum (CRC-32) of the rest, the
    /// parameters as a line of JSON, and Burn's own bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Record`] if Burn cannot write its part.
    pub fn into_bytes(self) -> Result<Bytes, Error> {
        let parameters = serde_json::to_vec(&self.parameters).map_err(unreadable)?;
        let state = self.record.into_bytes().map_err(unreadable)?;
        let rest = [&parameters, &b"\n"[..], &state].concat();
        let checksum = crc32fast::hash(&rest).to_le_bytes();
        Ok(Bytes::from_bytes_vec([FORMAT, &checksum, &rest].concat()))
    }

    /// Reads the bytes of [`into_bytes`](Self::into_bytes).
    ///
    /// # Errors
    ///
    /// [`Error::Record`] if the bytes have another format or are damaged.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, Error> {
        let Some(rest) = bytes.strip_prefix(FORMAT) else {
            return Err(unreadable("it does not begin as one"));
        };
        let Some((checksum, rest)) = rest.split_first_chunk() else {
            return Err(unreadable("it is cut off"));
        };
        if crc32fast::hash(rest) != u32::from_le_bytes(*checksum) {
            return Err(unreadable("it is damaged: its checksum is another"));
        }
        // The JSON written above has no line break.
        let mut parts = rest.splitn(2, |byte| *byte == b'\n');
        let (Some(parameters), Some(state)) = (parts.next(), parts.next()) else {
            return Err(unreadable("it is cut off"));
        };
        let parameters = serde_json::from_slice(parameters)
            .map_err(|_| unreadable("the list of parameters is damaged"))?;
        let state = Bytes::from_bytes_vec(state.to_vec());
        let record = OptimizerRecord::from_bytes(state).map_err(unreadable)?;
        Ok(Self { parameters, record })
    }

    /// Loads the state into `optimizer`, which will continue to train `module`. On an error the optimizer is
    /// unchanged.
    ///
    /// The module must have the identities of the record: load the module's own record first.
    ///
    /// # Errors
    ///
    /// [`Error::Record`] with the name of the first parameter of the module that the record lacks or has in
    /// another shape or under another identity, or of the first parameter that the module lacks; also if the
    /// optimizer cannot use every tensor of the state. Optimizers with the same state, such as Adam and AdamW,
    /// are not told apart, and a record without state fits every optimizer.
    pub fn load_into<M: Module>(
        self,
        optimizer: &mut ModuleOptimizer,
        module: &M,
    ) -> Result<(), Error> {
        compare(&parameters(module), &self.parameters)?;
        let written = self.record.len();
        let loaded = optimizer.clone().load_record(self.record);
        // The loaded optimizer does not contain the tensors that Burn could not use.
        let used = loaded.to_record().len();
        if used != written {
            return Err(Error::Record {
                problem: format!(
                    "another kind of optimizer wrote it: of its {written} tensors {used} fit"
                ),
            });
        }
        *optimizer = loaded;
        Ok(())
    }
}

/// Fails at the first difference.
fn compare(module: &[Parameter], record: &[Parameter]) -> Result<(), Error> {
    let difference = |wanted: &Parameter| {
        let path = &wanted.path;
        match record.iter().find(|found| found.path == *path) {
            None => Some(format!("`{path}` is missing in it")),
            Some(found) if found.shape != wanted.shape => Some(format!(
                "`{path}` has shape {:?} in it, and {:?} in the model",
                found.shape, wanted.shape
            )),
            Some(found) if found.id != wanted.id => Some(format!(
                "`{path}` has another identity in it than in the model; load the model's record first"
            )),
            Some(_) => None,
        }
    };
    let is_extra = |found: &&Parameter| !module.iter().any(|wanted| wanted.path == found.path);
    let extra = || record.iter().find(is_extra);
    let problem = module
        .iter()
        .find_map(difference)
        .or_else(|| extra().map(|extra| format!("the model has no `{}`", extra.path)));
    problem.map_or(Ok(()), |problem| Err(Error::Record { problem }))
}

fn unreadable(problem: impl ToString) -> Error {
    Error::Record {
        problem: format!("it cannot be read or written: {}", problem.to_string()),
    }
}

/// The floating-point parameters of a module, in the order of a traversal.
fn parameters<M: Module>(module: &M) -> Vec<Parameter> {
    let mut found = Vec::new();
    walk(module, |visited| {
        found.push(Parameter {
            path: visited.path,
            id: visited.id.val(),
            shape: visited.shape,
        });
    });
    found
}
