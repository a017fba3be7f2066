"""Goldens of autograd's region pooling: autograd/testdata/ops_roi.safetensors.

Inputs "rois" are the boxes as torchvision takes them: image, x0, y0, x1, y1. The integers of a case are the size of the
result, 1000 times spatial_scale, sampling_ratio and aligned.
"""

import torch
from torchvision.ops import roi_align, roi_pool
from opcases import Cases, golden

torch.use_deterministic_algorithms(False)  # some gradients exist in no other form
c = Cases(golden("autograd", "ops_roi.safetensors"), seed=71)


def boxes(n, k, h, w):
    """Boxes of all sizes, some of which exceed the image."""
    a = torch.stack([c.uniform(-3, w, k), c.uniform(-3, h, k)], 1)
    b = a + torch.stack([c.uniform(0.5, w, k), c.uniform(0.5, h, k)], 1)
    return torch.cat([c.ints(0, n, k, 1).float(), a, b], 1)


odd = torch.tensor([
    [0, 6, 5, 2, 1],  # inverted
    [0, 6, 1, 2, 4],  # inverted across
    [1, 3, 3, 3, 3],  # without area
    [1, -9, -9, -4, -4],  # outside
    [0, 20, 20, 30, 30],
    [1, 0, 0, 9, 7],  # the image
    [0, -40, -50, 60, 70],  # much larger
    [1, 8.5, 6.5, 9.5, 7.5],  # across the corner
    [0, -1, -1, 0, 0],
    [0, 2.5, 1.5, 4.5, 3.5],  # half pixels
])

# The values of a maximum are further apart than finite differences move them.
def distinct(*shape):
    n = torch.Size(shape).numel()
    return (torch.from_numpy(c.rng.permutation(n)).float() * 0.05 - n * 0.025).reshape(shape)


for tag, xs, rois, size, scale in [
    ("plain", (2, 3, 7, 9), boxes(2, 6, 7, 9), (3, 4), 1),
    ("odd", (2, 2, 7, 9), odd, (2, 3), 1),
    ("stride", (1, 2, 12, 10), boxes(1, 5, 12, 10) * torch.tensor([1, 4, 4, 4, 4]), (7, 7), 0.25),
    ("one", (3, 1, 1, 1), boxes(3, 4, 1, 1), (2, 2), 1),
    ("large", (1, 1, 30, 40), boxes(1, 3, 30, 40), (1, 2), 1),
    ("none", (1, 2, 4, 4), torch.zeros(0, 5), (2, 2), 1),
]:
    x = c.normal(*xs)
    for align in (0, 1):
        for ratio in (-1, 1, 2, 3):
            if tag in ("stride", "large") and ratio in (1, 3):
                continue
            o = {"o": torch.tensor([*size, round(1000 * scale), ratio, align])}
            some = rois
            if align and ratio < 0:  # a box inverted in one dimension ends in an exception
                some = rois[(rois[:, 3] > rois[:, 1]) == (rois[:, 4] > rois[:, 2])]
            c.add(f"align/{tag}-{ratio % 4}-{align}",
                  lambda x, rois, o: roi_align(x, rois, size, scale, ratio, bool(align)), ints=o, x=x, rois=some)
    o = {"o": torch.tensor([*size, round(1000 * scale), 0, 0])}
    c.add(f"pool/{tag}", lambda x, rois, o: roi_pool(x, rois, size, scale), ints=o, x=distinct(*xs), rois=rois)
c.write()
