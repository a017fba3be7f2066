"""Goldens of autograd's activations and linear layers: autograd/testdata/ops_activation.safetensors."""

import torch
import torch.nn.functional as F
from opcases import Cases, golden

c = Cases(golden("autograd", "ops_activation.safetensors"), seed=1)
for shape in [(), (1,), (0, 3), (3, 5, 7), (2, 1, 67)]:
    tag = "x".join(map(str, shape)) or "scalar"
    # Kinks at zero are kept away from, for the finite differences.
    x = c.normal(*shape, scale=2)
    x = torch.where(x.abs() < 0.05, torch.full_like(x, 0.5), x)
    c.add(f"relu/{tag}", lambda x: F.relu(x), x=x)
    c.add(f"leaky/{tag}", lambda x: F.leaky_relu(x, 0.1), x=x)
    c.add(f"gelu/{tag}", lambda x: F.gelu(x), x=x)
    c.add(f"gelutanh/{tag}", lambda x: F.gelu(x, approximate="tanh"), x=x)
    c.add(f"quickgelu/{tag}", lambda x: x * torch.sigmoid(1.702 * x), x=x)
    c.add(f"silu/{tag}", lambda x: F.silu(x), x=x)
    c.add(f"sigmoid/{tag}", lambda x: torch.sigmoid(x), x=x)
    c.add(f"tanh/{tag}", lambda x: torch.tanh(x), x=x)

for tag, lead, i, o in [("odd", (3, 5), 7, 11), ("row", (1,), 33, 17), ("one", (2, 1), 1, 1), ("empty", (0, 4), 5, 6)]:
    x, w, b, r = c.normal(*lead, i), c.normal(o, i), c.normal(o), c.normal(*lead, o)
    c.add(f"linear/{tag}", lambda x, w, b: F.linear(x, w, b), x=x, w=w, b=b)
    c.add(f"linearnobias/{tag}", lambda x, w: F.linear(x, w), x=x, w=w)
    c.add(f"lineargelu/{tag}", lambda x, w, b: F.gelu(F.linear(x, w, b)), x=x, w=w, b=b)
    c.add(f"linearadd/{tag}", lambda x, w, b, r: r + F.linear(x, w, b), x=x, w=w, b=b, r=r)

for tag, lead, i, o in [("odd", (3, 5), 7, 11), ("row", (1,), 33, 17), ("empty", (0, 4), 5, 6)]:
    x, w, b, r = c.normal(*lead, i), c.normal(o, i), c.normal(o), c.normal(*lead, o)
    c.add(f"actlinear/{tag}", lambda x, w, b, r: r + F.linear(F.gelu(x), w, b), x=x, w=w, b=b, r=r)
c.write()
