//! Makes the runs of a store: longest first, several at a time, beside any number of other
//! processes that do the same.

mod shard;
mod summary;

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::record::{Outcome, RunRecord, SweepRecord};
use crate::store::{Store, Turn};
use crate::sweep::SweepRun;
use crate::{Error, panics};

pub use shard::Shard;
pub use summary::{Ending, Failure, Summary};

/// How often the observer hears of the sweep.
const TICK: Duration = Duration::from_millis(100);
/// How often to look after the runs of other processes.
const POLL: Duration = Duration::from_millis(250);

/// How far a sweep is.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// How many runs there are.
    pub total: usize,
    /// How many have a record, those of earlier sweeps and of other processes included.
    pub done: usize,
    /// The share of all work that is done, runs that are being made included: 0 to 1.
    pub share: f64,
    /// About how long the rest will take; none before anything is done.
    pub left: Option<Duration>,
    /// The run that ended last, in words.
    pub latest: Option<String>,
}

/// Hears which share of a run is done, 0 to 1, and says whether to go on.
pub type Hear<'a> = dyn FnMut(f64) -> ControlFlow<()> + Send + 'a;

/// The books of a sweep.
#[derive(Default)]
struct Books {
    /// The runs to be made, the longest first.
    pending: VecDeque<usize>,
    /// The runs that other processes are at.
    elsewhere: VecDeque<usize>,
    done: usize,
    /// Of what was done before, was done since, or failed.
    cost: f64,
    failed: Vec<Failure>,
    latest: Option<String>,
    error: Option<Error>,
}

struct Sweep<'a, F> {
    store: &'a Store,
    jobs: &'a [SweepRun],
    stop: &'a AtomicBool,
    execute: F,
    books: Mutex<Books>,
    /// The cost of what each thread has done of the run that it is at, as bits.
    at_work: Vec<AtomicU64>,
    /// Set when no run makes sense any more.
    broken: AtomicBool,
}

/// Makes every run of `jobs` that has no record yet, at most `threads` at a time. `execute` makes one: it
/// tells the share that is done, 0 to 1, and gives up where that breaks: with [`Error::Interrupted`], or a
/// record that says so and is not stored.
/// `observer` hears ten times a second, in the calling thread, how far the sweep is.
///
/// A run that fails, or panics, does not stop the others. After `stop` is set no run starts any more, and
/// the sweep ends as soon as the running ones return.
///
/// # Errors
///
/// A file of the store cannot be written or read. The sweep stops then as above, and all records written
/// so far remain.
pub fn run<F>(
    store: &Store,
    jobs: &[SweepRun],
    threads: usize,
    stop: &AtomicBool,
    execute: F,
    mut observer: impl FnMut(&Progress),
) -> Result<Summary, Error>
where
    F: Fn(&SweepRun, &mut Hear<'_>) -> Result<RunRecord, Error> + Sync,
{
    let contents = store.contents()?;
    let is_done = |i: &usize| contents.records.contains_key(&jobs[*i].id());
    let (done, mut pending): (Vec<usize>, Vec<usize>) = (0..jobs.len()).partition(is_done);
    pending.sort_by(|a, b| jobs[*b].cost().total_cmp(&jobs[*a].cost()));
    let cost_before = done.iter().map(|i| jobs[*i].cost()).sum();
    let threads = threads.clamp(1, pending.len().max(1));
    let sweep = Sweep {
        store,
        jobs,
        stop,
        execute,
        books: Mutex::new(Books {
            pending: pending.into(),
            done: done.len(),
            cost: cost_before,
            ..Books::default()
        }),
        at_work: (0..threads).map(|_| AtomicU64::new(0)).collect(),
        broken: AtomicBool::new(false),
    };
    let began = Instant::now();
    std::thread::scope(|scope| {
        let mut working = Vec::new();
        for own in &sweep.at_work {
            let observing = std::thread::current();
            let sweep = &sweep;
            let work = move || {
                sweep.work(own);
                observing.unpark();
            };
            match std::thread::Builder::new().spawn_scoped(scope, work) {
                Ok(thread) => working.push(thread),
                // Those that there are do the work.
                Err(_) if !working.is_empty() => break,
                Err(e) => {
                    let problem = e.to_string();
                    sweep.break_off(Error::Thread { problem });
                }
            }
        }
        while working.iter().any(|thread| !thread.is_finished()) {
            observer(&sweep.progress(began.elapsed(), cost_before));
            std::thread::park_timeout(TICK);
        }
    });
    let books = sweep.books.into_inner().unwrap_or_else(|e| e.into_inner());
    if let Some(error) = books.error {
        return Err(error);
    }
    let (total, done, mut failed) = (jobs.len(), books.done, books.failed);
    failed.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Summary {
        ending: match total - done {
            0 => Ending::Complete,
            left if left == failed.len() => Ending::Failed,
            _ => Ending::Interrupted,
        },
        total,
        done,
        failed,
        problems: contents.problems,
    })
}

