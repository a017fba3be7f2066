"""Goldens of autograd's operations with indices: autograd/testdata/ops_index.safetensors.

The indices that an operation returns are stored as int/indices, after the other results.
"""

import torch
from opcases import Cases, golden

c = Cases(golden("autograd", "ops_index.safetensors"), seed=22)


def apart(*shape):
    """Values of which no two are near each other, for the finite differences."""
    n = 1
    for s in shape:
        n *= s
    order = torch.from_numpy(c.rng.permutation(n))
    return ((order.float() - n / 2) * 0.04).reshape(shape)


def chosen(name, f, x, **ints):
    """A case of an operation that returns values and indices."""
    y, indices = f(x)
    c.add(name, lambda x, **ints: f(x)[0], ints={k: torch.tensor([v]) for k, v in ints.items()}, x=x)
    c.tensors[f"{name}/int/indices"] = indices.numpy()


SHAPES = [((7,), 0), ((1,), 0), ((3, 5), -1), ((3, 5), 0), ((2, 3, 70), 1), ((4, 9, 2), 1), ((3, 1, 2), 1), ((0, 3), 1), ((2, 3, 0), 0)]
for shape, dim in SHAPES + [((9, 300), 1)]:
    tag = "x".join(map(str, shape)) + f"/{dim}"
    x = apart(*shape)
    if shape != (9, 300):
        chosen(f"max/{tag}", lambda x: torch.max(x, dim), x, dim=dim, keep=0)
        chosen(f"min/{tag}", lambda x: torch.min(x, dim, keepdim=True), x, dim=dim, keep=1)
        for order in (0, 1):
            chosen(f"sort/{tag}/{order}", lambda x: torch.sort(x, dim=dim, descending=order == 1, stable=True), x, dim=dim, order=order)
    for k in sorted({0, 1, shape[dim] // 2, shape[dim]}):
        if shape != (9, 300) or k in (1, 150):
            chosen(f"topk/{tag}/{k}", lambda x: torch.topk(x, k, dim), x, dim=dim, k=k, order=1)
    if shape[dim] > 2 and shape != (9, 300):
        chosen(f"topk/{tag}/least", lambda x: torch.topk(x, 2, dim, largest=False), x, dim=dim, k=2, order=0)
chosen("max/64x130/0", lambda x: torch.max(x, 0), apart(64, 130), dim=0, keep=0)

# Gather, scatter and index select, with repeated indices.
PICKS = [
    ("rows", (5, 4), 0, (3, 4)),
    ("fewer", (5, 4), 0, (8, 2)),
    ("last", (5, 7), 1, (5, 3)),
    ("class", (6, 9), -1, (6, 1)),
    ("middle", (2, 5, 3), 1, (2, 9, 3)),
    ("part", (3, 5, 4), 1, (2, 3, 3)),
    ("thin", (3, 1, 4, 5), 2, (3, 1, 6, 1)),
    ("line", (6,), 0, (11,)),
    ("one", (1,), 0, (1,)),
    ("none", (4, 3), 0, (0, 3)),
    ("empty", (0, 3), 1, (0, 2)),
    ("long", (30, 6), 1, (30, 280)),
]
for tag, xs, dim, shape in PICKS:
    x, src = c.normal(*xs), c.normal(*shape)
    i = c.ints(0, max(1, xs[dim]), *shape)
    d = torch.tensor([dim])
    c.add(f"gather/{tag}", lambda x, i, d: torch.gather(x, int(d), i), ints={"i": i, "d": d}, x=x)
    c.add(f"scatteradd/{tag}", lambda x, s, i, d: torch.scatter_add(x, int(d), i, s), ints={"i": i, "d": d}, x=x, s=src)
    if tag == "long":
        continue
    if shape[dim] <= xs[dim]:  # PyTorch has gradients of unique places alone
        full = list(shape)
        full[dim] = xs[dim]
        i = torch.argsort(c.uniform(0, 1, *full), dim).narrow(dim, 0, shape[dim]).contiguous()
        c.add(f"scatter/{tag}", lambda x, s, i, d: torch.scatter(x, int(d), i, s), ints={"i": i, "d": d}, x=x, s=src)
for tag, xs, dim, n in [("rows", (5, 4), 0, 9), ("last", (3, 5), -1, 4), ("middle", (2, 4, 130), 1, 6), ("none", (4, 3), 1, 0), ("empty", (3, 0, 2), 0, 4), ("long", (3, 30, 2), 1, 1500)]:
    i = c.ints(0, xs[dim], n)
    c.add(f"select/{tag}", lambda x, i, d: torch.index_select(x, int(d), i), ints={"i": i, "d": torch.tensor([dim])}, x=c.normal(*xs))

# Ties, without finite differences.
k = torch.tensor([[1.0, 0.0, -0.0, 2.0, 2.0, 0.0, 1.0], [3.0, float("nan"), 3.0, float("inf"), float("nan"), -float("inf"), 3.0]])
chosen("tiemax", lambda x: torch.max(x, 1), k, dim=1)
chosen("tiemin", lambda x: torch.min(x, 1), k, dim=1)
chosen("tiesort0", lambda x: torch.sort(x, dim=1, stable=True), k, dim=1)
chosen("tiesort1", lambda x: torch.sort(x, dim=1, descending=True, stable=True), k, dim=1)
c.write()
