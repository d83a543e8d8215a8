#!/usr/bin/env bash
# Opens a page of a report in Chromium, 1280 and 390 pixels wide: bash docs/check-page.sh report.html
# Fails on an error on the console, on a request for anything else, where the main effect and the main figure
# (data-main) do not come first, and where one of them, or the page itself, is wider than the window, or a part of
# them scrolls.
set -euo pipefail
page=$(realpath "$1")
chromium=$(command -v chromium || command -v chromium-browser)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# On a copy: the widest of all parts, and every resource that was asked for. Headless windows have a
# least width, so the page goes into a frame of the width that is asked for.
{
    cat "$page"
    cat <<'SCRIPT'
<script>
addEventListener("load", () => {
    const main = [...document.querySelectorAll("[data-main]")];
    const out = (e) => e.scrollWidth > innerWidth || e.getBoundingClientRect().right > innerWidth + 0.5;
    const scrolls = (e) => getComputedStyle(e).overflowX !== "visible" && e.scrollWidth > e.clientWidth;
    const parts = main.flatMap((e) => [...e.querySelectorAll("div")]);
    const wide = [document.documentElement, ...main].filter(out).concat(parts.filter(scrolls));
    const found = {
        width: innerWidth,
        main: main.map((e) => e.dataset.main),
        first: !main.some((e) => e.closest("section") !== document.querySelector("section"))
            && document.querySelector("figure") === main[1],
        wide: wide.map((e) => e.dataset.main || e.className || e.tagName),
        requests: performance.getEntriesByType("resource").map((r) => r.name),
    };
    parent.document.body.textContent = `FOUND ${JSON.stringify(found)}`;
});
</script>
SCRIPT
} >"$scratch/copy.html"

for width in 1280 390; do
    echo "<body style='margin:0'><iframe src='copy.html' style='border:0;width:${width}px;height:900px'></iframe>" \
        >"$scratch/frame.html"
    "$chromium" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --allow-file-access-from-files --enable-logging=stderr \
        --user-data-dir="$scratch/profile" --window-size=1400,1000 --virtual-time-budget=10000 \
        --dump-dom "file://$scratch/frame.html" >"$scratch/dom" 2>"$scratch/log"
    found=$(grep -o 'FOUND {.*}' "$scratch/dom" || true)
    echo "$width: ${found:-nothing found}"
    if grep 'CONSOLE' "$scratch/log"; then
        exit 1
    fi
    case $found in
    *"\"width\":$width,"'"main":["effect","figure"],"first":true,"wide":[],"requests":[]}') ;;
    *) exit 1 ;;
    esac
done
