"""Makes JPEG files of every kind that the format allows, and what Pillow decodes them to.

    vision_jpeg.py                     writes vision/internal/jpeg/testdata/: 90 small files, and want.json with the
                                       size and the SHA-256 of Pillow's Image.open(file).convert("RGB"), in full and
                                       as far as its draft mode reduces them to 4, 2 and 1 eighths
    vision_jpeg.py random N SEED       writes N cases to standard output
    vision_jpeg.py cut N SEED          the same, of progressive files that end after some of their scans
    vision_jpeg.py arithmetic N SEED   the same, of files with arithmetic coding
    vision_jpeg.py photographs DIR N SEED
                                       the same, of crops of the photographs below DIR that Pillow encodes

A case on standard output is a name, the file and the pixels, each after its length in four bytes (big-endian), with
the size in eighths at which they were decoded, width and height, four bytes each, before the pixels. Made with Pillow 13.0.0 (libjpeg-turbo 3.2.0), numpy 2.4.6.

Arithmetic coding comes from jpegtran of libjpeg-turbo-progs (Debian 12's 2.1.5): neither Pillow nor the encoder here
writes it.

Pillow's encoder knows three ratios of chroma and one script of progressive scans. The encoder here writes random
coefficients under random Huffman tables, sampling factors, scan scripts, restart intervals and markers: no images,
but files that every decoder has to agree on.
"""

import hashlib
import io
import json
import pathlib
import random
import struct
import subprocess
import sys

from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]


def zigzag():
    order = []
    for d in range(15):
        line = [(i, d - i) for i in range(8) if 0 <= d - i < 8]
        order += [8 * r + c for r, c in (line if d % 2 else reversed(line))]
    return order


ZIGZAG = zigzag()


class Table:
    """A random Huffman table of the given symbols. The code of ones alone stays free."""

    def __init__(self, rng, symbols):
        symbols = list(symbols)
        rng.shuffle(symbols)
        lengths = [1]  # lengths of a complete code: split leaves until there are enough
        lean = rng.random()
        while len(lengths) <= len(symbols):
            lengths.sort()
            i = 0 if rng.random() < lean else rng.randrange(len(lengths))
            if lengths[i] == 16:
                i = 0
            lengths[i] += 1
            lengths.append(lengths[i])
        lengths.sort()
        lengths.pop()  # one of the longest: all ones
        lengths = lengths[: len(symbols)]
        self.counts = [lengths.count(n) for n in range(1, 17)]
        self.symbols = symbols
        self.codes = {}
        code, last = 0, lengths[0]
        for s, n in zip(symbols, lengths):
            code <<= n - last
            last = n
            self.codes[s] = (code, n)
            code += 1

    def segment(self, selector):
        return bytes([selector]) + bytes(self.counts) + bytes(self.symbols)


class Bits:
    def __init__(self):
        self.out, self.acc, self.n = bytearray(), 0, 0

    def put(self, value, n):
        self.acc = self.acc << n | (value & ((1 << n) - 1))
        self.n += n
        while self.n >= 8:
            self.n -= 8
            b = self.acc >> self.n & 255
            self.out.append(b)
            if b == 255:
                self.out.append(0)
        self.acc &= (1 << self.n) - 1

    def code(self, table, symbol):
        self.put(*table.codes[symbol])

    def pad(self):
        if self.n:
            self.put((1 << (8 - self.n)) - 1, 8 - self.n)


def size_of(v):
    return abs(v).bit_length()


def value_bits(v):
    n = size_of(v)
    return (v if v > 0 else v + (1 << n) - 1), n


class Component:
    pass


def shift(v, low):
    """The point transform of AC coefficients: towards zero."""
    return v >> low if v >= 0 else -(-v >> low)


