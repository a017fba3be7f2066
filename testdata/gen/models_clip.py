"""Writes small random CLIP models of transformers, with outputs and gradients.

    python models_clip.py

For each model, save_pretrained writes the folder, its tokenizer and its image processor. golden.safetensors in it holds
pixels, ids, embeddings, logits, the contrastive loss and the gradient of each parameter, with the parameter's name on disk:

    models/clip/testdata/tiny/   the end of a text is its first eos_token_id
    models/clip/testdata/old/    the end is the largest id; text_config_dict and vision_config_dict; erf GELU; images of 1 channel

Versions: requirements.txt. Seeds are in each golden's metadata.
"""

import json
import os

import numpy as np
import torch
from PIL import Image
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

from models_vit import array, finish, randomize
from opcases import golden

MERGES = ["a t</w>", "c at</w>", "o g</w>", "d og</w>", "p h", "o t", "ph ot", "phot o</w>", "o f</w>", "t h", "th e</w>"]
TEXTS = ["a photo of a cat", "dog", "The cat & the DOG, 12 photos of a bird!"]


def tokenizer():
    """A CLIPTokenizer of 256 bytes, the same at the ends of words, and a few merges."""
    letters = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or 174 <= b <= 255]
    letters = [chr(b) for b in letters] + [chr(256 + i) for i in range(256 - len(letters))]
    tokens = letters + [x + "</w>" for x in letters] + [m.replace(" ", "") for m in MERGES] + ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={t: i for i, t in enumerate(tokens)}, merges=[tuple(m.split(" ")) for m in MERGES], model_max_length=24)


def heat(model, pixels, texts):
    """The maps of Grad-ECLIP (Zhao et al., ICML 2024, section 3) with the attention of all heads: [texts, patches]."""
    attention = model.vision_model.encoder.layers[-1].self_attn
    seen = {}
    hooks = [getattr(attention, n).register_forward_hook(lambda m, i, o, n=n: seen.__setitem__(n, o[0].detach())) for n in ("q_proj", "k_proj", "v_proj")]

    def keep(module, inputs):
        seen["o"] = inputs[0]
        inputs[0].retain_grad()
    hooks.append(attention.out_proj.register_forward_pre_hook(keep))
    maps = []
    for text in texts:
        image = model.get_image_features(pixel_values=pixels).pooler_output[0]
        (image / image.norm() * text).sum().backward()
        query, keys = (torch.nn.functional.normalize(x, dim=-1) for x in (seen["q_proj"][:1], seen["k_proj"][1:]))
        close = (keys @ query.T)[:, 0]
        close = (close - close.min()) / (close.max() - close.min())
        maps.append(torch.relu((seen["o"].grad[0, 0] * seen["v_proj"][1:]).sum(-1) * close))
    for hook in hooks:
        hook.remove()
    model.zero_grad()
    return array(torch.stack(maps))


def images(folder, rng, more=False):
    """Writes images of several shapes and kinds, and returns their names. More are one with alpha and a JPEG."""
    sizes = {"wide.png": (75, 40, "RGB"), "tall.png": (31, 66, "RGB"), "tiny.png": (5, 3, "RGB"), "gray.png": (50, 50, "L")}
    if more:
        sizes |= {"alpha.png": (61, 45, "RGBA"), "photo.jpg": (70, 55, "RGB")}
    for name, (w, h, mode) in sizes.items():
        shape = (h, w) if mode == "L" else (h, w, len(mode))
        img = Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8))
        if name.endswith("jpg"):  # noise is no photograph
            img = img.resize((9, 7)).resize((w, h), Image.BICUBIC)
        img.save(os.path.join(folder, name))
    return sorted(sizes)


def clip(name, seed, channels, vision, text, old):
    torch.manual_seed(seed)
    tok = tokenizer()
    text |= dict(vocab_size=len(tok), max_position_embeddings=24, bos_token_id=tok.bos_token_id,
                 eos_token_id=2 if old else tok.eos_token_id, pad_token_id=tok.pad_token_id)
    vision |= dict(num_channels=channels)
    c = CLIPConfig(text_config=text, vision_config=vision, projection_dim=10, attn_implementation="eager")
    model = CLIPModel(c).eval()
    randomize(model)
    size = c.vision_config.image_size
    pixels = torch.randn(3, channels, size, size)
    inputs = tok(TEXTS, padding=True, return_tensors="pt")
    out = model(pixel_values=pixels, **inputs, return_loss=True)
    maps = heat(model, pixels[:1], out.text_embeds.detach())
    out.loss.backward()
    tensors = {"heat": maps, "pixels": array(pixels), "image_embeds": array(out.image_embeds), "text_embeds": array(out.text_embeds),
               "logits": array(out.logits_per_image), "loss": array(out.loss), "ids": inputs["input_ids"].numpy()}
    with torch.no_grad():
        tensors["image_features"] = array(model.get_image_features(pixel_values=pixels).pooler_output)
        tensors["text_features"] = array(model.get_text_features(**inputs).pooler_output)
        wide = torch.randn(1, channels, size, size + 8)
        tensors["wide/pixels"] = array(wide)
        tensors["wide/image_features"] = array(model.get_image_features(pixel_values=wide, interpolate_pos_encoding=True).pooler_output)
    folder = golden("models/clip", name)
    finish(model, folder, tensors, seed, "models_clip.py")
    tok.save_pretrained(folder)
    if channels == 3:
        CLIPImageProcessor(size={"shortest_edge": size}, crop_size=size).save_pretrained(folder)
    if old:  # as transformers before 4.26 wrote it
        path = os.path.join(folder, "config.json")
        with open(path) as f:
            config = json.load(f)
        for part in ("text_config", "vision_config"):
            config[part + "_dict"] = {k: v for k, v in config[part].items() if k in text | vision}
            config[part] = {"hidden_size": 9999, "intermediate_size": 3}
        with open(path, "w") as f:
            json.dump(config, f, indent=2)


if __name__ == "__main__":
    clip("tiny", 31, 3, dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=16, patch_size=8),
         dict(hidden_size=12, intermediate_size=20, num_hidden_layers=2, num_attention_heads=3), False)
    clip("old", 32, 1, dict(hidden_size=12, intermediate_size=18, num_hidden_layers=3, num_attention_heads=3, image_size=19, patch_size=8,
                            hidden_act="gelu", layer_norm_eps=1e-6),
         dict(hidden_size=8, intermediate_size=12, num_hidden_layers=1, num_attention_heads=2, hidden_act="gelu"), True)
