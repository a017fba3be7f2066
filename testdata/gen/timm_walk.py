"""Writes a small random model of each of timm's Vision Transformers, and its logits.

    python timm_walk.py OUT [NAME...]     writes OUT/NAME for all architectures, or for the named ones
    python timm_walk.py -names            prints their names, as a list in JSON
    python timm_walk.py -whole OUT NAME...    OUT/NAME/golden.safetensors of each: pixels, output, hidden states before and after
                                          each block, the gradients of the sum of the squared output, and outputs at other sizes
    python timm_walk.py -goldens          the same for models/vit/testdata/kinds, with one block, a width of 16 and patches of 4 pixels

The architectures are vit_*, deit*, beit* and eva*. Models have two blocks, two heads, a width of 32 and three classes;
everything else is as the name says. timm's own save_for_hf writes config.json and model.safetensors. A model with more than
4 million values, such as a hybrid with a ResNet, has no logits, and its larger tensors are left out: Fovea refuses it by
others.

OUT/golden.safetensors holds, for each name, NAME/pixels and NAME/logits. The seed is the number of the name.
"""

import functools
import json
import os
import re
import sys
import warnings

import timm
import torch
from safetensors.torch import load_file, save_file
from timm.models._hub import save_for_hf

warnings.filterwarnings("ignore")
torch.set_num_threads(1)

NAMES = sorted(set(timm.list_models(["vit_*", "deit*", "beit*", "eva*"])))


META = {"script": "timm_walk.py", "versions": f"torch {torch.__version__}, timm {timm.__version__}", "seed": "1"}


# Hybrids get a network of fewer channels; with 32 groups, 128 is the least.
timm.models.vision_transformer_hybrid.ResNetV2 = functools.partial(timm.models.resnetv2.ResNetV2, channels=(128, 128, 256, 128), stem_chs=32)
timm.models.vision_transformer_hybrid.create_resnetv2_stem = functools.partial(timm.models.resnetv2.create_resnetv2_stem, out_chs=32)
timm.models.vision_transformer_hybrid.ConvStem = lambda channels, stem=timm.models.vision_transformer_hybrid.ConvStem, **args: stem(
    channels=(8, 12, 32), **args)


GOLDENS = ["vit_small_patch16_18x2_224", "vit_pwee_patch16_reg1_gap_256", "vit_base_patch16_rpn_224", "vit_tiny_r_s16_p8_224",
           "eva02_large_patch14_clip_224", "vit_small_patch16_rope_mixed_224"]
TINY = dict(embed_dim=16, depth=1, mlp_ratio=2)


def make(name, **more):
    patch = re.search(r"patch(\d+)", name)
    args = dict(num_classes=3, embed_dim=32, num_heads=2, depth=2, img_size=3 * int(patch.group(1)) if patch else 96)
    if "sapiens2" in name:
        args["num_kv_heads"] = 2
    if "_mci_" in name:
        args["img_size"] = 48
    return timm.create_model(name, pretrained_cfg_overlay=dict(input_size=(3, args["img_size"], args["img_size"])), **(args | more))


def randomize(model):
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p), alpha=0.1 if p.ndim > 1 else 0.2)
    return model.eval()


def other_sizes(model, name, **more):
    """Yields images of two other sizes, of 5 by 2 and 2 by 4 patches, with the outputs of the model's own weights."""
    patch = model.patch_embed.img_size[0] // model.patch_embed.grid_size[0]
    sizes = [(5 * patch, 2 * patch), (2 * patch, 4 * patch)]
    if "relpos_" in name:
        other = model
    else:
        try:
            other = make(name, dynamic_img_size=True, **more).eval()
        except TypeError:  # a class without the argument
            return
        other.load_state_dict(model.state_dict())
    for size in sizes:
        if "relpos_" in name:
            other.set_input_size(size)
        x = torch.randn(1, 3, *size)
        with torch.no_grad():
            yield f"{size[0]}x{size[1]}", x, other(x)


def write_whole(name, folder, **more):
    model = randomize(make(name, **more))
    save_for_hf(model, folder, safe_serialization=True)
    hidden = []
    model.blocks[0].register_forward_pre_hook(lambda block, x: hidden.append(x[0]))
    for block in model.blocks:
        block.register_forward_hook(lambda block, x, y: hidden.append(y))
    x = torch.randn(2, 3, *model.patch_embed.img_size)
    y = model(x)
    y.square().sum().backward()
    tensors = {"pixels": x, "output": y, "parameters": torch.tensor([float(sum(p.numel() for p in model.parameters()))])}
    tensors |= {f"hidden.{i}": h for i, h in enumerate(hidden)}
    tensors |= {f"grad/{n}": p.grad for n, p in model.named_parameters()}
    if model.cls_token is not None and getattr(model, "pos_embed", None) is not None and model.pos_embed.shape[1] == model.patch_embed.num_patches:
        # Fovea's positions have a row for the class token, whose gradient is the token's.
        tensors["grad/pos_embed"] = torch.cat([model.cls_token.grad, model.pos_embed.grad], 1)
        tensors["parameters"] += model.embed_dim
    for size, x, output in other_sizes(model, name, **more):
        tensors |= {f"{size}/pixels": x, f"{size}/output": output}
    save_file({k: v.detach().contiguous().clone() for k, v in tensors.items()}, os.path.join(folder, "golden.safetensors"), metadata=META)


def write(name, folder):
    model = randomize(make(name))
    save_for_hf(model, folder, safe_serialization=True)
    weights = os.path.join(folder, "model.safetensors")
    state = load_file(weights)
    if sum(v.numel() for v in state.values()) > 4_000_000:
        save_file({k: v for k, v in state.items() if v.numel() <= 10_000}, weights, metadata={"format": "pt"})
        return {}
    x = torch.randn(1, 3, *model.patch_embed.img_size)
    return {f"{name}/pixels": x, f"{name}/logits": model(x)}


if __name__ == "__main__":
    if sys.argv[1] == "-names":
        print(json.dumps(NAMES))
        sys.exit()
    if sys.argv[1] == "-goldens":
        from opcases import golden as at
        for name in GOLDENS:
            torch.manual_seed(1 + NAMES.index(name))
            folder = at("models/vit", os.path.join("kinds", name))
            os.makedirs(folder, exist_ok=True)
            patch = dict(patch_size=1, img_size=8) if "_r_s16_" in name else dict(patch_size=4, img_size=12)
            write_whole(name, folder, **TINY, **patch)
        sys.exit()
    if sys.argv[1] == "-whole":
        for name in sys.argv[3:]:
            torch.manual_seed(1 + NAMES.index(name))
            os.makedirs(os.path.join(sys.argv[2], name))
            write_whole(name, os.path.join(sys.argv[2], name))
        sys.exit()
    out, names = sys.argv[1], sys.argv[2:] or NAMES
    golden = {}
    with torch.inference_mode():
        for name in names:
            torch.manual_seed(1 + NAMES.index(name))
            folder = os.path.join(out, name)
            os.makedirs(folder)
            golden |= write(name, folder)
    save_file(golden, os.path.join(out, "golden.safetensors"), metadata=META)
