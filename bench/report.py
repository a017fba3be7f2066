"""Writes the measurements of run.py as Markdown: the machine, its limits, and a table for each arithmetic.

Each row is a case on a number of threads, with the minimum and the median of each engine in milliseconds. Then:

- ratio: our median by that of the best peer, in brackets the tenth and ninetieth percentile of the ratios of pairs. Below 1, Fovea is
  faster
- % of limit: ours and the best peer's, by the minimum. The limit is a loop on registers of the instruction that multiplies in
  this arithmetic, timed in the same run. A product of few rows is bound by reading its weights instead: its limit is a loop that
  only reads. Both shares count the operations of the whole graph. Where cases.one_token is true, Fovea computes 6 to 7 % fewer,
  and the peers compute all of them: our share there is above what our kernels reach, and the ratio includes that gain
- MB: the peak resident memory of our process and of the best peer's
- kB: what a run of ours allocates

A peer's arithmetic is what it reports about itself: the list below a table counts its kernels.
"""

import collections
import importlib.metadata
import os
import platform
import re
import statistics
import subprocess

import cases
from ours import Worker, root

PACKAGES = ("torch", "torchvision", "torchao", "timm", "transformers", "onnxruntime", "openvino", "nncf")
TITLES = {"strict": "float32", "accurate": "accurate: float32 by three parts of bfloat16", "bf16": "bfloat16", "int8": "int8"}
NAMES = {"torch": "PyTorch", "channels-last": "channels-last", "converted": "converted", "compiled": "compiled", "onnxruntime": "ONNX Runtime",
         "openvino": "OpenVINO", "openvino-dynamic": "OpenVINO, dynamic"}
FLAGS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "asimddp", "i8mm", "bf16")

ONE_TOKEN = """Rows of vit, train, clip:image and clip:text: in the last block Fovea computes keys and values of all tokens, and the rest for the
class token or the end token alone, since nothing else is asked for. These are 6 to 7 % fewer operations than in the peers' graphs,
with the same result. The column of the limit counts the whole graph for both."""


def machine(o):
    """Returns what identifies this machine and its programs."""
    fields = {}
    try:
        with open("/proc/cpuinfo") as f:
            for line in f:
                key, _, value = line.partition(":")
                fields.setdefault(key.strip(), value.strip())
    except OSError:
        pass
    cpu = fields.get("model name") or platform.processor() or platform.machine()
    if "cpu family" in fields:
        cpu += f", family {fields['cpu family']}, model {fields['model']}"
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    found = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
    go = subprocess.run(["go", "env", "GOVERSION"], cwd=root, check=True, capture_output=True, text=True).stdout.strip()
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=root, capture_output=True, text=True).stdout.strip()
    w = Worker("worker", o.simd)
    info = w.ask("info")
    kernels = {math: w.ask(f"kernel {math}") for math in cases.MATHS}
    w.close()
    return {"cpu": cpu, "flags": flags, "cores": len(os.sched_getaffinity(0)), "go": go, "commit": commit, "info": info, "kernels": kernels,
            "versions": [f"{n} {found[n]}" for n in PACKAGES if n in found]}


def name(m, o):
    """Returns the name of the machine's file in bench/results: "amd-epyc-25-17", with "-avx2" where that was forced."""
    words = m["cpu"].replace("family ", "").replace("model ", "") + (" " + o.simd if o.simd else "")
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)", "", words.lower())).strip("-")


def best(row):
    """Returns the peer with the least median, or None."""
    peers = {n: t for n, t in row["times"].items() if n != "ours"}
    return min(peers, key=lambda n: statistics.median(peers[n]), default=None)


def number(x):
    """Writes a time with three digits, or all before the point."""
    return f"{x:,.0f}" if x >= 100 else f"{x:.3g}" if x >= 1 else f"{x:.3f}"


def figures(row):
    """Returns the last cells of a row: ratio, share of the limit, MB, kB."""
    times, peer = row["times"], best(row)
    both = ["ours"] + ([peer] if peer else [])
    ratio = "–"
    if peer:
        pairs = sorted(x / y for x, y in zip(times["ours"], times[peer]))
        tenth = len(pairs) // 10
        ratio = f"{statistics.median(times['ours']) / statistics.median(times[peer]):.2f} ({pairs[tenth]:.2f}..{pairs[-1 - tenth]:.2f})"
    work = cases.weights(row["case"]) or row["operations"]
    share = "–"
    if work:  # GB/s or GFLOP/s
        share = " / ".join(f"{100 * work / 1e6 / min(times[n]) / row['limit']:.0f}" for n in both) + (" of reading" if cases.weights(row["case"]) else "")
    return [ratio, share, " / ".join(f"{row['memory'][n]:,.0f}" for n in both), f"{row['allocated'] / 1e3:,.0f}"]


