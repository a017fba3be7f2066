"""Trains small CLIP models by open_clip's losses and rules, for a Go test to follow.

    python clip_train.py FOLDER

Each case has a folder with the untrained model in open_clip's form, a tokenizer, captions.json and run.safetensors:

    pixels [pairs, 3, height, width]
    order  [steps, batch]   the pairs of each step
    losses [steps]
    scale  [steps]          the logarithm of the factor after each step

The optimizer is AdamW with open_clip's groups: gains, biases and the factor have no weight decay
(open_clip_train/main.py). The factor is clamped after each step (open_clip_train/train.py).

    softmax  ClipLoss
    sigmoid  SigLipLoss with a bias of -10 beside the model
    decay    ClipLoss, the learning rate falls with the distance from the end of a tower
    locked   ClipLoss, the image tower is locked

Versions: requirements.txt. Seed 1.
"""

import json
import math
import os
import sys

import open_clip
import torch
from open_clip.loss import ClipLoss, SigLipLoss
from safetensors.torch import save_file

from models_clip import tokenizer

torch.set_num_threads(1)
PAIRS, BATCH, STEPS = 24, 12, 50
CFG = dict(embed_dim=16,
           vision_cfg=dict(image_size=[16, 24], layers=3, width=32, head_width=16, patch_size=8, mlp_ratio=2.0),
           text_cfg=dict(context_length=24, vocab_size=len(tokenizer()), width=32, heads=2, layers=2))
LAYER_DECAY = 0.6


def layer(name):
    """The blocks between a parameter and the end of its tower, plus one; 0 for what follows the blocks."""
    tower, depth = ("visual.", 3) if name.startswith("visual.") else ("", 2)
    if name.startswith(tower + "transformer.resblocks."):
        return depth - int(name.split("resblocks.")[1].split(".")[0])
    begin = ("visual.conv1", "visual.class_embedding", "visual.positional_embedding", "visual.ln_pre", "token_embedding", "positional_embedding")
    return depth + 1 if name.startswith(begin) else 0


def run(folder, case):
    torch.manual_seed(1)
    model = open_clip.model.CLIP(**CFG, quick_gelu=True)
    os.makedirs(folder)
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, os.path.join(folder, "open_clip_model.safetensors"))
    with open(os.path.join(folder, "open_clip_config.json"), "w") as f:
        json.dump({"model_cfg": CFG | {"quick_gelu": True}, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}, f)
    tok = tokenizer()
    tok.save_pretrained(folder)
    captions = [f"photo {i} of the {word}" for i, word in enumerate(["cat", "dog", "bird"] * (PAIRS // 3))]
    with open(os.path.join(folder, "captions.json"), "w") as f:
        json.dump(captions, f)
    ids = tok(captions, padding=True, return_tensors="pt")["input_ids"]
    ids = torch.nn.functional.pad(ids, (0, 24 - ids.shape[1]))
    pixels = torch.randn(PAIRS, 3, 16, 24)
    order = torch.stack([torch.randperm(PAIRS)[:BATCH] for _ in range(STEPS)])

    parameters = dict(model.named_parameters())
    if case == "locked":
        model.lock_image_tower()
    if case == "sigmoid":
        bias = parameters["logit_bias"] = torch.nn.Parameter(torch.tensor(-10.0))
    groups = []
    for name, p in parameters.items():
        if p.requires_grad:
            scale = LAYER_DECAY ** layer(name) if case == "decay" else 1
            groups.append(dict(params=[p], lr=2e-3 * scale, weight_decay=0 if p.ndim < 2 else 0.2))
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), eps=1e-6)
    losses, scales = [], []
    for pairs in order:
        images, texts = model.encode_image(pixels[pairs], normalize=True), model.encode_text(ids[pairs], normalize=True)
        if case == "sigmoid":
            loss = SigLipLoss()(images, texts, model.logit_scale.exp(), bias)
        else:
            loss = ClipLoss()(images, texts, model.logit_scale.exp())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        losses.append(loss.item())
        scales.append(model.logit_scale.item())
    save_file({"pixels": pixels, "order": order, "losses": torch.tensor(losses), "scale": torch.tensor(scales)},
              os.path.join(folder, "run.safetensors"),
              metadata={"script": "clip_train.py", "versions": f"torch {torch.__version__}, open_clip {open_clip.__version__}", "seed": "1"})


for case in ("softmax", "sigmoid", "decay", "locked"):
    run(os.path.join(sys.argv[1], case), case)
