//! How a sweep ended.

use std::collections::BTreeSet;
use std::fmt;

use crate::store::Problem;

/// Why a sweep is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every run has its record.
    Complete,
    /// Every run was made or tried, and some failed.
    Failed,
    /// A stop was requested before the end.
    Interrupted,
}

/// A run that failed. It is tried again by the next sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The run.
    pub id: String,
    /// Why, in one line.
    pub message: String,
}

/// The result of a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Why it is over.
    pub ending: Ending,
    /// How many runs were asked for.
    pub total: usize,
    /// How many of them have a record now.
    pub done: usize,
    /// The runs that failed.
    pub failed: Vec<Failure>,
    /// The records that could not be used when the sweep began.
    pub problems: Vec<Problem>,
    /// The machines of the records that were there when the sweep began.
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
