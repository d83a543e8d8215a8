//! How [`Weight`](super::Weight) tells a traversal of ours the sign of the parameter that it visits.
//!
//! Burn's traversal hands a visitor a parameter and the names around it, and a name can be anyone's.
//! So the sign is put where only this crate can: in the thread, for the length of the visit.

use std::cell::Cell;

use super::Sign;

thread_local! {
    static SIGN: Cell<Option<Sign>> = const { Cell::new(None) };
}

/// The sign of the parameter that is being visited, if it is a weight of this crate.
pub(crate) fn sign() -> Option<Sign> {
    SIGN.get()
}

/// Runs a visit of a parameter of sign `sign`.
pub(super) fn with_sign<T>(sign: Option<Sign>, visit: impl FnOnce() -> T) -> T {
    /// Restores what was before, also if the visitor panics.
    struct Restore(Option<Sign>);
    impl Drop for Restore {
        fn drop(&mut self) {
            SIGN.set(self.0);
        }
    }
    let _restore = Restore(SIGN.replace(sign));
    visit()
}
