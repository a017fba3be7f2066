"""Goldens of autograd's elementwise operations: autograd/testdata/ops_arith.safetensors."""

import torch
from opcases import Cases, golden

c = Cases(golden("autograd", "ops_arith.safetensors"), seed=11)


def away(x, points, margin=0.05):
    """Moves values off the kinks, for the finite differences."""
    for p in points:
        x = torch.where((x - p).abs() < margin, torch.full_like(x, p + 3 * margin), x)
    return x


PAIRS = [
    ("same", (3, 5, 7), (3, 5, 7)),
    ("bias", (4, 3, 19), (19,)),
    ("suffix", (4, 3, 5), (3, 5)),
    ("suffixleft", (3, 5), (4, 3, 5)),
    ("perrow", (3, 4, 17), (3, 4, 1)),
    ("middle", (2, 3, 4, 5), (2, 1, 1, 5)),
    ("channel", (2, 3, 4, 5), (3, 1, 1)),
    ("leading", (1, 3, 5), (4, 3, 5)),
    ("both", (4, 1, 5), (3, 1)),
    ("outer", (7, 1), (1, 9)),
    ("scalar", (3, 5), ()),
    ("one", (3, 5), (1, 1)),
    ("scalarleft", (1,), (2, 3)),
    ("scalars", (), ()),
    ("ranks", (1,), (1, 1, 1)),
    ("long", (270, 5), (5,)),
    ("tall", (4100,), (1,)),
    ("empty", (0, 3), (3,)),
    ("emptyone", (0, 1), (1, 4)),
    ("emptyboth", (2, 0), (2, 0)),
]
for tag, xs, ys in PAIRS:
    x, y = c.normal(*xs), c.normal(*ys)
    if tag in ("long", "tall"):
        c.add(f"mul/{tag}", lambda x, y: x * y, x=x, y=y)
        if tag == "tall":
            continue
    c.add(f"add/{tag}", lambda x, y: x + y, x=x, y=y)
    if tag == "long":
        continue
    c.add(f"sub/{tag}", lambda x, y: x - y, x=x, y=y)
    if tag != "long":
        c.add(f"mul/{tag}", lambda x, y: x * y, x=x, y=y)
    d = torch.where(y < 0, y - 0.5, y + 0.5)
    c.add(f"div/{tag}", lambda x, y: x / y, x=x, y=d)
    if y.numel() <= x.numel():
        apart = torch.where((x - y).abs() < 0.05, x + 0.2, x)
        c.add(f"maximum/{tag}", lambda x, y: torch.maximum(x, y), x=apart, y=y)
        c.add(f"minimum/{tag}", lambda x, y: torch.minimum(x, y), x=apart, y=y)
x = c.normal(3, 5)
c.add("square/self", lambda x: x * x, x=x)
c.add("double/self", lambda x: x + x, x=x)

for shape in [(), (1,), (0, 3), (3, 5, 7), (2, 1, 67)]:
    tag = "x".join(map(str, shape)) or "scalar"
    x = c.normal(*shape)
    p = c.uniform(0.2, 3, *shape)
    c.add(f"addscalar/{tag}", lambda x: x + 1.25, x=x)
    c.add(f"scale/{tag}", lambda x: x * -0.7, x=x)
    c.add(f"exp/{tag}", lambda x: torch.exp(x), x=x)
    c.add(f"log/{tag}", lambda x: torch.log(x), x=p)
    c.add(f"sqrt/{tag}", lambda x: torch.sqrt(x), x=p)
    c.add(f"reciprocal/{tag}", lambda x: torch.reciprocal(x), x=p)
    c.add(f"unarysquare/{tag}", lambda x: torch.square(x), x=x)
    c.add(f"neg/{tag}", lambda x: torch.neg(x), x=x)
    c.add(f"abs/{tag}", lambda x: torch.abs(x), x=away(x, [0.0]))
    c.add(f"clamp/{tag}", lambda x: torch.clamp(x, -0.5, 0.75), x=away(x, [-0.5, 0.75]))

# Kinks, without finite differences.
k = torch.tensor([-1.0, -0.5, -0.0, 0.0, 0.25, 0.75, 1.0])
c.add("kinkabs", lambda x: torch.abs(x), x=k)
c.add("kinkmaximum", lambda x, y: torch.maximum(x, y), x=k, y=torch.tensor([-1.0, 0.0, 0.0, 0.0, 0.25, 0.0, 2.0]))
c.write()
