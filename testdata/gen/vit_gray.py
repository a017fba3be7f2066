"""Writes models/vit/testdata/gray: a model of timm's for one channel, two images, and timm's logits of them.

    python testdata/gen/vit_gray.py    # from the module's root

The architecture's pretrained_cfg has a mean and a deviation for each of three channels. timm's loader then takes their
average. want.json holds the logits of gray.png and color.png, which the loader opens as gray images ("L"); "half" holds
those with the mean and deviation 1/2 that other architectures have. Seed 1; versions as in requirements.txt.
"""

import json
import os
import shutil

import numpy as np
import timm
import torch
from PIL import Image
from timm.data import ImageDataset, create_loader, resolve_model_data_config
from timm.models import save_for_hf

from model_folders import halve, randomize
from safetensors.torch import load_file, save_file

OUT = "models/vit/testdata/gray"

shutil.rmtree(OUT, ignore_errors=True)
os.makedirs(OUT + "/class")
torch.manual_seed(1)
rng = np.random.default_rng(1)
waves = np.add.outer(np.arange(50) * 5, np.arange(70) * 3)
Image.fromarray((waves + rng.integers(0, 20, waves.shape)).astype(np.uint8), "L").save(OUT + "/class/gray.png")
Image.fromarray(np.stack([waves, waves.T[:50, :50].mean() + 0 * waves, 255 - waves % 256], 2).astype(np.uint8), "RGB").save(OUT + "/class/color.png")

model = randomize(timm.create_model("deit_tiny_patch16_224", in_chans=1, img_size=32, patch_size=8, embed_dim=64, depth=1,
                                    num_heads=1, mlp_ratio=1., num_classes=4))
save_for_hf(model, OUT, safe_serialization=True)
save_file(halve(load_file(OUT + "/model.safetensors")), OUT + "/model.safetensors", metadata={"format": "pt"})
config = resolve_model_data_config(model)
want = {}
for key, more in (("imagenet", {}), ("half", {"mean": (0.5,) * 3, "std": (0.5,) * 3})):
    dataset = ImageDataset(OUT, input_img_mode="L")
    loader = create_loader(dataset, batch_size=2, device=torch.device("cpu"), num_workers=0,
                           **(config | more | {"input_size": (1, 32, 32)}))
    with torch.inference_mode():
        (pixels, _), = loader
        names = [os.path.basename(name) for name in dataset.filenames()]
        want[key] = dict(zip(names, model(pixels).tolist()))
json.dump(want, open(OUT + "/want.json", "w"), indent=1)
for name in ("gray.png", "color.png"):
    os.rename(f"{OUT}/class/{name}", f"{OUT}/{name}")
os.rmdir(OUT + "/class")
os.chmod(OUT + "/model.safetensors", 0o644)
print(config, want)
