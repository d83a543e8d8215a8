//! Parts of a list of jobs, for machines that share no folder.

use std::fmt;
use std::str::FromStr;

use crate::store::{Job, cost};

/// Part `index` of `count`, written `2/5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

/// A text that names no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("shard {text:?} is {problem}; allowed: i/n with 1 ≤ i ≤ n, such as 2/5")]
pub struct ShardError {
    text: String,
    problem: &'static str,
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let error = |problem| ShardError {
            text: text.to_owned(),
            problem,
        };
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| part.parse::<usize>().ok()).flatten()
        };
        let (index, count) = text.split_once('/').ok_or(error("without a /"))?;
        let (Some(index), Some(count)) = (number(index), number(count)) else {
            return Err(error("not made of two whole numbers"));
        };
        if index == 0 || index > count {
            return Err(error("not one of the parts"));
        }
        Ok(Self { index, count })
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl Shard {
    /// The jobs of this part, in their order. Together the parts hold every job once, whatever the
    /// order of the list, and their costs differ as little as dealing out the longest first allows.
    pub fn select<J: Job>(&self, jobs: Vec<J>) -> Vec<J> {
        let mut order: Vec<(f64, String, usize)> = (0..)
            .zip(&jobs)
            .map(|(i, job)| (cost(job), job.id(), i))
            .collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        // Cost, then number of jobs, so that jobs without a cost are spread as well.
        let mut loads = vec![(0.0_f64, 0_usize); self.count];
        let mut own = vec![false; jobs.len()];
        for (cost, _, i) in order {
            let least = |a: &&mut (f64, usize), b: &&mut (f64, usize)| {
                a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
            };
            if let Some((part, load)) = (1..).zip(&mut loads).min_by(|(_, a), (_, b)| least(a, b)) {
                *load = (load.0 + cost, load.1 + 1);
                own[i] = part == self.index;
            }
        }
        let kept = jobs.into_iter().zip(own);
        kept.filter_map(|(job, own)| own.then_some(job)).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Run(u32, f64);

    impl Job for Run {
        fn id(&self) -> String {
            format!("run-{}", self.0)
        }
        fn cost(&self) -> f64 {
            self.1
        }
    }

    #[test]
    fn shards_are_read_and_shown() {
        for text in ["1/1", "2/5", "100/100"] {
            assert_eq!(text.parse::<Shard>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "2",
            "/",
            "0/5",
            "6/5",
            "1/0",
            "-1/5",
            "+1/5",
            "a/5",
            "1/5/2",
            " 1/5",
            "1/99999999999999999999999",
        ] {
            let message = text.parse::<Shard>().unwrap_err().to_string();
            assert!(
                message.contains("1 ≤ i ≤ n") && message.contains(text),
                "{message}"
            );
        }
    }

    #[test]
    fn shards_are_disjoint_complete_and_balanced() {
        let jobs: Vec<Run> = (0..97)
            .map(|i| Run(i, f64::from(5 + i * 37 % 56)))
            .collect();
        for count in [1, 2, 3, 7, 97, 120] {
            let part = |index| Shard { index, count }.select(jobs.clone());
            let parts: Vec<Vec<Run>> = (1..=count).map(part).collect();
            let mut all: Vec<Run> = parts.concat();
            all.sort_by_key(|run| run.0);
            assert_eq!(all, jobs);
            let costs = parts.iter().map(|p| p.iter().map(|run| run.1).sum::<f64>());
            let (least, most) = costs.fold((f64::MAX, 0.0_f64), |(a, b), c| (a.min(c), b.max(c)));
            assert!(most - least <= 60.0, "{count}: {least} to {most}");
        }
    }

    #[test]
    fn shards_do_not_depend_on_the_order_and_bear_any_cost() {
        let mut jobs: Vec<Run> = (0..20).map(|i| Run(i, f64::from(i % 3))).collect();
        jobs.extend([Run(20, f64::NAN), Run(21, f64::INFINITY), Run(22, -4.0)]);
        let shard: Shard = "2/3".parse().unwrap();
        let ids = |jobs: Vec<Run>| {
            let mut ids: Vec<String> = shard.select(jobs).iter().map(Job::id).collect();
            ids.sort();
            ids
        };
        let own = ids(jobs.clone());
        assert!((6..=9).contains(&own.len()), "{own:?}");
        jobs.reverse();
        assert_eq!(ids(jobs), own);
    }
}
