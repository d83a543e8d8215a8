//! The wish that a sweep end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A wish to stop, shared between all that look at it.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    own: Arc<AtomicBool>,
    outside: Option<Arc<AtomicBool>>,
}

impl Stop {
    /// One that follows `flag`, such as that of a signal handler.
    pub fn new(flag: Arc<AtomicBool>) -> Self {
        Self {
            own: flag,
            outside: None,
        }
    }

    /// One that follows this one, and can be requested without it.
    pub(super) fn child(&self) -> Self {
        let own = Arc::default();
        let outside = Some(self.own.clone());
        Self { own, outside }
    }

    /// Asks all to stop.
    pub fn request(&self) {
        self.own.store(true, Ordering::SeqCst);
    }

    /// Whether to stop. Cheap: to be asked at every step of a run.
    pub fn requested(&self) -> bool {
        let set = |flag: &Arc<AtomicBool>| flag.load(Ordering::Relaxed);
        set(&self.own) || self.outside.as_ref().is_some_and(set)
    }
}
