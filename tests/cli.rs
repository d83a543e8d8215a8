//! Tests of the command line with the real program: output, exit codes and files.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn luminosity(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_luminosity"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("EI_NORM_DATA")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn record(output: &Output) -> Value {
    let text = stdout(output);
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// A record without the fields that depend on the clock.
fn timeless(mut record: Value) -> Value {
    record.as_object_mut().unwrap().remove("timing").unwrap();
    record
}

const SHORT: [&str; 6] = ["--steps", "40", "--width", "24", "--seed", "3"];

fn train(condition: &str, more: &[&str], folder: &Path) -> Output {
    let mut arguments = vec!["train", "--condition", condition];
    arguments.extend(SHORT);
    arguments.extend(more);
    luminosity(&arguments, folder)
}

/// Checks that there is one line on standard error (besides the line about the data) with all of the words,
/// and the given exit code.
fn assert_refused(arguments: &[&str], folder: &Path, code: i32, words: &[&str]) {
    let output = luminosity(arguments, folder);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    let errors: Vec<_> = text.lines().filter(|l| !l.starts_with("Data: ")).collect();
    assert_eq!(errors.len(), 1, "{arguments:?}: {text}");
    for word in words {
        assert!(
            errors[0].contains(word),
            "{arguments:?}: no {word:?} in {text}"
        );
    }
}

#[test]
fn the_same_command_gives_the_same_record() {
    let folder = tempfile::tempdir().unwrap();
    for condition in [
        "none",
        "e-only-ln+",
        "inorm-sub",
        "inorm+full",
        "inorm+lateral",
    ] {
        let one = record(&train(condition, &["--threads", "1"], folder.path()));
        let two = record(&train(condition, &["--threads", "7"], folder.path()));
        assert_eq!(one["condition"], condition);
        assert_eq!(one["steps"], 40);
        assert_eq!(one["outcome"], "completed");
        let accuracy = one["test_accuracy"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&accuracy));
        assert!(one["timing"]["ms_per_step"].as_f64().unwrap() > 0.0);
        // By now a network without normalization may be silent.
        let alignment = one["alignment"]["gradient"].as_f64();
        assert!(condition == "none" || alignment.unwrap().abs() <= 1.0 + 1e-6);
        assert_eq!(timeless(one), timeless(two));
    }
}

#[test]
fn another_seed_gives_another_record() {
    let folder = tempfile::tempdir().unwrap();
    let one = record(&train("inorm", &[], folder.path()));
    let mut arguments = vec!["train", "--condition", "inorm"];
    arguments.extend(["--steps", "40", "--width", "24", "--seed", "4"]);
    let two = record(&luminosity(&arguments, folder.path()));
    assert_ne!(one["train_loss"], two["train_loss"]);
}

