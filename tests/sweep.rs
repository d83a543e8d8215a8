//! Sweeps with the real program: stores are filled, interrupted, shared and reported.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_luminosity");

/// Twelve runs of some tenths of a second each.
const SWEEP: &str = "sweep --conditions none,inorm+full --epsilons 0,0.75 --settings 3 --epochs 1";

fn start(arguments: &str, folder: &Path) -> Child {
    Command::new(PROGRAM)
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .env_remove("EI_NORM_DATA")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn run(arguments: &str, folder: &Path) -> Output {
    start(arguments, folder).wait_with_output().unwrap()
}

fn complete(arguments: &str, folder: &Path) {
    let output = run(arguments, folder);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{:?}", output);
    assert_eq!(text, "complete: 12 of 12 done\n");
}

/// The records of a store, without the fields that depend on the clock.
fn records(store: &Path) -> BTreeMap<String, Value> {
    let files = std::fs::read_dir(store.join("runs")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    files
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let mut record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            record.as_object_mut().unwrap().remove("timing").unwrap();
            (name, record)
        })
        .collect()
}

#[test]
fn records_do_not_depend_on_jobs_interruptions_or_company() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    complete(&format!("{SWEEP} --jobs 1 --out one"), path);
    let expected = records(&path.join("one"));
    assert_eq!(expected.len(), 12);
    let widths: Vec<_> = expected.values().map(|record| &record["width"]).collect();
    assert!(widths.iter().any(|width| *width != widths[0]));

    let killed = format!("{SWEEP} --jobs 2 --out killed");
    for milliseconds in [150, 700, 400, 1100] {
        let mut child = start(&killed, path);
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    complete(&killed, path);
    assert_eq!(records(&path.join("killed")), expected);

    let shared = format!("{SWEEP} --jobs 1 --out shared");
    let (a, b) = (start(&shared, path), start(&shared, path));
    for child in [a, b] {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    assert_eq!(records(&path.join("shared")), expected);

    for part in 1..=3 {
        let shard = format!("{SWEEP} --out shards --shard {part}/3");
        assert!(run(&shard, path).status.success());
    }
    assert_eq!(records(&path.join("shards")), expected);
}

/// A sweep of this many short runs.
fn small(settings: usize) -> String {
    format!(
        "sweep --conditions none --epsilons 0 --settings {settings} --epochs 1 --width 16 --out store"
    )
}

/// The only line on standard error that is not about the data or the plan.
fn line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let plan = |l: &&str| !l.starts_with("Data: ") && !l.contains(" at a time, on ");
    let lines: Vec<_> = text.lines().filter(plan).collect();
    assert_eq!(lines.len(), 1, "{text}");
    lines[0].to_owned()
}

#[test]
fn a_store_is_continued_by_the_same_request_or_extended_on_the_same_data() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert!(run(&small(1), path).status.success());
    assert!(run(&small(1), path).status.success());
    let refused = |arguments: &str, words: [&str; 2]| {
        let output = run(arguments, path);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let text = line(&output);
        let words = ["manifest.json"].into_iter().chain(words);
        words.for_each(|word| assert!(text.contains(word), "{text}"));
    };
    refused(&small(2), ["settings = 1", "settings = 2"]);

    // The embedded subset with other labels.
    let data = path.join("data");
    std::fs::create_dir(&data).unwrap();
    let embedded = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/luminosity/data");
    for file in std::fs::read_dir(embedded).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), data.join(file.file_name())).unwrap();
    }
    let other = [0, 0, 8, 1, 0, 0, 7, 208].into_iter();
    let other: Vec<u8> = other.chain((0..2000).map(|i| (i % 10) as u8)).collect();
    let names = std::fs::read_dir(&data).unwrap();
    let names = names.map(|file| file.unwrap().path());
    let labels = |path: &std::path::PathBuf| path.to_string_lossy().contains("t10k-labels");
    let labels: Vec<_> = names.filter(labels).collect();
    assert_eq!(labels.len(), 1);
    std::fs::remove_file(&labels[0]).unwrap();
    std::fs::write(data.join("t10k-labels-idx1-ubyte"), other).unwrap();
    let extend = format!("{} --extend", small(2));
    let words = ["data_sha256 = \"", "asked for is data_sha256 = \""];
    refused(&format!("{extend} --data data"), words);

    assert!(run(&extend, path).status.success());
    assert_eq!(records(&path.join("store")).len(), 2);
    refused(
        &format!("{} --extend", small(1)),
        ["holds the run", "2 runs"],
    );
}

