"""Trains folders that models/bert saved, with transformers and PyTorch, and compares the losses.

    python train_bert.py FOLDER...

train.json in a folder holds the batches, a list of {"ids", "labels"} or {"ids", "begins", "ends"}, the number of choices where
there are some, the settings of AdamW, and Fovea's loss before each step. There is no dropout. Weights of fewer than two dimensions do not
decay, and gradients are clipped at a norm of 1. The script exits with 1 and prints the first loss that differs by more than 1e-3 of
itself.
"""

import json
import os
import sys

import torch
import transformers

torch.set_num_threads(1)

for folder in sys.argv[1:]:
    with open(os.path.join(folder, "train.json")) as f:
        run = json.load(f)
    config = transformers.AutoConfig.from_pretrained(folder)
    model = getattr(transformers, config.architectures[0]).from_pretrained(folder).eval()
    decay = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim < 2]
    opt = torch.optim.AdamW([{"params": decay, "weight_decay": run["decay"]}, {"params": plain, "weight_decay": 0.0}], lr=run["rate"])
    for step, (batch, want) in enumerate(zip(run["batches"], run["losses"], strict=True)):
        longest = max(map(len, batch["ids"]))
        pad = lambda rows, value: torch.tensor([row + [value] * (longest - len(row)) for row in rows])
        inputs = {"input_ids": pad(batch["ids"], config.pad_token_id), "attention_mask": pad([[1] * len(ids) for ids in batch["ids"]], 0)}
        if run["choices"]:
            inputs = {k: v.view(-1, run["choices"], longest) for k, v in inputs.items()}
        if "begins" in batch:
            inputs |= {"start_positions": torch.tensor(batch["begins"]), "end_positions": torch.tensor(batch["ends"])}
        elif isinstance(batch["labels"][0], list):
            rows = batch["labels"]
            inputs["labels"] = pad(rows, -100) if isinstance(rows[0][0], int) else torch.tensor(rows)
        else:
            inputs["labels"] = torch.tensor(batch["labels"])
        loss = model(**inputs).loss
        if abs(loss.item() - want) > 1e-3 * abs(loss.item()):
            sys.exit(f"{folder}: loss {step} is {want}, PyTorch's {loss.item()}")
        opt.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
    print(f"{folder}: {len(run['losses'])} losses, the last {loss.item():.4f}")
