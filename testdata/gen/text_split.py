"""Writes text/internal/split/testdata/pieces.json: what the pre-tokenizers of tokenizers make of a few texts.

The file holds a list of cases as check_split.py reads them, with its answers. No randomness; versions as in requirements.txt.
"""
import json
import os

import tokenizers
from check_split import answer

TEXTS = ["", " ", "Hello, world!  It's 2024.\n\n  x", "naïve café — 3½ ²", "日本語のカタカナーと ひらがな。中文12", "a\u0301👩🏽‍💻\u00a0\u2003_▁Ġ\u0000\u200c。", "don't  WE'LL\t\r\n'ſ 1234567"]
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CL100K = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

splitters = [{"type": name} for name in ["BertPreTokenizer", "Whitespace", "WhitespaceSplit", "UnicodeScripts", "FixedLength"]]
splitters += [{"type": "CharDelimiterSplit", "delimiter": "a"}]
splitters += [{"type": "Digits", "individual_digits": each} for each in [False, True]]
splitters += [{"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex} for prefix in [False, True] for regex in [False, True]]
splitters += [{"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split} for scheme in ["always", "first", "never"] for split in [False, True]]
for behavior in ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]:
    splitters += [{"type": "Punctuation", "behavior": behavior}]
    for pattern in [{"String": " "}, {"Regex": r"\s*"}, {"Regex": GPT2}]:
        splitters += [{"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert} for invert in [False, True]]
splitters += [{"type": "Split", "pattern": {"Regex": CL100K}, "behavior": "Isolated", "invert": False}]
splitters += [{"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"}]}]
splitters += [{"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": False}, splitters[9]]}]

cases = [{"pre_tokenizer": s, "texts": TEXTS} for s in splitters]
for case in cases:
    case["pieces"] = answer(case)["pieces"]
path = os.path.join(os.path.dirname(__file__), "..", "..", "text", "internal", "split", "testdata", "pieces.json")
os.makedirs(os.path.dirname(path), exist_ok=True)
with open(path, "w") as f:
    header = {"script": "text_split.py", "versions": f"tokenizers {tokenizers.__version__}"}
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    f.write(json.dumps(header)[:-1] + ', "cases": [\n' + lines + "\n]}\n")
print(path, os.path.getsize(path))
