//! The request for which a store was made.

use std::collections::HashSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::FORMAT;
use crate::record::{NUMERICS, RunRecord, check_digest};
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
        let mut asked = match json!(request) {
            Value::Object(asked) => asked,
            _ => Map::new(),
        };
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

    /// The names of all runs.
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
        match format {
            FORMAT => {
                let manifest: Self = serde_json::from_slice(content).map_err(damaged)?;
                manifest.validate()?;
                Ok(manifest)
            }
            _ => Err(format!(
                "written in format {format}; allowed: format {FORMAT}"
            )),
        }
    }

    /// Checks that this can be the manifest of a store: a request within its bounds, with each of its runs
    /// once.
    fn validate(&self) -> Result<(), String> {
        let request = self.request()?;
        request.validate().map_err(|e| e.to_string())?;
        let text = |name| match self.common(name) {
            Value::String(text) => Ok(text),
            other => Err(format!("{name} is {other}; allowed: a text")),
        };
        check_digest("data_sha256", &text("data_sha256")?)?;
        let device = text("device")?.parse::<DeviceName>();
        device.map_err(|e| e.to_string())?;
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
        match COMMON
            .into_iter()
            .zip(found)
            .find(|(name, found)| self.common(name) != *found)
        {
            Some((name, found)) => Err(format!(
                "{name} is {found}; allowed: that of the store, {}",
                self.common(name)
            )),
            None => Ok(()),
        }
    }

    /// One of the [`COMMON`] properties.
    fn common(&self, name: &str) -> Value {
        match self.asked.get(name) {
            Some(value) => value.clone(),
            // Manifests of the first numerics lack this property.
            None if name == "numerics" => json!(1),
            None => Value::Null,
        }
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
        for name in COMMON {
            let (ours, theirs) = (self.common(name), stored.common(name));
            if ours != theirs {
                return refuse(name, &ours, &theirs, "the same");
            }
        }
        let mut united = Self {
            program: stored.program.clone(),
            ..self.clone()
        };
        let own: HashSet<&String> = self.jobs.iter().collect();
        let mut others = stored.jobs.iter().filter(|id| !own.contains(id));
        match open {
            Open::Same if (&self.asked, &self.jobs) != (&stored.asked, &stored.jobs) => {
                let names = self.asked.keys().chain(stored.asked.keys());
                let of = |m: &Self, name| m.asked.get(name).cloned().unwrap_or(Value::Null);
                let mut pairs = names.map(|name| (name, of(self, name), of(stored, name)));
                let differs = pairs.find(|(_, ours, theirs)| ours != theirs);
                let allowed = "the same request, --extend by one that includes it";
                match differs {
                    Some((name, ours, theirs)) => refuse(name, &ours, &theirs, allowed),
                    None => refuse("runs", &json!(self.jobs), &json!(stored.jobs), allowed),
                }
            }
            Open::Extend => match others.next() {
                Some(id) => {
                    let problem = format!(
                        "the store holds the run {id}, which is not among the {} asked for; \
                         allowed: all of its {} runs and more, or another folder",
                        self.jobs.len(),
                        stored.jobs.len()
                    );
                    Err(Error::file(path, problem))
                }
                None => Ok(united),
            },
            Open::Same => Ok(stored.clone()),
            Open::Join => {
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
        let of = |request: &Request, data| Manifest::new(request, data, DeviceName::Flex);
        let quick = Preset::Quick.request();
        let more = Request {
            settings: 9,
            ..quick.clone()
        };
        let other = Request {
            lambda: 0.5,
            ..quick.clone()
        };
        let stored = of(&quick, "a");
        let over = |asked: &Manifest, open| {
            let united = asked.over(&stored, open, Path::new("manifest.json"));
            united.map(|m| m.jobs.len()).map_err(|e| e.to_string())
        };
        for open in [Open::Same, Open::Extend, Open::Join] {
            assert_eq!(over(&stored, open), Ok(48));
            let message = over(&of(&quick, "b"), open).unwrap_err();
            assert!(
                message.contains("\"a\"") && message.contains("\"b\""),
                "{message}"
            );
            let mut old = stored.clone();
            old.asked.remove("numerics");
            let message = over(&old, open).unwrap_err();
            assert!(
                message.contains("numerics = 2, asked for is numerics = 1"),
                "{message}"
            );
        }
        let message = over(&of(&more, "a"), Open::Same).unwrap_err();
        assert!(
            message.contains("settings = 6, asked for is settings = 9"),
            "{message}"
        );
        assert_eq!(over(&of(&more, "a"), Open::Extend), Ok(72));
        assert!(
            over(&of(&other, "a"), Open::Extend)
                .unwrap_err()
                .contains("48 runs")
        );
        assert_eq!(over(&of(&other, "a"), Open::Join), Ok(96));
        assert_eq!(stored.request(), Ok(quick));
    }
}
