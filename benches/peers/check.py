#!/usr/bin/env python3
"""Holds the PyTorch twin against the library: the same losses, logits and weights.

1. The golden cases of `tests/golden` that the twin's conditions cover, in float64.
2. Single steps of `luminosity train` at full size, in float32, by the plain twin and by the tuned one
   (`--precision medium --fused`): the loss, all weights after the step, the logits on a batch of test
   images, and the initial U_ix.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import twin  # first: it explains what to install where torch is missing
from compare import ROOT, binary_or_build

import numpy as np
import torch

# max|a − b| / max|b|
BOUND_GOLDEN = 1e-10
BOUND_F32 = 2e-4
BATCH, STEPS = 32, 8
# Of the standard deviation of the pre-activations; rounding moves them by less.
UNDECIDED = 2e-5


class Comparison:
    """The worst error of a case."""

    def __init__(self):
        self.worst, self.of, self.compared = 0.0, "nothing", 0

    def add(self, name, found, expected):
        found = torch.as_tensor(found, dtype=torch.float64)
        expected = torch.as_tensor(expected, dtype=torch.float64)
        if found.shape != expected.shape:
            raise ValueError(f"{name}: {tuple(found.shape)} against {tuple(expected.shape)}")
        error = ((found - expected).abs().max() / expected.abs().max().clamp(min=1e-30)).item()
        self.compared += 1
        if not error <= self.worst:  # also where it is NaN
            self.worst, self.of = error, name

    def report(self, case, bound):
        good = self.compared > 0 and self.worst <= bound
        print(f"{'ok  ' if good else 'FAIL'} {case}: {self.compared} compared, "
              f"largest error {self.worst:.1e} ({self.of}), bound {bound:.0e}")
        return good


def array(value):
    return torch.tensor(value["data"], dtype=torch.float64).reshape(value["shape"])


def golden_condition(spec):
    """The twin's condition for a network of a golden case, or None."""
    hidden, norm = spec["hidden"], spec.get("norm")
    if hidden == "ei" and norm == "none":
        return "none"
    if hidden == "ei" and norm == "layer" and spec["backward"] == "exact":
        return "ln+"
    if hidden == "i_norm":
        return {"identity": "inorm", "full": "inorm+full"}.get(spec["error_norm"])
    return None


def golden_layer(layer):
    """A layer of a case as the twin holds it: U_ei is 1/n_e by definition there."""
    weights = {name: array(value) for name, value in layer.items()}
    u_ei = weights.pop("u_ei", None)
    if u_ei is not None and not torch.all(u_ei == 1 / u_ei.shape[0]):
        raise ValueError("the twin needs U_ei = 1/n_e")
    return weights


def check_golden(path):
    """One case, or None if the twin has no such network."""
    case = json.loads(path.read_text())
    condition = golden_condition(case["spec"])
    if condition is None:
        return None
    inputs, expected, rates = case["inputs"], case["expected"], case["learning_rates"]
    network = twin.Network(condition, [golden_layer(layer) for layer in inputs["layers"]])
    trainer = twin.Trainer(network, twin.Rates(
        excitatory=rates["w_ex"], bias=rates["bias"], inhibitory_out=rates["w_ei"],
        inhibitory_in=rates["w_ix"], local=case["spec"].get("lambda", 0.0),
    ))
    x, labels = array(inputs["x"]), torch.tensor(inputs["labels"])
    comparison = Comparison()
    losses = [trainer.step(x, labels).item() for _ in range(case["steps"])]
    comparison.add("losses", losses, expected["losses"])
    comparison.add("logits", network.forward(x)[0].detach(), array(expected["logits"]))
    for index, (found, layer) in enumerate(zip(network.layers, expected["layers"])):
        for name, weight in found.items():
            comparison.add(f"layers.{index}.{name}", weight, array(layer[name]))
    return comparison.report(f"{path.stem} ({condition})", BOUND_GOLDEN)


