"""Writes vision/testdata/shared.json: what Pillow makes of the photographs in ../shared/data.

Made with Pillow 13.0.0 and numpy 2.4.6. For JPEG files: a 40 × 32 window of the decoded pixels (deflated, base64)
and the mean of each channel over the whole image; for PNG files: half of the SHA-256 of the decoded bytes and of
the image resized to 224 × 224 with each filter.

Run from the repository's root: python testdata/gen/vision_shared.py
"""

import base64
import hashlib
import json
import zlib

import numpy as np
import PIL
from PIL import Image

ROOT = "../shared/data/"
JPEG = ["images/china.jpg", "images/flower.jpg", "images/rocket.jpg"] + [
    f"bccd/JPEGImages/BloodImage_{i:05d}.jpg" for i in (0, 7, 133, 300)
]
PNG = ["images/astronaut.png", "images/chelsea.png", "images/coffee.png"]

jpeg = {}
for i, name in enumerate(JPEG):
    m = Image.open(ROOT + name).convert("RGB")
    x, y = m.width // 3 + i, m.height // 3 + 3 * i
    w = m.crop((x, y, x + 40, y + 32))
    jpeg[name] = {
        "size": m.size,
        "at": [x, y],
        "width": w.width,
        "height": w.height,
        "pixels": base64.b64encode(zlib.compress(w.tobytes(), 9)).decode(),
        "mean": np.asarray(m).reshape(-1, 3).mean(0).tolist(),
    }


def digest(m):
    return hashlib.sha256(m.tobytes()).hexdigest()[:32]


png = {}
for name in PNG:
    m = Image.open(ROOT + name).convert("RGB")
    png[name] = {"decoded": digest(m)}
    for f in ("NEAREST", "BOX", "BILINEAR", "HAMMING", "BICUBIC", "LANCZOS"):
        png[name][f.lower()] = digest(m.resize((224, 224), Image.Resampling[f]))

out = {
    "script": "testdata/gen/vision_shared.py",
    "versions": {"pillow": PIL.__version__, "numpy": np.__version__},
    "jpeg": jpeg,
    "png": png,
}
with open("vision/testdata/shared.json", "w") as f:
    json.dump(out, f, indent=0)
    f.write("\n")
