"""Writes small random detectors of torchvision, with features, predictions, losses, gradients and detections.

    python detect_torchvision.py OUT    OUT/NAME.pth and OUT/NAME.safetensors for every form
    python detect_torchvision.py counts the numbers of parameters of torchvision's own models, as JSON

The .safetensors file holds

    image.I              an image, [height, width, 3], of samples 0 to 255
    pixels               the batch that torchvision makes of all images
    level.K              the levels of the pyramid
    class, box, center   the predictions of all levels; in two stages those of the second, and object.K, offsets.K, proposals.I
    batch.I.boxes ...    the detections in image I, searched with the others, and alone.I for the image alone
    arguments.K.I ...    those in image I alone, with the arguments number K of the constructor
    boxes.I, classes.I   the objects in image I of the batch, for the losses
    loss.NAME, grad/NAME the losses in training, and the gradients of their sum

Versions: requirements.txt. Seeds are in each golden's metadata.
"""

import json
import sys
from functools import partial

import torch
import torchvision
from safetensors.torch import save_file
from torchvision.models import resnet
from torchvision.models.detection import backbone_utils, faster_rcnn, fcos, retinanet
from torchvision.ops import misc
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from backbone import randomize
from models_vit import array

torch.set_num_threads(1)
SIZES = ((70, 100), (120, 64))
WIDTH = 32
SIDES = dict(min_size=96, max_size=150)


def backbone(norm, p6, layers=(1, 1, 1, 1)):
    body = resnet.ResNet(resnet.BasicBlock, list(layers), norm_layer=norm)
    return backbone_utils.BackboneWithFPN(body, {f"layer{i}": str(i - 2) for i in (2, 3, 4)}, [128, 256, 512], WIDTH, LastLevelP6P7(p6, WIDTH))


def make_fcos(**arguments):
    return fcos.FCOS(backbone(misc.FrozenBatchNorm2d, WIDTH), 5, **SIDES | arguments)


def make_retinanet(p6=WIDTH, norm=None, body=misc.FrozenBatchNorm2d, **arguments):
    head = retinanet.RetinaNetHead(WIDTH, 9, 5, norm_layer=norm)
    if norm:
        head.regression_head._loss_type = "giou"
    return retinanet.RetinaNet(backbone(body, p6), 5, head=head, **SIDES | arguments)


def make_faster_rcnn(second=False, **arguments):
    norm = torch.nn.BatchNorm2d if second else misc.FrozenBatchNorm2d
    body = resnet.ResNet(resnet.BasicBlock, [1, 1, 1, 1], norm_layer=norm)
    layers = {f"layer{i}": str(i - 1) for i in (1, 2, 3, 4)}
    levels = backbone_utils.BackboneWithFPN(body, layers, [64, 128, 256, 512], WIDTH, norm_layer=norm if second else None)
    head, rpn = faster_rcnn.TwoMLPHead(WIDTH * 49, 64), None
    if second:
        head = faster_rcnn.FastRCNNConvFCHead((WIDTH, 7, 7), [WIDTH] * 4, [64], norm_layer=norm)
        rpn = faster_rcnn.RPNHead(WIDTH, 3, conv_depth=2)
    everything = dict(rpn_batch_size_per_image=10**6, box_batch_size_per_image=10**6)  # losses without a random choice
    if second:  # few, because each more ReLU may differ by rounding
        everything |= dict(rpn_pre_nms_top_n_train=20, rpn_post_nms_top_n_train=20)
    return faster_rcnn.FasterRCNN(levels, **SIDES | everything | arguments, box_head=head, rpn_head=rpn, box_predictor=faster_rcnn.FastRCNNPredictor(64, 5))


FORMS = {
    "fcos": make_fcos,
    "retinanet": make_retinanet,
    "retinanet_v2": partial(make_retinanet, 512, partial(torch.nn.GroupNorm, 32), torch.nn.BatchNorm2d),
    "faster_rcnn": make_faster_rcnn,
    "faster_rcnn_v2": partial(make_faster_rcnn, True),
}


# Two sets of arguments that are not the defaults: those of all forms, by their names in one stage, and those of two stages.
ARGUMENTS = [
    (dict(min_size=100, max_size=140), dict(score_thresh=0.1, nms_thresh=0.3, detections_per_img=20),
     dict(rpn_pre_nms_top_n_test=40, rpn_post_nms_top_n_test=50, rpn_score_thresh=0.2, rpn_nms_thresh=0.5)),
    (dict(min_size=128, max_size=400), dict(score_thresh=0.06, nms_thresh=0.8, detections_per_img=400),
     dict(rpn_pre_nms_top_n_test=300, rpn_post_nms_top_n_test=120, rpn_score_thresh=0.05, rpn_nms_thresh=0.9)),
]


def with_arguments(name, state, inputs):
    """Returns the detections in each image of models of the same weights with other arguments."""
    tensors = {}
    for k, (sides, limits, stages) in enumerate(ARGUMENTS):
        if name.startswith("faster"):
            limits = {"box_" + n: v for n, v in limits.items()} | stages
        else:
            limits = limits | dict(topk_candidates=stages["rpn_pre_nms_top_n_test"])
        model = FORMS[name](**sides, **limits).eval()
        model.load_state_dict(state)
        for i, image in enumerate(inputs):
            tensors |= {f"arguments.{k}.{i}.{n}": v.float() for n, v in model([image])[0].items()}
    return tensors


# With other seeds, an IoU is at a threshold, or a ReLU at zero, and rounding decides.
SEEDS = {"faster_rcnn_v2": 12}


