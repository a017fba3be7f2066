"""Writes vision/testdata/resize.json and resize_pillow12.json: digests of what Pillow's Image.resize returns.

The first is made with Pillow 13.0.0, the second with Pillow 12.0.0, which filters rows before columns at every
size; the version installed decides which one is written. numpy 2.4.6. The images come from the integer formula in `test_image`, which the Go
test repeats, so that no pixels need to be stored: each case holds half of the SHA-256 of the resized bytes, and
the small ones the bytes themselves in base64 to show where a difference lies.

Run from the repository's root: python testdata/gen/vision_resize.py
"""

import base64
import hashlib
import json

import numpy as np
import PIL
from PIL import Image

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def test_image(w, h, channels):
    """Blocks of hard black and white, of gradients, and of noise."""
    y, x, c = np.meshgrid(np.arange(h), np.arange(w), np.arange(channels), indexing="ij")
    y, x, c = (a.astype(np.uint32) for a in (y, x, c))
    noise = ((x * np.uint32(73856093)) ^ (y * np.uint32(19349663)) ^ (c * np.uint32(83492791))) >> np.uint32(11) & np.uint32(255)
    kind = (x // np.uint32(7) + y // np.uint32(5)) % np.uint32(3)
    hard = np.where(noise > 127, 255, 0)
    smooth = (x * 5 + y * 3 + c * 40) % 256
    return np.where(kind == 0, hard, np.where(kind == 1, smooth, noise)).astype(np.uint8)


def image(w, h, channels):
    a = test_image(w, h, channels)
    return Image.fromarray(a[:, :, 0] if channels == 1 else a)


old = int(PIL.__version__.split(".")[0]) < 13
cases = []


def case(w, h, channels, name, ow, oh, box=None):
    m = image(w, h, channels)
    assert m.mode == MODES[channels]
    out = m.resize((ow, oh), FILTERS[name], box=box)
    raw = out.tobytes()
    c = {"in": [w, h], "channels": channels, "filter": name, "out": [ow, oh], "sha256": hashlib.sha256(raw).hexdigest()[:32]}
    if box is not None:
        c["box"] = list(box)
    if len(raw) <= 48:
        c["pixels"] = base64.b64encode(raw).decode()
    cases.append(c)


for name in FILTERS:
    for channels in MODES:
        case(97, 61, channels, name, 32, 32)
        case(97, 61, channels, name, 224, 200)
        case(40, 40, channels, name, 40, 17)
        case(40, 40, channels, name, 17, 40)
        case(23, 19, channels, name, 4, 3)
    case(500, 333, 3, name, 224, 224)
    case(333, 500, 3, name, 149, 224)
    case(64, 64, 3, name, 64, 64)
    case(1, 1, 3, name, 5, 7)
    case(5, 7, 3, name, 1, 1)
    case(2, 1, 3, name, 3, 1)
    case(1, 9, 3, name, 4, 3)
    case(97, 61, 3, name, 31, 29, (10, 5, 80, 50))
    case(97, 61, 3, name, 31, 29, (10.25, 5.5, 80.75, 50.125))
    case(97, 61, 4, name, 120, 33, (0.5, 0, 97, 60.5))
    case(97, 61, 3, name, 70, 45, (10, 5, 80, 50))
    case(97, 61, 3, name, 70, 20, (10, 5, 80, 50))
    case(97, 61, 3, name, 97, 61, (0.5, 0.5, 96.5, 60.5))
    case(3, 400, 3, name, 7, 90)
    case(3, 400, 4, name, 2, 37, (0.5, 3, 2.75, 390.5))
    case(400, 3, 3, name, 90, 7)
    case(1023, 7, 3, name, 3, 7)
    case(60, 90, 3, name, 70, 40)  # Pillow 13 begins with the columns here,
    case(60, 90, 3, name, 50, 69)  # and here by one row,
    case(60, 90, 3, name, 50, 70)  # but not here
    case(60, 90, 3, name, 70, 100)

out = {
    "script": "testdata/gen/vision_resize.py",
    "versions": {"pillow": PIL.__version__, "numpy": np.__version__},
    "cases": cases,
}
with open("vision/testdata/resize%s.json" % ("_pillow12" if old else ""), "w") as f:
    f.write('{"script": %s,\n "versions": %s,\n "cases": [\n' % (json.dumps(out["script"]), json.dumps(out["versions"])))
    f.write(",\n".join(json.dumps(c) for c in cases))
    f.write("\n]}\n")
print(len(cases), "cases")
