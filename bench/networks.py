"""The graphs that bench/worker builds from Fovea's layers, in PyTorch: single convolutions, networks, text encoders.

network(case) returns the module and its inputs. Weights are random.
"""

import os

import torch
from torch import nn
from torchvision.ops.feature_pyramid_network import ExtraFPNBlock


def network(case):
    """Returns the module of a case of bench/worker and a tuple of inputs."""
    torch.manual_seed(1)
    name, *args = case.split(":")
    if name == "gemmpacked":
        m, k, n = map(int, args)
        return nn.Linear(k, n, bias=False), (torch.randn(m, k),)
    if name == "vit":
        import timm

        sizes = {"tiny": "vit_tiny_patch16_224", "small": "vit_small_patch16_224", "base": "vit_base_patch16_224",
                 "dinov2s": "vit_small_patch14_dinov2"}
        side = int(args[2]) if len(args) > 2 else 224
        return timm.create_model(sizes[args[0]], img_size=side, num_classes=1000), (torch.randn(int(args[1]), 3, side, side),)
    if name == "mae":
        from transformers import ViTMAEConfig, ViTMAEForPreTraining

        return ViTMAEForPreTraining(ViTMAEConfig(norm_pix_loss=True)), (torch.randn(int(args[0]), 3, 224, 224),)
    if name == "conv":
        channels, out, kernel, stride, groups, h, w, *batch = map(int, args)
        module = nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups)
        return module, (torch.randn(batch[0] if batch else 1, channels, h, w),)
    if name == "fastestdet":
        return FastestDet(), (torch.randn(1, 3, 352, 352),)
    if name == "r50fpn":
        from torchvision.models.detection.backbone_utils import BackboneWithFPN
        from torchvision.models import resnet50

        body = resnet50(weights=None)
        layers = {f"layer{i + 1}": str(i) for i in range(4)}
        return Levels(BackboneWithFPN(body, layers, [256, 512, 1024, 2048], 256, extra_blocks=Same())), (torch.randn(1, 3, 480, 640),)
    if name == "detect":
        return detector(args[0], *map(int, args[1].split("x")))
    if name == "fcostrain":
        return fcos_training(*map(int, args))
    if name == "nms":
        return suppression(int(args[0]))
    if name == "resnet18":
        from torchvision.models import resnet18

        return resnet18(weights=None), (torch.randn(int(args[0]), 3, 224, 224),)
    if name == "lstm":
        size, steps, batch = map(int, args)
        return nn.LSTM(size, size), (torch.randn(steps, batch, size),)
    if name == "text":
        return text(args[0], int(args[1]))
    if name == "finetune":
        return finetune(args[0], int(args[1]))
    if name == "clip":
        return clip(args[0], int(args[1]))
    raise ValueError(f"unknown network {case}")


class Detector(nn.Module):
    """A detector of torchvision, from the samples of an image to boxes."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, samples):
        return self.module([samples.permute(2, 0, 1).float() / 255])


def detector(name, height, width):
    """The detector whose weights bench/worker saved, and the image that it draws."""
    from safetensors.torch import load_file
    from torchvision.models import detection

    short, long = sorted((height, width))
    make, score = {"fcos": (detection.fcos_resnet50_fpn, 0.1), "faster_rcnn": (detection.fasterrcnn_resnet50_fpn, 0.05)}[name]
    thresholds = {"score_thresh" if name == "fcos" else "box_score_thresh": score}
    module = make(weights=None, weights_backbone=None, min_size=short, max_size=long, **thresholds)
    missing, unexpected = module.load_state_dict(load_file(os.path.join(os.environ["FOVEA_BENCH_WEIGHTS"], "model.safetensors")), strict=False)
    assert not unexpected and all(n.endswith("num_batches_tracked") for n in missing), (missing, unexpected)
    y, x, c = torch.meshgrid(torch.arange(height), torch.arange(width), torch.arange(3), indexing="ij")
    return Detector(module), ((x * (c + 1) + x * y // 64 + 3 * y * (3 - c)).to(torch.uint8),)


class FCOSLosses(nn.Module):
    """The losses of FCOS on prepared pixels, without the resize of torchvision's transform."""

    def __init__(self, module, targets):
        super().__init__()
        self.module, self.targets = module, targets

    def forward(self, x):
        from torchvision.models.detection.image_list import ImageList

        m = self.module
        levels = list(m.backbone(x).values())
        head = m.head(levels)
        anchors = m.anchor_generator(ImageList(x, [tuple(x.shape[2:])] * len(x)), levels)
        return m.compute_loss(self.targets, head, anchors, [f.shape[2] * f.shape[3] for f in levels])


def fcos_training(batch, height, width):
    """FCOS as torchvision fine-tunes it: frozen batch normalization, a frozen stem and first stage."""
    from torchvision.models import resnet50
    from torchvision.models.detection import fcos
    from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
    from torchvision.ops.feature_pyramid_network import LastLevelP6P7
    from torchvision.ops.misc import FrozenBatchNorm2d

    body = resnet50(weights=None, norm_layer=FrozenBatchNorm2d)
    for name, norm in body.named_modules():
        if isinstance(norm, FrozenBatchNorm2d) and name.startswith("layer"):
            norm.weight.fill_(0.5)
    levels = _resnet_fpn_extractor(body, 3, returned_layers=[2, 3, 4], extra_blocks=LastLevelP6P7(256, 256))
    targets = []
    for i in range(batch):
        k = torch.arange(8)
        x, y, side = (k * 37 + i * 11) % (width - 100), (k * 53 + i * 29) % (height - 100), 20 + 10 * k
        targets.append({"boxes": torch.stack((x, y, x + side, y + side), 1).float(), "labels": 1 + k})
    return FCOSLosses(fcos.FCOS(levels, 91), targets), (torch.randn(batch, 3, height, width),)


