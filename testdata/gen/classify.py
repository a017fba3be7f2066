"""The reference of examples/classify: logits of transformers and timm.

    python classify.py OUT [SHARED]     writes models, images and want.json to OUT
    python classify.py                  writes examples/classify/testdata, with SHARED = ../shared/data/images

    models/     small random classifiers, each with the configuration of its preprocessing
    images/     PNG files of odd sizes and modes, one with an EXIF orientation
    want.json   the logits: {model: {image: [...]}}

Images in the folder SHARED are named "shared/NAME" in want.json. They are not copied.

Each model is loaded from its folder, with the processor or transform of its library. Images are loaded with
transformers.image_utils.load_image, which applies the EXIF orientation. Versions: requirements.txt. Seed: 1.
"""

import json
import os
import sys

import numpy as np
import timm
import torch
from PIL import Image
from timm.models._hub import save_for_hf
from transformers import AutoImageProcessor, ViTConfig, ViTForImageClassification, ViTImageProcessor
from transformers.image_utils import load_image

from model_folders import randomize

torch.set_num_threads(1)
labels = ["cat", "dog", "owl", "hen", "fox", "bee", "eel"]


def images(folder):
    """Writes smooth images with some noise, one in each common mode of PNG."""
    os.makedirs(folder, exist_ok=True)
    rng = np.random.default_rng(1)

    def smooth(w, h, channels):
        y, x = np.mgrid[0:h, 0:w]
        planes = [np.sin(x * rng.uniform(.02, .3) + c) * np.cos(y * rng.uniform(.02, .3)) for c in range(channels)]
        a = 127 + 100 * np.stack(planes, -1) + rng.normal(0, 9, (h, w, channels))
        return a.clip(0, 255).astype(np.uint8)

    Image.fromarray(smooth(61, 43, 3)).save(os.path.join(folder, "rgb.png"))
    Image.fromarray(smooth(30, 77, 4)).save(os.path.join(folder, "rgba.png"))
    Image.fromarray(smooth(19, 18, 1)[..., 0]).save(os.path.join(folder, "gray.png"))
    Image.fromarray(smooth(50, 40, 3)).quantize(17).save(os.path.join(folder, "palette.png"))
    Image.fromarray(smooth(7, 5, 3)).save(os.path.join(folder, "small.png"))
    turned = Image.fromarray(smooth(52, 33, 3))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(os.path.join(folder, "turned.png"), exif=exif)


def hf(folder, name, **processor):
    size = 24
    config = ViTConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, image_size=size,
                       patch_size=8, id2label=dict(enumerate(labels)), label2id={l: i for i, l in enumerate(labels)})
    folder = os.path.join(folder, name)
    randomize(ViTForImageClassification(config)).half().save_pretrained(folder)
    ViTImageProcessor(size={"height": size, "width": size}, **processor).save_pretrained(folder)

    model = ViTForImageClassification.from_pretrained(folder).float().eval()
    prepare = AutoImageProcessor.from_pretrained(folder)
    return lambda image: model(**prepare(image, return_tensors="pt")).logits


def in_timm(folder, name, arch, **config):
    model = randomize(timm.create_model(arch, img_size=24, patch_size=8, embed_dim=32, depth=1, num_heads=2, mlp_ratio=2.,
                                        num_classes=len(labels)))
    folder = os.path.join(folder, name)
    save_for_hf(model, folder, safe_serialization=True, model_config={"label_names": labels}, data_config=config)

    model = timm.create_model("local-dir:" + folder, pretrained=True).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    return lambda image: model(transform(image.convert("RGB"))[None])


def main(out, shared):
    torch.manual_seed(1)
    folder = os.path.join(out, "models")
    models = {
        "hf": hf(folder, "hf"),
        "hf_bicubic": hf(folder, "hf_bicubic", resample=3, image_mean=[.485, .456, .406], image_std=[.229, .224, .225]),
        "timm": in_timm(folder, "timm", "vit_base_patch16_224"),
        "timm_squash": in_timm(folder, "timm_squash", "vit_base_patch16_224", crop_mode="squash", interpolation="bilinear"),
    }
    images(os.path.join(out, "images"))
    files = {f"images/{f}": os.path.join(out, "images", f) for f in sorted(os.listdir(os.path.join(out, "images")))}
    if shared and os.path.isdir(shared):
        files |= {f"shared/{f}": os.path.join(shared, f) for f in sorted(os.listdir(shared)) if f.endswith(".png")}
    want = {}
    with torch.inference_mode():
        for name, model in models.items():
            want[name] = {f: [float(x) for x in model(load_image(path))[0]] for f, path in files.items()}
    with open(os.path.join(out, "want.json"), "w") as f:
        json.dump(want, f, indent=1)
        f.write("\n")
    for path, _, names in os.walk(out):
        for n in names:
            os.chmod(os.path.join(path, n), 0o644)


root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
if len(sys.argv) == 1:
    main(os.path.join(root, "examples/classify/testdata"), os.path.join(root, "../shared/data/images"))
else:
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
