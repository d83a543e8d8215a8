//! Tests of the command line with the real program: output, exit codes and files.

mod program;

use std::process::Output;

use program::{Folder, names, stderr, stdout, timeless};
use serde_json::Value;

const SHORT: &str = "--steps 40 --width 24 --seed 3";

fn train(folder: &Folder, condition: &str, more: &str) -> Output {
    folder.run(&format!("train --condition {condition} {SHORT} {more}"))
}

fn record(output: &Output) -> Value {
    let text = stdout(output);
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_same_command_gives_the_same_record_and_another_seed_another() {
    let folder = Folder::new();
    for condition in [
        "none",
        "e-only-ln+",
        "inorm-sub",
        "inorm+full",
        "inorm+lateral",
    ] {
        let one = record(&train(&folder, condition, "--threads 1"));
        let two = record(&train(&folder, condition, "--threads 7"));
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
    let loss = |output: &Output| record(output)["train_loss"].clone();
    let other = folder.run("train --condition none --steps 40 --width 24 --seed 4");
    assert_ne!(loss(&other), loss(&train(&folder, "none", "")));
}

#[test]
fn a_comparison_is_the_same_for_any_number_of_threads_and_writes_its_files() {
    let folder = Folder::new();
    let compare = |threads: usize, out: &str| -> Value {
        let output = folder.run(&format!(
            "--epochs 1 --seeds 2 --width 16 --conditions inorm,inorm+full --threads {threads} --out {out} --json"
        ));
        assert!(stderr(&output).contains(out), "names its output folder");
        serde_json::from_str(&stdout(&output)).unwrap()
    };
    let one = compare(1, "one");
    let four = compare(4, "four");
    let runs = |comparison: &Value| -> Vec<Value> {
        let runs = comparison["runs"].as_array().unwrap();
        runs.iter().cloned().map(timeless).collect()
    };
    assert_eq!(runs(&one).len(), 4);
    assert_eq!(runs(&one), runs(&four));

    let json = folder.read("one/comparison.json");
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), one);
    assert_eq!(folder.read("one/comparison.csv").lines().count(), 1 + 4);
    assert!(folder.read("one/comparison.svg").contains("inorm+full"));
    let png = std::fs::read(folder.path("one/comparison.png")).unwrap();
    assert_eq!(&png[1..4], b"PNG");
    let names = names(&folder.path("one")).into_iter();
    let (files, folders): (Vec<_>, Vec<_>) = names.partition(|n| n.starts_with("comparison."));
    assert_eq!((files.len(), folders.len()), (4, 2));
    let stores = folders.iter().filter(|name| name.starts_with("runs-"));
    assert_eq!(stores.count(), 1, "{folders:?}");
    let mut effects = one["effects"].as_array().unwrap().iter();
    let effect = effects.find(|effect| effect["of"] == "inorm+full").unwrap();
    let difference = effect["paired"]["difference"].as_f64().unwrap();
    let effects = folder.read("one/report/effects.csv");
    let mut rows = effects.lines();
    let row = rows
        .find(|line| line.starts_with("inorm+full,inorm,"))
        .unwrap();
    assert!(row.contains(&format!(",{difference},")), "{effects}");
    assert!(folder.path("one/report/report.html").is_file());
}

#[test]
fn the_report_of_a_comparisons_store_is_of_its_last_request() {
    let folder = Folder::new();
    let compare = |epochs: usize| {
        folder.stdout(&format!(
            "--conditions inorm,inorm+full --seeds 1 --width 8 --epochs {epochs} --out out"
        ))
    };
    let first = compare(1);
    let second = compare(2);
    assert_ne!(first, second);
    let mut stores = names(&folder.path("out")).into_iter();
    let is_store = |name: &String| folder.path(&format!("out/{name}/manifest.json")).exists();
    let store = stores.find(is_store).unwrap();
    let report = folder.run(&format!("report out/{store}"));
    let (text, told) = (stdout(&report), stderr(&report));
    assert!(text.starts_with(second.trim()), "{text}");
    assert!(told.contains("note: 2 other runs of the store"), "{told}");
    folder.refuses("report out", 1, &["out/manifest.json", "runs-*"]);
}

#[test]
fn a_table_and_a_verdict_are_printed() {
    let text = Folder::new().stdout("--epochs 1 --seeds 1 --width 16");
    let count = |is_so: &dyn Fn(&str) -> bool| text.lines().filter(|line| is_so(line)).count();
    for condition in ["none", "ln+", "inorm", "inorm+full"] {
        assert!(count(&|line| line.split_whitespace().next() == Some(condition)) > 0);
    }
    let undecided =
        "There are too few runs to say whether normalizing errors as well as activity helps: ";
    assert!(count(&|line| line.starts_with(undecided)) > 0, "{text}");
    for over in ["inorm", "ln+", "none"] {
        let effect = format!("ε = 0.75: inorm+full over {over} ");
        assert_eq!(count(&|line| line.starts_with(&effect)), 1, "{text}");
    }
    assert_eq!(text.matches("  p = 1.00, higher in ").count(), 3, "{text}");
    let is_wide = |line: &str| !line.starts_with(undecided) && line.chars().count() > 80;
    assert_eq!(count(&is_wide), 0, "{text}");
}

