use burn::module::Module;

use super::parameters;

/// How the axes of a tensor in a file lie, compared with the parameter of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Axes {
    /// The same shape.
    Same,
    /// A matrix `[outputs, inputs]` for a parameter `[inputs, outputs]`.
    Transposed,
    /// A column `[n, 1]` for a parameter `[n]`.
    Column,
}

impl Axes {
    /// The shape in the file of a parameter of this shape; none if its rank does not fit.
    pub(super) fn stored(self, shape: &[usize]) -> Option<Vec<usize>> {
        match (self, shape) {
            (Self::Same, shape) => Some(shape.to_vec()),
            (Self::Transposed, &[rows, columns]) => Some(vec![columns, rows]),
            (Self::Column, &[n]) => Some(vec![n, 1]),
            _ => None,
        }
    }

    /// The values, row by row, of a tensor of shape `from`, in the order of the other side.
    pub(super) fn reorder(self, values: &[f64], from: &[usize]) -> Vec<f64> {
        match (self, from) {
            (Self::Transposed, &[rows, columns]) => (0..columns)
                .flat_map(|column| (0..rows).map(move |row| values[row * columns + column]))
                .collect(),
            _ => values.to_vec(),
        }
    }
}

/// A key of a file and the parameter of the model that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) path: String,
    pub(super) axes: Axes,
    /// A model without this parameter is fine.
    optional: bool,
}

/// Which key of a file belongs to which parameter of a model.
///
/// Parameters are named by their path in the module, as in records: `fc0.w_ex`, `hidden.1.bias`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyMap {
    entries: Vec<Entry>,
    kept: Vec<String>,
    ignored: Vec<String>,
}

impl KeyMap {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// The model's own paths as keys, with the axes of the model.
    pub fn of<M: Module>(model: &M) -> Self {
        let paths = parameters::of(model).into_iter();
        paths.fold(Self::new(), |map, parameter| {
            map.with(parameter.path.clone(), parameter.path, Axes::Same)
        })
    }

    /// The names of the published code of Eyono et al. 2026, for pairs of a layer's name in the file
    /// and its path in the model, such as `[("fc0", "hidden.0"), ("fc_output", "readout")]`.
    ///
    /// For layers with n_in inputs, n_e outputs, n_i subtractive and n_d divisive inhibitory units:
    ///
    /// | key | shape in the file | parameter | shape |
    /// |---|---|---|---|
    /// | `fc0.Wex` | `[n_e, n_in]` | `w_ex` | `[n_in, n_e]` |
    /// | `fc0.Wix` | `[n_i, n_in]` | `w_ix` | `[n_in, n_i]` |
    /// | `fc0.Wei` | `[n_e, n_i]` | `w_ei` | `[n_i, n_e]` |
    /// | `fc0.Bix` | `[n_d, n_in]` | `u_ix` | `[n_in, n_d]` |
    /// | `fc0.Bei` | `[n_e, n_d]` | `u_ei` | `[n_d, n_e]` |
    /// | `fc0.bias` | `[n_e, 1]` | `bias` | `[n_e]` |
    ///
    /// A key is expected in the file exactly if the model has the parameter. Lateral weights of
    /// [`GradNorm`](crate::GradNorm), which the published code does not save, stay the model's own.
    pub fn published<'a>(layers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        const NAMES: [(&str, &str, Axes); 6] = [
            ("Wex", "w_ex", Axes::Transposed),
            ("Wix", "w_ix", Axes::Transposed),
            ("Wei", "w_ei", Axes::Transposed),
            ("Bix", "u_ix", Axes::Transposed),
            ("Bei", "u_ei", Axes::Transposed),
            ("bias", "bias", Axes::Column),
        ];
        let mut map = Self::new();
        for (layer, path) in layers {
            for (key, parameter, axes) in NAMES {
                map.entries.push(Entry {
                    key: join(layer, key),
                    path: join(path, parameter),
                    axes,
                    optional: parameter != "w_ex",
                });
            }
            map.kept.push(join(path, "grad_norm.lateral_weights"));
        }
        map
    }

    /// Adds a key, the path of its parameter, which the model must have, and its axes.
    pub fn with(mut self, key: impl Into<String>, path: impl Into<String>, axes: Axes) -> Self {
        self.entries.push(Entry {
            key: key.into(),
            path: path.into(),
            axes,
            optional: false,
        });
        self
    }

    /// Adds a parameter of the model that keeps its value and is not written.
    pub fn keeping(mut self, path: impl Into<String>) -> Self {
        self.kept.push(path.into());
        self
    }

    /// Adds a key that may be in the file and is not read.
    pub fn ignoring(mut self, key: impl Into<String>) -> Self {
        self.ignored.push(key.into());
        self
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn keeps(&self, path: &str) -> bool {
        self.kept.iter().any(|kept| kept == path)
    }

    pub(super) fn ignores(&self, key: &str) -> bool {
        self.ignored.iter().any(|ignored| ignored == key)
    }
}

impl Entry {
    pub(super) fn is_optional(&self) -> bool {
        self.optional
    }
}

fn join(outer: &str, inner: &str) -> String {
    if outer.is_empty() {
        inner.to_owned()
    } else {
        format!("{outer}.{inner}")
    }
}
