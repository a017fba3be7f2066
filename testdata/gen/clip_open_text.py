"""Writes small random models of open_clip with text towers of transformers', with their outputs and gradients.

    python clip_open_text.py FOLDER SEED        FOLDER/open-0 and so on
    python clip_open_text.py check FOLDER...    loads folders that Model.Save wrote and compares with expected.safetensors in them

Each folder has the files of open_clip, images, and golden.safetensors: pixels, ids, features, logits, the loss and its gradients. Its
configuration calls the encoder tiny-0 and so on. encoder/config.json in it describes that encoder, which open_clip would ask the hub
for. Versions: requirements.txt.
"""

import json
import os
import random
import sys

import numpy as np
import open_clip
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file
from transformers import RobertaConfig, RobertaTokenizer, XLMRobertaConfig, XLMRobertaTokenizer

from clip_folders import loss_of
from models_clip import images
from models_vit import array, randomize

TEXTS = ["a photo of a cat", "ein  Hund &amp; 猫\n", "", "the <pad> cat <mask>", "cat " * 90, "naïve CAT"]


def tokenizer(xlm):
    if xlm:
        words = ["▁a", "▁photo", "▁of", "▁cat", "▁ein", "▁Hund", "▁the", "▁", "猫", "&", *"abcdefghijklmnopqrstuvwxyz"]
        vocab = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)] + [(w, -float(i + 1) / 4) for i, w in enumerate(words)] + [("<mask>", 0.0)]
        return XLMRobertaTokenizer(vocab=vocab, model_max_length=60)
    letters = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or 174 <= b <= 255]
    letters = [chr(b) for b in letters] + [chr(256 + i) for i in range(256 - len(letters))]
    merges = [("Ġ", "c"), ("a", "t"), ("Ġc", "at")]
    tokens = ["<s>", "<pad>", "</s>", "<unk>"] + letters + ["".join(m) for m in merges] + ["<mask>"]
    return RobertaTokenizer(vocab={t: i for i, t in enumerate(tokens)}, merges=merges, model_max_length=60)


def named(folder, name):
    """Changes the name of the encoder in the configuration of a folder."""
    path = os.path.join(folder, "open_clip_config.json")
    with open(path) as f:
        config = json.load(f)
    config["model_cfg"]["text_cfg"]["hf_model_name"] = name
    with open(path, "w") as f:
        json.dump(config, f)


def folder(folder, i, seed):
    r, rng = random.Random(seed), np.random.default_rng(seed)
    torch.manual_seed(seed)
    os.makedirs(folder)
    tok = tokenizer(i % 2 == 0)
    tok.save_pretrained(folder)
    heads = r.choice([1, 2])
    dims = dict(vocab_size=len(tok), hidden_size=heads * r.choice([8, 12]), num_hidden_layers=2, num_attention_heads=heads, intermediate_size=r.choice([20, 32]),
                max_position_embeddings=r.choice([90, 100]), type_vocab_size=1, layer_norm_eps=1e-5)
    encoder = os.path.join(folder, "encoder")
    (XLMRobertaConfig if i % 2 == 0 else RobertaConfig)(**dims).save_pretrained(encoder)
    text = dict(hf_model_name=encoder, hf_tokenizer_name="x")
    text |= [{}, dict(hf_proj_type="linear", hf_pooler_type="cls_last_hidden_state_pooler"), dict(hf_proj_type="linear", hf_pooler_type="mean_pooler", context_length=20),
             dict(hf_pooler_type="cls_pooler")][i]
    cfg = dict(embed_dim=r.choice([6, 16]), vision_cfg=dict(image_size=16, layers=2, width=16, head_width=8, patch_size=8), text_cfg=text)
    if i % 2:
        cfg["quick_gelu"] = True
    model = open_clip.model.CustomTextCLIP(**{k: dict(v, hf_model_pretrained=False) if k == "text_cfg" else v for k, v in cfg.items()}).eval()
    randomize(model)
    torch.save(model.state_dict(), os.path.join(folder, "open_clip_pytorch_model.bin"))
    with open(os.path.join(folder, "open_clip_config.json"), "w") as f:
        json.dump({"model_cfg": cfg, "preprocess_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}}, f)
    model, _, preprocess = open_clip.create_model_and_transforms("local-dir:" + folder)
    model.eval()
    names = images(folder, rng, more=True)
    pixels = torch.stack([preprocess(Image.open(os.path.join(folder, n))) for n in names])
    ids = open_clip.get_tokenizer("local-dir:" + folder)(TEXTS)
    x, y = model.encode_image(pixels), model.encode_text(ids)
    logits = model.logit_scale.exp() * torch.nn.functional.normalize(x, dim=-1) @ torch.nn.functional.normalize(y, dim=-1).T
    loss = loss_of(logits)
    loss.backward()
    tensors = {"grad/" + n: array(p.grad).reshape(p.shape) for n, p in model.named_parameters() if p.grad is not None}
    tensors |= {"pixels": array(pixels), "ids": ids.numpy(), "image_features": array(x), "text_features": array(y), "logits": array(logits), "loss": array(loss)}
    named(folder, f"tiny-{i}")
    save_file(tensors, os.path.join(folder, "golden.safetensors"),
              metadata={"script": "clip_open_text.py", "versions": f"torch {torch.__version__}, open_clip {open_clip.__version__}", "seed": str(seed)})


def check(folder):
    """Compares what open_clip makes of a saved folder with what Fovea makes of the images and texts."""
    want = load_file(os.path.join(folder, "expected.safetensors"))
    named(folder, os.path.join(os.path.dirname(folder), "encoder"))
    model, _, preprocess = open_clip.create_model_and_transforms("local-dir:" + folder)
    names = sorted(n for n in os.listdir(os.path.dirname(folder)) if n.endswith(("png", "jpg")))
    pixels = torch.stack([preprocess(Image.open(os.path.join(os.path.dirname(folder), n))) for n in names])
    ids = open_clip.get_tokenizer("local-dir:" + folder)(TEXTS)
    with torch.inference_mode():
        got = model.eval().encode_image(pixels, normalize=True), model.encode_text(ids, normalize=True)
    for name, g, most in (("image_embeds", got[0], 2e-2), ("text_embeds", got[1], 1e-4)):
        error = np.abs(array(g) - want[name]).max()
        assert error < most, (folder, name, error)


if __name__ == "__main__":
    if sys.argv[1] == "check":
        for f in sys.argv[2:]:
            check(f)
        print(len(sys.argv) - 2, "folders")
    else:
        for i in range(4):
            folder(os.path.join(sys.argv[1], f"open-{i}"), i, 1000 * int(sys.argv[2]) + i)
