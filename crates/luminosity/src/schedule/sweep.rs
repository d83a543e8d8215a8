//! The books of a sweep, kept by one thread.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::progress::{Pace, Rest};
use super::{Ending, Event, Finished, Options, Progress, Stop, Summary};
use crate::store::{BEAT, Claim, Failure, Job, Problem, Store, StoreError, Turn, cost};

/// How often to look after the runs of other processes.
const POLL: Duration = Duration::from_millis(500);

pub(super) struct Sweep<'a, J, R, F> {
    store: &'a Store<J, R>,
    jobs: &'a [J],
    threads: usize,
    wait: bool,
    stop: Stop,
    observer: F,
    /// Nobody is known to be at these. The longest are in front.
    pending: VecDeque<usize>,
    running: BTreeMap<usize, (Arc<Claim>, Instant)>,
    /// Other processes are at these.
    elsewhere: Vec<usize>,
    done: usize,
    made: usize,
    failed: Vec<Failure>,
    /// How often runs had failed when the sweep began: more than that is a failure of this sweep,
    /// whichever process it met.
    attempts: HashMap<String, u32>,
    problems: Vec<Problem>,
    pace: Pace,
    error: Option<StoreError>,
    polled: Instant,
    refreshed: Instant,
}

impl<'a, J, R, F> Sweep<'a, J, R, F>
where
    J: Job,
    R: Serialize + DeserializeOwned,
    F: FnMut(&Progress<'_, R>),
{
    pub fn new(
        store: &'a Store<J, R>,
        jobs: &'a [J],
        options: &Options,
        stop: Stop,
        observer: F,
    ) -> Result<Self, StoreError> {
        store.check_jobs(jobs)?;
        let completed = store.completed()?;
        let is_done = |i: &usize| completed.records.contains_key(&jobs[*i].id());
        let (done, mut pending): (Vec<usize>, Vec<usize>) = (0..jobs.len()).partition(is_done);
        pending.sort_by(|a, b| cost(&jobs[*b]).total_cmp(&cost(&jobs[*a])));
        let failures = store.failures()?.into_iter();
        let mut sweep = Self {
            store,
            jobs,
            threads: options.threads.max(1),
            wait: options.wait,
            stop,
            observer,
            pending: pending.into(),
            running: BTreeMap::new(),
            elsewhere: Vec::new(),
            done: done.len(),
            made: 0,
            failed: Vec::new(),
            attempts: failures.map(|f| (f.id, f.attempts)).collect(),
            problems: completed.problems,
            pace: Pace::default(),
            error: None,
            polled: Instant::now(),
            refreshed: Instant::now(),
        };
        sweep.tell(None);
        Ok(sweep)
    }

    /// The next run to start, if one may start now.
    pub fn next(&mut self) -> Option<(usize, &'a J, Arc<Claim>)> {
        while self.running.len() < self.threads && !self.stop.requested() {
            let index = self.pending.pop_front()?;
            if let Some(claim) = self.claim(index) {
                let claim = Arc::new(claim);
                let entry = (claim.clone(), Instant::now());
                self.running.insert(index, entry);
                self.tell(None);
                return Some((index, &self.jobs[index], claim));
            }
        }
        None
    }

    /// Claims a run, or books why there is nothing to do about it.
    fn claim(&mut self, index: usize) -> Option<Claim> {
        let id = self.jobs[index].id();
        match self.store.begin(&id) {
            Ok(Turn::Mine(claim)) => match self.store.failure(&id) {
                Some(failure) if failure.attempts > self.attempts_before(&id) => {
                    self.failed.push(failure);
                    self.tell(None);
                }
                _ => return Some(claim),
            },
            Ok(Turn::Busy(_)) => self.elsewhere.push(index),
            Ok(Turn::Done(record)) => {
                self.done += 1;
                self.tell(Some(&record));
            }
            Err(error) => self.stop_for(error),
        }
        None
    }

    fn attempts_before(&self, id: &str) -> u32 {
        self.attempts.get(id).copied().unwrap_or(0)
    }

    /// Books the end of a run.
    pub fn finished(&mut self, event: Event<R>) {
        self.running.remove(&event.index);
        match event.result {
            Ok(Finished::Done(record)) => {
                self.done += 1;
                self.made += 1;
                self.pace
                    .learn(cost(&self.jobs[event.index]), event.seconds);
                self.tell(Some(&record));
            }
            Ok(Finished::Failed(failure)) => {
                self.failed.push(failure);
                self.tell(None);
            }
            Ok(Finished::Stopped) => {}
            Err(error) => self.stop_for(error),
        }
    }

    /// Books a run that could not be started.
    pub fn abort(&mut self, index: usize, error: StoreError) {
        self.running.remove(&index);
        self.stop_for(error);
    }

    fn stop_for(&mut self, error: StoreError) {
        self.stop.request();
        self.error.get_or_insert(error);
    }

    /// What has to be done from time to time.
    pub fn tick(&mut self) {
        if self.refreshed.elapsed() >= BEAT {
            self.refreshed = Instant::now();
            self.running.values().for_each(|(claim, _)| claim.refresh());
        }
        if self.polled.elapsed() >= POLL && !self.stop.requested() {
            self.polled = Instant::now();
            self.poll();
        }
    }

    /// Looks after the runs of other processes. An abandoned one is put in front of the others, and
    /// its claim let go: a thread may not be free for it.
    fn poll(&mut self) {
        for index in std::mem::take(&mut self.elsewhere) {
            if self.claim(index).is_some() {
                self.pending.push_front(index);
            }
        }
    }

    /// Whether there is nothing left to start or to wait for.
    pub fn is_over(&mut self) -> bool {
        if !self.running.is_empty() {
            return false;
        }
        if !self.wait && self.pending.is_empty() && !self.stop.requested() {
            self.poll();
        }
        let waiting = self.wait && !self.elsewhere.is_empty();
        self.stop.requested() || (self.pending.is_empty() && !waiting)
    }

    /// The result.
    pub fn conclude(mut self) -> Result<Summary, StoreError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        // Others may have finished since the last look.
        let open = self.pending.iter().chain(&self.elsewhere);
        let done = |index: &&usize| self.store.is_done(&self.jobs[**index].id());
        self.done += open.filter(done).count();
        // A process that was killed just after its last record is not taken over by anybody.
        self.store.clear_leftovers()?;
        let total = self.jobs.len();
        self.failed.sort_by(|a, b| a.id.cmp(&b.id));
        let ending = if self.done == total {
            Ending::Complete
        } else if self.done + self.failed.len() == total {
            Ending::Failed
        } else if self.stop.requested() {
            Ending::Interrupted
        } else {
            Ending::Elsewhere
        };
        Ok(Summary {
            ending,
            total,
            done: self.done,
            made: self.made,
            failed: self.failed,
            problems: self.problems,
        })
    }

    fn tell(&mut self, latest: Option<&R>) {
        let cost = |index: &usize| cost(&self.jobs[*index]);
        let running = self.running.iter();
        let rest = Rest {
            pending: self.pending.iter().map(cost).collect(),
            running: running
                .map(|(i, (_, since))| (cost(i), since.elapsed().as_secs_f64()))
                .collect(),
            elsewhere: self.elsewhere.iter().map(cost).collect(),
            threads: self.threads,
        };
        (self.observer)(&Progress {
            total: self.jobs.len(),
            done: self.done,
            failed: self.failed.len(),
            running: self.running.len(),
            elsewhere: self.elsewhere.len(),
            latest,
            remaining_seconds: self.pace.remaining_seconds(&rest),
        });
    }
}
