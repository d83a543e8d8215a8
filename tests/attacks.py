#!/usr/bin/env python3
"""Tries to make the program lose, mix or believe what it should not:

    python3 tests/attacks.py target/release/examples/luminosity

Each attack is a function; its first line says what is tried. A refusal is one line on standard error,
the right exit code (2 for the command line, 1 for the rest), less than 256 MB and less than 10 seconds.
Those that need root or a tool that is missing are skipped and say so.
"""

import gzip
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = str(Path(sys.argv[1]).resolve())
SECONDS, MEGABYTES = 10, 256
TINY = ["train", "--condition", "inorm+full", "--steps", "3", "--width", "24"]
SWEEP = ["sweep", "--conditions", "none,inorm", "--epsilons", "0", "--settings", "2", "--epochs", "1", "--width", "8"]
IS_ROOT = os.geteuid() == 0


class Skip(Exception):
    pass


def run(*arguments, shell=None, **options):
    """Runs the program, or a line of the shell in which "$@" is the program with its arguments."""
    command = [PROGRAM, *map(str, arguments)]
    if shell:
        command = ["bash", "-c", shell, "bash", *command]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60, **options)


def refused(code, *words, arguments, **options):
    began = time.monotonic()
    pid = subprocess.Popen([PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           text=True, errors="replace", **options)
    peak = 0
    while pid.poll() is None:
        try:
            status = Path(f"/proc/{pid.pid}/status").read_text()
            peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))])
        except OSError:
            pass
        if time.monotonic() - began > SECONDS:
            pid.kill()
        time.sleep(0.002)
    out, err = pid.communicate()
    said = ("Data: ", "note: ", "4 runs, ")
    errors = [line for line in err.splitlines() if not line.startswith(said)]
    told = f"{arguments}: exit code {pid.returncode}, {peak >> 10} MB, {err!r}"
    assert pid.returncode == code, told
    assert len(errors) == 1 and "panicked" not in err and not out, told
    assert all(word in errors[0] for word in words), told
    assert peak >> 10 < MEGABYTES, told


def done(finished, code=0):
    assert finished.returncode == code, f"{finished.args}: {finished.returncode}, {finished.stderr!r}"
    return finished


def model(folder, name="model"):
    done(run(*TINY, "--save", name, cwd=folder))
    return folder / f"{name}.bpk", folder / f"{name}.json"


def change(record, **values):
    found = json.loads(record.read_text())
    for name, value in values.items():
        found.pop(name, None)
        if value is not None:
            found[name] = value
    record.write_text(json.dumps(found))


def what_is_no_file_is_written_to_as_it_is(folder):
    os.symlink("target.csv", folder / "link.csv")
    done(run(*TINY, "--losses", "link.csv", cwd=folder))
    assert (folder / "link.csv").is_symlink() and (folder / "target.csv").read_text().startswith("step,loss")
    os.mkfifo(folder / "fifo")
    reader = subprocess.Popen(["cat", folder / "fifo"], stdout=subprocess.PIPE, text=True)
    done(run(*TINY, "--losses", "fifo", cwd=folder))
    assert reader.communicate()[0].startswith("step,loss")
    # Nobody reads now: said, not waited for, and the record is there.
    unread = run(*TINY, "--losses", "fifo", cwd=folder)
    assert unread.returncode == 1 and "nobody reads" in unread.stderr and "test_accuracy" in unread.stdout
    if IS_ROOT:
        os.mknod(folder / "null", 0o666 | 0o020000, os.makedev(1, 3))
        done(run(*TINY, "--losses", "null", cwd=folder))
        assert not (folder / "null").is_file()


