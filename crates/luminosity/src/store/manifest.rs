//! The request for which a store was made.

use std::collections::HashSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::FORMAT;
use crate::bounds;
use crate::record::{NUMERICS, RunRecord};
use crate::sweep::{Request, SweepRun};
use crate::{DeviceName, Error};

/// The longest value that a message shows in full.
const LONGEST: usize = 120;
/// The properties that all runs of a store have in common.
const COMMON: [&str; 3] = ["data_sha256", "device", "numerics"];

/// The relation of a request to the existing store. The data, the device and the numerics must always be the
/// same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// The store has the same request.
    Same,
    /// The store has a part of the request; the request replaces the store's.
    Extend,
    /// The store may have runs of any request; the runs of this request are added.
    Join,
    /// The store's request has all runs of this request.
    Within,
}

/// The request of a store, and the names of its runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    program: String,
    asked: Map<String, Value>,
    jobs: Vec<String>,
}

/// The fields that manifests of every format have in common.
#[derive(Deserialize)]
struct Header {
    format: u32,
}

impl Manifest {
    /// The manifest of a request to this program, for data with this digest.
    pub fn new(request: &Request, data_sha256: &str, device: DeviceName) -> Self {
        // A request consists of plain numbers and names, so it can always be encoded, as an object.
        let asked = serde_json::from_value(json!(request));
        let mut asked: Map<String, Value> = asked.unwrap_or_default();
        // A setting that is not given is left out.
        asked.retain(|_, value| !value.is_null());
        let common = [json!(data_sha256), json!(device.name()), json!(NUMERICS)];
        asked.extend(COMMON.map(str::to_owned).into_iter().zip(common));
        Self {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            asked,
            jobs: request.runs().iter().map(SweepRun::id).collect(),
        }
    }

    /// The version of the program that made the store.
    pub fn program(&self) -> &str {
        &self.program
    }

    pub fn jobs(&self) -> &[String] {
        &self.jobs
    }

    /// The last request.
    ///
    /// # Errors
    ///
    /// The fault of the manifest.
    pub fn request(&self) -> Result<Request, String> {
        let mut asked = self.asked.clone();
        asked.retain(|name, _| !COMMON.contains(&name.as_str()));
        serde_json::from_value(Value::Object(asked)).map_err(|e| format!("not of a sweep ({e})"))
    }

    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// The fault of the manifest.
    pub(crate) fn decode(content: &[u8]) -> Result<Self, String> {
        let damaged = |e| format!("not the manifest of a store ({e})");
        let Header { format } = serde_json::from_slice(content).map_err(damaged)?;
        if format != FORMAT {
            return Err(format!(
                "written in format {format}; allowed: format {FORMAT}"
            ));
        }
        let manifest: Self = serde_json::from_slice(content).map_err(damaged)?;
        manifest.validate()?;
        Ok(manifest)
    }

    /// Checks that this can be the manifest of a store: a request within its bounds, with each of its runs
    /// once.
    fn validate(&self) -> Result<(), String> {
        let request = self.request()?;
        request.validate()?;
        let text = |name| match self.property(name) {
            Value::String(text) => Ok(text),
            other => Err(format!("{name} is {other}; allowed: a text")),
        };
        bounds::digest("data_sha256", &text("data_sha256")?)?;
        text("device")?.parse::<DeviceName>()?;
        let known: HashSet<&String> = self.jobs.iter().collect();
        if known.len() < self.jobs.len() {
            return Err("names a run twice; allowed: each run once".to_owned());
        }
        let runs = request.runs();
        match runs.iter().map(SweepRun::id).find(|id| !known.contains(id)) {
            Some(id) => Err(format!("lacks the run {id}, which its request has")),
            None => Ok(()),
        }
    }

    /// Checks that a record has the data, the device and the numerics of the store.
    pub(super) fn check(&self, run: &RunRecord) -> Result<(), String> {
        let found = [
            json!(run.data_sha256),
            json!(run.device),
            json!(run.numerics),
        ];
        for (name, found) in COMMON.into_iter().zip(found) {
            let allowed = self.property(name);
            if found != allowed {
                return Err(format!(
                    "{name} is {found}; allowed: that of the store, {allowed}"
                ));
            }
        }
        Ok(())
    }

