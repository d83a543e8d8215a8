//! Makes the runs of a store: longest first, several at a time or in populations. Any number of other
//! processes may work on the same store.

mod shard;
mod summary;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use crate::record::{Outcome, RunRecord, SweepRecord};
use crate::store::{Store, Turn};
use crate::sweep::SweepRun;
use crate::{Error, panics, parallel};

pub use shard::Shard;
pub use summary::{Ending, Summary};

/// The interval between calls of the observer.
const TICK: Duration = Duration::from_millis(100);
/// The interval between checks of the runs of other processes.
const POLL: Duration = Duration::from_millis(250);

#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    pub total: usize,
    /// The number of runs with a record, including records of earlier sweeps and other processes.
    pub done: usize,
    /// The share of the total cost that is done, including runs in progress: 0 to 1.
    pub share: f64,
    /// The estimated remaining time; none before anything is done.
    pub left: Option<Duration>,
    /// The run that ended last, in words.
    pub latest: Option<String>,
}

/// A callback for the share of a run that is done, 0 to 1; it returns whether to go on.
pub type Hear<'a> = dyn FnMut(f64) -> ControlFlow<()> + Send + 'a;

#[derive(Default)]
struct Books {
    /// The runs to be made, the longest first; the runs of a population are grouped.
    pending: VecDeque<Vec<usize>>,
    /// The runs that other processes are making.
    elsewhere: Vec<usize>,
    /// The number of threads that work or will work, including the calling thread.
    workers: usize,
    done: usize,
    /// The cost of the runs that are done or failed.
    cost: f64,
    /// For each thread, the finished part of the cost of its current runs.
    at_work: Vec<f64>,
    failed: BTreeMap<String, String>,
    latest: Option<String>,
}

impl Books {
    fn fail(&mut self, job: &SweepRun, error: &Error) {
        self.cost += job.cost();
        self.failed.insert(job.id(), error.to_string());
    }
}

/// Makes one run, or several that can be in one population.
type Execute<'a> = dyn Fn(&[&SweepRun], &mut Hear<'_>) -> Result<Vec<RunRecord>, Error> + Sync + 'a;

struct Sweep<'a> {
    store: &'a Store,
    jobs: &'a [SweepRun],
    stop: &'a AtomicBool,
    population: usize,
    execute: &'a Execute<'a>,
    books: Mutex<Books>,
    /// The error after which no further run can succeed.
    error: OnceLock<Error>,
}

/// The number of simultaneous runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtOnce {
    /// The number of simultaneous populations, or of single runs.
    pub threads: usize,
    /// The number of runs in a population.
    pub population: usize,
}

impl fmt::Display for AtOnce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let threads = self.threads;
        match self.population {
            1 => write!(f, "{threads} at a time"),
            most if threads == 1 => write!(f, "up to {most} as one population"),
            most => write!(f, "{threads} at a time in populations of up to {most}"),
        }
    }
}

/// Makes every run of `jobs` that has no record yet. `execute` makes one run, or several that can be in one
/// population, and returns a record of each. It reports the share that is done, 0 to 1, to its callback. If
/// the callback breaks, it returns [`Error::Interrupted`], or records with the outcome interrupted, which are
/// not stored. `observer` receives the progress of the sweep ten times a second, in the calling thread.
///
/// A run that fails or panics does not stop the others; a population that fails is made again in two halves.
/// If the system refuses threads, fewer runs go at once. After `stop` is set, no run starts any more, and the
/// sweep ends when the current runs return.
///
/// # Errors
///
/// A file of the store cannot be written or read. The sweep then stops in the same way, and all records
/// written so far remain.
pub fn run(
    store: &Store,
    jobs: &[SweepRun],
    at_once: AtOnce,
    stop: &AtomicBool,
    execute: impl Fn(&[&SweepRun], &mut Hear<'_>) -> Result<Vec<RunRecord>, Error> + Sync,
    mut observer: impl FnMut(&Progress),
) -> Result<Summary, Error> {
    let contents = store.contents()?;
    let is_done = |i: &usize| contents.records.contains_key(&jobs[*i].id());
    let (done, mut pending): (Vec<usize>, Vec<usize>) = (0..jobs.len()).partition(is_done);
    pending.sort_by(|a, b| jobs[*b].cost().total_cmp(&jobs[*a].cost()));
    let cost_before = done.iter().map(|i| jobs[*i].cost()).sum();
    let pending = populations(jobs, pending, at_once.population);
    let threads = at_once.threads.clamp(1, pending.len().max(1));
    let sweep = Sweep {
        store,
        jobs,
        stop,
        population: at_once.population,
        execute: &execute,
        books: Mutex::new(Books {
            pending,
            workers: threads + 1,
            done: done.len(),
            cost: cost_before,
            at_work: vec![0.0; threads],
            ..Books::default()
        }),
        error: OnceLock::new(),
    };
    let began = Instant::now();
    std::thread::scope(|scope| {
        let work = |thread| {
            let (sweep, observing) = (&sweep, std::thread::current());
            move || {
                sweep.work(thread);
                observing.unpark();
            }
        };
        let working = parallel::start(scope, (0..threads).map(work));
        sweep.books().workers -= threads - working.len();
        while working.iter().any(|thread| !thread.is_finished()) {
            observer(&sweep.progress(began.elapsed(), cost_before));
            std::thread::park_timeout(TICK);
        }
        // Does the remaining work if no thread could be started, or if each thread left it to the others.
        sweep.books().workers = 1;
        sweep.work(0);
    });
    if let Some(error) = sweep.error.into_inner() {
        return Err(error);
    }
    let books = sweep.books.into_inner().unwrap_or_else(|e| e.into_inner());
    let earlier = contents.records.into_values().map(|record| record.run);
    let (total, done, failed) = (jobs.len(), books.done, books.failed);
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
        machines: earlier.filter_map(|run| run.timing.machine).collect(),
    })
}

