"""Goldens of autograd's activations by name: autograd/testdata/ops_activation_names.safetensors.

Each name that simd's table of activations has is the function that transformers, or else timm, has under it.
"""

import torch
from opcases import Cases, golden
from timm.layers import get_act_layer
from transformers.activations import ACT2FN

c = Cases(golden("autograd", "ops_activation_names.safetensors"), seed=1)

# The erf and tanh forms of GELU differ by up to 4.7e-4 between 2 and 3: near values tell them apart.
inputs = {"near": c.uniform(-4, 4, 120), "far": c.normal(30, scale=40)}
for tag, x in inputs.items():
    for kink in [-3, 0, 3, 6]:  # away from kinks, for the finite differences
        x = torch.where((x - kink).abs() < 0.05, torch.full_like(x, kink + 0.5), x)
    inputs[tag] = x

for name in [
    "linear", "relu", "gelu", "gelu_python", "gelu_pytorch_tanh", "gelu_new", "gelu_fast", "gelu_accurate",
    "gelu_python_tanh", "quick_gelu", "silu", "swish", "sigmoid", "tanh", "leaky_relu",
    "relu6", "relu2", "hardswish", "mish",
]:
    f = ACT2FN[name] if name in ACT2FN else get_act_layer(name)()
    for tag, x in inputs.items():
        c.add(f"{name}/{tag}", f, input=x)
c.write()
