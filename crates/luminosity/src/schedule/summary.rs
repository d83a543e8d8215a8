//! The result of a sweep.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::Error;

/// The reason for the end of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every run has its record.
    Complete,
    /// Every run was made or tried, and some failed.
    Failed,
    /// A stop was requested before the end.
    Interrupted,
}

#[derive(Debug)]
pub struct Summary {
    pub ending: Ending,
    /// The number of requested runs.
    pub total: usize,
    /// The number of these runs that have a record now.
    pub done: usize,
    /// The runs that failed, each with the reason in one line. The next sweep tries them again.
    pub failed: BTreeMap<String, String>,
    /// The records that could not be used at the start of the sweep.
    pub problems: Vec<Error>,
    /// The machines of the records that existed at the start of the sweep.
    pub machines: BTreeSet<String>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.ending {
            Ending::Complete => "complete",
            Ending::Failed => "incomplete",
            Ending::Interrupted => "interrupted",
        };
        write!(f, "{name}: {} of {} done", self.done, self.total)?;
        match self.failed.len() {
            0 => Ok(()),
            failed => write!(f, ", {failed} failed"),
        }
    }
}
