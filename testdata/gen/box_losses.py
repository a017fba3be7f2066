"""Losses of boxes that torchvision lacks."""

import torch


def siou(a, b, small=1e-7):
    """SIoU (arXiv 2205.12740) with the small numbers of FastestDet, whose widths have none and heights do."""
    up, low = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])
    inter = low.clamp(min=0).prod(1)
    add = torch.tensor([0, small])
    sa, sb = a[:, 2:] - a[:, :2] + add, b[:, 2:] - b[:, :2] + add
    iou = inter / (sa.prod(1) + sb.prod(1) - inter + small)
    d = ((b[:, :2] + b[:, 2:]) - (a[:, :2] + a[:, 2:])) / 2
    sine = d[:, 1].abs() / d.norm(dim=1)
    angle = 1 - 2 * torch.sin(torch.asin(sine) - torch.pi / 4) ** 2
    distance = (1 - torch.exp((angle - 2)[:, None] * (d / up) ** 2)).sum(1)
    shape = ((1 - torch.exp(-(sa - sb).abs() / torch.maximum(sa, sb))) ** 4).sum(1)
    return 1 - iou + (distance + shape) / 2
