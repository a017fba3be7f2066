"""Goldens of autograd's matrix products: autograd/testdata/ops_matmul.safetensors."""

import torch
from opcases import Cases, golden

c = Cases(golden("autograd", "ops_matmul.safetensors"), seed=14)
# Batch dimensions of a and b, then m, k, n; the last letters of a name say which are transposed.
CASES = [
    ("plain", (), (), 5, 7, 3),
    ("row", (), (), 1, 9, 17),
    ("column", (), (), 9, 4, 1),
    ("big", (), (), 33, 40, 37),
    ("fold", (2, 3), (), 5, 7, 4),
    ("left", (), (3,), 5, 7, 4),
    ("batch", (2, 3), (2, 3), 5, 6, 7),
    ("suffix", (4, 3), (3,), 3, 5, 2),
    ("prefix", (4, 1), (4, 3), 3, 5, 2),
    ("both", (4, 1), (1, 3), 3, 5, 2),
    ("middle", (2, 1, 3), (2, 4, 3), 2, 3, 5),
    ("one", (1,), (3,), 2, 3, 4),
    ("onefold", (3,), (1,), 2, 3, 4),
    ("nobatch", (0,), (), 2, 3, 4),
    ("nobatch2", (0,), (1,), 2, 3, 4),
    ("norows", (2,), (2,), 0, 3, 4),
    ("nodepth", (2,), (2,), 2, 0, 3),
    ("nocolumns", (3,), (1,), 2, 3, 0),
]
for tag, ba, bb, m, k, n in CASES:
    for ta in (False, True):
        for tb in (False, True):
            if (ta or tb) and tag in ("big", "row", "column"):
                continue
            a = c.normal(*ba, *((k, m) if ta else (m, k)))
            b = c.normal(*bb, *((n, k) if tb else (k, n)))
            f = lambda a, b: (a.mT if ta else a) @ (b.mT if tb else b)
            c.add(f"{'nt'[ta]}{'nt'[tb]}/{tag}", f, a=a, b=b)
x = c.normal(3, 4, 4)
c.add("square", lambda a: a @ a.mT, a=x)
c.write()
