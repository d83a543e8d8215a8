#!/usr/bin/env python3
"""How much of the activity of a convolution with I-Norm stands where its patch is dark.

    dark.py PROGRAM [EPOCHS]

PROGRAM, the built `luminosity`, trains the network `conv` with the condition `inorm` at the settings of
conv.jsonl.gz, for one epoch unless told otherwise. The images are the embedded test images, each shifted by
U(-0.75, 0.75). A patch is dark if its divisive inhibition q is below ten times its floor, sqrt(epsilon). Prints the
medians over the settings. Needs numpy.
"""

import gzip
import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

EPSILON = 1e-5
RECORDS = Path(__file__).parent / "conv.jsonl.gz"
IMAGES = Path(__file__).parents[3] / "crates/luminosity/data/t10k-images-idx3-ubyte.gz"


def weights_of(path):
    data = Path(path).read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    header.pop("__metadata__", None)
    return {
        name: np.frombuffer(body[slice(*t["data_offsets"])], "<f4").reshape(t["shape"]).astype(float)
        for name, t in header.items()
    }


def patches(x, kernel=5, stride=2):
    """`[images, channels, rows, columns]` to `[images, rows, columns, channels * kernel * kernel]`."""
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), (2, 3))
    windows = windows[:, :, ::stride, ::stride].transpose(0, 2, 3, 1, 4, 5)
    return windows.reshape(*windows.shape[:3], -1)


def layers(path, images):
    """The share of dark patches, their share of the sum of z², and the root mean square of z at dark and at others."""
    weights, x = weights_of(path), images
    for layer in range(2):
        of = {name: weights[f"hidden.{layer}.INorm.{name}"] for name in "w_ex w_ix w_ei u_ix u_ei bias".split()}
        rows = patches(x)
        q = np.sqrt((rows @ of["u_ix"]) ** 2 @ of["u_ei"] + EPSILON)
        z = (rows @ of["w_ex"] + of["bias"] - rows @ of["w_ix"] @ of["w_ei"]) / q
        dark = q.max(-1) < 10 * EPSILON**0.5
        square = (z**2).sum(-1)
        rms = [float(np.sqrt((z[at] ** 2).mean())) for at in (dark, ~dark)]
        yield [100 * dark.mean(), 100 * square[dark].sum() / square.sum(), *rms]
        x = np.maximum(z, 0).transpose(0, 3, 1, 2)


def trained(program, epochs, folder):
    """The saved networks, one a setting."""
    records = map(json.loads, gzip.open(RECORDS, "rt"))
    for record in (record for record in records if record.get("condition") == "inorm"):
        path = Path(folder) / f"{record['setting']}.safetensors"
        options = {name: record[name] for name in ("condition", "epsilon", "seed", "lr", "lr_ix", "lr_ei")}
        arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        train = [program, "train", "--network=conv", f"--epochs={epochs}", f"--save={path}", "--json", *arguments]
        subprocess.run(train, check=True, capture_output=True)
        yield path


def main():
    program, epochs = (sys.argv[1:] + ["1"])[:2]
    pixels = np.frombuffer(gzip.open(IMAGES).read()[16:], np.uint8).reshape(-1, 1, 28, 28) / 255
    shift = np.random.default_rng(0).uniform(-0.75, 0.75, (len(pixels), 1, 1, 1))
    images = np.clip(pixels + shift, 0, 1)
    with tempfile.TemporaryDirectory() as folder:
        values = np.array([list(layers(path, images)) for path in trained(program, epochs, folder)])
    for layer, (share, square, dark, other) in enumerate(np.median(values, axis=0), 1):
        print(f"layer {layer}: {share:.0f} % of the patches are dark, with {square:.0f} % of the squares of z;")
        print(f"         root mean square of z {dark:.2g} at dark patches, {other:.2g} at the others")


if __name__ == "__main__":
    main()
