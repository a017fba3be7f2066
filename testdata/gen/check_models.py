"""Loads model folders that Fovea saved with a Python library and compares the outputs.

    python check_models.py vit|mae|named|auto|refused|timm|walk|original (FOLDER OUTPUTS)...

    vit, mae    transformers
    named       the class of transformers that config.json names; without logits, what result_of of vit_family.py returns is compared. Tokens of pre-training may lack
    auto        transformers' AutoModelForImageClassification, which must show the names of the classes
    refused     the same, which must not know the model_type; ViTForImageClassification must find none of its blocks
    timm        timm.create_model
    walk        the same, with the narrow hybrids of timm_walk.py
    original    modules with the names of facebookresearch/mae, for images of 16, patches of 4 and a width of 24

OUTPUTS is a safetensors file with Fovea's pixels and logits; for a masked autoencoder also noise and loss. The script
exits with 1 and prints the difference if an output differs by more than 1e-4 · max(1, rms of the library's output).
"""

import json
import sys

import torch
from safetensors.torch import load_file

torch.set_num_threads(1)


def transformers_model(name, unused=()):
    def load(folder):
        import transformers
        model, info = getattr(transformers, name).from_pretrained(folder, output_loading_info=True)
        for key in ("missing_keys", "unexpected_keys", "mismatched_keys"):
            if [k for k in info[key] if not any(u in k for u in unused)]:
                sys.exit(f"{folder}: {key}: {sorted(info[key])}")
        return model
    return load


def refuse(folder):
    import transformers
    try:
        transformers.AutoModelForImageClassification.from_pretrained(folder)
    except ValueError as e:
        if "does not recognize this architecture" not in str(e):
            raise
    else:
        sys.exit(f"{folder}: transformers loads it")
    try:
        _, info = transformers.ViTForImageClassification.from_pretrained(folder, output_loading_info=True)
    except RuntimeError:  # tensors of other shapes
        return
    if not {f"vit.layers.0.mlp.fc1.{p}" for p in ("weight", "bias")} <= set(info["missing_keys"]):
        sys.exit(f"{folder}: transformers takes it for a ViT, {info}")


def timm_model(folder):
    import timm
    return timm.create_model("local-dir:" + folder, pretrained=True)


def walk_model(folder):
    import timm_walk  # noqa: F401, which narrows the convolutions of hybrids
    return timm_model(folder)


def original_model(folder):
    from model_folders import MaskedAutoencoder
    model = MaskedAutoencoder(16, 4, 24, 2, 3, 16, 1, 2)
    model.load_state_dict(load_file(folder + "/model.safetensors"))
    return model


kind, *arguments = sys.argv[1:]
if kind == "refused":
    for folder in arguments[::2]:
        refuse(folder)
    sys.exit()


def named(folder):
    with open(folder + "/config.json") as f:
        config = json.load(f)
    empty = [] if config.get("num_register_tokens") else ["register_tokens"]
    return transformers_model(config["architectures"][0], unused=["pooler", "mask_token", "num_batches_tracked", *empty])(folder)


load = {"named": named, "auto": transformers_model("AutoModelForImageClassification"), "vit": transformers_model("ViTForImageClassification"), "mae": transformers_model("ViTMAEForPreTraining"),
        "timm": timm_model, "walk": walk_model, "original": original_model}[kind]
for folder, outputs in zip(arguments[::2], arguments[1::2]):
    want = load_file(outputs)
    model = load(folder).eval()
    with torch.inference_mode():
        out = model(want["pixels"], **({"noise": want["noise"]} if "noise" in want else {}))
    if kind == "original":
        got = dict(zip(("logits", "loss"), out))
    elif kind in ("timm", "walk"):
        got = {"logits": out}
    elif "logits" not in out:
        from vit_family import result_of
        got = {"logits": result_of(model, out)}
    else:
        got = out
    if kind == "auto":
        with open(f"{folder}/config.json") as f:
            names = json.load(f)["label_names"]
        if model.config.id2label != dict(enumerate(names)):
            sys.exit(f"{folder}: the classes are {model.config.id2label}, expected {names}")
    for name in ("logits", "loss"):
        if name not in want:
            continue
        a, b = want[name].flatten(), got[name].flatten()
        limit = 1e-4 * max(1.0, b.square().mean().sqrt().item())
        worst = (a - b).abs().max().item()
        print(f"{folder}: {name}: {worst:.2e} of {limit:.2e}")
        if not worst <= limit:
            sys.exit(f"{folder}: {name} differ by {worst}, more than {limit}")
