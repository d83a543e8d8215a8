//! A description of the machine on which a run was made.

use crate::parallel;
use crate::report::count;

/// The system, the processor's vectors, which decide the order of sums, the name of the processor if the system
/// tells it, and the number of available cores.
pub fn description() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let parts = [
        Some(std::env::consts::OS.to_owned()),
        Some(std::env::consts::ARCH.to_owned() + vectors()),
        processor(&cpuinfo).map(str::to_owned),
        Some(count(parallel::cores(), "core")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A description without the number of cores, on which no result depends.
pub fn without_cores(description: &str) -> &str {
    match description.rsplit_once(", ") {
        Some((machine, cores)) if is_cores(cores) => machine,
        _ => description,
    }
}

fn is_cores(part: &str) -> bool {
    let of = |noun| part.strip_suffix(noun)?.parse::<usize>().ok();
    of(" core").or_else(|| of(" cores")).is_some()
}

/// The widest vectors for which the kernels of Flex have code.
fn vectors() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx512f") {
        return " with AVX-512";
    } else if std::arch::is_x86_feature_detected!("avx2") {
        return " with AVX2";
    }
    ""
}

/// The name of the processor in `/proc/cpuinfo`.
fn processor(cpuinfo: &str) -> Option<&str> {
    let mut lines = cpuinfo.lines();
    let line = lines.find(|line| line.starts_with("model name"))?;
    let name = line.split_once(':')?.1.trim();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named_where_the_system_does() {
        let text = "processor\t: 0\nmodel name\t: AMD EPYC 9R14\nflags\t: fpu";
        assert_eq!(processor(text), Some("AMD EPYC 9R14"));
        assert_eq!(processor("model name\t:"), None);
        assert_eq!(processor("processor : 0"), None);
        assert!(description().contains("core"));
        assert!(!without_cores(&description()).contains(" core"));
    }
}
