//! What a store needs to know of a run.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;

/// The longest name of a run; room is left for the endings that the store adds.
const LONGEST_ID: usize = 180;

/// One run that is to be made: its key fields, which its record repeats at the top level.
pub trait Job: Serialize + DeserializeOwned {
    /// A name made of the key fields alone: the same in every process, different for every job,
    /// also on file systems that do not tell `A` from `a`. It becomes the name of files: letters,
    /// digits and `- _ . + =`, and neither `.` nor `-` in front.
    fn id(&self) -> String;

    /// How long it takes, compared with the others. The longest are started first.
    fn cost(&self) -> f64;
}

/// The cost of a job as a number that can be added up and sorted.
pub(crate) fn cost(job: &impl Job) -> f64 {
    let cost = job.cost();
    if cost.is_finite() && cost > 0.0 {
        cost
    } else {
        0.0
    }
}

/// Refuses a name that could not be a file's.
pub(super) fn check_id(id: &str) -> Result<(), StoreError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.+=".contains(c);
    let fits = (1..=LONGEST_ID).contains(&id.len());
    if fits && !id.starts_with(['.', '-']) && id.chars().all(allowed) {
        return Ok(());
    }
    Err(StoreError::Jobs {
        problem: format!(
            "the run name {id:?} is not allowed; allowed: 1 to {LONGEST_ID} letters, digits and \
             - _ . + =, with neither . nor - in front"
        ),
    })
}
