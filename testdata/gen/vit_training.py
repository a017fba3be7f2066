"""Trains transformers' ViT on batches that a Go test wrote, by the recipe in plan.json.

    python vit_training.py FOLDER...

It prints a list of losses for each folder. FOLDER/model is the model and FOLDER/batches.safetensors has "pixels.0" and "targets.0" or "labels.0" of each batch. AdamW's
groups are made here: layer-wise decay counts layers as BEiT and MAE do. Dropout is off. Versions: requirements.txt.
"""

import json
import os
import sys

import torch
from safetensors.torch import load_file
from transformers import ViTForImageClassification

torch.set_num_threads(1)


def layer(name, layers):
    if "embeddings" in name:
        return 0
    numbers = [int(p) for p in name.split(".") if p.isdigit()]
    return numbers[0] + 1 if numbers else layers + 1


def train(folder):
    with open(os.path.join(folder, "plan.json")) as f:
        plan = json.load(f)
    batches = load_file(os.path.join(folder, "batches.safetensors"))
    model = ViTForImageClassification.from_pretrained(os.path.join(folder, "model"))
    layers = model.config.num_hidden_layers

    groups = []
    for name, p in model.named_parameters():
        if plan["freeze"] > 0 and layer(name, layers) <= plan["freeze"]:
            p.requires_grad_(False)
            continue
        decayed = p.ndim > 1 and not name.endswith(("cls_token", "position_embeddings"))
        groups.append({"params": [p], "scale": plan["layer_decay"] ** (layers + 1 - layer(name, layers)), "weight_decay": plan["decay"] if decayed else 0.0})
    optimizer = torch.optim.AdamW(groups, lr=1.0)
    weight = torch.tensor(plan["class_weights"]) if plan["class_weights"] else None
    losses = []
    for step, rate in enumerate(plan["rates"]):
        logits = model(pixel_values=batches[f"pixels.{step}"]).logits
        target = batches.get(f"targets.{step}")
        if target is None:
            target = batches[f"labels.{step}"].long()
        smoothing = plan["smoothing"] if target.ndim == 1 else 0.0  # timm smooths the targets it mixes
        loss = torch.nn.functional.cross_entropy(logits, target, weight=weight, label_smoothing=smoothing)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        optimizer.step()
        losses.append(loss.item())
    return losses


print(json.dumps([train(folder) for folder in sys.argv[1:]]))
