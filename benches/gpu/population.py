#!/usr/bin/env python3
"""Measures populations on the devices of this machine and draws them beside other machines.

For each device, condition and number of networks: network-steps a second and the largest memory of the
process, by a short sweep in one population. On devices of CubeCL also the kernels of a step that is not
replayed, counted by CubeCL's log. Each row replaces the same row of population.csv in the folder of --out;
the others are kept.
Draws population.svg and population.png there.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

FIELDS = ("device", "program", "condition", "networks", "network_steps_per_second", "megabytes", "kernels_per_step")
REQUEST = """\
network = "{network}"
conditions = ["{condition}"]
epsilons = [0.75]
settings = 0
seeds = {networks}
steps = {steps}
width = {width}
"""
# The text of a line of CubeCL's log for each kernel that runs.
LOG = """\
[profiling.logger]
level = "minimal"
file = "kernels.log"
"""


def run(options, device, condition, networks, steps, width, logged=False):
    """A step's milliseconds, the largest memory in MB, and the number of logged kernels."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        request = REQUEST.format(network=options.network, condition=condition, networks=networks, steps=steps,
                                 width=width)
        (folder / "request.toml").write_text(request)
        if logged:
            (folder / "cubecl.toml").write_text(LOG)
        command = [options.binary, "sweep", "--config", "request.toml", "--device", device, "--population",
                   str(networks), "--jobs", "1", "--out", "store"]
        with open(folder / "said", "w+") as said:
            child = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said)
            _, status, usage = os.wait4(child.pid, 0)
            if status:
                said.seek(0)
                sys.exit(said.read())
        runs = [json.loads(path.read_text()) for path in (folder / "store/runs").glob("*.json")]
        timing = runs[0].get("record", runs[0])["timing"]
        log = folder / "kernels.log"
        kernels = log.read_text().count("Executing ") if logged else 0
        return timing["ms_per_step"], usage.ru_maxrss / 1024, kernels


def measure(options, device):
    on_cubecl = device not in ("flex", "ndarray")
    for condition in options.conditions:
        for networks in options.networks:
            ms, megabytes, _ = run(options, device, condition, networks, options.steps, options.width)
            row = {"device": options.name or device, "program": "ei_norm", "condition": condition,
                   "networks": networks, "network_steps_per_second": round(1000 * networks / ms),
                   "megabytes": round(megabytes)}
            if on_cubecl:
                # A step is recorded after the eighth.
                few, many = (run(options, device, condition, networks, steps, 64, logged=True)[2]
                             for steps in (5, 8))
                row["kernels_per_step"] = round((many - few) / 3)
            print(row, file=sys.stderr)
            yield row


def draw(rows, out):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = {}
    for row in rows:
        name = (row["device"], row["program"], row["condition"])
        lines.setdefault(name, []).append((int(row["networks"]), float(row["network_steps_per_second"])))
    colours = dict(zip(dict.fromkeys((device, program) for device, program, _ in lines),
                       ("#0072B2", "#D55E00", "#009E73", "#999999", "#CC79A7")))
    figure, axis = plt.subplots(figsize=(9, 3.8))
    for (device, program, condition), points in lines.items():
        axis.plot(*zip(*sorted(points)), "o-" if condition == "inorm+full" else "s--", markersize=4,
                  color=colours[device, program], label=f"{program}, {condition}, {device}")
    axis.set(xscale="log", yscale="log", xlabel="networks in the population", ylabel="network-steps a second")
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.tight_layout()
    for ending in ("svg", "png"):
        figure.savefig(out / f"population.{ending}", dpi=150, bbox_inches="tight")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--binary", type=Path, default=Path("target/release/luminosity"))
    parser.add_argument("--devices", nargs="*", default=["flex"], help="devices of the program; none: only draw")
    parser.add_argument("--name", help="the device's name in the table and the figure")
    parser.add_argument("--network", default="mlp", help="the kind of the networks; the table and the figure do not "
                        "say it, so give --out for others than mlp")
    parser.add_argument("--conditions", nargs="+", default=["inorm+full", "ln+"])
    parser.add_argument("--networks", nargs="+", type=int, default=[1, 4, 16])
    parser.add_argument("--steps", type=int, default=200, help="steps of each run; the first 100 are not timed")
    parser.add_argument("--width", type=int, default=500)
    parser.add_argument("--out", type=Path, default=Path("docs/figures"))
    options = parser.parse_args()
    options.binary = options.binary.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    table = options.out / "population.csv"
    rows = list(csv.DictReader(table.open())) if table.exists() else []
    for device in options.devices:
        for row in measure(options, device):
            rows = [other for other in rows if any(str(other[key]) != str(row[key]) for key in FIELDS[:4])] + [row]
            with table.open("w", newline="") as file:
                writer = csv.DictWriter(file, FIELDS)
                writer.writeheader()
                writer.writerows(rows)
    draw(rows, options.out)


if __name__ == "__main__":
    main()
