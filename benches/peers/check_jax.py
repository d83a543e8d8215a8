#!/usr/bin/env python3
"""Holds the JAX twin against the golden cases of `tests/golden` in float64."""

import json
import sys
from pathlib import Path

import jax_twin  # first: it explains what to install where JAX is missing

import jax
import jax.numpy as jnp
import numpy as np

BOUND = 1e-10  # max|a − b| / max|b|
GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden"


def condition_of(spec):
    """The twin's condition for a network of a golden case, or None."""
    if spec["hidden"] == "i_norm":
        return {"identity": "inorm", "full": "inorm+full"}.get(spec["error_norm"])
    if spec["hidden"] != "ei":
        return None
    if spec["norm"] == "layer":
        return "ln+" if spec["backward"] == "exact" else None
    return "none" if spec["norm"] == "none" else None


def array(value):
    """A matrix of a case, [outputs, inputs] there, as the twin has it."""
    return np.array(value["data"], np.float64).reshape(value["shape"]).T


def layers_of(case):
    return [
        {name: array(w) for name, w in layer.items() if name != "u_ei"}
        for layer in case["layers"]
    ]


def check(path):
    """The largest error of a case, or None if the twin has no such network."""
    case = json.loads(path.read_text())
    condition = condition_of(case["spec"])
    if condition is None:
        return None
    rates = case["learning_rates"]
    weight = case["spec"].get("lambda", 0.0)
    x, labels = jnp.asarray(array(case["inputs"]["x"]).T), jnp.array(case["inputs"]["labels"])
    layers = jax.tree.map(jnp.asarray, layers_of(case["inputs"]))
    losses = []
    for _ in range(case["steps"]):
        layers, task = jax_twin.step(condition, rates, weight, layers, x, labels)
        losses.append(float(task))
    logits = jax_twin.forward(condition, layers, x)[0]
    expected = case["expected"]
    pairs = [(losses, expected["losses"]), (logits, array(expected["logits"]).T)]
    for found, wanted in zip(layers, layers_of(expected)):
        pairs += [(found[name], wanted[name]) for name in found]
    worst = max(np.abs(np.asarray(a) - b).max() / max(np.abs(b).max(), 1e-30) for a, b in pairs)
    print(f"{'ok  ' if worst <= BOUND else 'FAIL'} {path.stem} ({condition}): largest error {worst:.1e}")
    return worst <= BOUND


def main():
    jax.config.update("jax_enable_x64", True)
    cases = sorted(GOLDEN.glob("*_train*.json"))
    results = [result for result in map(check, cases) if result is not None]
    print(f"{sum(results)} of {len(results)} agree")
    sys.exit(0 if len(results) >= len(jax_twin.CONDITIONS) and all(results) else 1)


if __name__ == "__main__":
    main()
