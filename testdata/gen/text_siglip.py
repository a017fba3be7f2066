"""Writes folders of SiglipTokenizer and what transformers makes of random texts, for TestSiglip of package text.

    text_siglip.py FOLDER SEED COUNT

writes FOLDER/0, FOLDER/1 and so on, and FOLDER/cases with a JSON value a line: the number of the folder, a text or a pair, options, ids.
The folders are saved by transformers, or written as on the Hugging Face hub. Their SentencePiece models are trained as for SigLIP,
and with other settings. Needs transformers 5.23.0 and sentencepiece 0.2.3.
"""

import json
import os
import random
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
import sentencepiece
import text_tokenizers as small
from transformers import AddedToken, AutoTokenizer, SiglipTokenizer, logging

logging.set_verbosity_error()

FOLDERS = 16
EXTRAS = ["</s>", " </s> ", "<unk>", "▁", "▁▁low", " <x>", "<x>", "<pad>", "ΣΑΣ'. Σ", "İ", "!?", " - ", "\u0338", "low</s>", "A</s></s>b", "<u>", "<c>", "LOW", "\x00", "  "]


def train(path, rng, plain):
    """Trains a SentencePiece model at path; plain is as for SigLIP."""
    folder = os.path.dirname(path)
    text = os.path.join(folder, "text.txt")
    lines = small.LINES
    if plain:
        lines = ["".join(c for c in line.lower() if c not in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") for line in lines]
    with open(text, "w", encoding="utf-8") as out:
        out.write("\n".join(lines))
    rules = os.path.join(folder, "rules.tsv")
    with open(rules, "w", encoding="utf-8") as out:  # a charsmap of a few hundred bytes, in the place of one of 240 KB
        out.write("FB01\t66 69\nE9\t65\n65 301\t65\nA0\t20\n200B\t\n2E 2E\t2026\n")
    options = {"normalization_rule_name": "nmt_nfkc"}
    if not plain:
        options = {
            **rng.choice(({"normalization_rule_name": rng.choice(("nmt_nfkc", "identity", "nmt_nfkc_cf", "nfkc"))}, {"normalization_rule_tsv": rules})),
            "remove_extra_whitespaces": rng.random() < 0.6, "add_dummy_prefix": rng.random() < 0.6,
            "treat_whitespace_as_suffix": rng.random() < 0.3, "split_by_whitespace": rng.random() < 0.7,
            "byte_fallback": rng.random() < 0.4, "character_coverage": rng.choice((0.98, 0.99, 1.0)),
            "user_defined_symbols": rng.choice(([], ["<u>", "low", "lo"], ["e t"])), "control_symbols": rng.choice(([], ["<c>", "は"])),
            "unk_surface": rng.choice((" ⁇ ", "?")),
        }
    sentencepiece.SentencePieceTrainer.train(
        input=text, model_prefix=path[:-len(".model")], vocab_size=rng.choice((500, 700)), model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
        hard_vocab_limit=False, minloglevel=2, **options)
    os.remove(text)
    os.remove(rules)
    os.remove(path[:-len("model")] + "vocab")


def make(folder, i, rng):
    os.makedirs(folder)
    train(os.path.join(folder, "spiece.model"), rng, i % 3 == 0)
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as out:
        json.dump({"model_type": "siglip"}, out)
    size = sentencepiece.SentencePieceProcessor(os.path.join(folder, "spiece.model")).get_piece_size()
    if i % 2 == 0:
        options = {}
        if i % 4 == 0 and i > 0:
            options = {"do_lower_case": rng.random() < 0.5, "model_max_length": rng.choice((16, 64)), "padding_side": rng.choice(("left", "right")),
                       "truncation_side": rng.choice(("left", "right")), "legacy": rng.random() < 0.5, "clean_up_tokenization_spaces": rng.random() < 0.5,
                       "split_special_tokens": rng.random() < 0.2}
            if rng.random() < 0.5:
                options["extra_special_tokens"] = ["<e>"]
        tokenizer = SiglipTokenizer(os.path.join(folder, "spiece.model"), **options)
        if rng.random() < 0.7:
            tokenizer.add_tokens([AddedToken("<x>", lstrip=rng.random() < 0.5, rstrip=rng.random() < 0.5, special=rng.random() < 0.5), AddedToken("Wide")])
        tokenizer.save_pretrained(folder)
        return
    flags = {"lstrip": True, "normalized": False, "rstrip": True, "single_word": False, "special": True}
    config = {"additional_special_tokens": [], "clean_up_tokenization_spaces": True, "do_lower_case": True, "eos_token": "</s>", "model_input_names": ["input_ids"],
              "model_max_length": 64, "pad_token": "</s>", "processor_class": "SiglipProcessor", "sp_model_kwargs": {}, "tokenizer_class": "SiglipTokenizer",
              "unk_token": "<unk>", "added_tokens_decoder": {"1": {"content": "</s>", **flags}, "2": {"content": "<unk>", **flags}}}
    if rng.random() < 0.4:
        config["added_tokens_decoder"][str(size)] = {"content": "<x>", **flags, "special": rng.random() < 0.5}
    if rng.random() < 0.3:
        del config["added_tokens_decoder"], config["model_max_length"]
    with open(os.path.join(folder, "tokenizer_config.json"), "w", encoding="utf-8") as out:
        json.dump(config, out)


def draw(rng):
    parts = [small.text(rng)]
    for _ in range(rng.randrange(4)):
        parts.insert(rng.randrange(len(parts) + 1), rng.choice((rng.choice(EXTRAS), small.text(rng))))
    return "".join(parts)


def case(tokenizer, rng):
    out = {"text": draw(rng), "special": rng.random() < 0.8}
    if rng.random() < 0.2:
        out["pair"] = draw(rng)
    options = {}
    if rng.random() < 0.3:
        out["max"] = options["max_length"] = rng.randrange(2, 40)
        options["truncation"] = True
        if rng.random() < 0.5:
            out["padded"] = True
            options["padding"] = "max_length"
    encoding = tokenizer(out["text"], out.get("pair"), add_special_tokens=out["special"], return_token_type_ids=True, return_attention_mask=True, **options)
    out["ids"], out["types"], out["attention"] = encoding["input_ids"], encoding["token_type_ids"], encoding["attention_mask"]
    if "pair" not in out and not out["special"] and not options:
        out["tokens"] = tokenizer.tokenize(out["text"])
    ids = list(out["ids"]) if rng.random() < 0.7 else [rng.randrange(tokenizer.sp_model.get_piece_size()) for _ in range(rng.randrange(12))]
    out["skip"], out["decode"] = rng.random() < 0.5, ids
    try:
        out["decoded"] = tokenizer.decode(ids, skip_special_tokens=out["skip"])
    except UnicodeDecodeError:
        pass
    return out


def main():
    folder, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rng = random.Random(seed)
    with open(os.path.join(folder, "cases"), "w", encoding="utf-8") as out:
        for i in range(FOLDERS):
            path = os.path.join(folder, str(i))
            make(path, i, rng)
            tokenizer = AutoTokenizer.from_pretrained(path)
            assert type(tokenizer).__name__ == "SiglipTokenizer"
            head = {"folder": i, "limit": tokenizer.model_max_length, "left": [tokenizer.padding_side == "left", tokenizer.truncation_side == "left"]}
            for _ in range(count // FOLDERS):
                out.write(json.dumps({**head, **case(tokenizer, rng)}) + "\n")


main()
