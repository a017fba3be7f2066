"""Goldens of FastestDet's loss: models/detect/testdata/fastest_loss.safetensors.

Cases as in opcases.py: the logits of objects, the numbers of boxes and the logits of classes of a batch, and the three weighted
losses. NAME/boxes.I and NAME/classes.I are the objects of image I, boxes in pixels. The loss is written from the description in
models/detect/fastest_loss.go and the formulas of SIoU (arXiv 2205.12740).
"""

import torch
from box_losses import siou
from opcases import Cases, golden

STRIDE = 16
c = Cases(golden("models/detect", "fastest_loss.safetensors"), 170)


def losses(object, box, cls, truth):
    n, _, h, w = object.shape
    cells, wanted, labels = [], [], []
    for right, down in ((0, 0), (1, 0), (0, 1), (1, 1)):
        for i, (boxes, classes) in enumerate(truth):
            for b, k in zip(boxes / STRIDE, classes):
                column, row = int((b[0] + b[2]) / 2) + right, int((b[1] + b[3]) / 2) + down
                if 0 < column < w and 0 < row < h:
                    cells.append((i, row, column))
                    wanted.append(b)
                    labels.append(k)
    target, weight = [[[torch.zeros(()) for _ in range(w)] for _ in range(h)] for _ in range(n)], torch.full((n, h, w), 0.75)
    box_loss = class_loss = torch.zeros(())
    if cells:
        predicted = []
        for i, row, column in cells:
            x, y, wide, high = box[i, :, row, column]
            x, y, wide, high = x.tanh() + column, y.tanh() + row, wide.sigmoid() * w, high.sigmoid() * h
            predicted.append(torch.stack((x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)))
        each = siou(torch.stack(predicted), torch.stack(wanted))
        kept = [k for k in range(len(cells)) if each[k] < each.mean()]
        box_loss = sum(each[k] for k in kept) / len(kept)
        class_loss = sum(-cls[cells[k][0], :, cells[k][1], cells[k][2]].log_softmax(0)[labels[k]] for k in kept) / len(kept)
        for k in kept:
            i, row, column = cells[k]
            target[i][row][column] = 1 - each[k]
            weight[i, row, column] = 0.25 * h * w / sum(cells[o][0] == i for o in kept)
    target = torch.stack([torch.stack([torch.stack(row) for row in image]) for image in target])
    away = torch.nn.functional.smooth_l1_loss(object[:, 0].sigmoid(), target, reduction="none")
    return 8 * box_loss, 16 * (away * weight).mean(), class_loss


def add(name, h, w, classes, *truth):
    n = len(truth)
    found = [(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), torch.tensor(labels, dtype=torch.int64)) for boxes, labels in truth]
    for i, (boxes, labels) in enumerate(found):
        c.tensors[f"{name}/boxes.{i}"], c.tensors[f"{name}/classes.{i}"] = boxes.numpy(), labels.numpy()
    c.add(name, lambda object, box, cls: losses(object, box, cls, found), object=c.normal(n, 1, h, w), box=c.normal(n, 4, h, w), cls=c.normal(n, classes, h, w))


add("plain", 6, 6, 3, ([[10, 12, 50, 70], [40, 3, 93, 44]], [2, 0]), ([[5.5, 60, 90, 95]], [1]))
add("crowded", 6, 6, 2, ([[20, 20, 60, 60], [22, 25, 61, 63], [30, 20, 58, 70], [0, 0, 96, 90]], [0, 1, 1, 0]), ([], []))
add("edges", 4, 7, 3, ([[0, 0, 8, 8], [100, 50, 112, 64], [0, 20, 9, 60], [60, 0, 90, 9]], [0, 1, 2, 1]))
add("small", 5, 5, 2, ([[33, 33, 37, 36], [58, 52, 79, 77]], [0, 1]), ([[1, 3, 75, 71]], [1]))
add("none", 3, 3, 2, ([], []))
c.write()
