"""Compares two stores: python3 tests/same_store.py STORE OTHER

They must hold the same files with the same bytes, except what depends on the clock: `timing` in records.
"""

import pathlib
import re
import sys


def files(folder):
    """The content of every file of a store, less its lock and what is under `timing`."""
    found = {}
    for path in pathlib.Path(folder).rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_file() and name != ".lock":
            content = path.read_text()
            if name.startswith("runs/") and name.endswith(".json"):
                content, times = re.subn(r'"timing": \{[^{}]*\}', "", content)
                assert times == 1, name
            found[name] = content
    return found


one, other = map(files, sys.argv[1:])
differ = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
for name in differ:
    print("differs, or is in one store alone:", name)
records = sum(name.startswith("runs/") for name in one)
print(f"{records} records, {len(differ)} files differ")
sys.exit(bool(differ) or not records)
