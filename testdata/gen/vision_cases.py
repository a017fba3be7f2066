"""Writes vision/testdata/cases/want.json: what Pillow reads in files that keep to the letter of a format less than others.

Made with Pillow 13.0.0 (libjpeg-turbo 3.2.0, libwebp 1.6.0) and numpy 2.4.6. The files named in GIVEN are kept; the others
are made here. want.json has the form that vision_decode.py describes. A file that Pillow refuses is named in "refused".

Run from the repository's root: python testdata/gen/vision_cases.py
"""

import base64
import io
import json
import os
import struct
import warnings
import zlib

import numpy as np
import PIL
from PIL import Image, ImageOps

warnings.simplefilter("ignore")
DIR = "vision/testdata/cases/"
GIVEN = """
count0_exif.jpg count3off_exif.jpg float_exif.jpg rational_exif.jpg sshort_exif.jpg
""".split()
for old in os.listdir(DIR):
    if old not in GIVEN:
        os.remove(DIR + old)

want, refused = {}, []


def add(name, data, read=None):
    with open(DIR + name, "wb") as f:
        f.write(data)

    def packed(m):
        m = m.convert("RGB")
        return {"width": m.width, "height": m.height, "pixels": base64.b64encode(zlib.compress(m.tobytes(), 9)).decode()}

    try:
        m = Image.open(io.BytesIO(data))
        want[name] = packed(read(m) if read else m)
    except Exception as e:
        print("refused by Pillow:", name, e)
        refused.append(name)
        return
    if "_exif" in name:
        want[name]["transposed"] = packed(ImageOps.exif_transpose(m))


for name in GIVEN:
    with open(DIR + name, "rb") as f:
        data = f.read()
    add(name, data)


def scene(w, h):
    y, x = np.mgrid[0:h, 0:w].astype(np.int64)
    a = np.stack([(x * 19 + y) % 256, (y * 23) % 256, (255 - 11 * x - 3 * y) % 256], -1)
    a[h // 3 : h // 2, w // 4 : w // 2] = [230, 20, 40]
    return a.astype(np.uint8)


# EXIF orientation as a number of each type.
f = io.BytesIO()
Image.fromarray(scene(12, 8)).save(f, "jpeg", quality=70)
photograph = f.getvalue()
XMP = b"http://ns.adobe.com/xap/1.0/\0" + b'<x tiff:Orientation="3"/>'


def exif(name, kind, count, value, extra=b"", before=b"", order="<"):
    """One entry (after those in before) whose value field is value; extra follows the directory. XMP says 3."""
    block = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "IH", 8, 1 + len(before) // 12) + before
    block += struct.pack(order + "HHI", 0x112, kind, count) + (value + b"\0\0\0\0")[:4] + b"\0\0\0\0" + extra
    segment = lambda p: b"\xff\xe1" + struct.pack(">H", len(p) + 2) + p
    add(name + "_exif.jpg", photograph[:2] + segment(b"Exif\0\0" + block) + segment(XMP) + photograph[2:])


for order in "<>":
    p = lambda form, *v: struct.pack(order + form, *v)
    there = p("I", 26)
    e = "le_" if order == "<" else "be_"
    exif(e + "byte", 1, 1, b"\6", order=order)
    exif(e + "text", 2, 2, b"6\0", order=order)
    exif(e + "long", 4, 1, p("I", 6), order=order)
    exif(e + "long_large", 4, 1, p("I", 0x10006), order=order)
    exif(e + "fraction", 5, 1, there, p("II", 12, 2), order=order)
    exif(e + "fraction_by_0", 5, 1, there, p("II", 6, 0), order=order)
    exif(e + "sbyte", 6, 1, b"\6", order=order)
    exif(e + "undefined", 7, 1, b"\6", order=order)
    exif(e + "sshort", 8, 1, p("h", 6), order=order)
    exif(e + "slong", 9, 1, p("i", 6), order=order)
    exif(e + "sfraction", 10, 1, there, p("ii", -12, -2), order=order)
    exif(e + "float", 11, 1, p("f", 6), order=order)
    exif(e + "float_between", 11, 1, p("f", 6.5), order=order)
    exif(e + "double", 12, 1, there, p("d", 6), order=order)
    exif(e + "ifd", 13, 1, p("I", 6), order=order)
    exif(e + "long8", 16, 1, there, p("Q", 6), order=order)
    exif(e + "unknown_type", 14, 1, p("I", 6), order=order)
    exif(e + "two", 3, 2, p("HH", 6, 1), order=order)
    exif(e + "three", 3, 3, there, p("HHH", 6, 1, 1), order=order)
    exif(e + "three_cut", 3, 3, there, p("H", 6), order=order)
    exif(e + "beyond", 3, 3000, there, p("H", 6), order=order)
    exif(e + "none", 3, 0, p("H", 6), order=order)
    exif(e + "twice", 3, 1, p("H", 8), before=p("HHIHH", 0x112, 3, 1, 6, 0), order=order)
    exif(e + "after_broken", 3, 1, p("H", 6), before=p("HHII", 0x111, 4, 3, 30), order=order)

out = {
    "script": "testdata/gen/vision_cases.py",
    "versions": {"pillow": PIL.__version__, "numpy": np.__version__},
    "files": want,
    "refused": refused,
}
with open(DIR + "want.json", "w") as f:
    json.dump(out, f, indent=0)
    f.write("\n")
print(len(want), "files,", sum(os.path.getsize(DIR + n) for n in os.listdir(DIR)), "bytes")
