"""Loads quantized folders by transformers and compressed-tensors, and writes their outputs, with activations that are rounded
("outputs") and that are not ("weights").

    python check_quantized.py (KIND FOLDER INPUTS OUTPUTS)...

KIND is a class of transformers. INPUTS holds "pixels" [n, channels, height, width], or "ids" [n, tokens]. The outputs are
the logits, or the last hidden state of a model without a head. Every linear layer must be quantized, except those that the
folder's list "ignore" names, and no other layer.
"""

import sys

import compressed_tensors
import torch
import transformers
from safetensors.torch import load_file, save_file

torch.set_num_threads(1)


def check(kind, folder, inputs, outputs):
    model, info = getattr(transformers, kind).from_pretrained(folder, output_loading_info=True)
    for key in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if info[key]:
            sys.exit(f"{folder}: {key}: {sorted(info[key])}")
    model.eval()
    ignored = set(model.config.quantization_config.quantization_config.ignore)
    layers = {name: m for name, m in model.named_modules() if getattr(m, "quantization_scheme", None) is not None}
    linear = {name for name, m in model.named_modules() if isinstance(m, torch.nn.Linear)}
    if not layers or set(layers) != linear - ignored:
        sys.exit(f"{folder}: expected the linear layers {sorted(linear)} without {sorted(ignored)} to be quantized, found {sorted(layers)}")
    x = load_file(inputs)
    x = {"pixel_values": x["pixels"]} if "pixels" in x else {"input_ids": x["ids"]}

    def run():
        with torch.inference_mode():
            y = model(**x)
        return y.logits if "logits" in y else y.last_hidden_state

    out = {"outputs": run()}
    for m in layers.values():
        m.quantization_scheme.input_activations = None
    out["weights"] = run()
    save_file({k: v.float().contiguous() for k, v in out.items()}, outputs,
              metadata={"script": "check_quantized.py", "versions": "compressed-tensors " + compressed_tensors.__version__, "seed": "none"})


for i in range(1, len(sys.argv), 4):
    check(*sys.argv[i:i + 4])
