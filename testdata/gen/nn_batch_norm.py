"""Writes nn/testdata/batch_norm.safetensors: frozen batch normalization, and layers that one is folded into.

    python testdata/gen/nn_batch_norm.py               # from the module's root

    frozen/...   torchvision's FrozenBatchNorm2d: input, parameters, output, an upstream gradient and that of the input
    conv/...     torch.nn.utils.fusion.fuse_conv_bn_eval, with and without a bias, of a grouped convolution
    linear/...   fuse_linear_bn_eval

Seed 1; versions as in requirements.txt.
"""

import os

import torch
import torchvision
from safetensors.torch import save_file
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

torch.set_num_threads(1)
torch.manual_seed(1)
tensors = {}


def put(name, **values):
    for k, v in values.items():
        if v is not None:
            tensors[f"{name}/{k}"] = v.detach().clone().contiguous()


def statistics(norm):
    for key, draw in (("weight", torch.randn), ("bias", torch.randn), ("running_mean", torch.randn), ("running_var", torch.rand)):
        v = getattr(norm, key)
        if v is not None:
            v.data = draw(v.shape) + (0.1 if key == "running_var" else 0)
    return dict(gamma=norm.weight, beta=norm.bias, mean=norm.running_mean, variance=norm.running_var)


x = torch.randn(2, 4, 3, 5, requires_grad=True)
norm = torchvision.ops.FrozenBatchNorm2d(4)
held = statistics(norm)
y = norm(x)
dy = torch.randn(y.shape)
y.backward(dy)
put("frozen", x=x, y=y, dy=dy, dx=x.grad, **held)

for name, bias, affine in (("conv/bias", True, True), ("conv/plain", False, False)):
    conv = torch.nn.Conv2d(4, 6, 3, padding=1, groups=2, bias=bias).eval()
    norm = torch.nn.BatchNorm2d(6, eps=1e-3, affine=affine).eval()
    held = statistics(norm)
    x = torch.randn(2, 4, 5, 5)
    fused = fuse_conv_bn_eval(conv, norm)
    put(name, x=x, y=norm(conv(x)), weight=conv.weight, bias=conv.bias, fused_weight=fused.weight, fused_bias=fused.bias, **held)

linear, norm = torch.nn.Linear(5, 7).eval(), torch.nn.BatchNorm1d(7).eval()
held = statistics(norm)
x = torch.randn(3, 5)
fused = fuse_linear_bn_eval(linear, norm)
put("linear", x=x, y=norm(linear(x)), weight=linear.weight, bias=linear.bias, fused_weight=fused.weight, fused_bias=fused.bias, **held)

os.makedirs("nn/testdata", exist_ok=True)
save_file(tensors, "nn/testdata/batch_norm.safetensors", metadata={
    "script": "nn_batch_norm.py",
    "versions": f"torch {torch.__version__.split('+')[0]}, torchvision {torchvision.__version__.split('+')[0]}",
    "seed": "1",
})