class Scan:
    """Encodes blocks in the order of one scan."""

    def __init__(self, rng, comps, band, bits, progressive):
        self.comps, self.band, self.bits, self.progressive = comps, band, bits, progressive
        self.dc = [Table(rng, range(12)) for _ in range(2)]
        if progressive:
            symbols = [r << 4 | s for r in range(16) for s in range(12)] + [r << 4 | s for r in range(15) for s in [12]]
        else:
            symbols = [r << 4 | s for r in range(16) for s in range(1, 12)] + [0, 0xF0]
        self.ac = [Table(rng, symbols) for _ in range(2)]
        self.out = Bits()
        self.reset()

    def reset(self):
        for c in self.comps:
            c.pred = 0
        self.run, self.pending = 0, []

    def tables(self, selectors):
        s = b""
        for c in self.comps:
            for kind, t in ((0, self.dc), (1, self.ac)):
                s += t[c.table].segment(kind << 4 | selectors[c.table])
        return s

    def put_value(self, v):
        b, n = value_bits(v)
        if n:
            self.out.put(b, n)

    def block(self, c, blk):
        lo, hi = self.band
        high, low = self.bits
        if not self.progressive:
            diff = blk[0] - c.pred
            c.pred = blk[0]
            self.out.code(self.dc[c.table], size_of(diff))
            self.put_value(diff)
            self.ac_first(c, blk, 1, 63, 0, False)
        elif lo == 0 and high == 0:
            v = blk[0] >> low
            diff = v - c.pred
            c.pred = v
            self.out.code(self.dc[c.table], size_of(diff))
            self.put_value(diff)
        elif lo == 0:
            self.out.put(blk[0] >> low & 1, 1)
        elif high == 0:
            self.ac_first(c, blk, lo, hi, low, True)
        else:
            self.ac_next(c, blk, lo, hi, low)

    def ac_first(self, c, blk, lo, hi, low, runs):
        t, zeros = self.ac[c.table], 0
        for k in range(lo, hi + 1):
            v = shift(blk[k], low)
            if v == 0:
                zeros += 1
                continue
            self.end_run(c)
            while zeros > 15:
                self.out.code(t, 0xF0)
                zeros -= 16
            self.out.code(t, zeros << 4 | size_of(v))
            self.put_value(v)
            zeros = 0
        if zeros:
            if not runs:
                self.out.code(t, 0)
                return
            self.run += 1
            if self.run == 0x7FFF:
                self.end_run(c)

    def end_run(self, c):
        if self.run:
            n = self.run.bit_length() - 1
            self.out.code(self.ac[c.table], n << 4)
            self.out.put(self.run, n)
            self.run = 0
        for b in self.pending:
            self.out.put(b, 1)
        self.pending = []

    def ac_next(self, c, blk, lo, hi, low):
        t = self.ac[c.table]
        mags = {k: abs(blk[k]) >> low for k in range(lo, hi + 1)}
        last_new = max([k for k in mags if mags[k] == 1], default=0)
        zeros, bits = 0, []
        for k in range(lo, hi + 1):
            m = mags[k]
            if m == 0:
                zeros += 1
                continue
            while zeros > 15 and k <= last_new:
                self.end_run(c)
                self.out.code(t, 0xF0)
                zeros -= 16
                for b in bits:
                    self.out.put(b, 1)
                bits = []
            if m > 1:
                bits.append(m & 1)
                continue
            self.end_run(c)
            self.out.code(t, zeros << 4 | 1)
            self.out.put(1 if blk[k] > 0 else 0, 1)
            for b in bits:
                self.out.put(b, 1)
            bits, zeros = [], 0
        if zeros or bits:
            self.run += 1
            self.pending += bits
            if self.run == 0x7FFF or len(self.pending) > 900:
                self.end_run(c)


def segment(m, payload):
    return bytes([0xFF, m]) + struct.pack(">H", len(payload) + 2) + payload


def script(rng, comps, progressive):
    """Scans as (components, band, (high, low)), complete and in a legal order."""
    together = sum(c.h * c.v for c in comps) <= 10
    if not progressive:
        if together and rng.random() < 0.7:
            return [(comps, (0, 63), (0, 0))]
        order = comps[:]
        rng.shuffle(order)
        return [([c], (0, 63), (0, 0)) for c in order]
    low = rng.randrange(3)
    groups = [comps] if together and rng.random() < 0.7 else [[c] for c in comps]
    scans = [(g, (0, 0), (0, low)) for g in groups]
    rest = [[(g, (0, 0), (b + 1, b)) for b in reversed(range(low))] for g in groups]
    for c in comps:
        cuts = sorted(rng.sample(range(2, 64), rng.randrange(3)))
        for lo, hi in zip([1] + cuts, [k - 1 for k in cuts] + [63]):
            low = rng.randrange(3)
            rest.append([([c], (lo, hi), (0, low))] + [([c], (lo, hi), (b + 1, b)) for b in reversed(range(low))])
    while any(rest):
        chain = rng.choice([r for r in rest if r])
        scans.append(chain.pop(0))
    return scans


