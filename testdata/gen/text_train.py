"""Trains vocabularies with tokenizers, for text/internal/train: reads a JSON list of cases from standard input, each

    {"kind": "BPE", "words": [[word, count], ...], "options": {arguments of the trainer}}

and prints a JSON list of the trained "model" objects. With the argument golden it trains on the cases below and prints
them with the models as "want": text/internal/train/testdata/train.json. Scores of equal tokens differ from run to run.

Needs tokenizers 0.23.3 (testdata/gen/requirements.txt).
"""

import json
import sys

from tokenizers import Tokenizer, models, trainers

TRAINERS = {"BPE": trainers.BpeTrainer, "WordPiece": trainers.WordPieceTrainer, "Unigram": trainers.UnigramTrainer}


def train(case):
    options = dict(case["options"], show_progress=False)
    kind = case["kind"]
    tokenizer = Tokenizer(getattr(models, kind)())
    corpus = (word for word, count in case["words"] for _ in range(count))
    tokenizer.train_from_iterator(corpus, TRAINERS[kind](**options))
    return json.loads(tokenizer.to_str())["model"]


WORDS = [["low", 5], ["lower", 2], ["newest", 6], ["widest", 3], ["newer", 4], ["wide", 7], ["slow", 1], ["日本語", 3], ["日本", 5],
         ["été", 2], ["aaaaaa", 9], ["ababab", 4]]
GOLDEN = [
    {"kind": "BPE", "options": {"vocab_size": 40}},
    {"kind": "BPE", "options": {"vocab_size": 60, "min_frequency": 5, "special_tokens": ["<s>", "w"], "limit_alphabet": 9}},
    {"kind": "BPE", "options": {"vocab_size": 90, "max_token_length": 4, "initial_alphabet": ["z", "aa"]}},
    {"kind": "BPE", "options": {"vocab_size": 60, "end_of_word_suffix": "</w>",
                                "special_tokens": [c + "</w>" for c in "wrteb語本éa"]}},
    {"kind": "WordPiece", "options": {"vocab_size": 60, "special_tokens": ["[UNK]"] + ["##" + c for c in "aowertsnidlb本語té"]}},
    {"kind": "Unigram", "options": {"vocab_size": 40, "special_tokens": ["<s>", "<unk>"], "unk_token": "<unk>"}},
    {"kind": "Unigram", "options": {"vocab_size": 30, "unk_token": "<unk>", "max_piece_length": 3}},
    {"kind": "Unigram", "options": {"vocab_size": 28, "seed_size": 60, "shrinking_factor": 0.9, "n_sub_iterations": 1}},
]
if sys.argv[1:] == ["golden"]:
    for case in GOLDEN:
        case["words"] = WORDS
        case["want"] = train(case)
    print("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in GOLDEN) + "\n]")
else:
    print(json.dumps([train(case) for case in json.load(sys.stdin)]))
