"""Repairs random texts with ftfy, for the tests of text/internal/ftfy and of package text.

    text_ftfy.py golden                    the golden text/internal/ftfy/testdata/fix.json
    text_ftfy.py fix SEED COUNT            a line of JSON for each text: [text, fix_text(text), html.unescape(text)]
    text_ftfy.py clip FOLDER SEED COUNT    the same with open_clip's ids of the text, its cleaned text for tokenizers of transformers,
                                           and that for SigLIP: [text, ids, text, text]. FOLDER gets open_clip's vocabulary.

Many texts have mojibake, HTML entities, control characters and what else ftfy repairs. Needs ftfy 6.3.1; the last also open_clip.
"""

import html
import html.entities
import json
import random
import shutil
import sys
import unicodedata

import ftfy
import ftfy.bad_codecs
from ftfy.badness import MOJIBAKE_CATEGORIES
from ftfy.chardata import CHARMAP_ENCODINGS, LIGATURES, UTF8_CLUES

# What is written wrongly: words of several scripts, quotation marks, spaces, signs and emoji.
MEANT = ["só", "à la mode", "às vezes", "àquele", "naïve café", "Übergröße", "“quoted” text", "it’s", "100 € – 5 £", "…", "Привет, мир",
         "Καλημέρα", "žluťoučký kůň", "Łódź", "ığdır", "日本語 テキスト", "한국어", "مرحبا", "नमस्ते", "👍🏽 ok", "💩", "\u00a0", "3×4²", "°C", "œuvre", "™®©", "\ufeff"]
PLAIN = ["a photo of a cat", "A", "x", "dog.", "The 2 cats", " ", "  ", "a", "Z", "é", "1", "?", "!", "-", "_", "(", "]", ",", "~", "\t"]
ODD = list("‘’‚‛“”„‟ʼ«»–—…") + [chr(c) for c in LIGATURES] + list("ＬＯＵＤ　！＇＂，￣￥ｶﾞﾊﾟﾡￂﾠ") + ["\r\n", "\r", "\n", "\u2028", "\u2029", "\x85", "\f", "\v"]
CONTROLS = [chr(c) for c in [*range(0x20), *range(0x7F, 0xA1), 0xAD, *range(0x200B, 0x2010), 0x2060, *range(0x206A, 0x2070), 0xFEFF, *range(0xFFF9, 0xFFFE)]]
ESCAPES = ["\x1b[0m", "\x1b[36;44m", "\x1b[", "\x1b[;H", "\x1b", "\x1b[٣m", "\x1b[1;é"]
MARKS = ["e\u0301", "\u0301", "a\u0323\u0307", "a\u0307\u0323", "\u1100\u1161", "\u11a8", "Å", "\u212b", "\u0958", "👩\u200d👧", "🇩🇪", "\u0345", "n\u0303"]
NAMES = sorted(html.entities.html5)
ENTITIES = ["&amp;amp;", "&amp;", "&amp;amp;lt;", "&lt;", "&#38;#38;", "&#x26;", "&#128;", "&#150;", "&#x2019;", "&#0;", "&#1;", "&#xD83D;&#xDE00;", "&#59;",
            "&#12ab;", "&#xyz;", "&#", "&", "&;", "&AMP;", "&EACUTE;", "&SZLIG;", "&NAPOS;", "&LTDOT;", "&notit;", "&nbsp;", "&shy;", "&copy", "&QUOT;", "<", "<b>"]
LISTED = [c for chars in [*MOJIBAKE_CATEGORIES.values(), *UTF8_CLUES.values()] for c in chars if c != "-"] + list("ÂÃÎÐØÙàВГРСвЂўΒΓΞΟβ€√≈‚Ääâó×²°œ")


def cesu(text):
    """Writes text as UTF-8 with surrogates, and NUL as Java does."""
    units = text.encode("utf-16-le", "surrogatepass")
    return "".join(chr(units[i] | units[i + 1] << 8) for i in range(0, len(units), 2)).encode("utf-8", "surrogatepass").replace(b"\0", b"\xc0\x80")


def mojibake(r):
    text = "".join(r.choices(MEANT + PLAIN, k=r.randint(1, 3)))
    for _ in range(r.choice([1, 1, 1, 2, 3])):
        data = bytearray(cesu(text) if r.random() < 0.2 else text.encode())
        if r.random() < 0.2:
            data = data.replace(b"\xa0", b" ")
        for _ in range(r.choice([0, 0, 0, 1, 2])):
            data[r.randrange(len(data))] = r.choice([0x1A, 0x20, 0x3F, 0x0A, 0x80, 0xA0, 0xC0, 0xC3, 0xED, r.randrange(256)])
        encoding = r.choice(CHARMAP_ENCODINGS)
        if r.random() < 0.3:
            encoding = encoding.removeprefix("sloppy-")  # U+FFFD for bytes without a character
        text = bytes(data).decode(encoding, "replace")
    return text


def piece(r):
    kind = r.randrange(12)
    if kind < 2:
        return r.choice(PLAIN)
    if kind < 5:
        return mojibake(r)
    if kind == 5:
        return "".join(r.choices(LISTED, k=r.randint(1, 4)))
    if kind == 6:
        name = r.choice(NAMES)
        return r.choice(ENTITIES + ["&" + name, "&" + name.upper(), "&amp;" + name, f"&#{r.randrange(0x3000)};", f"&#x{r.randrange(0x120000):X};", f"&#{r.randrange(300)}"])
    if kind == 7:
        return r.choice(CONTROLS + ESCAPES)
    if kind == 8:
        return r.choice(MEANT + MARKS)
    if kind == 9:
        c = chr(r.randrange(r.choice([0x100, 0x600, 0x3000, 0x10000, 0x110000])))
        return "" if unicodedata.category(c) in ("Cs", "Cn") else c  # the libraries know characters of different versions of Unicode
    return r.choice(ODD)


def texts(seed, count):
    r = random.Random(seed)
    return ["".join(piece(r) for _ in range(r.choice([1, 1, 2, 3, 5, 9]))) for _ in range(count)]


def lines(cases):
    return "\n".join(json.dumps(c) for c in cases)


if sys.argv[1] == "golden":
    cases = [[t, ftfy.fix_text(t), html.unescape(t)] for t in texts(1, 600)]
    meta = {"script": "text_ftfy.py", "seed": 1, "versions": {"ftfy": ftfy.__version__, "python": sys.version.split()[0]}}
    print("{\"meta\": " + json.dumps(meta) + ", \"cases\": [\n" + lines(cases).replace("\n", ",\n") + "\n]}")
elif sys.argv[1] == "fix":
    named = ["&" + n for n in NAMES] + ["&" + n.upper() for n in NAMES] + [chr(c) for c in range(0x10000) if not 0xD800 <= c < 0xE000]
    print(lines([t, ftfy.fix_text(t), html.unescape(t)] for t in named + texts(sys.argv[2], int(sys.argv[3]))))
else:
    from open_clip import tokenizer

    folder, seed, count = sys.argv[2:]
    shutil.copy(tokenizer.default_bpe(), folder)
    encode, whitespace, canonical = tokenizer.SimpleTokenizer().encode, tokenizer.get_clean_fn("whitespace"), tokenizer.get_clean_fn("canonicalize")
    print(lines([t, encode(t), whitespace(t), canonical(t)] for t in texts(seed, int(count))))
