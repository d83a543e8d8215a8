//! The experiment; see [`luminosity`].

use std::process::ExitCode;

// Burn allocates every result afresh; this allocator makes that several times cheaper.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    luminosity::cli::main(std::env::args_os())
}
