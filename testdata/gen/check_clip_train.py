"""Computes the reference outputs of TestTransformers in examples/clip-train with transformers.

    python check_clip_train.py FOLDER

The test writes FOLDER, with the model folder "model", image.png and texts.json. The script prints {"ids", "logits"} as JSON.
Versions: requirements.txt.
"""

import json
import pathlib
import sys

import torch
from PIL import Image
from transformers import AutoTokenizer, CLIPImageProcessorPil, CLIPModel

folder = pathlib.Path(sys.argv[1])
texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
tokenizer = AutoTokenizer.from_pretrained(folder / "model")
assert type(tokenizer).__name__ == "CLIPTokenizer", type(tokenizer)
model, info = CLIPModel.from_pretrained(folder / "model", output_loading_info=True)
assert not info["missing_keys"] and not info["unexpected_keys"], info
image = Image.open(folder / "image.png").convert("RGB")
with torch.inference_mode():
    pixels = CLIPImageProcessorPil.from_pretrained(folder / "model")(image, return_tensors="pt")["pixel_values"]
    tokens = tokenizer(texts, padding=True, return_tensors="pt")
    logits = model.eval()(pixel_values=pixels, **tokens).logits_per_image
print(json.dumps({"ids": [tokenizer(text)["input_ids"] for text in texts], "logits": logits[0].tolist()}))