def a_signal_ends_a_run_with_its_record_and_keeps_the_old_file(folder):
    (folder / "losses.csv").write_text("old")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU):
        training = subprocess.Popen(
            [PROGRAM, "train", "--condition", "none", "--width", "4", "--epochs", "9999", "--losses", "losses.csv"],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        time.sleep(2)
        training.send_signal(number)
        record = json.loads(training.communicate(timeout=SECONDS)[0])
        assert training.returncode == 130 and record["outcome"] == "interrupted"
        assert len(record["history"]) > 0 and (folder / "losses.csv").read_text() == "old"


def ruined_weights_are_refused(folder):
    weights, record = model(folder)
    good, text = weights.read_bytes(), record.read_text()
    other, _ = model(folder, "other")
    run(*TINY, "--seed", "9", "--save", "seed", cwd=folder)
    evaluate = ["eval", "--model", weights]
    half = len(good) // 2
    for bytes_ in (bytes(len(good)), good[:half], good[:half] + bytes([good[half] ^ 1]) + good[half + 1:],
                   good + bytes(1000), (folder / "seed.bpk").read_bytes()):
        weights.write_bytes(bytes_)
        refused(1, "model.bpk", arguments=evaluate)
    for digest in (True, False):
        weights.write_bytes(good)
        os.truncate(weights, 5 << 30)
        if not digest:
            change(record, weights_sha256=None)
        refused(1, "model.bpk", "longer than", arguments=evaluate)
    weights.write_bytes(good)
    record.write_text(text)
    done(run(*evaluate))


def another_accuracy_on_the_same_data_is_an_error(folder):
    weights, record = model(folder)
    found = json.loads(record.read_text())
    found["test_accuracy"] = found["history"][0]["test_accuracy"] = 0.5
    record.write_text(json.dumps(found))
    differs = run("eval", "--model", weights)
    assert differs.returncode == 1 and "test_accuracy is" in differs.stderr


def a_full_disk_keeps_the_old_model(folder):
    if not IS_ROOT:
        raise Skip("mounts need root")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True).returncode:
        raise Skip("no tmpfs here")
    try:
        weights, record = model(folder)
        before = weights.read_bytes(), record.read_bytes()
        disk = os.statvfs(folder)
        (folder / "fill").write_bytes(bytes(disk.f_bavail * disk.f_frsize - len(before[0]) // 2))
        with tempfile.TemporaryDirectory() as elsewhere:
            losses = Path(elsewhere, "losses.csv")
            full = run(*TINY, "--seed", "5", "--save", "model", "--losses", losses, cwd=folder)
            assert losses.read_text().startswith("step,loss")
        assert full.returncode == 1 and "No space" in full.stderr, full.stderr
        assert json.loads(full.stdout)["seed"] == 5
        assert (weights.read_bytes(), record.read_bytes()) == before
        left = {path.name for path in folder.iterdir()}
        assert left == {"fill", "model.bpk", "model.json"}, left
    finally:
        subprocess.run(["umount", folder])


def what_stands_in_the_place_of_a_record_fails_its_run_alone(folder):
    done(run(*SWEEP, "--out", "store", cwd=folder))
    records = sorted((folder / "store/runs").glob("*.json"))
    records[0].unlink()
    os.symlink("nowhere", records[0])
    records[1].write_text("{}")
    records[2].unlink()
    os.mkfifo(records[2])
    again = run(*SWEEP, "--out", "store", cwd=folder)
    assert again.returncode == 1 and "incomplete: 3 of 4 done, 1 failed" in again.stdout, again
    assert records[1].name.removesuffix(".json") in again.stderr, again.stderr


def records_that_contradict_themselves_are_put_aside(folder):
    done(run(*SWEEP, "--out", "store", cwd=folder))
    record = min((folder / "store/runs").glob("*.json"))
    text = record.read_text()
    for values in ({"test_accuracy": 8.1}, {"history": []}, {"steps": 0}, {"data_sha256": "junk"},
                   {"device": "cuda"}, {"epochs": 10}, {"outcome": "diverged"}):
        content = json.loads(text)
        content.update(values)
        record.write_text(json.dumps(content))
        told = run("report", "store", "--out", "report", cwd=folder)
        assert told.returncode == 1 and record.stem in told.stderr, (values, told)
        again = done(run(*SWEEP, "--out", "store", cwd=folder))
        assert record.stem in again.stderr, (values, again)
    assert len(list(record.parent.glob("*.damaged-*"))) == 7


def numbers_are_bounded_before_they_are_used(folder):
    for option, value in (("--depth", "1000000"), ("--width", "100000"), ("--batch-size", "1000000000"),
                          ("--epochs", "1000000000000000000"), ("--seeds", "1000000000"),
                          ("--population", "1000000000"), ("--jobs", "1000000000"), ("--settings", "1000000000")):
        refused(2, option.lstrip("-").split("-")[0], value, arguments=["sweep", option, value], cwd=folder)
    refused(2, arguments=["sweep", "--dry-run", "--settings", "10000", "--seeds", "1000"], cwd=folder)
    weights, record = model(folder)
    text = record.read_text()
    for values in ({"width": 99999}, {"depth": 1_000_000}, {"width": 20000}):
        record.write_text(text)
        change(record, **values)
        refused(1, "model", arguments=["eval", "--model", weights])
    done(run(*SWEEP, "--out", "store", cwd=folder))
    manifest = folder / "store/manifest.json"
    text = manifest.read_text()
    for settings in (4611686018427387904, 10**9):
        manifest.write_text(text.replace('"settings": 2', f'"settings": {settings}'))
        refused(1, "settings", arguments=["report", "store"], cwd=folder)


def special_files_are_not_read(folder):
    os.mkfifo(folder / "fifo")
    for path in ("fifo", "/dev/zero"):
        refused(1, path, "regular file", arguments=["sweep", "--config", path], cwd=folder)
        refused(1, path, arguments=[*TINY, "--data", path], cwd=folder)
        store = folder / f"store-{len(path)}"
        (store / "runs").mkdir(parents=True)
        os.symlink(os.path.join(folder, path), store / "manifest.json")
        refused(1, "manifest.json", arguments=["report", store], cwd=folder)
        for name in ("model.json", "model.bpk"):
            weights, record = model(folder)
            os.remove(folder / name)
            os.symlink(os.path.join(folder, path), folder / name)
            refused(1, name, arguments=["eval", "--model", "model"], cwd=folder)
            os.remove(folder / name)
    (folder / "locked/runs").mkdir(parents=True)
    os.mkfifo(folder / "locked/.lock")
    refused(1, ".lock", "regular file", arguments=[*SWEEP, "--out", "locked"], cwd=folder)


def little_that_unpacks_to_much_is_refused(folder):
    images = struct.pack(">4I", 2051, 1_000_000, 28, 28)
    labels = struct.pack(">2I", 2049, 1_000_000) + bytes(1_000_000)
    for name, content, zeros in (("train-images-idx3", images, 784_000_000), ("train-labels-idx1", labels, 0),
                                 ("t10k-images-idx3", images, 784_000_000), ("t10k-labels-idx1", labels, 0)):
        with gzip.open(folder / f"{name}-ubyte.gz", "wb", compresslevel=9) as file:
            file.write(content)
            for _ in range(zeros // 1_000_000):
                file.write(bytes(1_000_000))
    refused(1, "unpacks to more than 100 times", arguments=["data", "--data", folder])
    store = folder / "store.jsonl.gz"
    with gzip.open(store, "wb") as file:
        for _ in range(300):
            file.write(b"{}\n" * 1_000_000)
    refused(1, "store.jsonl.gz", arguments=["report", store], cwd=folder)


def without_threads_fewer_jobs_go(folder):
    if not IS_ROOT or subprocess.run(["setpriv", "--version"], capture_output=True).returncode:
        raise Skip("needs root and setpriv, as root has no limit of processes")
    folder.chmod(0o777)
    program = folder / "luminosity"
    program.write_bytes(Path(PROGRAM).read_bytes())
    program.chmod(0o755)
    for most in (3, 4, 5):
        line = f'ulimit -u {most}; exec "$@"'
        swept = subprocess.run(["setpriv", "--reuid=61234", "--regid=61234", "--clear-groups", "bash", "-c", line, "bash",
                                program, *SWEEP, "--jobs", "4", "--out", folder / f"store-{most}"],
                               capture_output=True, text=True, cwd=folder, timeout=60)
        assert "panicked" not in swept.stderr and swept.returncode == 0, (most, swept.stdout, swept.stderr)


def too_little_memory_is_said_before_training(folder):
    for limit, jobs in ((200_000, 64), (500_000, 64), (1_000_000, 64)):
        told = run(*SWEEP[:-4], "--epochs", "1", "--width", "100", "--seeds", "32", "--jobs", jobs, "--out", "store",
                   shell=f'ulimit -v {limit}; exec "$@"', cwd=folder)
        assert told.returncode == 1 and "enough for" in told.stderr, (limit, told)
        enough = told.stderr.split("enough for ")[1].split()[0]
        done(run(*SWEEP, "--jobs", enough, "--out", f"enough-{limit}",
                 shell=f'ulimit -v {limit}; exec "$@"', cwd=folder))
    told = run("train", "--condition", "inorm", "--steps", "3", "--width", "5000",
               shell='ulimit -v 200000; exec "$@"', cwd=folder)
    assert told.returncode == 1 and "enough for 0" in told.stderr, told


def outputs_of_two_networks_do_not_mix(folder):
    for depth in (2, 1):
        done(run(*TINY, "--depth", depth, "--dump", "arrays", cwd=folder))
    names = sorted(path.name for path in (folder / "arrays").iterdir())
    assert names and not any(".1" in name for name in names), names
    done(run("train", "--network", "rnn", "--condition", "none", "--steps", "3", "--dump", "arrays", cwd=folder))
    names = sorted(path.name for path in (folder / "arrays").iterdir())
    assert names and not any("pre_activation" in name for name in names), names
    for name, seed in (("model", 0), ("model.safetensors", 1)):
        done(run(*TINY, "--seed", seed, "--save", name, cwd=folder))
    done(run("eval", "--model", "model", cwd=folder))
    refused(1, "SHA-256", arguments=["eval", "--model", "model.bpk"], cwd=folder)


def what_is_odd_is_one_line_of_the_right_kind(folder):
    for code, arguments in (
        (2, [*SWEEP, "--lambdas", "1e-300"]), (2, [*SWEEP, "--epsilons", "0,-0"]), (2, [*SWEEP, "--jobs", "0"]),
        (2, [*SWEEP, "--conditions", "none", "--lambdas", "nan"]),
        (2, [*SWEEP, "--conditions", "none", "--lambdas", "0.1"]), (2, [*SWEEP, "--seed", str(2**64 - 1)]),
        (2, [*TINY, "--save", "a", "--losses", "a.json"]), (2, [*TINY, "--save", "a", "--losses", "./a.bpk"]),
        (2, [*TINY, "--save", "a", "--dump", "a.json"]), (2, [*TINY, "--dump", "a", "--losses", "a"]),
        (1, ["train", "--condition", "inorm", "--steps", "3", "--width", "20000", "--depth", "64"]),
        (2, [*TINY, "--epsilon", "nan"]), (2, [*TINY, "--lr", "-1"]), (2, [*TINY, "--save", ".."]),
        (2, [*TINY, "--save", "/"]), (2, [*TINY, "--network", "conv", "--option", "kernel=3,kernel=5"]),
        (2, ["sweep", "--conditions", ""]), (2, ["sweep", "--conditions", "none,none"]), (2, ["train"]),
        (2, [*TINY, "--network", "perceptron"]), (1, ["report", "no\nstore"]), (1, ["report", "no\u2028\x1bstore"]),
        (1, ["eval", "--model", "no\nmodel"]), (1, [*TINY, "--data", "no\ndata"]),
    ):
        refused(code, arguments=arguments, cwd=folder)
    for arguments in (["--help"], ["sweep", "--help"], ["--version"], TINY):
        full = run(*arguments, shell='exec "$@" >/dev/full', cwd=folder)
        assert full.returncode == 1 and "standard output" in full.stderr, (arguments, full)
    done(run(*SWEEP, "--out", "store", cwd=folder))
    for record in (folder / "store/runs").glob("*.json"):
        record.unlink()
    refused(1, "a report needs one", arguments=["report", "store"], cwd=folder)
    os.symlink("store/manifest.json", folder / "link.gz")
    for store, packed, where in (("store", "store/manifest.json", folder), (".", "manifest.json", folder / "store"),
                                 ("..", "x.json", folder / "store/runs"), ("store", "link.gz", folder)):
        refused(1, "in the folder of the store", arguments=["pack", store, packed], cwd=where)
    (folder / "sweep.toml").write_text('conditions = ["none"]\nlambdas = [0.1]\n')
    refused(2, "lambdas is 0.1", arguments=["sweep", "--config", "sweep.toml"], cwd=folder)
    for words, option, value in (("a whole number of at least 0", "--seed", "-1"), ("a number", "--lr", "x"),
                                 ("1e-30 to 1.0", "--epsilon", "1e-40"), ("at most 200000", "--settings", "9999")):
        arguments = ["sweep", "--conditions", "inorm", "--lambdas", "0.1,0.2,0.3,0.4,0.5", "--seeds", "9", option, value]
        refused(2, words, arguments=arguments, cwd=folder)


def a_store_takes_no_other_data_or_device_and_tells_other_machines(folder):
    done(run(*SWEEP, "--out", "store", cwd=folder))
    record = min((folder / "store/runs").glob("*.json"))
    text = record.read_text()
    changed = json.loads(text)
    changed["timing"]["machine"] = "a foreign one, 3 cores"
    changed["version"] = "0.0.9"
    record.write_text(json.dumps(changed))
    again = done(run(*SWEEP, "--out", "store", cwd=folder))
    assert "a foreign one" in again.stderr, again.stderr
    told = done(run("report", "store", "--out", "report", cwd=folder))
    assert "a foreign one" in told.stderr and "0.0.9" in told.stderr, told.stderr
    manifest = folder / "store/manifest.json"
    text = manifest.read_text()
    for name, value in (("data_sha256", "0" * 64), ("device", "ndarray"), ("numerics", 1)):
        found = json.loads(text)
        assert name in found["asked"], name
        found["asked"][name] = value
        manifest.write_text(json.dumps(found))
        refused(1, name, "another folder", arguments=[*SWEEP, "--extend", "--out", "store"], cwd=folder)


def main():
    attacks = [f for f in globals().values() if callable(f) and getattr(f, "__code__", None)
               and f.__code__.co_varnames[:1] == ("folder",) and f.__name__ != "model"]
    chosen = [f for f in attacks if not sys.argv[2:] or f.__name__ in sys.argv[2:]]
    failed = 0
    for attack in chosen:
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            try:
                attack(Path(folder))
                state = "ok"
            except Skip as reason:
                state = f"skipped: {reason}"
            except Exception as error:
                failed += 1
                state = f"FAILED: {type(error).__name__} {error}"
        print(f"{attack.__name__.replace('_', ' ')}: {state} ({time.monotonic() - began:.1f} s)", flush=True)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
