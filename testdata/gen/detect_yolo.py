"""Writes small random YOLOv1 networks (arXiv 1506.02640) as folders of Fovea, with predictions, losses and gradients.

    python detect_yolo.py OUT    OUT/NAME/config.json, model.safetensors and golden.safetensors for every form

golden.safetensors holds

    pixels               [n, 3, size, size]
    output               the predictions
    boxes.I, classes.I   the objects in image I; the third image has none
    loss.NAME, grad/NAME the losses in training with fixed normalizations, and the gradients of their sum

Versions: requirements.txt. Seeds are in each golden's metadata.
"""

import json
import os
import sys

import timm
import torch
import torchvision
from safetensors.torch import save_file
from timm.models import resnet
from torch import nn
from torchvision.models import shufflenetv2
from torchvision.ops import box_iou

from backbone import randomize

torch.set_num_threads(1)
CLASSES = 3


class ResNetBody(resnet.ResNet):
    config = {"model_type": "resnet", "num_channels": 3, "embedding_size": 64, "hidden_sizes": [16, 24, 32, 40], "depths": [1, 1, 1, 1],
              "layer_type": "basic", "hidden_act": "relu"}

    def __init__(self):
        super().__init__(resnet.BasicBlock, (1, 1, 1, 1), channels=(16, 24, 32, 40), num_classes=0)

    def forward(self, x):
        return self.forward_features(x)


class ShuffleBody(shufflenetv2.ShuffleNetV2):
    config = {"model_type": "shufflenet_v2", "num_channels": 3, "embedding_size": 8, "hidden_sizes": [16, 24, 32], "depths": [2, 3, 2], "hidden_act": "relu"}

    def __init__(self):
        super().__init__([2, 3, 2], [8, 16, 24, 32, 40], num_classes=1)
        del self.conv5, self.fc

    def forward(self, x):
        return self.stage4(self.stage3(self.stage2(self.maxpool(self.conv1(x)))))


class ConvNorm(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)

    def forward(self, x):
        return nn.functional.leaky_relu(self.norm(self.conv(x)), 0.1)


class YOLO(nn.Module):
    def __init__(self, body, width, channels, grid, boxes, stride, hidden, darknet):
        super().__init__()
        self.backbone = nn.ModuleDict({"body": body()})
        self.convs = nn.ModuleList([ConvNorm(width if i == 0 else channels, channels, stride if i == 1 else 1) for i in range(4)])
        self.grid, self.boxes, self.isdarknet = grid, boxes, darknet
        cell = 5 * boxes + CLASSES
        if hidden:
            self.hidden, self.predict = nn.Linear(channels * grid * grid, hidden), nn.Linear(hidden, cell * grid * grid)
        else:
            self.cells = nn.Conv2d(channels, cell, 1)

    def forward(self, x):
        x = self.backbone["body"](x)
        for c in self.convs:
            x = c(x)
        if hasattr(self, "cells"):
            return self.cells(x).permute(0, 2, 3, 1).flatten(1)
        return self.predict(nn.functional.leaky_relu(self.hidden(x.flatten(1)), 0.1))

    def parts(self, y):
        """Splits predictions into boxes [n, cells, boxes, 4], confidences [n, cells, boxes] and classes [n, cells, classes]."""
        n, cells = len(y), self.grid * self.grid
        if self.isdarknet:
            classes, confidence, boxes = y.split([cells * CLASSES, cells * self.boxes, cells * self.boxes * 4], 1)
            return boxes.view(n, cells, self.boxes, 4), confidence.view(n, cells, self.boxes), classes.view(n, cells, CLASSES)
        y = y.view(n, cells, -1)
        boxes = y[:, :, : 5 * self.boxes].reshape(n, cells, self.boxes, 5)
        return boxes[..., :4], boxes[..., 4], y[:, :, 5 * self.boxes :]