impl<F> Sweep<'_, F>
where
    F: Fn(&SweepRun, &mut Hear<'_>) -> Result<RunRecord, Error> + Sync,
{
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.broken.load(Ordering::Relaxed)
    }

    fn break_off(&self, error: Error) {
        self.books().error.get_or_insert(error);
        self.broken.store(true, Ordering::Relaxed);
    }

    /// What one thread does.
    fn work(&self, own: &AtomicU64) {
        while let Some(index) = self.next() {
            let job = &self.jobs[index];
            let id = job.id();
            let ended = self.make(job, &id, own);
            let mut books = self.books();
            own.store(0, Ordering::Relaxed);
            match ended {
                Ok(Some(latest)) => {
                    books.done += 1;
                    books.cost += job.cost();
                    books.latest = latest.or(books.latest.take());
                }
                Ok(None) => books.elsewhere.push_back(index),
                Err(Error::Interrupted) if self.over() => {}
                // What concerns the disk concerns all runs.
                Err(error @ Error::Io { .. }) => {
                    drop(books);
                    self.break_off(error);
                }
                Err(error) => {
                    books.cost += job.cost();
                    let message = error.to_string();
                    books.failed.push(Failure { id, message });
                }
            }
        }
    }

    /// The next run to look at; none when there is nothing left to do or to wait for.
    fn next(&self) -> Option<usize> {
        loop {
            let mut books = self.books();
            if self.over() {
                return None;
            }
            if let Some(index) = books.pending.pop_front() {
                return Some(index);
            }
            if books.elsewhere.is_empty() {
                return None;
            }
            drop(books);
            std::thread::sleep(POLL);
            let mut books = self.books();
            if books.pending.is_empty() {
                books.pending = std::mem::take(&mut books.elsewhere);
            }
        }
    }

    /// One run, from its claim to its record: what came of it if it was made here, or nothing if another
    /// process is at it.
    fn make(
        &self,
        job: &SweepRun,
        id: &str,
        own: &AtomicU64,
    ) -> Result<Option<Option<String>>, Error> {
        let claim = match self.store.begin(id)? {
            Turn::Done => return Ok(Some(None)),
            Turn::Busy => return Ok(None),
            Turn::Mine(claim) => claim,
        };
        let mut hear = |share: f64| {
            own.store((share * job.cost()).to_bits(), Ordering::Relaxed);
            match self.over() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let made = panics::caught(|| (self.execute)(job, &mut hear));
        let run = made.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            let problem = text.unwrap_or("no message").replace('\n', " ");
            Err(Error::Run { problem })
        })?;
        if run.outcome == Outcome::Interrupted {
            return Err(Error::Interrupted);
        }
        let latest = format!(
            "{} at ε = {}: {:.1} %",
            run.config.condition,
            run.config.epsilon,
            100.0 * run.test_accuracy
        );
        let setting = job.setting;
        self.store
            .publish(&claim, id, &SweepRecord { setting, run })?;
        Ok(Some(Some(latest)))
    }

    fn progress(&self, elapsed: Duration, cost_before: f64) -> Progress {
        let all: f64 = self.jobs.iter().map(SweepRun::cost).sum();
        let books = self.books();
        let at_work = self.at_work.iter();
        let at_work = at_work.map(|bits| f64::from_bits(bits.load(Ordering::Relaxed)));
        let done = (books.cost + at_work.sum::<f64>()).min(all);
        let now = done - cost_before;
        // Of nothing done in no time there is no estimate: that is no number, or endless.
        Progress {
            total: self.jobs.len(),
            done: books.done,
            share: if all > 0.0 { done / all } else { 1.0 },
            left: Duration::try_from_secs_f64(elapsed.as_secs_f64() * (all - done) / now).ok(),
            latest: books.latest.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeviceName;
    use crate::report::testing;
    use crate::store::{Manifest, Open};
    use crate::sweep::Preset;

    #[test]
    fn runs_that_fail_or_panic_stop_no_other_and_are_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let request = Preset::Quick.request();
        let jobs = request.runs();
        let asked = Manifest::new(&request, testing::DATA, DeviceName::Cpu);
        let store = Store::prepare(folder.path(), &asked, Open::Same).unwrap();
        let made = |job: &SweepRun| Ok(testing::record(job).run);
        let bad = |job: &SweepRun, hear: &mut Hear<'_>| {
            assert!(hear(0.5).is_continue());
            match jobs.iter().position(|other| other == job) {
                Some(3) => panic!("a bug"),
                Some(5) => Err(Error::usage("lr", 7, "less")),
                Some(7) => Ok(RunRecord {
                    test_accuracy: f64::NAN,
                    ..testing::record(job).run
                }),
                Some(9) => Ok(RunRecord {
                    outcome: Outcome::Interrupted,
                    ..testing::record(job).run
                }),
                _ => made(job),
            }
        };
        let mut shares = Vec::new();
        let stop = AtomicBool::new(false);
        let summary = run(&store, &jobs, 4, &stop, bad, |p| shares.push(p.share)).unwrap();
        assert_eq!(summary.ending, Ending::Failed);
        assert_eq!(summary.to_string(), "incomplete: 44 of 48 done, 4 failed");
        let messages: Vec<_> = summary.failed.iter().map(|f| f.message.as_str()).collect();
        for word in [
            "the run panicked: a bug",
            "lr is 7",
            "not a record",
            "interrupted",
        ] {
            assert!(messages.iter().any(|m| m.contains(word)), "{messages:?}");
        }
        assert!(shares.is_sorted() && shares.iter().all(|s| (0.0..=1.0).contains(s)));

        let stopped = AtomicBool::new(true);
        let none = |_: &SweepRun, _: &mut Hear<'_>| panic!("no run starts after a stop");
        let summary = run(&store, &jobs, 4, &stopped, none, |_| ()).unwrap();
        assert_eq!((summary.ending, summary.done), (Ending::Interrupted, 44));

        let again = |job: &SweepRun, _: &mut Hear<'_>| made(job);
        let summary = run(&store, &jobs, 4, &stop, again, |_| ()).unwrap();
        assert_eq!(summary.ending, Ending::Complete);
        let names = std::fs::read_dir(folder.path().join("runs")).unwrap();
        assert_eq!(names.count(), 48);
    }
}
