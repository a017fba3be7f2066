"""Times a ViT-B/16 from its file to its first logits, in Fovea and PyTorch. Each run is a new process.

    python bench/load.py [--runs 7] [--threads 2] [--types F32,F16,BF16] [--keep DIR]

It needs torch, transformers and safetensors (testdata/gen/requirements.txt) and Go. It writes a file of random weights
and reads it once, so that the file is in the page cache. Fovea and PyTorch run in turn. It prints a Markdown table with:

- the time from the call that loads to the first logits, without imports and the start of the process: minimum, median
- the peak memory of the process (VmHWM), and its ratio to the file size; for Python also without its imports
- the time of the whole process

Fovea computes in float32 for every type of file. PyTorch does the same with dtype=float32, which converts the weights.
With dtype="auto" it computes in the file's type, so its logits differ.
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

from resident import peak

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def peer(how, folder, threads):
    """Loads and runs the model once in PyTorch. how is WAY:DTYPE. WAY is pretrained (from_pretrained), or safetensors
    (load_file into a model on the meta device)."""
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
    architecture = transformers.ViTForImageClassification  # import it before the time starts
    before = 1e6 * peak()
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
    print(json.dumps({"first": 1e3 * took, "peak": 1e6 * peak(), "base": before, "logits": logits[0, :3].float().tolist()}))


def renamed(weights, wanted):
    """Renames weights on disk to the names of the model in memory, which differ in newer transformers."""
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
    p.add_argument("--keep", help="keep the files in this folder and use them again")
    p.add_argument("--peer", help="run PyTorch once in this process and print JSON")
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
    """Runs all ways in turn and prints a row for each."""
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
