"""Loads adapters that Fovea saved into PEFT and compares the outputs.

    python check_lora.py BASE (FOLDER OUTPUTS)...

BASE is a ViTForImageClassification of transformers, OUTPUTS a safetensors file with pixels and the logits that Fovea
computed. Exits with 1 and says by how much when they differ by more than 1e-4 of the larger of 1 and their root mean
square, and with 3 where PEFT is not installed.
"""

import sys
import warnings

import torch
from safetensors.torch import load_file
from transformers import ViTForImageClassification

try:
    from peft import PeftModel
except ImportError:
    sys.exit(3)

torch.set_num_threads(1)
base, *arguments = sys.argv[1:]
for folder, outputs in zip(arguments[::2], arguments[1::2]):
    want = load_file(outputs)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*adapter keys.*")  # missing ones are only warned of
        model = PeftModel.from_pretrained(ViTForImageClassification.from_pretrained(base), folder).eval()
    held = load_file(f"{folder}/adapter_model.safetensors")
    known = {n.replace(".default", "").replace(".modules_to_save", "") for n, _ in model.named_parameters()}
    if unknown := sorted(set(held) - known):
        sys.exit(f"{folder}: PEFT has no parameters of the names {unknown}")
    with torch.inference_mode():
        logits = model(want["pixels"]).logits
    limit = 1e-4 * max(1, want["logits"].square().mean().sqrt().item())
    difference = (logits - want["logits"]).abs().max().item()
    print(f"{folder}: largest difference {difference:.2g}")
    if not difference <= limit:
        sys.exit(f"{folder}: logits differ by {difference:.3g}, expected at most {limit:.3g}")
