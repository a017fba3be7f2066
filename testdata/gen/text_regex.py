"""Writes text/internal/regex/unicode.zlib: character properties and case folding of the Oniguruma that tokenizers links.

    python text_regex.py PATH/UNICODE_PROPERTIES

The argument is the list of property names of Oniguruma (doc/UNICODE_PROPERTIES of its source). Names that the library
refuses are left out. The library itself says which code points have a property, so that its Unicode version counts.

The file, compressed by zlib, is a sequence of unsigned varints and texts:
number of tables; for each table its number of ranges, then for each range the distance from the end of the range before and
the length; number of names; for each name its length, its bytes and its table; number of folding classes; for each class its
size and its code points; number of expansions; for each the code point, the number of code points and the code points.
"""
import os
import sys
import zlib

import tokenizers
from tokenizers import Regex
from tokenizers.pre_tokenizers import Split

PROBES = [c for c in range(0x110000)
          if not 0xD800 <= c < 0xE000 and (c < 0x34000 or 0xE0000 <= c < 0xE1000 or c & 0xFFF < 4 or c & 0xFFF > 0xFFB)]
TEXT = "".join(map(chr, PROBES))
POSIX = ["alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word", "xdigit"]


def spans(pattern, text):
    """Returns the matches of a pattern as pairs of character positions."""
    return [s for _, s in Split(Regex(pattern), "removed", invert=True).pre_tokenize_str(text)]


def table(pattern):
    """Returns the ranges of code points, ends included, that a pattern of one character matches."""
    out = []
    for start, end in spans(pattern + "+", TEXT):
        lo, hi = PROBES[start], PROBES[end - 1]
        if out and 0xD7FF <= out[-1][1] and lo <= 0xE000 and out[-1][1] < 0xE000:
            out[-1] = (out[-1][0], hi)  # surrogates occur in no text
        else:
            out.append((lo, hi))
    # A run covers what lies between its probes. Its ends must be neighbors of probes outside.
    for lo, hi in out:
        for c in (lo - 1, hi + 1):
            assert not 0 <= c < 0x110000 or c in KNOWN, f"{pattern}: the range {lo:x}-{hi:x} ends between probes"
    return out


KNOWN = set(PROBES) | set(range(0xD800, 0xE000))


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out) + bytes([n])


def properties(names):
    tables, index, table_of = [], {}, {}
    for name in names:
        pattern = f"[[:{name[1:]}:]]" if name.startswith(":") else f"\\p{{{name}}}"
        try:
            ranges = tuple(table(pattern))
        except Exception as e:  # the library was built with another list
            if "invalid character property" not in str(e):
                raise
            print("left out:", name)
            continue
        if ranges not in index:
            index[ranges] = len(tables)
            tables.append(ranges)
        table_of[name.lower().replace("_", "").replace(" ", "").replace("-", "")] = index[ranges]
    out = varint(len(tables))
    for ranges in tables:
        out += varint(len(ranges))
        end = 0
        for lo, hi in ranges:
            out += varint(lo - end) + varint(hi - lo)
            end = hi
    out += varint(len(table_of))
    for name in sorted(table_of):
        out += varint(len(name)) + name.encode() + varint(table_of[name])
    return out


def folding():
    cased = [c for lo, hi in table("[\\p{Changes_When_Casefolded}\\p{Changes_When_Casemapped}]") for c in range(lo, hi + 1)]
    text = "".join(map(chr, cased))
    classes, expansions = set(), []
    for c in cased:
        same = sorted(ord(text[s]) for s, e in spans(f"(?i:\\x{{{c:x}}})", text) if e == s + 1)
        assert c in same
        if len(same) > 1:
            classes.add(tuple(same))
        full = chr(c).casefold()
        if len(full) > 1 and spans(f"(?i:\\A\\x{{{c:x}}}\\z)", full):
            expansions.append((c, [ord(f) for f in full]))
    members = [c for same in classes for c in same]
    assert len(members) == len(set(members)), "folding is not an equivalence"
    out = varint(len(classes))
    for same in sorted(classes):
        out += varint(len(same)) + b"".join(map(varint, same))
    out += varint(len(expansions))
    for c, full in expansions:
        out += varint(c) + varint(len(full)) + b"".join(map(varint, full))
    print(len(classes), "folding classes,", len(expansions), "expansions, tokenizers", tokenizers.__version__)
    return out


names = [line.strip() for line in open(sys.argv[1]) if line.strip() and not line.startswith("Unicode Prop")]
names += POSIX + [":" + name for name in POSIX]
data = properties(names) + folding()
path = os.path.join(os.path.dirname(__file__), "..", "..", "text", "internal", "regex", "unicode.zlib")
with open(path, "wb") as f:
    f.write(zlib.compress(data, 9))
print(len(data), "bytes,", os.path.getsize(path), "compressed")
