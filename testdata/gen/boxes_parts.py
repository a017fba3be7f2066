"""Goldens of models/internal/boxes: models/internal/boxes/testdata/parts.safetensors.

Pairwise GIoU, DIoU and CIoU, box coders, anchors and matches by torchvision; least costs of assignments by SciPy.
"""

import numpy as np
import scipy
import torch
import torchvision
from opcases import golden
from safetensors.numpy import save_file
from scipy.optimize import linear_sum_assignment
from torchvision.models.detection._utils import BoxCoder, BoxLinearCoder, Matcher
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import box_iou, complete_box_iou, distance_box_iou, generalized_box_iou

SEED = 17
rng = np.random.default_rng(SEED)
tensors = {}


def boxes(n, size=100, small=2, large=60):
    at = rng.uniform(-10, size, (n, 2))
    return torch.from_numpy(np.concatenate([at, at + np.exp(rng.uniform(np.log(small), np.log(large), (n, 2)))], 1).astype(np.float32))


def put(name, x):
    x = np.asarray(x)
    tensors[name] = np.ascontiguousarray(x.astype(np.int64 if x.dtype.kind in "iu" else np.float32))


plain = boxes(24)
plain[5] = plain[4]  # equal
plain[7, 0], plain[7, 2] = plain[6, 2], plain[6, 2] + 5  # touching
put("pairs", plain)
for name, f in (("giou", generalized_box_iou), ("diou", distance_box_iou), ("ciou", complete_box_iou)):
    put(name, f(plain, plain))

a, b = boxes(40), boxes(40)
put("coder/anchors", a)
put("coder/boxes", b)
codes = torch.from_numpy(rng.normal(0, 1.5, (40, 4)).astype(np.float32))
codes[3, 2:] = 60  # beyond the limit of sizes
put("coder/codes", codes)
for name, weights in (("ones", (1.0, 1.0, 1.0, 1.0)), ("heads", (10.0, 10.0, 5.0, 5.0))):
    c = BoxCoder(weights)
    put(f"coder/{name}/encoded", c.encode_single(b, a))
    put(f"coder/{name}/decoded", c.decode_single(codes, a))
for name, normalize in (("shares", True), ("pixels", False)):
    c = BoxLinearCoder(normalize)
    put(f"coder/{name}/encoded", c.encode(a, b))
    put(f"coder/{name}/decoded", c.decode(codes, a))

sizes = ((32, 40, 50), (512, 645, 812), (16,), (31, 33))
ratios = ((0.5, 1.0, 2.0),) * 2 + ((1.0,), (0.3, 3.0, 1.7))
g = AnchorGenerator(sizes, ratios)
strides = ((8, 8), (13, 12), (16, 16), (4, 5))
grids = g.grid_anchors([[3, 4], [2, 1], [5, 2], [1, 3]], [[torch.tensor(v) for v in s] for s in strides])
for i in range(4):
    put(f"anchors/{i}/sizes", np.float32(sizes[i]))
    put(f"anchors/{i}/ratios", np.float32(ratios[i]))
    put(f"anchors/{i}/strides", np.float32(strides[i]))
    put(f"anchors/{i}/cell", g.cell_anchors[i])
    put(f"anchors/{i}/grid", grids[i])

for i, (n, low, high, best) in enumerate(((3, 0.3, 0.7, True), (6, 0.4, 0.5, True), (1, 0.5, 0.5, False), (5, 0.3, 0.6, False))):
    objects, anchors = boxes(n), boxes(120)
    anchors[10], anchors[20] = objects[0], objects[0]  # a tie
    put(f"match/{i}/objects", objects)
    put(f"match/{i}/anchors", anchors)
    put(f"match/{i}/limits", np.float32([low, high, best]))
    put(f"match/{i}/out", Matcher(high, low, best)(box_iou(objects, anchors)))

shapes = [(1, 1), (1, 7), (7, 1), (5, 5), (3, 9), (9, 3), (40, 40), (100, 12), (0, 4), (4, 0), (20, 20), (15, 30)]
for i, (n, m) in enumerate(shapes):
    cost = rng.normal(0, 1, (n, m))
    if i >= 10:
        cost = rng.integers(0, 4, (n, m))  # many best assignments
    cost = cost.astype(np.float32)
    rows, columns = linear_sum_assignment(cost.astype(np.float64))
    put(f"assign/{i}/cost", cost)
    put(f"assign/{i}/least", np.float32(cost.astype(np.float64)[rows, columns].sum()))

def radius(h, w, overlap, published):
    """CenterNet's gaussian_radius, as published or with the roots of its equations."""
    a = (1, 4, 4 * overlap)
    b = (h + w, 2 * (h + w), -2 * overlap * (h + w))
    c = (w * h * (1 - overlap) / (1 + overlap), (1 - overlap) * w * h, (overlap - 1) * w * h)
    roots = [np.sqrt(y**2 - 4 * x * z) for x, y, z in zip(a, b, c)]
    if published:
        return min((y + r) / 2 for y, r in zip(b, roots))
    return min((y + s * r) / (2 * x) for x, y, r, s in zip(a, b, roots, (-1, -1, 1)))


objects = rng.uniform(0.5, 60, (30, 3))
objects[:, 2] = rng.choice([0.3, 0.5, 0.7], 30)
put("radius/objects", objects)
objects = objects.astype(np.float32).astype(np.float64)
for name, published in (("published", True), ("right", False)):
    put(f"radius/{name}", [radius(h, w, m, published) for h, w, m in objects])

heat, spots = np.zeros((12, 17), np.float32), [[3, 4, 2], [5, 5, 3], [0, 11, 5], [16, 0, 0], [8, 6, 20], [40, 3, 6], [-2, 3, 4]]
for x, y, r in spots:
    i, j = np.mgrid[:12, :17]
    sigma = (2 * r + 1) / 6
    g = np.exp(-((i - y) ** 2 + (j - x) ** 2) / (2 * sigma**2))
    g[(abs(i - y) > r) | (abs(j - x) > r)] = 0
    heat = np.maximum(heat, g.astype(np.float32))
put("heatmap/spots", np.array(spots))
put("heatmap/out", heat)

path = golden("models/internal/boxes", "parts.safetensors")
save_file(tensors, path, metadata={"script": "boxes_parts.py", "seed": str(SEED),
          "versions": f"torch {torch.__version__}, torchvision {torchvision.__version__}, scipy {scipy.__version__}"})
print(path, len(tensors), "tensors")
