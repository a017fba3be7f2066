"""Computes the reference outputs of TestTransformers in examples/zeroshot with transformers.

    python check_zeroshot.py MODEL IMAGE... -- TEXT...

Prints {"logits_per_image", "probs", "image_embeds", "text_embeds"} as JSON. Versions: requirements.txt.
"""

import json
import sys

import torch
from PIL import Image
from transformers import AutoTokenizer, CLIPImageProcessor, CLIPModel

at = sys.argv.index("--")
folder, images, texts = sys.argv[1], sys.argv[2:at], sys.argv[at + 1:]
model = CLIPModel.from_pretrained(folder).eval()
inputs = AutoTokenizer.from_pretrained(folder)(texts, padding=True, truncation=True, return_tensors="pt")
pixels = CLIPImageProcessor.from_pretrained(folder)([Image.open(i).convert("RGB") for i in images], return_tensors="pt")["pixel_values"]
with torch.inference_mode():
    out = model(pixel_values=pixels, input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
print(json.dumps({"logits_per_image": out.logits_per_image.tolist(), "probs": out.logits_per_image.softmax(-1).tolist(),
                  "image_embeds": out.image_embeds.tolist(), "text_embeds": out.text_embeds.tolist()}))
