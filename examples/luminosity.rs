//! The experiment: forward-only against forward + error normalization on Fashion-MNIST under variable
//! luminosity. `cargo run --release --example luminosity -- --help` lists its commands and options.

use std::process::ExitCode;

// Burn allocates memory for every result; this allocator makes that several times cheaper.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    luminosity::cli::main(std::env::args_os())
}
