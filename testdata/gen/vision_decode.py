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
import struct
import zlib

import numpy as np
import PIL
from PIL import Image, ImageOps

DIR = "vision/testdata/decode/"
os.makedirs(DIR, exist_ok=True)
for old in os.listdir(DIR):
    os.remove(DIR + old)


def scene(w, h):
    """A gradient with hard colored edges, where chroma upsampling shows."""
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


def add(name, data=None, image=None, read=None, **options):
    if data is None:
        f = io.BytesIO()
        image.save(f, os.path.splitext(name)[1][1:].replace("jpg", "jpeg").replace("tif", "tiff"), **options)
        data = f.getvalue()
    with open(DIR + name, "wb") as f:
        f.write(data)

    def packed(m):
        m = m.convert("RGB")
        return {"width": m.width, "height": m.height, "pixels": base64.b64encode(zlib.compress(m.tobytes(), 9)).decode()}

    m = Image.open(io.BytesIO(data))
    want[name] = packed(read(m) if read else m)
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
add("gray.jpg", image=rgb(33, 21).convert("L"), quality=90)
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
add("gray.png", image=rgb(33, 21).convert("L"))
add("grayalpha.png", image=rgba(33, 21).convert("LA"))
add("one_bit.png", image=rgb(33, 21).convert("1"))
add("palette.png", image=rgb(33, 21).quantize(20))
add("palette_alpha.png", image=rgb(33, 21).quantize(20), transparency=bytes(range(0, 200, 10)))
add("rgb_transparent.png", image=rgb(33, 21), transparency=(230, 20, 40))


def png(bits, kind, w, h, rows, *extra):
    """A PNG of a form that Pillow cannot write; kind is the color type, rows the packed samples, extra more chunks."""

    def chunk(name, body):
        return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")

    head = w.to_bytes(4, "big") + h.to_bytes(4, "big") + bytes([bits, kind, 0, 0, 0])
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    for name, body in extra:
        data += chunk(name, body)
    return data + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + r for r in rows))) + chunk(b"IEND", b"")


def png16(kind, samples, *extra):
    h, w, _ = samples.shape
    return png(16, kind, w, h, [samples[y].astype(">u2").tobytes() for y in range(h)], *extra)


def packed_bits(levels, bits):
    """Rows of samples below 1<<bits, as PNG packs them."""
    out = []
    for row in levels:
        b = "".join(format(int(v), f"0{bits}b") for v in row)
        b += "0" * (-len(b) % 8)
        out.append(int(b, 2).to_bytes(len(b) // 8, "big"))
    return out


wide = rgba(33, 21)
wide = np.asarray(wide).astype(np.uint16) * 256 + np.asarray(wide)[::-1]
add("rgb16.png", png16(2, wide[:, :, :3]))
add("rgba16.png", png16(6, wide))
# Pillow makes 16-bit gray white above 255 of 65535; here it keeps its high byte.
add("gray16.png", png16(0, wide[:, :, :1]), read=lambda m: Image.fromarray((np.asarray(m) >> 8).astype(np.uint8)))
add("grayalpha16.png", png16(4, wide[:, :, 2:]))
gray = scene(33, 21)[:, :, 0]
for bits in (1, 2, 4):
    add(f"gray{bits}.png", png(bits, 0, 33, 21, packed_bits(gray >> (8 - bits), bits)))
palette = bytes(range(20, 20 + 3 * 16))
add("palette4.png", png(4, 3, 33, 21, packed_bits(gray >> 4, 4), (b"PLTE", palette)))
add("palette2_alpha.png", png(2, 3, 33, 21, packed_bits(gray >> 6, 2), (b"PLTE", palette[:12]), (b"tRNS", b"\0\x80")))
add("gray_transparent.png", png(8, 0, 33, 21, [r.tobytes() for r in gray], (b"tRNS", bytes([0, int(gray[3, 3])]))))

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

add("frames.webp", image=rgb(45, 31), quality=80, save_all=True, append_images=[rgb(45, 31).rotate(180)])
add("frames_lossless.webp", image=rgba(45, 31), lossless=True, save_all=True, append_images=[rgba(45, 31).rotate(180)], exact=True)


def moved_webp(name, **options):
    """An animation whose first frame is smaller than its canvas."""
    f = io.BytesIO()
    rgba(13, 9).save(f, "webp", exact=True, **options)
    inner = f.getvalue()[12:]
    if inner[:4] == b"VP8X":
        inner = inner[18:]
    u24 = lambda v: v.to_bytes(3, "little")
    chunk = lambda name, body: name + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) % 2)
    frame = chunk(b"ANMF", u24(3) + u24(2) + u24(12) + u24(8) + u24(100) + b"\0" + inner)
    body = b"WEBP" + chunk(b"VP8X", b"\x12\0\0\0" + u24(29) + u24(19)) + chunk(b"ANIM", b"\x10\x20\x30\xff\0\0") + frame
    add(name, b"RIFF" + len(body).to_bytes(4, "little") + body)


moved_webp("offset.webp", quality=80)
moved_webp("offset_lossless.webp", lossless=True)

