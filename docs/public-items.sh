#!/usr/bin/env bash
# Lists the public items of ei-norm from its documentation (`cargo doc --workspace --no-deps`).
set -euo pipefail
cd "$(dirname "$0")/.."
grep -o 'href="[^"]*\.html"' target/doc/ei_norm/all.html |
    sed -E 's/href="(.*)\.html"/\1/; s|/|::|g; s/(^|::)(struct|enum|trait|fn|type|constant|macro)\.([A-Za-z0-9_]+)$/\1\3 \2/' |
    grep -E ' (struct|enum|trait|fn|type|constant|macro)$' | sort -u