#[test]
fn a_comparison_is_the_same_for_any_number_of_threads_and_writes_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let compare = |threads: &str, out: &str| -> Value {
        let output = luminosity(
            &[
                "--epochs",
                "1",
                "--seeds",
                "2",
                "--width",
                "16",
                "--conditions",
                "inorm,inorm+full",
                "--threads",
                threads,
                "--out",
                out,
                "--json",
            ],
            folder.path(),
        );
        assert!(stderr(&output).contains(out), "names its output folder");
        serde_json::from_str(&stdout(&output)).unwrap()
    };
    let one = compare("1", "one");
    let four = compare("4", "four");
    let runs = |comparison: &Value| -> Vec<Value> {
        let runs = comparison["runs"].as_array().unwrap();
        runs.iter().cloned().map(timeless).collect()
    };
    assert_eq!(runs(&one).len(), 4);
    assert_eq!(runs(&one), runs(&four));

    let out = folder.path().join("one");
    let json = std::fs::read(out.join("comparison.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&json).unwrap(), one);
    let csv = std::fs::read_to_string(out.join("comparison.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 4);
    let svg = std::fs::read_to_string(out.join("comparison.svg")).unwrap();
    assert!(svg.contains("inorm+full"));
    let png = std::fs::read(out.join("comparison.png")).unwrap();
    assert_eq!(&png[1..4], b"PNG");
    let names = std::fs::read_dir(&out).unwrap();
    let names = names.map(|file| file.unwrap().file_name().into_string().unwrap());
    let (files, folders): (Vec<_>, Vec<_>) = names.partition(|n| n.starts_with("comparison."));
    assert_eq!((files.len(), folders.len()), (4, 2));
    let stores = folders.iter().filter(|name| name.starts_with("runs-"));
    assert_eq!(stores.count(), 1, "{folders:?}");
    let effects = std::fs::read_to_string(out.join("report/effects.csv")).unwrap();
    let effect = one["effects"]
        .as_array()
        .unwrap()
        .iter()
        .find(|effect| effect["of"] == "inorm+full");
    let difference = effect.unwrap()["paired"]["difference"].as_f64().unwrap();
    let row = effects
        .lines()
        .find(|line| line.starts_with("inorm+full,inorm,"));
    assert!(
        row.unwrap().contains(&format!(",{difference},")),
        "{effects}"
    );
    assert!(out.join("report/report.html").is_file());
}

#[test]
fn the_report_of_a_comparisons_store_is_of_its_last_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let compare = |epochs: &str| {
        let conditions = ["--conditions", "inorm,inorm+full", "--seeds", "1"];
        let short = ["--width", "8", "--epochs", epochs, "--out", "out"];
        stdout(&luminosity(&[&conditions[..], &short[..]].concat(), path))
    };
    let first = compare("1");
    let second = compare("2");
    assert_ne!(first, second);
    let names = std::fs::read_dir(path.join("out")).unwrap();
    let names = names.map(|file| file.unwrap().path());
    let store = names
        .into_iter()
        .find(|file| file.join("manifest.json").exists())
        .unwrap();
    let report = luminosity(&["report", store.to_str().unwrap()], path);
    assert!(
        stdout(&report).starts_with(second.trim()),
        "{}",
        stdout(&report)
    );
    assert!(
        stderr(&report).contains("note: 2 other runs of the store"),
        "{}",
        stderr(&report)
    );
    assert_refused(
        &["report", "out"],
        path,
        1,
        &["out/manifest.json", "runs-*"],
    );
}

#[test]
fn a_table_and_a_verdict_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--epochs", "1", "--seeds", "1", "--width", "16"];
    let text = stdout(&luminosity(&arguments, folder.path()));
    for condition in ["none", "ln+", "inorm", "inorm+full"] {
        assert!(
            text.lines()
                .any(|l| l.split_whitespace().next() == Some(condition))
        );
    }
    let undecided =
        "There are too few runs to say whether normalizing errors as well as activity helps: ";
    assert!(
        text.lines().any(|line| line.starts_with(undecided)),
        "{text}"
    );
    for over in ["inorm", "ln+", "none"] {
        let effect = format!("ε = 0.75: inorm+full over {over} ");
        assert_eq!(
            text.lines()
                .filter(|line| line.starts_with(&effect))
                .count(),
            1,
            "{text}"
        );
    }
    assert_eq!(text.matches("  p = 1.00, higher in ").count(), 3, "{text}");
    let widest = text.lines().filter(|line| !line.starts_with(undecided));
    assert!(
        widest
            .map(|line| line.chars().count())
            .all(|width| width <= 80),
        "{text}"
    );
}

#[test]
fn lateral_weights_learn_and_how_far_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let of = |condition, more: &[&str]| timeless(record(&train(condition, more, folder.path())));
    let learned = of("inorm+learned-lateral", &[]);
    assert_eq!(learned, of("inorm+learned-lateral", &[]));
    let fixed = of("inorm+lateral", &[]);
    assert_ne!(learned["train_loss"], fixed["train_loss"]);
    let cosines = |record: &Value| record["history"][0]["lateral_cosine"].clone();
    assert!(cosines(&fixed).is_null());
    let found = cosines(&learned);
    assert_eq!(found.as_array().unwrap().len(), 2);
    for cosine in found.as_array().unwrap() {
        // The cosine of uniform draws is about sqrt(3)/2.
        assert!((0.75..=1.0).contains(&cosine.as_f64().unwrap()), "{found}");
    }
}

