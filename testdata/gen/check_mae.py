"""Computes the reference outputs of TestTransformers in examples/mae with transformers.

    python check_mae.py FOLDER

The test writes FOLDER, with the model folders "classifier" and "pretrained", image.png and noise.json. The script
prints {"pixels", "logits", "loss"} as JSON. Versions: requirements.txt.
"""

import json
import pathlib
import sys

import torch
from PIL import Image
from transformers import ViTForImageClassification, ViTImageProcessor, ViTMAEForPreTraining

folder = pathlib.Path(sys.argv[1])
image = Image.open(folder / "image.png").convert("RGB")
with torch.inference_mode():
    pixels = ViTImageProcessor.from_pretrained(folder / "classifier")(image, return_tensors="pt")["pixel_values"]
    model, info = ViTForImageClassification.from_pretrained(folder / "classifier", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"], info
    logits = model.eval()(pixels).logits
    model, info = ViTMAEForPreTraining.from_pretrained(folder / "pretrained", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"], info
    noise = torch.tensor(json.loads((folder / "noise.json").read_text()))[None]
    loss = model.eval()(pixels, noise=noise).loss
print(json.dumps({"pixels": pixels.flatten().tolist(), "logits": logits[0].tolist(), "loss": loss.item()}))
