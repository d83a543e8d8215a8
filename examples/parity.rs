//! Compares the library with golden cases: results computed in float64 by an independent implementation.
//! `cargo run --release --example parity -- tests/golden`

use std::path::PathBuf;
use std::process::ExitCode;

use burn::tensor::DType;
use clap::{Parser, ValueEnum};
use ei_norm_suite::golden;
use luminosity::DeviceName;

/// Computes every golden case of a folder with ei-norm and prints the largest relative error of each.
#[derive(Parser)]
#[command(after_help = "Examples:
  parity tests/golden
  parity tests/golden --dtype f32 --device ndarray")]
struct Arguments {
    /// Folder with the *.json cases.
    folder: PathBuf,
    /// Backend: flex, ndarray, or one built with --features (wgpu, vulkan, metal, cuda, rocm, cpu).
    #[arg(long, default_value = "flex")]
    device: DeviceName,
    /// Precision [default: f64, on a GPU f32].
    #[arg(long)]
    dtype: Option<Precision>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Precision {
    F32,
    F64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let name = arguments.device;
    let dtype = match (arguments.dtype, name.is_gpu()) {
        (Some(Precision::F64), true) => {
            eprintln!("error: dtype is f64; allowed on {name}: f32");
            return ExitCode::from(2);
        }
        (Some(Precision::F32), _) | (None, true) => DType::F32,
        (Some(Precision::F64) | None, false) => DType::F64,
    };
    let device = match name.open() {
        Ok(device) => device,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(error.exit_code());
        }
    };
    let cases = match golden::read_folder(&arguments.folder) {
        Ok(cases) => cases,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };

    let mut failed = 0;
    for case in &cases {
        let verdict = golden::run(case, &device, dtype, name.is_gpu());
        let state = if verdict.passed() { "ok    " } else { "FAILED" };
        let (name, bound) = (&verdict.name, verdict.bound);
        match &verdict.outcome {
            Ok((error, value)) => {
                println!("{state} {name:<28} {error:9.2e} of {bound:.0e}  ({value})");
            }
            Err(error) => println!("{state} {name:<28} {error}"),
        }
        failed += usize::from(!verdict.passed());
    }
    println!("{} passed, {failed} failed", cases.len() - failed);
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
