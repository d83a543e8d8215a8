#!/usr/bin/env bash
# Learns a second real data set, scikit-learn's 8×8 digits, from arrays in a file of NumPy:
# bash tests/digits.sh target/release/examples/luminosity
# Says so, and succeeds, where pip cannot bring scikit-learn.
set -euo pipefail
luminosity=$(realpath "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

python3 -m venv "$scratch/venv" &&
    "$scratch/venv/bin/pip" install --quiet --disable-pip-version-check scikit-learn ||
    { echo "digits: skipped, as pip could not bring scikit-learn"; exit 0; }

"$scratch/venv/bin/python" - "$scratch/digits.npz" <<'PYTHON'
import sys
import numpy
from sklearn.datasets import load_digits

images, labels = load_digits(return_X_y=True)
images = (images / 16).astype("float32").reshape(-1, 8, 8)
train, test = slice(0, 1500), slice(1500, None)
numpy.savez_compressed(sys.argv[1], x_train=images[train], y_train=labels[train],
                       x_test=images[test], y_test=labels[test])
PYTHON

record=$("$luminosity" train --data "$scratch/digits.npz" --condition inorm+full --epochs 1)
python3 - "$record" <<'PYTHON'
import json
import sys

record = json.loads(sys.argv[1])
print("digits: test accuracy", round(record["test_accuracy"], 3), "after an epoch, chance is 0.1")
sys.exit(record["outcome"] != "completed" or record["test_accuracy"] < 0.2)
PYTHON
