//! Programs with definitions of their own. That of docs/extending.md works in the comparison, the sweep and the report;
//! examples/rnn.rs has a network that refuses some conditions.
//!
//! The examples are modules of this program, which starts itself as an example where [`PROGRAM`] names one. So the
//! tested code is never older than the sources.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode, Output};

use serde_json::Value;

#[path = "../examples/extending.rs"]
mod extending;
#[path = "../examples/rnn.rs"]
mod rnn;

const PROGRAM: &str = "EI_NORM_EXAMPLE";

fn main() -> ExitCode {
    match std::env::var(PROGRAM).as_deref() {
        Ok("extending") => extending::main(),
        Ok("rnn") => rnn::main(),
        _ => {
            one_of_each_goes_through_comparison_sweep_and_report();
            a_network_that_refuses_a_requested_condition_trains_none();
            ExitCode::SUCCESS
        }
    }
}

fn run(program: &str, arguments: &str, folder: &Path) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(PROGRAM, program).current_dir(folder);
    command.args(arguments.split_whitespace());
    command.output().unwrap()
}

/// The standard output of `extending`.
fn stdout(arguments: &str, folder: &Path) -> String {
    let output = run("extending", arguments, folder);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn one_of_each_goes_through_comparison_sweep_and_report() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let common = "--data stripes --stimulus flicker --epochs 2 --width 12 --lr 0.05";
    let conditions = "--conditions inorm,inorm+sign";

    let table = stdout(
        &format!("{common} {conditions} --seeds 2 --out cmp"),
        folder,
    );
    assert!(table.lines().any(|line| line.starts_with("inorm+sign")));
    let json = std::fs::read(folder.join("cmp/comparison.json")).unwrap();
    let comparison: Value = serde_json::from_slice(&json).unwrap();
    for run in comparison["runs"].as_array().unwrap() {
        assert_eq!(run["stimulus"], "flicker");
        assert!(run["data"].as_str().unwrap().contains("stripes"), "{run}");
        let silent = run["history"][1]["measures"]["silent"].as_array().unwrap();
        assert_eq!(silent.len(), 2, "one of each hidden layer");
        let is_share = |s: &Value| (0.0..=1.0).contains(&s.as_f64().unwrap());
        assert!(silent.iter().all(is_share), "{run}");
        let gradient = &run["alignment"]["gradient"];
        assert!(gradient.as_f64().unwrap().abs() <= 1.0 + 1e-6);
    }
    for table in ["cmp/report/runs.csv", "cmp/report/curves.csv"] {
        let table = csv::Reader::from_path(folder.join(table));
        let header = table.unwrap().headers().unwrap().clone();
        assert!(header.iter().any(|name| name == "measures.silent.1"));
    }
    let svg = std::fs::read_to_string(folder.join("cmp/comparison.svg")).unwrap();
    assert!(svg.contains("Stripes under variable flicker") && svg.contains("inorm+sign"));

    let sweep = format!("sweep {common} {conditions} --network shallow --settings 2 --out store");
    let together = format!("{sweep} --population 2");
    assert_eq!(
        stdout(&together, folder).trim_end(),
        "complete: 8 of 8 done"
    );
    for record in std::fs::read_dir(folder.join("store/runs")).unwrap() {
        let record = std::fs::read_to_string(record.unwrap().path()).unwrap();
        assert!(record.contains("\"population\": 2"), "{record}");
    }
    stdout("report store --out report", folder);
    let mut runs = csv::Reader::from_path(folder.join("report/runs.csv")).unwrap();
    let rows: Vec<BTreeMap<String, String>> = runs.deserialize().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 8);
    assert!(rows.iter().all(|row| row["network"] == "shallow"));
    let own = rows.iter().filter(|row| row["condition"] == "inorm+sign");
    assert_eq!(own.count(), 4);
    for figure in ["main.svg", "fig_curves.svg"] {
        let svg = std::fs::read_to_string(folder.join("report").join(figure)).unwrap();
        assert!(svg.contains("inorm+sign"), "{figure}");
    }
}

fn a_network_that_refuses_a_requested_condition_trains_none() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for command in ["--out refused", "sweep --settings 1 --out refused"] {
        let output = run("rnn", &format!("{command} --network sequence"), folder);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{command}: {error}");
        let named = ["conditions", "allowed: none and those of I-Norm"];
        assert!(named.iter().all(|name| error.contains(name)), "{error}");
        assert!(!folder.join("refused").exists(), "{command}");
    }
}
