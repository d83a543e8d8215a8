//! The memory that training needs, and the memory that the system allows.

use crate::{Error, RunConfig};

const MB: u64 = 1 << 20;
/// The memory of the program before training.
const PROGRAM: u64 = 128 * MB;
/// The memory of a run besides its weights: thread, batches, tests.
const RUN: u64 = 24 * MB;
/// The memory for each weight of a hidden layer in the largest form, I-Norm: two further matrices of the same
/// size, gradients, and allocations of a step.
const EACH_WEIGHT: u64 = 24;
/// The memory that the program's allocator reserves at once for more than a few threads.
const ARENA: u64 = 1152 * MB;
const FEW: usize = 4;

/// The memory of a run on images with `pixels` pixels, in bytes: an estimate for a dense network, from
/// measurements of 1 to 16 runs at a time.
fn of_a_run(config: &RunConfig, pixels: usize) -> u64 {
    let (width, depth) = (config.width as u64, config.depth as u64);
    let rows = (pixels as u64).saturating_add(width.saturating_mul(depth.saturating_sub(1)));
    RUN.saturating_add(width.saturating_mul(rows).saturating_mul(EACH_WEIGHT))
}

/// The memory of the largest of these runs, with `at_once` of them at a time.
pub(crate) fn of_runs<'a>(
    configs: impl Iterator<Item = &'a RunConfig>,
    pixels: usize,
    at_once: usize,
) -> u64 {
    with(of_the_largest(configs, pixels), at_once)
}

fn of_the_largest<'a>(configs: impl Iterator<Item = &'a RunConfig>, pixels: usize) -> u64 {
    let each = configs.map(|config| of_a_run(config, pixels));
    each.max().unwrap_or(0)
}

fn with(each: u64, at_once: usize) -> u64 {
    let arena = if at_once > FEW { ARENA } else { 0 };
    (PROGRAM + arena).saturating_add(each.saturating_mul(at_once as u64))
}

/// Checks before training that the system's limit leaves enough memory: a program that reaches the limit ends
/// without a record.
///
/// # Errors
///
/// [`Error::Memory`] with the number of runs at a time for which the memory suffices.
pub(crate) fn check<'a>(
    configs: impl Iterator<Item = &'a RunConfig>,
    pixels: usize,
    at_once: usize,
) -> Result<(), Error> {
    match limit() {
        Some(limit) => within(limit, configs, pixels, at_once),
        None => Ok(()),
    }
}

fn within<'a>(
    limit: u64,
    configs: impl Iterator<Item = &'a RunConfig>,
    pixels: usize,
    at_once: usize,
) -> Result<(), Error> {
    let each = of_the_largest(configs, pixels);
    let fits = |at_once: &usize| with(each, *at_once) <= limit;
    match fits(&at_once) {
        true => Ok(()),
        false => Err(Error::Memory {
            at_once,
            needed: with(each, at_once) / MB,
            limit: limit / MB,
            enough_for: (1..at_once).rev().find(fits).unwrap_or(0),
        }),
    }
}

/// The largest address space that the system allows this process (`ulimit -v`), if there is a limit and the
/// system tells it, as Linux does.
fn limit() -> Option<u64> {
    named(&std::fs::read_to_string("/proc/self/limits").ok()?)
}

fn named(limits: &str) -> Option<u64> {
    let mut lines = limits.lines();
    let soft = lines.find_map(|line| line.strip_prefix("Max address space"))?;
    soft.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition;

    #[test]
    fn the_limit_is_that_of_addresses() {
        let limits = |soft| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max cpu time              unlimited            unlimited            seconds   \n\
                 Max address space         {soft}           unlimited            bytes     \n"
            )
        };
        assert_eq!(named(&limits("204800000")), Some(204_800_000));
        assert_eq!(named(&limits("unlimited")), None);
        assert_eq!(named(""), None);
    }

    #[test]
    fn too_many_runs_for_the_limit_are_refused_with_how_many_there_is_enough_for() {
        let wide = RunConfig {
            width: 500,
            ..RunConfig::new(condition::INORM_FULL, 0)
        };
        let configs = || std::iter::once(&wide);
        let refusal = |limit: u64, at_once| {
            let refused = within(limit * MB, configs(), 784, at_once);
            refused.map_err(|e| e.to_string())
        };
        assert_eq!(refusal(300, 4), Ok(()));
        assert_eq!(refusal(4096, 8), Ok(()));
        let message = refusal(300, 64).unwrap_err();
        assert!(
            message.contains("64 at a time") && message.contains("300 MB"),
            "{message}"
        );
        assert!(message.contains("enough for 4 at a time"), "{message}");
        let message = refusal(100, 1).unwrap_err();
        assert!(message.contains("enough for 0 at a time"), "{message}");
    }
}