/// Groups runs into populations of at most `most` runs, in the order of their first runs.
fn populations(jobs: &[SweepRun], runs: Vec<usize>, most: usize) -> VecDeque<Vec<usize>> {
    let mut populations: VecDeque<Vec<usize>> = VecDeque::new();
    for run in runs {
        let config = &jobs[run].config;
        let has_room = |population: &&mut Vec<usize>| {
            population.len() < most && config.joins(&jobs[population[0]].config)
        };
        // Without this, the time would grow with the square of the number of runs that are made alone.
        let is_alone = most == 1 || !config.joins(config);
        let found = match is_alone {
            true => None,
            false => populations.iter_mut().find(has_room),
        };
        match found {
            Some(population) => population.push(run),
            None => populations.push_back(vec![run]),
        }
    }
    populations
}

/// The result of a run that was to be made.
enum Made {
    /// It is done; its result in words, if it was made now.
    Done(Option<String>),
    /// Another process is making it.
    Elsewhere,
    /// It was interrupted.
    Unfinished,
}

impl Sweep<'_> {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.error.get().is_some()
    }

    /// The work of the thread of this number.
    fn work(&self, thread: usize) {
        while let Some(runs) = self.next() {
            let made = self.make(&runs, thread);
            let mut books = self.books();
            books.at_work[thread] = 0.0;
            match made {
                Ok(made) => {
                    for (run, made) in runs.into_iter().zip(made) {
                        let job = &self.jobs[run];
                        match made {
                            Made::Elsewhere => books.elsewhere.push(run),
                            Made::Unfinished if self.over() => {}
                            Made::Unfinished => books.fail(job, &Error::Interrupted),
                            Made::Done(latest) => {
                                books.done += 1;
                                books.cost += job.cost();
                                books.latest = latest.or(books.latest.take());
                            }
                        }
                    }
                }
                Err(Error::Interrupted) if self.over() => {}
                // The system has no further threads: the other threads go on, with one job fewer at once.
                Err(Error::Thread(_)) if books.workers > 1 => {
                    books.workers -= 1;
                    books.pending.push_front(runs);
                    return;
                }
                // A disk error concerns all runs; the first is returned.
                Err(error @ Error::Io { .. }) => drop(self.error.set(error)),
                // There may be too little memory for the whole population, or one run may be faulty.
                Err(_) if runs.len() > 1 => {
                    let (first, second) = runs.split_at(runs.len() / 2);
                    books.pending.push_front(second.to_vec());
                    books.pending.push_front(first.to_vec());
                }
                Err(error) => books.fail(&self.jobs[runs[0]], &error),
            }
        }
    }

    /// The next runs; none if there is nothing left to do or to wait for.
    fn next(&self) -> Option<Vec<usize>> {
        loop {
            let mut books = self.books();
            if self.over() {
                return None;
            }
            if let Some(runs) = books.pending.pop_front() {
                return Some(runs);
            }
            if books.elsewhere.is_empty() {
                return None;
            }
            drop(books);
            std::thread::sleep(POLL);
            let mut books = self.books();
            if books.pending.is_empty() {
                let elsewhere = std::mem::take(&mut books.elsewhere);
                books.pending = populations(self.jobs, elsewhere, self.population);
            }
        }
    }

    /// Makes runs: claims them, executes them and writes their records.
    fn make(&self, runs: &[usize], thread: usize) -> Result<Vec<Made>, Error> {
        let mut made = Vec::with_capacity(runs.len());
        let mut claimed = Vec::new();
        for job in runs.iter().map(|run| &self.jobs[*run]) {
            let id = job.id();
            made.push(match self.store.begin(&id)? {
                Turn::Done => Made::Done(None),
                Turn::Busy => Made::Elsewhere,
                Turn::Mine(claim) => {
                    claimed.push((made.len(), job, id, claim));
                    Made::Elsewhere
                }
            });
        }
        let own_jobs: Vec<&SweepRun> = claimed.iter().map(|(_, job, ..)| *job).collect();
        if own_jobs.is_empty() {
            return Ok(made);
        }
        let cost: f64 = own_jobs.iter().map(|job| job.cost()).sum();
        let mut hear = |share: f64| {
            self.books().at_work[thread] = share * cost;
            match self.over() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let records = panics::caught(|| (self.execute)(&own_jobs, &mut hear));
        let records = records.map_err(Error::Run)??;
        // A record that cannot be published takes no other with it.
        let mut published = Ok(());
        for ((place, job, id, claim), run) in claimed.into_iter().zip(records) {
            if run.outcome == Outcome::Interrupted {
                made[place] = Made::Unfinished;
                continue;
            }
            let (config, percent) = (&job.config, 100.0 * run.test_accuracy);
            let (condition, epsilon) = (config.condition, config.epsilon);
            let result = format!("{condition} at ε = {epsilon}: {percent:.1} %");
            made[place] = Made::Done(Some(result));
            let setting = job.setting;
            let record = SweepRecord { setting, run };
            published = published.and(self.store.publish(&claim, &id, &record));
        }
        published.map(|()| made)
    }

    fn progress(&self, elapsed: Duration, cost_before: f64) -> Progress {
        let all: f64 = self.jobs.iter().map(SweepRun::cost).sum();
        let books = self.books();
        let done = (books.cost + books.at_work.iter().sum::<f64>()).min(all);
        let now = done - cost_before;
        // If no time has passed or nothing is done, the estimate is infinite or NaN and becomes none.
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
        [1, 5, 100].into_iter().for_each(check_failures);
    }

    /// The runs of a request and a store for them, in a folder that ends with the first value.
    fn store() -> (tempfile::TempDir, Vec<SweepRun>, Store) {
        let folder = tempfile::tempdir().unwrap();
        let request = Preset::Quick.request();
        let asked = Manifest::new(&request, testing::DATA, DeviceName::Cpu);
        let store = Store::prepare(folder.path(), &asked, Open::Same).unwrap();
        (folder, request.runs(), store)
    }

    fn at_once(threads: usize, population: usize) -> AtOnce {
        AtOnce {
            threads,
            population,
        }
    }

    #[test]
    fn fewer_go_at_once_where_the_system_refuses_threads() {
        let (only, caller) = (Mutex::new(()), std::thread::current().id());
        let refuse = || Err(Error::Thread("none left".to_owned()));
        let made = |runs: &[&SweepRun]| {
            std::thread::sleep(Duration::from_millis(2));
            Ok(runs.iter().map(|job| testing::record(job).run).collect())
        };
        let one_at_a_time = |runs: &[&SweepRun], _: &mut Hear<'_>| match only.try_lock() {
            Ok(_thread) => made(runs),
            Err(_) => refuse(),
        };
        let in_the_caller = |runs: &[&SweepRun], _: &mut Hear<'_>| {
            let own = std::thread::current().id() == caller;
            if own { made(runs) } else { refuse() }
        };
        for execute in [&one_at_a_time as &Execute<'_>, &in_the_caller] {
            let (_folder, jobs, store) = store();
            let stop = AtomicBool::new(false);
            let summary = run(&store, &jobs, at_once(6, 1), &stop, execute, |_| ()).unwrap();
            assert_eq!(summary.ending, Ending::Complete, "{summary}");
        }
    }

    fn check_failures(population: usize) {
        let (folder, jobs, store) = store();
        let made = |job: &SweepRun| Ok(testing::record(job).run);
        let of_one = |job: &SweepRun, hear: &mut Hear<'_>| {
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
        let bad = |runs: &[&SweepRun], hear: &mut Hear<'_>| {
            runs.iter().map(|job| of_one(job, hear)).collect()
        };
        let mut shares = Vec::new();
        let stop = AtomicBool::new(false);
        let at_once = at_once(4, population);
        let summary = run(&store, &jobs, at_once, &stop, bad, |p| shares.push(p.share)).unwrap();
        assert_eq!(summary.ending, Ending::Failed);
        assert_eq!(summary.to_string(), "incomplete: 44 of 48 done, 4 failed");
        let messages: Vec<_> = summary.failed.values().collect();
        for word in [
            "the run panicked: a bug",
            "lr is 7",
            "not a record",
            "interrupted",
        ] {
            assert!(messages.iter().any(|m| m.contains(word)), "{messages:?}");
        }
        let falls = population > 1; // When a population is made again.
        assert!(falls || shares.is_sorted());
        assert!(shares.iter().all(|s| (0.0..=1.0).contains(s)));

        let stopped = AtomicBool::new(true);
        let none = |_: &[&SweepRun], _: &mut Hear<'_>| panic!("no run starts after a stop");
        let summary = run(&store, &jobs, at_once, &stopped, none, |_| ()).unwrap();
        assert_eq!((summary.ending, summary.done), (Ending::Interrupted, 44));

        let again =
            |runs: &[&SweepRun], _: &mut Hear<'_>| runs.iter().map(|job| made(job)).collect();
        let summary = run(&store, &jobs, at_once, &stop, again, |_| ()).unwrap();
        assert_eq!(summary.ending, Ending::Complete);
        let names = std::fs::read_dir(folder.path().join("runs")).unwrap();
        assert_eq!(names.count(), 48);
    }
}
