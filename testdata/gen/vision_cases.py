"""Writes vision/testdata/cases/: image files of rare forms, and want.json with what Pillow reads.

Made with Pillow 13.0.0 (libjpeg-turbo 3.2.0, libwebp 1.6.0) and numpy 2.4.6. The files named in GIVEN are kept. The others
are made here, in made.zip. want.json names the image of each file, and what ImageOps.exif_transpose makes of files named
*_exif.*; "images" holds RGB bytes, deflated and in base64. A file that Pillow refuses is named in "refused".

Run from the repository's root: python testdata/gen/vision_cases.py
"""

import base64
import hashlib
import io
import json
import os
import struct
import warnings
import zipfile
import zlib

import numpy as np
import PIL
from PIL import Image, ImageOps

warnings.simplefilter("ignore")
DIR = "vision/testdata/cases/"
GIVEN = """
count0_exif.jpg count3off_exif.jpg float_exif.jpg rational_exif.jpg sshort_exif.jpg
assoc_alpha_valid.tif fill2_b1.tif fill2_b8.tif rgb8_le_c1_p1_r11_pl2.tif rgb8_le_c8_p1_r4_pl2.tif rgbx8_le_c1_p1_r11_pl1.tif
tile_rgb8_pl2_c8.tif
adler_missing.png idat_extra_data.png iend_crc.png no_iend.png pal_gray.png plte_twice.png alph_noflag.webp
cut1.bmp off0.bmp pal_cut_offset.bmp
frame_larger.gif frame_overhang.gif idx_out_of_range.gif junk_between.gif nopal.gif too_many_px.gif
prog_drop9.jpg prog_first9.jpg sof9_arith.jpg
""".split()
want, images, refused = {}, {}, []
made = zipfile.ZipFile(DIR + "made.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9)


def add(name, data, read=None):
    if name not in GIVEN:
        made.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED, 9)

    def image(m):
        m = m.convert("RGB")
        key = hashlib.sha256(m.tobytes()).hexdigest()[:12] + f"_{m.width}x{m.height}"
        images[key] = {"width": m.width, "height": m.height, "pixels": base64.b64encode(zlib.compress(m.tobytes(), 9)).decode()}
        return key

    try:
        m = Image.open(io.BytesIO(data))
        want[name] = {"image": image(read(m) if read else m)}
    except Exception as e:
        print("refused by Pillow:", name, e)
        refused.append(name)
        return
    if "_exif" in name:
        want[name]["transposed"] = image(ImageOps.exif_transpose(m))


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


