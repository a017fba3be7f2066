"""Writes small random CenterNets (arXiv 1904.07850) as its release saves them, with predictions, losses, gradients and detections.

    python detect_centernet.py OUT    OUT/NAME.pth and OUT/NAME.safetensors for every form
    python detect_centernet.py counts the numbers of parameters of the networks of the release with 80 classes, as JSON

The networks are written here from the paper, with the tensor names of the release. The .safetensors file holds

    image.I                      an image, [height, width, 3], of samples 0 to 255, red first
    pixels.I                     the same in its own size, prepared
    pixels                       a batch for the losses
    hm, wh, reg                  the predictions for the batch
    boxes.I, classes.I           the objects in image I of the batch; the third image has none
    WAY.loss.NAME, grad/NAME     the losses, with the published radius or the corrected one, and the gradients of the former
    alone.I.boxes ...            the detections in image I, and flip.I with the mean of the image and its mirror image

Versions: requirements.txt. Seeds are in each golden's metadata.
"""

import json
import math
import sys

import timm
import torch
import torchvision
from safetensors.torch import save_file
from timm.models import dla, resnet
from torch import nn
from torch.nn import functional as F
from torchvision.ops import deform_conv2d

from backbone import randomize

torch.set_num_threads(1)
MEAN, STD = (0.40789654, 0.44719302, 0.47026115), (0.28863828, 0.27408164, 0.27809835)


class DCN(nn.Module):
    """A deformable convolution whose offsets and factors come from its input."""

    def __init__(self, i, o):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(o, i, 3, 3)), nn.Parameter(torch.zeros(o))
        self.conv_offset_mask = nn.Conv2d(i, 27, 3, padding=1)

    def forward(self, x):
        y = self.conv_offset_mask(x)
        return deform_conv2d(x, y[:, :18], self.weight, self.bias, padding=1, mask=y[:, 18:].sigmoid())


