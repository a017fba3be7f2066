"""Writes vision/testdata/augment.json: digests of what Pillow, timm and torchvision make of images. And
vision/testdata/randaugment.json: how timm reads forms such as rand-m9-mstd0.5-inc1, and what each of its operations
makes of an image at a magnitude, for each sign that it draws.

Pillow 13.0.0, timm 1.0.31, torchvision 0.29.2. The images come from the integer formula in `test_image`, which the Go
tests repeat. Each case names an operation and its argument, and holds half of the SHA-256 of the resulting RGB bytes
and the bytes themselves where they are few. Sharpness, shears and the like are those of timm's RandAugment
(timm/data/auto_augment.py); hue is torchvision's adjust_hue.

Run from the repository's root: python testdata/gen/vision_augment.py
"""

import base64
import functools
import hashlib
import json
import random
import unittest.mock

import numpy as np
import PIL
import timm
import torchvision
from PIL import Image
from timm.data import auto_augment as aa
from torchvision.transforms import functional as tv


def test_image(w, h):
    """Blocks of hard black and white, of gradients, and of noise, as in vision_resize.py."""
    y, x, c = np.meshgrid(np.arange(h), np.arange(w), np.arange(3), indexing="ij")
    y, x, c = (a.astype(np.uint32) for a in (y, x, c))
    noise = ((x * np.uint32(73856093)) ^ (y * np.uint32(19349663)) ^ (c * np.uint32(83492791))) >> np.uint32(11) & np.uint32(255)
    kind = (x // np.uint32(7) + y // np.uint32(5)) % np.uint32(3)
    hard = np.where(noise > 127, 255, 0)
    smooth = (x * 5 + y * 3 + c * 40) % 256
    return np.where(kind == 0, hard, np.where(kind == 1, smooth, noise)).astype(np.uint8)


def dim(a):
    """The same in a narrow range of levels, other levels a channel."""
    return (a // 3 + np.array([10, 60, 120], np.uint8)).astype(np.uint8)


IMAGES = {
    "wide": test_image(61, 37), "tall": test_image(19, 44), "square": test_image(32, 32), "dim": dim(test_image(40, 25)),
    "flat": np.full((5, 6, 3), 77, np.uint8), "dot": test_image(1, 1), "line": test_image(9, 2),
}
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
FILL = (124, 116, 104)
cases = []


def case(op, f, *args, names=tuple(IMAGES), gray=False):
    for name in names:
        m = Image.fromarray(IMAGES[name])
        if gray:
            m, name = m.convert("L"), name + " gray"
        out = f(m)
        assert out.mode == m.mode
        raw = out.tobytes()
        c = {"image": name, "op": op, "args": list(args), "sha256": hashlib.sha256(raw).hexdigest()[:32]}
        if len(raw) <= 90:
            c["pixels"] = base64.b64encode(raw).decode()
        cases.append(c)


case("autocontrast", aa.auto_contrast)
case("equalize", aa.equalize)
case("invert", aa.invert)
for bits in (1, 3, 4, 7):
    case("posterize", lambda m: aa.posterize(m, bits), bits)
for t in (0, 26, 128, 255, 256):
    case("solarize", lambda m: aa.solarize(m, t), t)
for add in (0, 55, 110):
    case("solarizeadd", lambda m: aa.solarize_add(m, add), add)
for factor in (0, 0.1, 0.37, 0.82, 1, 1.3, 1.9):
    case("saturation", lambda m: aa.color(m, factor), factor)
    case("contrast", lambda m: aa.contrast(m, factor), factor)
    case("brightness", lambda m: aa.brightness(m, factor), factor)
    case("sharpness", lambda m: aa.sharpness(m, factor), factor)
for share in (-0.5, -0.21, 0, 0.004, 0.1, 0.33, 0.5):
    case("hue", lambda m: tv.adjust_hue(m, share), share)
for name, f in FILTERS.items():
    kw = {"resample": f, "fillcolor": FILL}
    for v in (-0.3, 0, 0.07, 0.26):
        case("shearx", lambda m: aa.shear_x(m, v, **kw), v, name)
        case("sheary", lambda m: aa.shear_y(m, v, **kw), v, name)
    for v in (-0.45, -0.13, 0, 0.31):
        case("translatex", lambda m: aa.translate_x_rel(m, v, **kw), v, name)
        case("translatey", lambda m: aa.translate_y_rel(m, v, **kw), v, name)
    for v in (-30, -11.7, 0, 4.25, 27, 90, 180, 270):
        case("rotate", lambda m: aa.rotate(m, v, **kw), v, name)

for radius in (0.1, 0.43, 1.05, 2, 7.3):
    case("gaussianblur", lambda m: aa.gaussian_blur(m, radius), radius)

# Images of one channel, as models with in_chans=1 are trained. Their fill has one value.
gray = functools.partial(case, names=("wide", "tall", "flat", "dot", "line"), gray=True)
gray("autocontrast", aa.auto_contrast)
gray("equalize", aa.equalize)
gray("invert", aa.invert)
gray("posterize", lambda m: aa.posterize(m, 3), 3)
gray("solarize", lambda m: aa.solarize(m, 128), 128)
gray("solarizeadd", lambda m: aa.solarize_add(m, 55), 55)
for factor in (0, 0.37, 1.3):
    gray("saturation", lambda m: aa.color(m, factor), factor)
    gray("contrast", lambda m: aa.contrast(m, factor), factor)
    gray("brightness", lambda m: aa.brightness(m, factor), factor)
    gray("sharpness", lambda m: aa.sharpness(m, factor), factor)
gray("gaussianblur", lambda m: aa.gaussian_blur(m, 1.05), 1.05)
gray("hue", lambda m: tv.adjust_hue(m, 0.33), 0.33)
for name, f in FILTERS.items():
    kw = {"resample": f, "fillcolor": FILL[:1]}
    gray("shearx", lambda m: aa.shear_x(m, 0.26, **kw), 0.26, name)
    gray("sheary", lambda m: aa.shear_y(m, -0.3, **kw), -0.3, name)
    gray("translatex", lambda m: aa.translate_x_rel(m, -0.13, **kw), -0.13, name)
    gray("translatey", lambda m: aa.translate_y_rel(m, 0.31, **kw), 0.31, name)
    for v in (-11.7, 27, 90):
        gray("rotate", lambda m: aa.rotate(m, v, **kw), v, name)

with open("vision/testdata/augment.json", "w") as f:
    f.write('{"script": "testdata/gen/vision_augment.py",\n "versions": %s,\n "fill": %s,\n "cases": [\n' % (
        json.dumps({"pillow": PIL.__version__, "timm": timm.__version__, "torchvision": torchvision.__version__}), json.dumps(FILL)))
    f.write(",\n".join(json.dumps(c) for c in cases))
    f.write("\n]}\n")
print(len(cases), "cases")

configs = []
for form in (
    "rand", "rand-m9-mstd0.5-inc1", "rand-m9-n3-mstd0.5", "rand-m7-mstd0.5-inc1", "rand-m15", "rand-m15-mstd0.5-inc1", "rand-inc0-m5",
    "rand-n3-mstd101-p0.2-m12-mmax30", "rand-m10-mmax0", "rand-m0-p0", "rand-n0", "rand-mstd1-tweights", "rand-m9-n3-t3a",
    "rand-m15-n1-t3aw", "rand-t3aw-inc1-p1",
):
    # hparams are those of timm/data/transforms_factory.py, for ImageNet's mean.
    ra = aa.rand_augment_transform(form, {"translate_const": 100, "img_mean": FILL})
    first = ra.ops[0]
    assert all((o.prob, o.magnitude, o.magnitude_std, o.magnitude_max) == (first.prob, first.magnitude, first.magnitude_std, first.magnitude_max) for o in ra.ops)
    configs.append({
        "form": form, "layers": ra.num_layers, "prob": first.prob, "magnitude": first.magnitude, "std": str(first.magnitude_std),
        "max": first.magnitude_max or aa._LEVEL_DENOM, "fill": first.kwargs["fillcolor"], "operations": [o.name for o in ra.ops],
        "weights": None if ra.choice_weights is None else list(ra.choice_weights),
    })

levels = []
names = sorted({o for c in configs for o in c["operations"]})
for name in names:
    for magnitude, most in ((0, None), (3, None), (9, None), (10, None), (15, None), (13, 20)):
        op = aa.AugmentOp(name, prob=1.0, magnitude=magnitude, hparams={"img_mean": FILL, "interpolation": Image.Resampling.BICUBIC, "magnitude_max": most})
        for image in ("wide", "line"):
            if name.startswith("Posterize") and op.level_fn(min(magnitude, most or 10), {})[0] <= 0:
                continue  # to no bits at all, which Pillow 13 refuses; earlier versions gave black
            digests = set()
            for draw in (0.25, 0.75):  # _randomly_negate compares with 0.5
                with unittest.mock.patch.object(random, "random", lambda: draw):
                    digests.add(hashlib.sha256(op(Image.fromarray(IMAGES[image])).tobytes()).hexdigest()[:32])
            levels.append({"operation": name, "magnitude": magnitude, "max": most or 0, "image": image, "sha256": sorted(digests)})

with open("vision/testdata/randaugment.json", "w") as f:
    f.write('{"script": "testdata/gen/vision_augment.py",\n "versions": %s,\n "forms": [\n' % json.dumps({"pillow": PIL.__version__, "timm": timm.__version__}))
    f.write(",\n".join(json.dumps(c) for c in configs))
    f.write('\n],\n "levels": [\n')
    f.write(",\n".join(json.dumps(c) for c in levels))
    f.write("\n]}\n")
print(len(configs), "forms,", len(levels), "levels")
