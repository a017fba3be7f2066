"""Times Fovea and its peers in turn, on the same inputs and threads. bench/run makes the Python for it and starts it.

    bench/run                            everything, into bench/results/CPU.md; hours on two cores
    bench/run --only vit,text --math bf16 --threads 2 --pairs 5
    bench/run --only vit:base:1@int8     one case
    bench/run --only train --against main~20,v0.3.0    other commits of Fovea in place of the peers
    bench/run --simd avx2                our instruction set forced; PyTorch, oneDNN and MKL limited alike

peers.py lists the engines and how they compute in each arithmetic. An engine that cannot run a case is left out; standard error
says why. report.py describes the table.

How a case is measured:

- Each engine runs in a process of its own, prepared with the same sizes. A pair runs every engine once, in random order.
- Before each run is a pause (--pause). Threads of the engine that ran before spin for a while, 10 ms in PyTorch and up to 60 in
  ONNX Runtime, and would take the cores of the next.
- The price is that threads sleep when a run begins. So a case of under half a second runs twice or more in a row, and the
  shortest run counts, with threads awake, as those of a busy server are. With --first the first run counts alone, as after a
  request to an idle server: each engine pays to wake its threads, and on a virtual machine the host to wake a core.

Rows are kept in out/bench until the program, the peers or the settings change. So a run that was interrupted continues, and a
table can be measured in parts.
"""

import argparse
import contextlib
import functools
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

import cases
import report
from ours import Failed, Peer, Worker, build, root


def start(case, threads, o):
    """Returns the processes that run the case, ours first."""
    ours = Worker("worker", o.simd)
    ours.ask(f"prepare {case} {threads}")
    processes = {"ours": ours}
    for name in o.against or cases.engines(case):
        peer = Worker("worker", o.simd, name) if o.against else Peer(name, o.simd)
        try:
            peer.ask(f"prepare {case} {threads}")
            peer.ask("run 1")
            processes[name] = peer
        except Failed as e:
            print(f"{case}: left out: {e}", file=sys.stderr)
            peer.close()
    return processes


def measure(case, threads, o):
    """Returns a row: times in milliseconds, memory in MB, allocated in bytes, and the limit in GB/s or GFLOP/s."""
    processes = start(case, threads, o)
    ours, math = processes["ours"], cases.split(case)[2]
    limit = f"read {threads}" if cases.weights(case) else f"peak {threads} {math}"
    warm = min(float(ours.ask("run 1")) for _ in range(3))
    for p in processes.values():
        p.ask("run 2")
    calls = 1 if o.first or warm >= 500 else max(2, min(50, int(40 / max(warm, 0.05))))
    times, limits = {name: [] for name in processes}, []
    for pair in range(o.pairs):
        limits.append(float(ours.ask(limit)))
        order = random.Random(pair).sample(list(processes.items()), len(processes))  # so that none always follows the same other
        for name, p in order:
            time.sleep(o.pause)
            times[name].append(round(float(p.ask(f"run {calls}")), 4))
    row = {"case": case, "threads": threads, "times": times, "limit": max(limits),
           "allocated": float(ours.ask("allocated")), "memory": {name: float(p.ask("memory")) for name, p in processes.items()}}
    row["kernels"] = {name: p.ask("precision") for name, p in processes.items() if isinstance(p, Peer)}
    row["kernels"]["ours"] = ours.ask(f"kernel {math}")
    for p in processes.values():
        p.close()
    row["operations"] = cases.operations(cases.split(case)[0])
    return row


class Rows:
    """The rows measured by this program with these peers and settings, in a file of out/bench."""

    def __init__(self, machine, o):
        with open(build("worker"), "rb") as f:
            key = hashlib.sha256(f.read())
        key.update(json.dumps([machine["cpu"], machine["versions"], o.pairs, o.pause, o.first, o.simd, o.against]).encode())
        self.file = os.path.join(root, "out", "bench", key.hexdigest()[:16] + ".json")
        self.rows = {}
        with contextlib.suppress(FileNotFoundError), open(self.file) as f:
            self.rows = {(r["case"], r["threads"]): r for r in json.load(f)}

    def add(self, row):
        self.rows[row["case"], row["threads"]] = row
        os.makedirs(os.path.dirname(self.file), exist_ok=True)
        with open(self.file + ".new", "w") as f:
            json.dump(list(self.rows.values()), f)
        os.replace(self.file + ".new", self.file)

    def ordered(self):
        """Returns the rows in the order of cases.KINDS, others last."""
        order = cases.selected(",".join(cases.KINDS), cases.MATHS)
        place = {case: i for i, case in enumerate(order)}
        return sorted(self.rows.values(), key=lambda r: (place.get(r["case"], len(place)), r["case"], r["threads"]))


