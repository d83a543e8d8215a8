//! Makes the runs of a store: longest first, several at a time, beside any number of other
//! processes that do the same.

mod progress;
mod shard;
mod stop;
mod summary;
mod sweep;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::{Claim, Failure, Job, Store, StoreError};

pub use progress::Progress;
pub use shard::{Shard, ShardError};
pub use stop::Stop;
pub use summary::{Ending, Summary};

/// How soon a stop is noticed.
const TICK: Duration = Duration::from_millis(50);

/// How runs are made.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many at a time, at least one.
    pub threads: usize,
    /// Whether to wait for runs that other processes are making, and to make those they abandon.
    pub wait: bool,
    /// Ends the sweep when it is requested.
    pub stop: Stop,
}

impl Options {
    /// So many runs at a time, until all are done.
    pub fn new(threads: usize) -> Self {
        Self {
            threads,
            wait: true,
            stop: Stop::default(),
        }
    }
}

/// What came of a run.
#[derive(Debug)]
pub enum Outcome<R> {
    /// It ended, and this is its record.
    Done(R),
    /// It failed, for this reason. It is tried again in the next sweep.
    Failed(String),
    /// It was given up because a stop was requested.
    Stopped,
}

impl<R, E: std::fmt::Display> From<Result<R, E>> for Outcome<R> {
    fn from(result: Result<R, E>) -> Self {
        match result {
            Ok(record) => Self::Done(record),
            Err(error) => Self::Failed(error.to_string()),
        }
    }
}

/// What a thread has to tell at its end.
struct Event<R> {
    index: usize,
    seconds: f64,
    result: Result<Finished<R>, StoreError>,
}

enum Finished<R> {
    Done(R),
    Failed(Failure),
    Stopped,
}

/// Makes every run of `jobs` that has no record yet. `observer` hears, in the calling thread, of the
/// state at the beginning and of each run that starts or ends.
///
/// A run that fails, or panics, does not stop the others. When a stop is requested no run starts any
/// more, and the sweep ends as soon as the running ones return.
///
/// # Errors
///
/// A job is not one of the store's, or a file of the store cannot be written or read. In the latter
/// case the sweep stops as above, and all records written so far remain.
pub fn run<J, R>(
    store: &Store<J, R>,
    jobs: &[J],
    options: &Options,
    execute: impl Fn(&J, &Stop) -> Outcome<R> + Sync,
    observer: impl FnMut(&Progress<'_, R>),
) -> Result<Summary, StoreError>
where
    J: Job + Sync,
    R: Serialize + DeserializeOwned + Send,
{
    // What ends this sweep from inside must not look like a request from outside.
    let stop = options.stop.child();
    let mut sweep = sweep::Sweep::new(store, jobs, options, stop.clone(), observer)?;
    let (sender, receiver) = mpsc::channel();
    let (execute, stop) = (&execute, &stop);
    std::thread::scope(|scope| {
        loop {
            while let Some((index, job, claim)) = sweep.next() {
                let sender = sender.clone();
                let spawned = std::thread::Builder::new().spawn_scoped(scope, move || {
                    let started = Instant::now();
                    let result = make(store, &claim, job, stop, || execute(job, stop));
                    // Nobody listens only if nobody wants to know.
                    let _ = sender.send(Event {
                        index,
                        seconds: started.elapsed().as_secs_f64(),
                        result,
                    });
                });
                if let Err(source) = spawned {
                    sweep.abort(index, StoreError::Thread { source });
                }
            }
            if sweep.is_over() {
                break;
            }
            if let Ok(event) = receiver.recv_timeout(TICK) {
                sweep.finished(event);
            }
            sweep.tick();
        }
    });
    sweep.conclude()
}

/// One run, from its start to what is written of it.
fn make<J: Job, R: Serialize + DeserializeOwned>(
    store: &Store<J, R>,
    claim: &Claim,
    job: &J,
    stop: &Stop,
    execute: impl FnOnce() -> Outcome<R>,
) -> Result<Finished<R>, StoreError> {
    // Nothing that a panic may have left half-changed is looked at afterwards but `execute` itself.
    let outcome = catch_unwind(AssertUnwindSafe(execute));
    let message = match outcome {
        Ok(Outcome::Done(record)) => match store.publish(claim, job, record) {
            Ok(record) => return Ok(Finished::Done(record)),
            Err(error @ StoreError::Record { .. }) => error.to_string(),
            Err(error) => return Err(error),
        },
        Ok(Outcome::Failed(message)) => message,
        Ok(Outcome::Stopped) if stop.requested() => return Ok(Finished::Stopped),
        Ok(Outcome::Stopped) => "gave up without being asked to".to_owned(),
        Err(panic) => format!("panicked: {}", message_of(panic.as_ref())),
    };
    store.fail(claim, job, message).map(Finished::Failed)
}

fn message_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}
