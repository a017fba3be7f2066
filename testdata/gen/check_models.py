"""Loads a model folder that Fovea saved into transformers and compares its outputs.

    python check_models.py vit|mae FOLDER OUTPUTS

OUTPUTS is a safetensors file with what Fovea computed: pixels, logits and, for mae, noise and loss. Exits with
1 and says by how much when they differ by more than 1e-4 of the larger of 1 and their root mean square.
"""

import sys

import torch
from safetensors.torch import load_file
from transformers import ViTForImageClassification, ViTMAEForPreTraining

kind, folder, outputs = sys.argv[1:]
want = load_file(outputs)
cls = {"vit": ViTForImageClassification, "mae": ViTMAEForPreTraining}[kind]
model, info = cls.from_pretrained(folder, output_loading_info=True)
for key in ("missing_keys", "unexpected_keys", "mismatched_keys"):
    if info[key]:
        sys.exit(f"{key}: {sorted(info[key])}")
with torch.inference_mode():
    out = model.eval()(want["pixels"], **({"noise": want["noise"]} if kind == "mae" else {}))
for name in ("logits", "loss"):
    if name not in want:
        continue
    a, b = want[name].flatten(), getattr(out, name).flatten()
    limit = 1e-4 * max(1.0, b.square().mean().sqrt().item())
    worst = (a - b).abs().max().item()
    print(f"{name}: {worst:.2e} of {limit:.2e}")
    if not worst <= limit:
        sys.exit(f"{name} differ by {worst}, more than {limit}")
