"""Writes the attention weights of transformers' Vision Transformers in folders, and what a roll-out makes of them.

    python vit_attention.py            models/vit/testdata/attention.safetensors, for the folders deit, registers and dinov3 there
    python vit_attention.py OUT        OUT/attention.safetensors, for other folders that it makes there

The folders are those of vit_family.py. For each, pixels of 8 by 16 in its golden are the input: NAME/weights.I are the
weights of layer I, computed by attn_implementation="eager", and NAME/FUSION.DISCARD is the roll-out of vit_rollout.py of
jacobgil/vit-explain, with each row divided by its own sum.
"""

import os
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file

from opcases import golden
from vit_family import make

torch.set_num_threads(1)

ROLLOUTS = [("mean", 0.0), ("max", 0.9), ("min", 0.35)]


def rollout(attentions, fusion, discard):
    result = torch.eye(attentions[0].shape[-1])
    for attention in attentions:
        fused = {"mean": attention.mean(1), "max": attention.max(1)[0], "min": attention.min(1)[0]}[fusion][0].clone()
        flat = fused.view(-1)
        _, indices = flat.topk(int(flat.numel() * discard), -1, False)
        flat[indices[indices != 0]] = 0
        a = (fused + torch.eye(len(fused))) / 2
        result = a / a.sum(-1, keepdim=True) @ result
    return result


def attend(folder, name):
    model, info = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager", output_loading_info=True)
    assert not [k for k in info["missing_keys"] if "pooler" not in k and "mask_token" not in k and "register" not in k], info
    x = load_file(os.path.join(folder, "golden.safetensors"))["8x16/pixels"]
    args = dict(interpolate_pos_encoding=True) if model.config.model_type == "deit" else {}
    with torch.no_grad():
        weights = model.eval()(x, output_attentions=True, **args).attentions
    assert len(weights) == model.config.num_hidden_layers
    return {f"{name}/weights.{i}": w for i, w in enumerate(weights)} | {f"{name}/{f}.{d}": rollout(weights, f, d) for f, d in ROLLOUTS}


if __name__ == "__main__":
    out, names = golden("models/vit", ""), ["deit", "registers", "dinov3"]
    if sys.argv[1:]:
        out, names = sys.argv[1], ["deit_base", "dinov2_class", "registers_base", "dinov3_plain", "dinov3_key"]
        for name in names:
            make(name, os.path.join(out, name))
    tensors = {}
    for name in names:
        tensors |= attend(os.path.join(out, name), name)
    save_file({k: v.contiguous() for k, v in tensors.items()}, os.path.join(out, "attention.safetensors"), metadata={
        "script": "vit_attention.py", "versions": f"torch {torch.__version__}, transformers {transformers.__version__}", "seed": "none"})
