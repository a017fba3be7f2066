"""Writes small random Vision Transformers of timm, with what forward_intermediates gives for them.

    python vit_features.py OUT     OUT/NAME, a folder of timm's for every form, with golden.safetensors in it

The golden holds pixels and, for the blocks 0 and 2 of three, raw or normalized: the tokens before the patches and those of
the patches, as {raw,norm}.{0,2}/{prefix,patches}. grad/NAME are the gradients of the sum of the squares of all normalized
ones. wide/pixels and wide/patches are those of one image of another size, block 1, normalized. The seed is the number of the form.
"""

import os
import sys

import timm
import torch
from safetensors.torch import save_file
from timm.models._hub import save_for_hf

torch.set_num_threads(1)

SMALL = dict(num_classes=0, embed_dim=24, num_heads=2, depth=3, patch_size=4)
FORMS = {
    "class": ("vit_tiny_patch16_224", dict(img_size=12)),
    "registers": ("vit_tiny_patch16_224", dict(img_size=(16, 12), reg_tokens=3, init_values=0.1)),
    "distilled": ("deit_tiny_distilled_patch16_224", dict(img_size=12)),
    "patches": ("vit_tiny_patch16_224", dict(img_size=12, class_token=False, global_pool="avg", fc_norm=False)),
}


def intermediates(model, x, **args):
    _, found = model.forward_intermediates(x, output_fmt="NLC", return_prefix_tokens=model.num_prefix_tokens > 0, **args)
    return [y if isinstance(y, tuple) else (y, None) for y in found]


for seed, (name, (architecture, args)) in enumerate(FORMS.items()):
    torch.manual_seed(seed)
    size = args["img_size"] if isinstance(args["img_size"], tuple) else (args["img_size"],) * 2
    model = timm.create_model(architecture, pretrained_cfg_overlay=dict(input_size=(3, *size)), **SMALL, **args).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p), alpha=0.2 if p.ndim > 1 else 0.1)
    folder = os.path.join(sys.argv[1], name)
    os.makedirs(folder)
    save_for_hf(model, folder, safe_serialization=True, model_args=SMALL | args)
    x = torch.randn(2, 3, *size)
    tensors = {"pixels": x}
    for kind in ("raw", "norm"):
        found = intermediates(model, x, indices=[0, 2], norm=kind == "norm")
        for layer, (patches, prefix) in zip((0, 2), found):
            tensors[f"{kind}.{layer}/patches"] = patches
            if prefix is not None:
                tensors[f"{kind}.{layer}/prefix"] = prefix
    sum(part.square().sum() for pair in found for part in pair if part is not None).backward()
    tensors |= {"grad/" + k: p.grad for k, p in model.named_parameters()}
    model.set_input_size(img_size=(8, 20))
    with torch.no_grad():
        other = torch.randn(1, 3, 8, 20)
        tensors |= {"wide/pixels": other, "wide/patches": intermediates(model, other, indices=[1], norm=True)[0][0]}
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, os.path.join(folder, "golden.safetensors"), metadata={
        "script": "vit_features.py", "versions": f"torch {torch.__version__}, timm {timm.__version__}", "seed": str(seed)})