add("rgb.tif", image=rgb(33, 21))
for compression in ("lzw", "deflate", "packbits"):
    add(f"rgb_{compression}.tif", image=rgb(33, 21), compression={"lzw": "tiff_lzw", "deflate": "tiff_adobe_deflate", "packbits": "packbits"}[compression])
add("rgba.tif", image=rgba(33, 21))
add("gray.tif", image=rgb(33, 21).convert("L"))
add("palette.tif", image=rgb(33, 21).quantize(20))
add("fax.tif", image=rgb(33, 21).convert("1"), compression="group4")
add("one_bit.tif", image=rgb(33, 21).convert("1"))
add("gray16.tif", image=Image.fromarray(wide[:, :, 0]), read=lambda m: Image.fromarray((np.asarray(m) >> 8).astype(np.uint8)))
exif = Image.Exif()
exif[0x0112] = 6
add("orient6_exif.tif", image=rgb(20, 13), exif=exif)
add("pages.tif", image=rgb(33, 21), save_all=True, append_images=[rgb(33, 21).rotate(180)])



def bmp(w, h, bits, compression, pixels, palette=b"", masks=b"", header=40):
    """A BMP of a form that Pillow cannot write."""
    if header == 12:
        info = struct.pack("<IHHHH", 12, w, h, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", 40, w, h, 1, bits, compression, len(pixels), 0, 0, len(palette) // 4, 0)
    start = 14 + len(info) + len(masks) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + info + masks + palette + pixels


def rows(samples):
    """Rows padded to four bytes, the lowest first."""
    return b"".join(r.tobytes() + b"\0" * (-len(r.tobytes()) % 4) for r in samples[::-1])


def run_lengths(levels, four):
    """Every other row as runs, the others value by value; runs of 4 bits alternate between two values."""
    out = b""
    for y, r in enumerate(levels[::-1]):
        if y % 2:
            body = bytes(r) if not four else bytes(int(a) << 4 | int(b) for a, b in zip(r[::2], list(r[1::2]) + [0] * (len(r) % 2)))
            out += bytes([0, len(r)]) + body + b"\0" * (len(body) % 2)
        elif four:
            out += b"".join(bytes([min(2, len(r) - x), int(r[x]) << 4 | int(r[min(x + 1, len(r) - 1)])]) for x in range(0, len(r), 2))
        else:
            x = 0
            while x < len(r):
                n = 1
                while x + n < len(r) and n < 255 and r[x + n] == r[x]:
                    n += 1
                out += bytes([n, int(r[x])])
                x += n
        out += b"\0\0"
    return out[:-2] + b"\0\1"


word = (scene(33, 21).astype(np.uint16) >> 3)
five = word[:, :, 0] << 10 | word[:, :, 1] << 5 | word[:, :, 2]
add("555.bmp", bmp(33, 21, 16, 0, rows(five)))
six = word[:, :, 0] << 11 | scene(33, 21)[:, :, 1].astype(np.uint16) >> 2 << 5 | word[:, :, 2]
add("565.bmp", bmp(33, 21, 16, 3, rows(six), masks=struct.pack("<III", 0xF800, 0x7E0, 0x1F)))
bgrx = np.dstack([scene(33, 21)[:, :, ::-1], np.arange(33 * 21, dtype=np.uint8).reshape(21, 33)])
add("32.bmp", bmp(33, 21, 32, 0, rows(bgrx)))
add("masks.bmp", bmp(33, 21, 32, 3, rows(bgrx), masks=struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)))
add("top_down.bmp", bmp(33, -21, 24, 0, rows(scene(33, 21)[::-1, :, ::-1])))
colors = bytes((i * 7 + c * 31) % 256 for i in range(256) for c in range(4))
add("4.bmp", bmp(33, 21, 4, 0, rows(np.array([list(r) for r in packed_bits(gray >> 4, 4)], np.uint8)), colors[:64]))
add("rle8.bmp", bmp(33, 21, 8, 1, run_lengths(gray, False), colors))
add("rle4.bmp", bmp(33, 21, 4, 2, run_lengths(gray >> 4, True), colors[:64]))
add("os2.bmp", bmp(33, 21, 8, 0, rows(gray), colors[:768], header=12))
add("os2_24.bmp", bmp(33, 21, 24, 0, rows(scene(33, 21)[:, :, ::-1]), header=12))
add("one_bit.bmp", image=rgb(33, 21).convert("1"))
add("rgb.bmp", image=rgb(33, 21))
add("rgba.bmp", image=rgba(33, 21))
add("palette.bmp", image=rgb(33, 21).quantize(20))
add("gray.bmp", image=rgb(33, 21).convert("L"))

out = {
    "script": "testdata/gen/vision_decode.py",
    "versions": {"pillow": PIL.__version__, "numpy": np.__version__},
    "files": want,
}
with open(DIR + "want.json", "w") as f:
    json.dump(out, f, indent=0)
    f.write("\n")
print(len(want), "files,", sum(os.path.getsize(DIR + n) for n in os.listdir(DIR)), "bytes")
