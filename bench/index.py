"""Times searches in package index and in faiss, in turn, on the same vectors, queries and threads.

    python bench/index.py [--rows 1000000] [--dim 384] [--threads 2] [--pairs 15] [--queries 1] [--runs 3] [--vectors FILE] [--simd avx2]

It needs Go, numpy and faiss-cpu. Vectors are random clusters, or float32 numbers in a file. The last 300 are the queries, or
twice as many as are asked at once.
It prints a Markdown table with, for each type:

- minimum and median of both, in milliseconds, and the ratio of the medians
- our minimum as a multiple of the time of reading as many bytes from memory
- the recall of the ten closest vectors
"""

import argparse
import os
import statistics
import tempfile
import time

import faiss
import numpy as np

from ours import Process, build

TYPES = {"float32": None, "float16": faiss.ScalarQuantizer.QT_fp16, "int8": faiss.ScalarQuantizer.QT_8bit}


def clustered(rows, dim, rng):
    """Returns unit vectors around a thousand centers."""
    centers = rng.standard_normal((1000, dim), dtype=np.float32)
    v = np.empty((rows, dim), np.float32)
    for at in range(0, rows, 50000):
        part = v[at:at + 50000]
        part[:] = 0.5 * rng.standard_normal(part.shape, dtype=np.float32) + centers[rng.integers(len(centers), size=len(part))]
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return v


def peer(name, vectors):
    """Returns faiss's index of the vectors."""
    dim = vectors.shape[1]
    if TYPES[name] is None:
        x = faiss.IndexFlatIP(dim)
    else:
        x = faiss.IndexScalarQuantizer(dim, TYPES[name], faiss.METRIC_INNER_PRODUCT)
        x.train(vectors[:100000])
    for at in range(0, len(vectors), 50000):
        x.add(vectors[at:at + 50000])
    return x


def timed(f):
    start = time.perf_counter()
    f()
    return 1e3 * (time.perf_counter() - start)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--rows", type=int, default=1000000)
    p.add_argument("--dim", type=int, default=384)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--pairs", type=int, default=15)
    p.add_argument("--runs", type=int, default=3, help="runs whose shortest counts")
    p.add_argument("--queries", type=int, default=1, help="queries at once")
    p.add_argument("--vectors", help="a file of float32 numbers")
    p.add_argument("--types", default=",".join(TYPES))
    p.add_argument("--simd", default="", help="force our instruction set: avx2, generic")
    o = p.parse_args()
    faiss.omp_set_num_threads(o.threads)
    asked = max(300, 2 * o.queries)
    if o.vectors:
        everything = np.fromfile(o.vectors, "<f4").reshape(-1, o.dim)
    else:
        everything = clustered(o.rows + asked, o.dim, np.random.default_rng(1))
    vectors, queries = everything[:-asked], everything[-asked:]
    flat = peer("float32", vectors)
    exact = flat.search(queries, 10)[1]
    del flat
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        files = [os.path.join(folder, name) for name in ("vectors", "queries")]
        vectors.tofile(files[0])
        queries.tofile(files[1])
        ours = Process("ours", [build("index"), *files, str(o.dim)], {"FOVEA_SIMD": o.simd} if o.simd else None)
        print(f"{len(vectors)} vectors of {o.dim}, {o.queries} at once, {o.threads} threads; ours {ours.ask('info')}; faiss {faiss.__version__} {faiss.get_compile_options()}\n")
        print("| type | ours, ms min / median | faiss | ours / faiss | ours / reading | recall@10 of ours and faiss |")
        print("|---|---|---|---|---|---|", flush=True)
        for name in o.types.split(","):
            x = peer(name, vectors)
            found = x.search(queries, 10)[1]
            recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact, found)])
            ours.ask(f"prepare {name} {o.queries} {o.threads}")
            ours.ask(f"run {o.runs}")
            times, peers, reads = [], [], []
            for i in range(o.pairs):
                times.append(float(ours.ask(f"run {o.runs}")))
                q = queries[i % (asked - o.queries):][:o.queries]
                peers.append(min(timed(lambda: x.search(q, 10)) for _ in range(o.runs)))
                if i < 5:
                    reads.append(float(ours.ask(f"read {o.threads}")))
            ratio = statistics.median(times) / statistics.median(peers)
            print(f"| {name} | {min(times):.2f} / {statistics.median(times):.2f} | {min(peers):.2f} / {statistics.median(peers):.2f} | {ratio:.2f} "
                  f"| {min(times) / min(reads):.2f} | {float(ours.ask('recall 10')):.4f}, {recall:.4f} |", flush=True)
            del x
        ours.close()


main()
