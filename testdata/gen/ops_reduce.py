"""Goldens of autograd's reductions and softmaxes: autograd/testdata/ops_reduce.safetensors."""

import torch
import torch.nn.functional as F
from opcases import Cases, golden

c = Cases(golden("autograd", "ops_reduce.safetensors"), seed=12)
# The name of a case says the dimensions: all, or numbers joined by commas; k keeps them.
CASES = [
    ((3, 5, 7), None, False),
    ((3, 5, 7), None, True),
    ((3, 5, 7), (0,), False),
    ((3, 5, 7), (1,), True),
    ((3, 5, 7), (-1,), False),
    ((3, 5, 7), (0, 2), False),
    ((3, 5, 7), (-2, -1), True),
    ((2, 3, 4, 5), (0, 2, 3), False),
    ((2, 3, 4, 5), (1, 3), True),
    ((4, 1, 3), (1,), False),
    ((1, 1), (0,), False),
    ((9,), (0,), False),
    ((), None, False),
    ((600, 5), (0,), False),
    ((2, 4500), (1,), False),
    ((0, 3), (1,), False),
]
for shape, dims, keep in CASES:
    tag = "x".join(map(str, shape)) or "scalar"
    tag += "/" + ("all" if dims is None else ",".join(map(str, dims))) + ("k" if keep else "")
    x = c.normal(*shape, shift=0.5)
    d = dims if dims is not None else tuple(range(len(shape)))
    c.add(f"sum/{tag}", lambda x: torch.sum(x, d, keepdim=keep), x=x)
    if 4500 in shape:
        continue
    if 600 in shape:
        continue
    c.add(f"mean/{tag}", lambda x: torch.mean(x, d, keepdim=keep), x=x)
    c.add(f"var0/{tag}", lambda x: torch.var(x, d, correction=0, keepdim=keep), x=x)
    n = 1
    for i in d:
        n *= shape[i]
    if n > 1:
        c.add(f"var1/{tag}", lambda x: torch.var(x, d, correction=1, keepdim=keep), x=x)
c.add("sum/0x3/0", lambda x: x.sum(0), x=c.normal(0, 3))
c.add("sum/0x3/all", lambda x: x.sum(), x=c.normal(0, 3))

for shape in [(), (1,), (4, 1), (0, 3), (3, 5, 7), (2, 1, 67), (3, 33)]:
    tag = "x".join(map(str, shape)) or "scalar"
    x = c.normal(*shape, scale=2)
    c.add(f"softmax/{tag}", lambda x: F.softmax(x, -1), x=x)
    c.add(f"logsoftmax/{tag}", lambda x: F.log_softmax(x, -1), x=x)
    c.add(f"logsumexp/{tag}", lambda x: torch.logsumexp(x, -1), x=x)
    if shape and shape != (1,) and shape != (4, 1):  # of one element the gradient is zero but for rounding
        c.add(f"normalize/{tag}", lambda x: F.normalize(x, dim=-1, eps=1e-12), x=x)
large = torch.tensor([[300.0, -200.0, 299.0], [-1000.0, -1000.0, -1001.0]])
c.add("softmax/large", lambda x: F.softmax(x, -1), x=large)
c.add("logsoftmax/large", lambda x: F.log_softmax(x, -1), x=large)
c.add("logsumexp/large", lambda x: torch.logsumexp(x, -1), x=large)
masked = torch.tensor([[0.5, float("-inf"), 1.5, 0.1]])
c.add("maskedsoftmax", lambda x: F.softmax(x, -1), x=masked)
c.add("maskedlogsumexp", lambda x: torch.logsumexp(x, -1), x=masked)
small = torch.tensor([[0.3, -0.4, 0.1], [3.0, 4.0, 1.0]])
c.add("normalizesmall", lambda x: F.normalize(x, dim=-1, eps=2.0), x=small)
c.write()
