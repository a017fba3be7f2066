"""Compares models that many callers ask at once, one image a request: Fovea, ONNX Runtime and OpenVINO.

    python bench/callers.py [--model tiny] [--callers 1,2,4,8,16,32,64] [--seconds 3] [--threads 2] [--serve]

It needs Go, torch, timm, onnx, onnxscript, onnxruntime and openvino. Each caller sends its next request when it has the answer
to the last one. Callers are goroutines, and threads of Python that share one session. OpenVINO has its throughput hint and
a request object for each thread. Fovea also prepares the pixels of the image, and the others get numbers. The table has
requests a second, the median and the 99th percentile of the time of a request, the threads of the process, and its
peak memory, for Python with all imports.
"""

import argparse
import json
import os
import subprocess
import sys

from ours import Failed, Peer, build


def row(callers, name, r):
    print(f"| {callers} | {name} | {r['per_second']:.1f} | {r['p50_ms']:.0f} | {r['p99_ms']:.0f} | {r['threads']} | {r['memory_mb']:.0f} |", flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--model", default="tiny", choices=["tiny", "small", "base"])
    p.add_argument("--callers", default="1,2,4,8,16,32,64")
    p.add_argument("--seconds", type=float, default=3)
    p.add_argument("--threads", type=int, default=2, help="GOMAXPROCS, and the threads of the peers for one request")
    p.add_argument("--serve", action="store_true", help="a row for requests that package serve gathers into batches")
    o = p.parse_args()
    peers = []
    for name in ("onnxruntime", "openvino-throughput"):
        peer = Peer(name, "")
        try:
            peer.ask(f"prepare vit:{o.model}:1 {o.threads}")
            peers.append(peer)
        except Failed as e:
            print(f"left out: {e}", file=sys.stderr)
    binary = build("callers")
    print(f"ViT {o.model}, {o.threads} threads\n")
    print("| callers | | requests a second | median, ms | 99th percentile, ms | threads | peak memory, MB |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for callers in o.callers.split(","):
        for name, more in [("Fovea", [])] + ([("Fovea, serve", ["-serve"])] if o.serve else []):
            command = [binary, "-model", o.model, "-callers", callers, "-seconds", str(o.seconds), *more]
            out = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=dict(os.environ, GOMAXPROCS=str(o.threads)))
            row(callers, name, json.loads(out.stdout))
        for peer in peers:
            row(callers, peer.name, json.loads(peer.ask(f"callers {callers} {o.seconds}")))
    for peer in peers:
        peer.close()


main()
