//! Catches panics without printing them.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static SILENT: Cell<bool> = const { Cell::new(false) };
}

/// Calls `f`; a panic in it, on this thread, prints nothing, and its message is returned in one line.
pub(crate) fn caught<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    // Installed once for the process and never removed: two threads that exchange hooks could leave the wrong
    // hook installed.
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !SILENT.get() {
                before(info);
            }
        }));
    });
    let result = with(true, || catch_unwind(AssertUnwindSafe(f)));
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        text.unwrap_or("no message").replace('\n', " ")
    })
}

/// `f` for another thread, on which a panic prints what it would print here.
pub(crate) fn as_here<T>(f: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let silent = SILENT.get();
    move || with(silent, f)
}

/// Calls `f`; until it returns, panics on this thread are silent or not.
fn with<T>(silent: bool, f: impl FnOnce() -> T) -> T {
    let outer = SILENT.replace(silent);
    let result = f();
    SILENT.set(outer);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_thread_is_as_silent() {
        let elsewhere = || {
            let there = as_here(|| SILENT.get());
            std::thread::scope(|scope| scope.spawn(there).join().unwrap())
        };
        assert!(caught(elsewhere).unwrap());
        assert!(!elsewhere());
    }

    #[test]
    fn a_panic_is_returned_and_leaves_the_thread_as_it_was() {
        assert_eq!(caught(|| 1).unwrap(), 1);
        let inner = caught(|| {
            assert_eq!(
                caught(|| panic!("in\nner")),
                Err::<(), _>("in ner".to_owned())
            );
            SILENT.get()
        });
        assert!(inner.unwrap());
        assert!(caught(|| panic!("outer")).is_err());
        assert!(!SILENT.get());
    }
}
