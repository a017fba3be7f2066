"""Goldens of models/internal/losses by torchvision: models/internal/losses/testdata/losses.safetensors.

Cases as in opcases.py. CenterNet's loss is written from its paper (arXiv 1904.07850, equation 1). The
GIoU without a small number in denominators is transformers' for DETR.
"""

import torch
from box_losses import siou
from opcases import Cases, golden
from torchvision.ops import complete_box_iou_loss, distance_box_iou_loss, generalized_box_iou_loss, sigmoid_focal_loss
from transformers.loss.loss_for_object_detection import generalized_box_iou

path = golden("models/internal/losses", "losses.safetensors")
c = Cases(path, 160)


def boxes(n, size=10.0):
    at = c.uniform(0, size, n, 2)
    return torch.cat([at, at + c.uniform(0.5, size, n, 2)], 1)


def far(n):
    at = c.uniform(0, 3, n, 2)
    return torch.cat([at, at + c.uniform(1, 4, n, 2)], 1)


touching = torch.tensor([[0, 0, 4, 4.0], [2, 2, 6, 6], [1, 1, 3, 3], [0, 0, 4, 4]])
others = torch.tensor([[0, 0, 4, 4.0], [2, 0, 6, 4], [0, 0, 4, 4], [4, 0, 8, 4]])
for name, f in (("giou", generalized_box_iou_loss), ("diou", distance_box_iou_loss), ("ciou", complete_box_iou_loss)):
    def loss(a, b, f=f):
        return f(a, b)
    c.add(f"{name}/random", loss, a=boxes(40), b=boxes(40))
    c.add(f"{name}/apart", loss, a=far(12), b=far(12) + 9)
    c.add(f"{name}/none", loss, a=boxes(0), b=boxes(0))
    c.add(f"{name}/edges", loss, a=touching, b=others)

for alpha, gamma in ((0.25, 2), (0.6, 1.5), (-1, 2), (0.25, 0)):
    for kind in ("hard", "soft"):
        t = c.uniform(0, 1, 6, 9)
        if kind == "hard":
            t = (t > 0.8).float()
        x = c.normal(6, 9, scale=3)
        c.tensors[f"focal/{kind}/{alpha}/{gamma}/targets"] = t.numpy()
        c.add(f"focal/{kind}/{alpha}/{gamma}", lambda x, t=t, a=alpha, g=gamma: sigmoid_focal_loss(x, t, a, g), x=x)
large = torch.tensor([-80.0, -30, -12, 12, 30, 80])
t = torch.tensor([1.0, 0, 1, 0, 1, 0])
c.tensors["focal/large/0.25/2/targets"] = t.numpy()
c.add("focal/large/0.25/2", lambda x: sigmoid_focal_loss(x, t, 0.25, 2), x=large)


def heatmap(x, t):
    p = x.sigmoid().clamp(1e-4, 1 - 1e-4)
    center = (t == 1).float()
    away = (p.log() * (1 - p) ** 2 * center + (1 - p).log() * p**2 * (1 - t) ** 4 * (1 - center)).sum()
    return -away / center.sum().clamp(min=1)


for name, centers, scale in (("heatmap/centers", 3, 2), ("heatmap/none", 0, 2), ("heatmap/sure", 2, 12)):
    t = c.uniform(0, 0.99, 2, 3, 4, 5)
    t.view(-1)[[7, 50, 90][:centers]] = 1
    c.tensors[f"{name}/targets"] = t.numpy()
    c.add(name, lambda x, t=t: heatmap(x, t), x=c.normal(2, 3, 4, 5, scale=scale))


def exact(a, b):
    return 1 - torch.diag(generalized_box_iou(a, b))


for name, size in (("random", 10), ("small", 0.01)):
    c.add(f"exact/{name}", exact, a=boxes(20, 10) * size / 10, b=boxes(20, 10) * size / 10)
c.add("exact/apart", exact, a=far(12) / 20, b=(far(12) + 9) / 20)

c.add("siou/random", siou, a=boxes(40), b=boxes(40))
c.add("siou/apart", siou, a=far(12), b=far(12) + 9)
c.add("siou/none", siou, a=boxes(0), b=boxes(0))
c.write()
