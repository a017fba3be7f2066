"""Goldens of autograd's RMS norm: autograd/testdata/ops_rmsnorm.safetensors."""

import torch.nn.functional as F
from opcases import Cases, golden
from transformers.models.llama.modeling_llama import LlamaRMSNorm

c = Cases(golden("autograd", "ops_rmsnorm.safetensors"), seed=43)
for shape in [(3,), (1, 1), (2, 3, 37), (0, 5), (130, 6)]:
    tag = "x".join(map(str, shape))
    n = shape[-1:]
    # In float64: the gradient of few columns is a small difference, which float32 misses by its rounding.
    x, g = c.normal(*shape, scale=2, shift=0.5), c.normal(*n)
    c.add(f"scale/{tag}", lambda x, g: F.rms_norm(x.double(), n, g.double(), 1e-5).float(), x=x, g=g)
    if shape != (1, 1):  # whose gradient is nothing but that difference
        c.add(f"plain/{tag}", lambda x: F.rms_norm(x.double(), n, None, 1e-6).float(), x=x)


def llama(x, g):
    norm = LlamaRMSNorm(len(g), eps=1e-6)
    del norm.weight  # a parameter, in whose place g takes part in the gradient
    norm.weight = g
    return norm(x)


c.add("llama/some", llama, x=c.normal(2, 5, 24), g=c.normal(24))
# x is used before and after, as in a residual block.
c.add("residual/some", lambda x, g: x + F.rms_norm(x, (8,), g, 1e-5), x=c.normal(130, 8), g=c.normal(8))
c.write()
