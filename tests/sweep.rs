//! Sweeps by the real program: stores that fill up, are interrupted, shared and reported on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(2).unwrap();
    let program = target.join("examples/luminosity");
    program.with_extension(std::env::consts::EXE_EXTENSION)
}

/// Twelve runs, each of some tenths of a second.
const SWEEP: &str = "sweep --conditions none,inorm+full --epsilons 0,0.75 --settings 3 --epochs 1";

fn start(arguments: &str, folder: &Path) -> Child {
    Command::new(program())
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

/// The records of a store, without what depends on the clock.
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

#[test]
fn a_store_is_continued_by_the_same_request_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let small = "sweep --conditions none --epsilons 0 --settings 1 --epochs 1 --out store";
    let more = "sweep --conditions none --epsilons 0 --settings 2 --epochs 1 --out store";
    assert!(run(small, path).status.success());
    assert!(run(small, path).status.success());
    let refused = run(more, path);
    assert_eq!(refused.status.code(), Some(1));
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("manifest.json"), "{text}");
    assert!(run(&format!("{more} --extend"), path).status.success());
    assert_eq!(records(&path.join("store")).len(), 2);
}

/// No file may grow past a limit, as on a disk that is full.
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

    let program = program();
    let limited = format!(
        "trap '' XFSZ; ulimit -f 0; exec '{}' {sweep}",
        program.display()
    );
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
            .all(|n| ["failed", "manifest.json", "runs"].contains(&n.as_str())),
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
    for options in [
        "--shard 0/3",
        "--shard 4/3",
        "--shard x",
        "--settings 0",
        "--epsilons 2",
    ] {
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
    for file in ["statistics.csv", "gains.csv", "verdicts.csv"] {
        assert!(path.join("whole").join(file).exists(), "{file}");
    }

    // A record that is damaged is named, and the rest is used.
    let record = records(&path.join("store")).into_keys().next().unwrap();
    std::fs::write(path.join("store/runs").join(&record), "{\"format\": 1").unwrap();
    let partial = run("report store --out partial", path);
    assert!(partial.status.success(), "{partial:?}");
    let text = String::from_utf8_lossy(&partial.stderr).into_owned();
    assert!(text.contains(&record), "{text}");

    let nothing = run("report nowhere", path);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("nowhere"));
}