def losses(model, y, targets, size):
    boxes, confidence, classes = model.parts(y)
    g, total = model.grid, dict.fromkeys(("box", "object", "empty", "class"), torch.zeros(()))
    for i, t in enumerate(targets):
        empty = torch.ones_like(confidence[i])
        seen = set()
        for b, c in zip(t["boxes"] / size, t["labels"]):
            center, extent = (b[:2] + b[2:]) / 2, b[2:] - b[:2]
            place = center * g
            column, row = int(place[0].clamp(0, g - 1)), int(place[1].clamp(0, g - 1))
            k = row * g + column
            if k in seen:
                continue
            seen.add(k)
            mine = boxes[i, k]
            where, sides = (torch.tensor([column, row]) + mine[:, :2]) / g, mine[:, 2:] ** 2
            iou = box_iou(torch.cat([where - sides / 2, where + sides / 2], 1).detach(), b[None])[:, 0]
            rmse = ((torch.cat([where, sides], 1) - torch.cat([center, extent])) ** 2).sum(1).sqrt()
            best = int(iou.argmax()) if iou.max() > 0 else int(rmse.argmin())
            empty[k, best] = 0
            wanted = torch.cat([place - torch.tensor([column, row]), extent.sqrt()])
            total["box"] = total["box"] + 5 * ((mine[best] - wanted) ** 2).sum()
            total["object"] = total["object"] + (confidence[i, k, best] - iou[best]) ** 2
            total["class"] = total["class"] + ((classes[i, k] - nn.functional.one_hot(c, CLASSES)) ** 2).sum()
        total["empty"] = total["empty"] + 0.5 * (confidence[i] ** 2 * empty).sum()
    return {k: v / len(targets) for k, v in total.items()}


FORMS = {  # body, width, channels, grid, boxes, stride, hidden, darknet
    "full": (ResNetBody, 40, 12, 2, 2, 2, 24, False),
    "darknet": (ResNetBody, 40, 12, 3, 3, 1, 24, True),
    "cells": (ShuffleBody, 32, 12, 3, 2, 1, 0, False),
}


def make(name, out, seed):
    torch.manual_seed(seed)
    body, _, channels, grid, boxes, stride, hidden, darknet = FORMS[name]
    model = YOLO(*FORMS[name]).eval()
    randomize(model)
    size = 32 * stride * grid
    for p in [model.cells.weight] if hidden == 0 else [model.predict.weight]:
        p.data *= 0.4
    pixels = torch.randn(3, 3, size, size)
    targets = [dict(boxes=torch.tensor([[5.0, 8, 40, 60], [4, 10, 42, 58], [70, 66, 78, 79], [60, 2, size + 20, 30]]), labels=torch.tensor([1, 2, 0, 2])),
               dict(boxes=torch.tensor([[0.0, 0, size, size]]), labels=torch.tensor([0])),
               dict(boxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))]
    y = model(pixels)
    each = losses(model, y, targets, size)
    sum(each.values()).backward()
    tensors = {"pixels": pixels, "output": y, "parameters": torch.tensor(float(sum(p.numel() for p in model.parameters())))}
    tensors |= {f"boxes.{i}": t["boxes"] for i, t in enumerate(targets)} | {f"classes.{i}": t["labels"] for i, t in enumerate(targets)}
    tensors |= {f"loss.{k}": v for k, v in each.items()} | {f"grad/{k}": p.grad for k, p in model.named_parameters()}
    os.makedirs(f"{out}/{name}")
    config = {"model_type": "yolov1", "image_size": size, "grid_size": grid, "boxes_per_cell": boxes, "head_channels": channels, "backbone_config": body.config}
    config |= ({"head_size": hidden} if hidden else {}) | ({"darknet_layout": True} if darknet else {})
    with open(f"{out}/{name}/config.json", "w") as f:
        json.dump(config, f)
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, f"{out}/{name}/model.safetensors")
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, f"{out}/{name}.safetensors",
              metadata={"script": "detect_yolo.py", "seed": str(seed), "versions": f"torch {torch.__version__}, torchvision {torchvision.__version__}, timm {timm.__version__}"})


for i, form in enumerate(FORMS):
    make(form, sys.argv[1], 1 + i)
