"""Goldens of autograd's losses: autograd/testdata/ops_loss.safetensors."""

import torch
import torch.nn.functional as F
from opcases import Cases, golden

c = Cases(golden("autograd", "ops_loss.safetensors"), seed=6)
for tag, n, k in [("odd", 5, 7), ("one", 1, 1), ("wide", 2, 130), ("many", 70, 4)]:
    x, w = c.normal(n, k, scale=3), c.uniform(0.2, 2, k)
    y = c.ints(0, k, n)
    some = y.clone()
    some[::3] = -100
    if n == 1:
        some = y
    zero = c.ints(0, k, n)
    if k > 1:
        zero[0] = k - 1
    i = {"y": y}
    c.add(f"ce/{tag}", lambda x, y: F.cross_entropy(x, y), ints=i, x=x)
    c.add(f"cesum/{tag}", lambda x, y: F.cross_entropy(x, y, reduction="sum"), ints={"y": some}, x=x)
    c.add(f"ceeach/{tag}", lambda x, y: F.cross_entropy(x, y, reduction="none"), ints={"y": some}, x=x)
    # The weights come as a float input that gets no gradient.
    c.add(f"ceweight/{tag}", lambda x, w, y: F.cross_entropy(x, y, weight=w.detach()), ints={"y": some}, x=x, w=w)
    t = torch.softmax(c.normal(n, k), -1)
    c.add(f"soft/{tag}", lambda x, t: F.cross_entropy(x, t), x=x, t=t)
    if k > 1:  # of one class the gradient is zero but for rounding
        c.add(f"cesmooth/{tag}", lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1), ints={"y": some}, x=x)
        c.add(f"ceboth/{tag}", lambda x, w, y: F.cross_entropy(x, y, weight=w.detach(), label_smoothing=0.2), ints={"y": some}, x=x, w=w)
        c.add(f"ceignorezero/{tag}", lambda x, y: F.cross_entropy(x, y, ignore_index=0), ints={"y": zero}, x=x)
        c.add(f"softsmooth/{tag}", lambda x, t: F.cross_entropy(x, t, label_smoothing=0.1), x=x, t=t)

for shape in [(), (1,), (3, 5, 7), (2, 1100)]:
    tag = "x".join(map(str, shape)) or "scalar"
    x, y = c.normal(*shape), c.normal(*shape)
    d = x - y
    # Kinks are kept away from, for the finite differences.
    x = torch.where((d.abs() < 0.06) | ((d.abs() - 0.5).abs() < 0.06), y + 0.25, x)
    c.add(f"mse/{tag}", lambda x, y: F.mse_loss(x, y), x=x, y=y)
    c.add(f"l1/{tag}", lambda x, y: F.l1_loss(x, y), x=x, y=y)
    c.add(f"smoothl1/{tag}", lambda x, y: F.smooth_l1_loss(x, y, beta=0.5), x=x, y=y)
    t = torch.sigmoid(c.normal(*shape, scale=2))
    x = c.normal(*shape, scale=4)
    c.add(f"bce/{tag}", lambda x, t: F.binary_cross_entropy_with_logits(x, t), x=x, t=t)
    if shape:
        w = c.uniform(0.5, 3, shape[-1])
        c.add(f"bceweight/{tag}", lambda x, t, w: F.binary_cross_entropy_with_logits(x, t, pos_weight=w.detach()), x=x, t=t, w=w)
c.write()
