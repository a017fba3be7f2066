"""Changes images and boxes with torchvision.transforms.v2 for vision/boxes' TestSamplePython. It reads a JSON list of cases from
standard input, each {"size": [h, w], "boxes": [[x0, y0, x1, y1]], "do": name, "with": [numbers]}, and prints a JSON list of
{"boxes": [[…]], "kept": [numbers], "digest": SHA-256 of the pixels}. Byte i of an image is 31·i mod 251.

Needs torch and torchvision (testdata/gen/requirements.txt).
"""

import hashlib
import json
import sys

import torch
from torchvision import tv_tensors
from torchvision.ops import box_iou
from torchvision.transforms.v2 import functional as F

answers = []
for case in json.load(sys.stdin):
    h, w = case["size"]
    pixels = (torch.arange(h * w * 3) * 31 % 251).to(torch.uint8).reshape(h, w, 3).permute(2, 0, 1)
    image = tv_tensors.Image(pixels)
    boxes = tv_tensors.BoundingBoxes(torch.tensor(case["boxes"], dtype=torch.float64).reshape(-1, 4), format="XYXY", canvas_size=(h, w))
    v = case["with"]
    answer = {"kept": list(range(len(boxes)))}
    if case["do"] == "overlap":
        # The condition of RandomIoUCrop, for the part [left, top, right, bottom] and the least overlap.
        left, top, right, bottom, least = v
        cx, cy = 0.5 * (boxes[:, 0] + boxes[:, 2]), 0.5 * (boxes[:, 1] + boxes[:, 3])
        inside = (left < cx) & (cx < right) & (top < cy) & (cy < bottom)
        chosen = torch.as_tensor(boxes)[inside]
        fits = bool(inside.any()) and bool(box_iou(chosen, torch.tensor([[left, top, right, bottom]], dtype=torch.float64)).max() >= least)
        answers.append({"kept": torch.nonzero(torch.as_tensor(inside)).flatten().tolist(), "boxes": [], "digest": str(fits)})
        continue
    change = {
        "flip": lambda x: F.horizontal_flip(x),
        "flip vertical": lambda x: F.vertical_flip(x),
        "pad": lambda x: F.pad(x, v, fill=0),
        "crop": lambda x: F.crop(x, *v),
        "resize": lambda x: F.resize(x, v),
    }[case["do"]]
    image, boxes = change(image), change(boxes)
    if case["do"] == "crop":
        boxes, kept = F.sanitize_bounding_boxes(boxes, min_size=1e-9, min_area=1e-9)
        answer["kept"] = torch.nonzero(kept).flatten().tolist()
    answer["boxes"] = torch.as_tensor(boxes).tolist()
    answer["digest"] = hashlib.sha256(image.permute(1, 2, 0).contiguous().numpy().tobytes()).hexdigest()
    answers.append(answer)
print(json.dumps(answers))
