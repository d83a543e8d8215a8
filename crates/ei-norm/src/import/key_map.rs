use burn::module::Module;

use super::parameters::{self, Parameter};
use crate::error::{Error, list};

/// The order of the axes of a tensor in a file, compared with the parameter of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Axes {
    /// The same shape.
    Same,
    /// A matrix `[outputs, inputs]` for a parameter `[inputs, outputs]`.
    Transposed,
    /// A column `[n, 1]` for a parameter `[n]`.
    Column,
    /// A row `[1, n]` for a parameter `[n]`.
    Row,
}

impl Axes {
    pub(super) const ALL: [Self; 4] = [Self::Same, Self::Transposed, Self::Column, Self::Row];

    /// The shape in the file for a parameter of this shape; none if the rank does not fit.
    pub(super) fn stored(self, shape: &[usize]) -> Option<Vec<usize>> {
        match (self, shape) {
            (Self::Same, shape) => Some(shape.to_vec()),
            (Self::Transposed, &[rows, columns]) => Some(vec![columns, rows]),
            (Self::Column, &[n]) => Some(vec![n, 1]),
            (Self::Row, &[n]) => Some(vec![1, n]),
            _ => None,
        }
    }

    /// Converts values between the order of the file and of the model; `from` is the shape of `values`.
    pub(super) fn reorder(self, values: &[f64], from: &[usize]) -> Vec<f64> {
        match (self, from) {
            (Self::Transposed, &[rows, columns]) => (0..columns)
                .flat_map(|column| (0..rows).map(move |row| values[row * columns + column]))
                .collect(),
            _ => values.to_vec(),
        }
    }
}

/// The keys of a parameter of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// The key, and the key of a tensor to subtract; none if the parameter keeps its value.
    pub(super) keys: Vec<String>,
    pub(super) path: String,
    pub(super) axes: Axes,
    /// Whether the model may lack this parameter.
    pub(super) optional: bool,
    /// Whether another entry may have the same key.
    pub(super) tied: bool,
}

/// A parameter and its entry in the table.
pub(super) struct Pair<'a> {
    pub(super) entry: &'a Entry,
    pub(super) parameter: &'a Parameter,
    /// The shape that the keys must have in the file.
    pub(super) shape: Vec<usize>,
}

/// The table of the keys of a file and the parameters of a model.
///
/// Parameters are named by their path in the module, as in records: `fc0.w_ex`, `hidden.1.bias`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct KeyMap {
    pub(super) entries: Vec<Entry>,
    pub(super) ignored: Vec<String>,
}

impl KeyMap {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// A table with the model's own paths as keys, and the axes of the model.
    pub fn of<M: Module>(model: &M) -> Self {
        let paths = parameters::of(model, false).into_iter();
        paths.fold(Self::new(), |map, parameter| {
            map.with(parameter.path.clone(), parameter.path, Axes::Same)
        })
    }

