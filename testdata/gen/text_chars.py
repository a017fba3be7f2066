"""Writes text/internal/chars/tables.txt: what each character is to the library tokenizers.

The parts of the library have tables of different Unicode versions. So the library itself is asked about every code point.

    python testdata/gen/text_chars.py
"""

import pathlib
import struct
import unicodedata

import tokenizers
from tokenizers import normalizers, pre_tokenizers

ROOT = pathlib.Path(__file__).resolve().parents[2]
POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def charsmap(leads):
    """A precompiled charsmap that replaces what begins with one of the bytes by Q. It shows where graphemes of up to 5 bytes end."""
    units = [0] * 1024
    units[0] = 256 << 10
    for c in leads:
        at, leaf = 256 ^ c, 512 + c
        units[at] = c | 1 << 8 | (at ^ leaf) << 10
    return normalizers.Precompiled(struct.pack(f"<{len(units) + 1}I", 4 * len(units), *units) + b"Q\0")


def ranges(points):
    out = []
    for c in sorted(points):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return [f"{a:x}" if a == b else f"{a:x}-{b:x}" for a, b in out]


def removed(normalizer):
    return {c for c in POINTS if normalizer.normalize_str(chr(c)) == ""}


def isolated(pre_tokenizer):
    pieces = pre_tokenizer.pre_tokenize_str("a".join(map(chr, POINTS)))
    return {ord(piece) for piece, (start, end) in pieces if end - start == 1 and piece != "a"}


def graphemes():
    """The classes of UAX 29 that decide where graphemes of at most 5 bytes begin and end; regional indicators do not."""
    high = range(0xC2, 0xF5)
    a, acute, pict, ka, jamo, every = (charsmap(x) for x in (b"a", b"\xcc", b"\xc2", b"\xe0", b"\xe1", high))

    def where(normalizer, test, before, after):
        return {c for c in POINTS if test(normalizer.normalize_str(before + chr(c) + after))}

    joined = lambda s: s.endswith("\u0300")  # U+0300 belongs to a grapheme of more than 5 bytes
    after = where(a, lambda s: s == "Q", "a", "")
    prepend = where(every, lambda s: s == "Q", "", "a")
    control = where(acute, lambda s: not s.endswith("QQ"), "", "\u0300\u0301")
    zwj = {0x200D}
    extend = where(pict, joined, "\u00a9", "\u200d\u00a9\u0300") & after
    pictographic = where(pict, lambda s: s.startswith("Q\u200d"), "\u00a9\u200d", "") - after
    consonant = where(ka, joined, "", "\u094d\u0915\u0300") - prepend
    linker = where(ka, joined, "\u0915", "\u0915\u0300") & after - consonant
    conjunct = where(ka, joined, "\u0915", "\u094d\u0915\u0300") & after - linker
    to_l, to_v, to_t = (where(jamo, joined, "", j + "\u0300") - prepend for j in "\u1100\u1161\u11a8")
    from_v = where(every, joined, "\u1161", "\u0300") - after
    syllables = {c for c in POINTS if 0xAC00 <= c <= 0xD7A3}
    lv = {c for c in syllables if (c - 0xAC00) % 28 == 0}
    assert to_l & to_v == to_l and not to_l & to_t and lv <= to_v & to_t and syllables - lv <= to_t - to_v
    return {
        "control": control,
        "prepend": prepend,
        "pictographic": pictographic,
        "consonant": consonant,
        "linker": linker,
        "conjunct-extend": conjunct & extend - zwj,
        "extend": extend - conjunct - linker - zwj,
        "spacing-mark": after - extend - linker - zwj,
        "hangul-l": to_l,
        "hangul-v": to_v & to_t - syllables,
        "hangul-t": to_t - to_v - syllables,
    }


def lower():
    """Lower-case mappings: FIRST-LAST/STEP:+OFFSET in hexadecimal, or POINT:POINT.POINT."""
    out, runs = [], []
    for c in POINTS:
        s = normalizers.Lowercase().normalize_str(chr(c))
        if s == chr(c):
            continue
        if len(s) > 1:
            out.append(f"{c:x}:" + ".".join(f"{ord(x):x}" for x in s))
            continue
        delta = ord(s) - c
        for run in runs[-2:]:
            step = c - run[1]
            if run[3] == delta and step in (1, 2) and run[2] in (0, step):
                run[1], run[2] = c, step
                break
        else:
            runs.append([c, c, 0, delta])
    for first, last, step, delta in runs:
        out.append(f"{first:x}" + (f"-{last:x}" if last > first else "") + ("/2" if step == 2 else "") + f":{delta:+x}")
    return out


def decompositions():
    nfd, nfc, nfkd = normalizers.NFD(), normalizers.NFC(), normalizers.NFKD()
    canonical, excluded, compatible = [], set(), []
    for c in POINTS:
        if 0xAC00 <= c <= 0xD7A3:
            continue
        s, d, k = chr(c), nfd.normalize_str(chr(c)), nfkd.normalize_str(chr(c))
        if d != s:
            canonical.append(f"{c:x}:" + ".".join(f"{ord(x):x}" for x in d))
            if nfc.normalize_str(s) != s:
                excluded.add(c)
        if k != d:
            compatible.append(f"{c:x}:" + ".".join(f"{ord(x):x}" for x in k))
    return canonical, excluded, compatible


def classes():
    """Combining classes, from the order in which NFD leaves two marks. The number of a class is that of one of its marks."""
    nfd = normalizers.NFD()

    def before(x, y):  # x is moved before y
        return nfd.normalize_str("a" + y + x) == "a" + x + y

    marks = [chr(c) for c in POINTS if before(chr(c), "\u0345") or before("\u0334", chr(c))]
    found = []  # a mark and all marks of its class, in the order of the classes
    for m in marks:
        if nfd.normalize_str(m) != m:
            continue
        i, j = 0, len(found)
        while i < j:
            k = (i + j) // 2
            if before(m, found[k][0]):
                j = k
            elif before(found[k][0], m):
                i = k + 1
            else:
                found[k].append(m)
                break
        else:
            found.insert(i, [m])
    numbers = [unicodedata.combining(marks[0]) for marks in found]
    assert numbers == sorted(set(numbers)) and numbers[0] > 0, numbers
    return {f"class {n}": {ord(m) for m in marks} for n, marks in zip(numbers, found)}


def main():
    bert = lambda **on: normalizers.BertNormalizer(**{"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False} | on)
    canonical, excluded, compatible = decompositions()
    sets = {
        "space": removed(normalizers.Strip()),
        "control": removed(bert(clean_text=True)) - {0, 0xFFFD},
        "nonspacing": removed(bert(strip_accents=True)),
        "mark": removed(normalizers.StripAccents()),
        "punctuation": isolated(pre_tokenizers.Punctuation("isolated")),
        "number": isolated(pre_tokenizers.Digits(True)),
        "excluded": excluded,
    } | classes() | {"grapheme " + name: points for name, points in graphemes().items()}
    lines = {name: ranges(points) for name, points in sets.items()}
    lines |= {"lower": lower(), "canonical": canonical, "compatible": compatible}
    with open(ROOT / "text/internal/chars/tables.txt", "w") as f:
        f.write(f"# Made by testdata/gen/text_chars.py with tokenizers {tokenizers.__version__}. In hexadecimal; a line may go on with another of its name.\n")
        for name, items in lines.items():
            line = ""
            for item in items:
                if len(line) + len(item) > 120:
                    f.write(f"{name}:{line}\n")
                    line = ""
                line += " " + item
            f.write(f"{name}:{line}\n")


main()