@functools.cache
def limits(threads, simd):
    """Returns what this machine reaches: GFLOP/s in each arithmetic and GB/s, best of three."""
    w = Worker("worker", simd)
    best = {math: max(float(w.ask(f"peak {threads} {math}")) for _ in range(3)) for math in cases.MATHS}
    best["read"] = max(float(w.ask(f"read {threads}")) for _ in range(3))
    w.close()
    return best


def growth(case, steps, simd):
    """Returns a line about the growth of the peak memory in a training loop."""
    kind, *args = case.split(":")
    w = Worker("worker", simd)
    early, late = map(float, w.ask(f"loop {args[0] if kind == 'train' else kind} {args[-1]} {steps}").split())
    w.close()
    return f"{case}: {late - early:+.1f} MB from step 10 to {steps} of the training loop"


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--threads", default="1,2", help="numbers of threads (%(default)s)")
    p.add_argument("--pairs", type=int, default=15)
    p.add_argument("--pause", type=float, default=0.1, help="seconds before each run (%(default)s)")
    p.add_argument("--first", action="store_true", help="time the first run after the pause alone")
    p.add_argument("--only", help=f"kinds ({', '.join(cases.KINDS)}), or cases such as conv:64:64:3:1:1:56:56@bf16")
    p.add_argument("--math", help="arithmetics of cases without a suffix: strict, accurate, bf16, int8; all but accurate, which needs AMX")
    p.add_argument("--simd", default="", help="force our instruction set: amx, avx512, avx2, generic; avx2 limits PyTorch too")
    p.add_argument("--against", default="", help="commits of Fovea to time in place of the peers")
    p.add_argument("--flat", type=int, default=0, help="train for this many steps and print the growth of the peak memory")
    p.add_argument("--out", help="the file for the table; bench/results/CPU.md when everything is measured, else none")
    o = p.parse_args()
    if o.against:  # hashes, because names move
        short = ["git", "rev-parse", "--short", "--verify"]
        o.against = [subprocess.run([*short, c], cwd=root, check=True, capture_output=True, text=True).stdout.strip() for c in o.against.split(",")]
    return o


def main():
    o = options()
    machine = report.machine(o)
    out = o.out
    if not out and not (o.only or o.math or o.against):
        out = os.path.join(root, "bench", "results", report.name(machine, o) + ".md")
    maths = o.math.split(",") if o.math else [m for m in cases.MATHS if m != "accurate" or "amx_bf16" in machine["flags"]]
    threads = [int(n) for n in o.threads.split(",")]
    chosen = cases.selected(o.only or ",".join(cases.KINDS), maths)
    rows = Rows(machine, o)
    with tempfile.TemporaryDirectory() as files:  # detectors that our side saves, and networks that export.py writes
        os.environ["FOVEA_BENCH_WEIGHTS"] = files
        for i, case in enumerate(chosen):
            for n in threads:
                if (case, n) not in rows.rows:
                    rows.add(measure(case, n, o))
                print(report.line(rows.rows[case, n]), flush=True)
            if not any(cases.split(c)[0] == cases.split(case)[0] for c in chosen[i + 1:]):
                shutil.rmtree(cases.folder(case), ignore_errors=True)
    reached = {n: limits(n, o.simd) for n in threads}
    shown = [r for r in rows.ordered() if out or r["case"] in chosen and r["threads"] in threads]
    text = report.document(machine, reached, shown, o)
    if o.flat:
        trained = [c for c in chosen if cases.split(c)[1] in ("train", "mae") and "@" not in c]
        text += "\n" + "\n\n".join(growth(case, o.flat, o.simd) for case in trained) + "\n"
    print("\n" + text)
    if out:
        os.makedirs(os.path.dirname(os.path.abspath(out)), exist_ok=True)
        with open(out, "w") as f:
            f.write(text)


if __name__ == "__main__":
    main()
