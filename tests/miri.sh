#!/usr/bin/env bash
# Runs the unit tests of the only unsafe code, crates/ei-norm/src/matmul/gemm.rs, under Miri: `bash tests/miri.sh`.
# Needs a nightly toolchain with the components miri and rust-src. The module uses one trait of Burn, for which a
# stub stands in, because Burn itself takes Miri too long to build.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
package=$(mktemp -d)
trap 'rm -rf "$package"' EXIT
mkdir -p "$package"/{src,burn/src}
cp "$root/Cargo.lock" "$package"
cat >"$package/Cargo.toml" <<'TOML'
[package]
name = "kernel"
edition = "2024"

[workspace]

[dependencies]
burn = { path = "burn" }
bytemuck = "1"
gemm = { version = "0.19", default-features = false, features = ["std", "rayon"] }
rayon = "1"
TOML
cat >"$package/burn/Cargo.toml" <<'TOML'
[package]
name = "burn"
version = "0.22.1"
edition = "2024"
TOML
cat >"$package/burn/src/lib.rs" <<'RUST'
pub mod tensor {
    pub trait Element: Copy + Send + Sync + 'static {}
    impl Element for f32 {}
    impl Element for f64 {}
}
RUST
echo "#[path = \"$root/crates/ei-norm/src/matmul/gemm.rs\"] mod kernel;" >"$package/src/lib.rs"
# crossbeam-epoch, under rayon, is sound only under tree borrows; the threads of rayon live to the end.
MIRIFLAGS="-Zmiri-tree-borrows -Zmiri-ignore-leaks" cargo +nightly miri test --manifest-path "$package/Cargo.toml"
