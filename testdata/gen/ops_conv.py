"""Goldens of autograd's convolutions: autograd/testdata/ops_conv.safetensors.

The integers of a case are its options, (vertical, horizontal): stride, padding, dilation, output padding
(transposed convolutions only), then groups.
"""

import torch
import torch.nn.functional as F
from opcases import Cases, golden

c = Cases(golden("autograd", "ops_conv.safetensors"), seed=21)

# name: x, w, stride, padding, dilation, groups
CASES = {
    "plain": ((2, 3, 7, 9), (4, 3, 3, 3), (1, 1), (0, 0), (1, 1), 1),
    "same": ((1, 2, 5, 6), (3, 2, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    "stride": ((2, 3, 8, 7), (5, 3, 3, 2), (2, 3), (1, 0), (1, 1), 1),
    "dilated": ((1, 2, 9, 11), (3, 2, 3, 2), (1, 2), (2, 1), (2, 3), 1),
    "groups": ((2, 6, 5, 4), (9, 2, 3, 3), (1, 1), (1, 1), (1, 1), 3),
    "groupstride": ((1, 4, 7, 8), (4, 2, 2, 3), (2, 2), (0, 1), (1, 1), 2),
    "pointwise": ((2, 5, 4, 7), (6, 5, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    "pointgroups": ((2, 6, 3, 3), (4, 3, 1, 1), (1, 1), (0, 0), (1, 1), 2),
    "pointstride": ((1, 3, 5, 6), (4, 3, 1, 1), (2, 2), (0, 0), (1, 1), 1),
    "pointpad": ((1, 2, 3, 2), (3, 2, 1, 1), (1, 1), (1, 2), (1, 1), 1),
    "patch": ((2, 3, 8, 12), (5, 3, 4, 4), (4, 4), (0, 0), (1, 1), 1),
    "depthwise": ((2, 5, 7, 6), (5, 1, 3, 3), (1, 1), (1, 1), (1, 1), 5),
    "depthvalid": ((1, 3, 6, 8), (3, 1, 3, 2), (1, 1), (0, 0), (1, 1), 3),
    "depthstride": ((2, 3, 9, 8), (3, 1, 3, 5), (2, 3), (1, 2), (1, 1), 3),
    "depthdilated": ((1, 4, 9, 10), (4, 1, 3, 3), (2, 1), (2, 3), (3, 2), 4),
    "depthmany": ((2, 3, 5, 6), (6, 1, 3, 3), (2, 1), (1, 1), (1, 1), 3),
    "depthsparse": ((1, 2, 9, 9), (2, 1, 2, 2), (4, 3), (0, 1), (1, 1), 2),
    "one": ((1, 1, 1, 1), (1, 1, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    "wide": ((1, 1, 1, 9), (2, 1, 1, 4), (1, 2), (0, 3), (1, 1), 1),
    "onechannel": ((2, 1, 6, 6), (3, 1, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    "allpadding": ((1, 2, 2, 2), (3, 2, 2, 2), (2, 2), (3, 3), (1, 1), 1),
    "empty": ((0, 3, 5, 5), (4, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    "emptydepth": ((0, 3, 5, 5), (3, 1, 3, 3), (1, 1), (1, 1), (1, 1), 3),
}
for tag, (xs, ws, s, p, d, g) in CASES.items():
    def conv(x, w, o, b=None):
        return F.conv2d(x, w, b, s, p, d, g)

    o = torch.tensor([*s, *p, *d, g])
    x, w, b = c.normal(*xs), c.normal(*ws, scale=0.5), c.normal(ws[0])
    c.add(f"conv/{tag}", conv, ints={"o": o}, x=x, w=w, b=b)
    if tag in ("plain", "pointwise", "depthstride"):
        c.add(f"convnobias/{tag}", conv, ints={"o": o}, x=x, w=w)

# name: x, w, stride, padding, dilation, output padding, groups
CASES = {
    "plain": ((2, 3, 4, 5), (3, 4, 3, 3), (1, 1), (0, 0), (1, 1), (0, 0), 1),
    "double": ((1, 4, 3, 4), (4, 2, 2, 2), (2, 2), (0, 0), (1, 1), (0, 0), 1),
    "stride": ((2, 3, 4, 3), (3, 2, 3, 4), (2, 3), (1, 2), (1, 1), (1, 2), 1),
    "dilated": ((1, 2, 4, 3), (2, 3, 2, 3), (2, 1), (1, 1), (3, 2), (2, 1), 1),
    "groups": ((2, 4, 3, 4), (4, 3, 3, 3), (2, 2), (1, 1), (1, 1), (1, 1), 2),
    "pointwise": ((2, 3, 4, 5), (3, 4, 1, 1), (1, 1), (0, 0), (1, 1), (0, 0), 1),
    "depthwise": ((2, 3, 4, 5), (3, 1, 4, 4), (2, 2), (1, 1), (1, 1), (0, 0), 3),
    "depthplain": ((1, 3, 4, 5), (3, 1, 3, 3), (1, 1), (0, 0), (1, 1), (0, 0), 3),
    "one": ((1, 1, 1, 1), (1, 1, 3, 2), (1, 1), (0, 0), (1, 1), (0, 0), 1),
    "empty": ((0, 3, 4, 5), (3, 4, 3, 3), (2, 2), (1, 1), (1, 1), (0, 0), 1),
}
for tag, (xs, ws, s, p, d, op, g) in CASES.items():
    def conv(x, w, o, b=None):
        return F.conv_transpose2d(x, w, b, s, p, op, g, d)

    o = torch.tensor([*s, *p, *d, *op, g])
    x, w, b = c.normal(*xs), c.normal(*ws, scale=0.5), c.normal(ws[1] * g)
    c.add(f"transpose/{tag}", conv, ints={"o": o}, x=x, w=w, b=b)
    if tag == "stride":
        c.add(f"transposenobias/{tag}", conv, ints={"o": o}, x=x, w=w)
# Steps after the sum: the activation of the case, after a residual in those that have one.
ACTS = {
    "plain": ((2, 3, 7, 9), (4, 3, 3, 3), (1, 1), 1, "relu"),
    "many": ((3, 4, 5, 5), (6, 4, 3, 3), (1, 1), 1, "silu"),
    "stride": ((2, 4, 8, 7), (6, 2, 3, 3), (2, 2), 2, "gelu"),
    "pointwise": ((2, 5, 4, 7), (6, 5, 1, 1), (1, 1), 1, "hardswish"),
    "depthwise": ((2, 4, 9, 8), (8, 1, 3, 3), (1, 1), 4, "mish"),
    "depthrelu": ((1, 4, 9, 8), (4, 1, 5, 5), (2, 2), 4, "relu"),
    "identity": ((2, 3, 6, 5), (3, 3, 3, 3), (1, 1), 1, "linear"),
}
for tag, (xs, ws, s, g, act) in ACTS.items():
    f = (lambda y: y) if act == "linear" else getattr(F, act)
    p = (ws[2] // 2, ws[3] // 2)

    def conv(x, w, b, o, r=None):
        y = F.conv2d(x, w, b, s, p, 1, g)
        return f(y if r is None else y + r)

    o = torch.tensor([*s, *p, 1, 1, g])
    x, w, b = c.normal(*xs), c.normal(*ws, scale=0.5), c.normal(ws[0])
    r = c.normal(*F.conv2d(x, w, b, s, p, 1, g).shape)
    c.add(f"convact/{tag}/{act}", conv, ints={"o": o}, x=x, w=w, b=b)
    if act != "relu":  # a sum of random numbers may be near its kink, where finite differences fail
        c.add(f"convadd/{tag}/{act}", conv, ints={"o": o}, x=x, w=w, b=b, r=r)

# Large enough for Winograd's algorithm.
x, w, b = c.normal(1, 32, 7, 20), c.normal(32, 32, 3, 3, scale=0.1), c.normal(32)
c.add("conv/winograd", lambda x, w, b, o: F.conv2d(x, w, b, 1, 1), ints={"o": torch.tensor([1, 1, 1, 1, 1, 1, 1])}, x=x, w=w, b=b)
c.write()