# TIFF of forms that Pillow cannot write: every tag that decides about pixels.
def lzw(data):
    """Codes of 9 to 12 bits, the highest bit first, which grow one code early (TIFF 6.0, section 13)."""
    out, n = 0, 0
    table, size = {bytes([i]): i for i in range(256)}, 9

    def put(code):
        nonlocal out, n
        out, n = out << size | code, n + size

    put(256)
    at = b""
    for i in range(len(data)):
        b = data[i : i + 1]
        if at + b in table:
            at += b
            continue
        put(table[at])
        table[at + b] = len(table) + 2
        if len(table) + 2 > (1 << size) - 1 and size < 12:
            size += 1
        at = b
        if len(table) > 3900:
            put(table[at])
            at = b""
            put(256)
            table, size = {bytes([i]): i for i in range(256)}, 9
    if at:
        put(table[at])
        if len(table) + 3 > (1 << size) - 1 and size < 12:
            size += 1
    put(257)
    return (out << -n % 8).to_bytes((n + 7) // 8, "big")


def packbits(data):
    out = b""
    i = 0
    while i < len(data):
        run = 1
        while run < 128 and data[i : i + 1] * (run + 1) == data[i : i + run + 1]:
            run += 1
        if run > 2:
            out += bytes([257 - run]) + data[i : i + 1]
            i += run
        else:
            n = min(5, len(data) - i)
            out += bytes([n - 1]) + data[i : i + n] + b"\x80"
            i += n
    return out


REVERSED = bytes(int(format(i, "08b")[::-1], 2) for i in range(256))


def tiff(name, samples, photometric, bits=8, order="<", compression=1, planar=1, rows=None, tile=None, fill=1, predictor=1, tags=(), drop=(), add_to=add, **more):
    """samples is [h, w, n], of values below 1 << bits; tags are (tag, type, values), in place of the usual ones."""
    h, w, n = samples.shape

    def packed(block):
        if bits >= 8:
            a = block.astype(np.int64)
            if predictor == 2 and compression in (5, 8, 32946):
                a = np.concatenate([a[:, :1], a[:, 1:] - a[:, :-1]], 1) % (1 << bits)
            return a.astype({8: "u1", 16: order + "u2", 32: order + "u4"}[bits]).tobytes()
        out = b""
        for row in block:
            b = "".join(format(int(v), f"0{bits}b") for v in row.reshape(-1))
            b += "0" * (-len(b) % 8)
            out += int(b, 2).to_bytes(len(b) // 8, "big")
        return out

    def coded(block):
        b = packed(block)
        b = {1: lambda b: b, 5: lzw, 8: zlib.compress, 32946: zlib.compress, 32773: packbits}[compression](b)
        return b.translate(REVERSED) if fill == 2 else b

    blocks = []
    for plane in [samples] if planar == 1 else [samples[:, :, i : i + 1] for i in range(n)]:
        if tile:
            tw, th = tile
            big = np.zeros((-(-h // th) * th, -(-w // tw) * tw, plane.shape[2]), plane.dtype)
            big[:h, :w] = plane
            blocks += [coded(big[y : y + th, x : x + tw]) for y in range(0, h, th) for x in range(0, w, tw)]
        else:
            blocks += [coded(plane[y : y + (rows or h)]) for y in range(0, h, rows or h)]
    body, offsets = b"", []
    for b in blocks:
        offsets.append(8 + len(body))
        body += b + b"\0" * (len(b) % 2)
    lengths = [len(b) for b in blocks]
    entries = {256: (3, [w]), 257: (3, [h]), 258: (3, [bits] * n), 259: (3, [compression]), 262: (3, [photometric]), 277: (3, [n])}
    if tile:
        entries |= {322: (3, [tile[0]]), 323: (3, [tile[1]]), 324: (4, offsets), 325: (4, lengths)}
    else:
        entries |= {273: (4, offsets), 278: (3, [rows or h]), 279: (4, lengths)}
    if planar != 1:
        entries[284] = (3, [planar])
    if fill != 1:
        entries[266] = (3, [fill])
    if predictor != 1:
        entries[317] = (3, [predictor])
    for tag, kind, values in tags:
        entries[tag] = (kind, values)
    for tag in drop:
        del entries[tag]
    start = 8 + len(body)
    extra_at = start + 2 + 12 * len(entries) + 4
    directory, extra = struct.pack(order + "H", len(entries)), b""
    for tag, (kind, values) in sorted(entries.items()):
        v = struct.pack(order + str(len(values)) + {1: "B", 3: "H", 4: "I"}[kind], *values)
        if len(v) > 4:
            directory += struct.pack(order + "HHII", tag, kind, len(values), extra_at + len(extra))
            extra += v + b"\0" * (len(v) % 2)
        else:
            directory += struct.pack(order + "HHI", tag, kind, len(values)) + v + b"\0" * (4 - len(v))
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", start)
    add_to(name + ".tif", head + body + directory + b"\0\0\0\0" + extra, **more)


W, H = 21, 13
color = scene(W, H)
y, x = np.mgrid[0:H, 0:W]
alpha = ((x * 29 + y * 17) % 256).astype(np.uint8)
alpha[2], alpha[5, :9] = 255, 0
ink = np.dstack([255 - color, alpha // 2])
deep = color.astype(np.int64) * 256 + color[::-1]
with_alpha = np.dstack([color, alpha])
times_alpha = np.dstack([color.astype(np.int64) * alpha[:, :, None] // 255, alpha])
gray = color[:, :, :1]
palette16 = [(i * 7919 + 300 * i) % 65536 for i in range(3 * 256)]
palette = lambda bits: [(320, 3, palette16[: 3 << bits])]
EXTRA = lambda *v: (338, 3, list(v))

for order, e in (("<", "le"), (">", "be")):
    for compression, c in ((1, "plain"), (5, "lzw"), (8, "deflate"), (32946, "deflate_old"), (32773, "packbits")):
        for planar in (1, 2):
            o = dict(order=order, compression=compression, planar=planar, rows=5)
            tiff(f"{e}_{c}_{planar}_rgb", color, 2, **o)
            tiff(f"{e}_{c}_{planar}_rgb16", deep, 2, 16, **o)
            tiff(f"{e}_{c}_{planar}_tiles", color, 2, tile=(16, 16), **o)
            tiff(f"{e}_{c}_{planar}_unspecified", with_alpha, 2, tags=[EXTRA(0)], **o)
            tiff(f"{e}_{c}_{planar}_unspecified3", np.dstack([with_alpha, color[:, :, :2]]), 2, tags=[EXTRA(0, 0, 0)], **o)
            tiff(f"{e}_{c}_{planar}_premultiplied", times_alpha, 2, tags=[EXTRA(1)], **o)
            tiff(f"{e}_{c}_{planar}_straight", with_alpha, 2, tags=[EXTRA(2)], **o)
            tiff(f"{e}_{c}_{planar}_cmyk", ink, 5, **o)
    for predictor in (1, 2):
        for compression, c in ((1, "plain"), (5, "lzw"), (8, "deflate"), (32773, "packbits")):
            o = dict(order=order, compression=compression, predictor=predictor, rows=4)
            tiff(f"{e}_{c}_predict{predictor}_rgb", color, 2, **o)
            tiff(f"{e}_{c}_predict{predictor}_rgba16", np.dstack([deep, alpha.astype(int) * 257]), 2, 16, tags=[EXTRA(2)], **o)
            tiff(f"{e}_{c}_predict{predictor}_planes", color, 2, planar=2, **o)
            tiff(f"{e}_{c}_predict{predictor}_gray4", gray >> 4, 1, 4, **o)
    for fill in (1, 2):
        for compression, c in ((1, "plain"), (8, "deflate")):
            o = dict(order=order, compression=compression, fill=fill, rows=5)
            for bits in (1, 2, 4, 8):
                for photometric in (0, 1):
                    tiff(f"{e}_{c}_fill{fill}_gray{bits}_{photometric}", gray >> (8 - bits), photometric, bits, **o)
                tiff(f"{e}_{c}_fill{fill}_palette{bits}", gray >> (8 - bits), 3, bits, tags=palette(bits), **o)
            tiff(f"{e}_{c}_fill{fill}_rgb", color, 2, **o)
            tiff(f"{e}_{c}_fill{fill}_rgba", with_alpha, 2, tags=[EXTRA(2)], **o)
            tiff(f"{e}_{c}_fill{fill}_tiles4", gray >> 4, 1, 4, tile=(16, 16), **o)

high = lambda m: Image.fromarray((np.asarray(m) >> 8).astype(np.uint8))
for order, e in (("<", "le"), (">", "be")):
    o = dict(order=order)
    tiff(e + "_gray16", deep[:, :, :1], 1, 16, read=high, **o)
    tiff(e + "_gray16_tiles", deep[:, :, :1], 1, 16, read=high, tile=(16, 32), compression=5, predictor=2, **o)
    tiff(e + "_gray16_white0", deep[:, :, :1], 0, 16, **o)
    tiff(e + "_gray_unspecified", with_alpha[:, :, 2:], 1, tags=[EXTRA(0)], **o)
    tiff(e + "_gray_premultiplied", times_alpha[:, :, 2:], 1, tags=[EXTRA(1)], **o)
    tiff(e + "_gray_straight", with_alpha[:, :, 2:], 1, tags=[EXTRA(2)], **o)
    tiff(e + "_gray_straight_deflate", with_alpha[:, :, 2:], 1, tags=[EXTRA(2)], compression=8, **o)
    tiff(e + "_gray_straight_planes", with_alpha[:, :, 2:], 1, tags=[EXTRA(2)], planar=2, **o)
    tiff(e + "_gray_no_extra", with_alpha[:, :, 2:], 1, **o)
    tiff(e + "_gray_signed", gray, 1, tags=[(339, 3, [2])], **o)
    tiff(e + "_rgb_signed", color, 2, tags=[(339, 3, [2, 2, 2])], **o)
    tiff(e + "_rgb_formats", color, 2, tags=[(339, 3, [1, 1, 1])], **o)
    tiff(e + "_float", deep[:, :, :1], 1, 32, tags=[(339, 3, [3])], **o)
    tiff(e + "_palette_unspecified", with_alpha[:, :, 2:], 3, tags=palette(8) + [EXTRA(0)], **o)
    tiff(e + "_palette_alpha", with_alpha[:, :, 2:], 3, tags=palette(8) + [EXTRA(2)], **o)
    tiff(e + "_rgba_no_extra", with_alpha, 2, **o)
    tiff(e + "_rgba_corel", with_alpha, 2, tags=[EXTRA(999)], **o)
    tiff(e + "_premultiplied16", np.dstack([deep * alpha[:, :, None] // 255, alpha.astype(int) * 257]), 2, 16, tags=[EXTRA(1)], **o)
    tiff(e + "_unspecified16", np.dstack([deep, alpha.astype(int) * 257]), 2, 16, tags=[EXTRA(0)], **o)
    tiff(e + "_premultiplied_more", np.dstack([times_alpha, gray]), 2, tags=[EXTRA(1, 0)], **o)
    tiff(e + "_straight_more", np.dstack([with_alpha, gray, gray]), 2, tags=[EXTRA(2, 0, 0)], **o)
    tiff(e + "_two_alphas", np.dstack([with_alpha, gray]), 2, tags=[EXTRA(2, 2)], **o)
    tiff(e + "_cmyk16", ink.astype(int) * 256 + 77, 5, 16, **o)
    tiff(e + "_cmyk_more", np.dstack([ink, gray]), 5, tags=[EXTRA(0)], **o)
    tiff(e + "_cmyk_alpha", np.dstack([ink, gray]), 5, tags=[EXTRA(2)], **o)
    tiff(e + "_bits_once", color, 2, tags=[(258, 3, [8])], **o)
    tiff(e + "_bits_more", gray, 1, tags=[(258, 3, [8, 8, 8])], **o)
    tiff(e + "_bits_few", color, 2, tags=[(258, 3, [8, 8])], **o)
    tiff(e + "_bits_unequal", color, 2, tags=[(258, 3, [8, 8, 4])], **o)
    tiff(e + "_long_tags", color, 2, tags=[(256, 4, [W]), (257, 4, [H]), (262, 4, [2]), (277, 4, [3])], rows=3, **o)
    tiff(e + "_no_lengths", color, 2, drop=[279], **o)
    tiff(e + "_no_lengths_deflate", color, 2, compression=8, drop=[279], **o)
    tiff(e + "_no_rows", color, 2, drop=[278], **o)
    tiff(e + "_rows_endless", color, 2, tags=[(278, 4, [2**32 - 1])], **o)
    tiff(e + "_no_photometric", gray, 1, drop=[262], **o)
    tiff(e + "_no_samples", gray, 1, drop=[277], **o)
    tiff(e + "_no_compression", gray, 1, drop=[259], **o)
    tiff(e + "_ycbcr", color, 6, **o)
    tiff(e + "_lab", color, 8, **o)
    tiff(e + "_mask", gray >> 7, 4, 1, **o)
    tiff(e + "_fill3", gray, 1, tags=[(266, 3, [3])], **o)
    tiff(e + "_planar3", color, 2, tags=[(284, 3, [3])], **o)
    tiff(e + "_predict3", gray, 1, tags=[(317, 3, [3])], compression=8, **o)
    tiff(e + "_inks", ink, 5, tags=[(332, 3, [2])], **o)
    tiff(e + "_lengths_short", color, 2, tags=[(279, 4, [3])], **o)
    for orientation in (3, 6):
        tiff(f"{e}_orient{orientation}_planes", color, 2, planar=2, rows=4, tags=[(0x112, 4, [orientation])], **o)
tiff("swapped_magic", color, 2, add_to=lambda name, data: add(name, b"II\0*" + data[4:]))
for compression in ("group3", "group4"):
    for mode, photometric in ((0, "white0"), (1, "black0")):
        f = io.BytesIO()
        Image.fromarray(color[:, :, 0] > 128).save(f, "tiff", compression=compression, tiffinfo={262: mode})
        add(f"{compression}_{photometric}.tif", f.getvalue())


# GIF, PNG, BMP and WebP with faults that do not concern their pixels, and some that do.
def gif_blocks(codes):
    return b"".join(bytes([len(codes[i : i + 200])]) + codes[i : i + 200] for i in range(0, len(codes), 200)) + b"\0"


def gif_codes(levels, bits):
    """Codes without any compression: a clear code before the table can grow."""
    out, n, clear, since = 0, 0, 1 << bits, 1 << bits

    def put(code):
        nonlocal out, n
        out, n = out | code << n, n + bits + 1

    for v in levels:
        if since >= clear - 2:
            put(clear)
            since = 0
        put(int(v))
        since += 1
    put(clear + 1)
    return out.to_bytes((n + 7) // 8, "little")


def gif(name, w, h, screen=None, at=(0, 0), bits=4, palette=True, local=None, interlace=False, before=b"", levels=None, after=b";", cut=0):
    if levels is None:
        levels = (scene(w, h)[:, :, 0] >> (8 - bits)).reshape(-1)
    head = b"GIF89a" + struct.pack("<HH", *(screen or (w, h)))
    colors = bytes((i * 53 + 9) % 256 for i in range(3 << bits))
    head += bytes([0x80 | bits - 1, 0, 0]) + colors if palette else b"\x70\0\0"
    flags = (0x40 if interlace else 0) | (0x80 | bits - 1 if local is not None else 0)
    image = b"," + struct.pack("<HHHHB", *at, w, h, flags) + (local or b"") + bytes([bits])
    data = head + before + image + gif_blocks(gif_codes(levels, bits)) + after
    add(name + ".gif", data[: len(data) - cut])


ramp = bytes(i // 3 for i in range(3 << 4))
control = lambda index: b"!\xf9\4\1\0\0" + bytes([index]) + b"\0"
for h in (1, 2, 3, 4, 5, 8, 9, 17):
    gif(f"interlaced_{h}", 7, h, interlace=True)
gif("interlaced_offset", 9, 7, screen=(20, 15), at=(5, 6), interlace=True, before=control(3))
gif("screen_0", 9, 7, screen=(0, 0))
gif("screen_small", 9, 7, screen=(3, 12), at=(2, 1), before=control(5))
gif("local_gray", 9, 7, local=ramp)
gif("local_gray_around", 9, 7, local=ramp, screen=(20, 15), at=(5, 6), before=control(200))
gif("no_palette_around", 9, 7, palette=False, screen=(20, 15), at=(5, 6), before=control(200))
gif("palette_short", 9, 7, bits=4, palette=False, local=None, levels=[i % 16 for i in range(63)])
gif("no_trailer", 9, 7, after=b"")
gif("no_terminator", 9, 7, after=b"", cut=1)
gif("junk_before", 9, 7, before=b"\0\0junk\xff!\xfe\3abc\0" + control(2))
gif("two_controls", 9, 7, screen=(12, 12), before=control(2) + control(7))
gif("ends_early", 9, 7, levels=[1] * 50)
gif("too_many", 9, 7, levels=[i % 16 for i in range(200)])
gif("cut", 9, 7, cut=20)
gif("empty_frame", 0, 7, levels=[], screen=(5, 5))


def png_chunk(kind, body, crc=None):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) if crc is None else crc)


def png(name, samples, bits=8, kind=2, before=(), after=(png_chunk(b"IEND", b""),), data=None, interlace=0, crc=None, change=lambda z: z, head=(0, 0)):
    h, w = samples.shape[:2]
    rows = lambda a: b"".join(b"\0" + r.astype(">u2" if bits == 16 else "u1").tobytes() for r in a) if a.size else b""
    raw = rows(samples)
    if interlace:
        raw = b"".join(rows(samples[y::dy, x::dx]) for x, y, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)))
    z = change(zlib.compress(raw))
    out = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, bits, kind, head[0], head[1], interlace))
    half = len(z) // 2
    out += b"".join(before) + png_chunk(b"IDAT", z[:half]) + png_chunk(b"IDAT", b"") + png_chunk(b"IDAT", z[half:], crc) + b"".join(after)
    add(name + ".png", out)


text = lambda n: png_chunk(b"tEXt", b"Comment\0" + b"x" * n)
for e, kind, bits, samples in (("rgb", 2, 8, color), ("rgba", 6, 8, with_alpha), ("rgb16", 2, 16, deep), ("indexed", 3, 8, gray >> 4)):
    plte = [png_chunk(b"PLTE", bytes((i * 53 + 9) % 256 for i in range(48)))] if kind == 3 else []
    o = dict(bits=bits, kind=kind)
    for interlace in (0, 1, 3):
        png(f"{e}_no_end_{interlace}", samples, after=(), before=plte, interlace=interlace, **o)
        png(f"{e}_no_adler_{interlace}", samples, change=lambda z: z[:-4], before=plte, interlace=interlace, **o)
    png(f"{e}_more", samples, change=lambda z: zlib.compress(zlib.decompress(z) + b"more" * 9), before=plte, **o)
    png(f"{e}_after", samples, change=lambda z: z + b"after" * 9, before=plte, **o)
    png(f"{e}_twice", samples, before=[png_chunk(b"PLTE", b"\1\2\3" * 16)] + plte, **o)
    png(f"{e}_method", samples, before=plte, head=(7, 0), **o)
    png(f"{e}_filter", samples, before=plte, head=(0, 7), **o)
    png(f"{e}_rows_missing", samples, change=lambda z: zlib.compress(zlib.decompress(z)[:-30]), before=plte, **o)
    png(f"{e}_adler_wrong", samples, change=lambda z: z[:-1] + bytes([z[-1] ^ 1]), before=plte, **o)
    png(f"{e}_idat_crc", samples, crc=1, before=plte, **o)
png("text_crc", color, before=[png_chunk(b"tEXt", b"a\0b", 1)])
png("text_crc_after", color, after=[png_chunk(b"tEXt", b"a\0b", 1), png_chunk(b"IEND", b"")])
png("text_cut_after", color, after=[text(50)[:30]])
png("junk_after", color, after=[b"\0\0\0\4\1\2\3\4"])
png("iend_wrong", color, after=[png_chunk(b"IEND", b"", 5)])
png("tail_of_end", color, after=[png_chunk(b"IEND", b"")[:9]])
png("inflate_broken", color, change=lambda z: z[:60] + b"\xff" * 20 + z[80:])


def bmp(name, bits, pixels, palette=b"", compression=0, colors=0, header=40, start=None, planes=1, masks=b"", size=(W, H), cut=0):
    if header == 12:
        info = struct.pack("<IHHHH", 12, *size, planes, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, *size, planes, bits, compression, len(pixels), 0, 0, colors, 0).ljust(header, b"\0")
        if masks and header > 40:
            info = info[:40] + masks.ljust(header - 40, b"\0")
            masks = b""
    real = 14 + len(info) + len(masks) + len(palette)
    data = b"BM" + struct.pack("<IHHI", 0, 0, 0, real if start is None else start) + info + masks + palette + pixels
    add(name + ".bmp", data[: len(data) - cut])


def padded(a):
    rows = [r.tobytes() for r in a[::-1]]
    return b"".join(r + b"\0" * (-len(r) % 4) for r in rows)


level = np.ascontiguousarray(gray[:, :, 0])
four = lambda n: bytes((i * 31 + 7) % 256 for i in range(4 * n))
grays = bytes(i // 4 for i in range(4 * 256))
bmp("bmp24_planes0", 24, padded(color[:, :, ::-1]), planes=0)
bmp("bmp24_start0", 24, padded(color[:, :, ::-1]), start=0)
bmp("bmp24_cut1", 24, padded(color[:, :, ::-1]), cut=1)
bmp("bmp24_cut2", 24, padded(color[:, :, ::-1]), cut=2)
bmp("bmp24_masks", 24, padded(color[:, :, ::-1]), compression=3, masks=struct.pack("<III", 0xFF0000, 0xFF00, 0xFF))
bmp("bmp8_colors10", 8, padded(level % 16), four(10), colors=10)
bmp("bmp8_grays", 8, padded(level), grays)
bmp("bmp8_grays100", 8, padded(level), grays[:400], colors=100)
bmp("bmp8_colors300", 8, padded(level), four(300), colors=300)
bmp("bmp8_start0", 8, padded(level), four(256), start=0)
bmp("bmp8_start_at_palette", 8, padded(level), four(256), start=54)
bmp("bmp8_start_at_palette10", 8, padded(level % 10), four(10), start=54, colors=10)
bmp("bmp8_start_in_palette", 8, padded(level), four(256), start=54 + 100)
bmp("bmp4_colors16_cut", 4, padded(level[:, :11]), four(16), start=54 + 20)
bmp("bmp4_colors100", 4, padded(level[:, :11]), four(100), colors=100)
bmp("bmp8_os2_start_at_palette", 8, padded(level), four(192), header=12, start=26)
rgbx = np.dstack([color[:, :, ::-1], alpha])
for header in (40, 52, 56, 108, 124):
    bmp(f"bmp32_masks0_{header}", 32, padded(rgbx), compression=3, masks=b"\0" * 16 if header > 52 else b"\0" * 12, header=header)
    bmp(f"bmp32_masks_{header}", 32, padded(rgbx), compression=3, masks=struct.pack("<III", 0xFF0000, 0xFF00, 0xFF), header=header)
runs = lambda *pairs: b"".join(bytes(p) for p in pairs)
o = dict(palette=four(256), compression=1, size=(5, 4))
bmp("rle8_long_runs", 8, runs((9, 1), (0, 0), (5, 2), (7, 9), (0, 0), (5, 3), (0, 0), (200, 4)), **o)
bmp("rle8_single_over", 8, runs((0, 7), (1, 2, 3, 4, 5, 6, 7, 0), (0, 0), (5, 2), (0, 0), (5, 3)), **o)
bmp("rle8_jump", 8, runs((2, 1), (0, 2), (2, 1), (3, 4), (0, 0), (5, 3), (0, 0)), **o)
bmp("rle8_jump_out", 8, runs((2, 1), (0, 2), (200, 100)), **o)
bmp("rle8_end", 8, runs((5, 1), (0, 0), (5, 2), (0, 0), (5, 3), (0, 0), (5, 4), (0, 1)), **o)
bmp("rle8_cut", 8, runs((5, 1), (0, 0), (5, 2)), **o)
bmp("rle8_odd_start", 8, runs((0, 5), (1, 2, 3, 4, 5, 0), (0, 0), (5, 2), (0, 0), (5, 3), (0, 0), (5, 4)), start=54 + 1024, **o)
o = dict(palette=four(16) + b"!", compression=2, size=(5, 4))
bmp("rle4_odd_start", 4, runs((0, 5), (0x12, 0x34, 0x50), (0, 0), (5, 0x23), (0, 0), (5, 3), (0, 0), (5, 4)), colors=16, **o)


def riff(name, *chunks, length=None):
    body = b"WEBP" + b"".join(chunks)
    add(name + ".webp", b"RIFF" + struct.pack("<I", len(body) if length is None else length) + body)


def parts(**options):
    f = io.BytesIO()
    Image.fromarray(with_alpha if options.pop("alpha", True) else color).save(f, "webp", exact=True, **options)
    b, found = f.getvalue()[12:], {}
    while b:
        n = 8 + int.from_bytes(b[4:8], "little")
        n += n % 2
        found[b[:4]], b = b[:n], b[n:]
    return found


lossy, lossless, plain = parts(quality=80), parts(lossless=True), parts(quality=80, alpha=False)
vp8x = lambda flags, w=W, h=H: b"VP8X\x0a\0\0\0" + bytes([flags, 0, 0, 0]) + (w - 1).to_bytes(3, "little") + (h - 1).to_bytes(3, "little")
unknown = b"ABCD\3\0\0\0xyz\0"
riff("webp_flag_missing", vp8x(0), lossy[b"ALPH"], lossy[b"VP8 "])
riff("webp_flag_only", vp8x(0x10), plain[b"VP8 "])
riff("webp_lossless_extended", vp8x(0), lossless[b"VP8L"])
riff("webp_lossless_flag", vp8x(0x10), lossless[b"VP8L"])
riff("webp_lossless_alph", vp8x(0x10), lossy[b"ALPH"], lossless[b"VP8L"])
riff("webp_unknown", vp8x(0x10), unknown, lossy[b"ALPH"], unknown, lossy[b"VP8 "], unknown)
riff("webp_two_alph", vp8x(0x10), lossy[b"ALPH"], lossy[b"ALPH"], lossy[b"VP8 "])
riff("webp_two_images", vp8x(0), plain[b"VP8 "], lossless[b"VP8L"])
riff("webp_canvas", vp8x(0, W + 1, H), plain[b"VP8 "])
riff("webp_canvas_lossless", vp8x(0, W + 1, H), lossless[b"VP8L"])
riff("webp_after", plain[b"VP8 "], unknown)
riff("webp_no_pixels", vp8x(0), unknown * 4)
riff("webp_alph_alone", lossy[b"ALPH"], lossy[b"VP8 "])

made.close()
out = {
    "script": "testdata/gen/vision_cases.py",
    "versions": {"pillow": PIL.__version__, "numpy": np.__version__},
    "files": want,
    "images": images,
    "refused": refused,
}
with open(DIR + "want.json", "w") as f:
    json.dump(out, f, indent=0)
    f.write("\n")
print(len(want), "files,", sum(os.path.getsize(DIR + n) for n in os.listdir(DIR)), "bytes")
