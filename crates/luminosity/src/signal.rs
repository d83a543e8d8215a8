//! The signals that ask a program to stop: Ctrl-C, SIGTERM, and what schedulers send.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// The exit code of a program that a signal ended.
pub const INTERRUPTED: i32 = 130;

/// What schedulers send, some of it again and again, before they end a program.
#[cfg(unix)]
const WARNINGS: [i32; 3] = [
    signal_hook::consts::SIGUSR1,
    signal_hook::consts::SIGUSR2,
    signal_hook::consts::SIGXCPU,
];
#[cfg(not(unix))]
const WARNINGS: [i32; 0] = [];

/// From now on SIGINT (Ctrl-C), SIGTERM, SIGUSR1, SIGUSR2 and SIGXCPU set the flag that is returned. A
/// second SIGINT or a second SIGTERM ends the process at once with [`INTERRUPTED`]. SIGHUP stays as it
/// was, so that `nohup` works.
///
/// # Errors
///
/// The system refuses a handler.
pub fn install_signal_handlers() -> std::io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // One flag for each signal: a SIGTERM after a warning is no second request. In this order: the
        // first signal finds its flag unset.
        let seen = Arc::new(AtomicBool::new(false));
        flag::register_conditional_shutdown(signal, INTERRUPTED, seen.clone())?;
        flag::register(signal, seen)?;
        flag::register(signal, stop.clone())?;
    }
    for signal in WARNINGS {
        flag::register(signal, stop.clone())?;
    }
    Ok(stop)
}
