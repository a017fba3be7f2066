"""Loads folders that models/bert saved with transformers and sentence-transformers, and compares the outputs.

    python check_bert.py FOLDER...

want.json in a folder holds Fovea's results: "ids" and "types" of one sequence with "output", the values of the class that
config.json names; or "texts" with "embeddings", by the prompt "prompt"; or a "query" with "texts" and "scores". Where there are "texts"
and "tokens", AutoTokenizer must give these ids. The script exits with 1 and prints the difference if an output differs by more than
1e-4 · max(1, rms of the library's output).
"""

import json
import os
import sys

import torch
import transformers

torch.set_num_threads(1)


def same(what, got, want):
    want, got = torch.tensor(want).flatten(), torch.as_tensor(got).float().flatten()
    if got.shape != want.shape or (got - want).abs().max() > 1e-4 * max(1.0, got.square().mean().sqrt().item()):
        sys.exit(f"{what}: expected {got.tolist()[:8]} of {got.shape}, found {want.tolist()[:8]} of {want.shape}")


for folder in sys.argv[1:]:
    with open(os.path.join(folder, "want.json")) as f:
        want = json.load(f)
    if "tokens" in want:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        for text, ids in zip(want["texts"], want["tokens"]):
            if tokenizer(text, truncation=True)["input_ids"] != ids:
                sys.exit(f"{folder}: {text!r}: AutoTokenizer gives {tokenizer(text)['input_ids']}, expected {ids}")
    if "embeddings" in want:
        from sentence_transformers import SentenceTransformer
        model = SentenceTransformer(folder, device="cpu")
        same(folder, model.encode(want["texts"], prompt_name=want.get("prompt") or None), want["embeddings"])
        continue
    if "scores" in want:
        from sentence_transformers import CrossEncoder
        model = CrossEncoder(folder, device="cpu")
        same(folder, model.predict([(want["query"], t) for t in want["texts"]]), want["scores"])
        continue
    with open(os.path.join(folder, "config.json")) as f:
        name = json.load(f)["architectures"][0]
    model, info = getattr(transformers, name).from_pretrained(folder, output_loading_info=True)
    if not model.config.tie_word_embeddings:  # transformers has a second bias, which it does not use
        info["missing_keys"] = set(info["missing_keys"]) - {"cls.predictions.bias", "lm_head.bias", "predictions.bias"}
    for key in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if info[key]:
            sys.exit(f"{folder}: {key}: {sorted(info[key])}")
    inputs = {"input_ids": torch.tensor([want["ids"]])}
    if want["types"]:
        inputs["token_type_ids"] = torch.tensor([want["types"]])
    if name.endswith("ForMultipleChoice"):
        inputs = {k: v[None] for k, v in inputs.items()}
    with torch.inference_mode():
        o = model.eval()(**inputs)
    outs = {"ForPreTraining": o.get("prediction_logits"), "ForQuestionAnswering": torch.stack([o["start_logits"], o["end_logits"]], -1) if "start_logits" in o else None}
    got = next((v for k, v in outs.items() if name.endswith(k) and v is not None), None)
    same(folder, got if got is not None else o.get("logits", o.get("last_hidden_state")), want["output"])
print("equal")
