"""Goldens of autograd's grid sampling: autograd/testdata/ops_gridsample.safetensors.

The integers of a case are the mode (0 nearest, 1 bilinear, 2 bicubic), the padding (0 zeros, 1 border, 2 reflection) and
align_corners.
"""

import torch
import torch.nn.functional as F
from opcases import Cases, golden

torch.use_deterministic_algorithms(False)  # some gradients exist in no other form
c = Cases(golden("autograd", "ops_gridsample.safetensors"), seed=72)
MODES, PADDINGS = ("nearest", "bilinear", "bicubic"), ("zeros", "border", "reflection")


def coordinates(n, align, *shape):
    """Coordinates from far left to far right of n pixels, away from whole and half pixels, where differences have kinks."""
    pos = c.ints(-n - 3, 2 * n + 3, *shape).float() + c.ints(0, 2, *shape) * 0.5 + c.uniform(0.1, 0.4, *shape)
    return pos * (2 / max(n - 1, 1)) - 1 if align else (pos + 0.5) * (2 / n) - 1


def case(name, xs, gs, mode, pad, align):
    x = c.normal(*xs)
    grid = torch.stack([coordinates(xs[3], align, xs[0], *gs), coordinates(xs[2], align, xs[0], *gs)], -1)
    c.add(name, lambda x, grid, o: F.grid_sample(x, grid, MODES[mode], PADDINGS[pad], bool(align)),
          ints={"o": torch.tensor([mode, pad, align])}, x=x, grid=grid)


for mode in range(3):
    for pad in range(3):
        for align in (0, 1):
            case(f"{MODES[mode]}/{PADDINGS[pad]}-{align}", (2, 2, 5, 6), (4, 5), mode, pad, align)
            case(f"{MODES[mode]}/{PADDINGS[pad]}-{align}-one", (1, 2, 1, 1), (3, 2), mode, pad, align)
    case(f"{MODES[mode]}/many", (1, 19, 3, 4), (9, 9), mode, mode, 0)
    case(f"{MODES[mode]}/none", (2, 2, 3, 4), (0, 5), mode, mode, 0)
# All inside.
x, grid = c.normal(2, 3, 6, 5), c.uniform(-0.75, 0.75, 2, 9, 8, 2)
grid = (((grid + 1) * torch.tensor([2.5, 3]) - 0.5).floor() + c.uniform(0.1, 0.9, 2, 9, 8, 2) + 0.5) / torch.tensor([2.5, 3]) - 1
c.add("bilinear/inside", lambda x, grid, o: F.grid_sample(x, grid, "bilinear", "zeros", False),
      ints={"o": torch.tensor([1, 0, 0])}, x=x, grid=grid)
c.write()
