"""Goldens of what stops gradients: autograd/testdata/ops_detach.safetensors."""

import torch
from opcases import Cases, golden

c = Cases(golden("autograd", "ops_detach.safetensors"), seed=35)
for tag, shape in [("one", (1,)), ("some", (3, 5, 7)), ("empty", (0, 3))]:
    x, y = c.normal(*shape), c.normal(*shape)
    c.add(f"detach/{tag}", lambda x, y: x * y * (x * y).detach(), x=x, y=y)
    c.add(f"straight/{tag}", lambda x, y: (torch.sign(x) - torch.tanh(x)).detach() + torch.tanh(x) + y, x=x, y=y)
c.write()
