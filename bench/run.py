"""Times Fovea and its peers in turn, on the same inputs and threads.

    python bench/run.py [--threads 2] [--pairs 15] [--only gemm,few,vit,train,mae,conv,net,resnet,detect,lstm,clip,text,finetune] [--simd avx2]

It needs Go and torch, torchvision, timm, transformers and open_clip (testdata/gen/requirements.txt), and times ONNX Runtime (onnxruntime,
onnx, onnxscript) and OpenVINO (openvino) where they are installed. Compiled PyTorch needs a C++ compiler. It prints a Markdown table with:

- minimum and median of each engine, in milliseconds
- the ratio of our median to the best peer's (below 1, Fovea is faster), with the spread of the ratios of pairs
- for products and convolutions: the share of the peak, that is, of a loop of fused multiply-adds on registers in the same run
- for products of few rows: the rate at which they read the weights, beside a loop that only reads as many numbers
- the memory allocated by a run, and the peak memory of both processes
"""

import argparse
import os
import platform
import random
import statistics
import sys
import tempfile
import time

from ours import Failed, Peer, Worker

GEMMS = [(1024, 1024, 1024), (197, 768, 768), (197, 768, 3072), (197, 3072, 768)]

# Steps of decoders, with weights larger than the caches: such products are bound by reading them.
FEW_ROWS = 16
FEW = [(m, 4096, 4096) for m in (1, 2, 4, 8, FEW_ROWS)]

# in:out:kernel:stride:groups:height:width
CONVS = [
    "88:88:3:1:88:88:88", "192:192:3:1:192:22:22", "96:96:3:2:96:44:44", "96:96:5:1:96:22:22",  # depthwise
    "3:24:3:2:1:352:352",  # stem
    "64:64:3:1:1:120:120", "512:512:3:1:1:15:15", "256:64:1:1:1:60:80",
]

KINDS = {
    "gemm": [f"{form}:{m}:{k}:{n}" for m, k, n in GEMMS for form in ("gemm", "gemmpacked")],
    "few": [f"gemmpacked:{m}:{k}:{n}" for m, k, n in FEW],
    "vit": [f"vit:{name}:{batch}" for name in ("small", "base", "dinov2s") for batch in (1, 8)] + ["vit:dinov2s:1:518"],
    "train": ["train:tiny:8", "train:base:8"],
    "mae": ["mae:8"],
    "conv": ["conv:" + c for c in CONVS],
    "net": ["fastestdet", "r50fpn"],
    "resnet": ["resnet18:8"],
    "detect": ["detect:fcos:480x640", "detect:faster_rcnn:480x640", "fcostrain:2:320:320", "nms:100000"],
    "lstm": ["lstm:1024:64:1"],
    "clip": ["clip:image:1", "clip:image:32", "clip:rn50:1", "clip:text:1", "clip:text:10"],
    "text": ["text:minilm:1", "text:minilm:32", "text:bert:1", "text:bert:8"],
    "finetune": ["finetune:bert:8"],
}


# Seconds until the threads of an engine that has run no longer spin: ONNX Runtime's do for 40 to 60 ms, PyTorch's for 10.
PAUSE = 0.1


def flops(case):
    """Returns the floating-point operations of a product or a convolution, or 0."""
    kind, *args = case.split(":")
    if kind.startswith("gemm"):
        m, k, n = map(int, args)
        return 2 * m * k * n
    if kind == "conv":
        channels, out, kernel, stride, groups, h, w = map(int, args)
        return 2 * out * channels // groups * kernel**2 * -(-h // stride) * -(-w // stride)
    return 0


def weights(case):
    """Returns the bytes of the weights of a product of few rows, or 0."""
    kind, *args = case.split(":")
    if kind.startswith("gemm") and int(args[0]) <= FEW_ROWS:
        return 4 * int(args[1]) * int(args[2])
    return 0


def engines(case):
    """Returns the peers that can run a case."""
    kind = case.split(":")[0]
    if kind in ("gemm", "train", "mae", "finetune", "nms"):
        return ["torch"]
    if kind == "vit":
        return ["torch", "compiled", "onnxruntime", "openvino"]
    if kind in ("resnet18", "detect", "fcostrain"):
        return ["torch", "channels-last"]
    if kind in ("gemmpacked", "lstm", "text") or case.startswith("clip:text"):
        return ["torch", "onnxruntime", "openvino"]
    return ["torch", "channels-last", "onnxruntime", "openvino"]


def start(case, threads, simd):
    """Returns the processes that run the case, ours first."""
    ours = Worker("worker", simd)
    ours.ask(f"prepare {case} {threads}")
    processes = {"ours": ours}
    for name in engines(case):
        peer = Peer(name, simd)
        try:
            peer.ask(f"prepare {case} {threads}")
            peer.ask("run 1")
            processes[name] = peer
        except Failed as e:
            print(f"{case}: left out: {e}", file=sys.stderr)
            peer.close()
    return processes


