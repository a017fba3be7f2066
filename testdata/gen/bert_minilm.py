"""Writes hidden states and sentence embeddings of all-MiniLM-L6-v2 for models/bert.

    python bert_minilm.py MODEL        the folder of ../shared/data/minilm

For each text, transformers gets the text alone. hidden/I are the hidden states of text I after the last layer,
embeddings the mean of these over the tokens, divided by its length, as sentence-transformers computes it.

Versions: requirements.txt. Nothing is random.
"""

import sys

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file
from transformers import AutoModel, AutoTokenizer

from opcases import golden

torch.set_num_threads(1)
texts = ["A dog runs in the park.", "Ein Hund läuft im Park.", "", "The cat sat on the mat. " * 100,
         "What is the capital of France?", "Paris is the capital of France.", "東京は日本の首都です。"]
tokenizer, model = AutoTokenizer.from_pretrained(sys.argv[1]), AutoModel.from_pretrained(sys.argv[1]).eval()
tensors, embeddings = {}, []
with torch.inference_mode():
    for i, text in enumerate(texts):
        inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=256)
        hidden = model(**inputs).last_hidden_state[0]
        mean = hidden.sum(0) / max(len(hidden), 1e-9)
        embeddings.append(torch.nn.functional.normalize(mean, dim=0).numpy())
        tensors[f"hidden/{i}"] = np.ascontiguousarray(hidden[:8].numpy())
tensors["embeddings"] = np.stack(embeddings)
versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
save_file(tensors, golden("models/bert", "minilm.safetensors"), metadata={"script": "bert_minilm.py", "versions": versions, "seed": "0"})
