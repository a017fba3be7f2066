"""Runs the cases of bench/run.py in another engine, on request, as bench/worker does in Fovea.

    python bench/peers.py ENGINE      engines: torch, channels-last, compiled, onnxruntime, openvino, openvino-throughput

The requests are those of bench/internal/serve: "prepare CASE THREADS", "run N", "memory". "callers N SECONDS" runs the case
from N threads at once, and answers what bench/callers prints. Each engine has a process of its own, so that its threads and
its memory are its own. networks.py holds the graphs.
"""

import json

import os
import resource
import sys
import tempfile
import threading
import time
import warnings

import torch

import networks


def prepare(engine, case, threads):
    """Returns a function that runs the case once."""
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("highest")
    torch.manual_seed(1)
    kind, _, rest = case.partition(":")
    if kind in ("gemm", "gemmpacked") and engine == "torch":
        return product(*map(int, rest.split(":")))
    training = kind in ("train", "mae", "resnet18", "finetune", "fcostrain")
    module, inputs = networks.network("vit:" + rest if kind == "train" else case)
    if engine == "channels-last":
        module = module.to(memory_format=torch.channels_last)
        inputs = [x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x for x in inputs]
    if engine == "compiled":
        module = torch.compile(module.eval())
    if engine in ("torch", "channels-last", "compiled"):
        return step(kind, module.train(), inputs) if training else infer(module.eval(), inputs)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "network.onnx")
        names = [f"input{i}" for i in range(len(inputs))]
        torch.onnx.export(module.eval(), tuple(inputs), path, input_names=names, dynamo=True, verbose=False)
        values = {n: x.numpy() for n, x in zip(names, inputs)}
        if engine == "onnxruntime":
            return onnx_runtime(path, values, threads)
        streams = {"PERFORMANCE_HINT": "THROUGHPUT"} if engine == "openvino-throughput" else {"NUM_STREAMS": 1}
        return openvino(path, values, threads, streams)


def product(m, k, n):
    a, b, c = torch.randn(m, k), torch.randn(n, k).t(), torch.empty(m, n)
    return lambda: torch.mm(a, b, out=c)


def infer(module, inputs):
    def run():
        with torch.inference_mode():
            module(*inputs)
    return run


def step(kind, module, inputs):
    """Returns a training step with AdamW."""
    opt = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=1e-4, weight_decay=0.05)
    labels = torch.zeros(inputs[0].shape[0], dtype=torch.long)

    def run():
        out = module(*inputs)
        if kind == "fcostrain":
            loss = sum(out.values())
        else:
            loss = out.loss if kind == "mae" else torch.nn.functional.cross_entropy(out, labels)
        loss.backward()
        opt.step()
        opt.zero_grad()
    return run


def onnx_runtime(path, inputs, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, inputs)


def openvino(path, inputs, threads, streams):
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"} | streams
    model = core.compile_model(core.read_model(path), "CPU", settings)
    values, own = list(inputs.values()), threading.local()

    def run():
        if not hasattr(own, "request"):
            own.request = model.create_infer_request()
        own.request.infer(values)
    return run


def callers(run, n, seconds):
    """Lets n threads run again and again. Returns the requests a second, the time of a request, threads and memory."""
    times = [[] for _ in range(n)]
    ready = threading.Barrier(n + 1)

    def call(own):
        run()
        ready.wait()
        end = time.perf_counter() + seconds
        while (start := time.perf_counter()) < end:
            run()
            own.append(time.perf_counter() - start)

    threads = [threading.Thread(target=call, args=(own,)) for own in times]
    for t in threads:
        t.start()
    ready.wait()
    start = time.perf_counter()
    with open("/proc/self/status") as f:
        count = int(next(line.split()[1] for line in f if line.startswith("Threads")))
    for t in threads:
        t.join()
    took = time.perf_counter() - start
    every = sorted(1e3 * t for own in times for t in own)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    return json.dumps({"callers": n, "per_second": len(every) / took, "p50_ms": every[len(every) // 2], "p99_ms": every[len(every) * 99 // 100],
                       "max_ms": every[-1], "threads": count, "memory_mb": memory})


def shortest(run, n):
    """Runs n times and returns the shortest time in milliseconds."""
    best = float("inf")
    for _ in range(n):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best * 1e3


def main():
    warnings.simplefilter("ignore")
    answers, run = os.dup(1), None
    os.dup2(2, 1)  # the libraries print to standard output; the answers go where it was
    with os.fdopen(answers, "w") as out:
        for line in sys.stdin:
            request, *words = line.split()
            try:
                if request == "prepare":
                    run, answer = prepare(sys.argv[1], words[0], int(words[1])), "ok"
                elif request == "run":
                    answer = shortest(run, int(words[0]))
                elif request == "callers":
                    answer = callers(run, int(words[0]), float(words[1]))
                elif request == "memory":
                    answer = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
                else:
                    answer = f"error unknown request {request}"
            except Exception as e:  # an engine's own reasons: operations, versions, a missing package
                answer = f"error {type(e).__name__}: {(str(e).splitlines() or [''])[0][:200]}"
            print(answer, file=out, flush=True)


main()
