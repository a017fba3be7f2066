"""Times a zero-shot classification with CLIP ViT-B/32 from the start of the process, in Fovea and transformers.

    python bench/zeroshot.py [--runs 7] [--threads 2] [--keep DIR]

It needs torch, transformers and open_clip (testdata/gen/requirements.txt) and Go. It writes a folder of random weights with
the vocabulary of CLIP, and reads the weights once, so that they are in the page cache. Then examples/zeroshot and a Python
script label one image with three texts, in turn. Each run is a new process. It prints a Markdown table with:

- the time from the start of the process to its end, which follows the answer: minimum, median
- the CPU time, of all threads
- the peak resident memory of the process
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
TEXTS = ["a photo of a cat", "a photo of a dog", "a photo of a bird"]
PHOTO = os.path.join(root, "vision", "testdata", "decode", "420.jpg")


def peer(folder, threads):
    """Prints the probabilities in transformers."""
    import torch
    from PIL import Image
    from transformers import CLIPModel, CLIPProcessor

    torch.set_num_threads(threads)
    model, processor = CLIPModel.from_pretrained(folder), CLIPProcessor.from_pretrained(folder)
    inputs = processor(text=TEXTS, images=Image.open(PHOTO), return_tensors="pt", padding=True)
    with torch.inference_mode():
        print(json.dumps({"probs": model(**inputs).logits_per_image.softmax(-1).tolist()}))


def make(folder):
    """Writes a CLIP B/32 of random weights."""
    import torch
    from open_clip.tokenizer import SimpleTokenizer
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

    os.makedirs(folder, exist_ok=True)
    t = SimpleTokenizer()
    names = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    vocabulary = {names.get(token, token): i for token, i in t.encoder.items()}
    CLIPTokenizer(vocab=vocabulary, merges=sorted(t.bpe_ranks, key=t.bpe_ranks.get), model_max_length=77).save_pretrained(folder)
    CLIPImageProcessor().save_pretrained(folder)
    torch.manual_seed(1)
    CLIPModel(CLIPConfig()).save_pretrained(folder)


def measure(command):
    """Returns the seconds, the CPU seconds, the peak memory in MB, and the probabilities."""
    start = time.perf_counter()
    p = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    answer = p.stdout.read()
    _, status, usage = os.wait4(p.pid, 0)
    took = time.perf_counter() - start
    if status != 0:
        raise SystemExit(f"{command[0]}: status {status}")
    return took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6, json.loads(answer)["probs"][0]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--runs", type=int, default=7)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--keep", help="keep the folder of the model here and use it again")
    p.add_argument("--peer", help="run transformers once in this process, with this folder")
    p.add_argument("--make", help="write the model to this folder")
    o = p.parse_args()
    if o.peer:
        peer(o.peer, o.threads)
        return
    if o.make:
        make(o.make)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder, binary = o.keep or os.path.join(scratch, "clip"), os.path.join(scratch, "zeroshot")
        if not os.path.exists(os.path.join(folder, "model.safetensors")):
            # In a process of its own: a new process is charged with the memory of the one that starts it.
            subprocess.run([sys.executable, os.path.abspath(__file__), "--make", folder], check=True, stderr=subprocess.DEVNULL)
        subprocess.run(["go", "build", "-o", binary, "./examples/zeroshot"], cwd=root, check=True)
        with open(os.path.join(folder, "model.safetensors"), "rb") as f:
            while f.read(1 << 24):
                pass
        ways = {
            "Fovea": [binary, "-model", folder, "-threads", str(o.threads), "-json", "-image", PHOTO, *TEXTS],
            "transformers": [sys.executable, os.path.abspath(__file__), "--threads", str(o.threads), "--peer", folder],
        }
        runs = {name: [] for name in ways}
        for _ in range(o.runs):
            for name, command in ways.items():
                runs[name].append(measure(command))
    print("| | process, s min / median | CPU, s min / median | peak memory, MB |")
    print("|---|---|---|---|")
    middle = {}
    for name, rows in runs.items():
        times, cpu, memory = zip(*[r[:3] for r in rows])
        middle[name] = statistics.median(times), statistics.median(cpu), max(memory)
        print(f"| {name} | {min(times):.2f} / {middle[name][0]:.2f} | {min(cpu):.2f} / {middle[name][1]:.2f} | {middle[name][2]:.0f} |")
    print("| ratio | " + " | ".join(f"{a / b:.2f}" for a, b in zip(*middle.values())) + " |")
    off = max(abs(a - b) for a, b in zip(runs["Fovea"][0][3], runs["transformers"][0][3]))
    print(f"\nthe probabilities differ by {off:.1g}")


main()
