"""Goldens of autograd's shape operations and lookups: autograd/testdata/ops_shape.safetensors."""

import torch
import torch.nn.functional as F
from opcases import Cases, golden

c = Cases(golden("autograd", "ops_shape.safetensors"), seed=13)
# The name of a case says the order of the dimensions.
for shape, dims in [
    ((3, 5), (1, 0)),
    ((3, 5), (0, 1)),
    ((17, 21), (1, 0)),
    ((2, 3, 5), (0, 2, 1)),
    ((2, 3, 5), (1, 0, 2)),
    ((2, 3, 5), (2, 0, 1)),
    ((2, 3, 5), (2, 1, 0)),
    ((2, 5, 3, 4), (0, 2, 1, 3)),
    ((2, 5, 3, 4), (2, 0, 3, 1)),
    ((2, 5, 3, 4), (3, 1, 2, 0)),
    ((2, 3, 9, 11), (0, 2, 3, 1)),
    ((1, 4, 1, 3), (2, 1, 0, 3)),
    ((70, 3), (1, 0)),
    ((3, 300), (1, 0)),
    ((2, 2, 2, 2, 3), (4, 2, 0, 3, 1)),
    ((0, 3), (1, 0)),
    ((2, 0, 3), (2, 0, 1)),
    ((6,), (0,)),
]:
    tag = "x".join(map(str, shape)) + "/" + ",".join(map(str, dims))
    c.add(f"permute/{tag}", lambda x: x.permute(dims), x=c.normal(*shape))
c.add("transpose", lambda x: x.transpose(1, -1), x=c.normal(2, 3, 4, 5))

for tag, dim, shapes in [
    ("0", 0, [(2, 3), (4, 3)]),
    ("1", 1, [(2, 1, 5), (2, 3, 5), (2, 2, 5)]),
    ("-1", -1, [(3, 2), (3, 5)]),
    ("0one", 0, [(2, 3)]),
    ("1empty", 1, [(2, 0, 3), (2, 2, 3)]),
    ("0none", 0, [(0, 3), (0, 3)]),
    ("1outer0", 1, [(0, 3), (0, 2)]),
]:
    xs = {f"x{i}": c.normal(*s) for i, s in enumerate(shapes)}
    c.add(f"concat/{tag}", lambda dim=dim, **xs: torch.cat(list(xs.values()), dim), **xs)

for tag, shape, dim, lo, hi in [
    ("rows", (5, 3), 0, 1, 4),
    ("middle", (2, 5, 3), 1, 0, 2),
    ("last", (2, 3, 7), -1, 3, 7),
    ("all", (4, 3), 0, 0, 4),
    ("none", (4, 3), 1, 2, 2),
    ("empty", (0, 5), 1, 1, 3),
]:
    c.add(f"slice/{tag}", lambda x: x.narrow(dim, lo, hi - lo), x=c.normal(*shape))
c.add("slicetwice", lambda x: x[:, 0:3] * x[:, 2:5], x=c.normal(4, 6))

for tag, a, b in [
    ("rows", (5,), (3, 5)),
    ("columns", (3, 1), (3, 7)),
    ("middle", (2, 1, 3), (4, 2, 5, 3)),
    ("scalar", (), (2, 3)),
    ("same", (2, 3), (2, 3)),
    ("ones", (3,), (1, 1, 3)),
    ("empty", (1, 3), (0, 3)),
]:
    c.add(f"broadcast/{tag}", lambda x: x.expand(b), x=c.normal(*a))

idx = torch.tensor([4, 0, 4, 2, 2, 4])
c.add("gather/rows", lambda x, index: x[index], ints={"index": idx}, x=c.normal(5, 7))
c.add("gather/wide", lambda x, index: x.reshape(-1, 150)[index], ints={"index": idx}, x=c.normal(2, 3, 150))
c.add("gather/none", lambda x, index: x[index], ints={"index": torch.zeros(0, dtype=torch.int64)}, x=c.normal(5, 2))


def scatter(x, index, n):
    return torch.zeros(n, x.shape[-1]).index_add(0, index, x.reshape(-1, x.shape[-1]))


c.add("scatter/rows", lambda x, index: scatter(x, index, 6), ints={"index": idx}, x=c.normal(6, 7))
c.add("scatter/wide", lambda x, index: scatter(x, index, 5), ints={"index": idx}, x=c.normal(2, 3, 150))
c.add("scatter/none", lambda x, index: scatter(x, index, 2), ints={"index": torch.zeros(0, dtype=torch.int64)}, x=c.normal(0, 3))

ids = torch.tensor([[1, 0, 6], [6, 6, 3]])
c.add("embedding/plain", lambda w, ids: F.embedding(ids, w), ints={"ids": ids}, w=c.normal(7, 5))
c.add("embedding/wide", lambda w, ids: F.embedding(ids, w), ints={"ids": ids}, w=c.normal(7, 261))
c.add("embedding/none", lambda w, ids: F.embedding(ids, w), ints={"ids": torch.zeros(0, 2, dtype=torch.int64)}, w=c.normal(3, 4))

for shape, groups in [((2, 6, 3, 5), 2), ((2, 6, 3, 5), 3), ((1, 8, 1, 1), 4), ((3, 4, 7), 2), ((2, 5, 2, 2), 5), ((2, 5, 2, 2), 1), ((0, 4, 2, 2), 2)]:
    tag = "x".join(map(str, shape)) + "/" + str(groups)
    c.add(f"shuffle/{tag}", lambda x: F.channel_shuffle(x, groups) if x.numel() else x * 1, x=c.normal(*shape))
c.write()
