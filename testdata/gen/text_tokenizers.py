"""Makes small tokenizers of many families, and encodes random texts with tokenizers, for TestDifference of package text.

    text_tokenizers.py FOLDER SEED COUNT

writes FOLDER/NAME.json (a tokenizer.json) and FOLDER/NAME.cases (a JSON value a line: input, options, results), COUNT cases for
each tokenizer. FOLDER may hold tokenizers of its own, named *.json; then only those are used. Needs tokenizers 0.23.3.
"""

import json
import os
import random
import sys
import unicodedata

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RUST_BACKTRACE"] = "0"

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXT = """The tokenizer turns a text into tokens, and back into a text. It's fast; isn't it? They'll say: "We've seen 1,234 tokens
in 2024 (or 3.14 million)". Ünïcödé naïve café façade Ærøskøbing. Привет мир, как дела? Γειά σου Κόσμε. 你好世界 日本語のテキスト
カタカナ ひらがな 한국어 텍스트 العربية हिन्दी ไทย. def f(x): return x ** 2  # comment
for (int i = 0; i < 10; i++) { total += a[i]; }   https://example.org/path?query=1&b=2 user@example.com
don't can't won't I'm you're HELLO World lower UPPER MixedCase snake_case CamelCase e-mail co-operate 🙂 👩‍👩‍👧 ½ ² ﬁ ™ … — – “quotes” ‘single’
aaa bbb ccc aaaa aaaaa low lower lowest new newer newest wide wider widest the the the and and of of to to in in a a is is"""
LINES = TEXT.split("\n") * 3


def added(tokenizer, rng):
    tokenizer.add_special_tokens([AddedToken("<x>", lstrip=True), AddedToken("<y>", rstrip=True, normalized=True), "<z>"])
    tokenizer.add_tokens([
        AddedToken("Hello", single_word=True), AddedToken("low", normalized=False), AddedToken("ÜN", lstrip=True, rstrip=True),
        AddedToken("new new", single_word=True, normalized=False, lstrip=True), AddedToken("🙂"), AddedToken("lowest", normalized=False),
    ])


def template(tokenizer, cls, sep, b=1):
    ids = [(t, tokenizer.token_to_id(t)) for t in dict.fromkeys((cls, sep))]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}", pair=f"{cls} $A {sep} $B:{b} {sep}:{b}", special_tokens=ids)


def bpe(size=400, **options):
    special = options.pop("special", ["<unk>", "<s>", "</s>", "<pad>"])
    initial = options.pop("initial", [])
    tokenizer = Tokenizer(models.BPE(**options))
    names = {k: v for k, v in options.items() if k in ("continuing_subword_prefix", "end_of_word_suffix")}
    return tokenizer, trainers.BpeTrainer(vocab_size=size, special_tokens=special, initial_alphabet=initial, show_progress=False, **names)


def bytes_of_fallback():
    return [f"<0x{i:02X}>" for i in range(256)]


def bert(lower, special=("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")):
    tokenizer = Tokenizer(models.WordPiece(unk_token=special[1], max_input_chars_per_word=20))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(cleanup=lower)
    tokenizer.train_from_iterator(LINES, trainers.WordPieceTrainer(
        vocab_size=400, special_tokens=list(special), show_progress=False))
    if lower:
        template(tokenizer, special[2], special[3])
    else:
        tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def byte_level(prefix, trim, post, special=("<unk>", "<s>", "</s>", "<pad>")):
    tokenizer, trainer = bpe(initial=pre_tokenizers.ByteLevel.alphabet(), special=list(special))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(LINES, trainer)
    if post == "roberta":
        tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 1), trim_offsets=trim, add_prefix_space=prefix)
    elif post == "sequence":
        template(tokenizer, "<s>", "</s>")
        tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=trim, add_prefix_space=prefix), tokenizer.post_processor])
    else:
        tokenizer.post_processor = processors.ByteLevel(trim_offsets=trim, add_prefix_space=prefix)
    return tokenizer