class NMS(nn.Module):
    def forward(self, boxes, scores):
        from torchvision.ops import nms

        return nms(boxes, scores, 0.5)


def suppression(n):
    """The boxes and scores that bench/worker draws."""
    state, values = 1, []
    for _ in range(7 * n):
        state = (state * 1664525 + 1013904223) % 2**32
        values.append((state >> 8) / 2**24)
    v = torch.tensor(values).reshape(n, 7)
    x, y, w, h = 1333 * v[:, 0], 800 * v[:, 1], 8 + v[:, 2] * v[:, 3] * 400, 8 + v[:, 4] * v[:, 5] * 400
    return NMS(), (torch.stack((x, y, x + w, y + h), 1), v[:, 6])


def clip(tower, batch):
    """A tower of CLIP B/32 with its projection, or the image tower of RN50. Texts fill all 77 places."""
    if tower == "rn50":
        import open_clip

        return open_clip.create_model("RN50").visual, (torch.randn(batch, 3, 224, 224),)
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPVisionConfig, CLIPVisionModelWithProjection

    if tower == "image":
        return Only(CLIPVisionModelWithProjection(CLIPVisionConfig()), "image_embeds"), (torch.randn(batch, 3, 224, 224),)
    ids = torch.arange(batch * 77).reshape(batch, 77) + 1000
    ids[:, -1] = 49407
    return Only(CLIPTextModelWithProjection(CLIPTextConfig()), "text_embeds"), (ids,)


class Only(nn.Module):
    """One output, as a tensor."""

    def __init__(self, module, name):
        super().__init__()
        self.module, self.name = module, name

    def forward(self, x):
        return getattr(self.module(x), self.name)


def encoder(name):
    """Returns the configuration of a text encoder and the number of tokens of its texts."""
    from transformers import BertConfig

    if name == "minilm":
        return BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536), 64
    return BertConfig(), 128


def text(name, batch):
    from transformers import BertModel

    c, tokens = encoder(name)
    return Only(BertModel(c, add_pooling_layer=False), "last_hidden_state"), (torch.arange(batch * tokens).reshape(batch, tokens) + 1000,)


def finetune(name, batch):
    from transformers import BertForSequenceClassification

    c, tokens = encoder(name)
    return Only(BertForSequenceClassification(c), "logits"), (torch.arange(batch * tokens).reshape(batch, tokens) + 1000,)


class Same(ExtraFPNBlock):
    """Keeps the pyramid as it is, without the pooled level that torchvision adds by default."""

    def forward(self, results, x, names):
        return results, names


class Levels(nn.Module):
    """The levels of a pyramid as a tuple."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return tuple(self.module(x).values())


class ConvNorm(nn.Sequential):
    def __init__(self, channels, out, kernel, stride, groups, act):
        super().__init__(nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(out),
                         *([nn.ReLU()] if act else []))


class ShuffleBlock(nn.Module):
    """A block of ShuffleNetV2 (Ma et al., arXiv 1807.11164, figure 3), channels shuffled at its start."""

    def __init__(self, channels, out, stride):
        super().__init__()
        half = out // 2
        first = channels if stride == 2 else half
        self.proj = None
        if stride == 2:
            self.proj = nn.Sequential(ConvNorm(channels, channels, 3, 2, channels, False), ConvNorm(channels, channels, 1, 1, 1, True))
        self.main = nn.Sequential(ConvNorm(first, half, 1, 1, 1, True), ConvNorm(half, half, 3, stride, half, False),
                                  ConvNorm(half, out - first, 1, 1, 1, True))

    def forward(self, x):
        if self.proj is not None:
            return torch.cat((self.proj(x), self.main(x)), 1)
        n, c, h, w = x.shape
        even, odd = x.reshape(n, c // 2, 2, h, w).unbind(2)
        return torch.cat((even, self.main(odd)), 1)


class FastestDet(nn.Module):
    """The graph of FastestDet (github.com/dog-qiuqiu/FastestDet)."""

    def __init__(self, width=96):
        super().__init__()
        self.stem = ConvNorm(3, 24, 3, 2, 1, True)
        self.stages, channels = nn.ModuleList(), 24
        for s, n in enumerate((4, 8, 4)):
            out = 48 << s
            self.stages.append(nn.Sequential(*(ShuffleBlock(channels if i == 0 else out, out, 2 if i == 0 else 1) for i in range(n))))
            channels = out
        self.reduce = ConvNorm(48 + 96 + 192, width, 1, 1, 1, True)
        self.pools = nn.ModuleList(nn.Sequential(*(ConvNorm(width, width, 5, 1, width, True) for _ in range(i + 1))) for i in range(3))
        self.join = ConvNorm(3 * width, width, 1, 1, 1, False)
        self.enter = ConvNorm(width, width, 1, 1, 1, True)
        self.heads = nn.ModuleList(nn.Sequential(ConvNorm(width, width, 5, 1, width, True), ConvNorm(width, out, 1, 1, 1, False))
                                   for out in (1, 4, 80))

    def forward(self, x):
        f = nn.functional
        x, levels = f.max_pool2d(self.stem(x), 3, 2, 1), []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        x = torch.cat((f.avg_pool2d(levels[0], 3, 2, 1), levels[1], f.interpolate(levels[2], scale_factor=2)), 1)
        x = self.reduce(x)
        x = self.enter(f.relu(x + self.join(torch.cat([p(x) for p in self.pools], 1))))
        objectness, boxes, classes = [h(x) for h in self.heads]
        return torch.cat((objectness.sigmoid(), boxes, classes.softmax(1)), 1)
