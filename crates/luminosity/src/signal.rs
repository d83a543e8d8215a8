//! The signals that ask a program to stop: Ctrl-C, SIGTERM, and the warnings of schedulers.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// The exit code of a program that was ended by a signal.
pub const INTERRUPTED: i32 = 130;

/// The signals that schedulers send, some of them repeatedly, before they end a program.
#[cfg(unix)]
const WARNINGS: [i32; 3] = [
    signal_hook::consts::SIGUSR1,
    signal_hook::consts::SIGUSR2,
    signal_hook::consts::SIGXCPU,
];
#[cfg(not(unix))]
const WARNINGS: [i32; 0] = [];

/// From now on SIGINT (Ctrl-C), SIGTERM, SIGUSR1, SIGUSR2 and SIGXCPU set the returned flag. A second SIGINT
/// or a second SIGTERM ends the process at once with [`INTERRUPTED`]. SIGHUP is not changed, so that `nohup`
/// works.
///
/// # Errors
///
/// The system refuses a handler.
pub fn install_signal_handlers() -> std::io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // One flag for each signal, so that a SIGTERM after a warning does not count as a second request. The
        // order matters: the first signal must find its flag unset.
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