def random_file(rng, most=4000):
    """Returns a name that says what it is, and the file. most bounds the coefficients of a block, after quantization."""
    n = rng.choice([1, 3, 3, 3, 3, 4])
    w, h = rng.randint(1, 70), rng.randint(1, 70)
    progressive = rng.random() < 0.5
    kind = rng.choice([(2, 2), (2, 1), (1, 2), (1, 1), (4, 1), (4, 2), None])
    comps = []
    for i in range(n):
        c = Component()
        if kind is None:  # any factors with whole ratios
            c.h, c.v = rng.choice([1, 2, 4]), rng.choice([1, 2, 4])
        else:
            c.h, c.v = kind if i in (0, 3) else (1, 1)
        c.table, c.id, c.tq = (0 if i in (0, 3) else 1), i + 1, rng.randrange(4)
        comps.append(c)
    if kind is None and rng.random() < 0.3:
        for c in comps:
            c.h, c.v = {1: 1, 2: 3, 4: 3}[c.h], {1: 1, 2: 3, 4: 3}[c.v]
    hmax, vmax = max(c.h for c in comps), max(c.v for c in comps)
    if n == 1:
        comps[0].h, comps[0].v, hmax, vmax = rng.choice([1, 2]), rng.choice([1, 2]), 1, 1
    mx, my = -(-w // (8 * hmax)), -(-h // (8 * vmax))
    wide = rng.random() < 0.2
    quant = [[rng.randint(1, 6 if wide or rng.random() < 0.9 else 255) for _ in range(64)] for _ in range(4)]
    peak, dense = rng.choice([1, 20, 200]), rng.choice([0.01, 0.05, 0.5])
    for c in comps:
        ch, cv = (1, 1) if n == 1 else (c.h, c.v)
        c.bx, c.by = -(-(-(-w * ch // hmax)) // 8), -(-(-(-h * cv // vmax)) // 8)
        c.stride = mx * ch
        c.blocks = []
        for _ in range(c.stride * my * cv):
            blk = [0] * 64
            blk[0] = rng.randint(-400, 400) if rng.random() < 0.8 else 0
            if rng.random() < 0.7:
                for k in range(1, 64):
                    if rng.random() < dense:
                        blk[k] = rng.randint(-peak, peak) // (1 + k // 4)
            # What no samples of 8 bits lead to overflows 16 bits, in one way in libjpeg's vector code and in another in
            # its C.
            total = sum(abs(v) * q for v, q in zip(blk, quant[c.tq]))
            c.blocks.append([int(v * most / total) for v in blk] if total > most else blk)
    out = b"\xff\xd8"
    adobe = rng.choice([None, None, 0, 1, 2])
    jfif = adobe is None and rng.random() < 0.5
    if jfif:
        out += segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
    if adobe is not None:
        out += segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([adobe]))
    if not jfif and adobe is None and n == 3 and rng.random() < 0.5:
        for c, i in zip(comps, b"RGB"):
            c.id = i
    if rng.random() < 0.3:
        out += segment(0xFE, b"a comment \xff\xd9 with a marker in it") + b"\xff\xff"[: rng.randrange(3)]
    for t, q in enumerate(quant):
        out += segment(0xDB, bytes([t | 16]) + struct.pack(">64H", *q) if wide else bytes([t]) + bytes(q))
    frame = struct.pack(">BHHB", 8, h, w, n) + b"".join(bytes([c.id, c.h << 4 | c.v, c.tq]) for c in comps)
    out += segment(0xC2 if progressive else 0xC1 if wide else 0xC0, frame)
    interval = 0
    for scan_comps, band, bits in script(rng, comps, progressive):
        if rng.random() < 0.4:
            interval = rng.choice([0, 1, 2, 7, mx])
            out += segment(0xDD, struct.pack(">H", interval))
        s = Scan(rng, scan_comps, band, bits, progressive)
        selectors = rng.sample(range(2 if not progressive else 4), 2)
        out += segment(0xC4, s.tables(selectors))
        head = bytes([len(scan_comps)])
        for c in scan_comps:
            head += bytes([c.id, selectors[c.table] * 17])
        out += segment(0xDA, head + bytes([band[0], band[1], bits[0] << 4 | bits[1]]))
        if len(scan_comps) == 1:
            c = scan_comps[0]
            mcus = [[(c, y * c.stride + x)] for y in range(c.by) for x in range(c.bx)]
        else:
            mcus = []
            for row in range(my):
                for col in range(mx):
                    mcus.append([
                        (c, (row * c.v + y) * c.stride + col * c.h + x)
                        for c in scan_comps for y in range(c.v) for x in range(c.h)
                    ])
        for i, m in enumerate(mcus):
            if interval and i and i % interval == 0:
                s.end_run(scan_comps[0])
                s.out.pad()
                s.out.out += bytes([0xFF, 0xD0 + (i // interval - 1) % 8])
                s.reset()
            for c, j in m:
                s.block(c, c.blocks[j])
        s.end_run(scan_comps[0])
        s.out.pad()
        out += bytes(s.out.out)
    out += b"\xff\xd9"
    name = f"{n}x{w}x{h}_{'progressive' if progressive else 'sequential'}_" + "_".join(f"{c.h}{c.v}" for c in comps)
    return name, out


def cut(rng):
    """A progressive file that ends after some of its scans, at least the first one of each component."""
    while True:
        name, data = random_file(rng, 1500)  # smoothing may double a value
        scans = [i for i in range(len(data) - 1) if data[i] == 0xFF and data[i + 1] == 0xDA]
        means = sum(data[i + 4] for i in scans if data[i + 5 + 2 * data[i + 4]] == 0 and data[i + 7 + 2 * data[i + 4]] < 16)
        first = 1 if means and data[scans[0] + 4] == means else means
        if "progressive" not in name or len(scans) <= first:
            continue
        at = data.rfind(b"\xff\xc4", 0, rng.choice(scans[first:]))  # a scan's tables stand before it
        return "cut_" + name, data[:at] + b"\xff\xd9"


def arithmetic(rng):
    while True:
        name, data = random_file(rng) if rng.random() < 0.8 else cut(rng)
        options = ["-arithmetic", "-copy", "all"]
        if rng.random() < 0.5:
            options += ["-progressive"]
        if rng.random() < 0.4:
            options += ["-restart", rng.choice(["1", "3B", "7B"])]
        done = subprocess.run(["jpegtran", *options], input=data, capture_output=True)
        if done.returncode == 0:
            return "arithmetic_" + name, done.stdout


def photographs(folder, rng):
    """Yields crops of photographs as Pillow encodes them, for ever."""
    files = sorted(p for p in pathlib.Path(folder).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if len(files) > 60:
        files = files[:40] + [p for p in files if "images" in p.parts][-20:]
    cache = {}
    while True:
        p = rng.choice(files)
        if p not in cache:
            cache[p] = Image.open(p).convert("RGB")
        m = cache[p]
        w, h = (rng.randint(1, 70), rng.randint(1, 70)) if rng.random() < 0.7 else (rng.randint(1, 300), rng.randint(1, 300))
        x, y = rng.randrange(max(1, m.width - w)), rng.randrange(max(1, m.height - h))
        m = m.crop((x, y, x + w, y + h))
        mode = rng.choice(["RGB"] * 8 + ["L", "CMYK"])
        o = dict(quality=rng.choice([1, 5, 20, 50, 75, 85, 90, 95, 100]), progressive=rng.random() < 0.4,
                 optimize=rng.random() < 0.4)
        if mode == "RGB":
            o["subsampling"] = rng.choice([0, 1, 2])
            if rng.random() < 0.1:
                o["keep_rgb"] = True
                o["subsampling"] = 0
        if rng.random() < 0.3:
            o[rng.choice(["restart_marker_blocks", "restart_marker_rows"])] = rng.randint(1, 4)
        b = io.BytesIO()
        m.convert(mode).save(b, "JPEG", **o)
        yield f"{p.name} {mode} {w}x{h} {o}", b.getvalue()


def pixels(data, eighths=8):
    """Decodes at the reduced size, or at the next one that Pillow reduces to: it leaves no side without a pixel."""
    m = Image.open(io.BytesIO(data))
    if eighths < 8:
        m.draft(None, (max(1, m.width * eighths // 8), max(1, m.height * eighths // 8)))
        eighths = 8 // m.decoderconfig[0]
    m = m.convert("RGB")
    return eighths, m.width, m.height, m.tobytes()


def main():
    if len(sys.argv) > 1:
        rng = random.Random(int(sys.argv[-1]))
        if sys.argv[1] == "photographs":
            source = photographs(sys.argv[2], rng)
        else:
            make = {"random": random_file, "cut": cut, "arithmetic": arithmetic}[sys.argv[1]]
            source = iter(lambda: make(rng), None)
        out = sys.stdout.buffer
        for _, (name, data) in zip(range(int(sys.argv[-2])), source):
            eighths, w, h, pix = pixels(data, rng.choice([8, 8, 4, 2, 1]))
            for part in (name.encode(), data):
                out.write(struct.pack(">I", len(part)) + part)
            out.write(struct.pack(">IIII", eighths, w, h, len(pix)) + pix)
        return
    folder = ROOT / "vision/internal/jpeg/testdata"
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(1)
    want = {}

    def keep(name, data):
        (folder / (name + ".jpg")).write_bytes(data)
        want[name + ".jpg"] = {}
        for n in (8, 4, 2, 1):
            eighths, w, h, pix = pixels(data, n)
            want[name + ".jpg"][eighths] = {"width": w, "height": h, "sha256": hashlib.sha256(pix).hexdigest()}

    left = {(n, kind): 7 for n in "134" for kind in ("progressive", "sequential")}
    while any(left.values()):
        name, data = random_file(rng)
        key = name[0], name.split("_")[1]
        if len(data) > 5000 or not left[key]:
            continue
        left[key] -= 1
        keep(name, data)
    rng = random.Random(2)
    for make in (cut, arithmetic):
        n = 24
        while n:
            name, data = make(rng)
            if len(data) <= 4000 and name + ".jpg" not in want:
                keep(name, data)
                n -= 1
    (folder / "want.json").write_text(json.dumps(want, indent=1) + "\n")


if __name__ == "__main__":
    main()