#[test]
fn a_saved_model_gives_its_accuracy_again() {
    let folder = tempfile::tempdir().unwrap();
    for (condition, name) in [
        ("none", "a"),
        ("inorm+lateral", "models/b"),
        ("inorm-sub", "c"),
        ("inorm+learned-lateral", "d"),
    ] {
        let trained = record(&train(condition, &["--save", name], folder.path()));
        for name in [
            name.to_owned(),
            format!("{name}.bpk"),
            format!("{name}.json"),
        ] {
            let arguments = ["eval", "--model", &name];
            let tested = record(&luminosity(&arguments, folder.path()));
            assert_eq!(tested["test_accuracy"], trained["test_accuracy"]);
            assert_eq!(tested["condition"], condition);
        }
    }
}

#[test]
fn weights_that_are_not_those_of_the_record_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let eval = |name| ["eval", "--model", name];
    stdout(&train("inorm", &["--save", "good"], folder.path()));
    let good = std::fs::read(path("good.bpk")).unwrap();
    let text = std::fs::read_to_string(path("good.json")).unwrap();
    let record: Value = serde_json::from_str(&text).unwrap();
    let digest = record["weights_sha256"].as_str().unwrap();
    assert_eq!(digest.len(), 64);
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let mut longer = good.clone();
    longer.extend([0; 1000]);
    for bytes in [flipped, longer] {
        std::fs::write(path("bad.bpk"), bytes).unwrap();
        std::fs::write(path("bad.json"), &text).unwrap();
        assert_refused(
            &eval("bad"),
            folder.path(),
            1,
            &["bad.bpk", "SHA-256", digest],
        );
    }

    // A record of an earlier version has no digest; then its accuracy is compared.
    let mut old = record.clone();
    old.as_object_mut().unwrap().remove("weights_sha256");
    std::fs::write(path("old.bpk"), &good).unwrap();
    std::fs::write(path("old.json"), old.to_string()).unwrap();
    assert!(luminosity(&eval("old"), folder.path()).status.success());
    for place in ["test_accuracy", "history"] {
        match &mut old[place] {
            Value::Array(epochs) => epochs[0]["test_accuracy"] = 0.5.into(),
            accuracy => *accuracy = 0.5.into(),
        }
    }
    std::fs::write(path("old.json"), old.to_string()).unwrap();
    let output = luminosity(&eval("old"), folder.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("test_accuracy is"),
        "{}",
        stderr(&output)
    );
    let other = luminosity(&["eval", "--model", "old", "--epsilon", "0"], folder.path());
    assert!(other.status.success());
}

/// Sends each signal after the first epoch.
#[cfg(unix)]
#[test]
fn every_signal_ends_a_run_with_its_record_and_no_file_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let losses = folder.path().join("losses.csv");
    std::fs::write(&losses, "of another run").unwrap();
    for signal in ["INT", "TERM", "USR1", "USR2", "XCPU"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_luminosity"))
            .args([
                "train",
                "--condition",
                "none",
                "--width",
                "4",
                "--epochs",
                "9999",
            ])
            .args(["--losses", "losses.csv", "--save", "model"])
            .current_dir(folder.path())
            .env_remove("EI_NORM_DATA")
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // The data are named just before the handlers are installed.
        let mut said = std::io::BufReader::new(child.stderr.take().unwrap());
        std::io::BufRead::read_line(&mut said, &mut String::new()).unwrap();
        std::thread::sleep(std::time::Duration::from_secs(2));
        let pid = child.id().to_string();
        let flag = format!("-{signal}");
        Command::new("kill").args([&flag, &pid]).status().unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{signal}");
        let record: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(record["outcome"], "interrupted");
        assert!(record["steps"].as_u64().unwrap() > 0);
        let history = record["history"].as_array().unwrap();
        let last = history.last().map(|epoch| &epoch["train_loss"]);
        assert_eq!(last.unwrap_or(&Value::Null), &record["train_loss"]);
        assert_eq!(std::fs::read_to_string(&losses).unwrap(), "of another run");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_model_that_is_damaged_or_of_another_shape_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let eval = |name| ["eval", "--model", name];
    stdout(&train("inorm", &["--save", "good"], folder.path()));
    let good = std::fs::read(path("good.bpk")).unwrap();
    let record = std::fs::read_to_string(path("good.json")).unwrap();
    let damaged: [(&str, Vec<u8>); 5] = [
        ("empty", Vec::new()),
        (
            "garbage",
            b"not a model at all, but long enough to have a header".to_vec(),
        ),
        ("short", good[..good.len() / 2].to_vec()),
        ("header", good[..40].to_vec()),
        (
            "flipped",
            good.iter()
                .enumerate()
                .map(|(i, b)| if i < 64 { !b } else { *b })
                .collect(),
        ),
    ];
    for (name, bytes) in damaged {
        std::fs::write(path(&format!("{name}.bpk")), bytes).unwrap();
        std::fs::write(path(&format!("{name}.json")), &record).unwrap();
        assert_refused(&eval(name), folder.path(), 1, &[&format!("{name}.bpk")]);
    }

    std::fs::write(path("other.bpk"), &good).unwrap();
    std::fs::write(
        path("other.json"),
        record.replace("\"width\":24", "\"width\":25"),
    )
    .unwrap();
    assert_refused(&eval("other"), folder.path(), 1, &["other.bpk", "shape"]);
    let wide = record.replace("\"width\":24", "\"width\":20000");
    std::fs::write(path("other.json"), wide).unwrap();
    assert_refused(&eval("other"), folder.path(), 1, &["other.bpk", "20000"]);
    std::fs::write(path("other.json"), record.replace("\"inorm\"", "\"none\"")).unwrap();
    assert_refused(&eval("other"), folder.path(), 1, &["other.bpk"]);
    std::fs::write(path("other.json"), "{}").unwrap();
    assert_refused(&eval("other"), folder.path(), 1, &["other.json"]);
    std::fs::remove_file(path("other.json")).unwrap();
    assert_refused(&eval("other"), folder.path(), 1, &["other.json"]);
}

