"""Goldens of autograd's gated products: autograd/testdata/ops_gated.safetensors.

Linear layers of timm's GluMlp are replaced by nothing, so that the product of the halves is left.
"""

import torch
import torch.nn.functional as F
from opcases import Cases, golden
from timm.layers import GluMlp
from torch import nn

c = Cases(golden("autograd", "ops_gated.safetensors"), seed=44)
gelu_tanh = lambda: nn.GELU(approximate="tanh")
acts = {"silu": nn.SiLU, "gelu": nn.GELU, "gelutanh": gelu_tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid, "none": nn.Identity}
for name, act in acts.items():
    for tag, last in [("first", False), ("last", True)]:
        mlp = GluMlp(2, 2, act_layer=act, gate_last=last)
        mlp.fc1 = mlp.fc2 = nn.Identity()
        for shape in [(2, 3, 34), (0, 4), (1, 2)]:
            x = c.normal(*shape, scale=2)
            c.add(f"{name}/{tag}/{'x'.join(map(str, shape))}", lambda x: mlp(x), x=x)

# PyTorch's and transformers' own orders.
x = c.normal(3, 8)
c.add("sigmoid/last/glu", lambda x: F.glu(x), x=x)


def gate_up(x):  # as in Phi3MLP of transformers
    gate, up = x.chunk(2, dim=-1)
    return up * F.silu(gate)


c.add("silu/first/gate_up", gate_up, x=x)
c.write()