#[test]
fn a_damaged_record_is_put_aside_and_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let store = path.join("store");
    assert!(run(&small(2), path).status.success());
    let expected = records(&store);
    let file = store.join("runs").join(expected.keys().next().unwrap());
    let good = std::fs::read_to_string(&file).unwrap();
    let field = |name: &str, value: &str| {
        let mut record: Value = serde_json::from_str(&good).unwrap();
        record[name] = serde_json::from_str(value).unwrap();
        record.to_string()
    };
    let cases = [
        (String::new(), "damaged"),
        (good[..200].to_owned(), "damaged"),
        (field("format", "9"), "format 9"),
        (field("id", "\"other\""), "holds the run other"),
        (field("seed", "5"), "its values are those of"),
        (field("test_accuracy", "1.5"), "1.5"),
        (field("data_sha256", "\"ab\""), "64"),
        (field("device", "\"ndarray\""), "flex"),
        (field("numerics", "1"), "numerics"),
        (field("moments", "null"), "moments"),
        (field("steps", "0"), "steps is 0"),
        (field("history", "[]"), "history"),
    ];
    for (n, (content, reason)) in (1..).zip(&cases) {
        std::fs::write(&file, content).unwrap();
        let output = run(&small(2), path);
        assert!(output.status.success(), "{output:?}");
        let text = line(&output);
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(text.contains(name) && text.contains(reason), "{text}");
        let aside = format!("{}.damaged-{n}", file.display());
        assert_eq!(&std::fs::read_to_string(&aside).unwrap(), content);
    }
    for n in 1..=cases.len() {
        std::fs::remove_file(format!("{}.damaged-{n}", file.display())).unwrap();
    }
    assert_eq!(records(&store), expected);
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_nowhere_fails_its_run_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let store = path.join("store");
    assert!(run(&small(2), path).status.success());
    let expected = records(&store);
    let files: Vec<_> = expected
        .keys()
        .map(|f| store.join("runs").join(f))
        .collect();
    files
        .iter()
        .for_each(|file| std::fs::remove_file(file).unwrap());
    std::os::unix::fs::symlink("nowhere", &files[0]).unwrap();
    let output = run(&small(2), path);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text, "incomplete: 1 of 2 done, 1 failed\n");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let failed = |l: &&str| l.contains("failed: ") && l.contains("leads nowhere");
    assert_eq!(text.lines().filter(failed).count(), 1, "{text}");
    assert!(files[1].is_file());

    std::fs::remove_file(&files[0]).unwrap();
    assert!(run(&small(2), path).status.success());
    assert_eq!(records(&store), expected);
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_sweep_within_a_run_and_leaves_no_claims() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let long =
        "sweep --conditions none --epsilons 0 --settings 4 --epochs 500 --jobs 2 --out store";
    let child = start(long, path);
    let runs = path.join("store/runs");
    while std::fs::read_dir(&runs).map_or(0, Iterator::count) < 2 {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(500));
    let pid = child.id().to_string();
    Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text, "interrupted: 0 of 4 done\n");
    assert_eq!(std::fs::read_dir(&runs).unwrap().count(), 0);
}

/// Limits the size of files, as on a full disk.
#[cfg(unix)]
#[test]
fn a_disk_that_fills_up_is_named_and_nothing_complete_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let sweep = format!("{SWEEP} --jobs 2 --out store");
    assert!(
        run(&format!("{SWEEP} --shard 1/3 --out store"), path)
            .status
            .success()
    );
    let before = records(&path.join("store"));
    assert!(!before.is_empty() && before.len() < 12);

    let limited = format!("trap '' XFSZ; ulimit -f 0; exec '{PROGRAM}' {sweep}");
    let output = Command::new("sh")
        .args(["-c", &limited])
        .current_dir(path)
        .env_remove("EI_NORM_DATA")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("store"), "{text}");
    assert_eq!(records(&path.join("store")), before);

    complete(&sweep, path);
    let after = records(&path.join("store"));
    assert!(before.iter().all(|(name, record)| after[name] == *record));
    let names = |folder: &Path| -> Vec<_> {
        let files = std::fs::read_dir(folder).unwrap();
        files
            .map(|f| f.unwrap().file_name().to_string_lossy().into_owned())
            .collect()
    };
    let left = names(&path.join("store"));
    assert!(
        left.iter()
            .all(|n| [".lock", "manifest.json", "runs"].contains(&n.as_str())),
        "{left:?}"
    );
    assert!(
        names(&path.join("store/runs"))
            .iter()
            .all(|n| n.ends_with(".json"))
    );
}

