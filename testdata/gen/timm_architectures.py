"""Prints, as JSON, what timm's names of Vision Transformers stand for: number of heads, activation, epsilon, pooling, rotary
positions, and what else no weight tells.

    python timm_architectures.py

The names are those that load, in models/vit/testdata/architectures.json.
"""

import functools
import json
import os
import warnings

import timm
import torch

warnings.filterwarnings("ignore")

HERE = os.path.dirname(os.path.abspath(__file__))


def rotary(model):
    rope = getattr(model, "rope", None)
    if rope is None:
        return {}
    order = {"RotaryEmbeddingDinoV3": "", "RotaryEmbeddingMixed": "mixed"}.get(type(rope).__name__, {"ij": "rows", "xy": "columns"}[rope.grid_indexing])
    plain = order in ("rows", "columns")
    return {"rope": rope.temperature, "rope_order": order, "rope_positions": model.pos_embed is not None,
            "rope_reference": (rope.ref_feat_shape or [0])[0] if plain else 0, "rope_offset": rope.grid_offset if plain else 0,
            "image_size": 256 if order == "" else model.patch_embed.img_size[0]}


def member(block, path):
    for part in path.split(".") if path != "." else []:
        block = block[int(part)] if part.isdigit() else getattr(block, part, None)
        if block is None:
            break
    return block


def plain():
    found = {}
    with open(os.path.join(HERE, "../../models/vit/testdata/architectures.json")) as f:
        names = json.load(f)["loaded"]
    first = lambda block, *paths: next(m for m in map(functools.partial(member, block), paths) if m is not None)
    with torch.device("meta"):
        for name in names:  # one block tells as much as all
            model = timm.create_model(name, pretrained=False, depth=1)
            block, norm = model.blocks[0], isinstance(model.norm, torch.nn.LayerNorm)
            mlp = first(block, "mlp", "ffns.0.mlp", "mlp_act")
            gated = type(mlp).__name__ in ("GluMlp", "SwiGLU")
            act = "GLU" if gated else type(getattr(mlp, "act", mlp)).__name__
            found[name] = {
                "width": model.embed_dim, "heads": first(block, "attn", "attns.0.attn", ".").num_heads, "act": act,
                "eps": first(block, "norm1", "in_norm", "attns.0.norm").eps, "branch_norm": "Post" in type(block).__name__,
                "eva": type(model).__name__ == "Eva", "split_gate": type(mlp).__name__ == "SwiGLU",
                "pool": model.global_pool, "class_token": model.cls_token is not None, "norm": norm,
                "fc_norm": isinstance(model.fc_norm, torch.nn.LayerNorm),
                "split_qkv": getattr(first(block, "attn", "."), "q_proj", None) is not None,
                "pool_heads": getattr(getattr(model, "attn_pool", None), "num_heads", 0), **rotary(model),
            }
    return found


if __name__ == "__main__":
    print(json.dumps(plain()))
