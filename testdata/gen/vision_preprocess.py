"""Writes vision/testdata/preprocess.json: what image processors make of images.

The processors are those of vision/testdata/processors.json: the files beside the weights of the model families, and
some that use every other form. transformers' run on both of its backends, timm's on Pillow. Images are those of
vision_resize.py. Float outputs are held as half of the SHA-256 of their little-endian float32 bytes: pixels and
arithmetic are to agree to the last bit. Made with transformers 5.23.0, timm 1.0.31, torchvision 0.29.2, torch
2.15.0, Pillow 13.0.0 and numpy 2.4.6, on a processor with AVX2.

Run from the repository's root: python testdata/gen/vision_preprocess.py

With a folder as argument, prepares FOLDER/images/*.png by the processors in FOLDER/processors.json instead, and
writes FOLDER/NAME/IMAGE.BACKEND, each the height and the width as little-endian int32 and then the values.
"""

import glob
import hashlib
import json
import os
import sys
import tempfile

import numpy as np
import PIL
import timm
import timm.data
import torch
import torchvision
import transformers
from PIL import Image
from timm.models._hub import load_model_config_from_path
from torchvision import transforms
from transformers import AutoImageProcessor, ViTImageProcessor
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

transformers.logging.set_verbosity_error()


def runners(files):
    """The ways in which a library prepares images by a model's files, by the backend's name."""
    with tempfile.TemporaryDirectory() as d:
        for name, content in files.items():
            with open(os.path.join(d, name), "w") as f:
                json.dump(content, f)
        if list(files) == ["config.json"]:
            cfg = load_model_config_from_path(d)[0]
            return {"timm": timm.data.create_transform(**timm.data.resolve_data_config(pretrained_cfg=cfg))}
        out = {}
        for backend in ("pil", "torchvision"):
            p = AutoImageProcessor.from_pretrained(d, backend=backend)
            assert p.backend == backend
            out[backend] = lambda m, p=p: p(m, return_tensors="np" if p.backend == "pil" else "pt").pixel_values[0]
        return out


def compare(folder):
    with open(os.path.join(folder, "processors.json")) as f:
        processors = json.load(f)
    for name, files in processors.items():
        os.mkdir(os.path.join(folder, name))
        for backend, run in runners(files).items():
            for path in glob.glob(os.path.join(folder, "images", "*.png")):
                a = np.ascontiguousarray(np.asarray(run(Image.open(path).convert("RGB"))), dtype="<f4")
                with open(os.path.join(folder, name, os.path.basename(path) + "." + backend), "wb") as f:
                    f.write(np.array(a.shape[1:], "<i4").tobytes() + a.tobytes())


if len(sys.argv) > 1:
    compare(sys.argv[1])
    sys.exit()


def test_image(w, h):
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
        "pil": digest(ViTImageProcessorPil(**kw)(ramp, return_tensors="np").pixel_values[0]),
        "torchvision": digest(ViTImageProcessor(**kw)(ramp, return_tensors="pt").pixel_values[0]),
        "timm": digest(tv(ramp)),
    }
for name, kw in (("raw", dict(do_normalize=False)), ("unscaled", dict(do_rescale=False))):
    ramps[name] = {
        "pil": digest(ViTImageProcessorPil(do_resize=False, **kw)(ramp, return_tensors="np").pixel_values[0]),
        "torchvision": digest(ViTImageProcessor(do_resize=False, **kw)(ramp, return_tensors="pt").pixel_values[0]),
    }

SIZES = [(97, 61), (61, 97), (224, 224), (300, 225), (33, 500), (40, 23), (255, 256), (10, 9)]


def outputs(run):
    out = {}
    for w, h in SIZES:
        a = np.asarray(run(Image.fromarray(test_image(w, h))))
        out[f"{w}x{h}"] = {"size": [a.shape[-1], a.shape[-2]], "sha256": digest(a)}
    return out


with open("vision/testdata/processors.json") as f:
    processors = json.load(f)
results = {}
for name, files in processors.items():
    results[name] = {backend: outputs(run) for backend, run in runners(files).items()}

crops = {}
for n, make in (
    ("imagenet", transforms.Compose([transforms.Resize(256, transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(224), transforms.ToTensor(), transforms.Normalize(*stats["imagenet"])])),
    ("center_even", transforms.Compose([transforms.CenterCrop((41, 52)), transforms.ToTensor(), transforms.Normalize(*stats["imagenet"])])),
):
    crops[n] = outputs(make)

# One channel, as timm's models with in_chans=1 are given: its data sets convert to "L" first.
gray = timm.data.create_transform(input_size=(1, 56, 56), interpolation="bicubic", mean=(0.13,), std=(0.31,), crop_pct=0.875)

out = {
    "script": "testdata/gen/vision_preprocess.py",
    "versions": {
        "transformers": transformers.__version__, "timm": timm.__version__, "torchvision": torchvision.__version__,
        "torch": torch.__version__, "pillow": PIL.__version__, "numpy": np.__version__,
    },
    "ramps": ramps,
    "processors": results,
    "torchvision": crops,
    "gray": outputs(lambda m: gray(m.convert("L"))),
}
with open("vision/testdata/preprocess.json", "w") as f:
    f.write(json.dumps(out, indent=0).replace('{\n"size": [\n', '{"size": [').replace(",\n\"sha256\"", ', "sha256"'))
    f.write("\n")