#[test]
fn a_configuration_file_is_read_and_its_mistakes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let good = "conditions = [\"ln+\"]\nepsilons = [0.25]\nsettings = 1\nepochs = 1\n";
    std::fs::write(path.join("good.toml"), good).unwrap();
    assert!(
        run("sweep --config good.toml --out store", path)
            .status
            .success()
    );
    let record = records(&path.join("store")).into_values().next().unwrap();
    assert_eq!(
        (&record["condition"], &record["epsilon"]),
        (&"ln+".into(), &0.25.into())
    );

    for (content, word) in [
        ("epoch = 3", "epoch"),
        ("conditions = [\"ln\"]", "ln"),
        ("settings = -1", "-1"),
        ("settings = ", "bad.toml"),
    ] {
        std::fs::write(path.join("bad.toml"), content).unwrap();
        let output = run("sweep --config bad.toml --out other", path);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_ne!(output.status.code(), Some(0));
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("bad.toml") && text.contains(word), "{text}");
    }
    for options in ["--shard 0/3", "--shard 4/3", "--shard x", "--epsilons 2"] {
        let output = run(&format!("sweep {options} --out other"), path);
        assert_eq!(output.status.code(), Some(2), "{options}");
    }
    assert!(!path.join("other").exists());
}

#[test]
fn a_dry_run_tells_the_plan_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&format!("{SWEEP} --dry-run --out store"), folder.path());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("12 runs") && text.contains("about"), "{text}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_report_is_made_of_a_store_finished_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let sweep =
        "sweep --conditions inorm,inorm+full,e-only-ln+ --epsilons 0.75 --settings 2 --epochs 1";
    assert!(run(&format!("{sweep} --out store"), path).status.success());
    let whole = run("report store --out whole", path);
    assert!(whole.status.success(), "{whole:?}");
    let html = std::fs::read_to_string(path.join("whole/report.html")).unwrap();
    assert!(html.contains("<svg") && html.contains("inorm+full"));
    for file in ["statistics.csv", "effects.csv", "verdicts.csv"] {
        assert!(path.join("whole").join(file).exists(), "{file}");
    }

    // A packed store gives the same report; a truncated packed store tells how many records are complete.
    assert!(run("pack store store.jsonl.gz", path).status.success());
    let packed = run("report store.jsonl.gz --out packed", path);
    assert_eq!(packed.stdout, whole.stdout);
    let statistics = |folder: &str| std::fs::read(path.join(folder).join("statistics.csv"));
    assert_eq!(statistics("packed").unwrap(), statistics("whole").unwrap());
    // A dry run tells what is left of a store, and refuses as the sweep would.
    let dry = |sweep: &str| run(&format!("{sweep} --out store --dry-run"), path);
    let left = String::from_utf8(dry(sweep).stdout).unwrap();
    let squeezed = left.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        squeezed.contains("done 6 runs") && squeezed.contains("together 0 runs"),
        "{left}"
    );
    let other = sweep.replace("--settings 2", "--settings 1");
    assert!(line(&dry(&other)).contains("settings = 2"));

    // Unpacked, it is the same store again; unpacking adds only records that a store lacks.
    let unpack = |arguments: &str| line(&run(&format!("unpack {arguments}"), path));
    assert_eq!(unpack("store.jsonl.gz again"), "Added 6 records to again");
    let read = |folder: &str| records(&path.join(folder));
    assert_eq!(read("again"), read("store"));
    let lost = read("again").into_keys().next().unwrap();
    std::fs::remove_file(path.join("again/runs").join(lost)).unwrap();
    assert_eq!(unpack("store again"), "Added 1 records to again");
    assert_eq!(read("again"), read("store"));
    let go_on = run(&format!("{sweep} --out again"), path);
    assert_eq!(go_on.stdout, b"complete: 6 of 6 done\n");
    assert!(run(&format!("{other} --out other"), path).status.success());
    assert!(unpack("store.jsonl.gz other").contains("settings"));
    assert_eq!(read("other").len(), 3);

    let content = std::fs::read(path.join("store.jsonl.gz")).unwrap();
    for (length, words) in [
        (content.len() - 1, "6 whole records"),
        (content.len() / 2, "whole records"),
        (5, "not a packed store"),
        (0, "not a packed store"),
    ] {
        std::fs::write(path.join("cut.jsonl.gz"), &content[..length]).unwrap();
        let output = run("report cut.jsonl.gz --out cut", path);
        assert_eq!(output.status.code(), Some(1));
        let text = line(&output);
        assert!(
            text.contains("cut.jsonl.gz") && text.contains(words),
            "{text}"
        );
    }

    // A damaged record is named, and the other records are used.
    let record = records(&path.join("store")).into_keys().next().unwrap();
    std::fs::write(path.join("store/runs").join(&record), "{\"format\": 1").unwrap();
    let partial = run("report store --out partial", path);
    assert!(partial.status.success(), "{partial:?}");
    let text = String::from_utf8_lossy(&partial.stderr).into_owned();
    assert!(text.contains(&record), "{text}");

    for (command, words) in [
        (
            "pack store.jsonl.gz again.jsonl.gz",
            "store.jsonl.gz: not a folder",
        ),
        ("unpack /dev/null nothing", "/dev/null: not a folder"),
    ] {
        let refused = line(&run(command, path));
        assert!(refused.contains(words), "{refused}");
    }

    let nothing = run("report nowhere", path);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("nowhere"));
}
