"""Writes a small random YOLOv1 as darknet's files, with its predictions.

    python detect_darknet.py OUT    OUT/yolo.cfg, OUT/yolo.weights and OUT/yolo.safetensors

The layers are written here in PyTorch as darknet's sources compute them. The .safetensors file holds

    image     an image, [height, width, 3], of samples 0 to 255
    pixels    the image as darknet prepares it
    output    the predictions

Versions: requirements.txt. Seeds are in the golden's metadata.
"""

import struct
import sys

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

torch.set_num_threads(1)
SEED = 1
CFG = """[net]
# a comment
batch=1
height=64
width = 64
channels=3
learning_rate=0.0005
policy=steps

[convolutional]
batch_normalize=1
filters=6
size=7
stride=2
pad=1
activation=leaky

[maxpool]
size=2
stride=2

[conv]
filters=8
size=3
stride=2
padding=1
activation=leaky

[convolutional]
batch_normalize=1
filters=5
size=1
activation=linear

[local]
size=3
stride=1
pad=1
filters=4
activation=leaky

[dropout]
probability=.5

[connected]
output=20
activation=leaky

[connected]
output= 207
activation=linear

[detection]
classes=8
coords=4
rescore=1
side=3
num=3
softmax=0
sqrt=1
jitter=.2
object_scale=1
noobject_scale=.5
class_scale=1
coord_scale=5
"""


def resize(image, n):
    """Interpolates between pixels so that the corners of both images lie on each other."""
    x = F.interpolate(image.permute(2, 0, 1)[None].double() / 255, size=(n, n), mode="bilinear", align_corners=True)
    return x.float()


def main(out):
    torch.manual_seed(SEED)
    stream = []

    def draw(*shape, scale=1.0, positive=False):
        v = torch.rand(shape) + 0.5 if positive else torch.randn(shape) * scale
        stream.append(v.numpy().astype("<f4").tobytes())
        return v

    image = F.avg_pool2d(torch.randint(0, 256, (3, 41, 70)).float(), 3, 1, 1).round().permute(1, 2, 0)
    pixels = resize(image, 64)

    def norm(x, beta, gamma, mean, var):
        return gamma[:, None, None] * (x - mean[:, None, None]) / (var.sqrt() + 1e-6)[:, None, None] + beta[:, None, None]

    def conv(x, out, size, stride, padding, normalized):
        beta = draw(out, scale=0.3)
        stats = (draw(out, positive=True), draw(out, scale=0.2), draw(out, positive=True)) if normalized else None
        y = F.conv2d(x, draw(out, x.shape[1], size, size, scale=(2 / (x.shape[1] * size * size)) ** 0.5), None, stride, padding)
        return norm(y, beta, *stats) if normalized else y + beta[:, None, None]

    x = F.leaky_relu(conv(pixels, 6, 7, 2, 3, True), 0.1)
    x = F.max_pool2d(x, 2)
    x = F.leaky_relu(conv(x, 8, 3, 2, 1, False), 0.1)
    x = conv(x, 5, 1, 1, 0, True)
    bias = draw(4, 64, scale=0.3)
    weight = draw(64, 4, 45, scale=0.2)  # for each place: the filters, by channel, row and column
    x = F.leaky_relu(torch.einsum("lok,kl->ol", weight, F.unfold(x, 3, padding=1)[0]) + bias, 0.1)
    bias = draw(20, scale=0.3)
    x = F.leaky_relu(draw(20, 256, scale=0.1) @ x.flatten() + bias, 0.1)
    bias = draw(207, scale=0.3)
    x = draw(207, 20, scale=0.2) @ x + bias
    with open(f"{out}/yolo.cfg", "w") as f:
        f.write(CFG)
    with open(f"{out}/yolo.weights", "wb") as f:
        f.write(struct.pack("<iiiQ", 0, 2, 0, 64000) + b"".join(stream))
    with open(f"{out}/old.weights", "wb") as f:  # before version 0.2, the count has four bytes
        f.write(struct.pack("<iiii", 0, 1, 0, 64000) + b"".join(stream))
    save_file({"image": image.contiguous(), "pixels": pixels, "output": x[None].contiguous()}, f"{out}/yolo.safetensors",
              metadata={"script": "detect_darknet.py", "seed": str(SEED), "versions": f"torch {torch.__version__}, numpy {np.__version__}"})


main(sys.argv[1])
