"""Loads a quantized folder by transformers and compressed-tensors, and writes the logits of images, with activations that
are rounded ("logits") and that are not ("weights").

check_quantized.py FOLDER PIXELS LOGITS prints "skip" and the reason where compressed-tensors is not installed.
"""

import sys

try:
    import compressed_tensors
except ImportError:
    print("skip: compressed-tensors is not installed")
    sys.exit()

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageClassification

folder, pixels, logits = sys.argv[1:]
model = AutoModelForImageClassification.from_pretrained(folder).eval()
quantized = [name for name, m in model.named_modules() if getattr(m, "quantization_scheme", None) is not None]
print(compressed_tensors.__version__, len(quantized), "quantized layers", file=sys.stderr)
if not quantized or "classifier" in quantized:
    sys.exit(f"expected the layers of the blocks to be quantized, found {quantized}")
with torch.inference_mode():
    out = {"logits": model(load_file(pixels)["pixels"]).logits}
    for m in model.modules():
        if getattr(m, "quantization_scheme", None) is not None:
            m.quantization_scheme.input_activations = None
    out["weights"] = model(load_file(pixels)["pixels"]).logits
save_file({k: v.float().contiguous() for k, v in out.items()}, logits,
          metadata={"script": "check_quantized.py", "versions": compressed_tensors.__version__, "seed": "none"})
