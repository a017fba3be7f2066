"""Writes small random folders in the form of models that people use, and what transformers and sentence-transformers make of them.

    python bert_folders.py OUT

OUT/NAME is a folder, and OUT/want.json holds, by NAME, texts or pairs and the results of one task: "embeddings" of
SentenceTransformer.encode, "scores" of CrossEncoder.predict, "classes" of the text-classification pipeline, "labels" of the
zero-shot one, "entities" of the token-classification one by aggregation strategy, or "answers". Offsets count characters.

Versions: requirements.txt. The seed of a model is its number.
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
import transformers
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.sentence_transformer import modules
from tokenizers import ByteLevelBPETokenizer, SentencePieceUnigramTokenizer
from transformers import AutoConfig, AutoTokenizer, pipeline

from bert_answers import answers

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
out = sys.argv[1]
os.makedirs(out, exist_ok=True)
corpus = ["Paris is the capital of France. London, the capital of England, is larger.", "Anna lives in London and Peter in São Paulo.",
          "Who lives in Paris? A person lives there, I said: nobody.", "Die Straße ist naß, aber schön. İstanbul'da yaşıyorum."]
texts = ["Paris is larger.", "", "Anna LIVES in São Paulo, I said.", "the capital " * 30, "Die [MASK] Straße <mask> ist naß"]
pairs = [["Who lives in Paris?", "Anna."], ["the capital", ""], ["London " * 20, "is larger " * 10], ["Is it [SEP] wet?", "Die Straße ist NASS"]]
named = ["Who lives in Paris?", "Anna lives in São Paulo.", "Die Straße ist naß.", "İstanbul'da I said: no", "", "a  b"]
letters = sorted(set("".join(corpus) + "LIVESNAE"))
pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "of", "is", "in", "capital", "lon", "##don", "par", "##is", "Par", "##er", "##an"]
pieces += [c for c in letters if c != " "] + ["##" + c for c in letters if c.isalpha()]
pieces = list(dict.fromkeys(pieces))
vocabulary = {p: i for i, p in enumerate(pieces)}
mpnet = {p: i for i, p in enumerate(["<s>", "<pad>", "</s>", "[UNK]", "<mask>"] + pieces[5:])}
unigram = SentencePieceUnigramTokenizer()
unigram.train_from_iterator(corpus * 5, vocab_size=90, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False)
scores = [tuple(x) for x in json.loads(unigram.to_str())["model"]["vocab"]]
bpe = ByteLevelBPETokenizer()
bpe.train_from_iterator(corpus * 5, vocab_size=320, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], show_progress=False)
bpe = json.loads(bpe.to_str())["model"]
merges = [tuple(m) for m in bpe["merges"]]
albert = [("<pad>", 0.0), ("<unk>", 0.0), ("[CLS]", 0.0), ("[SEP]", 0.0), ("[MASK]", 0.0)] + scores[4:]
deberta = [("[PAD]", 0.0), ("[CLS]", 0.0), ("[SEP]", 0.0), ("[UNK]", 0.0)] + scores[4:] + [("[MASK]", 0.0)]
limit = dict(model_max_length=40)
T = transformers
tokenizers = {
    "bert": lambda: T.BertTokenizer(vocabulary, do_lower_case=True, **limit),
    "bert-cased": lambda: T.BertTokenizer(vocabulary, do_lower_case=False, **limit),
    "distilbert": lambda: T.DistilBertTokenizer(vocabulary, do_lower_case=False, **limit),
    "mpnet": lambda: T.MPNetTokenizer(mpnet, **limit),
    "xlm-roberta": lambda: T.XLMRobertaTokenizer(scores, **limit),
    "albert": lambda: T.AlbertTokenizer(albert, **limit),
    "deberta": lambda: T.DebertaV2Tokenizer(deberta, unk_id=3, **limit),
    "roberta": lambda: T.RobertaTokenizer(bpe["vocab"], merges, **limit),
}
small = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=40, max_position_embeddings=48)
want = {}


def model(name, number, kind, task, tokenizer, **config):
    """Saves a random model with a tokenizer."""
    torch.manual_seed(number)
    t = tokenizers[tokenizer]()
    c = AutoConfig.for_model(kind, **(small | dict(vocab_size=len(t), pad_token_id=t.pad_token_id) | config))
    m = getattr(T, "AutoModel" + task).from_config(c).eval()
    with torch.no_grad():
        for p in m.parameters():
            p.copy_(p + torch.randn_like(p) * (0.3 if p.ndim > 1 else 0.2))
    folder = os.path.join(out, name)
    m.save_pretrained(folder)
    t.save_pretrained(folder)
    return m, folder


def change(folder, name, **fields):
    path = os.path.join(folder, name)
    data = {}
    if os.path.exists(path):
        with open(path) as f:
            data = json.load(f)
    data.update(fields)
    with open(path, "w") as f:
        json.dump(data, f)


def bare(folder):
    """Makes the tokenizer one of the class PreTrainedTokenizerFast, which gives no token types, as many folders have it."""
    change(folder, "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")


def sentences(name, folder, parts, prompt=None, transformer=None, **settings):
    s = SentenceTransformer(modules=[modules.Transformer(folder)] + parts, device="cpu", **settings)
    s.save(folder, create_model_card=False)
    if transformer:
        change(folder, "sentence_bert_config.json", **transformer)
    s = SentenceTransformer(folder, device="cpu", local_files_only=True)
    want[name] = {"texts": texts, "prompt": prompt, "embeddings": s.encode(texts, prompt_name=prompt).tolist()}


def classes(name, folder):
    p = pipeline("text-classification", model=folder, top_k=None)
    some = [pairs[0], pairs[3]]
    want[name] = {"pairs": some, "classes": [{c["label"]: c["score"] for c in p({"text": a, "text_pair": b})} for a, b in some]}


def entities(name, folder):
    long = " ".join(corpus)
    found = {}
    for how in ("none", "simple", "first", "max", "average"):
        p = pipeline("token-classification", model=folder, aggregation_strategy=how)
        found[how] = [[{"label": e.get("entity") or e["entity_group"], "score": float(e["score"]), "start": int(e["start"]), "end": int(e["end"])}
                       for e in p(t)] for t in named]
    p = pipeline("token-classification", model=folder, aggregation_strategy="first", stride=9)
    found["windows"] = [[{"label": e["entity_group"], "score": float(e["score"]), "start": int(e["start"]), "end": int(e["end"])} for e in p(long)]]
    want[name] = {"texts": named, "long": long, "entities": found}


def rank(name, folder):
    want[name] = {"pairs": pairs, "scores": CrossEncoder(folder, device="cpu", local_files_only=True).predict(pairs).tolist()}


P, N = modules.Pooling, modules.Normalize
entity = dict(id2label={0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC", 4: "I-LOC"})

_, f = model("multilingual-e5", 1, "bert", "", "xlm-roberta")
sentences("multilingual-e5", f, [P(32, "mean"), N()])
_, f = model("bge", 2, "bert", "", "bert")
sentences("bge", f, [P(32, "cls"), N()], prompt="query", prompts={"query": "Represent: ", "passage": ""})
_, f = model("gte-modernbert", 3, "modernbert", "", "roberta", local_attention=8, num_hidden_layers=3, cls_token_id=0, sep_token_id=2, bos_token_id=0, eos_token_id=2)
bare(f)
sentences("gte-modernbert", f, [P(32, "cls")])
_, f = model("mpnet-base", 4, "mpnet", "", "mpnet")
sentences("mpnet-base", f, [P(32, "mean"), N()], transformer={"max_seq_length": 12})
_, f = model("labse", 5, "bert", "", "bert-cased")
sentences("labse", f, [P(32, "cls"), modules.Dense(32, 32), N()])
_, f = model("distiluse", 6, "distilbert", "", "distilbert", dim=32, n_layers=2, n_heads=4, hidden_dim=40)
sentences("distiluse", f, [P(32, "mean"), modules.Dense(32, 20)])
_, f = model("lower", 7, "bert", "", "bert-cased")
sentences("lower", f, [P(32, "mean")], transformer={"do_lower_case": True, "processing_kwargs": {"text": {"max_length": 9}}, "max_seq_length": 20})
_, f = model("prompted", 8, "xlm-roberta", "", "xlm-roberta")
sentences("prompted", f, [P(32, ("weightedmean", "lasttoken"), include_prompt=False)], prompts={"q": "Anna said: "}, default_prompt_name="q", truncate_dim=20)

for number, (name, kind, tokenizer, config) in enumerate([
        ("albert-pairs", "albert", "albert", dict(embedding_size=16, type_vocab_size=2)),
        ("electra-pairs", "electra", "bert", dict(embedding_size=16)),
        ("bert-fast-pairs", "bert", "bert", {}),
        ("roberta-types-pairs", "roberta", "bert", dict(type_vocab_size=2)),
        ("xlm-roberta-pairs", "xlm-roberta", "xlm-roberta", dict(type_vocab_size=1)),
        ("deberta-types-pairs", "deberta-v2", "deberta", dict(type_vocab_size=2, relative_attention=True, position_buckets=8, share_att_key=True, pos_att_type=["p2c", "c2p"]))], 9):
    _, f = model(name, number, kind, "ForSequenceClassification", tokenizer, num_labels=3, **config)
    if "fast" in name:
        bare(f)
    classes(name, f)

m, f = model("deberta-nli", 15, "deberta-v2", "ForSequenceClassification", "deberta", type_vocab_size=0, relative_attention=True, position_buckets=8,
             share_att_key=True, pos_att_type=["p2c", "c2p"], norm_rel_ebd="layer_norm", position_biased_input=False,
             id2label={0: "entailment", 1: "not_entailment"}, label2id={"entailment": 0, "not_entailment": 1})
p = pipeline("zero-shot-classification", model=f)
want["deberta-nli"] = {"texts": texts[:1] + texts[2:], "labels": [dict(zip(r["labels"], r["scores"])) for r in p(texts[:1] + texts[2:], ["a city", "wet", "Anna"])]}

for number, (name, kind, tokenizer, config) in enumerate([
        ("xlm-roberta-ner", "xlm-roberta", "xlm-roberta", {}), ("roberta-ner", "roberta", "roberta", {}),
        ("bert-ner", "bert", "bert-cased", {}), ("camembert-ner", "camembert", "xlm-roberta", {}),
        ("other-tags-ner", "distilbert", "distilbert", dict(dim=32, n_layers=2, n_heads=4, hidden_dim=40, id2label=dict(
            enumerate(["I-ORG", "O", "S-PER", "E-LOC", "MISC"])))),
], 16):
    _, f = model(name, number + 100 * (number > 19), kind, "ForTokenClassification", tokenizer, **entity | config)
    entities(name, f)

_, f = model("label2id-nli", 24, "bert", "ForSequenceClassification", "bert", num_labels=3)
change(f, "config.json", id2label={0: "contradiction", 1: "neutral", 2: "entailment"}, label2id={"neutral": 1, "entailment": 0, "contradiction": 2})
p = pipeline("zero-shot-classification", model=f)
want["label2id-nli"] = {"texts": texts[:1], "labels": [dict(zip(r["labels"], r["scores"])) for r in p(texts[:1], ["a city", "wet", "Anna"])]}

m, f = model("roberta-squad2", 20, "roberta", "ForQuestionAnswering", "roberta")
t = AutoTokenizer.from_pretrained(f)
long = " ".join(corpus[:2]) + " " + corpus[3]
question = "Who lives?"
cases = [(c, top, none) for c in (corpus[0][:30], long) for top in (1, 3) for none in (False, True)]
want["roberta-squad2"] = {"question": question, "answers": [
    {"context": c, "top": top, "none": none, "found": answers(m, t, question, c, top, none, size=40)} for c, top, none in cases]}

_, f = model("ms-marco", 21, "bert", "ForSequenceClassification", "bert", num_labels=1)
change(f, "config.json", sentence_transformers={"activation_fn": "torch.nn.modules.linear.Identity", "version": "4.1.0"})
rank("ms-marco", f)
_, f = model("stsb-roberta", 22, "roberta", "ForSequenceClassification", "roberta", num_labels=1)
rank("stsb-roberta", f)
_, f = model("prompted-ranker", 23, "bert", "ForSequenceClassification", "bert-cased", num_labels=1)
CrossEncoder(f, device="cpu", local_files_only=True, prompts={"web": "Search: "}, default_prompt_name="web", activation_fn=torch.nn.Tanh()).save_pretrained(f)
change(f, "sentence_bert_config.json", do_lower_case=True, max_seq_length=18)
rank("prompted-ranker", f)

with open(os.path.join(out, "want.json"), "w") as file:
    json.dump(want, file)