def clip():
    tokenizer, trainer = bpe(end_of_word_suffix="</w>", unk_token="<unk>", initial=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed", True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(LINES, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 1), trim_offsets=False, add_prefix_space=False)
    return tokenizer


def llama(scheme):
    tokenizer, trainer = bpe(unk_token="<unk>", byte_fallback=True, fuse_unk=True, special=["<unk>", "<s>", "</s>"] + bytes_of_fallback(), size=600)
    if scheme == "prepend":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.train_from_iterator([word for line in LINES for word in line.split()], trainer)
    template(tokenizer, "<s>", "</s>")
    return strip_special(tokenizer, bytes_of_fallback())


def strip_special(tokenizer, tokens):
    """Byte tokens are in the vocabulary, and are not added tokens."""
    data = json.loads(tokenizer.to_str())
    data["added_tokens"] = [t for t in data["added_tokens"] if t["content"] not in set(tokens)]
    return Tokenizer.from_str(json.dumps(data))


def unigram(kind, special=("<pad>", "</s>", "<unk>", "<s>")):
    tokenizer = Tokenizer(models.Unigram())
    if kind == "albert":
        tokenizer.normalizer = normalizers.Sequence([
            normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(),
            normalizers.Replace(Regex(" {2,}"), " ")])
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
    elif kind == "t5":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")])
        tokenizer.decoder = decoders.Metaspace()
    else:
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Strip(left=False)])
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
        tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    tokenizer.train_from_iterator(LINES, trainers.UnigramTrainer(
        vocab_size=300, special_tokens=list(special), unk_token="<unk>", show_progress=False))
    if kind == "xlmr":
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 3), ("</s>", 1)])
    else:
        tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return tokenizer


def split_bytes(patterns, normalizer=None, digits=False):
    tokenizer, trainer = bpe(initial=pre_tokenizers.ByteLevel.alphabet(), size=450, special=["<|endoftext|>", "<|im_start|>"])
    tokenizer.normalizer = normalizer
    steps = [pre_tokenizers.Split(Regex(p), "isolated") for p in patterns]
    if digits:
        steps.insert(0, pre_tokenizers.Digits(individual_digits=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(LINES, trainer)
    return tokenizer


def word_level():
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation("merged_with_previous")])
    tokenizer.train_from_iterator(LINES, trainers.WordLevelTrainer(vocab_size=200, special_tokens=["[UNK]", "[PAD]"], show_progress=False))
    return tokenizer


def ctc():
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|"] + list("etaonihsrdlumwcfgypbvkxjqz'")
    tokenizer = Tokenizer(models.WordLevel({t: i for i, t in enumerate(letters)}, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace(" ", "|")])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.decoder = decoders.CTC()
    tokenizer.post_processor = processors.BertProcessing(("</s>", 2), ("<s>", 1))
    return tokenizer


def old_bpe():
    tokenizer, trainer = bpe(end_of_word_suffix="</w>", unk_token="<unk>")
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.BPEDecoder()
    tokenizer.train_from_iterator(LINES, trainer)
    template(tokenizer, "<s>", "</s>", 3)
    return tokenizer


def gemma():
    tokenizer, trainer = bpe(unk_token="<unk>", byte_fallback=True, fuse_unk=True, special=["<pad>", "<eos>", "<bos>", "<unk>"] + bytes_of_fallback(), size=600)
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.train_from_iterator(LINES, trainer)
    template(tokenizer, "<bos>", "<eos>", 0)
    return strip_special(tokenizer, bytes_of_fallback())


QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
DEEPSEEK = [r"\p{N}{1,3}", r"[一-龥぀-ゟ゠-ヿ]+",
            r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]

MAKERS = {
    "bert": lambda: bert(True),
    "bert-cased": lambda: bert(False),
    "roberta": lambda: byte_level(False, True, "roberta"),
    "roberta-prefix": lambda: byte_level(True, True, "roberta"),
    "gpt2": lambda: byte_level(False, False, "bytes"),
    "gpt2-prefix": lambda: byte_level(True, True, "bytes"),
    "llama3": lambda: byte_level(False, True, "sequence"),
    "clip": clip,
    "llama": lambda: llama("prepend"),
    "llama-first": lambda: llama("first"),
    "gemma": gemma,
    "t5": lambda: unigram("t5"),
    "albert": lambda: unigram("albert"),
    "xlmr": lambda: unigram("xlmr"),
    "qwen": lambda: split_bytes([QWEN], normalizers.NFC()),
    "deepseek": lambda: split_bytes(DEEPSEEK),
    "digits": lambda: split_bytes([r"\s+"], None, True),
    "words": word_level,
    "ctc": ctc,
    "gpt1": old_bpe,
}

EMOJI = ["🙂", "👩‍👩‍👧", "👍🏽", "🇩🇪", "❤️", "🏳️‍🌈", "1️⃣"]
SPACES = [" ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\u2009", "\u200b", "\u0085", "\u2028"]
WORDS = sorted(set(TEXT.split()))
EXTRA = ["<x>", "<y>", "<z>", "Hello", "hello", "low", "lowest", "ÜN", "ün", "new new", "[MASK]", "[SEP]", "</s>", "<s>", "<unk>", "<0x41>", "▁", "Ġ",
         "''", "``", "##s", "</w>", "|", "'S", "'ll", "İ", "ß", "Σ", "ſ"]


