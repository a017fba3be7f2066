"""Golden of the math mode bf16 by PyTorch's autocast: autograd/testdata/math_modes.safetensors.

A transformer block, a product and convolutions, in float64 and in float32 under torch.autocast("cpu", torch.bfloat16): results and
gradients. PyTorch also rounds the results of its products to bfloat16, which the library does not.
"""

import torch
import torch.nn.functional as F
from opcases import Cases, golden

path = golden("autograd", "math_modes.safetensors")
c = Cases(path, 170)
D, HEADS, HIDDEN = 32, 2, 64


def block(x, g1, b1, qkv, qkvb, proj, projb, g2, b2, up, upb, down, downb):
    n, t, _ = x.shape
    y = F.linear(F.layer_norm(x, (D,), g1, b1, 1e-6), qkv, qkvb).view(n, t, 3, HEADS, D // HEADS).permute(2, 0, 3, 1, 4)
    y = F.scaled_dot_product_attention(y[0], y[1], y[2]).transpose(1, 2).reshape(n, t, D)
    x = x + F.linear(y, proj, projb)
    return x + F.linear(F.gelu(F.linear(F.layer_norm(x, (D,), g2, b2, 1e-6), up, upb)), down, downb)


def matmul(a, b):
    return a @ b


def conv(x, w, b):
    return F.conv2d(x, w, b, padding=w.shape[-1] // 2)


def case(name, f, **inputs):
    seed = None
    for mode in ("exact", "autocast"):
        xs = {k: (v.double() if mode == "exact" else v.clone()).requires_grad_(True) for k, v in inputs.items()}
        with torch.autocast("cpu", torch.bfloat16, enabled=mode == "autocast"):
            y = f(**xs)
        if seed is None:
            seed = c.normal(*y.shape)
        (y * seed.to(y.dtype)).sum().backward()
        c.tensors[f"{name}/{mode}/out"] = y.detach().float().numpy()
        for k, x in xs.items():
            c.tensors[f"{name}/{mode}/grad/{k}"] = x.grad.float().numpy()
    c.tensors[f"{name}/seed"] = seed.numpy()
    for k, x in inputs.items():
        c.tensors[f"{name}/in/{k}"] = x.numpy()


w = 0.3
case("block", block, x=c.normal(2, 19, D), g1=1 + c.normal(D, scale=0.1), b1=c.normal(D, scale=0.1),
     qkv=c.normal(3 * D, D, scale=w), qkvb=c.normal(3 * D, scale=0.1), proj=c.normal(D, D, scale=w), projb=c.normal(D, scale=0.1),
     g2=1 + c.normal(D, scale=0.1), b2=c.normal(D, scale=0.1), up=c.normal(HIDDEN, D, scale=w), upb=c.normal(HIDDEN, scale=0.1),
     down=c.normal(D, HIDDEN, scale=w), downb=c.normal(D, scale=0.1))
case("matmul", matmul, a=c.normal(3, 9, 40), b=c.normal(3, 40, 7))
for name, k, channels in ("conv1x1", 1, 32), ("conv3x3", 3, 17):
    case(name, conv, x=c.normal(1, channels, 11, 12), w=c.normal(channels, channels, k, k, scale=0.1), b=c.normal(channels, scale=0.1))
c.write()
