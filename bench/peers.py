"""Runs the cases of bench/run.py in another engine, on request, as bench/worker does in Fovea.

    python bench/peers.py ENGINE

The engines, each in a process of its own, so that its threads and its memory are its own:

- torch: PyTorch as it is. bf16: under autocast. int8: Linear and LSTM by torch.ao's dynamic quantization
- channels-last: the same with images in that layout
- converted: bf16 alone: a module whose weights were converted to bfloat16
- compiled: torch.compile; inference with frozen weights. bf16: under autocast. int8: dynamic quantization by torchao
- onnxruntime: int8: its dynamic quantization
- openvino: int8: NNCF's post-training quantization, with static ranges
- openvino-dynamic: int8 alone: NNCF's compressed weights, and OpenVINO's dynamic quantization of whole rows
- openvino-throughput: openvino with streams for several callers at once

pytorch.py prepares the engines of PyTorch. runtimes.py prepares the others, from files that export.py wrote.

The requests are those of bench/internal/serve: "prepare CASE THREADS", "run N", "memory". There are two more:

    precision            answers which kernels run the products, as the engine itself reports them
    callers N SECONDS    runs the case from N threads at once; answers what bench/callers prints
"""

import json
import os
import sys
import threading
import time
import warnings

from resident import peak


def callers(run, n, seconds):
    """Lets n threads run again and again. Returns the requests a second, the time of a request, threads and memory."""
    times, took = [[] for _ in range(n)], []
    ready = threading.Barrier(n + 1)

    def call(own):
        run()
        ready.wait()
        start = begin = time.perf_counter()
        while start - begin < seconds:
            run()
            end = time.perf_counter()
            own.append(end - start)
            start = end
        took.append(start - begin)

    threads = [threading.Thread(target=call, args=(own,)) for own in times]
    for t in threads:
        t.start()
    ready.wait()
    with open("/proc/self/status") as f:
        count = int(next(line.split()[1] for line in f if line.startswith("Threads")))
    for t in threads:
        t.join()
    every = sorted(1e3 * t for own in times for t in own)
    return json.dumps({"callers": n, "per_second": len(every) / max(took), "p50_ms": every[len(every) // 2], "p99_ms": every[len(every) * 99 // 100],
                       "max_ms": every[-1], "threads": count, "memory_mb": peak()})


def shortest(run, n):
    """Runs n times and returns the shortest time in milliseconds."""
    best = float("inf")
    for _ in range(n):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best * 1e3


def main(engine):
    warnings.simplefilter("ignore")
    answers = os.dup(1)
    os.dup2(2, 1)  # the libraries print to standard output; the answers go where it was
    if engine.startswith("o"):
        from runtimes import prepare
    else:
        from pytorch import prepare
    run = precision = None
    with os.fdopen(answers, "w") as out:
        for line in sys.stdin:
            request, *words = line.split()
            try:
                if request == "prepare":
                    run, precision = prepare(engine, words[0], int(words[1]))
                    answer = "ok"
                elif request == "run":
                    answer = shortest(run, int(words[0]))
                elif request == "callers":
                    answer = callers(run, int(words[0]), float(words[1]))
                elif request == "precision":
                    answer = precision()
                elif request == "memory":
                    answer = peak()
                else:
                    answer = f"error unknown request {request}"
            except Exception as e:  # an engine's own reasons: operations, versions, a missing package
                answer = f"error {type(e).__name__}: {(str(e).splitlines() or [''])[0][:200]}"
            print(answer, file=out, flush=True)


main(sys.argv[1])
