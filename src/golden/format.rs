//! Reads case files.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Tensor;
use serde::Deserialize;

/// A tensor of a case, row-major.
#[derive(Debug, Clone, Deserialize)]
pub struct Array {
    /// The size of each axis.
    pub shape: Vec<usize>,
    /// The values.
    pub data: Vec<f64>,
}

impl Array {
    pub(super) fn of<const D: usize>(tensor: Tensor<D>) -> Self {
        Self {
            shape: tensor.dims().to_vec(),
            data: tensor.into_data().iter().collect(),
        }
    }
}

/// An input or an expected value.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A tensor.
    Array(Array),
    /// A number.
    Number(f64),
    /// A list of numbers: labels or losses.
    Numbers(Vec<f64>),
    /// A list of layers, each a map of parameters.
    Layers(Vec<BTreeMap<String, Array>>),
    /// A part that the case lacks.
    Absent(()),
}

/// The network of a `train` case.
#[derive(Debug, Clone, Deserialize)]
pub struct Spec {
    /// `ei`, `e_only`, `i_norm` or `i_norm_subtractive`.
    pub hidden: String,
    /// `layer`, `mean`, `divisive` or `none`.
    pub norm: Option<String>,
    /// `exact`, `detached` or `straight_through`.
    pub backward: Option<String>,
    /// A GradNorm mode.
    pub error_norm: Option<String>,
    /// The weight of the local losses.
    pub lambda: Option<f64>,
}

/// One golden case.
#[derive(Debug, Clone, Deserialize)]
pub struct Case {
    /// The name of the file, without its extension.
    #[serde(skip)]
    pub name: String,
    /// The operation.
    pub op: String,
    /// The mode of `error_norm`.
    pub mode: Option<String>,
    /// The normalization of `normalize`.
    pub kind: Option<String>,
    /// The backward rule of `normalize`.
    pub backward: Option<String>,
    /// The GradNorm mode of a layer.
    pub error_norm: Option<String>,
    /// ε; 1e-5 by default.
    pub epsilon: Option<f64>,
    /// The network of `train`.
    pub spec: Option<Spec>,
    /// Learning rates of `train`, by kind of parameter.
    #[serde(default)]
    pub learning_rates: BTreeMap<String, f64>,
    /// The number of steps of `train`.
    pub steps: Option<usize>,
    /// The inputs.
    pub inputs: BTreeMap<String, Value>,
    /// The expected results.
    pub expected: BTreeMap<String, Value>,
}

/// An error in reading or running a case.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// The folder or a file could not be read.
    #[error("cannot read {path}: {problem}")]
    Read {
        /// The file or folder.
        path: String,
        /// The reason.
        problem: String,
    },
    /// A part of the case is missing or has the wrong form.
    #[error("{0}")]
    Form(String),
    /// The library refused the weights.
    #[error(transparent)]
    Layer(#[from] ei_norm::Error),
    /// The library panicked.
    #[error("panicked: {0}")]
    Panic(String),
}

impl CaseError {
    pub(super) fn missing(key: &str) -> Self {
        Self::Form(format!("`{key}` is missing or of another form"))
    }
}

/// Reads every `*.json` of a folder, in the order of their names.
///
/// # Errors
///
/// If the folder or a file cannot be read, or there are no files.
pub fn read_folder(folder: &Path) -> Result<Vec<Case>, CaseError> {
    let fail = |path: &Path, problem: String| CaseError::Read {
        path: path.display().to_string(),
        problem,
    };
    let entries = std::fs::read_dir(folder).map_err(|e| fail(folder, e.to_string()))?;
    let mut files: Vec<_> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ext| ext == "json"))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(fail(folder, "there are no *.json cases in it".to_owned()));
    }
    files
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).map_err(|e| fail(path, e.to_string()))?;
            let mut case: Case =
                serde_json::from_str(&text).map_err(|e| fail(path, e.to_string()))?;
            case.name = path
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned())
                .unwrap_or_default();
            Ok(case)
        })
        .collect()
}
