"""PyTorch's side of bench/textstudy: trains a classifier with transformers by a plan.

    python reference.py PLAN.json

The plan, written by main.go, names a folder with the model, the texts, the batches and the learning rate of each batch. The
script prints {"losses", "accuracies", "versions"} as JSON.
"""

import json
import sys

import torch
import transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer

with open(sys.argv[1], encoding="utf-8") as f:
    plan = json.load(f)
torch.set_num_threads(plan["threads"])
torch.manual_seed(plan["seed"])
tokenizer = AutoTokenizer.from_pretrained(plan["model"])
model, info = AutoModelForSequenceClassification.from_pretrained(plan["model"], output_loading_info=True)
assert not any(info[k] for k in ("missing_keys", "unexpected_keys", "mismatched_keys")), info
decayed = [p for p in model.parameters() if p.ndim > 1]
others = [p for p in model.parameters() if p.ndim < 2]
optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": plan["decay"]}, {"params": others, "weight_decay": 0.0}], lr=1.0)


def tokens(rows):
    return tokenizer([r["text"] for r in rows], padding=True, truncation=True, return_tensors="pt")


@torch.inference_mode()
def accuracy():
    model.eval()
    rows = sorted(plan["test"], key=lambda r: len(r["text"]))
    right = 0
    for i in range(0, len(rows), 32):
        part = rows[i : i + 32]
        right += (model(**tokens(part)).logits.argmax(-1) == torch.tensor([r["class"] for r in part])).sum().item()
    return right / len(rows)


losses, accuracies = [], []
for step, (batch, rate) in enumerate(zip(plan["batches"], plan["rates"])):
    model.train()
    rows = [plan["train"][i] for i in batch]
    loss = model(**tokens(rows), labels=torch.tensor([r["class"] for r in rows])).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), plan["clip"])
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    optimizer.zero_grad()
    losses.append(loss.item())
    if (step + 1) % 25 == 0:
        print(f"textstudy: PyTorch, seed {plan['seed']}: step {step + 1} of {len(plan['batches'])}, loss {loss.item():.3f}", file=sys.stderr)
    if (step + 1) % plan["epoch"] == 0:
        accuracies.append(accuracy())
versions = f"PyTorch {torch.__version__}, transformers {transformers.__version__}"
print(json.dumps({"losses": losses, "accuracies": accuracies, "versions": versions}))
