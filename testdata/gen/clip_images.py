"""Writes images of every mode of Pillow, and how OpenAI's code and transformers prepare them for CLIP.

    python clip_images.py FOLDER

golden.safetensors in the folder holds the pixels of each image, [3, 16, 16]: "open/NAME" those of the transform of OpenAI's
code (_transform in clip.py, which open_clip shares) and "hf/NAME" those of CLIPImageProcessor. preprocessor_config.json
describes the latter. Versions: requirements.txt.
"""

import os
import sys

import numpy as np
import open_clip
from PIL import Image
from safetensors.numpy import save_file
from transformers import CLIPImageProcessor

folder = sys.argv[1]
rng = np.random.default_rng(5)
smooth = Image.fromarray(rng.integers(0, 256, (4, 5, 4), np.uint8), "RGBA").resize((45, 37), Image.Resampling.BICUBIC)
color, alpha = smooth.convert("RGB"), smooth.getchannel("A")
palette = color.quantize(16)
white = tuple(np.asarray(color)[3, 4].tolist())
images = {
    "color.png": (color, {}), "alpha.png": (smooth, {}), "gray.png": (color.convert("L"), {}), "grayalpha.png": (smooth.convert("LA"), {}),
    "palette.png": (palette, {}), "key.png": (color, dict(transparency=white)), "graykey.png": (color.convert("L"), dict(transparency=130)),
    "palettekey.png": (palette, dict(transparency=3)), "palettealpha.png": (palette, dict(transparency=bytes(range(0, 256, 16)))),
    "bits.png": (color.convert("1"), {}), "few.png": (color.quantize(2), dict(bits=1)),
    "palette.gif": (palette, {}), "gray.gif": (color.convert("L"), {}),
    "palette.bmp": (palette, {}), "bits.bmp": (color.convert("1"), {}), "gray.bmp": (color.convert("L"), {}), "color.bmp": (color, {}),
    "palette.tif": (color.quantize(256), {}), "bits.tif": (color.convert("1"), {}), "gray.tif": (color.convert("L"), {}),
    "color.webp": (color, dict(lossless=True)),
}
transform, processor, tensors = open_clip.image_transform(16, is_train=False), CLIPImageProcessor(size={"shortest_edge": 16}, crop_size=16), {}
for name, (m, options) in images.items():
    path = os.path.join(folder, name)
    m.save(path, **options)
    tensors["open/" + name] = transform(Image.open(path)).numpy()
    tensors["hf/" + name] = processor(Image.open(path), return_tensors="np")["pixel_values"][0]
processor.save_pretrained(folder)
save_file(tensors, os.path.join(folder, "golden.safetensors"), 
          metadata={"script": "clip_images.py", "versions": f"open_clip {open_clip.__version__}", "seed": "5"})
