//! How far a sweep is, and how long it may take.

/// How far a sweep is.
#[derive(Debug)]
pub struct Progress<'a, R> {
    /// How many runs there are.
    pub total: usize,
    /// How many have a record, those of earlier sweeps and of other processes included.
    pub done: usize,
    /// How many failed in this sweep.
    pub failed: usize,
    /// How many are being made by this process.
    pub running: usize,
    /// How many others are known to be made by other processes.
    pub elsewhere: usize,
    /// The record of the run that has just ended, if that is the news.
    pub latest: Option<&'a R>,
    /// About how long the rest will take; none before a first run has ended.
    pub remaining_seconds: Option<f64>,
}

/// How long runs take, learned from those that ended.
#[derive(Debug, Default)]
pub(super) struct Pace {
    cost: f64,
    seconds: f64,
    runs: f64,
}

/// What is still to be done.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// The costs of the runs that nobody has begun, the longest first.
    pub pending: Vec<f64>,
    /// The costs of the runs that have been begun here, and for how many seconds they have run.
    pub running: Vec<(f64, f64)>,
    /// The costs of the runs that others have begun, nobody knows when.
    pub elsewhere: Vec<f64>,
    /// How many runs this process makes at a time.
    pub threads: usize,
}

impl Pace {
    /// Learns from a run.
    pub fn learn(&mut self, cost: f64, seconds: f64) {
        self.cost += cost;
        self.seconds += seconds;
        self.runs += 1.0;
    }

    /// How many seconds the rest will take, by dealing it out as it will be dealt out.
    pub fn remaining_seconds(&self, rest: &Rest) -> Option<f64> {
        if self.runs == 0.0 {
            return None;
        }
        let expected = |cost: f64| {
            if self.cost > 0.0 {
                cost * self.seconds / self.cost
            } else {
                self.seconds / self.runs
            }
        };
        let here = rest.running.iter();
        let here = here.map(|(cost, elapsed)| (expected(*cost) - elapsed).max(0.0));
        // On average half of what others have begun is done.
        let elsewhere = rest.elsewhere.iter().map(|cost| expected(*cost) / 2.0);
        let mut free_at: Vec<f64> = here.chain(elsewhere).collect();
        let slots = rest.threads.max(rest.running.len()) + rest.elsewhere.len();
        free_at.resize(slots.max(1), 0.0);
        for cost in &rest.pending {
            if let Some(first) = free_at.iter_mut().min_by(|a, b| a.total_cmp(b)) {
                *first += expected(*cost);
            }
        }
        free_at.into_iter().max_by(f64::total_cmp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_follows_the_costs() {
        let mut pace = Pace::default();
        let mut rest = Rest {
            pending: vec![4.0, 4.0, 2.0],
            threads: 2,
            ..Rest::default()
        };
        assert_eq!(pace.remaining_seconds(&rest), None);
        pace.learn(10.0, 20.0);
        assert_eq!(pace.remaining_seconds(&rest), Some(12.0));
        rest.running = vec![(6.0, 2.0)];
        assert_eq!(pace.remaining_seconds(&rest), Some(16.0));
        rest.elsewhere = vec![4.0];
        assert_eq!(pace.remaining_seconds(&rest), Some(12.0));
        let over = Rest {
            running: vec![(6.0, 100.0)],
            threads: 2,
            ..Rest::default()
        };
        assert_eq!(pace.remaining_seconds(&over), Some(0.0));
    }

    #[test]
    fn jobs_without_costs_take_the_mean() {
        let mut pace = Pace::default();
        pace.learn(0.0, 3.0);
        pace.learn(0.0, 5.0);
        let rest = Rest {
            pending: vec![0.0; 3],
            threads: 1,
            ..Rest::default()
        };
        assert_eq!(pace.remaining_seconds(&rest), Some(12.0));
    }
}
