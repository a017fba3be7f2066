"""Writes text/internal/normalize/testdata/normalize.json: texts as the normalizers of tokenizers change them.

    python testdata/gen/text_normalize.py
"""

import base64
import json
import os
import pathlib
import struct

os.environ["RUST_BACKTRACE"] = "0"

import tokenizers
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

ROOT = pathlib.Path(__file__).resolve().parents[2]


def tokenizer(normalizer):
    """A tokenizer with the normalizer, a dictionary. Every character of the normalized text is a token, so its offsets show."""
    t = Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))
    t = Tokenizer.from_str(json.dumps(json.loads(t.to_str()) | {"normalizer": normalizer}))
    t.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    return t


def normalize(t, text):
    """The normalized text and the start and end of each of its characters in the original, in characters; None if the library panics."""
    try:
        places = [x for pair in t.encode(text).offsets for x in pair]
        return [t.normalizer.normalize_str(text), places]
    except BaseException as e:
        if "Panic" not in type(e).__name__:
            raise
        return None


def charsmap():
    """Rules for a, b and é: to two characters, to none and to one. A unit of the trie is its byte, a mark of a leaf and an offset."""
    units = [0] * 1024
    texts = b"xy\0\0z\0"
    units[0] = 256 << 10

    def child(at, byte, block, leaf=None):
        here = (units[at] >> 10) ^ at ^ byte
        units[here] = byte | (here ^ block) << 10 | (leaf is not None) << 8
        if leaf is not None:
            units[block] = leaf
        return here

    child(0, ord("a"), 600, 0)
    child(0, ord("b"), 601, 3)
    child(child(0, 0xC3, 768), 0xA9, 602, 4)
    return base64.b64encode(struct.pack("<1025I", 4096, *units) + texts).decode()


def bert(clean, cjk, strip, lower):
    return {"type": "BertNormalizer", "clean_text": clean, "handle_chinese_chars": cjk, "strip_accents": strip, "lowercase": lower}


def sequence(*steps):
    return {"type": "Sequence", "normalizers": list(steps)}


PREPEND = {"type": "Prepend", "prepend": "▁"}
SPACES = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
FORMS = [{"type": t} for t in ("NFC", "NFD", "NFKC", "NFKD")]
NORMALIZERS = [
    bert(True, True, None, True),
    bert(True, False, False, True),
    bert(False, True, True, False),
    *FORMS,
    *({"type": t} for t in ("Lowercase", "Nmt", "StripAccents", "ByteLevel")),
    *({"type": "Strip", "strip_left": l, "strip_right": r} for l, r in ((True, True), (True, False), (False, True))),
    PREPEND,
    SPACES,
    {"type": "Replace", "pattern": {"String": ""}, "content": "x"},
    {"type": "Replace", "pattern": {"Regex": "\\s+|(?<=a)"}, "content": "é"},
    {"type": "Precompiled", "precompiled_charsmap": charsmap()},
    sequence(PREPEND, SPACES),
    sequence(FORMS[3], {"type": "StripAccents"}, {"type": "Lowercase"}, FORMS[0]),
    sequence({"type": "Prepend", "prepend": ""}, FORMS[1], {"type": "StripAccents"}, PREPEND),
]
TEXTS = [
    "",
    " \t",
    "Hello, World!  ",
    "\u00a0\u3000 Ünïcödé\r\n",
    "ab\u0301\u0316éab ba\u200db",
    "e\u0316\u0301\u0323 q\u0307\u0323 \u1e9b\u0323 \u212b ǖ",
    "中文かガｶﾞ\uf900𠀀x",
    "한국어 \u1112\u1161\u11ab \u1100\u1161",
    "İIΣς ẞ ǅ \u0130\u0307",
    "\ufb01 ① ﷺ ㎏ x²",
    "a\x00b\x07\x7f\ufffd\u200b\ufeff\u2028z\u00ad",
    "👩\u200d💻🇫🇷 e\ufe0f",
    "क\u094d\u0937िं \u0e33",
]


def main():
    cases = []
    for n in NORMALIZERS:
        t = tokenizer(n)
        cases.append({"normalizer": n, "results": [normalize(t, text) for text in TEXTS]})
    made = {"script": "text_normalize.py", "versions": f"tokenizers {tokenizers.__version__}", "seed": 0, "texts": TEXTS}
    lines = ",\n".join(json.dumps(c, ensure_ascii=True, separators=(",", ":")) for c in cases)
    path = ROOT / "text/internal/normalize/testdata/normalize.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(made)[:-1] + ', "cases": [\n' + lines + "\n]}\n")


if __name__ == "__main__":
    main()
