//! The experiment: forward-only against forward + error normalization on Fashion-MNIST under
//! variable luminosity. `cargo run --release --example luminosity -- --help` says what it can do.

use std::process::ExitCode;

// Burn allocates every result afresh; this allocator makes that several times cheaper.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    luminosity::cli::main(std::env::args_os())
}
