//! How a sweep ended.

use std::fmt;

use crate::store::{Failure, Problem};

/// Why a sweep is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every run has its record.
    Complete,
    /// Every run was made or tried, and some failed.
    Failed,
    /// A stop was requested before the end.
    Interrupted,
    /// Other processes are still at the rest, and waiting was not wanted.
    Elsewhere,
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
    /// How many of those records this sweep made.
    pub made: usize,
    /// The runs that failed.
    pub failed: Vec<Failure>,
    /// The record files that could not be used when the sweep began.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.ending {
            Ending::Complete => "complete",
            Ending::Failed => "incomplete",
            Ending::Interrupted => "interrupted",
            Ending::Elsewhere => "left to other processes",
        };
        write!(f, "{name}: {} of {} done", self.done, self.total)?;
        if let Some(first) = self.failed.first() {
            let line = first.message.lines().next().unwrap_or_default();
            let count = self.failed.len();
            write!(
                f,
                ", {count} failed, the first of them {}: {line}",
                first.id
            )?;
        }
        Ok(())
    }
}