    /// The names of the published code of Eyono et al. 2026. `layers` pairs a layer's name in the file with
    /// its path in the model, such as `[("fc0", "hidden.0"), ("fc_output", "readout")]`.
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
    /// [`GradNorm`](crate::GradNorm), which the published code does not save, keep their values.
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
                    optional: parameter != "w_ex",
                    ..Entry::new([join(layer, key)], join(path, parameter), axes)
                });
            }
            map.entries.push(Entry {
                optional: true,
                ..Entry::new([], join(path, "grad_norm.lateral_weights"), Axes::Same)
            });
        }
        map
    }

    /// Adds a key with the path of its parameter, which the model must have, and its axes. Like the next three
    /// methods, it replaces an earlier entry for this parameter.
    pub fn with(self, key: impl Into<String>, path: impl Into<String>, axes: Axes) -> Self {
        self.adding(Entry::new([key.into()], path, axes))
    }

    /// Adds two keys whose difference, `key` − `minus`, is the parameter. Both have the same axes. When a
    /// model is written, they receive the positive and the negative part.
    pub fn with_difference(
        self,
        key: impl Into<String>,
        minus: impl Into<String>,
        path: impl Into<String>,
        axes: Axes,
    ) -> Self {
        self.adding(Entry::new([key.into(), minus.into()], path, axes))
    }

    /// Adds another parameter for a key that is already in the table, for weights that are once in the file
    /// and several times in the model. Its axes may differ.
    pub fn with_tied(self, key: impl Into<String>, path: impl Into<String>, axes: Axes) -> Self {
        self.adding(Entry {
            tied: true,
            ..Entry::new([key.into()], path, axes)
        })
    }

    fn adding(mut self, entry: Entry) -> Self {
        self.entries.retain(|earlier| earlier.path != entry.path);
        self.entries.push(entry);
        self
    }

    /// Adds a parameter, which the model must have, that keeps its value and is not written. If the file may
    /// have its key, add [`ignoring`](Self::ignoring) of the key.
    pub fn keeping(self, path: impl Into<String>) -> Self {
        self.adding(Entry::new([], path, Axes::Same))
    }

    /// Adds a key that may be in the file and is not read. It must not be the key of a parameter.
    pub fn ignoring(mut self, key: impl Into<String>) -> Self {
        self.ignored.push(key.into());
        self
    }

    /// Pairs every parameter that is not kept with its entry.
    ///
    /// # Errors
    ///
    /// If the table and the model do not fit each other.
    pub(super) fn pair<'a>(&'a self, parameters: &'a [Parameter]) -> Result<Vec<Pair<'a>>, Error> {
        let mut seen = Vec::new();
        for entry in &self.entries {
            let is_there = parameters.iter().any(|p| p.path == entry.path);
            if !is_there && !entry.optional {
                let found = format!("no parameter `{}` in the model", entry.path);
                let paths = list(parameters.iter().map(|p| p.path.as_str()));
                let expected = format!("one of {paths}");
                return Err(Error::import(&entry.name(), found, expected));
            }
            for key in &entry.keys {
                if is_there && self.ignored.contains(key) {
                    let found = format!("an ignored key that is also the key of `{}`", entry.path);
                    let expected = "also `KeyMap::keeping` the parameter";
                    return Err(Error::import(key, found, expected));
                }
                if !entry.tied && seen.contains(&key) {
                    let found = "a key that is twice in the table";
                    let expected = "each key once, or `KeyMap::with_tied`";
                    return Err(Error::import(key, found, expected));
                }
                seen.push(key);
            }
        }
        let mut pairs = Vec::new();
        for parameter in parameters {
            let Some(entry) = self.entries.iter().find(|e| e.path == parameter.path) else {
                let expected = "a key for every parameter of the model, or `KeyMap::keeping` it";
                return Err(Error::import(&parameter.path, "no key", expected));
            };
            if entry.keys.is_empty() {
                continue;
            }
            let shape = entry.axes.stored(&parameter.shape).ok_or_else(|| {
                let found = format!("{:?} axes", entry.axes);
                let expected = format!("axes for `{}` {:?}", entry.path, parameter.shape);
                Error::import(&entry.name(), found, expected)
            })?;
            pairs.push(Pair {
                entry,
                parameter,
                shape,
            });
        }
        Ok(pairs)
    }
}

impl Entry {
    fn new(keys: impl Into<Vec<String>>, path: impl Into<String>, axes: Axes) -> Self {
        Self {
            keys: keys.into(),
            path: path.into(),
            axes,
            optional: false,
            tied: false,
        }
    }

    /// The name in error messages.
    pub(super) fn name(&self) -> String {
        match self.keys.is_empty() {
            true => self.path.clone(),
            false => self.keys.join(" - "),
        }
    }
}

fn join(outer: &str, inner: &str) -> String {
    match outer.is_empty() {
        true => inner.to_owned(),
        false => format!("{outer}.{inner}"),
    }
}
