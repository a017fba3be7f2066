"""Loads adapters that Fovea saved into PEFT and compares them.

    python check_lora.py BASE (FOLDER OUTPUTS)...
    python check_lora.py --named (BASE FOLDER OUTPUTS)...
    python check_lora.py --modules SHAPES FOLDER...

BASE is a ViTForImageClassification of transformers, OUTPUTS a safetensors file with pixels and the logits that Fovea
computed. An adapter of a ViTModel alone goes into the one inside. Exits with 1 and says by how much when they differ by
more than 1e-4 of the larger of 1 and their root mean square, and with 3 where PEFT is not installed.

With --named, BASE is a folder of any class of transformers that config.json names. A model without a classifier gives the
class token in place of logits.

With --modules, SHAPES is the JSON of the names and shapes of a model's parameters. A matrix is the weight of a linear
layer. Prints the JSON of the rank and alpha of each adapter, by module, in a line for each folder. Exits with 1 when PEFT
does not hold the values of a folder's file.
"""

import json
import sys
import warnings

import torch
from safetensors.torch import load_file
from torch import nn
from transformers import ViTForImageClassification

try:
    from peft import PeftModel
except ImportError:
    sys.exit(3)

torch.set_num_threads(1)


def adapted(model, folder):
    """The model with the adapter, whose values must be the file's."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*adapter keys.*")  # missing ones are only warned of
        model = PeftModel.from_pretrained(model, folder).eval()
    known = {n.replace(".default", "").replace(".modules_to_save", ""): p for n, p in model.named_parameters()
             if ".original_module." not in n}
    held = load_file(f"{folder}/adapter_model.safetensors")
    if unknown := sorted(set(held) - set(known)):
        sys.exit(f"{folder}: PEFT has no parameters of the names {unknown}")
    if other := sorted(n for n, x in held.items() if not torch.equal(x, known[n])):
        sys.exit(f"{folder}: PEFT has other values of {other}")
    return model


def from_shapes(shapes):
    root = nn.Module()
    for name, shape in shapes.items():
        *path, last = name.split(".")
        module = root
        for i, segment in enumerate(path):
            if segment not in dict(module.named_children()):
                weight = shapes.get(".".join(path[: i + 1] + ["weight"]), [])
                module.add_module(segment, nn.Linear(weight[1], weight[0]) if len(weight) == 2 else nn.Module())
            module = getattr(module, segment)
        setattr(module, last, nn.Parameter(torch.zeros(shape)))
    return root


if sys.argv[1] == "--modules":
    for folder in sys.argv[3:]:
        model = adapted(from_shapes(json.loads(sys.argv[2])), folder).base_model.model
        print(json.dumps({n: [m.r["default"], m.scaling["default"] * m.r["default"]] for n, m in model.named_modules()
                          if hasattr(m, "lora_A")}))
    sys.exit()


def compare(folder, logits, want):
    limit = 1e-4 * max(1, want.square().mean().sqrt().item())
    difference = (logits - want).abs().max().item()
    print(f"{folder}: largest difference {difference:.2g}")
    if not difference <= limit:
        sys.exit(f"{folder}: logits differ by {difference:.3g}, expected at most {limit:.3g}")


if sys.argv[1] == "--named":
    import transformers
    for base, folder, outputs in zip(sys.argv[2::3], sys.argv[3::3], sys.argv[4::3]):
        with open(f"{base}/config.json") as f:
            model = getattr(transformers, json.load(f)["architectures"][0]).from_pretrained(base)
        want = load_file(outputs)
        with torch.inference_mode():
            plain = model.eval()(want["pixels"])
            model = adapted(model, folder)
            out = model(want["pixels"])
        first = lambda out: out.logits if hasattr(out, "logits") else out.last_hidden_state[:, 0]
        if torch.equal(first(plain), first(out)):
            sys.exit(f"{folder}: the adapter changes nothing")
        compare(folder, first(out), want["logits"])
    sys.exit()

base, *arguments = sys.argv[1:]
for folder, outputs in zip(arguments[::2], arguments[1::2]):
    want = load_file(outputs)
    model = ViTForImageClassification.from_pretrained(base)
    if any(n.startswith("base_model.model.layers.") for n in load_file(f"{folder}/adapter_model.safetensors")):
        model.vit = adapted(model.vit, folder)
        model.eval()
    else:
        model = adapted(model, folder)
    with torch.inference_mode():
        logits = model(want["pixels"]).logits
    compare(folder, logits, want["logits"])