#[test]
fn arrays_are_dumped_for_other_tools() {
    let folder = tempfile::tempdir().unwrap();
    stdout(&train("inorm+full", &["--dump", "arrays"], folder.path()));
    let read = |name: &str| {
        let bytes = std::fs::read(folder.path().join("arrays").join(name)).unwrap();
        let npy = npyz::NpyFile::new(&bytes[..]).unwrap();
        let shape = npy.shape().to_vec();
        (shape, npy.into_vec::<f32>().unwrap())
    };
    assert_eq!(read("input.npy").0, [32, 784]);
    assert_eq!(read("logits.npy").0, [32, 10]);
    assert_eq!(read("labels.npy").0, [32]);
    let (shape, z) = read("pre_activation.1.npy");
    assert_eq!(shape, [32, 24]);
    assert!(z.iter().all(|z| z.is_finite()) && z.iter().any(|z| *z != 0.0));
    let (shape, w_ex) = read("hidden.0.INorm.w_ex.npy");
    assert_eq!(shape, [784, 24]);
    assert!(w_ex.iter().all(|w| *w >= 0.0));
}

#[test]
fn losses_are_written_step_by_step() {
    let folder = tempfile::tempdir().unwrap();
    stdout(&train("ln+", &["--losses", "losses.csv"], folder.path()));
    let csv = std::fs::read_to_string(folder.path().join("losses.csv")).unwrap();
    let rows: Vec<_> = csv.lines().collect();
    assert_eq!((rows[0], rows.len()), ("step,loss", 41));
    let loss = |row: &str| row.split(',').nth(1).unwrap().parse::<f64>().unwrap();
    assert!(loss(rows[1]) > loss(rows[40]), "it learns");
}

#[test]
fn divergence_is_an_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let output = train("inorm", &["--lr", "1e30"], folder.path());
    let record = record(&output);
    assert_eq!(record["outcome"], "diverged");
    assert_eq!(record["test_accuracy"], 0.1);
    assert!(record["train_loss"].is_null());
    assert!(stderr(&output).contains("diverged"));
}

/// The weights are finite, but the variance of the pre-activations is not.
#[test]
fn measures_beyond_all_numbers_are_divergence_too() {
    let folder = tempfile::tempdir().unwrap();
    let train = [
        "train",
        "--condition",
        "none",
        "--lr",
        "50",
        "--epochs",
        "1",
    ];
    let arguments = [&train[..], &["--save", "m"]].concat();
    let trained = record(&luminosity(&arguments, folder.path()));
    assert_eq!(trained["outcome"], "diverged");
    let tested = luminosity(&["eval", "--model", "m"], folder.path());
    assert!(tested.status.success(), "{}", stderr(&tested));
}

