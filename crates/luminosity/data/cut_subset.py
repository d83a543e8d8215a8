#!/usr/bin/env python3
"""Cut a small subset out of the four IDX files of Fashion-MNIST.

Takes the first examples of each class, keeps them in their original order and
writes them as gzipped IDX files of the same names. The same input gives the
same bytes: the gzip headers carry neither a time nor a file name.
"""

import argparse
import gzip
import hashlib
import struct
import sys
import zlib
from pathlib import Path

CLASSES = 10
SIDE = 28
IMAGES_MAGIC = 2051
LABELS_MAGIC = 2049

# The two splits, and how many examples of each class the embedded subset has.
PER_CLASS = {"train": 1_000, "t10k": 200}


def read(folder: Path, name: str) -> bytes:
    """The content of one file, stored raw or gzipped (raw wins)."""
    raw = folder / name
    if raw.is_file():
        return raw.read_bytes()
    with gzip.open(folder / f"{name}.gz") as file:
        return file.read()


def read_images(folder: Path, name: str) -> list[bytes]:
    content = read(folder, name)
    magic, count, rows, columns = struct.unpack_from(">4I", content)
    if (magic, rows, columns) != (IMAGES_MAGIC, SIDE, SIDE):
        raise ValueError(f"{name}: not an IDX file of {SIDE}x{SIDE} images")
    pixels = content[16:]
    size = SIDE * SIDE
    if len(pixels) != count * size:
        raise ValueError(f"{name}: {len(pixels)} pixels, must be {count * size}")
    return [pixels[start : start + size] for start in range(0, len(pixels), size)]


def read_labels(folder: Path, name: str) -> bytes:
    content = read(folder, name)
    magic, count = struct.unpack_from(">2I", content)
    if magic != LABELS_MAGIC:
        raise ValueError(f"{name}: not an IDX file of labels")
    labels = content[8:]
    if len(labels) != count or any(label >= CLASSES for label in labels):
        raise ValueError(f"{name}: must hold {count} labels below {CLASSES}")
    return labels


def first_of_each_class(labels: bytes, per_class: int) -> list[int]:
    """The indices of the first `per_class` examples of each class, ascending."""
    taken = [0] * CLASSES
    chosen = []
    for index, label in enumerate(labels):
        if taken[label] < per_class:
            taken[label] += 1
            chosen.append(index)
    if min(taken) < per_class:
        raise ValueError(f"{taken} examples of the classes, must be {per_class} of each")
    return chosen


def write(folder: Path, name: str, content: bytes) -> None:
    path = folder / f"{name}.gz"
    with path.open("wb") as file:
        with gzip.GzipFile("", "wb", compresslevel=9, fileobj=file, mtime=0) as packed:
            packed.write(content)
    # The digest of the content, because another zlib may pack it differently.
    print(f"{hashlib.sha256(content).hexdigest()}  {name}")


def cut(source: Path, target: Path, split: str, per_class: int) -> None:
    images_name = f"{split}-images-idx3-ubyte"
    labels_name = f"{split}-labels-idx1-ubyte"
    images = read_images(source, images_name)
    labels = read_labels(source, labels_name)
    if len(images) != len(labels):
        raise ValueError(f"{split}: {len(images)} images but {len(labels)} labels")

    chosen = first_of_each_class(labels, per_class)
    header = struct.pack(">4I", IMAGES_MAGIC, len(chosen), SIDE, SIDE)
    write(target, images_name, header + b"".join(images[i] for i in chosen))
    header = struct.pack(">2I", LABELS_MAGIC, len(chosen))
    write(target, labels_name, header + bytes(labels[i] for i in chosen))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("source", type=Path, help="folder with the four IDX files, raw or .gz")
    parser.add_argument("target", type=Path, help="folder for the four .gz files of the subset")
    arguments = parser.parse_args()
    try:
        arguments.target.mkdir(parents=True, exist_ok=True)
        for split, per_class in PER_CLASS.items():
            cut(arguments.source, arguments.target, split, per_class)
    except (OSError, EOFError, ValueError, struct.error, zlib.error) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
