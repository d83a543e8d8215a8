//! The memory that training needs, and the memory that the system allows.

use std::iter::successors;

use crate::network::Task;
use crate::{Error, RunConfig};

const MB: u64 = 1 << 20;
/// The memory of the program before training.
const PROGRAM: u64 = 128 * MB;
/// The memory of a run besides its weights: thread, batches, tests.
const RUN: u64 = 24 * MB;
/// The bytes for each parameter that a network has at least, the elements of its W_ex, in the largest circuit,
/// I-Norm: two further matrices of the same size, gradients, and allocations of a step.
const EACH_WEIGHT: u64 = 24;
/// The addresses that the program's allocator reserves for more than [`FEW`] runs at a time.
const ARENA: u64 = 1152 * MB;
/// The largest number of runs at a time for which [`ARENA`] is not reserved.
const FEW: usize = 4;

/// The memory of a run, in bytes: an estimate from measurements of 1 to 16 runs of dense networks at a time.
fn of_a_run(config: &RunConfig, task: Task) -> u64 {
    let parameters = (config.network.functions.least_parameters)(config, task) as u64;
    RUN.saturating_add(parameters.saturating_mul(EACH_WEIGHT))
}

/// The memory of the program in bytes, with `at_once` runs at a time, each as large as the largest of `configs`.
pub(crate) fn of_runs<'a>(
    configs: impl Iterator<Item = &'a RunConfig>,
    task: Task,
    at_once: usize,
) -> u64 {
    with(of_the_largest(configs, task), at_once)
}

fn of_the_largest<'a>(configs: impl Iterator<Item = &'a RunConfig>, task: Task) -> u64 {
    let each = configs.map(|config| of_a_run(config, task));
    each.max().unwrap_or(0)
}

/// The memory of the program with `at_once` runs of `each` bytes.
fn with(each: u64, at_once: usize) -> u64 {
    PROGRAM.saturating_add(each.saturating_mul(at_once as u64))
}

/// Memory that the system lets a process have.
#[derive(Debug, Clone, Copy)]
struct Limit {
    /// Without a limit, the largest number.
    bytes: u64,
    name: &'static str,
    /// Whether the limit counts addresses that are only reserved.
    of_addresses: bool,
}

/// Checks before training that there is enough memory: a program that reaches a limit of the system ends without
/// a record.
///
/// # Errors
///
/// [`Error::Memory`] with the number of runs at a time for which the memory suffices.
pub(crate) fn check<'a>(
    configs: impl Iterator<Item = &'a RunConfig>,
    task: Task,
    at_once: usize,
) -> Result<(), Error> {
    let each = of_the_largest(configs, task);
    let mut limits = limits().into_iter();
    limits.try_for_each(|limit| within(limit, each, at_once))
}

fn within(limit: Limit, each: u64, at_once: usize) -> Result<(), Error> {
    let needed = |at_once: usize| match limit.of_addresses && at_once > FEW {
        true => with(each, at_once).saturating_add(ARENA),
        false => with(each, at_once),
    };
    let fits = |at_once: &usize| needed(*at_once) <= limit.bytes;
    match fits(&at_once) {
        true => Ok(()),
        false => Err(Error::Memory {
            at_once,
            needed: needed(at_once) / MB,
            limit: limit.bytes / MB,
            name: limit.name,
            enough_for: (1..at_once).rev().find(fits).unwrap_or(0),
        }),
    }
}

/// The limits that the system tells, as Linux does: of the address space (`ulimit -v`), of the control group (a
/// container), and the memory that is free.
fn limits() -> [Limit; 3] {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let of_addresses = read("/proc/self/limits").and_then(|text| of_addresses(&text));
    let groups = read("/proc/self/cgroup");
    let groups = groups
        .iter()
        .filter_map(|text| group(text))
        .flat_map(with_parents);
    let of_groups = groups.filter_map(|group| {
        let limit = read(&format!("/sys/fs/cgroup{group}/memory.max"))?;
        limit.trim().parse().ok()
    });
    let free = read("/proc/meminfo").and_then(|text| free(&text));
    let limit = |bytes: Option<u64>, name, of_addresses| Limit {
        bytes: bytes.unwrap_or(u64::MAX),
        name,
        of_addresses,
    };
    [
        limit(of_addresses, "ulimit -v", true),
        limit(of_groups.min(), "the limit of the control group", false),
        limit(free, "what is free", false),
    ]
}

