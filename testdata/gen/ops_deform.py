"""Goldens of autograd's deformable convolution: autograd/testdata/ops_deform.safetensors.

The integers of a case are stride, padding and dilation, each vertical and horizontal, and the groups of the weight.
"""

import torch
from torchvision.ops import deform_conv2d
from opcases import Cases, golden

c = Cases(golden("autograd", "ops_deform.safetensors"), seed=73)


def case(name, xs, ws, offsets=1, stride=(1, 1), pad=(0, 0), dilation=(1, 1), mask=True, bias=True, far=2):
    oh, ow = ((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, p, d, k, s in zip(xs[2:], pad, dilation, ws[2:], stride))
    taps = ws[2] * ws[3] * offsets
    shape = (xs[0], 2 * taps, oh, ow)
    # Away from whole pixels, where differences have kinks.
    ins = {"x": c.normal(*xs), "offset": c.ints(-far, far, *shape).float() + c.uniform(0.1, 0.9, *shape), "w": c.normal(*ws, scale=0.5)}
    if mask:
        ins["mask"] = c.uniform(0, 1, xs[0], taps, oh, ow)
    if bias:
        ins["b"] = c.normal(ws[0])
    c.add(name, lambda x, offset, w, o, mask=None, b=None: deform_conv2d(x, offset, w, b, stride, pad, dilation, mask),
          ints={"o": torch.tensor([*stride, *pad, *dilation, xs[1] // ws[1]])}, **ins)


case("plain", (2, 3, 6, 5), (4, 3, 3, 3), pad=(1, 1))
case("v1", (2, 3, 6, 5), (4, 3, 3, 3), pad=(1, 1), mask=False)
case("nobias", (1, 2, 5, 5), (2, 2, 1, 1), bias=False)
case("far", (1, 2, 4, 5), (3, 2, 3, 2), pad=(2, 1), far=7)
case("stride", (1, 2, 9, 8), (3, 2, 3, 2), stride=(2, 3), pad=(1, 0))
case("dilation", (1, 2, 9, 8), (3, 2, 2, 3), dilation=(3, 2), pad=(2, 2))
case("groups", (2, 4, 5, 4), (6, 2, 3, 3), pad=(1, 1))
case("offsets", (1, 6, 5, 4), (2, 6, 3, 3), offsets=3, pad=(1, 1))
case("both", (1, 4, 5, 6), (4, 1, 2, 2), offsets=2)
case("tiles", (1, 1, 36, 64), (1, 1, 1, 1), mask=False)  # more positions than a tile has
case("none", (0, 2, 4, 4), (3, 2, 3, 3))
c.write()