#[test]
fn adam_has_rates_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let of = |more: &[&str]| record(&train("inorm+full", more, folder.path()));
    let adam = of(&["--optimizer", "adam"]);
    assert_eq!(adam["outcome"], "completed");
    assert_eq!(
        [&adam["lr"], &adam["lr_ei"], &adam["lr_ix"]],
        [3e-4, 3e-4, 1e-3]
    );
    let given = of(&["--optimizer", "adam", "--lr", "0.002"]);
    assert_eq!([&given["lr"], &given["lr_ix"]], [2e-3, 1e-3]);
}

/// A folder with images of 2×2 pixels, of these classes, to train on and the same to test with.
fn tiny_images(folder: &Path, classes: &[u8]) {
    let words = |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|w| w.to_be_bytes()).collect() };
    let count = classes.len() as u32;
    std::fs::create_dir(folder).unwrap();
    for part in ["train", "t10k"] {
        let images = [words(&[2051, count, 2, 2]), vec![9; 4 * classes.len()]].concat();
        std::fs::write(folder.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
        let labels = [words(&[2049, count]), classes.to_vec()].concat();
        std::fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
    }
}

#[test]
fn images_that_a_network_cannot_take_are_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    tiny_images(&path.join("tiny"), &[0, 1]);
    let conv = ["--network", "conv", "--data", "tiny"];
    let sweep = [&["sweep", "--out", "store"], &conv[..]].concat();
    let compare = [&["--out", "store"], &conv[..]].concat();
    let train = [&["train", "--condition", "none"], &conv[..]].concat();
    for command in [sweep, compare, train] {
        assert_refused(
            &command,
            path,
            2,
            &["depth is 2 with kernel=5, stride=2 and images of 2x2"],
        );
        assert!(!path.join("store").exists(), "{command:?}");
    }
    stdout(&self::train("none", &["--save", "m"], path));
    let eval = ["eval", "--model", "m", "--data", "tiny"];
    assert_refused(&eval, path, 1, &["m.bpk", "1x2x2", "Fashion-MNIST"]);
}

#[test]
fn a_single_image_cannot_be_held_out() {
    let folder = tempfile::tempdir().unwrap();
    tiny_images(&folder.path().join("data"), &[1]);
    let output = train(
        "none",
        &["--data", "data", "--patience", "1"],
        folder.path(),
    );
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains("patience is 1; allowed: none with a single"),
        "{told}"
    );
}

#[test]
fn classes_without_images_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let note = |classes: &[u8]| {
        let data = folder.path().join("data");
        tiny_images(&data, classes);
        let told = stderr(&train("none", &["--data", "data"], folder.path()));
        std::fs::remove_dir_all(data).unwrap();
        told.contains("note: 1 of the 3 classes have no training image")
    };
    assert!(note(&[0, 2]));
    assert!(!note(&[0, 1]));
}

#[test]
fn a_comparison_whose_runs_all_diverged_has_numbers_and_no_figure() {
    let folder = tempfile::tempdir().unwrap();
    let compare = |lr: &str| {
        let mut arguments = vec!["--conditions", "inorm", "--seeds", "1", "--epochs", "1"];
        arguments.extend(["--width", "24", "--out", "out", "--lr", lr]);
        stdout(&luminosity(&arguments, folder.path()))
    };
    let exists = |ending: &str| {
        let path = folder.path().join(format!("out/comparison.{ending}"));
        path.exists()
    };
    assert!(!compare("0.001").contains("diverged"));
    assert!(exists("svg") && exists("png"));
    assert!(compare("1e30").contains("(1 diverged)"));
    assert!(!exists("svg") && !exists("png"), "a figure of other runs");
    assert!(exists("csv") && exists("json"));
}