#[test]
fn lateral_weights_learn_and_how_far_is_recorded() {
    let folder = Folder::new();
    let of = |condition| timeless(record(&train(&folder, condition, "")));
    let learned = of("inorm+learned-lateral");
    assert_eq!(learned, of("inorm+learned-lateral"));
    let fixed = of("inorm+lateral");
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
    let folder = Folder::new();
    for (condition, name) in [
        ("none", "a"),
        ("inorm+lateral", "models/b"),
        ("inorm-sub", "c"),
        ("inorm+learned-lateral", "d"),
    ] {
        let trained = record(&train(&folder, condition, &format!("--save {name}")));
        for ending in ["", ".bpk", ".json"] {
            let tested = record(&folder.run(&format!("eval --model {name}{ending}")));
            assert_eq!(tested["test_accuracy"], trained["test_accuracy"]);
            assert_eq!(tested["condition"], condition);
        }
    }
}

#[test]
fn a_model_that_is_damaged_or_not_that_of_its_record_is_refused() {
    let folder = Folder::new();
    stdout(&train(&folder, "inorm", "--save good"));
    let good = std::fs::read(folder.path("good.bpk")).unwrap();
    let record = folder.read("good.json");
    let mut old: Value = serde_json::from_str(&record).unwrap();
    let digest = old.as_object_mut().unwrap().remove("weights_sha256");
    let digest = digest.unwrap().as_str().unwrap().to_owned();
    assert_eq!(digest.len(), 64);
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let longer = [&good[..], &[0; 1000]].concat();
    for bytes in [flipped, longer] {
        folder.write("bad.bpk", bytes);
        folder.write("bad.json", &record);
        let words = ["bad.bpk", "SHA-256", &digest];
        folder.refuses("eval --model bad", 1, &words);
    }

    // A record of an earlier version has no digest.
    let garbage = b"not a model at all, but long enough to have a header";
    let mut inverted = good.clone();
    inverted[..64].iter_mut().for_each(|byte| *byte = !*byte);
    for bytes in [
        &garbage[..],
        &[],
        &good[..good.len() / 2],
        &good[..40],
        &inverted,
    ] {
        folder.write("bad.bpk", bytes);
        folder.write("bad.json", old.to_string());
        folder.refuses("eval --model bad", 1, &["bad.bpk"]);
    }

    folder.write("other.bpk", &good);
    let width = |width: &str| record.replace("\"width\":24", &format!("\"width\":{width}"));
    for (record, words) in [
        (width("25"), &["other.bpk", "shape"][..]),
        (width("20000"), &["other.bpk", "20000"]),
        (record.replace("\"inorm\"", "\"none\""), &["other.bpk"]),
        ("{}".to_owned(), &["other.json"]),
    ] {
        folder.write("other.json", record);
        folder.refuses("eval --model other", 1, words);
    }
    std::fs::remove_file(folder.path("other.json")).unwrap();
    folder.refuses("eval --model other", 1, &["other.json"]);

    // Without a digest the accuracy is compared.
    folder.write("old.bpk", &good);
    folder.write("old.json", old.to_string());
    folder.stdout("eval --model old");
    old["test_accuracy"] = 0.5.into();
    old["history"][0]["test_accuracy"] = 0.5.into();
    folder.write("old.json", old.to_string());
    let output = folder.run("eval --model old");
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert!(told.contains("test_accuracy is"), "{told}");
    folder.stdout("eval --model old --epsilon 0");
}

/// Sends each signal after the first epoch.
#[cfg(unix)]
#[test]
fn every_signal_ends_a_run_with_its_record_and_no_file_is_lost() {
    let folder = Folder::new();
    folder.write("losses.csv", "of another run");
    for signal in ["INT", "TERM", "USR1", "USR2", "XCPU"] {
        let mut child = folder.start(
            "train --condition none --width 4 --epochs 9999 --losses losses.csv --save model",
        );
        // The data are named just before the handlers are installed.
        let mut said = std::io::BufReader::new(child.stderr.take().unwrap());
        std::io::BufRead::read_line(&mut said, &mut String::new()).unwrap();
        std::thread::sleep(std::time::Duration::from_secs(2));
        let output = program::interrupt(child, signal);
        let record: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(record["outcome"], "interrupted");
        assert!(record["steps"].as_u64().unwrap() > 0);
        let history = record["history"].as_array().unwrap();
        let last = history.last().map(|epoch| &epoch["train_loss"]);
        assert_eq!(last.unwrap_or(&Value::Null), &record["train_loss"]);
        assert_eq!(folder.read("losses.csv"), "of another run");
        assert_eq!(names(&folder.path("")), ["losses.csv"]);
    }
}

