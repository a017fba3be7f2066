"""Writes a small random CLIP model with a ResNet as open_clip saves it, with outputs.

    python clip_resnet.py

The folder is models/clip/testdata/resnet/. golden.safetensors in it holds pixels, ids, embeddings and logits. Normalizations
use their running statistics, but in "train/image_features". Weights and pixels are float16. clip_folders.py makes models of
other sizes, with gradients.

Versions: requirements.txt. Seeds are in each golden's metadata.
"""

import json
import os

import open_clip
import torch
from open_clip.model import CLIP
from safetensors.numpy import save_file

from models_vit import array
from opcases import golden


def resnet(folder, seed, layers, width, head_width, image, dim):
    torch.manual_seed(seed)
    config = dict(
        embed_dim=dim, quick_gelu=True,
        vision_cfg=dict(image_size=image, layers=layers, width=width, head_width=head_width, patch_size=None),
        text_cfg=dict(context_length=12, vocab_size=40, width=8, heads=2, layers=1))
    model = CLIP(**config).eval()
    for name, b in model.named_buffers():
        if name.endswith("running_mean"):
            b.copy_(torch.randn_like(b) * 0.2)
        if name.endswith("running_var"):
            b.copy_(torch.rand_like(b) + 0.5)
    for name, p in model.named_parameters():
        with torch.no_grad():
            if p.ndim == 1:
                p.add_(torch.randn_like(p) * 0.2)
            elif p.ndim == 4:
                p.copy_(torch.randn_like(p) * (2 / p[0].numel()) ** 0.5)
            else:
                p.add_(torch.randn_like(p) * 0.1)
    model.half().float()
    pixels = torch.randn(2, 3, image, image).half().float()
    ids = torch.randint(1, 38, (2, 12))
    ids[:, 0] = 38
    for i, n in enumerate((5, 12)):
        ids[i, n - 1], ids[i, n:] = 39, 0
    x, y = model.encode_image(pixels, normalize=True), model.encode_text(ids, normalize=True)
    logits = model.logit_scale.exp() * x @ y.T
    tensors = {"pixels": array(pixels).astype("float16"), "ids": ids.numpy(), "image_embeds": array(x), "text_embeds": array(y),
               "logits": array(logits)}
    os.makedirs(folder, exist_ok=True)
    weights = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    save_file({k: v.numpy() for k, v in weights.items()}, os.path.join(folder, "open_clip_model.safetensors"), metadata={"format": "pt"})
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    with open(os.path.join(folder, "open_clip_config.json"), "w") as f:
        json.dump(dict(model_cfg=config, preprocess_cfg=dict(mean=mean, std=std)), f, indent=2)
    model.train()
    with torch.no_grad():
        tensors["train/image_features"] = array(model.encode_image(pixels))
    versions = f"torch {torch.__version__}, open_clip {open_clip.__version__}"
    save_file(tensors, os.path.join(folder, "golden.safetensors"),
              metadata={"script": "clip_resnet.py", "versions": versions, "seed": str(seed)})


if __name__ == "__main__":
    resnet(golden("models/clip", "resnet"), 41, [1, 2, 1, 1], 2, 16, 64, 10)