def cell(times):
    return f"{number(min(times))} / {number(statistics.median(times))}" if times else ""


def line(row):
    """Returns a row in one line, for the screen."""
    ratio, share, memory, allocated = figures(row)
    engines = "; ".join(f"{n} {cell(t)}" for n, t in row["times"].items())
    return f"{row['case']}, {row['threads']} threads: {engines}; ratio to {best(row)} {ratio}; % of limit {share}; MB {memory}; kB {allocated}"


def table(rows):
    """Returns the table of one arithmetic, and which kernels ran."""
    present = [n for n in NAMES if any(n in r["times"] for r in rows)]
    present += sorted({n for r in rows for n in r["times"]} - set(present) - {"ours"})  # commits
    head = ["case", "threads", "Fovea", *(NAMES.get(n, n) for n in present), "ratio", "% of limit", "MB", "kB"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for r in rows:
        times = [cell(r["times"].get(n)) for n in ["ours", *present]]
        peer = best(r)
        if peer:
            times[1 + present.index(peer)] = f"**{cell(r['times'][peer])}**"
        lines.append("| " + " | ".join([cases.split(r["case"])[0], str(r["threads"]), *times, *figures(r)]) + " |")
    kernels = collections.defaultdict(dict)  # of the most threads measured
    for r in rows:
        for n, k in r["kernels"].items():
            if n != "ours":
                kernels[n][cases.split(r["case"])[0]] = k
    lines += [""] if kernels else []
    for n in present:
        by = collections.defaultdict(list)
        for case, k in kernels[n].items():
            by[k].append(case)
        lines += [f"- {NAMES.get(n, n)}: " + "; ".join(f"{', '.join(c)}: {k}" for k, c in by.items())] if by else []
    return "\n".join(lines)


def document(m, limits, rows, o):
    """Returns the whole text."""
    maths = [x for x in cases.MATHS if any(cases.split(r["case"])[2] == x for r in rows)]
    text = [f"# {m['cpu']}, {m['cores']} cores", "",
            f"Instructions: {', '.join(f for f in FLAGS if f in m['flags'])}.",
            f"Fovea: {m['commit']}, {m['info']}, {m['go']}. Beside it: {', '.join(o.against or m['versions'])}.", "",
            f"`bench/run` measured {o.pairs} pairs. Times are the minimum and the median in milliseconds. An engine runs after a pause of",
            f"{o.pause} s. " + ("The first run counts, which pays for waking its threads." if o.first else
                                "A case of under half a second then runs twice or more in a row, and the shortest counts, with threads awake."),
            "The best peer is bold. `bench/report.py` explains the columns, `bench/peers.py` the peers.", "",
            "| limit | " + " | ".join(f"{n} thread{'s' * (n > 1)}" for n in limits) + " |", "|---" * (1 + len(limits)) + "|"]
    for x in cases.MATHS:
        text.append(f"| {x}: {m['kernels'][x]}, GFLOP/s | " + " | ".join(f"{l[x]:,.0f}" for l in limits.values()) + " |")
    text.append("| reading memory, GB/s | " + " | ".join(f"{l['read']:.1f}" for l in limits.values()) + " |")
    if any(cases.one_token(r["case"]) for r in rows):
        text += ["", ONE_TOKEN]
    for x in maths:
        text += ["", f"## {TITLES[x]}", "", table([r for r in rows if cases.split(r["case"])[2] == x])]
    return "\n".join(text + scaling(rows)) + "\n"


def scaling(rows):
    """Returns lines about how products scale with threads, beside the loop on registers."""
    by = {(r["case"], r["threads"]): r for r in rows if r["case"].startswith("gemm") and not cases.weights(r["case"])}
    lines = []
    for (case, n), row in by.items():
        one = by.get((case, 1))
        if n > 1 and one:
            gain, peak = min(one["times"]["ours"]) / min(row["times"]["ours"]), row["limit"] / one["limit"]
            lines.append(f"| {case} | {n} | {gain:.2f} | {peak:.2f} | {gain / peak:.2f} |")
    return ["", "## Threads", "", "| product | threads | times one thread | the loop on registers | of its scaling |", "|---|---|---|---|---|", *lines] if lines else []
