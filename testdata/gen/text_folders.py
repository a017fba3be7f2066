"""Writes tokenizer folders of many classes, and what AutoTokenizer of transformers makes of them, for TestFolders of package text.

    text_folders.py FOLDER SEED COUNT

writes FOLDER/0, FOLDER/1 and so on, and FOLDER/cases with a JSON value for each: texts with ids and types, decoded ids, lengths.
Needs transformers 5.23.0; with sentencepiece there are folders with SentencePiece models too.
"""

import json
import os
import random
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
import text_tokenizers as small
from tokenizers import AddedToken
from transformers import AutoTokenizer, logging

logging.set_verbosity_error()

try:
    import sentencepiece
except ImportError:
    sentencepiece = None


def write(folder, name, content):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
        out.write(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False))


def token(rng, content):
    """A special token in one of the ways in which configurations write it."""
    if rng.random() < 0.6:
        return content
    return {"__type": "AddedToken", "content": content, "lstrip": rng.random() < 0.5, "rstrip": rng.random() < 0.3,
            "normalized": rng.random() < 0.3, "single_word": False, **({"special": True} if rng.random() < 0.5 else {})}


def flags(rng, content, special):
    return {"content": content, "lstrip": rng.random() < 0.3, "rstrip": rng.random() < 0.3, "normalized": rng.random() < 0.4,
            "single_word": rng.random() < 0.2, "special": special}


