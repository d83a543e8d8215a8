#!/usr/bin/env bash
# Lists the public items of ei-norm and their fields, variants and methods, without those of traits that they
# implement, from the documentation (`cargo doc --workspace --no-deps`).
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/../target/doc/ei_norm"
grep -o 'href="[^"]*\.html"' all.html | sed 's/href="//; s/"//' | sort -u | while read -r page; do
    kind=$(sed -E 's/^(.*\/)?([a-z]+)\.[A-Za-z0-9_]+\.html$/\2/' <<<"$page")
    case $kind in struct | enum | trait | fn | type | constant | macro) ;; *) continue ;; esac
    item=$(sed -E 's/(^|\/)[a-z]+\.([A-Za-z0-9_]+)\.html$/\1\2/; s/\//::/g' <<<"$page")
    echo "$item $kind"
    # An alias has what its type has.
    [ "$kind" = type ] || tr '\n' ' ' <"$page" |
        sed -E 's/id="(trait-implementations|implementors|foreign-impls|blanket-implementations).*//' |
        grep -oE 'id="(structfield|variant|method|tymethod|associatedtype|associatedconstant)\.[A-Za-z0-9_]+"' |
        sed -E "s/id=\"[a-z]+\.([A-Za-z0-9_]+)\"/$item::\1/" | sort -u || true
done
