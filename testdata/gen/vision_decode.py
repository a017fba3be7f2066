"""Writes vision/testdata/decode/: small image files of many kinds, and want.json with what Pillow reads.

Made with Pillow 13.0.0 (libjpeg-turbo 3.2.0, libwebp 1.6.0) and numpy 2.4.6. want.json maps each file to its size
and to the RGB bytes of Image.open(file).convert("RGB"), deflated and in base64; files named *_exif.* also hold
what ImageOps.exif_transpose makes of them.

Run from the repository's root: python testdata/gen/vision_decode.py
"""

import base64
import io
import json
import os
import zlib

import numpy as np
import PIL
from PIL import Image, ImageOps

DIR = "vision/testdata/decode/"
os.makedirs(DIR, exist_ok=True)
for old in os.listdir(DIR):
    os.remove(DIR + old)


def scene(w, h):
    """A gradient with hard coloured edges, where chroma upsampling shows."""
    y, x = np.mgrid[0:h, 0:w].astype(np.int64)
    a = np.stack([(x * 5) % 256, (y * 6) % 256, (255 - 2 * x - y) % 256], -1)
    a[(x - w // 2) ** 2 + (y - h // 2) ** 2 < (min(w, h) // 3) ** 2] = [230, 20, 40]
    a[:, w // 5 : w // 5 + 3] = [10, 240, 30]
    a[h // 4 : h // 4 + 2, :] = [20, 30, 250]
    return a.astype(np.uint8)


def rgb(w, h):
    return Image.fromarray(scene(w, h))


def rgba(w, h):
    a = scene(w, h)
    y, x = np.mgrid[0:h, 0:w]
    return Image.fromarray(np.dstack([a, ((x * 7 + y * 11) % 256).astype(np.uint8)]))


want = {}


def add(name, data=None, image=None, **options):
    if data is None:
        f = io.BytesIO()
        image.save(f, os.path.splitext(name)[1][1:].replace("jpg", "jpeg"), **options)
        data = f.getvalue()
    with open(DIR + name, "wb") as f:
        f.write(data)

    def packed(m):
        m = m.convert("RGB")
        return {"width": m.width, "height": m.height, "pixels": base64.b64encode(zlib.compress(m.tobytes(), 9)).decode()}

    m = Image.open(io.BytesIO(data))
    want[name] = packed(m)
    if "_exif" in name:
        want[name]["transposed"] = packed(ImageOps.exif_transpose(m))


for sub in ("4:4:4", "4:2:2", "4:2:0"):
    s = sub.replace(":", "")
    add(f"{s}.jpg", image=rgb(48, 32), quality=90, subsampling=sub)
    add(f"{s}_odd.jpg", image=rgb(45, 31), quality=90, subsampling=sub)
    add(f"{s}_progressive.jpg", image=rgb(45, 31), quality=80, subsampling=sub, progressive=True)
for w, h in ((1, 1), (2, 3), (3, 2), (4, 5), (5, 1), (17, 16)):
    add(f"420_{w}x{h}.jpg", image=rgb(w, h), quality=95, subsampling="4:2:0")
    add(f"422_{w}x{h}.jpg", image=rgb(w, h), quality=95, subsampling="4:2:2")
add("grey.jpg", image=rgb(33, 21).convert("L"), quality=90)
add("cmyk.jpg", image=rgb(33, 21).convert("CMYK"), quality=95)
add("rgb.jpg", image=rgb(33, 21), quality=95, keep_rgb=True)
add("restart.jpg", image=rgb(48, 48), quality=85, restart_marker_blocks=3)
for o in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = o
    add(f"orient{o}_exif.jpg", image=rgb(20, 13), quality=95, subsampling="4:4:4", exif=exif)
exif = Image.Exif()
exif[0x0112] = 6
add("orient6_exif.png", image=rgb(20, 13), exif=exif)
add("orient6_exif.webp", image=rgb(20, 13), lossless=True, exif=exif)

add("rgb.png", image=rgb(33, 21))
add("rgba.png", image=rgba(33, 21))
add("grey.png", image=rgb(33, 21).convert("L"))
add("greyalpha.png", image=rgba(33, 21).convert("LA"))
add("one_bit.png", image=rgb(33, 21).convert("1"))
add("palette.png", image=rgb(33, 21).quantize(20))
add("palette_alpha.png", image=rgb(33, 21).quantize(20), transparency=bytes(range(0, 200, 10)))
add("rgb_transparent.png", image=rgb(33, 21), transparency=(230, 20, 40))


def png16(kind, samples):
    """A 16-bit PNG, which Pillow cannot write for colour; kind is the colour type, samples [h, w, c]."""
    h, w, _ = samples.shape
    raw = b"".join(b"\0" + samples[y].astype(">u2").tobytes() for y in range(h))

    def chunk(name, body):
        return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")

    head = w.to_bytes(4, "big") + h.to_bytes(4, "big") + bytes([16, kind, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


wide = rgba(33, 21)
wide = np.asarray(wide).astype(np.uint16) * 256 + np.asarray(wide)[::-1]
add("rgb16.png", png16(2, wide[:, :, :3]))
add("rgba16.png", png16(6, wide))

add("palette.gif", image=rgb(33, 21).quantize(20))
add("transparent.gif", image=rgb(33, 21).quantize(20), transparency=3)
add("interlaced.gif", image=rgb(33, 21).quantize(20), interlace=1)
add("frames.gif", image=rgb(33, 21).quantize(20), save_all=True, append_images=[rgb(33, 21).rotate(180).quantize(20)])


def moved(name, transparent):
    """A frame smaller than the screen, with its own palette."""
    f = io.BytesIO()
    rgb(12, 9).quantize(8).save(f, "gif")
    inner = f.getvalue()
    at = inner.index(b"\x2c", 13 + 3 * 2 ** ((inner[10] & 7) + 1))
    palette = inner[13 : 13 + 24]
    control = b"\x21\xf9\x04\x01\0\0" + bytes([transparent]) + b"\0" if transparent is not None else b""
    size = (12).to_bytes(2, "little") + (9).to_bytes(2, "little")
    block = b"\x2c" + (5).to_bytes(2, "little") + (4).to_bytes(2, "little") + size + b"\x82" + palette
    screen = b"GIF89a" + (30).to_bytes(2, "little") + (20).to_bytes(2, "little") + b"\x82\0\0" + bytes(reversed(palette))
    add(name, screen + control + block + inner[at + 10 :])


moved("offset.gif", None)
moved("offset_transparent.gif", 2)

add("lossy.webp", image=rgb(45, 31), quality=80)
add("lossy_even.webp", image=rgb(48, 32), quality=80)
add("lossy_alpha.webp", image=rgba(45, 31), quality=80, exact=True)
for w, h in ((1, 1), (2, 2), (3, 2), (2, 3)):
    add(f"lossy_{w}x{h}.webp", image=rgb(w, h), quality=90)
add("lossless.webp", image=rgb(45, 31), lossless=True)
add("lossless_alpha.webp", image=rgba(45, 31), lossless=True, exact=True)

add("rgb.bmp", image=rgb(33, 21))
add("rgba.bmp", image=rgba(33, 21))
add("palette.bmp", image=rgb(33, 21).quantize(20))
add("grey.bmp", image=rgb(33, 21).convert("L"))

out = {
    "script": "testdata/gen/vision_decode.py",
    "versions": {"pillow": PIL.__version__, "numpy": np.__version__},
    "files": want,
}
with open(DIR + "want.json", "w") as f:
    json.dump(out, f, indent=0)
    f.write("\n")
print(len(want), "files,", sum(os.path.getsize(DIR + n) for n in os.listdir(DIR)), "bytes")
