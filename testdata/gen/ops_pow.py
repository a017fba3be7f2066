"""Goldens of autograd's powers, sine, cosine, signs and running sums: autograd/testdata/ops_pow.safetensors."""

import torch
from opcases import Cases, golden

c = Cases(golden("autograd", "ops_pow.safetensors"), seed=23)

for tag, xs, ys in [
    ("same", (3, 5, 7), (3, 5, 7)),
    ("bias", (4, 3, 19), (19,)),
    ("outer", (7, 1), (1, 9)),
    ("scalar", (3, 5), ()),
    ("left", (1,), (2, 3)),
    ("scalars", (), ()),
    ("channel", (2, 3, 70), (3, 1)),
    ("long", (9, 50), (1,)),
    ("empty", (0, 3), (3,)),
]:
    c.add(f"pow/{tag}", lambda x, y: torch.pow(x, y), x=c.uniform(0.3, 2, *xs), y=c.uniform(-2, 3, *ys))
    for p in (0.0, 0.5, 1.0, 2.0, 3.0, -1.0, -0.7):
        if tag in ("same", "scalars", "empty"):
            x = c.uniform(0.3, 2, *xs)
            if p == int(p):
                x = x * c.ints(0, 2, *xs) * 2 - x
            c.add(f"powscalar/{tag}/{p}", lambda x: torch.pow(x, p), x=x)

# Zeros and negative bases, without finite differences.
x = torch.tensor([0.0, 0.0, 0.0, 0.0, 2.0, -2.0, -2.0, -2.0, 0.0])
y = torch.tensor([0.0, 2.0, 1.0, -1.0, 0.0, 3.0, 0.5, 0.0, 0.5])
c.add("edgepow", lambda x, y: torch.pow(x, y), x=x, y=y)

for shape in [(), (1,), (0, 3), (3, 5, 7), (2, 1100)]:
    tag = "x".join(map(str, shape)) or "scalar"
    x = c.normal(*shape, scale=4)
    c.add(f"sin/{tag}", lambda x: torch.sin(x), x=x)
    c.add(f"cos/{tag}", lambda x: torch.cos(x), x=x)
    c.add(f"sign/{tag}", lambda x: torch.sign(x), x=torch.where(x.abs() < 0.1, x + 0.3, x))
c.add("large", lambda x: (torch.sin(x), torch.cos(x)), x=c.normal(64, scale=1e6))

for shape, dim in [((7,), 0), ((1,), 0), ((0, 3), 0), ((3, 0), 1), ((3, 5), -1), ((3, 5), 0), ((2, 9, 70), 1), ((2, 3, 1), 2), ((30, 300), 1), ((130, 65), 0)]:
    tag = "x".join(map(str, shape)) + f"/{dim}"
    c.add(f"cumsum/{tag}", lambda x, d: torch.cumsum(x, int(d)), ints={"d": torch.tensor([dim])}, x=c.normal(*shape))
c.write()
