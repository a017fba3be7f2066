"""Writes small random models of BERT for every task, with a tokenizer, and the answers of transformers' pipelines.

    python bert_tasks.py OUT

OUT/TASK is a model folder, and OUT/want.json holds the answers by task. transformers 5 has no pipeline for question answering; the
answers are computed by the functions of its pipeline for documents, as version 4.57 did it. Offsets count characters, and all texts
are ASCII.

Versions: requirements.txt. The seed of a model is its number.
"""

import json
import os
import sys

import torch
import transformers
from transformers import BertConfig, BertTokenizer, pipeline

from bert_answers import answers

torch.set_num_threads(1)
out = sys.argv[1]
pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", ",", "?", "{", "}", "the", "of", "is", "this", "example", "in"]
pieces += list("abcdefghijklmnopqrstuvwxyz") + ["##" + c for c in "abcdefghijklmnopqrstuvwxyz"] + ["##er", "##an", "lon", "##don", "par", "##is"]
vocabulary = os.path.join(out, "vocab.txt")
os.makedirs(out, exist_ok=True)
with open(vocabulary, "w") as f:
    f.write("\n".join(pieces) + "\n")
tokenizer = BertTokenizer(vocabulary, model_max_length=60)
paris = "Paris is the capital of France. London, the capital of England, is larger."
long = "Anna lives in London. " * 9 + "Peter lives in Paris."


def model(task, seed, **config):
    torch.manual_seed(seed)
    c = BertConfig(vocab_size=len(pieces), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=40,
                   max_position_embeddings=60, **config)
    m = getattr(transformers, "Bert" + task)(c).eval()
    with torch.no_grad():
        for p in m.parameters():
            p.copy_(p + torch.randn_like(p) * (0.4 if p.ndim > 1 else 0.2))
        if task == "ForTokenClassification":  # many entities
            m.classifier.weight.normal_()
            m.classifier.bias[0] -= 1
            m.bert.embeddings.word_embeddings.weight *= 4
    folder = os.path.join(out, task)
    m.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return m


want = {}
m = model("ForMaskedLM", 1)
p = pipeline("fill-mask", model=m, tokenizer=tokenizer)
want["fill"] = [p("the [MASK] is in Paris.", top_k=3), p("[MASK] and [MASK].", top_k=3), p("the [MASK]", targets=["par", "of", "##er"])]

m = model("ForSequenceClassification", 2, id2label={0: "contradiction", 1: "neutral", 2: "entailment"}, label2id={"contradiction": 0, "neutral": 1, "entailment": 2})
p = pipeline("text-classification", model=m, tokenizer=tokenizer, top_k=None)
want["classify"] = [p("Paris is large."), p(""), p({"text": "Paris", "text_pair": "London is a city"})]
p = pipeline("zero-shot-classification", model=m, tokenizer=tokenizer)
labels = ["cities", "animals", "a person"]
want["zeroshot"] = [p(t, labels, multi_label=multi) for multi in (False, True) for t in (paris, long)]

m = model("ForTokenClassification", 3, id2label={0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC", 4: "I-LOC"})
want["entities"] = {}
for how in ("none", "simple", "first", "max", "average"):
    p = pipeline("token-classification", model=m, tokenizer=tokenizer, aggregation_strategy=how)
    want["entities"][how] = [{"label": e.get("entity") or e["entity_group"], "score": float(e["score"]), "start": int(e["start"]), "end": int(e["end"])}
                             for e in p(paris)]
p = pipeline("token-classification", model=m, tokenizer=tokenizer, aggregation_strategy="simple", stride=10)
want["entities"]["windows"] = [{"label": e["entity_group"], "score": float(e["score"]), "start": int(e["start"]), "end": int(e["end"])} for e in p(long)]

m = model("ForQuestionAnswering", 4)
want["answers"] = [answers(m, tokenizer, "Who lives in Paris?", c, top, impossible) for c in (paris, long) for top in (1, 4) for impossible in (False, True)]

m = model("ForMultipleChoice", 5)
enc = tokenizer(["the capital"] * 3, ["Paris", "London is", "a, b"], padding=True, return_tensors="pt")
with torch.inference_mode():
    want["choose"] = m(**{k: v[None] for k, v in enc.items()}).logits[0].softmax(-1).tolist()

m = model("ForNextSentencePrediction", 6)
enc = tokenizer("Paris is large.", "London is larger.", return_tensors="pt")
with torch.inference_mode():
    want["next"] = m(**enc).logits.softmax(-1)[0, 0].item()
with open(os.path.join(out, "want.json"), "w") as f:
    json.dump(want, f)
