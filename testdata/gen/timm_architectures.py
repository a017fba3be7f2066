"""Prints, as JSON, what timm's names of Vision Transformers stand for: number of heads, activation, epsilon, pooling.

    python timm_architectures.py

Left out are those whose blocks, norms or pooling are others than a plain Vision Transformer's.
"""

import json
import warnings

import timm
import torch
from timm.models.vision_transformer import Attention, Block, LayerNorm, Mlp, VisionTransformer

warnings.filterwarnings("ignore")


def plain():
    found = {}
    with torch.device("meta"):
        for name in timm.list_models(["vit_*", "deit_*", "deit3_*"]):
            try:  # one block tells as much as all
                model = timm.create_model(name, pretrained=False, depth=1, weight_init="skip")
            except TypeError:  # no such argument: another class
                continue
            if type(model) is not VisionTransformer or type(model.patch_embed).__name__ != "PatchEmbed":
                continue
            block = model.blocks[0]
            if type(block) is not Block or type(block.attn) is not Attention or type(block.mlp) is not Mlp:
                continue
            if not isinstance(block.norm1, LayerNorm) or not isinstance(block.attn.q_norm, torch.nn.Identity):
                continue
            if model.num_reg_tokens or model.attn_pool is not None or model.pos_embed is None:
                continue
            if not isinstance(model.norm, LayerNorm) and not isinstance(model.fc_norm, LayerNorm):
                continue
            found[name] = {
                "width": model.embed_dim, "heads": block.attn.num_heads, "act": type(block.mlp.act).__name__,
                "eps": block.norm1.eps, "pool": model.global_pool, "class_token": model.has_class_token,
                "norm": isinstance(model.norm, LayerNorm),
            }
    return found


if __name__ == "__main__":
    print(json.dumps(plain()))
