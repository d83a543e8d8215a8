//! Catches panics without printing them.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static SILENT: Cell<bool> = const { Cell::new(false) };
}

/// Calls `f`; a panic in it, on this thread, prints nothing and is returned.
pub(crate) fn caught<T>(f: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
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
    let outer = SILENT.replace(true);
    let result = catch_unwind(AssertUnwindSafe(f));
    SILENT.set(outer);
    result
}

/// `f` for another thread, on which a panic prints what it would print here.
pub(crate) fn as_here<T>(f: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let silent = SILENT.get();
    move || {
        let outer = SILENT.replace(silent);
        let result = f();
        SILENT.set(outer);
        result
    }
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
            assert!(caught(|| panic!("inner")).is_err());
            SILENT.get()
        });
        assert!(inner.unwrap());
        assert!(caught(|| panic!("outer")).is_err());
        assert!(!SILENT.get());
    }
}
