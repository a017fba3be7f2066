"""Writes small random CLIP models in all forms of files, with the outputs of the library that the form belongs to.

    python clip_folders.py FOLDER SEED
    python clip_folders.py check FOLDER...

Each model has a folder with the files of its form, images and golden.safetensors: pixels, ids, image and text features,
logits and, under "grad/", the gradients of the contrastive loss. Names of folders begin with the form:

    hf-      transformers' CLIPModel: both activations, both rules for the end of a text, old configurations, float16,
             TinyCLIP
    open-    open_clip: sizes that are not square, erf and tanh GELU, quick_gelu, custom_text, positions of another size, float16,
             ResNets
    openai-  OpenAI's TorchScript archive, mostly in float16

check loads folders that Model.Save wrote, in the library of their form, and compares its outputs with expected.safetensors,
which the Go test wrote. Versions: requirements.txt.
"""

import copy
import json
import os
import random
import sys

import numpy as np
import open_clip
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file
from safetensors.torch import save_file as save_torch
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

from models_clip import TEXTS, images, tokenizer
from models_vit import array, randomize

torch.set_num_threads(2)


def loss_of(logits):
    diagonal = torch.arange(len(logits))
    return (torch.nn.functional.cross_entropy(logits, diagonal) + torch.nn.functional.cross_entropy(logits.T, diagonal)) / 2


def write(folder, tensors):
    metadata = {"script": "clip_folders.py", "versions": f"torch {torch.__version__}, open_clip {open_clip.__version__}", "seed": sys.argv[2]}
    save_file(tensors, os.path.join(folder, "golden.safetensors"), metadata=metadata)


def hf(folder, i, seed):
    r = random.Random(seed)
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    tok = tokenizer()
    if i == 2:  # cut before the text has as many tokens as positions, and at its beginning
        tok.model_max_length, tok.truncation_side = 16, "left"
    old, half, act = i % 2 == 0, i % 3 == 1, ["quick_gelu", "gelu", "gelu_new"][i % 3]
    heads, theads, patch = r.choice([1, 2, 3]), r.choice([1, 2, 4]), r.choice([4, 5, 8])
    c = CLIPConfig(
        vision_config=dict(hidden_size=heads * r.choice([8, 12]), intermediate_size=r.choice([17, 32]), num_hidden_layers=r.choice([1, 2, 3]),
                           num_attention_heads=heads, image_size=patch * r.choice([2, 3]) + r.choice([0, 1]), patch_size=patch,
                           hidden_act=act, layer_norm_eps=r.choice([1e-5, 1e-6])),
        text_config=dict(vocab_size=len(tok) + r.choice([0, 3]), hidden_size=theads * r.choice([8, 10]), intermediate_size=r.choice([19, 40]),
                         num_hidden_layers=r.choice([1, 2, 3]), num_attention_heads=theads, max_position_embeddings=24,
                         hidden_act=act, bos_token_id=tok.bos_token_id, eos_token_id=2 if old else tok.eos_token_id),
        projection_dim=r.choice([6, 16]), attn_implementation="eager")
    if i == 4:  # TinyCLIP-ViT-8M-16-Text-3M (arXiv 2309.12314), an eighth as wide: deep for its width, embeddings wider than towers
        c.vision_config.hidden_size, c.vision_config.intermediate_size, c.vision_config.num_attention_heads = 32, 128, 4
        c.text_config.hidden_size, c.text_config.intermediate_size, c.text_config.num_attention_heads = 32, 128, 4
        c.vision_config.num_hidden_layers, c.text_config.num_hidden_layers, c.projection_dim = 10, 3, 64
    model = CLIPModel(c).eval()
    randomize(model)
    if half:
        model = model.half().float()
    size = c.vision_config.image_size
    processor = CLIPImageProcessor(size={"shortest_edge": size}, crop_size=size)
    names = images(folder, rng, more=True)
    pixels = processor([Image.open(os.path.join(folder, n)) for n in names], return_tensors="pt")["pixel_values"]
    texts = TEXTS + ["CAT " * r.randint(1, 40), "", "dog <|endoftext|> cat"]
    inputs = tok(texts, padding=True, truncation=True, return_tensors="pt")
    out = model(pixel_values=pixels, **inputs, return_loss=True)
    out.loss.backward()
    grads = {"grad/" + n: array(p.grad).reshape(p.shape) for n, p in model.named_parameters()}
    with torch.no_grad():
        features = model.get_image_features(pixel_values=pixels).pooler_output, model.get_text_features(**inputs).pooler_output
    (model.half() if half else model).save_pretrained(folder)
    processor.save_pretrained(folder)
    tok.save_pretrained(folder)
    if i % 4 == 3:
        path = os.path.join(folder, "config.json")
        with open(path) as f:
            config = json.load(f)
        config["vision_config_dict"], config["vision_config"] = config["vision_config"], {"hidden_size": 1}
        config["text_config_dict"], config["text_config"] = config["text_config"], None
        with open(path, "w") as f:
            json.dump(config, f)
    write(folder, grads | {"pixels": array(pixels), "ids": inputs["input_ids"].numpy(), "image_features": array(features[0]),
                           "text_features": array(features[1]), "logits": array(out.logits_per_image), "loss": array(out.loss)})