def old(state):
    """Gives the names of old files."""
    named = {}
    for k, v in state.items():
        parts = k.split(".")
        if "inner_blocks" in k or "layer_blocks" in k:
            del parts[4]
        if "rpn.head.conv." in k:
            del parts[3:5]
        if "_head.conv." in k:
            parts[3:5] = [str(2 * int(parts[3]))]
        named[".".join(parts)] = v
    return named


def make(name, out):
    seed = SEEDS.get(name, 1 + list(FORMS).index(name))
    torch.manual_seed(seed)
    model = FORMS[name]().eval()
    randomize(model)
    for n, p in model.named_parameters():
        if n.endswith("cls_logits.weight"):
            p.data *= 1.2
        if n.endswith("cls_score.weight"):  # probabilities that are not all 0 or 1
            p.data *= 0.3
        if n.endswith("cls_logits.bias"):
            p.data = torch.randn_like(p) * 0.3 - 2
    images = [torch.randint(0, 256, (h, w, 3)) for h, w in SIZES]
    images = [torch.nn.functional.avg_pool2d(i.permute(2, 0, 1).float(), 5, 1, 2).round().permute(1, 2, 0) for i in images]
    tensors = {f"image.{i}": v for i, v in enumerate(images)}
    inputs = [i.permute(2, 0, 1) / 255 for i in images]
    with torch.no_grad():
        batch, _ = model.transform(inputs)
        levels = list(model.backbone(batch.tensors).values())
        tensors |= {"pixels": batch.tensors} | {f"level.{k}": v for k, v in enumerate(levels)}
        if hasattr(model, "rpn"):
            tensors |= stages(model, batch, levels)
        else:
            head = model.head(levels)
            tensors |= {"class": head["cls_logits"], "box": head["bbox_regression"]}
            if "bbox_ctrness" in head:
                tensors["center"] = head["bbox_ctrness"]
        found = {"batch": model(inputs), "alone": [model([i])[0] for i in inputs]}
        tensors |= with_arguments(name, model.state_dict(), inputs)
        for way, each in found.items():
            for i, d in enumerate(each):
                tensors |= {f"{way}.{i}.{k}": v.float() for k, v in d.items()}
    targets = [dict(boxes=torch.tensor([[5.0, 8, 40, 60], [20, 10, 90, 66], [30, 30, 44, 41]]), labels=torch.tensor([1, 2, 4])),
               dict(boxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))]
    tensors["sizes"] = torch.tensor(batch.image_sizes)
    if name == "fcos":  # both images have objects once
        targets[1] = dict(boxes=torch.tensor([[2.0, 3, 60, 115]]), labels=torch.tensor([3]))
    _, scaled = model.transform(inputs, [dict(t) for t in targets])
    for i, t in enumerate(scaled):
        tensors |= {f"boxes.{i}": t["boxes"], f"classes.{i}": t["labels"]}
    state = {k: v.clone() for k, v in model.state_dict().items()}
    model.train()
    if name == "faster_rcnn_v2":  # gradients through many batch statistics differ by rounding alone
        for m in model.modules():
            if isinstance(m, torch.nn.BatchNorm2d):
                m.eval()
    loss = model(inputs, targets)
    sum(loss.values()).backward()
    tensors |= {f"loss.{k}": v for k, v in loss.items()}
    tensors |= {"grad/" + n: p.grad for n, p in model.named_parameters()}
    # Frozen normalizations have buffers in place of parameters.
    tensors |= {"grad/" + n: torch.zeros_like(b) for n, b in model.named_buffers() if n.endswith(("weight", "bias"))}
    write(name, out, seed, model, state, tensors)


def stages(model, batch, levels):
    """Returns the predictions and proposals of the first stage, and the predictions of the second."""
    features = {str(i): v for i, v in enumerate(levels)}
    object, offsets = model.rpn.head(levels)
    proposals, _ = model.rpn(batch, features)
    boxes = model.roi_heads.box_roi_pool(features, proposals, batch.image_sizes)
    class_, box = model.roi_heads.box_predictor(model.roi_heads.box_head(boxes))
    return {f"object.{k}": v for k, v in enumerate(object)} | {f"offsets.{k}": v for k, v in enumerate(offsets)} | {
        f"proposals.{i}": v for i, v in enumerate(proposals)} | {"class": class_, "box": box}


def write(name, out, seed, model, state, tensors):
    count = sum(v.numel() for k, v in model.state_dict().items() if "running" not in k and "num_batches" not in k)
    tensors["parameters"] = torch.tensor(float(count))
    torch.save(old(state) if name in ("retinanet", "faster_rcnn") else state, f"{out}/{name}.pth")
    save_file({k: torch.from_numpy(array(v)) if v.is_floating_point() else v for k, v in tensors.items()}, f"{out}/{name}.safetensors",
              metadata={"script": "detect_torchvision.py", "seed": str(seed), "versions": f"torch {torch.__version__}, torchvision {torchvision.__version__}"})


if sys.argv[1] == "counts":
    models = {"fcos": fcos.fcos_resnet50_fpn, "retinanet": retinanet.retinanet_resnet50_fpn, "retinanet_v2": retinanet.retinanet_resnet50_fpn_v2,
              "faster_rcnn": faster_rcnn.fasterrcnn_resnet50_fpn, "faster_rcnn_v2": faster_rcnn.fasterrcnn_resnet50_fpn_v2}
    print(json.dumps({k: sum(p.numel() for p in f(weights=None, weights_backbone=None).parameters()) for k, f in models.items()}))
else:
    for form in FORMS:
        make(form, sys.argv[1])
