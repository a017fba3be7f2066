"""Goldens of autograd's masks and comparisons: autograd/testdata/ops_where.safetensors."""

import torch
from opcases import Cases, golden

c = Cases(golden("autograd", "ops_where.safetensors"), seed=21)

# Masks come as float inputs that get no gradient: zeros, ones, and other numbers that count as true.
TRIPLES = [
    ("same", (3, 5, 7), (3, 5, 7), (3, 5, 7)),
    ("mask", (5, 1), (3, 5, 7), (3, 5, 7)),
    ("first", (3, 5, 7), (7,), (3, 5, 7)),
    ("numbers", (4, 9), (), (1, 1)),
    ("outer", (7, 1, 1), (1, 3, 1), (1, 1, 9)),
    ("wide", (2, 1, 3, 4), (2, 5, 1, 4), (5, 3, 1)),
    ("scalars", (), (), ()),
    ("long", (10, 1, 32), (1, 30, 32), (30, 1)),
    ("empty", (0, 3), (3,), (1, 3)),
]
for tag, ms, xs, ys in TRIPLES:
    mask = c.ints(0, 2, *ms).float() * c.uniform(-2, 2, *ms)
    x, y = c.normal(*xs), c.normal(*ys)
    c.add(f"where/{tag}", lambda mask, x, y: torch.where(mask.detach() != 0, x, y), mask=mask, x=x, y=y)
    c.add(f"fill/{tag}", lambda mask, x: torch.masked_fill(x, mask.detach() != 0, -2.5), mask=mask, x=x)

PAIRS = [
    ("same", (3, 5, 7), (3, 5, 7)),
    ("bias", (4, 3, 19), (19,)),
    ("outer", (7, 1), (1, 9)),
    ("scalar", (3, 5), ()),
    ("left", (), (3, 5)),
    ("long", (5500,), (3, 1)),
    ("empty", (0, 3), (3,)),
]
OPS = {"equal": torch.eq, "notequal": torch.ne, "less": torch.lt, "lessequal": torch.le, "greater": torch.gt, "greaterequal": torch.ge}
for tag, xs, ys in PAIRS:
    # Multiples of a half, plus a quarter in y: no two are near each other, for the finite differences.
    x, y = torch.round(c.normal(*xs) * 2) / 2, torch.round(c.normal(*ys) * 2) / 2 + 0.25
    for name, op in OPS.items():
        if tag == "long" and name != "less":
            continue
        c.add(f"{name}/{tag}", lambda x, y: op(x, y).float(), x=x, y=y)
c.write()
