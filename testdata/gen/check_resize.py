"""Resizes images with Pillow for vision's TestResizePython: reads a JSON list of cases from standard input, each
{"in": [w, h], "channels": n, "filter": name, "out": [w, h], "box": null or [x0, y0, x1, y1]}, and prints the SHA-256
of each result's bytes as a JSON list. The images are those of vision_resize.py's formula.

Needs Pillow 13 and numpy (testdata/gen/requirements.txt).
"""

import hashlib
import json
import sys

import numpy as np
from PIL import Image


def image(w, h, channels):
    y, x, c = np.ogrid[:h, :w, :channels]
    y, x, c = (a.astype(np.uint32) for a in (y, x, c))
    noise = ((x * np.uint32(73856093)) ^ (y * np.uint32(19349663)) ^ (c * np.uint32(83492791))) >> np.uint32(11) & np.uint32(255)
    kind = (x // np.uint32(7) + y // np.uint32(5)) % np.uint32(3)
    hard = np.where(noise > 127, 255, 0)
    smooth = (x * 5 + y * 3 + c * 40) % 256
    a = np.where(kind == 0, hard, np.where(kind == 1, smooth, noise)).astype(np.uint8)
    return Image.fromarray(a[:, :, 0] if channels == 1 else a)


digests = []
last = None
for case in json.load(sys.stdin):
    key = (*case["in"], case["channels"])
    if last is None or last[0] != key:
        last = key, image(*key)
    out = last[1].resize(tuple(case["out"]), getattr(Image.Resampling, case["filter"].upper()), box=case["box"])
    digests.append(hashlib.sha256(out.tobytes()).hexdigest())
print(json.dumps(digests))
