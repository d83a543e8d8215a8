#!/usr/bin/env python3
"""Times training on this machine with this project, PyTorch and JAX, alternately, side by side.

Two arrangements for each condition, repeated in turn so that a slow spell of the machine hits all
sides:

- two runs at once, a process of one thread each: how a sweep uses two cores;
- one run alone: one thread of this project (a run never uses more) against the peer with one and with
  two threads, whichever is better.

All sides train on the same images and take the time inside their loops: the making of batches is in
it, start-up, compilation, warm-up, shuffling and testing are not. Needs the Python packages of
requirements.txt for the peers and nothing beside Python here.
"""

import argparse
import csv
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
EMBEDDED = ROOT / "crates" / "luminosity" / "data"
# Timed steps of one measurement: 5 seconds or more.
STEPS = {"none": 6000, "ln+": 6000, "inorm": 3500, "inorm+full": 3500}
QUICK = 5  # times fewer
PAIR, ALONE = "two at once", "alone"
RUST, TORCH, JAX = "rust", "pytorch", "jax"
TWINS = {TORCH: HERE / "twin.py", JAX: HERE / "jax_twin.py"}


@dataclass
class Measurement:
    """What one process did."""

    condition: str
    arrangement: str
    side: str
    threads: int
    repeat: int
    ms_per_step: float
    peak_rss_mb: float
    train_loss: float


def binary_or_build(given):
    """The path of the luminosity binary, which is built unless given."""
    if given is not None:
        if not os.access(given, os.X_OK):
            sys.exit(f"{given}: no such program")
        return Path(given).resolve()
    try:
        metadata = subprocess.run(
            ["cargo", "metadata", "--no-deps", "--format-version", "1"],
            cwd=ROOT, check=True, stdout=subprocess.PIPE,
        )
        subprocess.run(
            ["cargo", "build", "--release", "--example", "luminosity"], cwd=ROOT, check=True
        )
    except FileNotFoundError:
        sys.exit("cargo is missing: install Rust, or name a built luminosity with --binary")
    except subprocess.CalledProcessError as error:
        sys.exit(f"cargo failed with status {error.returncode}")
    return Path(json.loads(metadata.stdout)["target_directory"], "release/examples/luminosity")


def run_together(commands):
    """Starts all commands, waits for all; the last JSON line and the peak memory (MB) of each."""
    running = []
    for command in commands:
        out, err = tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")
        running.append((subprocess.Popen(command, stdout=out, stderr=err), out, err))
    results, failure = [], None
    for process, out, err in running:
        # wait4 tells the memory of this very process.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), err.seek(0)
        lines = out.read().splitlines()
        if process.returncode != 0 or not lines:
            told = "\n".join(lines[-3:] + err.read().splitlines()[-20:])
            command = " ".join(map(str, process.args))
            failure = failure or f"{command}\nended with {process.returncode}:\n{told}"
            continue
        unit = 2**20 if sys.platform == "darwin" else 2**10
        results.append((json.loads(lines[-1]), usage.ru_maxrss / unit))
    if failure:
        sys.exit(failure)
    return results


class Bench:
    """The commands of both sides under the same options, and what has been measured."""

    def __init__(self, options, binary):
        self.options, self.binary, self.measured = options, binary, []

    def rust(self, condition, seed):
        o = self.options
        # The 20 steps of warm-up count among its steps.
        return self.words(
            self.binary, "train", "--condition", condition, "--steps", self.steps(condition) + 20,
            "--width", o.width, "--batch-size", o.batch, "--epsilon", o.epsilon, "--seed", seed,
            "--data", o.data,
        )

    def peer(self, name, condition, threads, process):
        """The command of a peer; `process` counts those that go at once."""
        o = self.options
        cores = ",".join(str((process + k) % usable_cores()) for k in range(threads))
        own = ["--cores", cores] if name == JAX else [
            "--threads", threads, "--precision", o.precision, *(["--fused"] if o.fused else [])
        ]
        return self.words(
            sys.executable, TWINS[name], "--condition", condition, "--steps", self.steps(condition),
            "--width", o.width, "--batch", o.batch, "--epsilon", o.epsilon, "--seed", process,
            "--data", o.data, *own,
        )

    @staticmethod
    def words(*command):
        return [str(word) for word in command]

    def steps(self, condition):
        o = self.options
        return o.steps or STEPS[condition] // (QUICK if o.quick else 1)

    def measure(self, condition, arrangement, side, threads, repeat):
        processes = 2 if arrangement == PAIR else 1
        if side == RUST:
            commands = [self.rust(condition, seed) for seed in range(processes)]
        else:
            commands = [self.peer(side, condition, threads, k) for k in range(processes)]
        for record, memory in run_together(commands):
            if side == RUST:
                ms, loss = record["timing"]["ms_per_step"], record["train_loss"]
                if record["outcome"] != "completed":
                    sys.exit(f"{condition} diverged: a shorter run says nothing")
            else:
                ms, loss = record["ms_per_step"], record["final_loss"]
            self.measured.append(Measurement(
                condition, arrangement, side, threads, repeat, ms, memory, loss
            ))

    def repeat(self, condition, repeat):
        """All arrangements once; the sides take turns at going first."""
        peers = self.options.peers
        turns = [(PAIR, side, 1) for side in (RUST, *peers)] + [(ALONE, RUST, 1)]
        turns += [(ALONE, peer, threads) for peer in peers for threads in (1, 2)]
        for turn in turns if repeat % 2 == 0 else reversed(turns):
            self.measure(condition, *turn, repeat)

    def of(self, *key):
        """The measurements of a condition, arrangement, side and number of threads."""
        return [
            m for m in self.measured if (m.condition, m.arrangement, m.side, m.threads) == key
        ]

    def throughput(self, *key):
        """Of each repeat: steps per second of all its processes together."""
        repeats = {}
        for m in self.of(*key):
            repeats[m.repeat] = repeats.get(m.repeat, 0.0) + 1e3 / m.ms_per_step
        return repeats

    def memory(self, *key):
        return f"{max(m.peak_rss_mb for m in self.of(*key)):.0f}"

    def rows(self, condition):
        """The rows of the table: an arrangement, each side's ms, the ratio, each side's memory."""
        for arrangement, threads in ((PAIR, [1]), (ALONE, [1, 2])):
            processes = 2 if arrangement == PAIR else 1
            rust = self.throughput(condition, arrangement, RUST, 1)
            for peer in self.options.peers:
                theirs = {n: self.throughput(condition, arrangement, peer, n) for n in threads}
                best = max(threads, key=lambda n: statistics.median(theirs[n].values()))
                for n in threads:
                    mark = " *" if len(threads) > 1 and n == best else ""
                    yield [
                        condition, arrangement, peer, f"{n}{mark}",
                        spread([1e3 * processes / rate for rate in rust.values()]),
                        spread([1e3 * processes / rate for rate in theirs[n].values()]),
                        spread([rust[repeat] / theirs[n][repeat] for repeat in rust]),
                        self.memory(condition, arrangement, RUST, 1),
                        self.memory(condition, arrangement, peer, n),
                    ]