def rune(rng):
    while True:
        kind = rng.random()
        if kind < 0.5:
            c = rng.randrange(0x20, 0x7F)
        elif kind < 0.6:
            c = rng.randrange(0, 0x250)
        elif kind < 0.7:
            c = rng.choice((rng.randrange(0x300, 0x370), rng.randrange(0x590, 0xE80), rng.randrange(0x1AB0, 0x1B00), rng.randrange(0xFE00, 0xFE30)))
        elif kind < 0.8:
            c = rng.randrange(0x3000, 0xD800)
        elif kind < 0.9:
            c = rng.randrange(0x250, 0x10000)
        else:
            c = rng.randrange(0x10000, 0x110000)
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def text(rng):
    parts = []
    for _ in range(rng.choice((0, 1, 2, 3, 5, 8, 13, 30))):
        kind = rng.random()
        if kind < 0.35:
            parts.append(rng.choice(WORDS))
        elif kind < 0.5:
            parts.append("".join(rune(rng) for _ in range(rng.randrange(1, 6))))
        elif kind < 0.58:
            parts.append(rng.choice(EXTRA))
        elif kind < 0.63:
            parts.append(rng.choice(EMOJI))
        elif kind < 0.66:
            parts.append(rune(rng) * rng.randrange(2, 40))
        elif kind < 0.69:
            parts.append(unicodedata.normalize(rng.choice(("NFD", "NFC", "NFKD")), rng.choice(WORDS)))
        if rng.random() < 0.75:
            parts.append(rng.choice(SPACES) if rng.random() < 0.3 else " ")
    return "".join(parts)


def show(encoding):
    return {
        "ids": encoding.ids, "types": encoding.type_ids, "tokens": encoding.tokens, "offsets": encoding.offsets,
        "words": [-1 if w is None else w for w in encoding.word_ids], "sequences": [-1 if s is None else s for s in encoding.sequence_ids],
        "attention": encoding.attention_mask, "special": encoding.special_tokens_mask,
    }


def case(tokenizer, rng, size):
    out = {"special": rng.random() < 0.8, "plain": rng.random() < 0.1}
    words = rng.random() < 0.15
    make = (lambda: [text(rng)[:20] for _ in range(rng.randrange(0, 6))]) if words else (lambda: text(rng))
    out["words" if words else "text"] = make()
    if rng.random() < 0.3:
        out["pair_words" if words else "pair"] = make()
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if rng.random() < 0.4:
        cut = {"max_length": rng.randrange(2, 30), "strategy": rng.choice(("longest_first", "only_first", "only_second")),
               "direction": rng.choice(("left", "right"))}
        cut["stride"] = rng.randrange(0, 4) if rng.random() < 0.6 else 0
        try:
            tokenizer.enable_truncation(**cut)
            out["truncation"] = cut
        except Exception:
            pass
    if rng.random() < 0.3:
        fill = {"direction": rng.choice(("left", "right")), "pad_id": rng.randrange(size), "pad_type_id": rng.randrange(3), "pad_token": "<p>",
                "length": rng.choice((None, rng.randrange(1, 30))), "pad_to_multiple_of": rng.choice((None, None, 4, 8))}
        tokenizer.enable_padding(**fill)
        out["padding"] = fill
    tokenizer.encode_special_tokens = out["plain"]
    one, two = out.get("words", out.get("text")), out.get("pair_words", out.get("pair"))
    try:
        encoding = tokenizer.encode(one, two, is_pretokenized=words, add_special_tokens=out["special"])
        out["encoding"] = show(encoding)
        out["overflow"] = [show(o) for o in encoding.overflowing]
    except BaseException as error:  # a panic of Rust is no Exception
        out["error"] = str(error)[:200]
    out["skip"] = rng.random() < 0.5
    ids = out["encoding"]["ids"] if "encoding" in out and rng.random() < 0.5 else [rng.randrange(size + 3) for _ in range(rng.randrange(0, 20))]
    out["decode"] = ids
    try:
        out["decoded"] = tokenizer.decode(ids, skip_special_tokens=out["skip"])
    except BaseException:
        out["decoded"] = None
    return out


def main():
    folder, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rng = random.Random(seed)
    given = sorted(f[:-5] for f in os.listdir(folder) if f.endswith(".json"))
    for name in given or MAKERS:
        path = os.path.join(folder, name + ".json")
        if not given:
            tokenizer = MAKERS[name]()
            added(tokenizer, rng)
            tokenizer.save(path)
        tokenizer = Tokenizer.from_file(path)
        size = tokenizer.get_vocab_size()
        with open(os.path.join(folder, name + ".cases"), "w", encoding="utf-8") as out:
            for _ in range(count):
                out.write(json.dumps(case(tokenizer, rng, size)) + "\n")


if __name__ == "__main__":
    main()
