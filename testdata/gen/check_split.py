"""Prints what the pre-tokenizers of tokenizers make of texts.

    python check_split.py CASES.json

CASES.json is a list of {"pre_tokenizer": the object of tokenizer.json, "texts": [...]}. The output is a list of
{"error": message} or {"pieces": for each text a list of [piece, first character, last character + 1], or null after a panic}.
"""
import json
import os
import sys

from tokenizers import Tokenizer


def pieces(splitter, text):
    try:
        return [[piece, *span] for piece, span in splitter.pre_tokenize_str(text)]
    except BaseException:  # a panic
        return None


def answer(case):
    pipeline = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "post_processor": None,
                "decoder": None, "pre_tokenizer": case["pre_tokenizer"], "model": {"type": "BPE", "vocab": {}, "merges": []}}
    try:
        splitter = Tokenizer.from_str(json.dumps(pipeline)).pre_tokenizer
    except Exception as e:
        return {"error": str(e)}
    return {"pieces": [pieces(splitter, text) for text in case["texts"]]}


if __name__ == "__main__":
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # panics of the library are reported in the output
    json.dump([answer(case) for case in json.load(open(sys.argv[1]))], sys.stdout)
