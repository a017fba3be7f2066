"""Writes nn/lora/testdata: a small ViT of transformers and adapters of PEFT on it, with outputs and gradients.

    python testdata/gen/lora.py                  # from the module's root

    base/      the model, as save_pretrained writes it
    attention/ queries and values adapted, the classifier trained beside them
    layers/    every other linear layer of the last two blocks and the classifier: an expression as target, ranks and
               alphas of their own for some modules, rsLoRA
    old/       attention/ with the names of modules that transformers 4 has in memory and 5 on disk

Each adapter's folder holds golden.safetensors: pixels, labels, logits, the loss, and the gradient of every trained
parameter under its name in the file. Versions: requirements.txt. Seeds are in each golden's metadata.
"""

import json
import os
import shutil

import numpy as np
import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.numpy import save_file
from safetensors.torch import load_file, save_file as save_tensors
from transformers import ViTConfig, ViTForImageClassification

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
OUT = "nn/lora/testdata"


def array(x):
    return np.ascontiguousarray(x.detach().numpy().astype(np.float32))


def base():
    torch.manual_seed(1)
    model = ViTForImageClassification(ViTConfig(
        hidden_size=12, num_hidden_layers=3, num_attention_heads=3, intermediate_size=20, image_size=8, patch_size=4,
        num_labels=5))
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(p + torch.randn_like(p) * (0.2 if p.ndim > 1 else 0.1))
    model.save_pretrained(f"{OUT}/base")


def adapt(name, seed, **config):
    model = ViTForImageClassification.from_pretrained(f"{OUT}/base", attn_implementation="eager")
    torch.manual_seed(seed)
    model = get_peft_model(model, LoraConfig(init_lora_weights=False, **config)).eval()
    with torch.no_grad():
        for n, p in model.named_parameters():
            if "modules_to_save" in n:
                p.copy_(p + torch.randn_like(p) * 0.2)
    pixels, labels = torch.randn(3, 3, 8, 8), torch.tensor([4, 0, 2])
    logits = model(pixels).logits
    loss = torch.nn.functional.cross_entropy(logits, labels)
    loss.backward()
    tensors = {"pixels": array(pixels), "logits": array(logits), "loss": array(loss), "labels": labels.numpy()}
    folder = f"{OUT}/{name}"
    model.save_pretrained(folder)
    os.remove(f"{folder}/README.md")
    for p in model.parameters():
        if p.requires_grad:
            p.data = p.grad
    tensors |= {f"grad/{k}": array(v) for k, v in get_peft_model_state_dict(model).items()}
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}"
    save_file(tensors, f"{folder}/golden.safetensors",
              metadata={"script": "lora.py", "versions": versions, "seed": str(seed)})
    print(folder, sorted(os.listdir(folder)), len(tensors))


def old_names():
    def rename(n):
        for new, old in (("vit.layers", "vit.encoder.layer"), ("attention.q_proj", "attention.attention.query"),
                         ("attention.v_proj", "attention.attention.value")):
            n = n.replace(new, old)
        return n

    os.makedirs(f"{OUT}/old", exist_ok=True)
    weights = load_file(f"{OUT}/attention/adapter_model.safetensors")
    save_tensors({rename(k): v for k, v in weights.items()}, f"{OUT}/old/adapter_model.safetensors",
                 metadata={"format": "pt"})
    with open(f"{OUT}/attention/adapter_config.json") as f:
        config = json.load(f)
    config["target_modules"] = ["query", "value"]
    with open(f"{OUT}/old/adapter_config.json", "w") as f:
        json.dump(config, f, indent=2, sort_keys=True)


shutil.rmtree(OUT, ignore_errors=True)
base()
adapt("attention", 2, r=2, lora_alpha=4, lora_dropout=0.1, target_modules=["q_proj", "v_proj"],
      modules_to_save=["classifier"])
adapt("layers", 3, r=3, lora_alpha=6, target_modules=r"vit\.layers\.[12]\.(attention\.o_proj|mlp\.fc[12])|classifier",
      use_rslora=True, rank_pattern={r"layers\.2\.mlp\.fc1": 5, "o_proj": 1}, alpha_pattern={"fc2": 9})
old_names()