/// The soft limit of addresses in `/proc/self/limits`.
fn of_addresses(limits: &str) -> Option<u64> {
    let mut lines = limits.lines();
    let soft = lines.find_map(|line| line.strip_prefix("Max address space"))?;
    soft.split_whitespace().next()?.parse().ok()
}

/// The control group in `/proc/self/cgroup`, if the system has one hierarchy of groups.
fn group(groups: &str) -> Option<&str> {
    let mut lines = groups.lines();
    let group = lines.find_map(|line| line.strip_prefix("0::"))?;
    Some(group.trim_end_matches('/'))
}

/// A control group and the groups that it is in: a limit holds for all groups within.
fn with_parents(group: &str) -> impl Iterator<Item = &str> {
    successors(Some(group), |group| Some(group.rsplit_once('/')?.0))
}

/// The memory that is available without swapping, in `/proc/meminfo`.
fn free(memory: &str) -> Option<u64> {
    let mut lines = memory.lines();
    let available = lines.find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes = available.split_whitespace().next()?.parse::<u64>().ok()?;
    kilobytes.checked_mul(1 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition;
    use crate::data::Shape;
    use crate::network::CONV;

    /// The task of Fashion-MNIST.
    const TASK: Task = Task {
        shape: Shape::new(1, 28, 28),
        classes: 10,
    };

    #[test]
    fn the_kernel_counts_in_a_convolution() {
        let of_width = |width| RunConfig {
            width,
            depth: 3,
            ..RunConfig::of(CONV, condition::INORM_FULL, 0)
        };
        // 25 · 2000 · (1 + 2 · 2000 + 2 · 8000) parameters.
        let needed = RUN + 25 * 2000 * (1 + 2 * 2000 + 8 * 2000) * EACH_WEIGHT;
        assert_eq!(of_a_run(&of_width(2000), TASK), needed);
    }

    #[test]
    fn the_limit_is_that_of_addresses() {
        let limits = |soft| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max cpu time              unlimited            unlimited            seconds   \n\
                 Max address space         {soft}           unlimited            bytes     \n"
            )
        };
        assert_eq!(of_addresses(&limits("204800000")), Some(204_800_000));
        assert_eq!(of_addresses(&limits("unlimited")), None);
        assert_eq!(of_addresses(""), None);
    }

    #[test]
    fn the_free_memory_and_the_control_group_are_read() {
        let memory = "MemTotal:       24577712 kB\nMemAvailable:   23000000 kB\n";
        assert_eq!(free(memory), Some(23_000_000 << 10));
        assert_eq!(free("MemTotal: 5 kB"), None);
        assert_eq!(group("0::/user.slice/a\n"), Some("/user.slice/a"));
        assert_eq!(group("0::/\n"), Some(""));
        assert_eq!(group("4:memory:/a\n"), None);
        let groups: Vec<&str> = with_parents("/job/step/task").collect();
        assert_eq!(groups, ["/job/step/task", "/job/step", "/job", ""]);
    }

    #[test]
    fn too_many_runs_for_the_limit_are_refused_with_how_many_there_is_enough_for() {
        let wide = RunConfig {
            width: 500,
            ..RunConfig::new(condition::INORM_FULL, 0)
        };
        let refusal = |limit: u64, at_once| {
            let limit = Limit {
                bytes: limit * MB,
                name: "ulimit -v",
                of_addresses: true,
            };
            let refused = within(limit, of_a_run(&wide, TASK), at_once);
            refused.map_err(|e| e.to_string())
        };
        assert_eq!(refusal(300, 4), Ok(()));
        assert_eq!(refusal(4096, 8), Ok(()));
        let message = refusal(300, 64).unwrap_err();
        assert!(
            message.contains("64 runs at a time") && message.contains("300 MB (ulimit -v)"),
            "{message}"
        );
        assert!(message.contains("enough for 4 at a time"), "{message}");
        let message = refusal(100, 1).unwrap_err();
        assert!(message.contains("enough for 0 at a time"), "{message}");
    }
}
