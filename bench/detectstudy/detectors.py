"""The detectors of bench/detectstudy in PyTorch.

Each has loss(pixels, sizes, objects) and detect(pixels, sizes): of pixels as Fovea prepares them, [n, 3, height, width], and
the height and width of each image in them.
"""

import math

import numpy
import torch
import torchvision.ops
from torchvision.models import resnet
from torchvision.models.detection import backbone_utils, fcos
from torchvision.models.detection.image_list import ImageList
from torchvision.ops.feature_pyramid_network import LastLevelP6P7


class Body(resnet.ResNet):
    """A residual network of basic blocks with any widths, without a classifier."""

    def __init__(self, config):
        super().__init__(resnet.BasicBlock, config["depths"])
        self.inplanes = config["embedding_size"]
        self.conv1 = torch.nn.Conv2d(3, self.inplanes, 7, 2, 3, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(self.inplanes)
        for i, (width, depth) in enumerate(zip(config["hidden_sizes"], config["depths"])):
            setattr(self, f"layer{i + 1}", self._make_layer(resnet.BasicBlock, width, depth, stride=1 + (i > 0)))
        del self.avgpool, self.fc

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


class FCOS(fcos.FCOS):
    """torchvision's FCOS."""

    def __init__(self, plan):
        config = plan["config"]
        body, width = config["backbone_config"], config["fpn_channels"]
        levels = backbone_utils.BackboneWithFPN(Body(body), {f"layer{i}": str(i - 2) for i in (2, 3, 4)}, body["hidden_sizes"][1:], width,
                                                LastLevelP6P7(width, width))
        super().__init__(levels, plan["classes"], score_thresh=plan["score"], nms_thresh=plan["overlap"], detections_per_img=100)

    def outputs(self, pixels, sizes):
        """Returns the outputs of the heads, the anchors, and the number of places of each level."""
        features = list(self.backbone(pixels).values())
        return self.head(features), self.anchor_generator(ImageList(pixels, sizes), features), [x.shape[2] * x.shape[3] for x in features]

    def loss(self, pixels, sizes, objects):
        return sum(self.compute_loss(objects, *self.outputs(pixels, sizes)).values())

    def detect(self, pixels, sizes):
        heads, anchors, counts = self.outputs(pixels, sizes)
        heads = {k: list(v.split(counts, dim=1)) for k, v in heads.items()}
        return self.postprocess_detections(heads, [list(a.split(counts)) for a in anchors], sizes)


class CenterNet(Body):
    """CenterNet (arXiv 1904.07850) on a residual network with plain transposed convolutions."""

    def __init__(self, plan):
        config = plan["config"]
        super().__init__(config["backbone_config"])
        self.least, self.classes = plan["score"], plan["classes"]
        layers, width = [], config["backbone_config"]["hidden_sizes"][-1]
        for out in config["up_sizes"]:
            layers += [torch.nn.ConvTranspose2d(width, out, 4, 2, 1, bias=False), torch.nn.BatchNorm2d(out), torch.nn.ReLU()]
            width = out
        self.deconv_layers = torch.nn.Sequential(*layers)
        for name, out in (("hm", self.classes), ("wh", 2), ("reg", 2)):
            setattr(self, name, torch.nn.Sequential(torch.nn.Conv2d(width, config["head_size"], 3, padding=1), torch.nn.ReLU(),
                                                    torch.nn.Conv2d(config["head_size"], out, 1)))

    def forward(self, x):
        x = self.deconv_layers(super().forward(x))
        return self.hm(x), self.wh(x), self.reg(x)

    def loss(self, pixels, sizes, objects):
        heat, size, offset = self(pixels)
        n, _, rows, columns = heat.shape
        target, places, wanted = torch.zeros(heat.shape), [], []
        for i, o in enumerate(objects):
            # In float32, as the release: a height of 7 cells is not to become 8 by rounding.
            boxes = torch.minimum(o["boxes"].cpu().clamp(min=0) / 4, torch.tensor([columns - 1.0, rows - 1] * 2))
            center, extent = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
            for label, (cx, cy), (w, h) in zip(o["labels"].tolist(), center.tolist(), extent.tolist()):
                if w <= 0 or h <= 0:
                    continue
                spot(target[i, label], int(cx), int(cy), radius(math.ceil(h), math.ceil(w)))
                places.append((i * rows + int(cy)) * columns + int(cx))
                wanted.append((w, h, cx - int(cx), cy - int(cy)))
        target = target.to(heat.device)
        p, center = heat.sigmoid().clamp(1e-4, 1 - 1e-4), target == 1
        focal = -torch.where(center, (1 - p) ** 2 * p.log(), (1 - target) ** 4 * p ** 2 * (1 - p).log()).sum() / max(1, center.sum())
        if not places:
            return focal
        wanted = torch.tensor(wanted, device=heat.device)
        size, offset = (x.permute(0, 2, 3, 1).reshape(-1, 2)[places] for x in (size, offset))
        count = 2 * len(places) + 1e-4
        return focal + (0.1 * (size - wanted[:, :2]).abs().sum() + (offset - wanted[:, 2:]).abs().sum()) / count

    def detect(self, pixels, sizes):
        heat, size, offset = self(pixels)
        heat = heat.sigmoid()
        heat = heat * (heat == torch.nn.functional.max_pool2d(heat, 3, 1, 1))
        cells, columns, found = heat.shape[2] * heat.shape[3], heat.shape[3], []
        for h, s, o, (height, width) in zip(heat, size.flatten(2), offset.flatten(2), sizes):
            scores, at = h.flatten().topk(100)
            at = at[scores > self.least]
            cell = at % cells
            center = torch.stack([cell % columns, cell // columns]) + o[:, cell]
            boxes = 4 * torch.cat([center - s[:, cell] / 2, center + s[:, cell] / 2]).T
            found.append(inside(boxes, at // cells, scores[: len(at)], height, width))
        return found


def radius(height, width, overlap=0.7):
    """The radius of the spot of an object as CenterNet's release computes it."""
    total, area = height + width, height * width
    cases = (1, total, area * (1 - overlap) / (1 + overlap)), (4, 2 * total, (1 - overlap) * area), (4 * overlap, -2 * overlap * total, (overlap - 1) * area)
    return max(0, int(min((b + math.sqrt(b * b - 4 * a * c)) / 2 for a, b, c in cases)))


def spot(heat, x, y, r):
    """Raises the values around a place to a Gaussian."""
    rows, columns = heat.shape
    sigma = (2 * r + 1) / 6
    down = torch.exp(-((torch.arange(max(0, y - r), min(rows, y + r + 1), dtype=torch.double) - y) ** 2) / (2 * sigma ** 2))
    across = torch.exp(-((torch.arange(max(0, x - r), min(columns, x + r + 1), dtype=torch.double) - x) ** 2) / (2 * sigma ** 2))
    part = heat[max(0, y - r):y + r + 1, max(0, x - r):x + r + 1]
    torch.maximum(part, torch.outer(down, across).float(), out=part)


def inside(boxes, labels, scores, height, width):
    """Cuts boxes to an image, and leaves out those outside of it."""
    boxes = torchvision.ops.clip_boxes_to_image(boxes, (height, width))
    kept = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return {"boxes": boxes[kept], "labels": labels[kept], "scores": scores[kept]}


class Unit(torch.nn.Module):
    """A 3x3 convolution with a norm and a leaky ReLU."""

    def __init__(self, i, o):
        super().__init__()
        self.conv, self.norm = torch.nn.Conv2d(i, o, 3, padding=1, bias=False), torch.nn.BatchNorm2d(o)

    def forward(self, x):
        return torch.nn.functional.leaky_relu(self.norm(self.conv(x)), 0.1)


class YOLOv1(torch.nn.Module):
    """YOLOv1 (arXiv 1506.02640) on a residual network, without fully connected layers."""

    def __init__(self, plan):
        super().__init__()
        config = plan["config"]
        body, width = config["backbone_config"], config["head_channels"]
        self.classes, self.least, self.overlap = plan["classes"], plan["score"], plan["overlap"]
        self.grid, self.boxes, self.size = config["grid_size"], config["boxes_per_cell"], config["image_size"]
        self.notes, self.steps = [], 0
        # What Fovea's side predicts in each step, where ties are to be decided alike.
        self.other = numpy.fromfile(plan["predictions"], "<f4") if plan["predictions"] else None
        self.backbone = torch.nn.ModuleDict({"body": Body(body)})
        self.convs = torch.nn.Sequential(*[Unit(body["hidden_sizes"][-1] if i == 0 else width, width) for i in range(4)])
        self.cells = torch.nn.Conv2d(width, 5 * self.boxes + self.classes, 1)

    def forward(self, pixels):
        """Returns [n, cells, values]: for each box x, y, the roots of width and height, and confidence; and then the classes."""
        return self.cells(self.convs(self.backbone["body"](pixels))).flatten(2).transpose(1, 2)

    def decode(self, values, cell):
        """Returns the corners of a box in widths and heights of the image."""
        x, y = (cell % self.grid + values[0]) / self.grid, (cell // self.grid + values[1]) / self.grid
        w, h = values[2] ** 2, values[3] ** 2
        return x - w / 2, y - h / 2, x + w / 2, y + h / 2

    def loss(self, pixels, sizes, objects):
        y = self(pixels)
        target, weight, n = torch.zeros(y.shape), torch.zeros(y.shape), 5 * self.boxes
        weight[:, :, 4:n:5] = 0.5
        predictions = other = y.detach().cpu()
        if self.other is not None:
            part, self.other = numpy.split(self.other, [y.numel()])
            other = torch.from_numpy(part).view(y.shape)
        self.steps += 1
        found, there = self.corners(predictions), self.corners(other)
        for i, o in enumerate(objects):
            taken, boxes = set(), o["boxes"].cpu() / self.size
            middle = spread(boxes)[:, :2] * self.grid
            for box, label, place in zip(boxes, o["labels"].tolist(), middle):
                column, row = place.int().clamp(0, self.grid - 1).tolist()
                cell = row * self.grid + column
                if cell in taken:
                    continue
                taken.add(cell)
                best, overlap = choose(found[i, cell], box)
                if choose(there[i, cell], box)[0] != best:
                    best = self.tie(predictions[i], other[i], cell, box, best)
                at = slice(5 * best, 5 * best + 5)
                target[i, cell, at] = torch.cat([place - torch.tensor([column, row]), (box[2:] - box[:2]).sqrt(), overlap[best, None]])
                weight[i, cell, at] = torch.tensor([5.0, 5, 5, 5, 1])
                target[i, cell, n + label] = 1
                weight[i, cell, n:] = 1
        return (weight.to(y.device) * (y - target.to(y.device)) ** 2).sum() / len(y)

    def corners(self, y):
        """Returns the corners of the boxes of predictions, [..., cells, values]: [..., cells, boxes, 4]."""
        found = y[..., :5 * self.boxes].unflatten(-1, (self.boxes, 5))
        return torch.stack(self.decode(found.unbind(-1), torch.arange(y.shape[-2])[:, None]), -1)

    def tie(self, predictions, other, cell, box, best):
        """Returns the box that Fovea's side takes if two fit an object equally well, and notes that."""
        overlaps = [choose(self.corners(of.to(kind))[cell], box.to(kind))[1] for of in (predictions, other) for kind in (torch.float32, torch.float64)]
        if max(o.max() - o.min() for o in overlaps) > 1e-5:
            return best
        values = [", ".join(f"{v:.9f}" for v in o.tolist()) for o in overlaps]
        self.notes.append(f"step {self.steps}, cell {cell}: the boxes' IoUs with an object are {values[0]} with PyTorch (in float64 {values[1]}) "
                          f"and {values[2]} with Fovea (in float64 {values[3]}); both take Fovea's choice")
        return choose(self.corners(other)[cell], box)[0]

    def detect(self, pixels, sizes):
        found = []
        for y, (height, width) in zip(self(pixels), sizes):
            cell = torch.arange(len(y), device=y.device)[:, None]
            each = y[:, :5 * self.boxes].reshape(len(y), self.boxes, 5)
            scores = each[..., 4:] * y[:, None, 5 * self.boxes:]  # [cells, boxes, classes]
            boxes = torch.stack(self.decode(each.unbind(2), cell), 2) * torch.tensor([width, height, width, height], device=y.device)
            c, b, k = (scores > self.least).nonzero(as_tuple=True)
            scores, boxes, kept = scores[c, b, k], boxes[c, b], []
            for label in range(self.classes):
                of = (k == label).nonzero()[:, 0]
                kept.append(of[torchvision.ops.nms(boxes[of], scores[of], self.overlap)])
            kept = torch.cat(kept)
            kept = kept[scores[kept].argsort(descending=True)][:100]
            found.append(inside(boxes[kept], k[kept], scores[kept], height, width))
        return found


def choose(found, box):
    """Returns which of the boxes of a cell predicts an object, and their overlaps with it."""
    overlap = torchvision.ops.box_iou(found, box[None])[:, 0]
    far = ((spread(found) - spread(box)) ** 2).sum(1)
    return int(overlap.argmax() if overlap.max() > 0 else far.argmin()), overlap


def spread(boxes):
    """The centers and the sizes of boxes."""
    first, last = boxes.split(2, -1)
    return torch.cat([(first + last) / 2, last - first], -1)


def make(plan):
    return {"fcos": FCOS, "centernet": CenterNet, "yolov1": YOLOv1}[plan["model"]](plan)
