"""Times Fovea's image processing and Pillow's in turn, on the same images.

    python bench/vision.py [--pairs 15] [--only resize,decode,folder] [--images 120] [--photographs DIR] [--simd avx2]

resize   4000×3000 pixels to 224×224 with each filter, one thread each
decode   JPEG files to RGB, one thread each
folder   a folder of photographs to float32 tensors [32, 3, 224, 224]: Fovea on two cores; Pillow and numpy in one
         thread, in two threads (Pillow releases the interpreter's lock) and in two processes
large    the same for photographs of 12 megapixels
overlap  Fovea only: the loader and a simulated training step, which both use two cores; the time of both together
         and the sum of their separate times

It needs Pillow and numpy (testdata/gen/requirements.txt) and Go. The photographs are the JPEG files in --photographs
(by default ../shared/data/bccd/JPEGImages, 640×480), and images of 4000×3000 pixels made from ../shared/data/images.

It prints Markdown tables: minimum and median of each side in milliseconds, the ratio of the medians with the spread of
the ratios of pairs, and the peak resident memory of each process.
"""

import argparse
import glob
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from ours import Worker, root
from resident import peak

shared = os.path.join(root, "..", "shared", "data")

FILTERS = ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]


def tensor(path, mode, out):
    """Converts a photograph to a normalized tensor [3, 224, 224], with as few numpy passes as possible."""
    import numpy as np
    from PIL import Image

    with Image.open(path) as m:
        m = m.convert("RGB")
        if mode == "stretch":
            m = m.resize((224, 224), Image.Resampling.BILINEAR)
            mean = std = np.float32([0.5, 0.5, 0.5])
        else:
            w, h = m.size
            size = (256, 256 * h // w) if w <= h else (256 * w // h, 256)
            m = m.resize(size, Image.Resampling.BICUBIC)
            x, y = round((size[0] - 224) / 2), round((size[1] - 224) / 2)
            m = m.crop((x, y, x + 224, y + 224))
            mean, std = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    a = np.asarray(m, dtype=np.float32)
    a *= 1 / (255 * std)
    a -= mean / std
    out[...] = a.transpose(2, 0, 1)


def share(task):
    """Converts every second photograph in one of two processes, into shared memory."""
    import numpy as np
    from multiprocessing import shared_memory

    files, mode, name, first = task
    memory = shared_memory.SharedMemory(name)
    batch = np.ndarray((32, 3, 224, 224), np.float32, memory.buf)
    for i in range(first, len(files), 2):
        tensor(files[i], mode, batch[i % 32])
    del batch
    memory.close()
    return peak()


def peer(kind, args):
    """Returns a function that runs a case once in Pillow."""
    import numpy as np
    from PIL import Image

    if kind == "resize":
        name, w, h, size = args[0], int(args[1]), int(args[2]), int(args[3])
        m = Image.fromarray(np.random.default_rng(1).integers(0, 256, (h, w, 3), dtype=np.uint8))
        return lambda: m.resize((size, size), getattr(Image.Resampling, name.upper()))
    if kind == "decode":
        import io

        data = open(args[0], "rb").read()
        return lambda: Image.open(io.BytesIO(data)).convert("RGB")
    files = sorted(glob.glob(os.path.join(args[0], "*")))
    mode, how = args[1], args[2]
    if how == "serial":
        batch = np.empty((32, 3, 224, 224), np.float32)

        def serial():
            for i, f in enumerate(files):
                tensor(f, mode, batch[i % 32])
        return serial
    if how == "threads":
        from concurrent.futures import ThreadPoolExecutor

        batch = np.empty((32, 3, 224, 224), np.float32)
        pool = ThreadPoolExecutor(2)
        return lambda: list(pool.map(lambda i: tensor(files[i], mode, batch[i % 32]), range(len(files))))
    from multiprocessing import get_context, shared_memory

    memory = shared_memory.SharedMemory(create=True, size=32 * 3 * 224 * 224 * 4)
    pool = get_context("spawn").Pool(2)

    def processes():
        processes.memory = pool.map(share, [(files, mode, memory.name, first) for first in range(2)], 1)

    def end():
        pool.terminate()
        memory.close()
        memory.unlink()
    processes.end = end
    return processes


def one(o):
    """Measures one case in this process and in the worker, and prints JSON."""
    kind, *args = o.case.split("|")
    ours = Worker("vision", o.simd)
    if kind == "folder":
        ours.ask(f"prepare folder {args[0]} {args[1]} 2")
    elif kind == "resize":
        ours.ask(f"prepare resize {' '.join(args)} 1")
    else:
        ours.ask(f"prepare decode {args[0]}")
    f = peer(kind, args)
    for _ in range(2):
        t = float(ours.ask("run 1"))
        f()
    if t < 100:  # half a second each, so that both sides have memory to reuse
        ours.ask(f"run {int(500 / max(t, 0.05))}")
        start = time.perf_counter()
        while time.perf_counter() - start < 0.5:
            f()
    calls = 1 if t > 20 or kind == "folder" else max(3, min(20, int(40 / max(t, 0.05))))
    a, b = [], []
    for _ in range(o.pairs):
        a.append(float(ours.ask(f"run {calls}")))
        times = []
        for _ in range(max(1, min(calls, 5))):
            start = time.perf_counter()
            f()
            times.append((time.perf_counter() - start) * 1e3)
        b.append(min(times))
    allocated, memory = float(ours.ask("allocated")), float(ours.ask("memory"))
    ours.close()
    mine = peak()
    if hasattr(f, "memory"):
        mine += sum(f.memory)
        f.end()
    print(json.dumps({"ours": a, "peer": b, "allocated": allocated, "memory": memory, "peer_memory": mine}))


def report(name, o, case):
    # Each case runs in a new process, so that its peak memory is its own.
    out = subprocess.run([sys.executable, os.path.abspath(__file__), "--case", case, "--pairs", str(o.pairs), "--simd", o.simd],
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    r = json.loads(out.strip().splitlines()[-1])
    a, b = r["ours"], r["peer"]
    ratios = sorted(y / x for x, y in zip(a, b))
    print(f"| {name} | {min(a):.2f} / {statistics.median(a):.2f} | {min(b):.2f} / {statistics.median(b):.2f} | "
          f"{statistics.median(b) / statistics.median(a):.2f} ({ratios[len(ratios) // 10]:.2f}..{ratios[-1 - len(ratios) // 10]:.2f}) | "
          f"{r['memory']:.0f} / {r['peer_memory']:.0f} MB; {r['allocated'] / 1e3:.0f} kB a run |", flush=True)


def overlap(o, folder, n):
    loading, steps, both = Worker("vision", o.simd), Worker("vision", o.simd), Worker("vision", o.simd)
    loading.ask(f"prepare folder {folder} crop 2")
    steps.ask(f"prepare steps {-(-n // 32)} 2")
    both.ask(f"prepare train {folder} crop 2")
    workers = loading, steps, both
    times = [[float(w.ask("run 1")) for w in workers] for _ in range(o.pairs + 2)][2:]
    a, b, c = (statistics.median(t) for t in zip(*times))
    print(f"\n{n} files 640×480 with {-(-n // 32)} steps on the batches, 2 cores, medians: loading alone {a:.1f} ms, "
          f"steps alone {b:.1f}, together {c:.1f}: {c / (a + b):.2f} of the sum")
    for w in workers:
        w.close()


def photographs(o, tmp):
    """Makes two folders: some of the photographs, and images of 12 megapixels like those of a phone."""
    import numpy as np
    from PIL import Image

    small, large = os.path.join(tmp, "small"), os.path.join(tmp, "large")
    os.makedirs(small)
    os.makedirs(large)
    for f in sorted(glob.glob(os.path.join(o.photographs, "*.jpg")))[:o.images]:
        shutil.copy(f, small)
    rng = np.random.default_rng(1)
    for i, name in enumerate(["china.jpg", "flower.jpg", "rocket.jpg"] * 2):
        m = Image.open(os.path.join(shared, "images", name)).convert("RGB").resize((4000, 3000), Image.Resampling.LANCZOS)
        a = np.asarray(m, np.float32)
        for y in range(0, 3000, 500):  # the noise of a sensor
            a[y:y + 500] += rng.normal(0, 3, a[y:y + 500].shape).astype(np.float32)
        Image.fromarray(a.clip(0, 255).astype(np.uint8)).save(os.path.join(large, f"{i}.jpg"), quality=90, subsampling="4:2:0")
    return small, large


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--pairs", type=int, default=15)
    p.add_argument("--only", default="resize,decode,folder,large,overlap")
    p.add_argument("--images", type=int, default=120, help="number of photographs")
    p.add_argument("--photographs", default=os.path.join(shared, "bccd", "JPEGImages"))
    p.add_argument("--simd", default="", help="force our instruction set: avx2, avx512, generic")
    p.add_argument("--case", help="run one case in this process and print JSON (for its own peak memory)")
    o = p.parse_args()
    if o.case:
        one(o)
        return
    import numpy
    import PIL
    from PIL import features

    w = Worker("vision", o.simd)
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.processor())
    print(f"{cpu}; ours {w.ask('info')}; Pillow {PIL.__version__} (libjpeg-turbo {features.version('libjpeg_turbo')}), numpy {numpy.__version__}\n")
    w.close()
    print("| case | ours, ms min / median | Pillow, ms min / median | how many times Pillow's rate (10..90 %) | peak memory ours / Pillow; we allocate |")
    print("|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as tmp:
        kinds = o.only.split(",")
        if "resize" in kinds:
            for f in FILTERS:
                report(f"4000×3000 to 224, {f}, 1 thread", o, f"resize|{f}|4000|3000|224")
        small = large = None
        if {"decode", "folder", "large", "overlap"} & set(kinds):
            small, large = photographs(o, tmp)
        if "decode" in kinds:
            for name, folder in (("640×480", small), ("4000×3000", large)):
                report(f"decode JPEG {name}, 1 thread", o, f"decode|{sorted(glob.glob(folder + '/*'))[0]}")
        for kind, name, folder, mode in (("folder", "256, crop 224", small, "crop"), ("folder", "to 224", small, "stretch"),
                                         ("large", "256, crop 224", large, "crop")):
            if kind in kinds:
                n = len(os.listdir(folder))
                size = "640×480" if folder == small else "4000×3000"
                for how in ("serial", "threads", "processes"):
                    label = {"serial": "one thread", "threads": "two threads", "processes": "two processes"}[how]
                    report(f"{n} files {size}, {name}: 2 cores beside Pillow in {label}", o, f"folder|{folder}|{mode}|{how}")
        if "overlap" in kinds:
            overlap(o, small, len(os.listdir(small)))


if __name__ == "__main__":
    main()
