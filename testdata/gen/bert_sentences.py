"""Trains a small sentence-transformers model by MultipleNegativesRankingLoss, for a Go test to follow.

    python bert_sentences.py FOLDER

FOLDER/order.json holds the matches of each step, [steps, batch]. The script writes the untrained model to FOLDER/model,
FOLDER/matches.json, as [anchor, positive, negative], and FOLDER/losses.json. Dropout is off. AdamW has a weight decay of 0.1
for all but biases and gains. Versions: requirements.txt. Seed 1.
"""

import json
import os
import random
import sys

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from transformers import BertConfig, BertModel, BertTokenizer

torch.set_num_threads(1)
torch.manual_seed(1)
rng = random.Random(1)
folder = sys.argv[1]
words = ["the", "cat", "dog", "bird", "runs", "sits", "sings", "in", "on", "park", "mat", "tree", "old", "red", "big", "house"]
vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + words
config = BertConfig(vocab_size=len(vocabulary), hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=40,
                    max_position_embeddings=16, hidden_dropout_prob=0, attention_probs_dropout_prob=0)
inner = os.path.join(folder, "inner")
BertModel(config).save_pretrained(inner)
BertTokenizer(vocab={w: i for i, w in enumerate(vocabulary)}, model_max_length=16).save_pretrained(inner)
model = SentenceTransformer(inner, device="cpu")  # with mean pooling
model.save(os.path.join(folder, "model"))

with open(os.path.join(folder, "order.json")) as f:
    order = json.load(f)
matches = [[" ".join(rng.choices(words, k=rng.randint(2, 12))) for _ in range(3)] for _ in range(1 + max(i for step in order for i in step))]
with open(os.path.join(folder, "matches.json"), "w") as f:
    json.dump(matches, f)

model.train()
loss = MultipleNegativesRankingLoss(model)
optimizer = torch.optim.AdamW([dict(params=[p], weight_decay=0.1 if p.ndim > 1 else 0) for p in model.parameters()], lr=1e-3)
losses = []
for step in order:
    features = [model.tokenize([matches[i][column] for i in step]) for column in range(3)]
    value = loss(features, None)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    losses.append(value.item())
with open(os.path.join(folder, "losses.json"), "w") as f:
    json.dump(losses, f)
