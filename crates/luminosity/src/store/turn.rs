//! One run from claim to record.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::atomic::{self, Existing};
use super::record::{self, Found, Problem};
use super::{Claim, Holder, Job, Store, StoreError, claim};

/// What there is to do about a run.
#[derive(Debug)]
pub enum Turn<R> {
    /// Nothing: here is its record.
    Done(R),
    /// Nothing yet: somebody else is at it, who may be known.
    Busy(Option<Holder>),
    /// Make it, and hold the claim until its record is published.
    Mine(Claim),
}

impl<J: Job, R: Serialize + DeserializeOwned> Store<J, R> {
    /// Claims a run if it needs to be made. A damaged record is put aside. Never waits.
    ///
    /// # Errors
    ///
    /// A file cannot be written, or not be read for reasons that lie outside of it.
    pub fn begin(&self, id: &str) -> Result<Turn<R>, StoreError> {
        if let Found::Complete(record) = self.find(id)? {
            return Ok(Turn::Done(record));
        }
        let path = self.claim_path(id);
        let attempt = claim::attempt(&path, &self.leases);
        match attempt.map_err(|e| StoreError::io("write", &path, e))? {
            claim::Attempt::Busy(holder) => Ok(Turn::Busy(holder)),
            // Its last holder may have published between the look and the claim.
            claim::Attempt::Mine(claim) => Ok(match self.find(id)? {
                Found::Complete(record) => Turn::Done(record),
                Found::Nothing => Turn::Mine(claim),
                Found::Damaged(problem) => {
                    put_aside(&problem)?;
                    Turn::Mine(claim)
                }
            }),
        }
    }

    /// Writes the record of a run. One that is there already stays and is returned.
    ///
    /// # Errors
    ///
    /// [`StoreError::Record`] if it would not be understood when read again; else the file cannot
    /// be written.
    pub fn publish(&self, _claim: &Claim, job: &J, record: R) -> Result<R, StoreError> {
        let id = job.id();
        let content = record::encode::<J, R>(&id, &record)?;
        let path = self.record_path(&id);
        let write = || {
            let written = atomic::write(&path, &id, &content, Existing::Keep);
            written.map_err(|e| StoreError::io("write", &path, e))
        };
        // Somebody else's can only be there if the claim did not reach as far as its machine.
        while !write()? {
            match self.find(&id)? {
                Found::Complete(record) => return Ok(record),
                Found::Damaged(problem) => put_aside(&problem)?,
                Found::Nothing => {}
            }
        }
        let failure = self.failure_path(&id);
        atomic::remove(&failure).map_err(|e| StoreError::io("remove", &failure, e))?;
        Ok(record)
    }
}

fn put_aside(problem: &Problem) -> Result<(), StoreError> {
    let aside = record::name_aside(&problem.path);
    std::fs::rename(&problem.path, aside).map_err(|e| StoreError::io("rename", &problem.path, e))
}
