"""Goldens of models/internal/boxes: models/internal/boxes/testdata/boxes.safetensors.

Each case has boxes [n, 4], scores, classes, and for each threshold the boxes that torchvision's nms and batched_nms keep.
"""

import os

import numpy as np
import torch
import torchvision
from safetensors.numpy import save_file
from torchvision.ops import box_convert, box_iou, clip_boxes_to_image, nms
from torchvision.ops.boxes import _batched_nms_vanilla

SEED = 74
rng = np.random.default_rng(SEED)
tensors = {}
THRESHOLDS = (-0.5, 0, 0.3, 0.5, 0.7, 0.95, 1)


def case(name, boxes, scores=None, classes=None):
    boxes = torch.as_tensor(np.asarray(boxes), dtype=torch.float32)
    n = len(boxes)
    scores = torch.from_numpy(rng.random(n, dtype=np.float32)) if scores is None else torch.as_tensor(scores, dtype=torch.float32)
    classes = torch.from_numpy(rng.integers(0, 3, n)) if classes is None else torch.as_tensor(classes)
    tensors.update({f"{name}/boxes": boxes.numpy(), f"{name}/scores": scores.numpy(), f"{name}/classes": classes.numpy()})
    for t in THRESHOLDS:
        tensors[f"{name}/nms/{t}"] = nms(boxes, scores, t).numpy().astype(np.int32)
        keep = _batched_nms_vanilla(boxes, scores, classes, t).sort()[0]  # which leaves the order of equal scores to chance
        keep = keep[scores[keep].sort(descending=True, stable=True)[1]]
        tensors[f"{name}/class/{t}"] = keep.numpy().astype(np.int32)


def random(n, size, small, large, shift=0):
    at = rng.uniform(0, size, (n, 2)) + shift
    return np.concatenate([at, at + np.exp(rng.uniform(np.log(small), np.log(large), (n, 2)))], 1)


inf, nan = float("inf"), float("nan")
case("random", random(400, 200, 5, 80))
case("sizes", random(400, 300, 0.01, 300))
case("negative", random(300, 200, 5, 80, shift=-300))
case("far", random(200, 200, 5, 80, shift=1e6))
case("integers", np.floor(random(300, 12, 1, 6)))
case("ties", random(300, 100, 5, 60), scores=np.round(rng.random(300), 1))
case("equal", np.tile([[1, 2, 5, 9]], (20, 1)), scores=np.ones(20))
case("none", np.zeros((0, 4)))
odd = [[0, 0, 10, 10], [0, 0, 10, 10], [10, 10, 0, 0], [10, 0, 0, 10], [0, 10, 10, 0], [5, 5, 5, 5], [5, 5, 5, 5], [0, 0, 10, 0],
       [-1e30, -1e30, 1e30, 1e30], [-1e30, -1e30, 1e30, 1e30], [1e30, 1e30, 2e30, 2e30], [-1e18, 0, 1e18, 1], [-1e18, 0, 1e18, 1],
       [nan, 0, 10, 10], [0, nan, 10, 10], [0, 0, nan, 10], [0, 0, 10, nan], [nan] * 4, [-inf, -inf, inf, inf], [0, 0, inf, 10],
       [1e-30, 1e-30, 3e-30, 3e-30], [1e-30, 1e-30, 3e-30, 3e-30], [0, 0, 1e-10, 1e-10], [0, 0, 1e-10, 1e-10]]
case("odd", odd)
case("odd-scores", random(40, 20, 3, 12), scores=[nan, inf, -inf, 0, -0.0, 0.5, nan, inf] * 5)
# Boxes whose IoU is a threshold, as far as float32 says.
thirds = [[0, 0, 3, 1], [0, 0, 1, 1], [0, 0, 10, 1], [0, 0, 7, 1], [0, 0, 5, 1], [0, 2, 10, 5], [0, 2, 10, 12]]
case("exact", thirds, scores=np.arange(7) / 10)

a, b = torch.from_numpy(random(9, 20, 2, 15)).float(), torch.tensor(odd)
for name, boxes in (("plain", a), ("odd", b)):
    tensors[f"iou/{name}/boxes"] = boxes.numpy()
    tensors[f"iou/{name}/out"] = box_iou(boxes, boxes).numpy()
    tensors[f"center/{name}"] = box_convert(boxes, "xyxy", "cxcywh").numpy()
    tensors[f"clip/{name}"] = clip_boxes_to_image(boxes, (8, 12)).numpy()
tensors["corners/plain"] = box_convert(torch.from_numpy(tensors["center/plain"]), "cxcywh", "xyxy").numpy()

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
path = os.path.normpath(os.path.join(root, "models", "internal", "boxes", "testdata", "boxes.safetensors"))
os.makedirs(os.path.dirname(path), exist_ok=True)
save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, path, metadata={"script": "boxes.py",
          "versions": f"torch {torch.__version__}, torchvision {torchvision.__version__}", "seed": str(SEED)})
print(path, len(tensors), "tensors", os.path.getsize(path), "bytes")