#[test]
fn what_is_not_allowed_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let train = |more: [&'static str; 2]| ["train", "--condition", "inorm", more[0], more[1]];
    for (more, words) in [
        (["--save", "here/"], ["save", "here/"]),
        (["--epsilon", "-0.5"], ["epsilon", "-0.5"]),
        (["--epsilon", "1.5"], ["epsilon", "1.5"]),
        (["--epsilon", "nan"], ["epsilon", "NaN"]),
        (["--lr", "-1"], ["lr", "-1"]),
        (["--lr-ei", "inf"], ["lr-ei", "inf"]),
        (["--lr-ix", "NaN"], ["lr-ix", "NaN"]),
        (["--lambda", "-1e-3"], ["lambda", "-0.001"]),
        (["--lambda", "1e-300"], ["lambda", "1e-300"]),
        (["--clip-errors", "0"], ["clip-errors", "0"]),
        (["--clip-errors", "inf"], ["clip-errors", "inf"]),
        (["--clip-errors", "much"], ["much", "clip-errors"]),
        (["--width", "0"], ["width", "0"]),
        (["--width", "1"], ["width", "at least 2"]),
        (["--steps", "0"], ["steps", "0"]),
        (["--epochs", "0"], ["epochs", "0"]),
        (["--threads", "0"], ["threads", "0"]),
        (["--batch-size", "0"], ["batch-size", "0"]),
        (["--seed", "-1"], ["seed", "-1"]),
        (["--seed", "x"], ["seed", "x"]),
        (["--device", "abacus"], ["abacus", "flex"]),
        (["--init", "zeros"], ["zeros", "lognormal"]),
        (["--frobnicate", "1"], ["--frobnicate", "unexpected"]),
    ] {
        assert_refused(&train(more), path, 2, &words);
    }
    let unknown = ["train", "--condition", "inorm+ful"];
    assert_refused(&unknown, path, 2, &["inorm+ful", "inorm+full"]);
    assert_refused(&["train"], path, 2, &["--condition"]);
    for (option, values, once) in [
        ("--conditions", "ln+,inorm,inorm", "inorm once"),
        ("--epsilon", "0,0.5,0", "0 once"),
    ] {
        let name = option.trim_start_matches('-').trim_end_matches('s');
        assert_refused(&[option, values], path, 2, &[name, values, once]);
    }
    assert_refused(&["--seeds", "0"], path, 2, &["seeds", "0"]);
    assert_refused(&["sweep", "--jobs", "0"], path, 2, &["jobs is 0"]);
    let twice = ["sweep", "--epsilons", "0,-0", "--dry-run"];
    assert_refused(&twice, path, 2, &["epsilons is 0,0", "0 once"]);
    let several = ["--epsilon", "0,0.75"];
    assert_refused(&several, path, 2, &["epsilon is 2 values", "sweep"]);
    let many = ["train", "--condition", "none", "--steps", "1000000000"];
    assert_refused(
        &many,
        path,
        2,
        &["steps is 1000000000", "at most 313000000"],
    );
    assert_refused(&["report", "a\nb"], path, 1, &["a\\nb"]);
    assert_refused(&["bogus"], path, 2, &["bogus"]);
    assert_refused(&["eval"], path, 2, &["--model"]);
    assert_refused(&["eval", "--model", "absent"], path, 1, &["absent.json"]);
    let nowhere = ["train", "--condition", "inorm", "--data", "nowhere"];
    assert_refused(&nowhere, path, 1, &["nowhere"]);
    assert_eq!(std::fs::read_dir(path).unwrap().count(), 0);
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_before_training() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), b"").unwrap();
    let out = ["--epochs", "1", "--out", "file/below"];
    assert_refused(&out, folder.path(), 1, &["file/below"]);
    for option in ["--save", "--dump", "--losses"] {
        let arguments = ["train", "--condition", "inorm", option, "file/below/x"];
        assert_refused(&arguments, folder.path(), 1, &["file/below"]);
    }
}

#[test]
fn data_are_shown_and_verified() {
    let folder = tempfile::tempdir().unwrap();
    let text = stdout(&luminosity(&["data"], folder.path()));
    assert!(text.contains("embedded subset of Fashion-MNIST"));
    assert!(text.contains("10,000") && text.contains("2,000"));
    assert_eq!(text.lines().count(), 5);
}

#[test]
fn help_has_examples_and_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    for command in [
        vec!["--help"],
        vec!["train", "--help"],
        vec!["eval", "--help"],
        vec!["data", "--help"],
        vec!["pack", "--help"],
        vec!["unpack", "--help"],
    ] {
        let text = stdout(&luminosity(&command, folder.path()));
        assert!(text.contains("Examples:"), "{command:?}");
    }
    let text = stdout(&luminosity(&["train", "--help"], folder.path()));
    assert!(text.contains("--option kernel=N"), "{text}");
    let version = stdout(&luminosity(&["--version"], folder.path()));
    assert!(version.contains(env!("CARGO_PKG_VERSION")));
}