    /// A property of the request, or one of the [`COMMON`] properties; null if it has none.
    fn property(&self, name: &str) -> Value {
        // Manifests of the first numerics lack this property.
        let missing = match name {
            "numerics" => json!(1),
            _ => Value::Null,
        };
        self.asked.get(name).cloned().unwrap_or(missing)
    }

    /// The new manifest for this request and the `stored` manifest.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if the two do not fit together.
    pub(super) fn over(&self, stored: &Self, open: Open, path: &Path) -> Result<Self, Error> {
        let refuse = |name: &str, ours: &Value, theirs: &Value, allowed: &str| {
            let (ours, theirs) = (shown(ours), shown(theirs));
            let problem = format!(
                "the store was made for {name} = {theirs}, asked for is {name} = {ours}; allowed: \
                 {allowed}, or another folder"
            );
            Err(Error::file(path, problem))
        };
        let same = "the same request, --extend by one that includes it";
        let asked = self.asked.keys().chain(stored.asked.keys());
        let asked = asked.filter(|_| open == Open::Same);
        let asked = asked.map(|name| (name.as_str(), same));
        let common = COMMON.map(|name| (name, "the same")).into_iter();
        for (name, allowed) in common.chain(asked) {
            let (ours, theirs) = (self.property(name), stored.property(name));
            if ours != theirs {
                return refuse(name, &ours, &theirs, allowed);
            }
        }
        if open == Open::Within {
            let known: HashSet<&String> = stored.jobs.iter().collect();
            return match self.jobs.iter().find(|id| !known.contains(id)) {
                None => Ok(stored.clone()),
                Some(id) => {
                    let problem = format!(
                        "the store was made for other runs, without {id}; allowed: a store for all of these runs, \
                         or another folder"
                    );
                    Err(Error::file(path, problem))
                }
            };
        }
        if open == Open::Same {
            return match self.jobs == stored.jobs {
                true => Ok(stored.clone()),
                false => refuse("runs", &json!(self.jobs), &json!(stored.jobs), same),
            };
        }
        let mut united = Self {
            program: stored.program.clone(),
            ..self.clone()
        };
        let own: HashSet<&String> = self.jobs.iter().collect();
        let mut others = stored.jobs.iter().filter(|id| !own.contains(id)).peekable();
        match others.peek() {
            Some(id) if open == Open::Extend => {
                let problem = format!(
                    "the store holds the run {id}, which is not among the {} asked for; \
                     allowed: all of its {} runs and more, or another folder",
                    self.jobs.len(),
                    stored.jobs.len()
                );
                Err(Error::file(path, problem))
            }
            _ => {
                united.jobs.extend(others.cloned());
                Ok(united)
            }
        }
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::Preset;

    #[test]
    fn a_store_is_opened_by_what_fits() {
        let quick = Preset::Quick.request();
        let with = |change: fn(&mut Request), data| {
            let mut request = quick.clone();
            change(&mut request);
            Manifest::new(&request, data, DeviceName::Flex)
        };
        let stored = with(|_| (), "a");
        let over = |asked: &Manifest, open| {
            let united = asked.over(&stored, open, Path::new("manifest.json"));
            united.map(|m| m.jobs.len()).map_err(String::from)
        };
        let refused = |asked: &Manifest, open, words: &[&str]| {
            let message = over(asked, open).unwrap_err();
            assert!(words.iter().all(|word| message.contains(word)), "{message}");
        };
        let mut old = stored.clone();
        old.asked.remove("numerics");
        for open in [Open::Same, Open::Extend, Open::Join, Open::Within] {
            assert_eq!(over(&stored, open), Ok(48));
            refused(&with(|_| (), "b"), open, &["\"a\"", "\"b\""]);
            refused(&old, open, &["numerics = 2, asked for is numerics = 1"]);
        }
        // A value that is null is one that is not given.
        let mut explicit = stored.clone();
        explicit.asked.insert("width".to_owned(), Value::Null);
        assert_eq!(over(&explicit, Open::Same), Ok(48));
        let more = with(|request| request.settings = 9, "a");
        refused(
            &more,
            Open::Same,
            &["settings = 6, asked for is settings = 9"],
        );
        assert_eq!(over(&more, Open::Extend), Ok(72));
        let other = with(|request| request.lambda = 0.5, "a");
        refused(&other, Open::Extend, &["48 runs"]);
        assert_eq!(over(&other, Open::Join), Ok(96));
        assert_eq!(stored.request(), Ok(quick));
    }
}
