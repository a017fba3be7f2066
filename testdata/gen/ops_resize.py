"""Goldens of autograd's resizing and patches: autograd/testdata/ops_resize.safetensors.

The integers of a resize are the size of the result, align_corners, antialias, and 1000 times the scale
factors (0 for none); those of a patch case are the patch, then height and width.
"""

import torch
import torch.nn.functional as F
from opcases import Cases, golden

torch.use_deterministic_algorithms(False)  # some gradients exist in no other form
c = Cases(golden("autograd", "ops_resize.safetensors"), seed=23)

SIZES = {
    "up": ((2, 2, 3, 4), (7, 9)),
    "double": ((1, 2, 4, 3), (8, 6)),
    "down": ((1, 2, 9, 11), (4, 5)),
    "mixed": ((1, 2, 7, 4), (3, 9)),
    "same": ((1, 1, 4, 5), (4, 5)),
    "toone": ((1, 2, 5, 4), (1, 1)),
    "fromone": ((1, 2, 1, 1), (3, 4)),
    "row": ((1, 2, 1, 6), (1, 9)),
    "far": ((1, 1, 2, 31), (3, 6)),
    "empty": ((0, 2, 3, 4), (6, 5)),
}
for tag, (xs, size) in SIZES.items():
    x = c.normal(*xs)
    o = lambda align=0, anti=0: {"o": torch.tensor([*size, align, anti, 0, 0])}
    c.add(f"nearest/{tag}", lambda x, o: F.interpolate(x, size, mode="nearest"), ints=o(), x=x)
    for mode in ("bilinear", "bicubic"):
        c.add(f"{mode}/{tag}", lambda x, o: F.interpolate(x, size, mode=mode), ints=o(), x=x)
        c.add(f"{mode}/{tag}-corners", lambda x, o: F.interpolate(x, size, mode=mode, align_corners=True), ints=o(1), x=x)
        if xs[0]:
            c.add(f"{mode}/{tag}-antialias", lambda x, o: F.interpolate(x, size, mode=mode, antialias=True), ints=o(0, 1), x=x)
            c.add(f"{mode}/{tag}-antialias-corners",
                  lambda x, o: F.interpolate(x, size, mode=mode, antialias=True, align_corners=True), ints=o(1, 1), x=x)

# Factors that are not the ratio of the sizes, as older position-table resizes pass them.
for tag, xs, factor in [("up", (1, 2, 5, 4), (1.7, 2.3)), ("down", (1, 2, 9, 8), (0.45, 0.7)), ("table", (1, 3, 7, 7), (5.1 / 7, 5.1 / 7))]:
    x = c.normal(*xs)
    factor = tuple(round(v, 3) for v in factor)
    size = [int(n * v) for n, v in zip(xs[2:], factor)]
    o = {"o": torch.tensor([*size, 0, 0, *(round(1000 * v) for v in factor)])}
    for mode in ("nearest", "bilinear", "bicubic"):
        c.add(f"{mode}/factor-{tag}", lambda x, o: F.interpolate(x, scale_factor=factor, mode=mode), ints=o, x=x)

# Which pixel is nearest depends on float32 rounding: every pair of sizes up to 48, one row each.
for n in range(1, 49):
    x = torch.arange(n, dtype=torch.float32).reshape(1, 1, 1, n)
    rows = [F.interpolate(x, (1, m), mode="nearest").flatten() for m in range(1, 49)]
    c.tensors[f"nearestrow/{n}"] = torch.cat(rows).byte().numpy()


def last(x, p):
    n, ch, h, w = x.shape
    return torch.einsum("nchpwq->nhwpqc", x.reshape(n, ch, h // p, p, w // p, p)).reshape(n, h * w // p**2, p * p * ch)


for tag, xs, p in [("plain", (2, 3, 8, 12), 4), ("one", (1, 2, 3, 4), 1), ("whole", (2, 1, 5, 5), 5), ("empty", (0, 3, 4, 4), 2)]:
    x = c.normal(*xs)
    o = {"o": torch.tensor([p, *xs[2:]])}
    c.add(f"patchify/{tag}", lambda x, o: F.unfold(x, p, stride=p).transpose(1, 2) if len(x) else x.reshape(0, 4, 12), ints=o, x=x)
    c.add(f"patchlast/{tag}", lambda x, o: last(x, p), ints=o, x=x)
    y = last(x, p)

    def back(y, o):
        n, ch, h, w = xs
        return torch.einsum("nhwpqc->nchpwq", y.reshape(n, h // p, w // p, p, p, ch)).reshape(xs)

    c.add(f"unpatchify/{tag}", back, ints=o, y=y)
c.write()