# class: model types, names of tokenizers of text_tokenizers.py, settings with their values
CLASSES = {
    "BertTokenizer": (["bert", "blip", "electra", "chinese_clip", "distilbert", None], ["bert", "bert-cased"],
                      {"do_lower_case": [True, False], "strip_accents": [None, True, False], "tokenize_chinese_chars": [True, False]}),
    "MPNetTokenizer": (["mpnet", None], ["bert"], {"do_lower_case": [True, False]}),
    "RobertaTokenizer": (["roberta", "bart", "longformer"], ["roberta", "roberta-prefix"], {"add_prefix_space": [True, False], "trim_offsets": [True, False]}),
    "GPT2Tokenizer": (["gpt2", "blip-2", "opt"], ["gpt2", "llama3"],
                      {"add_prefix_space": [True, False], "add_bos_token": [True, False], "add_eos_token": [True]}),
    "CLIPTokenizer": (["clip", "owlvit"], ["clip"], {}),
    "WhisperTokenizer": (["whisper"], ["whisper"], {"predict_timestamps": [True, False]}),
    "Qwen2Tokenizer": (["qwen2", "qwen3"], ["qwen"], {"add_prefix_space": [None, True]}),
    "LlamaTokenizer": (["llama", "idefics", None], ["llama", "llama-first"],
                       {"add_prefix_space": [None, True, False], "legacy": [True, False], "add_bos_token": [True, False]}),
    "GemmaTokenizer": (["gemma", "gemma2"], ["gemma"], {}),
    "Siglip2Tokenizer": (["siglip2"], ["gemma"], {}),
    "T5Tokenizer": (["t5", "mt5"], ["t5"], {"extra_ids": [0, 3, 100]}),
    "AlbertTokenizer": (["albert", "yoso"], ["albert-cls"], {"do_lower_case": [True, False], "keep_accents": [True, False], "add_prefix_space": [True, False]}),
    "XLMRobertaTokenizer": (["xlm-roberta"], ["xlmr"], {"add_prefix_space": [True, False]}),
    "CamembertTokenizer": (["camembert"], ["xlmr"], {"add_prefix_space": [True, False]}),
    "DebertaV2Tokenizer": (["deberta-v2"], ["albert-cls", "xlmr"],
                           {"do_lower_case": [True, False], "split_by_punct": [True, False], "add_prefix_space": [True, False], "unk_id": [1, 3]}),
    "DebertaTokenizer": (["deberta"], ["gpt2", "roberta"], {"add_prefix_space": [True, False]}),
    "GPTNeoXTokenizer": (["gpt_neox", "mamba"], ["gpt2", "llama3"],
                         {"add_prefix_space": [True, False], "trim_offsets": [True, False], "add_bos_token": [True, False], "add_eos_token": [True]}),
    "PegasusTokenizer": (["pegasus"], ["pegasus"], {"offset": [103, 5], "mask_token_sent": ["<mask_1>", None, "<m1>"]}),
    "MBartTokenizer": (["mbart"], ["xlmr"], {"src_lang": ["ro_RO", "en_XX"]}),
    "MBart50Tokenizer": (["mbart", None], ["xlmr"], {"src_lang": ["ro_RO", "sl_SI"]}),
    "BigBirdTokenizer": (["big_bird"], ["albert-cls"], {"add_prefix_space": [True, False]}),
    "BarthezTokenizer": (["barthez"], ["xlmr"], {"add_prefix_space": [True, False]}),
    "XLNetTokenizer": (["xlnet"], ["albert-cls"], {"do_lower_case": [True, False], "keep_accents": [True, False], "unk_id": [0, 1]}),
    "RemBertTokenizer": (["rembert"], ["albert-cls"], {"do_lower_case": [True, False], "keep_accents": [True, False], "add_prefix_space": [True, False]}),
    "BlenderbotTokenizer": (["blenderbot"], ["roberta", "roberta-prefix"], {"add_prefix_space": [True, False]}),
    "CodeGenTokenizer": (["codegen"], ["gpt2", "roberta"], {"add_prefix_space": [True, False], "add_bos_token": [True], "add_eos_token": [True]}),
    "FunnelTokenizer": (["funnel"], ["bert-angles"], {"do_lower_case": [True, False], "strip_accents": [None, True, False], "tokenize_chinese_chars": [True, False]}),
    "OpenAIGPTTokenizer": (["openai-gpt"], ["gpt1"], {}),
    "HerbertTokenizer": (["herbert"], ["gpt1"], {}),
    "TokenizersBackend": (["umt5", "glm", None], ["bert", "llama", "t5", "deepseek", "words"], {"add_bos_token": [True]}),
    "PreTrainedTokenizerFast": (["bert", "mistral", "modernbert"], ["bert", "deepseek"], {}),
    "NoSuchTokenizer": (["bert", None], ["bert"], {}),
}
FILES = {"BertTokenizer": "vocab.txt", "MPNetTokenizer": "vocab.txt", "RobertaTokenizer": "merges.txt", "GPT2Tokenizer": "merges.txt",
         "CLIPTokenizer": "merges.txt", "DebertaTokenizer": "merges.txt", "GPTNeoXTokenizer": "merges.txt", "WhisperTokenizer": "merges.txt", "Qwen2Tokenizer": "merges.txt",
         "FunnelTokenizer": "vocab.txt", "OpenAIGPTTokenizer": "merges.txt", "HerbertTokenizer": "merges.txt", "BlenderbotTokenizer": "merges.txt",
         "CodeGenTokenizer": "merges.txt"}
PIECES = {"T5Tokenizer": "spiece.model", "AlbertTokenizer": "spiece.model", "XLMRobertaTokenizer": "sentencepiece.bpe.model",
          "CamembertTokenizer": "sentencepiece.bpe.model", "DebertaV2Tokenizer": "spm.model", "LlamaTokenizer": "tokenizer.model",
          "PegasusTokenizer": "spiece.model", "MBartTokenizer": "sentencepiece.bpe.model",
          "MBart50Tokenizer": "sentencepiece.bpe.model", "BigBirdTokenizer": "spiece.model", "BarthezTokenizer": "sentencepiece.bpe.model",
          "XLNetTokenizer": "spiece.model", "RemBertTokenizer": "sentencepiece.model", "TokenizersBackend": "tokenizer.model"}
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "[SEP]", "pad_token": "<pad>", "cls_token": "[CLS]",
           "mask_token": "[MASK]"}


