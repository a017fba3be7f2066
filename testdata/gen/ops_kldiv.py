"""Goldens of autograd's KL divergence: autograd/testdata/ops_kldiv.safetensors."""

import torch
import torch.nn.functional as F
from opcases import Cases, golden

c = Cases(golden("autograd", "ops_kldiv.safetensors"), seed=24)
for shape in [(), (1,), (0, 3), (5, 7), (2, 3, 130), (30, 100)]:
    tag = "x".join(map(str, shape)) or "scalar"
    x, t = c.normal(*shape), c.normal(*shape)
    if shape and x.numel():
        x, t = torch.log_softmax(x, -1), torch.log_softmax(t, -1)
    for reduction in ("mean", "sum", "none"):
        if shape == (0, 3) and reduction == "mean":  # PyTorch: NaN
            continue
        if shape == (30, 100) and reduction != "none":
            continue
        c.add(f"kl/{tag}/{reduction}", lambda x, t: F.kl_div(x, t, reduction=reduction), x=x, t=c.uniform(0.1, 1, *shape))
        c.add(f"kllog/{tag}/{reduction}", lambda x, t: F.kl_div(x, t, reduction=reduction, log_target=True), x=x, t=t)

# A target of zero, whose own gradient PyTorch does not have.
x, t = torch.log_softmax(c.normal(3, 4), -1), torch.softmax(c.normal(3, 4), -1)
t[0, 1] = t[2, 2] = 0
c.add("klzero", lambda x, t: F.kl_div(x, t.detach(), reduction="sum"), x=x, t=t)

c.write()
