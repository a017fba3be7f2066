"""Times a ViT-B/16 from its file to its first logits, beside PyTorch, each run in a fresh process.

    python bench/load.py [--runs 7] [--threads 2] [--types F32,F16,BF16] [--keep DIR]

Needs torch, transformers and safetensors (testdata/gen/requirements.txt) and Go. The file, of random weights, is
made first and read once before, so that the system has it in memory. Prints a Markdown table: the time from the
call that loads to the first logits (imports and the start of the process excluded; the last column has them all),
minimum and median; VmHWM of the process, and its share of the file. Python's is also given without what its
imports take. Runs take turns.

Ours computes in float32 whatever the file's type. PyTorch does so with dtype=float32, which widens as it loads;
with dtype="auto" it computes in the file's type, so its logits differ.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def peak():
    """VmHWM in bytes."""
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) << 10


def peer(how, folder, threads):
    """Loads and runs once; how is pretrained (from_pretrained), or safetensors (load_file into a model without
    weights of its own), and a dtype."""
    import numpy
    import torch
    import transformers
    from safetensors.torch import load_file

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("highest")
    i = numpy.arange(3 * 224 * 224)
    pixels = torch.from_numpy((i * 7919 % 1000).astype(numpy.float32) / 500 - 1).reshape(1, 3, 224, 224)
    way, dtype = how.split(":")
    dtype = dtype if dtype == "auto" else getattr(torch, dtype)
    config = transformers.ViTConfig.from_pretrained(folder)
    architecture = transformers.ViTForImageClassification  # imported here, and not while time is taken
    before = peak()
    start = time.perf_counter()
    if way == "pretrained":
        model = architecture.from_pretrained(folder, dtype=dtype)
    else:
        with torch.device("meta"):
            model = architecture(config)
        weights = load_file(os.path.join(folder, "model.safetensors"))
        if dtype != "auto":
            weights = {k: v.to(dtype) for k, v in weights.items()}
        model.load_state_dict(renamed(weights, model.state_dict()), assign=True)
    model.eval()
    with torch.inference_mode():
        logits = model(pixels.to(next(model.parameters()).dtype)).logits
    took = time.perf_counter() - start
    print(json.dumps({"first": 1e3 * took, "peak": peak(), "base": before, "logits": logits[0, :3].float().tolist()}))


def renamed(weights, wanted):
    """The names on disk as those of the model in memory, which newer transformers names otherwise."""
    if set(weights) == set(wanted):
        return weights
    out = {}
    for name, value in weights.items():
        for a, b in [("vit.encoder.layer.", "vit.layers."), (".attention.attention.query.", ".attention.q_proj."),
                     (".attention.attention.key.", ".attention.k_proj."),
                     (".attention.attention.value.", ".attention.v_proj."),
                     (".attention.output.dense.", ".attention.o_proj."),
                     (".intermediate.dense.", ".mlp.fc1."), (".output.dense.", ".mlp.fc2.")]:
            name = name.replace(a, b)
        out[name] = value
    return out


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--runs", type=int, default=7)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--types", default="F32,F16")
    p.add_argument("--keep", help="a folder for the files, to be used again")
    p.add_argument("--peer", help="one run of PyTorch in this process, answered as JSON")
    p.add_argument("--folder")
    o = p.parse_args()
    if o.peer:
        peer(o.peer, o.folder, o.threads)
        return
    import torch
    import transformers

    with tempfile.TemporaryDirectory() as scratch:
        binary = os.path.join(scratch, "load")
        subprocess.run(["go", "build", "-o", binary, "./bench/load"], cwd=root, check=True)
        cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.processor())
        print(f"{cpu}, {o.threads} threads; torch {torch.__version__}, transformers {transformers.__version__}\n")
        print("| file | | to the first logits, ms min / median | VmHWM, MB | of the file | process, s |")
        print("|---|---|---|---|---|---|", flush=True)
        for kind in o.types.split(","):
            folder = os.path.join(o.keep or scratch, "vit-" + kind.lower())
            path = os.path.join(folder, "model.safetensors")
            if not os.path.exists(path):
                subprocess.run([binary, "make", folder, kind], check=True)
            with open(path, "rb") as f:
                while f.read(1 << 24):
                    pass
            table(kind, folder, os.path.getsize(path), binary, o)


def table(kind, folder, size, binary, o):
    """Runs every way in turn and prints a row each."""
    python = [sys.executable, os.path.abspath(__file__), "--threads", str(o.threads), "--folder", folder, "--peer"]
    ours = [binary, "run", folder, "-threads", str(o.threads)]
    ways = {"Fovea": ours, "Fovea, file read, not mapped": ours + ["-unmapped"]}
    if kind != "F32":
        ways["Fovea, widened at load"] = ours + ["-widen"]
    ways["transformers from_pretrained, float32"] = python + ["pretrained:float32"]
    ways["safetensors load_file, float32"] = python + ["safetensors:float32"]
    if kind != "F32":
        ways[f"transformers from_pretrained, {kind}"] = python + ["pretrained:auto"]
    results = {name: [] for name in ways}
    for _ in range(o.runs):
        for name, command in ways.items():
            start = time.perf_counter()
            r = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
            results[name].append(dict(r, process=time.perf_counter() - start))
    want = results["Fovea"][0]["logits"]
    for name, rows in results.items():
        first = [r["first"] for r in rows]
        high = max(r["peak"] for r in rows)
        share = f"{high / size:.2f}"
        if "base" in rows[0]:
            share += f" ({(high - rows[0]['base']) / size:.2f} without imports)"
        off = max(abs(a - b) for r in rows for a, b in zip(r["logits"], want))
        if off > 1e-4:
            name += f" (logits differ by {off:.1g})"
        print(f"| {kind}, {size / 1e6:.0f} MB | {name} | {min(first):.0f} / {statistics.median(first):.0f} | {high / 1e6:.0f} | {share} | "
              f"{statistics.median(r['process'] for r in rows):.1f} |", flush=True)


main()
