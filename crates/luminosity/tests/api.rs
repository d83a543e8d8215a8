//! The library, called directly.

use luminosity::schedule::{self, Ending, Options, Outcome};
use luminosity::store::{Job, Manifest, Store, StoreError, Turn};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Run {
    name: String,
}

impl Job for Run {
    fn id(&self) -> String {
        self.name.clone()
    }
    fn cost(&self) -> f64 {
        1.0
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Record {
    name: String,
    value: f64,
}

fn runs(names: &[&str]) -> Vec<Run> {
    let run = |name: &&str| Run {
        name: (*name).to_owned(),
    };
    names.iter().map(run).collect()
}

fn create(folder: &tempfile::TempDir, jobs: &[Run]) -> Result<Store<Run, Record>, StoreError> {
    Store::open_or_create(folder.path(), Manifest::new("1", &"asked", jobs)?)
}

fn record(run: &Run, value: f64) -> Record {
    Record {
        name: run.name.clone(),
        value,
    }
}

#[test]
fn progress_is_told_and_records_are_exact() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = runs(&["a", "b", "c", "d"]);
    let store = create(&folder, &jobs).unwrap();
    let mut told = Vec::new();
    let third = 1.0 / 3.0 + 1e-17;
    let summary = schedule::run(
        &store,
        &jobs,
        &Options::new(2),
        |run, _| Outcome::Done(record(run, third)),
        |progress| {
            assert!(progress.running <= 2 && progress.total == 4);
            assert_eq!(progress.remaining_seconds.is_some(), progress.done > 0);
            told.push((progress.done, progress.latest.is_some()));
        },
    );
    let summary = summary.unwrap();
    assert_eq!((summary.ending, summary.made), (Ending::Complete, 4));
    assert!(told.is_sorted_by_key(|(done, _)| *done));
    assert_eq!(told.iter().filter(|(_, latest)| *latest).count(), 4);
    assert_eq!((told[0], told[told.len() - 1]), ((0, false), (4, true)));

    let completed = Store::<Run, Record>::open(folder.path())
        .unwrap()
        .completed()
        .unwrap();
    assert!(
        completed
            .records
            .values()
            .all(|record| record.value == third)
    );
    assert!(completed.records.keys().eq(["a", "b", "c", "d"]) && completed.problems.is_empty());
}

#[test]
fn a_record_that_could_not_be_read_again_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = runs(&["nan", "stranger", "idle", "good"]);
    let store = create(&folder, &jobs).unwrap();
    let execute = |run: &Run, _: &schedule::Stop| match run.name.as_str() {
        "nan" => Outcome::Done(record(run, f64::NAN)),
        "stranger" => Outcome::Done(record(&jobs[0], 1.0)),
        "idle" => Outcome::Stopped,
        _ => Outcome::Done(record(run, 1.0)),
    };
    let summary = schedule::run(&store, &jobs, &Options::new(3), execute, |_| ()).unwrap();
    assert_eq!((summary.ending, summary.done), (Ending::Failed, 1));
    let messages: Vec<&str> = summary.failed.iter().map(|f| f.message.as_str()).collect();
    assert_eq!(messages[0], "gave up without being asked to");
    assert!(messages[1].starts_with("the record of nan cannot be stored: not a record: "));
    assert!(messages[2].contains("its values are those of nan, not of stranger"));
}

#[test]
fn a_record_that_is_there_wins() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = runs(&["a"]);
    let store = create(&folder, &jobs).unwrap();
    let Turn::Mine(claim) = store.begin("a").unwrap() else {
        panic!("nobody else wants it");
    };
    assert!(matches!(store.begin("a").unwrap(), Turn::Busy(Some(_))));
    let first = record(&jobs[0], 1.0);
    assert_eq!(
        store.publish(&claim, &jobs[0], first.clone()).unwrap(),
        first
    );
    let second = store
        .publish(&claim, &jobs[0], record(&jobs[0], 2.0))
        .unwrap();
    assert_eq!(second, first);
    assert!(matches!(store.begin("a").unwrap(), Turn::Done(record) if record == first));
}

#[test]
fn lists_of_jobs_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |names: &[&str], wanted: &str| {
        let message = create(&folder, &runs(names)).unwrap_err().to_string();
        assert!(message.contains(wanted), "{message}");
    };
    for name in ["", "..", "a/b", "a b", "-a", "é", &"x".repeat(200)] {
        refused(&[name], "is not allowed; allowed: 1 to 180 letters");
    }
    refused(&["run-a", "run-A"], "two runs are named run-A");

    let missing = Store::<Run, Record>::open(folder.path())
        .unwrap_err()
        .to_string();
    assert!(missing.contains("manifest.json: not there"), "{missing}");

    let store = create(&folder, &runs(&["a", "b"])).unwrap();
    for names in [&["a", "c"][..], &["a", "a"]] {
        let execute = |run: &Run, _: &schedule::Stop| Outcome::Done(record(run, 0.0));
        let result = schedule::run(&store, &runs(names), &Options::new(1), execute, |_| ());
        let message = result.unwrap_err().to_string();
        assert!(
            message.contains("allowed: each of the store's 2 runs once"),
            "{message}"
        );
    }
}

#[test]
fn a_store_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Store<Run, Record>>();
    shared::<Options>();
    shared::<StoreError>();
}
