"""Cuts random words with random models of tokenizers, for text/internal/model.

    python text_model.py SEED MODELS WORDS > out.json

prints JSON objects, one a line: {"model": the text of a "model" object, "words": [...], "want": [...]}. want holds for each
word its tokens [id, start, end, text], offsets in bytes, or null for an error; it is null where the model is refused.
"scores" are the scores of Unigram as read: the reference does not always read the nearest number.
text/internal/model/testdata/models.jsonl is the output for 1 24 24 once. Training orders equal tokens by chance, so another run
gives another file, as good. TestReference runs the script with other numbers.
Without arguments it reads objects without "want" from standard input and adds it.

Needs tokenizers 0.23.3 (testdata/gen/requirements.txt).
"""

import json
import os
import random
import sys

os.environ["RUST_BACKTRACE"] = "0"
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # refused models may print a panic

from tokenizers import Tokenizer, models, pre_tokenizers, trainers  # noqa: E402

seed, n_models, n_words = map(int, sys.argv[1:4]) if sys.argv[1:] else (0, 0, 0)
rng = random.Random(seed)
ALPHABETS = ["ab", "abc#", "abé", "日本語a", "aé日𝒜", "ab\u0301\u200d", "abcdefgh", "01 ab", "Ġabc", "▁abc", "<0xA9>é"]


def word(alphabet, most):
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(1, most)))


def ids(tokens):
    """Ids of tokens: in order, shuffled, with holes, or shared."""
    numbers = list(range(len(tokens)))
    kind = rng.random()
    if kind < 0.3:
        rng.shuffle(numbers)
    elif kind < 0.5:
        numbers = rng.sample(range(3 * len(tokens) + 5), len(tokens))
    elif kind < 0.55:
        numbers = [rng.randint(0, 2**32 - 1) for _ in tokens]
    return dict(zip(tokens, numbers))


def unique(tokens):
    return list(dict.fromkeys(tokens))


def byte_tokens(tokens):
    """Tokens of bytes: all of them, or some of those that the alphabets need."""
    if rng.random() < 0.5:
        return ["<0x%02X>" % b for b in range(256)]
    needed = sorted(set("".join(tokens).encode()) | set("é日𝒜".encode()))
    return ["<0x%02X>" % b for b in needed if rng.random() < 0.8]


def wordpiece(alphabet):
    prefix = rng.choice(["##", "##", "", "é", "a"])
    tokens = [rng.choice(["", prefix]) + word(alphabet, 4) for _ in range(rng.randint(1, 40))]
    tokens += [c for c in alphabet if rng.random() < 0.8] + [prefix + c for c in alphabet if rng.random() < 0.8]
    if rng.random() < 0.9:
        tokens.append("[UNK]")
    if rng.random() < 0.2:
        tokens.append("")
    return {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": prefix,
            "max_input_chars_per_word": rng.choice([0, 5, 8, 12, 100]), "vocab": ids(unique(tokens))}


def bpe(alphabet):
    prefix, suffix = rng.choice(["", "", "##", "a"]), rng.choice(["", "", "</w>", "b"])
    chars = [c for c in alphabet if rng.random() < 0.9]
    tokens = [p + c + s for c in chars for p in {"", prefix} for s in {"", suffix} if rng.random() < 0.95] or ["a"]
    merges = []
    for _ in range(rng.randint(0, 60)):
        left, right = rng.choice(tokens), rng.choice(tokens)
        if len(left + right) > 60 or not right.startswith(prefix) or suffix and left.endswith(suffix) and rng.random() < 0.9:
            continue
        merges.append([left, right])
        tokens.append(left + right[len(prefix):])
    kind = rng.random()
    if kind < 0.3:
        rng.shuffle(merges)
    elif kind < 0.6:
        merges = unique(map(tuple, merges))
    # Every way to split a token is a merge, as in vocabularies of SentencePiece.
    if rng.random() < 0.3:
        known = set(tokens)
        for t in unique(tokens):
            merges += [[t[:i], prefix + t[i:]] for i in range(1, len(t)) if t[:i] in known and prefix + t[i:] in known]
    fallback = rng.random() < 0.4
    if fallback:
        tokens += byte_tokens(tokens)
    unk = rng.choice([None, "<unk>", "<unk>", "a"])
    if unk and rng.random() < 0.9:
        tokens.append(unk)
    vocab = ids(unique(tokens))
    if rng.random() < 0.1:
        vocab[rng.choice(tokens)] = rng.choice(list(vocab.values()))
    if rng.random() < 0.05:
        del vocab[rng.choice(unique(tokens))]
    if rng.random() < 0.2:
        merges = [" ".join(m) for m in merges]
        merges.insert(0, "#version: 0.2")
    return {"type": "BPE", "dropout": rng.choice([None, None, 0.0]), "unk_token": unk, "continuing_subword_prefix": prefix or None,
            "end_of_word_suffix": suffix or None, "fuse_unk": rng.random() < 0.5, "byte_fallback": fallback,
            "ignore_merges": rng.random() < 0.3, "vocab": vocab, "merges": merges}


