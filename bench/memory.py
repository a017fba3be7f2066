"""Compares the peak memory of training in Fovea and PyTorch, at several batch sizes.

    python bench/memory.py [--cases train:small,train:base,mae] [--batches 1,2,4,8,16] [--steps 3] [--threads 2]

It needs Go, torch, timm and transformers. Each number is the VmHWM of a process of its own, which makes a model with random
weights and trains it with AdamW for some steps. A case is one of bench/worker, without its batch. PyTorch has a second
number without its imports, that is, less the resident memory of the process before it makes the model.
"""

import argparse
import sys

from ours import Failed, Peer, Worker


def peak(process, case, threads, steps):
    """Returns the peaks in MB before and after some steps of training."""
    try:
        before = float(process.ask("memory"))
        process.ask(f"prepare {case} {threads}")
        process.ask(f"run {steps}")
        return before, float(process.ask("memory"))
    finally:
        process.close()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--cases", default="train:small,train:base,mae")
    p.add_argument("--batches", default="1,2,4,8,16")
    p.add_argument("--steps", type=int, default=3)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--engine", default="torch", choices=["torch", "compiled"])
    o = p.parse_args()
    print("| training step | batch | Fovea, MB | PyTorch, MB | without imports | ratio | without imports |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for case in o.cases.split(","):
        for batch in o.batches.split(","):
            name = f"{case}:{batch}"
            _, ours = peak(Worker("worker", ""), name, o.threads, o.steps)
            try:
                before, theirs = peak(Peer(o.engine, ""), name, o.threads, o.steps)
            except Failed as e:
                print(f"{name}: left out: {e}", file=sys.stderr)
                continue
            print(f"| {case} | {batch} | {ours:.0f} | {theirs:.0f} | {theirs - before:.0f} | {ours / theirs:.2f} | {ours / (theirs - before):.2f} |", flush=True)


main()
