//! Sweeps with the real program: stores are filled, interrupted, shared and reported.

mod program;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use program::{Folder, PROGRAM, names, stderr, stdout, timeless};
use serde_json::Value;

/// Twelve runs of some tenths of a second each.
const SWEEP: &str = "sweep --conditions none,inorm+full --epsilons 0,0.75 --settings 3 --epochs 1";

fn complete(folder: &Folder, arguments: &str) {
    assert_eq!(folder.stdout(arguments), "complete: 12 of 12 done\n");
}

/// The records of a store, without the fields that depend on the clock.
fn records(folder: &Folder, store: &str) -> BTreeMap<String, Value> {
    let files = names(&folder.path(store).join("runs")).into_iter();
    let record = |name: String| {
        let json = folder.read(&format!("{store}/runs/{name}"));
        (name, timeless(serde_json::from_str(&json).unwrap()))
    };
    files.map(record).collect()
}

#[test]
fn records_do_not_depend_on_jobs_interruptions_or_company() {
    let folder = Folder::new();
    complete(&folder, &format!("{SWEEP} --jobs 1 --out one"));
    let expected = records(&folder, "one");
    assert_eq!(expected.len(), 12);
    let widths: Vec<_> = expected.values().map(|record| &record["width"]).collect();
    assert!(widths.iter().any(|width| *width != widths[0]));

    let killed = format!("{SWEEP} --jobs 2 --out killed");
    for milliseconds in [150, 700, 400, 1100] {
        let mut child = folder.start(&killed);
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    complete(&folder, &killed);
    assert_eq!(records(&folder, "killed"), expected);

    let shared = format!("{SWEEP} --jobs 1 --out shared");
    for child in [folder.start(&shared), folder.start(&shared)] {
        stdout(&child.wait_with_output().unwrap());
    }
    assert_eq!(records(&folder, "shared"), expected);

    for part in 1..=3 {
        folder.stdout(&format!("{SWEEP} --out shards --shard {part}/3"));
    }
    assert_eq!(records(&folder, "shards"), expected);
}

/// A sweep of this many short runs.
fn small(settings: usize) -> String {
    format!(
        "sweep --conditions none --epsilons 0 --settings {settings} --epochs 1 --width 16 --out store"
    )
}

/// The only line on standard error that is not about the data or the plan.
fn line(output: &Output) -> String {
    let text = stderr(output);
    let plan = |l: &&str| !l.starts_with("Data: ") && !l.contains(" at a time, on ");
    let lines: Vec<_> = text.lines().filter(plan).collect();
    assert_eq!(lines.len(), 1, "{text}");
    lines[0].to_owned()
}

#[test]
fn a_store_is_continued_by_the_same_request_or_extended_on_the_same_data() {
    let folder = Folder::new();
    folder.stdout(&small(1));
    folder.stdout(&small(1));
    let refused = |arguments: &str, words: [&str; 2]| {
        let output = folder.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let text = line(&output);
        let words = ["manifest.json"].into_iter().chain(words);
        words.for_each(|word| assert!(text.contains(word), "{text}"));
    };
    refused(&small(2), ["settings = 1", "settings = 2"]);

    // The embedded subset with other labels.
    let data = folder.path("data");
    std::fs::create_dir(&data).unwrap();
    let embedded = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/luminosity/data");
    let (labels, others): (Vec<_>, Vec<_>) = names(&embedded)
        .into_iter()
        .partition(|name| name.contains("t10k-labels"));
    assert_eq!(labels.len(), 1);
    for name in others {
        std::fs::copy(embedded.join(&name), data.join(&name)).unwrap();
    }
    let other = [0, 0, 8, 1, 0, 0, 7, 208].into_iter();
    let other: Vec<u8> = other.chain((0..2000).map(|i| (i % 10) as u8)).collect();
    folder.write("data/t10k-labels-idx1-ubyte", other);
    let extend = |settings: usize| format!("{} --extend", small(settings));
    let words = ["data_sha256 = \"", "asked for is data_sha256 = \""];
    refused(&format!("{} --data data", extend(2)), words);

    folder.stdout(&extend(2));
    assert_eq!(records(&folder, "store").len(), 2);
    refused(&extend(1), ["holds the run", "2 runs"]);
}

#[test]
fn a_damaged_record_is_put_aside_and_made_again() {
    let folder = Folder::new();
    folder.stdout(&small(2));
    let expected = records(&folder, "store");
    let name = expected.keys().next().unwrap();
    let file = format!("store/runs/{name}");
    let good = folder.read(&file);
    let field = |name: &str, value: Value| {
        let mut record: Value = serde_json::from_str(&good).unwrap();
        record[name] = value;
        record.to_string()
    };
    let cases = [
        (String::new(), "damaged"),
        (good[..200].to_owned(), "damaged"),
        (field("format", 9.into()), "format 9"),
        (field("id", "other".into()), "holds the run other"),
        (field("seed", 5.into()), "its values are those of"),
        (field("test_accuracy", 1.5.into()), "1.5"),
        (field("data_sha256", "ab".into()), "64"),
        (field("device", "ndarray".into()), "flex"),
        (field("numerics", 1.into()), "numerics"),
        (field("moments", Value::Null), "moments"),
        (field("steps", 0.into()), "steps is 0"),
        (field("history", Value::Array(vec![])), "history"),
    ];
    for (n, (content, reason)) in (1..).zip(&cases) {
        folder.write(&file, content);
        let output = folder.run(&small(2));
        stdout(&output);
        let text = line(&output);
        assert!(text.contains(name) && text.contains(reason), "{text}");
        assert_eq!(&folder.read(&format!("{file}.damaged-{n}")), content);
    }
    for n in 1..=cases.len() {
        std::fs::remove_file(folder.path(&format!("{file}.damaged-{n}"))).unwrap();
    }
    assert_eq!(records(&folder, "store"), expected);
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_nowhere_fails_its_run_alone() {
    let folder = Folder::new();
    folder.stdout(&small(2));
    let expected = records(&folder, "store");
    let runs = folder.path("store/runs");
    let files: Vec<_> = expected.keys().map(|name| runs.join(name)).collect();
    for file in &files {
        std::fs::remove_file(file).unwrap();
    }
    std::os::unix::fs::symlink("nowhere", &files[0]).unwrap();
    let output = folder.run(&small(2));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"incomplete: 1 of 2 done, 1 failed\n");
    let text = stderr(&output);
    let failed = |l: &&str| l.contains("failed: ") && l.contains("leads nowhere");
    assert_eq!(text.lines().filter(failed).count(), 1, "{text}");
    assert!(files[1].is_file());

    std::fs::remove_file(&files[0]).unwrap();
    folder.stdout(&small(2));
    assert_eq!(records(&folder, "store"), expected);
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_sweep_within_a_run_and_leaves_no_claims() {
    let folder = Folder::new();
    let long =
        "sweep --conditions none --epsilons 0 --settings 4 --epochs 500 --jobs 2 --out store";
    let child = folder.start(long);
    let runs = folder.path("store/runs");
    while std::fs::read_dir(&runs).map_or(0, Iterator::count) < 2 {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(500));
    let output = program::interrupt(child, "TERM");
    assert_eq!(output.stdout, b"interrupted: 0 of 4 done\n");
    assert!(names(&runs).is_empty());
}

/// Limits the size of files, as on a full disk.
#[cfg(unix)]
#[test]
fn a_disk_that_fills_up_is_named_and_nothing_complete_is_lost() {
    let folder = Folder::new();
    let sweep = format!("{SWEEP} --jobs 2 --out store");
    folder.stdout(&format!("{SWEEP} --shard 1/3 --out store"));
    let before = records(&folder, "store");
    assert!(!before.is_empty() && before.len() < 12);

    let limited = format!("trap '' XFSZ; ulimit -f 0; exec '{PROGRAM}' {sweep}");
    let output = folder
        .command("sh")
        .args(["-c", &limited])
        .output()
        .unwrap();
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("store"), "{text}");
    assert_eq!(records(&folder, "store"), before);

    complete(&folder, &sweep);
    let after = records(&folder, "store");
    assert!(before.iter().all(|(name, record)| after[name] == *record));
    let left = names(&folder.path("store"));
    let known = [".lock", "manifest.json", "runs"];
    assert!(left.iter().all(|n| known.contains(&n.as_str())), "{left:?}");
    let runs = names(&folder.path("store/runs"));
    assert!(runs.iter().all(|n| n.ends_with(".json")), "{runs:?}");
}

#[test]
fn a_configuration_file_is_read_and_its_mistakes_are_named() {
    let folder = Folder::new();
    let good = "conditions = [\"ln+\"]\nepsilons = [0.25]\nsettings = 1\nepochs = 1\n";
    folder.write("good.toml", good);
    folder.stdout("sweep --config good.toml --out store");
    let record = records(&folder, "store").into_values().next().unwrap();
    let found = (&record["condition"], &record["epsilon"]);
    assert_eq!(found, (&"ln+".into(), &0.25.into()));

    for (content, word) in [
        ("epoch = 3", "epoch"),
        ("conditions = [\"ln\"]", "ln"),
        ("settings = -1", "-1"),
        ("settings = ", "bad.toml"),
    ] {
        folder.write("bad.toml", content);
        folder.refuses(
            "sweep --config bad.toml --out other",
            1,
            &["bad.toml", word],
        );
    }
    for options in ["--shard 0/3", "--shard 4/3", "--shard x", "--epsilons 2"] {
        folder.refuses(&format!("sweep {options} --out other"), 2, &[]);
    }
    assert!(!folder.path("other").exists());
}

#[test]
fn a_dry_run_tells_the_plan_and_writes_nothing() {
    let folder = Folder::new();
    let text = folder.stdout(&format!("{SWEEP} --dry-run --out store"));
    assert!(text.contains("12 runs") && text.contains("about"), "{text}");
    assert!(names(&folder.path("")).is_empty());

    // Runs of two steps take time too.
    folder.tiny_images(8, &[0, 1, 2].repeat(10));
    let text = folder.stdout("sweep --data tiny --epochs 2 --settings 2000 --dry-run");
    let of_all = text.split_once(" of 2 epochs, about ").unwrap().1;
    assert!(
        text.contains("16000 runs") && !of_all.starts_with("0 s"),
        "{text}"
    );
}

#[test]
fn every_network_goes_through_a_sweep_and_its_report() {
    let folder = Folder::new();
    folder.tiny_images(8, &[0, 1, 2].repeat(10));
    let conditions = "--conditions none,ln+,inorm,inorm+full";
    for network in ["conv --option kernel=3", "rnn"] {
        let sweep = format!("sweep --network {network} {conditions} --epsilons 0.75 --settings 1");
        let sweep = format!("{sweep} --epochs 1 --width 4 --data tiny --out store");
        assert_eq!(folder.stdout(&sweep), "complete: 4 of 4 done\n");
        for record in records(&folder, "store").values() {
            let found = (
                &record["outcome"],
                record["history"].as_array().unwrap().len(),
            );
            assert_eq!(found, (&"completed".into(), 1), "{network}");
        }
        let summary = folder.stdout("report store --out report");
        assert!(summary.contains("inorm+full"), "{summary}");
        let name = network.split(' ').next().unwrap();
        assert!(folder.read("report/report.html").contains(name));
        std::fs::remove_dir_all(folder.path("store")).unwrap();
    }
}

#[test]
fn a_report_is_made_of_a_store_finished_or_not() {
    let folder = Folder::new();
    let sweep =
        "sweep --conditions inorm,inorm+full,e-only-ln+ --epsilons 0.75 --settings 2 --epochs 1";
    folder.stdout(&format!("{sweep} --out store"));
    let whole = folder.stdout("report store --out whole");
    let html = folder.read("whole/report.html");
    assert!(html.contains("<svg") && html.contains("inorm+full"));
    for file in ["statistics.csv", "effects.csv", "verdicts.csv"] {
        assert!(folder.path("whole").join(file).exists(), "{file}");
    }

    // A packed store gives the same report; a truncated packed store tells how many records are complete.
    folder.stdout("pack store store.jsonl.gz");
    assert_eq!(folder.stdout("report store.jsonl.gz --out packed"), whole);
    let statistics = |of: &str| folder.read(&format!("{of}/statistics.csv"));
    assert_eq!(statistics("packed"), statistics("whole"));
    // A dry run tells what is left of a store, and refuses as the sweep would.
    let left = folder.stdout(&format!("{sweep} --out store --dry-run"));
    let squeezed = left.split_whitespace().collect::<Vec<_>>().join(" ");
    for rows in ["done 6 runs", "together 0 runs"] {
        assert!(squeezed.contains(rows), "{left}");
    }
    let other = sweep.replace("--settings 2", "--settings 1");
    let dry = format!("{other} --out store --dry-run");
    folder.refuses(&dry, 1, &["settings = 2"]);

    // Unpacked, it is the same store again; unpacking adds only records that a store lacks.
    let unpack = |arguments: &str| line(&folder.run(&format!("unpack {arguments}")));
    assert_eq!(unpack("store.jsonl.gz again"), "Added 6 records to again");
    let again = records(&folder, "again");
    assert_eq!(again, records(&folder, "store"));
    let lost = again.keys().next().unwrap();
    std::fs::remove_file(folder.path("again/runs").join(lost)).unwrap();
    assert_eq!(unpack("store again"), "Added 1 record to again");
    assert_eq!(records(&folder, "again"), again);
    // The record of a run that another process is making is left out.
    std::fs::remove_file(folder.path("again/runs").join(lost)).unwrap();
    let claim = lost.replace(".json", ".claim");
    let claim = std::fs::File::create(folder.path("again/runs").join(claim)).unwrap();
    claim.lock().unwrap();
    let busy = folder.run("unpack store again");
    let text = stderr(&busy);
    assert_eq!(busy.status.code(), Some(1), "{text}");
    let told = [
        "Added 0 records",
        "1 record left out, because another process",
    ];
    assert!(told.iter().all(|told| text.contains(told)), "{text}");
    drop(claim);
    let go_on = folder.stdout(&format!("{sweep} --out again"));
    assert_eq!(go_on, "complete: 6 of 6 done\n");
    folder.stdout(&format!("{other} --out other"));
    assert!(unpack("store.jsonl.gz other").contains("made for other runs"));
    let fewer = records(&folder, "other");
    assert_eq!(fewer.len(), 3);
    // A store may have been extended since it was packed.
    let common = fewer.keys().next().unwrap();
    std::fs::remove_file(folder.path("again/runs").join(common)).unwrap();
    assert_eq!(unpack("other again"), "Added 1 record to again");

    let content = std::fs::read(folder.path("store.jsonl.gz")).unwrap();
    for (length, words) in [
        (content.len() - 1, "6 whole records"),
        (content.len() / 2, "whole records"),
        (5, "not a packed store"),
        (0, "not a packed store"),
    ] {
        folder.write("cut.jsonl.gz", &content[..length]);
        let report = "report cut.jsonl.gz --out cut";
        folder.refuses(report, 1, &["cut.jsonl.gz", words]);
    }

    // A damaged record is named, and the other records are used.
    folder.write(&format!("store/runs/{lost}"), "{\"format\": 1");
    for command in [
        "report store --out partial",
        "pack store partial.jsonl.gz",
        "unpack store partial-store",
    ] {
        let partial = folder.run(command);
        let text = stderr(&partial);
        assert_eq!(partial.status.code(), Some(1), "{command}: {text}");
        assert!(text.contains(lost), "{command}: {text}");
    }
    assert!(folder.read("partial/statistics.csv").contains("inorm+full"));
    assert_eq!(records(&folder, "partial-store").len(), 5);

    for (command, words) in [
        (
            "pack store.jsonl.gz again.jsonl.gz",
            "store.jsonl.gz: not a folder",
        ),
        ("unpack /dev/null nothing", "/dev/null: not a folder"),
        ("report nowhere", "nowhere"),
    ] {
        folder.refuses(command, 1, &[words]);
    }
}