def statistics(model):
    """Gives batch normalizations running statistics."""
    for name, b in model.named_buffers():
        if name.endswith("running_mean"):
            b.copy_(torch.randn_like(b) * 0.2)
        if name.endswith("running_var"):
            b.copy_(torch.rand_like(b) + 0.5)


def config_of(r, kind):
    heads, theads, patch = r.choice([1, 2, 3]), r.choice([1, 2, 4]), r.choice([4, 5, 8])
    head = r.choice([8, 12])
    size = [patch * 3 + 1, patch * 2] if kind == 1 else patch * r.choice([2, 3])
    vision = dict(image_size=size, layers=r.choice([1, 2]), width=heads * head, head_width=head, patch_size=patch, mlp_ratio=r.choice([4.0, 2.7]))
    text = dict(context_length=24, vocab_size=len(tokenizer()), width=theads * 8, heads=theads, layers=r.choice([1, 2]))
    cfg = dict(embed_dim=r.choice([6, 16]), vision_cfg=vision, text_cfg=text)
    if kind == 4:
        width = r.choice([4, 6, 8])
        cfg["vision_cfg"] = dict(image_size=r.choice([32, 64]), layers=[r.randint(1, 2) for _ in range(4)], width=width,
                                 head_width=r.choice([32, 64]), patch_size=None)
    if kind in (0, 4):
        cfg["quick_gelu"] = True
    if kind == 2:
        cfg["custom_text"] = True
        vision |= dict(norm_kwargs={"eps": 1e-6}, act_kwargs={"approximate": "tanh"})
        text |= dict(norm_kwargs={"eps": 1e-6}, act_kwargs={"approximate": "tanh"}, pool_type="eos", eos_id=len(tokenizer()) - 1)
    return cfg


def build(cfg):
    cfg = copy.deepcopy(cfg)
    custom = cfg.pop("custom_text", False)
    return (open_clip.model.CustomTextCLIP if custom else open_clip.model.CLIP)(**cfg)


def features(folder, model, preprocess, rng, tensors):
    names = images(folder, rng, more=True)
    pixels = torch.stack([preprocess(Image.open(os.path.join(folder, n))) for n in names])
    ids = torch.zeros(6, 24, dtype=torch.long)
    end = len(tokenizer()) - 1
    for row, n in zip(ids, (3, 5, 24, 9, 2, 7)):
        row[0], row[n - 1] = end - 1, end
        row[1:n - 1] = torch.from_numpy(rng.integers(0, end - 1, n - 2))
    x, y = model.encode_image(pixels), model.encode_text(ids)
    logits = model.logit_scale.exp() * torch.nn.functional.normalize(x, dim=-1) @ torch.nn.functional.normalize(y, dim=-1).T
    loss = loss_of(logits)
    loss.backward()
    for n, p in model.named_parameters():
        tensors["grad/" + n] = array(p.grad).reshape(p.shape)
    tensors |= {"pixels": array(pixels), "ids": ids.numpy(), "image_features": array(x), "text_features": array(y),
                "logits": array(logits), "loss": array(loss)}
    write(folder, tensors)


def openclip(folder, i, seed):
    r = random.Random(seed)
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    kind, half = i % 5, i % 5 == 1
    cfg = config_of(r, kind)
    if i == 10:  # TinyCLIP-ViT-39M-16-Text-19M: towers of one width, the text tower with half the blocks
        cfg |= dict(embed_dim=32, quick_gelu=True)
        cfg["vision_cfg"] |= dict(layers=6, width=32, head_width=8, mlp_ratio=4.0)
        cfg["text_cfg"] |= dict(layers=3, width=32, heads=4)
    model = build(cfg).eval()
    randomize(model)
    statistics(model)
    if half:
        model = model.half().float()
    state = {k: v.contiguous().half() if half else v.contiguous() for k, v in model.state_dict().items()}
    save_torch(state, os.path.join(folder, "open_clip_model.safetensors"))
    preprocess = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4], "interpolation": ["bicubic", "bilinear"][r.randint(0, 1)],
                  "resize_mode": ["shortest", "longest", "squash"][i % 3], "fill_color": r.choice([0, 7])}
    if kind == 1:
        preprocess["interpolation"] = "bicubic"
    if kind == 3:  # positions of another size are resized
        cfg["vision_cfg"]["image_size"] += cfg["vision_cfg"]["patch_size"]
    with open(os.path.join(folder, "open_clip_config.json"), "w") as f:
        json.dump({"model_cfg": cfg, "preprocess_cfg": preprocess}, f)
    model, _, preprocess = open_clip.create_model_and_transforms("local-dir:" + folder)
    tensors = {}
    features(folder, model.eval(), preprocess, rng, tensors)
    if kind == 3:
        write(folder, {k: v for k, v in tensors.items() if not k.startswith("grad/")})