def measure(case, threads, pairs, simd):
    processes = start(case, threads, simd)
    warm = min(float(processes["ours"].ask("run 1")) for _ in range(3))
    for p in processes.values():
        p.ask("run 2")
    calls = 1 if warm >= 20 else max(3, min(50, int(40 / max(warm, 0.05))))  # repeat a short case within a pair
    times, peaks = {name: [] for name in processes}, []
    for pair in range(pairs):
        if weights(case):
            peaks.append(float(processes["ours"].ask(f"read {threads}")))
        elif flops(case):
            peaks.append(float(processes["ours"].ask(f"peak {threads}")))
        order = random.Random(pair).sample(list(processes.items()), len(processes))  # so that none always follows the same other
        for name, p in order:
            time.sleep(PAUSE)
            times[name].append(float(p.ask(f"run {calls}")))
    row = {"case": case, "threads": threads, "times": times, "peak": max(peaks, default=0),
           "allocated": float(processes["ours"].ask("allocated")), "memory": {name: float(p.ask("memory")) for name, p in processes.items()}}
    for p in processes.values():
        p.close()
    return row


def report(row):
    times = row["times"]
    ours = times["ours"]
    peers = {name: t for name, t in times.items() if name != "ours"}
    cells = [f"{name} {min(t):.2f} / {statistics.median(t):.2f}" for name, t in peers.items()]
    ratio = "no peer"
    best = min(peers, key=lambda name: statistics.median(peers[name]), default=None)
    if best:
        ratios = sorted(x / y for x, y in zip(ours, peers[best]))
        tenth = len(ratios) // 10
        ratio = f"{statistics.median(ours) / statistics.median(peers[best]):.2f} ({ratios[tenth]:.2f}..{ratios[-1 - tenth]:.2f}) of {best}"
    notes = f"{row['allocated'] / 1e3:.0f} kB allocated; {row['memory']['ours']:.0f} MB at most"
    if best:
        notes += f" against {row['memory'][best]:.0f}"
    if weights(row["case"]):
        rates = [f"{weights(row['case']) / 1e6 / min(t):.1f}" for t in (ours, *([peers[best]] if best else []))]
        notes = f"weights at {' and '.join(rates)} GB/s, reading alone {row['peak']:.1f}"
    elif row["peak"]:
        rate = flops(row["case"]) / 1e6
        shares = [f"{100 * rate / min(t) / row['peak']:.0f}" for t in (ours, *([peers[best]] if best else []))]
        notes = f"{' and '.join(shares)} % of {row['peak']:.0f} GFLOP/s"
    print(f"| {row['case']} | {row['threads']} | {min(ours):.2f} / {statistics.median(ours):.2f} | {'; '.join(cells)} | {ratio} | {notes} |", flush=True)


def report_growth(case, steps, simd):
    """Prints the growth of the peak memory in a training loop."""
    kind, *args = case.split(":")
    w = Worker("worker", simd)
    early, late = map(float, w.ask(f"loop {args[0] if kind == 'train' else kind} {args[-1]} {steps}").split())
    w.close()
    print(f"\n{case}: {late - early:+.1f} MB from step 10 to {steps} of the training loop", flush=True)


def report_scaling(rows, threads):
    """Prints how products scale with threads, beside the loop of fused multiply-adds."""
    by = {(r["case"], r["threads"]): r for r in rows if r["case"].startswith("gemm") and not weights(r["case"])}
    for (case, n), row in by.items():
        one = by.get((case, 1))
        if n == threads and n > 1 and one:
            gain, peak = min(one["times"]["ours"]) / min(row["times"]["ours"]), row["peak"] / one["peak"]
            print(f"\n{case}: {n} threads are {gain:.2f} times one, the FMA loop {peak:.2f}: {gain / peak:.2f} of its scaling")


def versions():
    import importlib.metadata as m

    names = ("torch", "torchvision", "timm", "transformers", "onnxruntime", "openvino")
    installed = {d.metadata["Name"] for d in m.distributions()}
    return ", ".join(f"{n} {m.version(n)}" for n in names if n in installed)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--pairs", type=int, default=15)
    p.add_argument("--only", default=",".join(KINDS), help="kinds, or cases such as conv:64:64:3:1:1:56:56")
    p.add_argument("--simd", default="", help="force our instruction set: avx2, avx512, generic; avx2 limits PyTorch too")
    p.add_argument("--flat", type=int, default=0, help="train for this many steps and print the growth of the peak memory")
    o = p.parse_args()
    weights = tempfile.TemporaryDirectory()  # detectors are saved here by our side and loaded by the peers
    os.environ["FOVEA_BENCH_WEIGHTS"] = weights.name
    w = Worker("worker", o.simd)
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.processor())
    print(f"{cpu}; ours {w.ask('info')}; {versions()}\n")
    w.close()
    print("| case | threads | ours, ms min / median | peers, ms min / median | ours / best peer, medians (10..90 %) | notes |")
    print("|---|---|---|---|---|---|", flush=True)
    rows, trained = [], []
    for kind in o.only.split(","):
        for case in KINDS.get(kind, [kind]):
            for threads in sorted({1, o.threads}) if case.startswith("gemm") else [o.threads]:
                rows.append(measure(case, threads, o.pairs, o.simd))
                report(rows[-1])
            if kind in ("train", "mae"):
                trained.append(case)
    report_scaling(rows, o.threads)
    if o.flat:
        for case in trained:
            report_growth(case, o.flat, o.simd)


main()
