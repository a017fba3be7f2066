"""Writes text/internal/split/tables.zlib: the word characters of the pre-tokenizer Whitespace and the scripts of UnicodeScripts.

The library tokenizers is asked about every code point. The file, compressed by zlib, is a sequence of unsigned varints: the number
of ranges of word characters; for each the distance from the end of the range before and the length; the number of runs of one
script; for each its length and its script, from code point 0 on. Script 0 belongs to every script.
"""
import os
import zlib

import tokenizers
from tokenizers.pre_tokenizers import UnicodeScripts, Whitespace

TEXT = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out) + bytes([n])


def words():
    """Returns the code points that the pattern of Whitespace keeps together with a letter."""
    out = []
    for start in range(0, len(TEXT), 0x8000):
        part = TEXT[start:start + 0x8000]
        text = "".join("a" + c + " " for c in part)
        ends = {span[0] for _, span in Whitespace().pre_tokenize_str(text) if span[1] - span[0] == 2}
        out += [ord(c) for i, c in enumerate(part) if 3 * i in ends]
    return out


def joins(a, b):
    return len(UnicodeScripts().pre_tokenize_str(a + b)) == 1


def scripts():
    """Returns the script of each code point as a number."""
    splitter, out = UnicodeScripts(), []
    common = [joins("a", c) and joins("ж", c) for c in TEXT]
    firsts = []  # the first code point of each script
    last = None
    for c, anywhere in zip(TEXT, common):
        if anywhere:
            out.append(0)
            continue
        if last is not None and joins(last[0], c):
            out.append(last[1])
        else:
            script = next((i for i, f in enumerate(firsts) if joins(f, c)), len(firsts))
            if script == len(firsts):
                firsts.append(c)
            out.append(script + 1)
        last = c, out[-1]
    print(len(firsts), "scripts")
    return out


data = b""
ranges = []
for c in words():
    if ranges and ranges[-1][1] == c - 1:
        ranges[-1][1] = c
    else:
        ranges.append([c, c])
data += varint(len(ranges))
end = 0
for lo, hi in ranges:
    data += varint(lo - end) + varint(hi - lo)
    end = hi
runs = []
numbers = scripts()
numbers = numbers[:0xD800] + [numbers[0xD7FF]] * 0x800 + numbers[0xD800:]
for script in numbers:
    if runs and runs[-1][1] == script:
        runs[-1][0] += 1
    else:
        runs.append([1, script])
data += varint(len(runs)) + b"".join(varint(n) + varint(script) for n, script in runs)
path = os.path.join(os.path.dirname(__file__), "..", "..", "text", "internal", "split", "tables.zlib")
with open(path, "wb") as f:
    f.write(zlib.compress(data, 9))
print(len(ranges), "ranges of word characters,", len(runs), "runs of scripts,", os.path.getsize(path), "bytes; tokenizers", tokenizers.__version__)
