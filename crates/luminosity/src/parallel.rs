//! Several jobs at once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, Scope, ScopedJoinHandle};

/// Applies `f` to each job, at most `threads` at a time, and returns the results in the order of the jobs.
/// Jobs start in that order. The calling thread works too: if the system refuses further threads, fewer jobs
/// run at once.
pub fn map<J: Sync, T: Send + Sync>(
    jobs: &[J],
    threads: usize,
    f: impl Fn(&J) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let results: Vec<OnceLock<T>> = jobs.iter().map(|_| OnceLock::new()).collect();
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(index) else { return };
            results[index].get_or_init(|| f(job));
        }
    };
    std::thread::scope(|scope| {
        let further = threads.clamp(1, jobs.len().max(1)) - 1;
        start(scope, (0..further).map(|_| work));
        work();
    });
    results
        .into_iter()
        .filter_map(OnceLock::into_inner)
        .collect()
}

/// Starts a thread for each piece of work, until the system refuses one; returns the started threads.
pub fn start<'scope, W: FnOnce() + Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl IntoIterator<Item = W>,
) -> Vec<ScopedJoinHandle<'scope, ()>> {
    let started = |work| Builder::new().spawn_scoped(scope, work).ok();
    work.into_iter().map_while(started).collect()
}

/// The number of jobs that the machine can run at once.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_the_jobs() {
        let jobs: Vec<u64> = (0..50).rev().collect();
        for threads in [0, 1, 3, 100] {
            let squares = map(&jobs, threads, |job| {
                std::thread::sleep(std::time::Duration::from_micros(*job * 20));
                job * job
            });
            let expected: Vec<u64> = jobs.iter().map(|job| job * job).collect();
            assert_eq!(squares, expected);
        }
        assert!(map(&[] as &[u8], 2, |j| *j).is_empty());
    }
}
