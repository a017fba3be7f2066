"""Times Fovea and PyTorch in turn, on the same inputs and threads.

    python bench/run.py [--threads 2] [--pairs 15] [--only gemm,vit,train,mae] [--simd avx2]

It needs torch, timm and transformers (testdata/gen/requirements.txt) and Go. It prints a Markdown table with:

- minimum and median of each side
- the ratio of the medians (below 1, Fovea is faster), with the spread of the ratios of pairs
- for matrix products: the share of the peak, that is, of a loop of fused multiply-adds on registers in the same run
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time

from ours import Worker

GEMMS = [(1024, 1024, 1024), (197, 768, 768), (197, 768, 3072), (197, 3072, 768)]


def torch_case(case, threads):
    """Returns a function that runs a case once in PyTorch."""
    import torch

    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("highest")
    torch.manual_seed(1)
    name, *args = case.split(":")
    if name.startswith("gemm"):
        m, k, n = map(int, args)
        a, b = torch.randn(m, k), torch.randn(n, k)
        c = torch.empty(m, n)
        bt = b.t()
        return lambda: torch.mm(a, bt, out=c)
    if name == "mae":
        from transformers import ViTMAEConfig, ViTMAEForPreTraining

        model = ViTMAEForPreTraining(ViTMAEConfig(norm_pix_loss=True)).train()
        x = torch.randn(int(args[0]), 3, 224, 224)
        return torch_step(model, lambda: model(x).loss)
    import timm

    model = timm.create_model({"tiny": "vit_tiny_patch16_224", "small": "vit_small_patch16_224",
                               "base": "vit_base_patch16_224"}[args[0]])
    x = torch.randn(int(args[1]), 3, 224, 224)
    if name == "vit":
        model.eval()

        def infer():
            with torch.inference_mode():
                model(x)
        return infer
    model.train()
    labels = torch.zeros(x.shape[0], dtype=torch.long)
    return torch_step(model, lambda: torch.nn.functional.cross_entropy(model(x), labels))


def torch_step(model, loss):
    import torch

    opt = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.05)

    def step():
        loss().backward()
        opt.step()
        opt.zero_grad()
    return step


def measure(case, threads, pairs, simd, flat):
    ours = Worker("worker", simd)
    ours.ask(f"prepare {case} {threads}")
    peer = torch_case(case, threads)
    warm = 3
    calls = 1
    for i in range(warm):
        t = float(ours.ask("run 1"))
        peer()
    if t < 20:  # repeat a short case within a pair
        calls = max(3, min(50, int(40 / max(t, 0.05))))
    a, b, peaks = [], [], []
    gemm = case.startswith("gemm")
    for i in range(pairs):
        if gemm:
            peaks.append(float(ours.ask(f"peak {threads}")))
        a.append(float(ours.ask(f"run {calls}")))
        times = []
        for _ in range(calls):
            start = time.perf_counter()
            peer()
            times.append((time.perf_counter() - start) * 1e3)
        b.append(min(times))
    ratios = sorted(x / y for x, y in zip(a, b))
    row = {"case": case, "threads": threads, "ours": (min(a), statistics.median(a)), "peer": (min(b), statistics.median(b)),
           "ratio": statistics.median(a) / statistics.median(b), "spread": (ratios[len(ratios) // 10], ratios[-1 - len(ratios) // 10])}
    if gemm:
        m, k, n = map(int, case.split(":")[1:])
        flop = 2e-6 * m * n * k
        row["gflops"] = (flop / min(a), flop / min(b), max(peaks))
    else:
        row["allocated"] = float(ours.ask("allocated"))
        row["memory"] = float(ours.ask("memory"))
        if flat and not case.startswith("vit"):
            ours.close()
            ours = Worker("worker", simd)
            model, *rest = case.removeprefix("train:").split(":")
            early, late = map(float, ours.ask(f"loop {model} {rest[-1]} {flat}").split())
            row["grown"], row["flat"] = late - early, flat
    ours.close()
    return row


def report(row):
    ours, peer = row["ours"], row["peer"]
    notes = ""
    if "gflops" in row:
        g, p, peak = row["gflops"]
        notes = f"{g:.0f} against {p:.0f} GFLOP/s; {100 * g / peak:.0f} % and {100 * p / peak:.0f} % of {peak:.0f}"
    else:
        notes = f"{row['allocated'] / 1e3:.0f} kB allocated; {row['memory']:.0f} MB at most"
        if "peer_memory" in row:
            notes += f" against {row['peer_memory']:.0f}"
        if "grown" in row:
            notes += f"; {row['grown']:+.1f} MB from step 10 to {row['flat']} of the training loop"
    print(f"| {row['case']} | {row['threads']} | {ours[0]:.2f} / {ours[1]:.2f} | {peer[0]:.2f} / {peer[1]:.2f} | "
          f"{row['ratio']:.2f} ({row['spread'][0]:.2f}..{row['spread'][1]:.2f}) | {notes} |", flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--pairs", type=int, default=15)
    p.add_argument("--only", default="gemm,vit,train,mae")
    p.add_argument("--simd", default="", help="force our instruction set: avx2, avx512, generic")
    p.add_argument("--flat", type=int, default=0, help="train for this many steps and print the growth of the peak memory")
    p.add_argument("--case", help="run one case in this process and print JSON (for its own peak memory)")
    o = p.parse_args()
    if o.case:
        one(o)
        return
    import timm
    import torch
    import transformers

    w = Worker("worker", o.simd)
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.processor())
    print(f"{cpu}; ours {w.ask('info')}; torch {torch.__version__}, timm {timm.__version__}, transformers {transformers.__version__}\n")
    w.close()
    print("| case | threads | ours, ms min / median | PyTorch, ms min / median | ratio of medians (10..90 %) | notes |")
    print("|---|---|---|---|---|---|", flush=True)
    cases = []
    for kind in o.only.split(","):
        if kind == "gemm":
            for m, k, n in GEMMS:
                for threads in sorted({1, o.threads}):
                    cases += [(f"gemm:{m}:{k}:{n}", threads), (f"gemmpacked:{m}:{k}:{n}", threads)]
        elif kind == "vit":
            cases += [("vit:base:1", o.threads), ("vit:base:8", o.threads)]
        elif kind == "train":
            cases += [("train:tiny:8", o.threads), ("train:base:8", o.threads)]
        elif kind == "mae":
            cases += [("mae:8", o.threads)]
        else:
            cases += [(kind, o.threads)]
    scaling = {}
    for case, threads in cases:
        # Each case runs in a new process, so that its peak memory is its own.
        out = subprocess.run([sys.executable, os.path.abspath(__file__), "--case", case, "--threads", str(threads),
                              "--pairs", str(o.pairs), "--simd", o.simd, "--flat", str(o.flat)],
                             check=True, stdout=subprocess.PIPE, text=True).stdout
        row = json.loads(out.strip().splitlines()[-1])
        report(row)
        if "gflops" in row:
            scaling.setdefault(case, {})[threads] = row["gflops"]
    for case, by in scaling.items():
        if len(by) == 2:
            (g1, _, p1), (g2, _, p2) = by[1], by[o.threads]
            print(f"\n{case}: {o.threads} threads are {g2 / g1:.2f} times one, the FMA loop {p2 / p1:.2f}: {g2 / g1 / (p2 / p1):.2f} of its scaling",
                  end="")
    print()


def one(o):
    row = measure(o.case, o.threads, o.pairs, o.simd, o.flat)
    row["peer_memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps(row))


main()
