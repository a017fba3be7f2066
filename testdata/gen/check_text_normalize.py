"""Normalizes texts with tokenizers, for the tests of text/internal/normalize.

    check_text_normalize.py IN

IN has a line of JSON for each normalizer: {"normalizer": ..., "texts": [...]}. For each, a line with the list of the results of
text_normalize.normalize goes to standard output.
"""

import json
import sys

from text_normalize import normalize, tokenizer

for line in open(sys.argv[1]):
    case = json.loads(line)
    t = tokenizer(case["normalizer"])
    print(json.dumps([normalize(t, text) for text in case["texts"]]))
