"""Writes vision/testdata/preprocess.json: what image processors make of pictures, and the files they save.

Made with transformers 5.23.0, torchvision 0.29.2, torch 2.15.0, Pillow 13.0.0 and numpy 2.4.6. Pictures are those
of vision_resize.py. Float outputs are held as half of the SHA-256 of their little-endian float32 bytes: pixels
and arithmetic are to agree to the last bit.

Run from the repository's root: python testdata/gen/vision_preprocess.py
"""

import hashlib
import json
import os
import tempfile

import numpy as np
import PIL
import torch
import torchvision
import transformers
from PIL import Image
from torchvision import transforms
from transformers import CLIPImageProcessor, ViTImageProcessor
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil


def picture(w, h):
    y, x, c = np.meshgrid(np.arange(h), np.arange(w), np.arange(3), indexing="ij")
    y, x, c = (a.astype(np.uint32) for a in (y, x, c))
    noise = ((x * np.uint32(73856093)) ^ (y * np.uint32(19349663)) ^ (c * np.uint32(83492791))) >> np.uint32(11) & np.uint32(255)
    kind = (x // np.uint32(7) + y // np.uint32(5)) % np.uint32(3)
    return np.where(kind == 0, np.where(noise > 127, 255, 0), np.where(kind == 1, (x * 5 + y * 3 + c * 40) % 256, noise)).astype(np.uint8)


def digest(a):
    a = np.ascontiguousarray(np.asarray(a), dtype="<f4")
    return hashlib.sha256(a.tobytes()).hexdigest()[:32]


# Every sample value in every channel.
ramp = Image.fromarray(np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, 2))
stats = {
    "imagenet": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    "half": ([0.5] * 3, [0.5] * 3),
    "clip": ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]),
}
ramps = {}
for name, (mean, std) in stats.items():
    kw = dict(do_resize=False, image_mean=mean, image_std=std)
    tv = transforms.Compose([transforms.ToTensor(), transforms.Normalize(mean, std)])
    ramps[name] = {
        "rescale_first": digest(ViTImageProcessorPil(**kw)(ramp, return_tensors="np").pixel_values[0]),
        "fused": digest(ViTImageProcessor(**kw)(ramp, return_tensors="pt").pixel_values[0]),
        "unit_first": digest(tv(ramp)),
    }
ramps["raw"] = {
    "rescale_first": digest(ViTImageProcessorPil(do_resize=False, do_normalize=False)(ramp, return_tensors="np").pixel_values[0]),
}
ramps["unscaled"] = {
    "rescale_first": digest(ViTImageProcessorPil(do_resize=False, do_rescale=False)(ramp, return_tensors="np").pixel_values[0]),
}

SIZES = [(97, 61), (61, 97), (224, 224), (300, 225), (33, 500), (40, 23), (255, 256), (10, 9)]


def saved(p):
    with tempfile.TemporaryDirectory() as d:
        p.save_pretrained(d)
        with open(os.path.join(d, "preprocessor_config.json")) as f:
            return json.load(f)


def outputs(run):
    out = {}
    for w, h in SIZES:
        a = np.asarray(run(Image.fromarray(picture(w, h))))
        out[f"{w}x{h}"] = {"size": [a.shape[-1], a.shape[-2]], "sha256": digest(a)}
    return out


processors = {}
for name, pil, fast in (
    ("vit", ViTImageProcessorPil(), ViTImageProcessor()),
    ("vit_bicubic", ViTImageProcessorPil(resample=3, size={"height": 96, "width": 128}, image_mean=stats["imagenet"][0], image_std=stats["imagenet"][1]), None),
    ("clip", CLIPImageProcessorPil(), CLIPImageProcessor()),
    ("clip_small", CLIPImageProcessorPil(size={"shortest_edge": 31}, crop_size={"height": 40, "width": 25}), None),
    ("crop_only", CLIPImageProcessorPil(do_resize=False, crop_size={"height": 50, "width": 51}), None),
):
    processors[name] = {
        "config": saved(pil),
        "outputs": outputs(lambda m, p=pil: p(m, return_tensors="np").pixel_values[0]),
    }
    if fast is not None:
        processors[name]["config_fast"] = saved(fast)

crops = {}
for n, make in (
    ("imagenet", transforms.Compose([transforms.Resize(256, transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(224), transforms.ToTensor(), transforms.Normalize(*stats["imagenet"])])),
    ("centre_even", transforms.Compose([transforms.CenterCrop((41, 52)), transforms.ToTensor(), transforms.Normalize(*stats["imagenet"])])),
):
    crops[n] = outputs(make)

out = {
    "script": "testdata/gen/vision_preprocess.py",
    "versions": {
        "transformers": transformers.__version__, "torchvision": torchvision.__version__, "torch": torch.__version__,
        "pillow": PIL.__version__, "numpy": np.__version__,
    },
    "ramps": ramps,
    "processors": processors,
    "torchvision": crops,
}
with open("vision/testdata/preprocess.json", "w") as f:
    json.dump(out, f, indent=1)
    f.write("\n")
