//! The experiment; see [`luminosity`].

use std::process::ExitCode;

// Burn allocates memory for every result; this allocator makes that several times cheaper.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    luminosity::cli::main(std::env::args_os())
}
