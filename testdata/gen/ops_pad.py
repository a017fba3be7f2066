"""Goldens of autograd's padding: autograd/testdata/ops_pad.safetensors.

The integers of a case are the mode (0 constant, 1 reflect, 2 replicate, 3 circular), 1000 times the value, and the pairs
from the first padded dimension to the last.
"""

import torch
import torch.nn.functional as F
from opcases import Cases, golden

torch.use_deterministic_algorithms(False)  # some gradients exist in no other form
c = Cases(golden("autograd", "ops_pad.safetensors"), seed=75)
MODES = ("constant", "reflect", "replicate", "circular")


def case(name, xs, pads, mode, value=0.0):
    flat = [v for pair in reversed(pads) for v in pair]
    o = torch.tensor([mode, round(1000 * value), *(v for pair in pads for v in pair)])
    more = {"value": value} if mode == 0 else {}
    c.add(name, lambda x, o: F.pad(x, flat, MODES[mode], **more), ints={"o": o}, x=c.normal(*xs))


for mode, tag in enumerate(MODES):
    case(f"{tag}/plain", (2, 3, 5, 4), [(2, 1), (3, 2)], mode)
    case(f"{tag}/rows", (2, 3, 5, 4), [(1, 3), (0, 0)], mode)
    case(f"{tag}/one", (2, 3, 5), [(3, 4)], mode)
    case(f"{tag}/three", (1, 2, 4, 3, 5), [(1, 2), (2, 0), (4, 1)], mode)
    case(f"{tag}/crop", (2, 2, 6, 7), [(-2, 1), (3, -4)], mode)
    case(f"{tag}/most", (1, 2, 4, 3), [(3, 3), (2, 2)], mode)
    case(f"{tag}/zero", (2, 3, 4, 4), [(0, 0), (0, 0)], mode)
case("reflect/large", (2, 2, 40, 80), [(2, 2), (3, 3)], 1)  # enough for two threads
case("constant/value", (2, 3, 4), [(1, 0), (2, 2), (0, 3)], 0, value=-1.5)
case("constant/beyond", (2, 3), [(0, 5), (7, 1)], 0, value=2)
case("constant/away", (2, 4, 4), [(-4, 2), (1, -3)], 0, value=2)
case("constant/empty", (2, 0, 3), [(1, 1), (0, 1)], 0, value=2)
case("circular/all", (1, 2, 3, 4), [(3, 3), (4, 4)], 3)
case("replicate/single", (1, 2, 1, 1), [(2, 3), (1, 4)], 2)
c.write()