class Unit(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.conv, self.actf = DCN(i, o), nn.Sequential(nn.BatchNorm2d(o), nn.ReLU())

    def forward(self, x):
        return self.actf(self.conv(x))


class IDA(nn.Module):
    def __init__(self, out, channels, factors):
        super().__init__()
        for i, (c, f) in enumerate(zip(channels[1:], factors[1:]), 1):
            setattr(self, f"proj_{i}", Unit(c, out))
            setattr(self, f"up_{i}", nn.ConvTranspose2d(out, out, 2 * f, f, f // 2, groups=out, bias=False))
            setattr(self, f"node_{i}", Unit(out, out))

    def forward(self, levels):
        out = [levels[0]]
        for i, x in enumerate(levels[1:], 1):
            x = getattr(self, f"up_{i}")(getattr(self, f"proj_{i}")(x))
            out.append(getattr(self, f"node_{i}")(x + out[-1]))
        return out


class Up(nn.Module):
    """Three steps merge more and more levels, each into the channels and the size of the finest of them."""

    def __init__(self, channels):
        super().__init__()
        self.ida_0 = IDA(channels[2], [channels[2], channels[3]], [1, 2])
        self.ida_1 = IDA(channels[1], [channels[1], channels[2], channels[2]], [1, 2, 2])
        self.ida_2 = IDA(channels[0], [channels[0], channels[1], channels[1], channels[1]], [1, 2, 2, 2])

    def forward(self, levels):
        coarse = self.ida_0(levels[2:])
        middle = self.ida_1([levels[1], *coarse])
        fine = self.ida_2([levels[0], *middle])
        return [fine[-1], middle[-1], coarse[-1]]


class CenterNet(nn.Module):
    def heads(self, width, head, classes):
        for name, out in (("hm", classes), ("wh", 2), ("reg", 2)):
            setattr(self, name, nn.Sequential(nn.Conv2d(width, head, 3, padding=1), nn.ReLU(), nn.Conv2d(head, out, 1)))

    def forward(self, x):
        x = self.features(x)
        return self.hm(x), self.wh(x), self.reg(x)


class OnDLA(CenterNet):
    def __init__(self, channels, head, classes):
        super().__init__()
        self.base = dla.DLA([1, 1, 1, 2, 2, 1], channels, block=dla.DlaBasic, num_classes=0)
        del self.base.fc
        self.dla_up, self.ida_up = Up(channels[2:]), IDA(channels[2], channels[2:5], [1, 2, 4])
        self.heads(channels[2], head, classes)

    def features(self, x):
        x, levels = self.base.base_layer(x), []
        for i in range(6):
            x = getattr(self.base, f"level{i}")(x)
            levels.append(x)
        return self.ida_up(self.dla_up(levels[2:]))[-1]


class OnResNet(CenterNet):
    def __init__(self, body, sizes, deformable, head, classes):
        super().__init__()
        for name in ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4"):
            setattr(self, name, getattr(body, name))
        layers, i = [], body.num_features if hasattr(body, "num_features") else body.fc.in_features
        for o in sizes:
            if deformable:
                layers += [DCN(i, o), nn.BatchNorm2d(o), nn.ReLU()]
                i = o
            layers += [nn.ConvTranspose2d(i, o, 4, 2, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU()]
            i = o
        self.deconv_layers = nn.Sequential(*layers)
        self.heads(i, head, classes)

    def features(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.deconv_layers(self.layer4(self.layer3(self.layer2(self.layer1(x)))))


def small(block):
    return resnet.ResNet(block, (1, 1, 1, 1), channels=(16, 24, 32, 40), num_classes=0)


FORMS = {
    "res": lambda: OnResNet(small(resnet.BasicBlock), [12, 10, 12], False, 16, 5),
    "resdcn": lambda: OnResNet(small(resnet.BasicBlock), [12, 10, 8], True, 16, 5),
    "dla": lambda: OnDLA([8, 8, 12, 16, 20, 24], 16, 5),
}


# With the seed 2, a ReLU is at zero: PyTorch's own gradient of the first convolution differs from that in float64.
SEEDS = {"res": 1, "resdcn": 4, "dla": 3}


def radius(h, w, overlap, published):
    """How far a corner may move: with the box outside of the object, inside of it, or beside it."""
    cases = ((1, h + w, h * w * (1 - overlap) / (1 + overlap)), (4, 2 * (h + w), (1 - overlap) * h * w), (4 * overlap, -2 * overlap * (h + w), (overlap - 1) * h * w))
    roots = [math.sqrt(b * b - 4 * a * c) for a, b, c in cases]
    if published:
        return min((b + r) / 2 for (_, b, _), r in zip(cases, roots))
    return min((b - r) / (2 * a) if a != 4 * overlap else (b + r) / (2 * a) for (a, b, _), r in zip(cases, roots))


def losses(hm, wh, reg, targets, published):
    n, classes, rows, columns = hm.shape
    heat, where, sizes, offsets = torch.zeros(hm.shape), [], [], []
    for i, t in enumerate(targets):
        for b, c in zip(t["boxes"] / 4, t["labels"]):
            x0, x1 = b[0::2].clamp(0, columns - 1).tolist()
            y0, y1 = b[1::2].clamp(0, rows - 1).tolist()
            w, h = x1 - x0, y1 - y0
            if w <= 0 or h <= 0:
                continue
            r = max(0, int(radius(math.ceil(h), math.ceil(w), 0.7, published)))
            cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
            sigma = (2 * r + 1) / 6
            dy, dx = torch.arange(rows)[:, None] - int(cy), torch.arange(columns)[None] - int(cx)
            spot = torch.exp(-(dx**2 + dy**2).double() / (2 * sigma**2)) * (dx.abs() <= r) * (dy.abs() <= r)
            heat[i, c] = torch.maximum(heat[i, c], spot.float())
            where.append((i, int(cy), int(cx)))
            sizes.append([w, h])
            offsets.append([cx - int(cx), cy - int(cy)])
    p = hm.sigmoid().clamp(1e-4, 1 - 1e-4)
    each = torch.where(heat == 1, -((1 - p) ** 2) * p.log(), -((1 - heat) ** 4) * p**2 * (1 - p).log())
    i, y, x = torch.tensor(where).T
    l1 = [(v[i, :, y, x] - torch.tensor(want)).abs().sum() / (2 * len(where) + 1e-4) for v, want in ((wh, sizes), (reg, offsets))]
    return {"heatmap": each.sum() / max(1, (heat == 1).sum()), "size": 0.1 * l1[0], "offset": l1[1]}


def prepare(image):
    """Puts an image in its own size around the middle of a rectangle whose sides are multiples of 32."""
    h, w, _ = image.shape
    rows, columns = (h | 31) + 1, (w | 31) + 1
    out = torch.zeros(rows, columns, 3)
    top, left = rows // 2 - h // 2, columns // 2 - w // 2
    out[top : top + h, left : left + w] = image
    out = (out.flip(2).double() / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
    return out.float().permute(2, 0, 1)[None], (top, left)


def detect(model, image, flip):
    x, (top, left) = prepare(image)
    if flip:
        x = torch.cat([x, x.flip(3)])
    hm, wh, reg = model(x)
    hm = hm.sigmoid()
    if flip:
        hm, wh = [(v[:1] + v[1:].flip(3)) / 2 for v in (hm, wh)]
    hm = hm * (F.max_pool2d(hm, 3, 1, 1) == hm)
    _, classes, rows, columns = hm.shape
    scores, at = hm[0].flatten().topk(100)
    label, y, x = at // (rows * columns), at // columns % rows, at % columns
    center = torch.stack([x, y], 1) + reg[0, :, y, x].T
    half = wh[0, :, y, x].T / 2
    boxes = torch.cat([center - half, center + half], 1) * 4 - torch.tensor([left, top, left, top])
    return {"boxes": boxes, "scores": scores, "labels": label.float()}


def make(name, out, seed):
    torch.manual_seed(seed)
    model = FORMS[name]().eval()
    randomize(model)
    for n, p in model.named_parameters():
        if "conv_offset_mask" in n:
            p.data *= 0.5
        if n == "hm.2.bias":
            p.data -= 1
        if n.endswith(("wh.2.weight", "hm.2.weight")):
            p.data *= 0.5
    tensors = {"parameters": torch.tensor(float(sum(p.numel() for p in model.parameters())))}
    for i, (h, w) in enumerate(((70, 100), (64, 33))):
        image = F.avg_pool2d(torch.randint(0, 256, (3, h, w)).float(), 5, 1, 2).round().permute(1, 2, 0)
        tensors |= {f"image.{i}": image, f"pixels.{i}": prepare(image)[0]}
        with torch.no_grad():
            for way, flip in (("alone", False), ("flip", True)):
                tensors |= {f"{way}.{i}.{k}": v for k, v in detect(model, image, flip).items()}
    pixels = torch.randn(3, 3, 64, 96)
    targets = [dict(boxes=torch.tensor([[5.0, 8, 40, 60], [20, 10, 90, 63], [30, 30, 44, 41], [-20, -9, 30, 40], [100, 10, 130, 30]]), labels=torch.tensor([1, 2, 4, 1, 0])),
               dict(boxes=torch.tensor([[0.0, 0, 96, 64], [50, 20, 52, 21], [50, 20, 52, 21]]), labels=torch.tensor([0, 3, 3])),
               dict(boxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))]
    tensors |= {f"boxes.{i}": t["boxes"] for i, t in enumerate(targets)} | {f"classes.{i}": t["labels"] for i, t in enumerate(targets)}
    hm, wh, reg = model(pixels)
    tensors |= {"pixels": pixels, "hm": hm, "wh": wh, "reg": reg}
    for way in ("corrected", "published"):
        each = losses(hm, wh, reg, targets, way == "published")
        tensors |= {f"{way}.loss.{k}": v for k, v in each.items()}
    sum(each.values()).backward()
    tensors |= {f"grad/{k}": p.grad for k, p in model.named_parameters()}
    state = {f"module.{k}": v for k, v in model.state_dict().items()}
    if name == "dla":  # parts that the release has and does not use
        state |= {"module.base.fc.weight": torch.zeros(10, 24, 1, 1), "module.base.fc.bias": torch.zeros(10), "module.base.level3.project.0.weight": torch.zeros(16, 12, 1, 1)}
    torch.save({"epoch": 140, "state_dict": state}, f"{out}/{name}.pth")
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, f"{out}/{name}.safetensors",
              metadata={"script": "detect_centernet.py", "seed": str(seed), "versions": f"torch {torch.__version__}, torchvision {torchvision.__version__}, timm {timm.__version__}"})


if sys.argv[1] == "counts":
    from torchvision.models import resnet18, resnet101

    models = {"res18": OnResNet(resnet18(), [256] * 3, False, 64, 80), "resdcn18": OnResNet(resnet18(), [256, 128, 64], True, 64, 80),
              "resdcn101": OnResNet(resnet101(), [256, 128, 64], True, 64, 80), "dla": OnDLA([16, 32, 64, 128, 256, 512], 256, 80)}
    print(json.dumps({k: sum(p.numel() for p in m.parameters()) for k, m in models.items()}))
else:
    for form, seed in SEEDS.items():
        make(form, sys.argv[1], seed)
