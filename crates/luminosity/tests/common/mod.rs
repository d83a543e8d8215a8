//! The `sim` program, and what can be seen of a store from outside.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The example that `cargo test` has built beside this test.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(2).unwrap();
    let program = target.join("examples/sim");
    program.with_extension(std::env::consts::EXE_EXTENSION)
}

/// A folder that is gone after the test, with a store and a log of executions.
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    pub fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub fn runs(&self) -> PathBuf {
        self.store().join("runs")
    }

    pub fn start(&self, options: &str) -> Child {
        let mut command = Command::new(program());
        command.arg(self.store()).arg("--log").arg(self.log());
        command.args(options.split_whitespace());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    pub fn run(&self, options: &str) -> Output {
        self.start(options).wait_with_output().unwrap()
    }

    /// The executions: what happened, to which run, in which process.
    pub fn events(&self) -> Vec<(String, String, u32)> {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        assert!(!log.contains("double"), "two at one run: {log}");
        let words = |line: &str| {
            let mut words = line.split(' ').map(str::to_owned);
            let mut next = || words.next().unwrap();
            (next(), next(), next().parse().unwrap())
        };
        log.lines().map(words).collect()
    }

    /// How often each run was started.
    pub fn starts(&self) -> BTreeMap<String, usize> {
        let mut starts = BTreeMap::new();
        for (what, id, _) in self.events() {
            *starts.entry(id).or_default() += usize::from(what == "start");
        }
        starts
    }

    pub fn wait_for_events(&self, count: usize) {
        wait_until(|| self.events().len() >= count);
    }

    pub fn records(&self) -> BTreeMap<String, Value> {
        records(&self.store())
    }

    /// The names of all files among the runs that are not records.
    pub fn leftovers(&self) -> Vec<String> {
        let mut names = names(&self.runs());
        names.retain(|name| !name.ends_with(".json"));
        names
    }
}

pub fn wait_until(condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "waited in vain"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The records of a store, without what depends on the clock or the machine.
pub fn records(store: &Path) -> BTreeMap<String, Value> {
    let runs = store.join("runs");
    let mut records = BTreeMap::new();
    for name in names(&runs).iter().filter(|name| name.ends_with(".json")) {
        let content = std::fs::read(runs.join(name)).unwrap();
        let mut record: Value = serde_json::from_slice(&content).unwrap();
        assert!(record.as_object_mut().unwrap().remove("timing").is_some());
        records.insert(name.clone(), record);
    }
    records
}

/// The records of a sweep that nothing disturbed.
pub fn undisturbed() -> BTreeMap<String, Value> {
    let place = Place::new();
    let output = place.run("--threads 8");
    assert_eq!(text(&output.stdout), "complete: 60 of 60 done\n");
    place.records()
}

pub fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    let status = Command::new("kill").args(["-s", name, &id]).status();
    assert!(status.unwrap().success());
}

pub fn text(output: &[u8]) -> &str {
    std::str::from_utf8(output).unwrap()
}