def dumped_network(folder, condition):
    """The network of a dump, whose matrices are [inputs, outputs]."""
    kind = "INorm" if condition.startswith("inorm") else "Ei.linear"
    prefixes = [f"hidden.0.{kind}", f"hidden.1.{kind}", "readout"]
    layers = []
    for prefix in prefixes:
        layer = {}
        for name in ("w_ex", "w_ix", "w_ei", "u_ix", "bias"):
            path = folder / f"{prefix}.{name}.npy"
            if path.exists():
                layer[name] = torch.from_numpy(np.load(path)).t().contiguous()
        layers.append(layer)
    return twin.Network(condition, layers)


def load(folder, name):
    return torch.from_numpy(np.load(folder / f"{name}.npy"))


def undecided(network, x):
    """Whether some pre-activation is so close to 0 that rounding decides which way its ReLU goes."""
    for w in network.layers[:-1]:
        z, _, _ = network.hidden(x, w)
        if z.abs().min() < UNDECIDED * z.std():
            return True
        x = torch.relu(z).detach()
    return False


def check_library(binary, condition, width, tuned):
    """Steps of `luminosity train` on the embedded images, each made again by the twin.

    Without shuffling and shifts, a step depends on nothing but the weights before it. A step with a
    ReLU that rounding decides is left out: it says nothing about the equations.
    """
    torch.set_float32_matmul_precision("medium" if tuned else "highest")
    comparison, compared = Comparison(), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def run(steps, *more):
            command = [binary, "train", "--condition", condition, "--width", width, "--epsilon", 0,
                       "--no-shuffle", "--batch-size", BATCH, "--steps", steps,
                       "--data", twin.EMBEDDED, "--dump", folder / str(steps),
                       "--losses", folder / "losses.csv", *more]
            done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")

        # Without learning, the dump holds the initial weights. U_ix is defined up to an orthogonal
        # factor, so U_ixᵀ U_ix is compared.
        if condition.startswith("inorm"):
            run(1, "--lr", 0, "--lr-ei", 0, "--lr-ix", 0)
            for index, w in enumerate(dumped_network(folder / "1", condition).layers[:-1]):
                u_ix = twin.balanced_u_ix(*(w[n].double() for n in ("w_ex", "w_ix", "w_ei")))
                gram = w["u_ix"].double().t() @ w["u_ix"].double()
                comparison.add(f"layers.{index}.u_ix at first", u_ix.t() @ u_ix, gram)

        for steps in range(1, STEPS + 2):
            run(steps)
        with open(folder / "losses.csv") as file:
            losses = [float(row[-1]) for row in list(csv.reader(file))[1:]]
        images, labels = twin.load(twin.EMBEDDED, 0)
        for step in range(1, STEPS + 1):
            network = dumped_network(folder / str(step), condition)
            indices = torch.arange(step * BATCH, (step + 1) * BATCH)
            x = twin.stimulus(images, indices, torch.zeros(BATCH, 1))
            if undecided(network, x):
                continue
            compared += 1
            loss = twin.Trainer(network, twin.Rates(), fused=tuned).step(x, labels[indices])
            comparison.add("loss", loss.item(), losses[step])
            after = folder / str(step + 1)
            for index, layer in enumerate(dumped_network(after, condition).layers):
                for name, weight in layer.items():
                    found = network.layers[index][name]
                    comparison.add(f"layers.{index}.{name}", found, weight)
            logits, _, _ = network.forward(load(after, "input"))
            comparison.add("logits", logits.detach(), load(after, "logits"))
    variant = "tuned" if tuned else "plain"
    case = f"library {condition}, width {width}, {variant} twin, {compared} of {STEPS} steps"
    return comparison.report(case, BOUND_F32) and compared > 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--binary", type=Path, help="the luminosity binary; none given = build it")
    parser.add_argument("--golden", type=Path, default=ROOT / "tests" / "golden")
    parser.add_argument("--width", type=int, default=500)
    options = parser.parse_args()
    twin.prepare(threads=1, precision="highest")

    cases = sorted(options.golden.glob("*_train*.json"))
    results = [r for r in map(check_golden, cases) if r is not None]
    if len(results) < len(twin.CONDITIONS):
        sys.exit(f"check.py: only {len(results)} golden cases in {options.golden}")
    binary = binary_or_build(options.binary)
    for condition in twin.CONDITIONS:
        for tuned in (False, True):
            results.append(check_library(binary, condition, options.width, tuned))
    print(f"{sum(results)} of {len(results)} agree")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