#[test]
fn arrays_are_dumped_for_other_tools() {
    let folder = Folder::new();
    stdout(&train(&folder, "inorm+full", "--dump arrays"));
    let read = |name: &str| {
        let bytes = std::fs::read(folder.path("arrays").join(name)).unwrap();
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
    let folder = Folder::new();
    stdout(&train(&folder, "ln+", "--losses losses.csv"));
    let csv = folder.read("losses.csv");
    let rows: Vec<_> = csv.lines().collect();
    assert_eq!((rows[0], rows.len()), ("step,loss", 41));
    let loss = |row: &str| row.split(',').nth(1).unwrap().parse::<f64>().unwrap();
    assert!(loss(rows[1]) > loss(rows[40]), "it learns");
}

/// In the loss, or after a single step in the logits of finite weights.
#[test]
fn divergence_is_an_outcome() {
    let folder = Folder::new();
    for more in [
        "inorm --steps 40 --width 24",
        "none --steps 1 --width 8",
        "none --steps 1 --width 8 --network conv --option kernel=3",
        "none --steps 1 --width 8 --network rnn",
    ] {
        let output = folder.run(&format!("train --lr 1e30 --condition {more}"));
        let last = record(&output);
        let found = (&last["outcome"], &last["test_accuracy"], &last["history"]);
        let none = Value::Array(Vec::new());
        assert_eq!(found, (&"diverged".into(), &0.1.into(), &none), "{more}");
        assert!(last["train_loss"].is_null());
        assert!(stderr(&output).contains("diverged"));
    }
}

/// The weights are finite, but the variance of the pre-activations is not.
#[test]
fn measures_beyond_all_numbers_are_divergence_too() {
    let folder = Folder::new();
    let trained = record(&folder.run("train --condition none --lr 50 --epochs 1 --save m"));
    assert_eq!(trained["outcome"], "diverged");
    folder.stdout("eval --model m");
}

#[test]
fn adam_has_rates_of_its_own() {
    let folder = Folder::new();
    let of = |more: &str| record(&train(&folder, "inorm+full", more));
    let adam = of("--optimizer adam");
    assert_eq!(adam["outcome"], "completed");
    let rates = [&adam["lr"], &adam["lr_ei"], &adam["lr_ix"]];
    assert_eq!(rates, [3e-4, 3e-4, 1e-3]);
    let given = of("--optimizer adam --lr 0.002");
    assert_eq!([&given["lr"], &given["lr_ix"]], [2e-3, 1e-3]);
}

#[test]
fn images_that_a_network_cannot_take_are_refused_before_anything_is_made() {
    let folder = Folder::new();
    folder.tiny_images(2, &[0, 1]);
    let depth = "depth is 2 with kernel=5, stride=2 and images of 2x2";
    for command in ["sweep --out store", "--out store", "train --condition none"] {
        let command = format!("{command} --network conv --data tiny");
        folder.refuses(&command, 2, &[depth]);
        assert!(!folder.path("store").exists(), "{command}");
    }
    stdout(&train(&folder, "none", "--save m"));
    let words = ["m.bpk", "1x2x2", "Fashion-MNIST"];
    folder.refuses("eval --model m --data tiny", 1, &words);
}

#[test]
fn no_output_replaces_the_data() {
    let folder = Folder::new();
    folder.tiny_images(2, &[0, 1]);
    for output in ["tiny", "tiny/t10k-labels-idx1-ubyte"] {
        let command = format!("train --condition none --steps 1 --data tiny --losses {output}");
        folder.refuses(&command, 2, &["another name than that of --data"]);
    }
}

#[test]
fn a_single_image_cannot_be_held_out() {
    let folder = Folder::new();
    folder.tiny_images(2, &[1]);
    let output = train(&folder, "none", "--data tiny --patience 1");
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    let words = "patience is 1; allowed: none with a single";
    assert!(told.contains(words), "{told}");
}

#[test]
fn classes_without_images_are_told() {
    for (classes, is_told) in [([0, 2], true), ([0, 1], false)] {
        let folder = Folder::new();
        folder.tiny_images(2, &classes);
        let told = stderr(&train(&folder, "none", "--data tiny"));
        let note = "note: 1 of the 3 classes have no training image";
        assert_eq!(told.contains(note), is_told, "{told}");
    }
}

#[test]
fn a_comparison_whose_runs_all_diverged_has_numbers_and_no_figure() {
    let folder = Folder::new();
    let compare = |lr: &str| {
        let short = "--conditions inorm --seeds 1 --epochs 1 --width 24 --out out";
        folder.stdout(&format!("{short} --lr {lr}"))
    };
    let exists = |ending: &str| folder.path(&format!("out/comparison.{ending}")).exists();
    assert!(!compare("0.001").contains("diverged"));
    assert!(exists("svg") && exists("png"));
    assert!(compare("1e30").contains("(1 diverged)"));
    assert!(!exists("svg") && !exists("png"), "a figure of other runs");
    assert!(exists("csv") && exists("json"));
}

#[test]
fn what_is_not_allowed_is_refused_in_one_line() {
    let folder = Folder::new();
    for (more, words) in [
        ("--save here/", ["save", "here/"]),
        ("--epsilon -0.5", ["epsilon", "-0.5"]),
        ("--epsilon 1.5", ["epsilon", "1.5"]),
        ("--epsilon nan", ["epsilon", "NaN"]),
        ("--lr -1", ["lr", "-1"]),
        ("--lr-ei inf", ["lr-ei", "inf"]),
        ("--lr-ix NaN", ["lr-ix", "NaN"]),
        ("--lambda -1e-3", ["lambda", "-0.001"]),
        ("--lambda 1e-300", ["lambda", "1e-300"]),
        ("--clip-errors 0", ["clip-errors", "0"]),
        ("--clip-errors inf", ["clip-errors", "inf"]),
        ("--clip-errors much", ["much", "clip-errors"]),
        ("--width 0", ["width", "0"]),
        ("--width 1", ["width", "at least 2"]),
        ("--steps 0", ["steps", "0"]),
        (
            "--steps 1000000000",
            ["steps is 1000000000", "at most 313000000"],
        ),
        ("--epochs 0", ["epochs", "0"]),
        ("--threads 0", ["threads", "0"]),
        ("--batch-size 0", ["batch-size", "0"]),
        ("--seed -1", ["seed", "-1"]),
        ("--seed x", ["seed", "x"]),
        ("--device abacus", ["abacus", "flex"]),
        ("--init zeros", ["zeros", "lognormal"]),
        ("--frobnicate 1", ["--frobnicate", "unexpected"]),
    ] {
        let train = format!("train --condition inorm {more}");
        folder.refuses(&train, 2, &words);
    }
    for (command, code, words) in [
        (
            "train --condition inorm+ful",
            2,
            &["inorm+ful", "inorm+full"][..],
        ),
        ("train", 2, &["--condition"]),
        (
            "--conditions ln+,inorm,inorm",
            2,
            &["condition", "ln+,inorm,inorm", "inorm once"],
        ),
        ("--epsilon 0,0.5,0", 2, &["epsilon", "0,0.5,0", "0 once"]),
        ("--seeds 0", 2, &["seeds", "0"]),
        ("sweep --jobs 0", 2, &["jobs is 0"]),
        (
            "sweep --epsilons 0,-0 --dry-run",
            2,
            &["epsilons is 0,0", "0 once"],
        ),
        ("--epsilon 0,0.75", 2, &["epsilon is 2 values", "sweep"]),
        ("report a\nb", 1, &["a\\nb"]),
        ("bogus", 2, &["bogus"]),
        ("eval", 2, &["--model"]),
        ("eval --model absent", 1, &["absent.json"]),
        ("train --condition inorm --data nowhere", 1, &["nowhere"]),
    ] {
        folder.refuses(command, code, words);
    }
    assert!(names(&folder.path("")).is_empty());
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_before_training() {
    let folder = Folder::new();
    folder.write("file", "");
    for command in [
        "--epochs 1 --out file/below",
        "train --condition inorm --save file/below/x",
        "train --condition inorm --dump file/below/x",
        "train --condition inorm --losses file/below/x",
    ] {
        folder.refuses(command, 1, &["file/below"]);
    }
}

#[test]
fn data_are_shown_and_verified() {
    let text = Folder::new().stdout("data");
    assert!(text.contains("embedded subset of Fashion-MNIST"));
    assert!(text.contains("10,000") && text.contains("2,000"));
    assert_eq!(text.lines().count(), 5);
}

#[test]
fn help_has_examples_and_succeeds() {
    let folder = Folder::new();
    for command in ["", "train", "eval", "data", "pack", "unpack"] {
        let text = folder.stdout(&format!("{command} --help"));
        assert!(text.contains("Examples:"), "{command}");
        assert!(
            command != "train" || text.contains("--option kernel=N"),
            "{text}"
        );
    }
    assert!(
        folder
            .stdout("--version")
            .contains(env!("CARGO_PKG_VERSION"))
    );
}
