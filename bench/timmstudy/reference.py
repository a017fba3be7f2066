"""timm's side of bench/timmstudy: fine-tunes a Vision Transformer on a folder of images.

    python reference.py PLAN.json

The plan, written by main.go, names a model in timm's layout and a folder with the parts train, val and test. The recipe is what
timm's training program offers for fine-tuning: its augmentation for training, AdamW with layer decay, warm-up and cosine,
label smoothing, and the best epoch on the validation images. The script prints {"losses", "accuracies", "versions"} as JSON.
"""

import json
import math
import os
import resource
import sys

import timm
import torch
from timm.data import ImageDataset, create_transform, resolve_model_data_config
from timm.loss import LabelSmoothingCrossEntropy
from timm.optim import create_optimizer_v2

with open(sys.argv[1], encoding="utf-8") as f:
    plan = json.load(f)
torch.set_num_threads(plan["threads"])
torch.manual_seed(plan["seed"])
classes = sorted(os.listdir(os.path.join(plan["images"], "train")))
model = timm.create_model("local-dir:" + plan["model"], pretrained=True, num_classes=len(classes))
config = resolve_model_data_config(model)
known = ImageDataset(os.path.join(plan["images"], "train"), transform=create_transform(**config, is_training=True))
held, asked = (ImageDataset(os.path.join(plan["images"], part), transform=create_transform(**config)) for part in ("val", "test"))
batches = torch.utils.data.DataLoader(known, plan["batch"], shuffle=True, generator=torch.Generator().manual_seed(plan["seed"]))
optimizer = create_optimizer_v2(model, opt="adamw", lr=5e-4, weight_decay=0.05, layer_decay=0.75)
scales = [group["lr"] / 5e-4 * group.get("lr_scale", 1.0) for group in optimizer.param_groups]
smooth = LabelSmoothingCrossEntropy(0.1)
steps = plan["epochs"] * len(batches)


@torch.inference_mode()
def accuracy(images):
    model.eval()
    right = sum((model(x).argmax(-1) == y).sum().item() for x, y in torch.utils.data.DataLoader(images, 64))
    return right / len(images)


step, best, found = 0, -1.0, 0.0
for epoch in range(plan["epochs"]):
    model.train()
    for pixels, labels in batches:
        warm = 0.1 * steps
        factor = step / warm if step < warm else 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm)))
        for group, scale in zip(optimizer.param_groups, scales):
            group["lr"] = 5e-4 * scale * factor
        optimizer.zero_grad()
        smooth(model(pixels), labels).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
    score = accuracy(held)
    if score > best:
        best, found = score, accuracy(asked)
used = resource.getrusage(resource.RUSAGE_SELF)
print(f"timmstudy: timm, seed {plan['seed']}: {100 * found:.1f} %, {used.ru_utime + used.ru_stime:.0f} s of CPU", file=sys.stderr)
print(json.dumps({"losses": [], "accuracies": [found], "versions": f"PyTorch {torch.__version__}, timm {timm.__version__}"}))
