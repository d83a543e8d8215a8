//! Ctrl-C and SIGTERM.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// The exit code of a program that a signal ended.
pub const INTERRUPTED: i32 = 130;

/// From now on the first Ctrl-C or SIGTERM sets the flag that is returned, and the second ends the
/// process at once with [`INTERRUPTED`]. SIGHUP stays as it was, so that `nohup` works.
///
/// # Errors
///
/// The system refuses a handler.
pub fn install_signal_handlers() -> std::io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag unset.
        flag::register_conditional_shutdown(signal, INTERRUPTED, stop.clone())?;
        flag::register(signal, stop.clone())?;
    }
    Ok(stop)
}
