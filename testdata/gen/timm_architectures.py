"""Prints, as JSON, what timm's names of Vision Transformers stand for: number of heads, activation, epsilon, pooling, base of
rotary positions.

    python timm_architectures.py

The names are those that load, in models/vit/testdata/architectures.json.
"""

import json
import os
import warnings

import timm
import torch

warnings.filterwarnings("ignore")

HERE = os.path.dirname(os.path.abspath(__file__))


def plain():
    found = {}
    with open(os.path.join(HERE, "../../models/vit/testdata/architectures.json")) as f:
        names = json.load(f)["loaded"]
    with torch.device("meta"):
        for name in names:  # one block tells as much as all
            model = timm.create_model(name, pretrained=False, depth=1)
            block, norm = model.blocks[0], isinstance(model.norm, torch.nn.LayerNorm)
            act = "GLU" if type(block.mlp).__name__ in ("GluMlp", "SwiGLU") else type(block.mlp.act).__name__
            found[name] = {
                "width": model.embed_dim, "heads": block.attn.num_heads, "act": act, "eps": block.norm1.eps,
                "pool": model.global_pool, "class_token": model.cls_token is not None, "norm": norm,
                "fc_norm": isinstance(model.fc_norm, torch.nn.LayerNorm),
                "rope": getattr(getattr(model, "rope", None), "temperature", 0),
            }
    return found


if __name__ == "__main__":
    print(json.dumps(plain()))