def pieces(folder, name, kind, rng):
    """A SentencePiece model that is trained on the text of text_tokenizers.py."""
    path = os.path.join(folder, "text.txt")
    write(folder, "text.txt", "\n".join(small.LINES))
    rules = {"normalization_rule_name": rng.choice(("nmt_nfkc", "identity", "nmt_nfkc_cf"))}
    if rng.random() < 0.4:  # a charsmap of a few hundred bytes, in the place of one of 240 KB
        write(folder, "rules.tsv", "FB01\t66 69\nE9\t65\n65 301\t65\nA0\t20\n200B\t\n")
        rules = {"normalization_rule_tsv": os.path.join(folder, "rules.tsv")}
    sentencepiece.SentencePieceTrainer.train(
        input=path, model_prefix=os.path.join(folder, "m"), vocab_size=700, model_type=kind,
        byte_fallback=kind == "bpe" or rng.random() < 0.2, character_coverage=1.0 if kind == "unigram" else 0.98,
        user_defined_symbols=["<u>", "low"] if rng.random() < 0.5 else [], control_symbols=["[CLS]", "[SEP]"] + (["<c>"] if rng.random() < 0.5 else []),
        hard_vocab_limit=False, minloglevel=2, **rules)
    if os.path.exists(os.path.join(folder, "rules.tsv")):
        os.remove(os.path.join(folder, "rules.tsv"))
    os.rename(os.path.join(folder, "m.model"), os.path.join(folder, name))
    os.remove(path)
    os.remove(os.path.join(folder, "m.vocab"))


def make(folder, tokenizers, rng):
    """Writes a folder and returns the class that it is meant for."""
    cls = rng.choice(CHOSEN)
    types, names, settings = CLASSES[cls]
    name = rng.choice(names)
    tokenizer = tokenizers[name]
    data = json.loads(tokenizer.to_str())
    config = {key: rng.choice(values) for key, values in settings.items() if rng.random() < 0.4}
    for key, content in SPECIAL.items():
        if rng.random() < 0.3:
            config[key] = token(rng, content)
    if rng.random() < 0.2:
        config["image_token"] = "<image>"
    if rng.random() < 0.3:
        config["model_max_length"] = rng.choice((16, 512, 1000000000000000019884624838656))
    if rng.random() < 0.2:
        config["padding_side"] = rng.choice(("left", "right"))
    if rng.random() < 0.2:
        config["truncation_side"] = rng.choice(("left", "right"))
    if rng.random() < 0.3:
        config["clean_up_tokenization_spaces"] = rng.random() < 0.7
    if rng.random() < 0.2:
        config[rng.choice(("extra_special_tokens", "additional_special_tokens"))] = rng.choice(([], ["<e>", "low"], ["<extra_id_0>", "<e>"]))
    if rng.random() < 0.25:
        size = tokenizer.get_vocab_size()
        config["added_tokens_decoder"] = {
            str(rng.choice((3, size, size + 7))): flags(rng, rng.choice(("<x>", "wide", "</s>")), rng.random() < 0.5),
            str(size + 1): flags(rng, "[MASK]", True)}
    use_pieces = sentencepiece is not None and cls in PIECES and rng.random() < 0.5
    if use_pieces:
        pieces(folder, PIECES[cls], "bpe" if cls == "LlamaTokenizer" or cls == "TokenizersBackend" and rng.random() < 0.5 else "unigram", rng)
    elif cls in FILES and rng.random() < 0.5:
        vocab = data["model"]["vocab"]
        if FILES[cls] == "vocab.txt":
            write(folder, "vocab.txt", "".join(t + "\n" for t in sorted(vocab, key=vocab.get)))
        else:
            write(folder, "vocab.json", vocab)
            write(folder, "merges.txt", "#version: 0.2\n" + "".join(" ".join(m) + "\n" for m in data["model"]["merges"]))
    else:
        if rng.random() < 0.3:
            data["padding"] = {"strategy": "BatchLongest", "direction": rng.choice(("Left", "Right")), "pad_to_multiple_of": None,
                               "pad_id": 1, "pad_type_id": 1, "pad_token": "<pad>"}
        if rng.random() < 0.3:
            data["truncation"] = {"direction": rng.choice(("Left", "Right")), "max_length": 12, "strategy": "LongestFirst", "stride": 0}
        if rng.random() < 0.2:
            data["post_processor"] = None
        write(folder, "tokenizer.json", data)
    if rng.random() < 0.2:
        write(folder, "special_tokens_map.json", {
            "mask_token": {"content": "[MASK]", "lstrip": True, "rstrip": False, "normalized": rng.random() < 0.5, "single_word": False},
            "pad_token": "<pad>",
            **{key: list(value) for key, value in (
                ("additional_special_tokens", ["<m>"]), ("additional_special_tokens", [f"<extra_id_{i}>" for i in range(100)]),
                ("extra_special_tokens", ["low", "<m>", "<e>"])) if rng.random() < 0.3}})
    if rng.random() < 0.2:
        write(folder, "added_tokens.json", {"<added>": tokenizer.get_vocab_size(), "low": 7})
    kind = rng.choice(types)
    where = rng.random()
    if where < 0.7 or kind is None:
        config["tokenizer_class"] = cls + ("Fast" if rng.random() < 0.3 and not cls.endswith(("Fast", "Backend")) else "")
    if kind is not None:
        write(folder, "config.json", {"model_type": kind, **({"tokenizer_class": cls} if where > 0.9 else {})})
    if config or kind is None:
        write(folder, "tokenizer_config.json", config)
    return cls


