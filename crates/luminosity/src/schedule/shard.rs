//! Parts of a list of jobs, for machines without a shared folder.

use std::fmt;
use std::str::FromStr;

use crate::Error;
use crate::sweep::SweepRun;

/// Part `index` of `count`, written `2/5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // The standard library accepts a sign.
        let number = |part: &str| part.parse().ok().filter(|_| !part.starts_with('+'));
        let parts = text.split_once('/');
        match parts.and_then(|(index, count)| Some((number(index)?, number(count)?))) {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Self { index, count }),
            _ => {
                let allowed = "I/N with 1 ≤ I ≤ N, such as 2/5";
                Err(Error::usage("shard", text, allowed))
            }
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl Shard {
    /// The jobs of this part, in their order. Together the parts hold every job once, whatever the order of
    /// the list. Dealing out the longest jobs first keeps the difference in cost between the parts small.
    pub fn select(&self, jobs: Vec<SweepRun>) -> Vec<SweepRun> {
        let mut order: Vec<(f64, String, usize)> = (0..)
            .zip(&jobs)
            .map(|(i, job)| (job.cost(), job.id(), i))
            .collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let mut loads = vec![0.0_f64; self.count.min(order.len())];
        let mut own = vec![false; jobs.len()];
        for (cost, _, i) in order {
            if let Some((part, load)) = (1..).zip(&mut loads).min_by(|a, b| a.1.total_cmp(b.1)) {
                *load += cost;
                own[i] = part == self.index;
            }
        }
        let kept = jobs.into_iter().zip(own);
        kept.filter_map(|(job, own)| own.then_some(job)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::Preset;

    #[test]
    fn shards_are_read_and_shown() {
        for text in ["1/1", "2/5", "100/100"] {
            assert_eq!(text.parse::<Shard>().unwrap().to_string(), text);
        }
        for text in [
            "", "2", "/", "0/5", "6/5", "1/0", "-1/5", "+1/5", "a/5", "1/5/2", " 1/5",
        ] {
            let message = text.parse::<Shard>().unwrap_err().to_string();
            assert!(message.contains(&format!("shard is {text};")), "{message}");
        }
    }

    #[test]
    fn shards_are_disjoint_complete_and_balanced_in_any_order() {
        let jobs = Preset::Lite.request().runs();
        let longest = jobs.iter().map(SweepRun::cost).fold(0.0, f64::max);
        let ids = |jobs: &[SweepRun]| {
            let mut ids: Vec<_> = jobs.iter().map(SweepRun::id).collect();
            ids.sort();
            ids
        };
        let backwards: Vec<_> = jobs.iter().rev().cloned().collect();
        for count in [1, 2, 7, 320, 1_000_000] {
            let part = |jobs: &[SweepRun], index| Shard { index, count }.select(jobs.to_vec());
            let parts: Vec<_> = (1..=count.min(321)).map(|i| part(&jobs, i)).collect();
            assert_eq!(ids(&parts.concat()), ids(&jobs));
            assert_eq!(ids(&part(&backwards, count)), ids(&part(&jobs, count)));
            let costs = parts[..count.min(320)].iter();
            let costs = costs.map(|part| part.iter().map(SweepRun::cost).sum::<f64>());
            let (least, most) = costs.fold((f64::MAX, 0.0_f64), |(a, b), c| (a.min(c), b.max(c)));
            assert!(most - least <= longest, "{count}: {least} to {most}");
        }
    }
}