def unigram(alphabet):
    tokens = [word(alphabet, 5) for _ in range(rng.randint(0, 40))] + [c for c in alphabet if rng.random() < 0.7]
    if rng.random() < 0.9:
        tokens.insert(rng.randint(0, len(tokens)), "<unk>")
    fallback = rng.random() < 0.5
    if fallback:
        tokens += byte_tokens(tokens)
    score = rng.choice([lambda: float(rng.randint(-4, 1)), lambda: -20 * rng.random(), lambda: round(-3 * rng.random(), 1),
                        lambda: (rng.random() - 0.5) * 10.0 ** rng.randint(-300, 300)])
    unk = tokens.index("<unk>") if "<unk>" in tokens and rng.random() < 0.9 else rng.choice([None, None, 0, 1])
    return {"type": "Unigram", "unk_id": unk, "vocab": [[t, score()] for t in tokens], "byte_fallback": fallback}


def wordlevel(alphabet):
    tokens = [word(alphabet, 2) for _ in range(20)] + (["<unk>"] if rng.random() < 0.8 else [])
    return {"type": "WordLevel", "vocab": ids(unique(tokens)), "unk_token": "<unk>"}


def trained(alphabet):
    corpus = [word(alphabet, 12) for _ in range(60)]
    corpus = [rng.choice(corpus) for _ in range(600)]
    size = rng.randint(30, 200)
    kind = rng.randint(0, 2)
    if kind == 0:
        t = Tokenizer(models.BPE(unk_token="<unk>"))
        trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=["<unk>"], show_progress=False)
    elif kind == 1:
        t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=["[UNK]"], show_progress=False)
    else:
        t = Tokenizer(models.Unigram())
        trainer = trainers.UnigramTrainer(vocab_size=size, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False)
    t.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    t.train_from_iterator(corpus, trainer)
    return json.loads(t.to_str())["model"]


def words(alphabet):
    wide = alphabet + rng.choice(["", "x", "é日x", "\x00𝒜"])
    for i in range(n_words):
        yield word(wide if i % 3 == 0 else alphabet, rng.choice([3, 6, 12, 12, 40, 100]))


EMPTY = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None,
         "post_processor": None, "decoder": None}


def answer(case):
    """Adds what the reference says about a case."""
    case["want"] = None
    try:
        tokenizer = Tokenizer.from_str(json.dumps(EMPTY)[:-1] + ', "model": ' + case["model"] + "}")
    except BaseException:
        case["words"] = []
        return
    case["want"] = []
    if isinstance(tokenizer.model, models.Unigram):
        case["scores"] = [score for _, score in json.loads(tokenizer.to_str())["model"]["vocab"]]
    for w in case["words"]:
        try:
            case["want"].append([[t.id, *t.offsets, t.value] for t in tokenizer.model.tokenize(w)])
        except BaseException:
            case["want"].append(None)


cases = []
for _ in range(n_models):
    alphabet = rng.choice(ALPHABETS)
    make = rng.choice([wordpiece, bpe, bpe, bpe, unigram, unigram, wordlevel, trained])
    try:
        fields = make(alphabet)
    except BaseException:  # a trainer may refuse so small a vocabulary
        continue
    text = json.dumps(fields, ensure_ascii=rng.random() < 0.5)
    cases.append({"model": text, "words": list(words(alphabet))})
for case in cases or map(json.loads, sys.stdin):
    answer(case)
    print(json.dumps(case, ensure_ascii=False, separators=(",", ":")), flush=True)
