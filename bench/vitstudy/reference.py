"""PyTorch's side of bench/vitstudy: trains a Vision Transformer of timm by a plan.

    python reference.py PLAN.json

The plan, written by main.go, names a file of weights, a file of pixels, the batches, and the learning rate and the draws of
mixup and CutMix of each batch. Model, mixing, loss and average are timm's. The script prints {"losses", "accuracies",
"averaged", "versions"} as JSON.
"""

import json
import sys

import numpy as np
import safetensors.torch
import timm
import timm.data.mixup
import torch
from timm.loss import SoftTargetCrossEntropy
from timm.models.vision_transformer import VisionTransformer
from timm.utils import ModelEmaV2

with open(sys.argv[1], encoding="utf-8") as f:
    plan = json.load(f)
torch.set_num_threads(plan["threads"])
torch.manual_seed(plan["seed"])
c, size, n = plan["config"], plan["size"], len(plan["train"])
classes = len(plan["classes"])
pixels = torch.from_numpy(np.fromfile(plan["pixels"], dtype="<f4").reshape(-1, 3, size, size))
known, asked = pixels[:n], pixels[n:]
labels, answers = torch.tensor(plan["train"]), torch.tensor(plan["test"])
model = VisionTransformer(
    img_size=size, patch_size=c["patch_size"], num_classes=classes, embed_dim=c["hidden_size"], depth=c["num_hidden_layers"],
    num_heads=c["num_attention_heads"], mlp_ratio=c["intermediate_size"] / c["hidden_size"], drop_path_rate=plan["drop_path"])
assert abs(model.norm.eps / c["layer_norm_eps"] - 1) < 1e-6
model.load_state_dict(safetensors.torch.load_file(plan["weights"]))
depth = len(model.blocks)


def layer(name):
    """The layers of MAE's fine-tuning (util/lr_decay.py): embeddings, blocks, and what follows them."""
    if name.startswith("blocks."):
        return 1 + int(name.split(".")[1])
    return 0 if name.startswith(("cls_token", "pos_embed", "patch_embed.")) else depth + 1


groups = {}
for name, p in model.named_parameters():
    decay = 0.0 if p.ndim < 2 or name in model.no_weight_decay() else plan["decay"]
    scale = plan["layer_decay"] ** (depth + 1 - layer(name))
    groups.setdefault((scale, decay), {"params": [], "weight_decay": decay, "scale": scale})["params"].append(p)
optimizer = torch.optim.AdamW(groups.values(), lr=1.0)


class Mixup(timm.data.mixup.Mixup):
    """timm's Mixup with the draws of the plan."""

    def draw(self, d):
        self.drawn = d["lambda"], d["box"] is not None
        timm.data.mixup.cutmix_bbox_and_lam = lambda *_, **__: (tuple(d["box"]), d["lambda"])

    def _params_per_batch(self):
        return self.drawn


mixup = Mixup(mixup_alpha=1.0, cutmix_alpha=1.0, label_smoothing=plan["smoothing"], num_classes=classes)
criterion, average = SoftTargetCrossEntropy(), ModelEmaV2(model, decay=plan["average"])


@torch.inference_mode()
def accuracy(m):
    m.eval()
    right = sum((m(x).argmax(-1) == y).sum().item() for x, y in zip(asked.split(128), answers.split(128)))
    return right / len(answers)


losses, accuracies, averaged = [], [], []
for step, (batch, rate, drawn) in enumerate(zip(plan["batches"], plan["rates"], plan["draws"])):
    model.train()
    mixup.draw(drawn)
    x, y = mixup(known[batch].clone(), labels[batch])
    loss = criterion(model(x), y)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), plan["clip"])
    for group in optimizer.param_groups:
        group["lr"] = rate * group["scale"]
    optimizer.step()
    optimizer.zero_grad()
    average.update(model)
    losses.append(loss.item())
    if (step + 1) % 100 == 0:
        print(f"vitstudy: PyTorch, seed {plan['seed']}: step {step + 1} of {len(plan['batches'])}, loss {loss.item():.3f}", file=sys.stderr)
    if (step + 1) % plan["epoch"] == 0 or step + 1 == len(plan["batches"]):
        accuracies.append(accuracy(model))
        averaged.append(accuracy(average.module))
versions = f"PyTorch {torch.__version__}, timm {timm.__version__}"
print(json.dumps({"losses": losses, "accuracies": accuracies, "averaged": averaged, "versions": versions}))