def spread(values):
    """The median, and from where to where."""
    median = f"{statistics.median(values):.2f}"
    if len(values) == 1:
        return median
    return f"{median} ({min(values):.2f}–{max(values):.2f})"


def markdown(header, rows):
    """A table whose columns line up."""
    rows = [header, *rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]])


def machine():
    """The processor and how many of its cores this process may use."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            name = next(l.split(":", 1)[1].strip() for l in file if l.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{name}, {usable_cores()} cores, {platform.system()}"


def usable_cores():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--conditions", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--peers", nargs="+", choices=TWINS, default=list(TWINS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, help="timed steps; none given = enough for 5 s")
    parser.add_argument("--quick", action="store_true", help="a fifth of the steps, one repeat")
    parser.add_argument("--width", type=int, default=500)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--epsilon", type=float, default=0.75)
    parser.add_argument("--data", type=Path, default=EMBEDDED,
                        help="folder with the four IDX files; none given = the embedded images")
    parser.add_argument("--precision", choices=("highest", "medium"), default="highest",
                        help="PyTorch's float32 products; highest is its default (see README.md)")
    parser.add_argument("--fused", action="store_true",
                        help="PyTorch updates weights without forming gradients (see README.md)")
    parser.add_argument("--binary", type=Path, help="a built luminosity; none given = build it")
    parser.add_argument("--out", type=Path, help="write every measurement to this CSV file")
    options = parser.parse_args()
    if options.quick:
        options.repeats = 1
    if options.repeats < 1 or (options.steps is not None and options.steps < 100):
        parser.error("at least 1 repeat and 100 steps")
    options.data = options.data.resolve()
    return options


def main():
    options = parse()
    # A twin says itself which package is missing.
    versions = []
    for peer in options.peers:
        command = [sys.executable, TWINS[peer], "--version"]
        probe = subprocess.run(command, capture_output=True, text=True)
        if probe.returncode != 0:
            sys.exit(probe.stderr.strip())
        versions.append(probe.stdout.strip())
    bench = Bench(options, binary_or_build(options.binary))
    print(f"{machine()}; {', '.join(versions)}; width {options.width}, batch {options.batch}; "
          f"PyTorch with precision {options.precision}{', fused updates' if options.fused else ''}")
    if usable_cores() < 2:
        print("Fewer than 2 cores: two runs at once share one.", file=sys.stderr)
    for condition in options.conditions:
        for repeat in range(options.repeats):
            print(f"{condition}, repeat {repeat + 1} of {options.repeats}", file=sys.stderr)
            bench.repeat(condition, repeat)
    header = ["condition", "runs", "peer", "threads", "rust ms/step", "peer ms/step",
              "throughput rust/peer", "rust MB", "peer MB"]
    print(markdown(header, [row for c in options.conditions for row in bench.rows(c)]))
    print("\nMedian (min–max) over repeats; milliseconds of one core a step where two runs go at once,"
          "\nof the run where it is alone. MB: peak memory of a process. * the peer's better.")
    if options.out:
        with open(options.out, "w", newline="") as file:
            writer = csv.DictWriter(file, list(Measurement.__dataclass_fields__))
            writer.writeheader()
            writer.writerows(map(asdict, bench.measured))


if __name__ == "__main__":
    main()
