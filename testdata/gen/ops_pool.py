"""Goldens of autograd's pooling: autograd/testdata/ops_pool.safetensors.

The integers of a case are kernel, stride, padding (vertical, horizontal), ceil mode and count_include_pad;
of an adaptive one, the size of the result.
"""

import torch
import torch.nn.functional as F
from opcases import Cases, golden

c = Cases(golden("autograd", "ops_pool.safetensors"), seed=22)


def apart(*shape):
    """Values at least 0.05 apart, so that a finite difference changes no winner."""
    n = 1
    for d in shape:
        n *= d
    return torch.from_numpy(c.rng.permutation(n).astype("float32")).reshape(shape) * 0.05 - n * 0.025


# name: x, kernel, stride, padding, ceil
CASES = {
    "plain": ((2, 3, 6, 8), (2, 2), (2, 2), (0, 0), False),
    "overlap": ((1, 2, 7, 6), (3, 3), (1, 1), (1, 1), False),
    "stem": ((1, 2, 9, 8), (3, 3), (2, 2), (1, 1), False),
    "ceil": ((1, 2, 8, 9), (3, 3), (2, 2), (0, 0), True),
    "ceildrop": ((1, 2, 5, 6), (2, 2), (3, 4), (1, 1), True),
    "ceilpad": ((1, 1, 7, 6), (3, 4), (2, 3), (1, 2), True),
    "mixed": ((2, 1, 7, 9), (2, 5), (3, 2), (1, 0), True),
    "row": ((1, 2, 1, 9), (1, 4), (1, 2), (0, 2), False),
    "one": ((1, 1, 1, 1), (1, 1), (1, 1), (0, 0), False),
    "sparse": ((1, 2, 9, 9), (2, 2), (4, 3), (0, 0), False),
    "whole": ((2, 3, 4, 5), (4, 5), (1, 1), (0, 0), False),
    "empty": ((0, 3, 4, 4), (2, 2), (2, 2), (0, 0), False),
}
for tag, (xs, k, s, p, ceil) in CASES.items():
    x = apart(*xs)
    o = [*k, *s, *p, int(ceil)]
    c.add(f"max/{tag}", lambda x, o: F.max_pool2d(x, k, s, p, 1, ceil), ints={"o": torch.tensor([*o, 1])}, x=x)
    for count in (True, False):
        c.add(f"avg/{tag}{'' if count else '-exclude'}", lambda x, o: F.avg_pool2d(x, k, s, p, ceil, count),
              ints={"o": torch.tensor([*o, int(count)])}, x=x)

for tag, xs, size in [
    ("one", (2, 3, 5, 7), (1, 1)), ("even", (1, 2, 6, 8), (3, 2)), ("odd", (1, 2, 7, 5), (3, 4)),
    ("larger", (1, 2, 3, 4), (5, 7)), ("same", (1, 1, 4, 3), (4, 3)), ("empty", (0, 2, 4, 4), (2, 2)),
]:
    x = apart(*xs)
    c.add(f"adaptiveavg/{tag}", lambda x, o: F.adaptive_avg_pool2d(x, size), ints={"o": torch.tensor(size)}, x=x)
    c.add(f"adaptivemax/{tag}", lambda x, o: F.adaptive_max_pool2d(x, size), ints={"o": torch.tensor(size)}, x=x)
c.write()
