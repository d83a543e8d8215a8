#!/usr/bin/env python3
"""Lists the public items of ei-norm with their signatures, fields, variants and methods, without the methods of
traits that they implement, from the documentation:

    cargo doc --workspace --no-deps && python3 docs/public-items.py >docs/public-items.txt
"""

import html
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent / "target/doc/ei_norm"
KINDS = {"struct", "enum", "trait", "fn", "type", "constant", "macro"}
# What follows belongs to traits.
TRAITS = re.compile(r'id="(?:trait-implementations|implementors|foreign-impls|blanket-implementations)')
# The declaration of an item; the name of a field or a variant; the signature of a method or another part.
DECLARATION = re.compile(r'<pre class="rust item-decl"><code>(.*?)</code></pre>', re.S)
PARTS = re.compile(
    r'<section id="(?:method|tymethod|associatedtype|associatedconstant)\.\w+".*?'
    r'<h4 class="code-header">(.*?)</h4>',
    re.S,
)
FIELDS = re.compile(r'id="(?:variant\.\w+\.field|structfield)\.\w+".*?<code>(.*?)</code>', re.S)
VARIANTS = re.compile(r'<section id="variant\.\w+".*?<h3 class="code-header">(.*?)</h3>', re.S)


def plain(markup):
    """The text of a piece of a page, in one line."""
    text = html.unescape(re.sub(r"<[^>]*>", "", markup))
    text = re.sub(r"\s+", " ", text).strip()
    return re.sub(r",? ([)>])", r"\1", re.sub(r"([(<]) ", r"\1", text))


def declaration(page):
    """An item without its fields, variants or methods, which are listed after it."""
    text = plain(DECLARATION.search(page)[1])
    return text.replace("]pub", "] pub").split(" {")[0].rstrip(";")


NAMES = re.findall(r'href="((\w+/)*(\w+)\.(\w+)\.html)"', (ROOT / "all.html").read_text())
for name, kind in sorted({(name, kind) for name, _, kind, _ in NAMES if kind in KINDS}):
    page = TRAITS.split((ROOT / name).read_text())[0]
    item = name.removesuffix(".html").replace(f"{kind}.", "").replace("/", "::")
    print(f"{item}: {declaration(page)}")
    if kind != "type":  # An alias has what its type has.
        parts = FIELDS.findall(page) + VARIANTS.findall(page) + PARTS.findall(page)
        for part in sorted({plain(part) for part in parts}):
            print(f"{item}: {part}")
