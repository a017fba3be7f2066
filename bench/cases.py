"""The cases of run.py: their names, the peers that can run them, and how much work they are.

A case is a name of bench/worker, such as vit:base:1, and an arithmetic, such as vit:base:1@bf16. Strict has no suffix.
"""

import atexit
import functools
import os
import shutil
import tempfile

GEMMS = [(1024, 1024, 1024), (197, 768, 768), (197, 768, 3072), (197, 3072, 768)]

# Steps of decoders, with weights larger than the caches: such products are bound by reading them.
FEW_ROWS = 16
FEW = [(m, 4096, 4096) for m in (1, 2, 4, 8, FEW_ROWS)]

# in:out:kernel:stride:groups:height:width
CONVS = [
    "88:88:3:1:88:88:88", "192:192:3:1:192:22:22", "96:96:3:2:96:44:44", "96:96:5:1:96:22:22",  # depthwise
    "3:24:3:2:1:352:352",  # stem
    "64:64:3:1:1:120:120", "512:512:3:1:1:15:15", "256:64:1:1:1:60:80",
]

KINDS = {
    "gemm": [f"{form}:{m}:{k}:{n}" for m, k, n in GEMMS for form in ("gemm", "gemmpacked")],
    "few": [f"gemmpacked:{m}:{k}:{n}" for m, k, n in FEW],
    "vit": [f"vit:{name}:{batch}" for name in ("small", "base", "dinov2s") for batch in (1, 8)] + ["vit:dinov2s:1:518"],
    "text": ["text:minilm:1", "text:minilm:32", "text:bert:1", "text:bert:8"],
    "clip": ["clip:image:1", "clip:image:8", "clip:image:32", "clip:rn50:1", "clip:text:1", "clip:text:8", "clip:text:10"],
    "conv": ["conv:" + c for c in CONVS],
    "net": ["fastestdet", "r50fpn"],
    "detect": ["detect:fcos:480x640", "detect:faster_rcnn:480x640", "fcostrain:2:320:320", "nms:100000"],
    "lstm": ["lstm:1024:64:1"],
    "resnet": ["resnet18:8"],
    "train": ["train:tiny:8", "train:base:8"],
    "mae": ["mae:8"],
    "finetune": ["finetune:bert:8"],
}

TRAINING = ("train", "mae", "resnet18", "finetune", "fcostrain")
MATHS = ("strict", "accurate", "bf16", "int8")
BITS = {"strict": 32, "accurate": 32, "bf16": 16, "int8": 8}  # of a weight


def split(case):
    """Returns the name of a case without its arithmetic, its kind, and the arithmetic."""
    name, _, math = case.partition("@")
    return name, name.split(":")[0], math or "strict"


@functools.cache
def files():
    """Returns the folder of what is made for a measurement: FOVEA_BENCH_WEIGHTS, or one that ends with this process."""
    if "FOVEA_BENCH_WEIGHTS" in os.environ:
        return os.environ["FOVEA_BENCH_WEIGHTS"]
    made = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, made)
    return made


def folder(case):
    """Returns the folder of the files that export.py writes for a case."""
    return os.path.join(files(), split(case)[0].replace(":", "-"))


def selected(only, maths):
    """Returns the cases of a list of kinds and cases, in each arithmetic that they have."""
    cases = []
    for word in only.split(","):
        for case in KINDS.get(word, [word]):
            if "@" in case:
                cases.append(case)
                continue
            for math in maths:
                kind = split(case)[1]
                if math == "strict":
                    cases.append(case)
                elif kind != "nms" and not (math == "int8" and kind in TRAINING):
                    cases.append(f"{case}@{math}")
    return cases


def engines(case):
    """Returns the peers that can run a case. peers.py says what they are."""
    name, kind, math = split(case)
    images = kind in ("conv", "fastestdet", "r50fpn", "vit") or name.startswith(("clip:image", "clip:rn50"))
    if kind in ("gemm", "nms"):
        return ["torch"]
    if kind in TRAINING:
        return ["torch"] + (["channels-last"] if kind in ("resnet18", "fcostrain") else []) + (["compiled"] if kind != "fcostrain" else [])
    if kind == "detect":
        return ["torch", "channels-last"] if math != "int8" else []
    layout = ["channels-last"] if images and kind != "vit" else []
    compiled = ["compiled"] if kind in ("vit", "text", "clip") else []
    if math == "int8":
        if kind in ("conv", "fastestdet", "r50fpn") or name.startswith("clip:rn50"):  # the dynamic ways leave convolutions as they are
            return ["onnxruntime", "openvino"]
        return ["torch"] + compiled + ["onnxruntime", "openvino"] + (["openvino-dynamic"] if kind != "lstm" else [])
    if math == "bf16":  # ONNX Runtime has no kernels of bfloat16 for x86
        return ["torch", "converted"] + layout + compiled + ["openvino"]
    return ["torch"] + layout + compiled + ["onnxruntime", "openvino"]


def weights(case):
    """Returns the bytes of the weights of a product of few rows, or 0."""
    name, kind, math = split(case)
    if kind == "gemmpacked":
        m, k, n = map(int, name.split(":")[1:])
        if m <= FEW_ROWS:
            return k * n * BITS[math] // 8
    return 0


def one_token(case):
    """Reports whether the result of a case depends on one token of a transformer: the class token, or CLIP's end token.

    Fovea then computes the last block for that token: keys and values need all tokens; attention, the projection and the MLP do
    not. That is 6 to 7 % of the operations of twelve blocks. The peers run the graph as their libraries write it.
    """
    name, kind, _ = split(case)
    return kind in ("vit", "train") or name.startswith(("clip:image", "clip:text"))


@functools.cache
def operations(name):
    """Returns the floating-point operations of a case, a product and its addition being two; 0 if they are unknown.

    They are those of the whole graph, also where one_token is true and Fovea leaves some out. PyTorch counts its matrix
    products, convolutions and attentions, backward included. It does not count elementwise operations, norms, or an LSTM.
    """
    kind, *args = name.split(":")
    if kind.startswith("gemm"):
        m, k, n = map(int, args)
        return 2 * m * k * n
    if kind in ("nms", "detect"):  # their work depends on the values
        return 0
    if kind == "lstm":
        width, steps, batch = map(int, args)
        return 2 * 4 * width * 2 * width * steps * batch
    try:
        import torch
        from torch.utils.flop_counter import FlopCounterMode

        from pytorch import prepare
    except ImportError:
        return 0
    run, _ = prepare("torch", name, os.cpu_count())
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()
