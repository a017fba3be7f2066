"""Goldens of autograd's batch norm, group norm and PReLU: autograd/testdata/ops_norm2d.safetensors."""

import torch
import torch.nn.functional as F
from opcases import Cases, golden

c = Cases(golden("autograd", "ops_norm2d.safetensors"), seed=24)

SHAPES = {
    "image": (3, 4, 5, 6),
    "row": (9, 7),
    "two": (2, 3),
    "wide": (4, 130),
    "sequence": (2, 3, 11),
    "volume": (2, 2, 2, 3, 2),
    "single": (1, 3, 2, 2),
}
for tag, xs in SHAPES.items():
    n = xs[1]
    x, w, b = c.normal(*xs, scale=2, shift=1), c.normal(n, scale=0.3, shift=1), c.normal(n)
    if tag == "two":  # two values a channel: kept apart, or the gradient is all rounding
        x = torch.tensor([[1.0, -2.0, 0.5], [2.5, 1.0, -0.25]])
    c.add(f"batch/{tag}", lambda x, w, b: F.batch_norm(x, None, None, w, b, True), x=x, w=w, b=b)
    c.add(f"batchplain/{tag}", lambda x: F.batch_norm(x, None, None, training=True, eps=1e-3), x=x)
    m, v = c.normal(n), c.uniform(0.3, 2, n)
    c.tensors[f"batchfrozen/{tag}/mean"], c.tensors[f"batchfrozen/{tag}/variance"] = m.numpy(), v.numpy()
    c.add(f"batchfrozen/{tag}", lambda x, w, b: F.batch_norm(x, m, v, w, b, False), x=x, w=w, b=b)

    # Results: y, and the running statistics after one step of momentum 0.3.
    c.tensors[f"running/{tag}/mean"], c.tensors[f"running/{tag}/variance"] = m.numpy().copy(), v.numpy().copy()

    def running(x):
        rm, rv = m.clone(), v.clone()
        return F.batch_norm(x, rm, rv, None, None, True, 0.3), rm, rv

    c.add(f"running/{tag}", running, x=x)
x, m, v = c.normal(0, 3, 4), c.normal(3), c.uniform(0.3, 2, 3)
c.tensors["batchfrozen/empty/mean"], c.tensors["batchfrozen/empty/variance"] = m.numpy(), v.numpy()
c.add("batchfrozen/empty", lambda x, w, b: F.batch_norm(x, m, v, w, b, False), x=x, w=c.normal(3), b=c.normal(3))

# A mean far from zero: the variance must not be a difference of large numbers.
c.add("batch/far", lambda x, w, b: F.batch_norm(x, None, None, w, b, True),
      x=c.normal(2, 2, 12, 16, scale=0.5, shift=200).round(decimals=2), w=torch.ones(2), b=torch.zeros(2))

for tag, xs, groups in [("image", (2, 6, 3, 4), 3), ("one", (2, 4, 5, 3), 1), ("each", (3, 4, 2, 5), 4), ("flat", (3, 8), 2), ("empty", (0, 4, 3, 3), 2)]:
    x, w, b = c.normal(*xs, scale=2, shift=1), c.normal(xs[1], scale=0.3, shift=1), c.normal(xs[1])
    o = {"o": torch.tensor([groups])}
    c.add(f"group/{tag}", lambda x, w, b, o: F.group_norm(x, groups, w, b), ints=o, x=x, w=w, b=b)
    c.add(f"groupplain/{tag}", lambda x, o: F.group_norm(x, groups, eps=1e-3), ints=o, x=x)

for tag, xs in [("image", (2, 3, 4, 5)), ("row", (5, 9)), ("flat", (7,)), ("single", (1, 1)), ("empty", (0, 3, 2))]:
    x = c.normal(*xs, scale=2)
    x = torch.where(x.abs() < 0.05, torch.full_like(x, 0.5), x)  # away from the kink
    c.add(f"prelu/{tag}-one", lambda x, w: F.prelu(x, w), x=x, w=c.uniform(0.1, 0.6, 1))
    if len(xs) > 1:
        c.add(f"prelu/{tag}", lambda x, w: F.prelu(x, w), x=x, w=c.uniform(-0.4, 0.6, xs[1]))

# Batch norm, then a residual, then an activation. The integers say whether the statistics are
# those of the batch, and which activation it is; the digits of a name say whether there is a residual, and which activation.
ACTS = [F.relu, F.gelu, lambda x: x]
for tag, xs in [("image", (3, 4, 5, 6)), ("row", (9, 7)), ("small", (2, 37, 3, 2))]:
    for kind in ["batch", "frozen"]:
        for residual, act in [(1, 0), (1, 1), (1, 2), (0, 1)]:
            n = xs[1]
            x, w, b, r = c.normal(*xs, scale=2, shift=1), c.normal(n, scale=0.3, shift=1), c.normal(n), c.normal(*xs)
            m, v = c.normal(n), c.uniform(0.3, 2, n)
            name = f"fused/{kind}-{tag}-{residual}{act}"
            c.tensors[f"{name}/mean"], c.tensors[f"{name}/variance"] = m.numpy(), v.numpy()

            def fused(x, w, b, r=None, o=None):
                y = F.batch_norm(x, None, None, w, b, True) if kind == "batch" else F.batch_norm(x, m, v, w, b, False)
                if r is not None:
                    y = y + r
                return ACTS[act](y)

            if act == 0:  # away from the kink
                r = r + torch.where(fused(x, w, b, r) > 0, 0.1, -0.1)
            inputs = {"x": x, "w": w, "b": b} | ({"r": r} if residual else {})
            c.add(name, fused, ints={"o": torch.tensor([int(kind == "batch"), act])}, **inputs)
c.write()