def openai(folder, i, seed):
    """A TorchScript archive as OpenAI released it: the sizes are attributes beside the weights."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    vision = dict(image_size=16, layers=2, width=64 * (1 + i % 2), patch_size=8)
    if i == 2:
        vision = dict(image_size=64, layers=[1, 2, 1, 1], width=4)
    text = dict(context_length=24, vocab_size=len(tokenizer()), width=64, heads=1, layers=1)
    model = build(dict(embed_dim=16, vision_cfg=vision, text_cfg=text, quick_gelu=True)).eval()
    randomize(model)
    statistics(model)
    open_clip.model.convert_weights_to_fp16(model)
    model = model.float()
    size = vision["image_size"]
    preprocess = open_clip.image_transform(size, is_train=False)
    features(folder, model, preprocess, rng, {})

    class Release(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for name, child in model.named_children():
                setattr(self, name, child)
            self.positional_embedding, self.text_projection, self.logit_scale = model.positional_embedding, model.text_projection, model.logit_scale
            for name, value in (("input_resolution", size), ("context_length", 24), ("vocab_size", text["vocab_size"])):
                self.register_buffer(name, torch.tensor(value))

        def forward(self, x):
            return self.visual.conv1(x)

    release = Release().eval()
    open_clip.model.convert_weights_to_fp16(release)
    with torch.no_grad():
        torch.jit.save(torch.jit.trace(release, torch.zeros(1, 3, size, size, dtype=torch.float16)), os.path.join(folder, "ViT-tiny.pt"))


def check(folder):
    """Compares a saved folder's outputs with expected.safetensors."""
    want = load_file(os.path.join(folder, "expected.safetensors"))
    pixels, ids = torch.from_numpy(want["pixels"]), torch.from_numpy(want["ids"]).long()
    with torch.inference_mode():
        if os.path.exists(os.path.join(folder, "open_clip_config.json")):
            model, _, preprocess = open_clip.create_model_and_transforms("local-dir:" + folder)
            padded = torch.nn.functional.pad(ids, (0, 24 - ids.shape[1]))
            got = model.eval().encode_image(pixels), model.encode_text(padded)
        else:
            model, info = CLIPModel.from_pretrained(folder, output_loading_info=True, dtype=torch.float32)
            assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"], info
            model.eval()
            got = model.get_image_features(pixel_values=pixels).pooler_output, model.get_text_features(input_ids=ids).pooler_output
            if os.path.exists(os.path.join(folder, "tokenizer_config.json")):
                from transformers import AutoTokenizer
                tok = AutoTokenizer.from_pretrained(folder)
                for i, text in enumerate(TEXTS):
                    assert tok(text, truncation=True)["input_ids"] == want[f"tokens/{i}"].tolist(), (folder, text, tok(text))
            preprocess = lambda m: CLIPImageProcessor.from_pretrained(folder)(m.convert("RGB"), return_tensors="pt")["pixel_values"][0]
        got += (model.logit_scale,)
        if "prepared" in want:
            x = preprocess(Image.open(os.path.join(folder, "wide.png")))
            assert np.abs(array(x) - want["prepared"]).max() < 0.1, (folder, "pixels", np.abs(array(x) - want["prepared"]).max())
    for name, g in zip(("image_features", "text_features", "logit_scale"), got):
        w = want[name].reshape(g.shape)
        error = np.abs(array(g).reshape(g.shape) - w).max() / max(1, np.sqrt((w ** 2).mean()))
        assert error < 1e-4, (folder, name, error)


if __name__ == "__main__":
    if sys.argv[1] == "check":
        for folder in sys.argv[2:]:
            check(folder)
        print(len(sys.argv) - 2, "folders")
    else:
        seed = int(sys.argv[2])
        for form, make, count in (("hf", hf, 5), ("open", openclip, 11), ("openai", openai, 3)):
            for i in range(count):
                folder = os.path.join(sys.argv[1], f"{form}-{i}")
                os.makedirs(folder)
                make(folder, i, 1000 * seed + i)
