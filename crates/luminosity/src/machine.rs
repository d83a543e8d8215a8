//! A description of the machine on which a run was made.

use crate::parallel;

/// The system, the processor's vectors, which decide the order of sums, the name of the processor if the system
/// tells it, and the number of available cores.
pub fn description() -> String {
    let (os, arch) = (
        std::env::consts::OS,
        std::env::consts::ARCH.to_owned() + vectors(),
    );
    let cores = match parallel::cores() {
        1 => "1 core".to_owned(),
        cores => format!("{cores} cores"),
    };
    match processor() {
        Some(processor) => format!("{os}, {arch}, {processor}, {cores}"),
        None => format!("{os}, {arch}, {cores}"),
    }
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

fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    named(&text).map(str::to_owned)
}

fn named(cpuinfo: &str) -> Option<&str> {
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
        assert_eq!(named(text), Some("AMD EPYC 9R14"));
        assert_eq!(named("model name\t:"), None);
        assert_eq!(named("processor : 0"), None);
        assert!(description().contains("core"));
    }
}
