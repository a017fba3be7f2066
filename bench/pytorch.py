"""Prepares the engines of PyTorch for peers.py."""

import collections
import contextlib
import ctypes
import os
import re
import tempfile

import torch

import networks
from cases import TRAINING, split


def prepare(engine, case, threads):
    """Returns a function that runs the case once, and one that says which kernels ran."""
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("highest")
    torch.manual_seed(1)
    name, kind, math = split(case)
    context = contextlib.nullcontext
    if math == "bf16" and engine != "converted":
        context = lambda: torch.autocast("cpu", dtype=torch.bfloat16)
    if kind == "gemm" or kind == "gemmpacked" and math != "int8":
        run = product(math, *map(int, name.split(":")[1:]))
        return run, lambda: kernels(run)
    module, inputs = networks.network(name.replace("train:", "vit:", 1))
    if engine == "channels-last":
        module = module.to(memory_format=torch.channels_last)
        inputs = [x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x for x in inputs]
    if engine == "converted":
        module = module.to(torch.bfloat16)
        inputs = [x.to(torch.bfloat16) if x.is_floating_point() else x for x in inputs]
    module = module.train() if kind in TRAINING else module.eval()
    if math == "int8":
        module = quantize(module, engine)
    if engine == "compiled":
        from torch._inductor import config

        config.freezing = kind not in TRAINING
        module = torch.compile(module)
    run = step(kind, module, inputs, context) if kind in TRAINING else infer(module, inputs, context)
    return run, lambda: kernels(run)


def product(math, m, k, n):
    """A product alone: operands in half precision or integers are ready, and nothing is scaled or converted."""
    a, b = torch.randn(m, k), torch.randn(n, k)
    if math == "int8":
        a, b = (x.mul(30).round().clamp(-127, 127).to(torch.int8) for x in (a, b))
        return lambda: torch._int_mm(a, b.t())
    if math == "bf16":
        a, b = a.bfloat16(), b.bfloat16()
    b, c = b.t(), torch.empty(m, n, dtype=a.dtype)
    return lambda: torch.mm(a, b, out=c)


def quantize(module, engine):
    if engine == "compiled":
        from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

        quantize_(module, Int8DynamicActivationInt8WeightConfig())
        return module
    from torch.ao.quantization import quantize_dynamic

    torch.backends.quantized.engine = "x86"
    return quantize_dynamic(module, {torch.nn.Linear, torch.nn.LSTM}, dtype=torch.qint8)


def infer(module, inputs, context):
    def run():
        with torch.inference_mode(), context():
            module(*inputs)
    return run


def step(kind, module, inputs, context):
    """Returns a training step with AdamW."""
    opt = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=1e-4, weight_decay=0.05)
    labels = torch.zeros(inputs[0].shape[0], dtype=torch.long)

    def run():
        with context():
            out = module(*inputs)
            if kind == "fcostrain":
                loss = sum(out.values())
            else:
                loss = out.loss if kind == "mae" else torch.nn.functional.cross_entropy(out, labels)
        loss.backward()
        opt.step()
        opt.zero_grad()
    return run


def kernels(run):
    """Runs once and returns the kernels of oneDNN and MKL that multiplied, with their calls, as the libraries report them.

    FBGEMM, which multiplies integers, reports nothing.
    """
    libc = ctypes.CDLL(None)
    with tempfile.TemporaryFile() as log:
        out = os.dup(1)
        os.dup2(log.fileno(), 1)
        try:
            with torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON), torch.backends.mkl.verbose(torch.backends.mkl.VERBOSE_ON):
                run()
        finally:
            libc.fflush(None)
            os.dup2(out, 1)
            os.close(out)
        log.seek(0)
        text = log.read().decode(errors="replace")
    counts = collections.Counter(re.findall(r",exec,cpu,(?:matmul|inner_product|convolution|rnn),([^,]+),", text))
    counts.update("MKL " + name for name in re.findall(r"MKL_VERBOSE ([A-Z0-9_]*GEMM[A-Z0-9_]*)", text))
    return ", ".join(f"{n} {name}" for name, n in counts.most_common(4)) or "neither oneDNN nor MKL"