def save(folder):
    """Writes the folder again as transformers saves it."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except BaseException:
        return
    for name in os.listdir(folder):
        if name != "config.json":
            os.remove(os.path.join(folder, name))
    tokenizer.save_pretrained(folder)


def ask(folder, rng):
    out = {}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except BaseException as error:
        return {"error": type(error).__name__ + ": " + str(error)[:300]}
    out["class"] = type(tokenizer).__name__
    out["limit"] = tokenizer.model_max_length if tokenizer.model_max_length < 10**15 else 0
    out["left"] = [tokenizer.padding_side == "left", tokenizer.truncation_side == "left"]
    out["pad"] = tokenizer.pad_token
    out["pad_id"] = tokenizer.pad_token_id
    out["mask"] = tokenizer.mask_token
    out["mask_id"] = tokenizer.mask_token_id
    out["size"] = len(tokenizer)
    out["texts"] = []
    for _ in range(12):
        one, two = small.text(rng), small.text(rng) if rng.random() < 0.3 else None
        one += rng.choice(("", " <image>", "<e> low", " [MASK] lowest", "</s> <added>", "<u><c>", " <extra_id_0>x", " , ."))
        case = {"text": one, "pair": two}
        try:
            encoding = tokenizer(one, two, return_token_type_ids=True)
            case["ids"], case["types"] = encoding["input_ids"], encoding["token_type_ids"]
            case["decoded"] = tokenizer.decode(case["ids"], skip_special_tokens=False)
            case["skipped"] = tokenizer.decode(case["ids"], skip_special_tokens=True)
        except BaseException as error:
            case["error"] = str(error)[:200]
        out["texts"].append(case)
    return out


def train(name):
    if name == "whisper":
        return small.byte_level(False, True, "bytes", ("<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>", "<pad>"))
    if name == "albert-cls":
        return small.unigram("albert", ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]", "</s>"))
    if name == "pegasus":
        return small.unigram("t5", ("<pad>", "</s>", "<mask_1>", "<mask_2>", "<unk>"))
    if name == "bert-angles":
        return small.bert(True, ("<pad>", "<unk>", "<cls>", "<sep>", "<mask>"))
    return small.MAKERS[name]()


# FOVEA_CLASSES names the classes to be made, all without it
CHOSEN = os.environ.get("FOVEA_CLASSES", "").split() or list(CLASSES)


def main():
    folder, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rng = random.Random(seed)
    tokenizers = {}
    for name in sorted({n for _, names, _ in CLASSES.values() for n in names if any(n in CLASSES[c][1] for c in CHOSEN)}):
        tokenizers[name] = train(name)
        tokenizers[name].add_tokens(["<image>"] if rng.random() < 0.5 else ["wide", AddedToken("<startoftext>")])
    with open(os.path.join(folder, "cases"), "w", encoding="utf-8") as out:
        for i in range(count):
            path = os.path.join(folder, str(i))
            os.makedirs(path)
            meant = make(path, tokenizers, rng)
            if rng.random() < 0.4:
                save(path)
            out.write(json.dumps({"meant": meant, **ask(path, rng)}) + "\n")


main()
