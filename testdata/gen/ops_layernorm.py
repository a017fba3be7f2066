"""Goldens of autograd's layer norm: autograd/testdata/ops_layernorm.safetensors."""

import torch.nn.functional as F
from opcases import Cases, golden


def norm(x, n, g, b, eps):
    """In float64: of one column the exact gradient is zero, which PyTorch's float32 misses by its rounding."""
    f = lambda v: None if v is None else v.double()
    return F.layer_norm(f(x), (n,), f(g), f(b), eps).float()


c = Cases(golden("autograd", "ops_layernorm.safetensors"), seed=5)
for shape in [(3,), (1, 1), (2, 3, 37), (0, 5), (130, 6)]:
    tag = "x".join(map(str, shape))
    n = shape[-1]
    x, g, b = c.normal(*shape, scale=2, shift=0.5), c.normal(n), c.normal(n)
    c.add(f"affine/{tag}", lambda x, g, b: norm(x, n, g, b, 1e-5), x=x, g=g, b=b)
    c.add(f"plain/{tag}", lambda x: norm(x, n, None, None, 1e-6), x=x)
    c.add(f"scale/{tag}", lambda x, g: norm(x, n, g, None, 1e-12), x=x, g=g)
    c.add(f"shift/{tag}", lambda x, b: norm(x, n, None, b, 1e-5), x=x, b=b)
# x is used before and after, as in a residual block.
x, g, b = c.normal(130, 8), c.normal(8), c.normal(8)
c.add("residual/some", lambda x, g, b: x + norm(x, 8, g, b, 1e-5), x=x, g=g, b=b)
c.write()
